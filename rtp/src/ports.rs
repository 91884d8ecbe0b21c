//! A bounded allocator of port pairs: RTP on the even port, RTCP on the odd one above (RFC 3550 §11).

use rand_chacha::ChaCha8Rng;
use rand_core::{RngCore, SeedableRng};
use std::collections::VecDeque;
use std::ops::RangeInclusive;
use std::time::{Duration, Instant};

/// Two ports next to each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Pair {
    rtp: u16,
}

impl Pair {
    /// The even one.
    pub const fn rtp(self) -> u16 {
        self.rtp
    }

    /// The odd one above.
    pub const fn rtcp(self) -> u16 {
        self.rtp | 1
    }
}

/// Hands out the port pairs of a range, in an order that cannot be guessed, and lets them rest before they are used again.
///
/// The rest keeps the late packets of one call out of the next one.
#[derive(Debug, Clone)]
pub struct Allocator {
    first: u16,
    rest: Duration,
    free: VecDeque<Pair>,
    /// Released, in order of when they may be used again.
    resting: VecDeque<(Instant, Pair)>,
    /// By pair: whether it is handed out.
    used: Vec<bool>,
}

impl Allocator {
    /// An allocator of the whole pairs in `range`. A released pair rests for `rest`.
    ///
    /// A range without a whole pair makes an allocator that is always exhausted.
    pub fn new(range: RangeInclusive<u16>, rest: Duration, seed: [u8; 32]) -> Self {
        let first = range.start().saturating_add(range.start() & 1);
        let mut pairs: Vec<Pair> =
            (first..*range.end()).step_by(2).filter(|_| first & 1 == 0).map(|rtp| Pair { rtp }).collect();
        shuffle(&mut pairs, &mut ChaCha8Rng::from_seed(seed));
        Self { first, rest, used: vec![false; pairs.len()], free: pairs.into(), resting: VecDeque::new() }
    }

    /// A pair that nobody has, or none: refuse the call.
    pub fn allocate(&mut self, now: Instant) -> Option<Pair> {
        while self.resting.front().is_some_and(|(until, _)| *until <= now) {
            self.free.extend(self.resting.pop_front().map(|(_, pair)| pair));
        }
        let pair = self.free.pop_front()?;
        self.mark(pair, true);
        Some(pair)
    }

    /// Gives a pair back; also one that could not be bound because another program has it. Giving back what was not handed out
    /// changes nothing.
    pub fn release(&mut self, now: Instant, pair: Pair) {
        if self.mark(pair, false) {
            // A clock that goes back must not unsort the queue.
            let until = now + self.rest;
            let until = self.resting.back().map_or(until, |(last, _)| until.max(*last));
            self.resting.push_back((until, pair));
        }
    }

    /// Pairs in the range.
    pub fn capacity(&self) -> usize {
        self.used.len()
    }

    /// Pairs that are handed out.
    pub fn allocated(&self) -> usize {
        self.used.len() - self.free.len() - self.resting.len()
    }

    /// Pairs that were given back and rest, as of the last allocation.
    pub fn resting(&self) -> usize {
        self.resting.len()
    }

    /// Sets whether a pair is handed out; says whether that changed.
    fn mark(&mut self, pair: Pair, used: bool) -> bool {
        let slot = pair.rtp.checked_sub(self.first).and_then(|offset| self.used.get_mut(usize::from(offset / 2)));
        slot.is_some_and(|slot| std::mem::replace(slot, used) != used)
    }
}

