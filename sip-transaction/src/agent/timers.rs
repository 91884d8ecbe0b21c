//! The timers of all sessions in the order that they fire.

use std::collections::BTreeMap;
use std::time::Instant;

use crate::arena::Slot;
use crate::session::Timer;

/// A deadline, told apart from others at the same instant.
pub(super) type Deadline = (Instant, u64);

/// The queue of deadlines. Each session remembers its own, to stop them.
#[derive(Debug, Default)]
pub(super) struct Timers {
    queue: BTreeMap<Deadline, (Slot, Timer)>,
    next: u64,
}

impl Timers {
    /// Adds a deadline.
    pub(super) fn start(&mut self, at: Instant, session: Slot, timer: Timer) -> Deadline {
        self.next = self.next.wrapping_add(1);
        let deadline = (at, self.next);
        self.queue.insert(deadline, (session, timer));
        deadline
    }

    /// Takes a deadline away.
    pub(super) fn stop(&mut self, deadline: Deadline) {
        self.queue.remove(&deadline);
    }

    /// Takes the first deadline that has passed.
    pub(super) fn pop(&mut self, now: Instant) -> Option<(Slot, Timer)> {
        let entry = self.queue.first_entry()?;
        if entry.key().0 > now {
            return None;
        }
        Some(entry.remove())
    }

    /// The first deadline.
    pub(super) fn next(&self) -> Option<Instant> {
        self.queue.first_key_value().map(|(key, _)| key.0)
    }

    /// How many run.
    pub(super) fn len(&self) -> usize {
        self.queue.len()
    }
}
