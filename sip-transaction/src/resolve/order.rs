//! In which order the servers of a domain are tried.

use rand_core::RngCore;

use super::record::Srv;

/// Orders SRV records (RFC 2782 "Usage rules"): by priority, and among those of one priority at random, each first in
/// proportion to its weight. Records of weight 0 stand a small chance, as the RFC has it.
pub(super) fn by_weight(mut records: Vec<Srv>, random: &mut impl RngCore) -> Vec<Srv> {
    // Records of weight 0 first, so that they are chosen when the number drawn is 0.
    records.sort_by(|a, b| (a.priority, a.weight, &a.target, a.port).cmp(&(b.priority, b.weight, &b.target, b.port)));
    records.dedup();
    let mut ordered = Vec::with_capacity(records.len());
    let mut rest = records.into_iter().peekable();
    while let Some(first) = rest.next() {
        let priority = first.priority;
        let mut equals = vec![first];
        while let Some(next) = rest.next_if(|next| next.priority == priority) {
            equals.push(next);
        }
        while !equals.is_empty() {
            let total: u64 = equals.iter().map(|record| u64::from(record.weight)).sum();
            let drawn = random.next_u64() % (total + 1);
            let mut sum = 0;
            let chosen = equals.iter().position(|record| {
                sum += u64::from(record.weight);
                sum >= drawn
            });
            ordered.push(equals.remove(chosen.unwrap_or(0)));
        }
    }
    ordered
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use rand_chacha::ChaCha8Rng;
    use rand_core::SeedableRng;

    use super::*;

    fn srv(priority: u16, weight: u16, target: &str) -> Srv {
        Srv { priority, weight, port: 5060, target: target.into() }
    }

    #[test]
    fn priorities_are_kept_and_weights_are_proportions() {
        let mut random = ChaCha8Rng::seed_from_u64(1);
        let mut first = BTreeMap::new();
        for _ in 0..10_000 {
            let records = vec![srv(20, 9, "backup"), srv(10, 60, "large"), srv(10, 30, "small"), srv(10, 10, "tiny")];
            let ordered = by_weight(records, &mut random);
            assert_eq!(&*ordered[3].target, "backup");
            *first.entry(ordered[0].target.to_string()).or_insert(0) += 1;
        }
        assert!((5_700..6_300).contains(&first["large"]), "{first:?}");
        assert!((2_700..3_300).contains(&first["small"]), "{first:?}");
        assert!((800..1_200).contains(&first["tiny"]), "{first:?}");
    }

    #[test]
    fn records_of_weight_zero_come_after_the_others_nearly_always_and_evenly_among_themselves() {
        let mut random = ChaCha8Rng::seed_from_u64(2);
        let mut zero_first = 0;
        for _ in 0..1_000 {
            let ordered = by_weight(vec![srv(1, 0, "zero"), srv(1, 100, "heavy")], &mut random);
            zero_first += u32::from(&*ordered[0].target == "zero");
        }
        assert!(zero_first < 40, "{zero_first}");
        assert!(by_weight(Vec::new(), &mut random).is_empty());
        assert_eq!(by_weight(vec![srv(1, 0, "a"), srv(1, 0, "a")], &mut random).len(), 1);
    }
}
