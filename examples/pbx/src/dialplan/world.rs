//! What all threads of a switch share: global variables, the wall clock and the dice.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};

use super::Dialplan;

/// Given to a thread with each step. The switch sets the clock before.
#[derive(Debug, Clone)]
pub struct World {
    /// Global variables.
    pub(crate) globals: BTreeMap<String, String>,
    /// Microseconds since 1970.
    pub(crate) epoch: i64,
    pub(crate) zone: TimeZone,
    pub(crate) dice: ChaCha8Rng,
}

impl World {
    /// The globals of the file, a seed for `${RAND()}`, and the zone that times are told in.
    #[must_use]
    pub fn new(plan: &Dialplan, seed: [u8; 32], zone: TimeZone) -> Self {
        Self { globals: plan.globals().clone(), epoch: 0, zone, dice: ChaCha8Rng::from_seed(seed) }
    }

    /// Sets the wall clock, in microseconds since 1970.
    pub fn set_clock(&mut self, epoch: i64) {
        self.epoch = epoch;
    }

    /// A global variable.
    #[must_use]
    pub fn global(&self, name: &str) -> Option<&str> {
        self.globals.get(name).map(String::as_str)
    }

    /// How many global variables there are.
    #[must_use]
    pub fn globals(&self) -> usize {
        self.globals.len()
    }
}
