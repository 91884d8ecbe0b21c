//! Which nonce counts were used: a bounded memory that forgets safely.

use std::collections::BTreeMap;

use super::nonce::Stamp;

/// Whether a count was used before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    /// It was not.
    First,
    /// It was, or this can no longer be told.
    Again,
}

/// The counts seen of one nonce: the highest, and which of the 64 up to it.
///
/// A window rather than "must grow", because requests sent one after the other over UDP may overtake each other.
#[derive(Debug, Clone, Copy)]
struct Window {
    highest: u32,
    /// Bit `n` stands for `highest - n`.
    seen: u64,
}

/// The nonces whose counts are remembered, in order of their age.
#[derive(Debug)]
pub(super) struct Replays {
    windows: BTreeMap<Stamp, Window>,
    limit: usize,
    /// Nonces up to this one serve no longer: their counts may have been forgotten.
    forgotten: Option<Stamp>,
}

impl Replays {
    pub(super) const fn new(limit: usize) -> Self {
        Self { windows: BTreeMap::new(), limit, forgotten: None }
    }

    /// Notes the use of a count.
    pub(super) fn note(&mut self, stamp: Stamp, count: u32) -> Use {
        if count == 0 || self.forgotten.is_some_and(|forgotten| stamp <= forgotten) {
            return Use::Again;
        }
        if let Some(window) = self.windows.get_mut(&stamp) {
            return window.note(count);
        }
        self.windows.insert(stamp, Window { highest: count, seen: 1 });
        while self.windows.len() > self.limit {
            let Some((oldest, _)) = self.windows.pop_first() else { break };
            self.forgotten = self.forgotten.max(Some(oldest));
            if oldest == stamp {
                // No room even for this one: it has been used once and serves no longer.
                break;
            }
        }
        Use::First
    }

    /// Forgets nonces made before a moment. Their age alone refuses them.
    pub(super) fn forget_before(&mut self, ticks: u64) {
        while let Some(entry) = self.windows.first_entry() {
            if entry.key().ticks >= ticks {
                break;
            }
            entry.remove();
        }
    }

    /// When the oldest remembered nonce was made.
    pub(super) fn oldest(&self) -> Option<u64> {
        self.windows.first_key_value().map(|(stamp, _)| stamp.ticks)
    }

    pub(super) fn len(&self) -> usize {
        self.windows.len()
    }
}

impl Window {
    fn note(&mut self, count: u32) -> Use {
        if let Some(ahead) = count.checked_sub(self.highest).filter(|ahead| *ahead > 0) {
            self.seen = self.seen.checked_shl(ahead).unwrap_or(0) | 1;
            self.highest = count;
            return Use::First;
        }
        let bit = 1u64.checked_shl(self.highest - count).unwrap_or(0);
        if bit == 0 || self.seen & bit != 0 {
            return Use::Again;
        }
        self.seen |= bit;
        Use::First
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_count_serves_once() {
        let mut replays = Replays::new(10);
        let stamp = Stamp::at(1);
        assert_eq!(replays.note(stamp, 0), Use::Again, "counts begin with 1");
        for count in [1, 2, 5, 4, 3, 100] {
            assert_eq!(replays.note(stamp, count), Use::First, "{count}");
        }
        for count in [1, 2, 3, 4, 5, 100, 36] {
            assert_eq!(replays.note(stamp, count), Use::Again, "{count}");
        }
        assert_eq!(replays.note(stamp, 37), Use::First, "within the window and not seen");
        assert_eq!(replays.note(stamp, u32::MAX), Use::First);
        assert_eq!(replays.note(stamp, u32::MAX), Use::Again);
    }

    #[test]
    fn what_is_forgotten_for_want_of_room_cannot_be_replayed() {
        let mut replays = Replays::new(3);
        for ticks in [5, 1, 2, 3] {
            assert_eq!(replays.note(Stamp::at(ticks), 1), Use::First);
        }
        assert_eq!(replays.len(), 3);
        assert_eq!(replays.note(Stamp::at(1), 1), Use::Again);
        assert_eq!(replays.note(Stamp::at(1), 2), Use::Again);
        assert_eq!(replays.note(Stamp::at(0), 1), Use::Again, "older than what was forgotten");
        assert_eq!(replays.note(Stamp::at(2), 2), Use::First);
        assert_eq!(replays.len(), 3);
    }

    #[test]
    fn with_no_room_at_all_each_nonce_serves_once() {
        let mut replays = Replays::new(0);
        assert_eq!(replays.note(Stamp::at(1), 1), Use::First);
        assert_eq!(replays.note(Stamp::at(1), 2), Use::Again);
        assert_eq!(replays.note(Stamp::at(2), 1), Use::First);
        assert_eq!(replays.len(), 0);
    }

    #[test]
    fn old_nonces_are_forgotten_in_time() {
        let mut replays = Replays::new(10);
        for ticks in 0..5 {
            replays.note(Stamp::at(ticks), 1);
        }
        replays.forget_before(3);
        assert_eq!((replays.len(), replays.oldest()), (2, Some(3)));
    }

    proptest! {
        #[test]
        fn no_count_is_ever_accepted_twice(
            limit in 0usize..6,
            uses in proptest::collection::vec((0u64..8, prop_oneof![0u32..80, any::<u32>()]), 0..200),
        ) {
            let mut replays = Replays::new(limit);
            let mut accepted = BTreeSet::new();
            for (ticks, count) in uses {
                if replays.note(Stamp::at(ticks), count) == Use::First {
                    prop_assert!(accepted.insert((ticks, count)), "{ticks} {count}");
                }
                prop_assert!(replays.len() <= limit);
            }
        }
    }
}
