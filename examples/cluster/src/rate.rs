//! From counters to figures a second.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

/// How often a figure is made.
const STEP: Duration = Duration::from_secs(1);

/// How many figures are kept.
const KEPT: usize = 60;

/// A counter of bytes and one of datagrams, as rates.
#[derive(Debug, Default)]
pub struct Rate {
    last: Option<(Instant, u64, u64)>,
    /// Kilobits a second, the oldest first.
    history: VecDeque<f64>,
    datagrams: f64,
}

impl Rate {
    /// Takes in what the counters say. They begin anew when a program does.
    pub fn update(&mut self, now: Instant, bytes: u64, datagrams: u64) {
        let Some((before, old_bytes, old_datagrams)) = self.last else {
            self.last = Some((now, bytes, datagrams));
            return;
        };
        let passed = now.saturating_duration_since(before);
        if passed < STEP {
            return;
        }
        let rate = |new: u64, old: u64| new.saturating_sub(old) as f64 / passed.as_secs_f64();
        self.history.push_back(rate(bytes, old_bytes) * 8.0 / 1_000.0);
        self.datagrams = rate(datagrams, old_datagrams);
        if self.history.len() > KEPT {
            self.history.pop_front();
        }
        self.last = Some((now, bytes, datagrams));
    }

    /// The latest figure, in kilobits a second.
    #[must_use]
    pub fn now(&self) -> f64 {
        self.history.back().copied().unwrap_or(0.0)
    }

    /// Datagrams a second.
    #[must_use]
    pub const fn datagrams(&self) -> f64 {
        self.datagrams
    }

    /// All figures, the oldest first.
    #[must_use]
    pub fn history(&self) -> Vec<f64> {
        self.history.iter().copied().collect()
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a test's clock begins somewhere")]
mod tests {
    use super::*;

    #[test]
    fn a_thousand_bytes_in_two_seconds_are_four_kilobits_a_second() {
        let start = Instant::now();
        let mut rate = Rate::default();
        rate.update(start, 5_000, 10);
        rate.update(start + STEP / 2, 5_500, 12);
        assert!(rate.history().is_empty());
        rate.update(start + STEP * 2, 6_000, 14);
        assert_eq!((rate.now(), rate.datagrams()), (4.0, 2.0));
        // A PBX that was started again counts from nothing.
        rate.update(start + STEP * 3, 100, 1);
        assert_eq!(rate.now(), 0.0);
        assert_eq!(rate.history(), [4.0, 0.0]);
    }
}
