//! A bounded set that forgets what was not used for longest.

use std::collections::HashSet;
use std::hash::{BuildHasher, Hash};

/// Remembers between `limit / 2` and `limit` entries: two halves, of which the older is dropped when the younger is
/// full. What is looked up moves to the younger.
#[derive(Debug)]
pub(crate) struct Recent<T, S> {
    young: HashSet<T, S>,
    old: HashSet<T, S>,
    half: usize,
}

impl<T: Eq + Hash + Copy, S: BuildHasher + Clone> Recent<T, S> {
    /// An empty set that holds at most `limit` entries (two at least).
    pub(crate) fn new(limit: usize, hasher: S) -> Self {
        Self {
            young: HashSet::with_hasher(hasher.clone()),
            old: HashSet::with_hasher(hasher),
            half: (limit / 2).max(1),
        }
    }

    /// Remembers an entry.
    pub(crate) fn insert(&mut self, entry: T) {
        if self.young.len() >= self.half && !self.young.contains(&entry) {
            std::mem::swap(&mut self.young, &mut self.old);
            self.young.clear();
        }
        self.young.insert(entry);
    }

    /// Forgets an entry.
    pub(crate) fn remove(&mut self, entry: &T) {
        self.young.remove(entry);
        self.old.remove(entry);
    }

    /// Whether an entry is remembered; if so, for longer now.
    pub(crate) fn contains(&mut self, entry: &T) -> bool {
        if self.young.contains(entry) {
            return true;
        }
        if !self.old.is_empty() && self.old.remove(entry) {
            self.insert(*entry);
            return true;
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use std::collections::hash_map::RandomState;

    use super::*;

    #[test]
    fn it_stays_within_its_limit_and_keeps_what_is_used() {
        let mut set = Recent::new(100, RandomState::new());
        for number in 0..10_000 {
            set.insert(number);
            assert!(set.contains(&0), "0 is used all the time, lost at {number}");
            assert!(set.young.len() + set.old.len() <= 101);
        }
        assert!(set.contains(&9_999));
        assert!(!set.contains(&5_000));
        set.remove(&9_999);
        assert!(!set.contains(&9_999));
    }
}
