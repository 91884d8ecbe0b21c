//! What all threads of a switch share: global variables, the wall clock and the dice.

use std::collections::BTreeMap;

use jiff::{Timestamp, Zoned, tz::TimeZone};
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};

use super::{Dialplan, arguments::shorten, variables::MAX_VALUE};

/// How many global variables there are at most.
const MAX_GLOBALS: usize = 10_000;

/// Given to a thread with each step. The switch sets the clock before.
#[derive(Debug, Clone)]
pub struct World {
    /// Global variables.
    globals: BTreeMap<String, String>,
    /// Microseconds since 1970.
    pub(super) epoch: i64,
    zone: TimeZone,
    pub(super) dice: ChaCha8Rng,
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

    /// Sets a global variable; an empty value removes it.
    pub fn set_global(&mut self, name: &str, value: &str) {
        let name = shorten(name, 80);
        if value.is_empty() {
            self.globals.remove(name);
        } else if self.globals.len() < MAX_GLOBALS || self.globals.contains_key(name) {
            self.globals.insert(name.to_owned(), shorten(value, MAX_VALUE).to_owned());
        } else {
            tracing::warn!(name, "there are too many global variables: one more is not set");
        }
    }

    /// The time on the wall.
    pub(crate) fn now(&self) -> Zoned {
        Timestamp::from_microsecond(self.epoch).unwrap_or_default().to_zoned(self.zone.clone())
    }
}
