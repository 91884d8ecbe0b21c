//! What a dispatcher has to tell: what changed, what moved and why.

use std::sync::Arc;
use std::time::Duration;

use super::{CallKey, State};

/// Something that happened.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// A list was loaded.
    Loaded {
        /// Its version: how many were loaded.
        version: u64,
        /// Destinations that are new.
        added: usize,
        /// Destinations that are gone.
        removed: usize,
        /// Destinations that stay.
        stayed: usize,
        /// Which part of all keys goes elsewhere now, between 0 and 1, by sampling; `None` unless the first set hashes.
        moved: Option<f64>,
    },
    /// A destination changed its state.
    Changed {
        /// Its name.
        name: Arc<str>,
        /// What it was.
        from: State,
        /// What it is.
        to: State,
        /// Whether it lives.
        is_alive: bool,
        /// Why.
        why: Why,
        /// Which part of all keys goes elsewhere now, between 0 and 1, by sampling; `None` when none can.
        moved: Option<f64>,
    },
    /// A drain is at its end.
    Emptied {
        /// The destination's name.
        name: Arc<str>,
        /// How many calls it has still: none, unless the deadline came first.
        left: usize,
        /// How long it took.
        took: Duration,
    },
    /// A call begun before goes on elsewhere, because its destination is dead.
    CallMoved {
        /// The call.
        call: CallKey,
        /// Where it was.
        from: Option<Arc<str>>,
        /// Where it is.
        to: Option<Arc<str>>,
    },
}

/// Why a destination changed its state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Why {
    /// It answered its probes.
    ProbeAnswered,
    /// It did not, or with a status that is not accepted.
    ProbeFailed,
    /// A request could not be sent to it.
    Unreachable,
    /// Somebody enabled it.
    Enabled,
    /// Somebody disabled it.
    Disabled,
    /// Somebody began to drain it.
    Drained,
    /// Its drain ended with its last call.
    Emptied,
    /// Its drain ended at its deadline.
    Deadline,
}

impl Why {
    /// In words.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ProbeAnswered => "answers its probes",
            Self::ProbeFailed => "does not answer its probes as it should",
            Self::Unreachable => "cannot be reached",
            Self::Enabled => "was enabled",
            Self::Disabled => "was disabled",
            Self::Drained => "is to be drained",
            Self::Emptied => "has no call left",
            Self::Deadline => "is out of time",
        }
    }
}
