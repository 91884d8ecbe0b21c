//! How long messages take from the kernel's receipt to our send, counted by what they are.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use sip_proxy::stateless::{Class, Label, Verb};

/// Upper bounds of the buckets, in microseconds; one more bucket is for what takes longer.
pub const BOUNDS: [u64; 18] = [
    20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000, 200_000, 500_000, 1_000_000,
    2_000_000, 5_000_000, 10_000_000,
];

const LABELS: usize = Verb::ALL.len() * Class::ALL.len();

/// One histogram.
#[derive(Debug)]
struct Meter {
    buckets: [AtomicU64; BOUNDS.len() + 1],
    sum: AtomicU64,
}

/// The histograms of one shard. Only that shard writes.
#[derive(Debug)]
pub struct Meters {
    meters: Vec<Meter>,
}

/// What was counted of one label.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counted {
    /// How many in each bucket.
    pub buckets: [u64; BOUNDS.len() + 1],
    /// All their microseconds.
    pub sum: u64,
}

impl Default for Meters {
    fn default() -> Self {
        let meter = |_| Meter { buckets: std::array::from_fn(|_| AtomicU64::new(0)), sum: AtomicU64::new(0) };
        Self { meters: (0..LABELS).map(meter).collect() }
    }
}

impl Meters {
    /// Counts a message.
    pub fn note(&self, label: Label, took: Duration) {
        let Some(meter) = self.meters.get(place(label)) else { return };
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let bucket = BOUNDS.iter().position(|bound| micros <= *bound).unwrap_or(BOUNDS.len());
        // Nobody else writes: no locked addition is needed.
        let add =
            |to: &AtomicU64, more: u64| to.store(to.load(Ordering::Relaxed).wrapping_add(more), Ordering::Relaxed);
        if let Some(bucket) = meter.buckets.get(bucket) {
            add(bucket, 1);
        }
        add(&meter.sum, micros);
    }
}

/// What several shards counted together, by label; only labels of which there is something.
#[must_use]
pub fn sum<'a>(shards: impl Iterator<Item = &'a Meters> + Clone) -> Vec<(Label, Counted)> {
    let labels = Verb::ALL.into_iter().flat_map(|verb| Class::ALL.map(|class| Label { verb, class }));
    labels
        .filter_map(|label| {
            let mut counted = Counted { buckets: [0; BOUNDS.len() + 1], sum: 0 };
            for meter in shards.clone().filter_map(|shard| shard.meters.get(place(label))) {
                for (sum, bucket) in counted.buckets.iter_mut().zip(&meter.buckets) {
                    *sum += bucket.load(Ordering::Relaxed);
                }
                counted.sum += meter.sum.load(Ordering::Relaxed);
            }
            (counted.buckets.iter().sum::<u64>() > 0).then_some((label, counted))
        })
        .collect()
}

impl Counted {
    /// The bound below which this part of all is, in microseconds; `None` past the last bound or of nothing.
    #[must_use]
    pub fn quantile(&self, part: f64) -> Option<u64> {
        let all: u64 = self.buckets.iter().sum();
        let wanted = (all as f64 * part).ceil() as u64;
        let mut seen = 0;
        self.buckets.iter().zip(BOUNDS).find_map(|(count, bound)| {
            seen += count;
            (seen >= wanted.max(1)).then_some(bound)
        })
    }
}

fn place(label: Label) -> usize {
    let class = match label.class {
        Class::Request => 0,
        Class::WithCredentials => 1,
        Class::Response(class) => 1 + usize::from(class.clamp(1, 6)),
        Class::Refusal(class) => 5 + usize::from(class.clamp(3, 6)),
    };
    label.verb as usize * Class::ALL.len() + class
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_label_has_a_place_of_its_own() {
        let labels = Verb::ALL.into_iter().flat_map(|verb| Class::ALL.map(|class| Label { verb, class }));
        assert!(labels.map(place).eq(0..LABELS));
    }

    #[test]
    fn messages_are_counted_by_what_they_are() {
        let (one, two) = (Meters::default(), Meters::default());
        let label = Label { verb: Verb::Invite, class: Class::Response(4) };
        (0..99).for_each(|_| one.note(label, Duration::from_micros(40)));
        two.note(label, Duration::from_secs(60));
        let counted = sum([&one, &two].into_iter());
        assert_eq!(counted.len(), 1);
        let (found, counted) = &counted[0];
        assert_eq!((*found, counted.sum), (label, 99 * 40 + 60_000_000));
        assert_eq!((counted.quantile(0.5), counted.quantile(1.0)), (Some(50), None));
    }
}
