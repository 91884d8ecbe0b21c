//! Whether a destination takes new calls, and whether it lives: a transition.
//!
//! ```text
//!            failure              `down` failures in a row
//!  Active ───────────> Trying ─────────────────────────────> Probing
//!    ^ ^   success       │                                      │
//!    │ └─────────────────┘        `up` successes in a row       │
//!    └──────────────────────────────────────────────────────────┘
//!
//!  any of them ── drain ──> Draining ── enable ──> as its life was found meanwhile
//!  any of them ── disable ──> Disabled ── enable ──> Trying
//! ```
//!
//! A draining destination is still probed: what belongs to its calls goes there as long as it lives. A disabled one is not
//! probed: it lives or not as it did before.

/// Whether a destination serves, as others see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum State {
    /// It takes new calls.
    Active,
    /// It takes new calls, although something failed lately or nothing is known yet.
    Trying,
    /// It failed: it gets nothing but probes.
    Probing,
    /// It takes no new calls, but all that belongs to those begun before.
    Draining,
    /// It takes no new calls and is not probed.
    Disabled,
}

impl State {
    /// All states.
    pub const ALL: [Self; 5] = [Self::Active, Self::Trying, Self::Probing, Self::Draining, Self::Disabled];

    /// Its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Trying => "trying",
            Self::Probing => "probing",
            Self::Draining => "draining",
            Self::Disabled => "disabled",
        }
    }
}

impl std::fmt::Display for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What somebody wants of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Will {
    Serve,
    Drain,
    Disable,
}

/// Whether it lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Life {
    Up,
    Doubtful { failures: u32 },
    Down { successes: u32 },
}

/// What happened to a destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Event {
    /// It answered a probe as it should.
    Success,
    /// It did not.
    Failure,
    /// Somebody who knows says whether it lives.
    Told {
        lives: bool,
    },
    Enable,
    Drain,
    Disable,
}

/// How many in a row turn it over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Thresholds {
    pub(crate) down: u32,
    pub(crate) up: u32,
}

/// One destination's health.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Health {
    will: Will,
    life: Life,
}

impl Health {
    /// Nothing is known of it: it serves until something fails.
    pub(crate) const fn new() -> Self {
        Self { will: Will::Serve, life: Life::Up }
    }

    pub(crate) fn on_event(&mut self, event: Event, thresholds: Thresholds) {
        let Thresholds { down, up } = thresholds;
        (self.will, self.life) = match (self.will, self.life, event) {
            (_, life, Event::Drain) => (Will::Drain, life),
            (_, life, Event::Disable) => (Will::Disable, life),
            (Will::Disable, _, Event::Enable) => (Will::Serve, Life::Doubtful { failures: 0 }),
            (_, life, Event::Enable) => (Will::Serve, life),
            // A probe that was under way while it was disabled says nothing.
            (Will::Disable, life, Event::Success | Event::Failure | Event::Told { .. }) => (Will::Disable, life),
            (will, Life::Up | Life::Doubtful { .. }, Event::Told { lives: true }) => (will, Life::Up),
            (will, Life::Down { .. }, Event::Told { lives: true }) => (will, Life::Up),
            (will, _, Event::Told { lives: false }) => (will, Life::Down { successes: 0 }),
            (will, Life::Up | Life::Doubtful { .. }, Event::Success) => (will, Life::Up),
            (will, Life::Down { successes }, Event::Success) if successes + 1 >= up => (will, Life::Up),
            (will, Life::Down { successes }, Event::Success) => (will, Life::Down { successes: successes + 1 }),
            (will, Life::Up, Event::Failure) if down <= 1 => (will, Life::Down { successes: 0 }),
            (will, Life::Up, Event::Failure) => (will, Life::Doubtful { failures: 1 }),
            (will, Life::Doubtful { failures }, Event::Failure) if failures + 1 >= down => {
                (will, Life::Down { successes: 0 })
            }
            (will, Life::Doubtful { failures }, Event::Failure) => (will, Life::Doubtful { failures: failures + 1 }),
            (will, Life::Down { .. }, Event::Failure) => (will, Life::Down { successes: 0 }),
        };
    }

    pub(crate) const fn state(&self) -> State {
        match (self.will, self.life) {
            (Will::Disable, _) => State::Disabled,
            (Will::Drain, _) => State::Draining,
            (Will::Serve, Life::Up) => State::Active,
            (Will::Serve, Life::Doubtful { .. }) => State::Trying,
            (Will::Serve, Life::Down { .. }) => State::Probing,
        }
    }

    /// Whether it takes new calls.
    pub(crate) const fn is_open(&self) -> bool {
        matches!((self.will, self.life), (Will::Serve, Life::Up | Life::Doubtful { .. }))
    }

    /// Whether what belongs to its calls can reach it.
    pub(crate) const fn is_alive(&self) -> bool {
        !matches!(self.life, Life::Down { .. })
    }

    pub(crate) const fn is_probed(&self) -> bool {
        !matches!(self.will, Will::Disable)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const THRESHOLDS: Thresholds = Thresholds { down: 3, up: 2 };

    fn after(events: &[Event]) -> Health {
        let mut health = Health::new();
        for event in events {
            health.on_event(*event, THRESHOLDS);
        }
        health
    }

    #[test]
    fn it_takes_three_failures_in_a_row_to_go_down_and_two_successes_to_come_back() {
        use Event::{Failure, Success};
        assert_eq!(after(&[Failure, Failure]).state(), State::Trying);
        assert_eq!(after(&[Failure, Failure, Success, Failure, Failure]).state(), State::Trying);
        assert_eq!(after(&[Failure, Failure, Failure]).state(), State::Probing);
        assert_eq!(after(&[Failure, Failure, Failure, Success]).state(), State::Probing);
        assert_eq!(after(&[Failure, Failure, Failure, Success, Failure, Success]).state(), State::Probing);
        assert_eq!(after(&[Failure, Failure, Failure, Success, Success]).state(), State::Active);
    }

    #[test]
    fn draining_learns_whether_it_lives_and_keeps_it() {
        use Event::{Drain, Enable, Failure, Success};
        let dead = after(&[Drain, Failure, Failure, Failure]);
        assert_eq!((dead.state(), dead.is_alive(), dead.is_open()), (State::Draining, false, false));
        assert_eq!(after(&[Drain, Failure, Failure, Failure, Enable]).state(), State::Probing);
        let well = after(&[Drain, Success]);
        assert_eq!((well.state(), well.is_alive(), well.is_open()), (State::Draining, true, false));
        assert_eq!(after(&[Drain, Success, Enable]).state(), State::Active);
    }

    #[test]
    fn an_answer_in_flight_does_not_bring_a_disabled_one_back() {
        use Event::{Disable, Enable, Failure, Success};
        assert_eq!(after(&[Disable, Success, Success, Failure]), after(&[Disable]));
        assert_eq!(after(&[Failure, Failure, Failure, Disable, Enable]).state(), State::Trying);
        assert!(!after(&[Disable]).is_open() && after(&[Disable]).is_alive() && !after(&[Disable]).is_probed());
    }

    #[test]
    fn one_failure_is_enough_when_the_threshold_says_so() {
        let mut health = Health::new();
        health.on_event(Event::Failure, Thresholds { down: 1, up: 1 });
        assert_eq!(health.state(), State::Probing);
        health.on_event(Event::Success, Thresholds { down: 1, up: 1 });
        assert_eq!(health.state(), State::Active);
    }
}