/// Fisher and Yates.
fn shuffle(pairs: &mut [Pair], random: &mut impl RngCore) {
    for last in (1..pairs.len()).rev() {
        // The bias of the remainder is below one in 2^32: nothing depends on it.
        pairs.swap(last, random.next_u32() as usize % (last + 1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    const REST: Duration = Duration::from_secs(5);

    fn allocator(range: RangeInclusive<u16>) -> (Allocator, Instant) {
        #[expect(clippy::disallowed_methods, reason = "a beginning for the virtual clock")]
        let now = Instant::now();
        (Allocator::new(range, REST, [7; 32]), now)
    }

    #[test]
    fn pairs_are_even_and_odd_and_within_the_range() {
        let (mut ports, now) = allocator(10_001..=10_010);
        let pairs: Vec<_> = std::iter::from_fn(|| ports.allocate(now)).collect();
        let mut rtp: Vec<_> = pairs.iter().map(|pair| pair.rtp()).collect();
        rtp.sort_unstable();
        // 10,001 has no even partner and 10,010 no odd one.
        assert_eq!(rtp, [10_002, 10_004, 10_006, 10_008]);
        assert!(pairs.iter().all(|pair| pair.rtcp() == pair.rtp() + 1));
    }

    #[test]
    fn an_exhausted_range_hands_out_nothing() {
        let (mut ports, now) = allocator(10_000..=10_003);
        assert!(ports.allocate(now).is_some());
        assert!(ports.allocate(now).is_some());
        assert_eq!(ports.allocate(now), None);
        assert_eq!((ports.allocated(), ports.capacity()), (2, 2));
    }

    #[test]
    fn a_released_pair_rests_before_it_is_used_again() {
        let (mut ports, now) = allocator(10_000..=10_001);
        let pair = ports.allocate(now).unwrap();
        ports.release(now, pair);
        assert_eq!((ports.allocated(), ports.resting()), (0, 1));
        assert_eq!(ports.allocate(now + REST - Duration::from_millis(1)), None);
        assert_eq!(ports.allocate(now + REST), Some(pair));
    }

    #[test]
    fn releasing_twice_hands_a_pair_out_once() {
        let (mut ports, now) = allocator(10_000..=10_001);
        let pair = ports.allocate(now).unwrap();
        ports.release(now, pair);
        ports.release(now, pair);
        assert!(ports.allocate(now + REST).is_some());
        assert_eq!(ports.allocate(now + REST * 3), None);
    }

    #[test]
    fn a_foreign_pair_is_not_taken_in() {
        let (mut ports, now) = allocator(10_000..=10_001);
        ports.release(now, Pair { rtp: 20_000 });
        ports.release(now, Pair { rtp: 2 });
        assert_eq!(ports.resting(), 0);
    }

    #[test]
    fn no_pair_is_handed_out_twice_in_a_long_run() {
        let (mut ports, mut now) = allocator(20_000..=20_999);
        let mut held = HashSet::new();
        let mut random = ChaCha8Rng::from_seed([1; 32]);
        for _ in 0..20_000 {
            now += Duration::from_millis(7);
            if random.next_u32() % 2 == 0 {
                if let Some(pair) = ports.allocate(now) {
                    assert!(held.insert(pair), "{pair:?} twice");
                }
            } else if let Some(pair) = held.iter().next().copied() {
                held.remove(&pair);
                ports.release(now, pair);
            }
            assert_eq!(ports.allocated(), held.len());
        }
    }

    #[test]
    fn the_order_depends_on_the_seed() {
        let (_, now) = allocator(1..=2);
        let order = |seed| {
            let mut ports = Allocator::new(10_000..=10_999, REST, [seed; 32]);
            std::iter::from_fn(move || ports.allocate(now)).collect::<Vec<_>>()
        };
        assert_ne!(order(1), order(2));
        assert_eq!(order(1), order(1));
    }

    #[test]
    fn ranges_without_a_pair_and_at_the_top_are_harmless() {
        for range in [5..=5, 65_535..=65_535, RangeInclusive::new(9, 3)] {
            assert_eq!(allocator(range).0.capacity(), 0);
        }
        let (mut ports, now) = allocator(65_534..=65_535);
        assert_eq!(ports.allocate(now).map(Pair::rtcp), Some(65_535));
    }
}
