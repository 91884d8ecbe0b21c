//! Randomness from a seed, in the few forms that a network needs.

use std::time::Duration;

use rand_chacha::ChaCha8Rng;
use rand_core::{RngCore, SeedableRng};

#[derive(Debug, Clone)]
pub(crate) struct Dice(ChaCha8Rng);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(ChaCha8Rng::seed_from_u64(seed))
    }

    /// True for this share of the throws.
    pub(crate) fn chance(&mut self, share: f64) -> bool {
        share > 0.0 && (self.0.next_u32() as f64) < share * (u32::MAX as f64)
    }

    /// From 0 up to and without `end`; 0 when `end` is 0.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        (self.0.next_u64() % (end as u64).max(1)) as usize
    }

    /// From zero to `longest`, in steps of a microsecond.
    pub(crate) fn duration(&mut self, longest: Duration) -> Duration {
        let longest = u64::try_from(longest.as_micros()).unwrap_or(u64::MAX - 1);
        Duration::from_micros(self.0.next_u64() % (longest + 1))
    }
}
