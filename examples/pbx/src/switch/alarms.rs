//! What calls wait for: one alarm of each kind a call, at a time.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Instant,
};

/// What an alarm is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Alarm {
    /// The call is as long as calls may be.
    Limit,
    /// A runner's Wait, or its like, is over.
    Wait(u32),
    /// A runner's Dial rang long enough.
    Ring(u32),
    /// Two have talked as long as Dial allowed.
    Talk,
    /// No further digit of a transfer came.
    Transfer,
}

/// All alarms that are set.
#[derive(Debug, Default)]
pub(super) struct Alarms {
    order: BTreeSet<(Instant, u64, Alarm)>,
    times: BTreeMap<(u64, Alarm), Instant>,
}

impl Alarms {
    /// Sets an alarm, or sets it anew.
    pub(super) fn set(&mut self, call: u64, alarm: Alarm, at: Instant) {
        self.cancel(call, alarm);
        self.order.insert((at, call, alarm));
        self.times.insert((call, alarm), at);
    }

    pub(super) fn cancel(&mut self, call: u64, alarm: Alarm) {
        if let Some(at) = self.times.remove(&(call, alarm)) {
            self.order.remove(&(at, call, alarm));
        }
    }

    /// Cancels all alarms of a call.
    pub(super) fn forget(&mut self, call: u64) {
        let all: Vec<_> =
            self.times.range((call, Alarm::Limit)..=(call, Alarm::Transfer)).map(|(key, _)| key.1).collect();
        for alarm in all {
            self.cancel(call, alarm);
        }
    }

    /// Takes the next alarm that is due.
    pub(super) fn pop(&mut self, now: Instant) -> Option<(u64, Alarm)> {
        let &(at, call, alarm) = self.order.first()?;
        if at > now {
            return None;
        }
        self.cancel(call, alarm);
        Some((call, alarm))
    }

    pub(super) fn next(&self) -> Option<Instant> {
        self.order.first().map(|(at, ..)| *at)
    }

    pub(super) fn len(&self) -> usize {
        self.order.len()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn alarms_come_in_order_and_are_forgotten_with_their_call() {
        #[expect(clippy::disallowed_methods, reason = "any moment will do")]
        let now = Instant::now();
        let at = |seconds| now + Duration::from_secs(seconds);
        let mut alarms = Alarms::default();
        alarms.set(1, Alarm::Limit, at(9));
        alarms.set(1, Alarm::Wait(3), at(2));
        alarms.set(1, Alarm::Wait(3), at(4));
        alarms.set(2, Alarm::Ring(7), at(1));
        alarms.set(2, Alarm::Transfer, at(3));
        assert_eq!((alarms.next(), alarms.len()), (Some(at(1)), 4));
        assert_eq!(alarms.pop(now), None);
        assert_eq!(alarms.pop(at(1)), Some((2, Alarm::Ring(7))));
        alarms.forget(2);
        assert_eq!(alarms.pop(at(5)), Some((1, Alarm::Wait(3))));
        assert_eq!(alarms.pop(at(5)), None);
        alarms.forget(1);
        assert_eq!((alarms.next(), alarms.len()), (None, 0));
    }
}
