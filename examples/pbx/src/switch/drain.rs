//! The end of the program: no new calls, running ones to a deadline.

use std::time::{Duration, Instant};

use super::{Event, Switch, cause::Cause};

/// How long the last answers to BYE are waited for.
const FAREWELL: Duration = Duration::from_secs(2);

/// A drain that runs.
#[derive(Debug)]
pub(super) struct Drain {
    /// When what still runs is hung up.
    deadline: Instant,
    hung_up: bool,
    /// When the program ends whatever is left; set once no call is left, or all were hung up.
    farewell: Option<Instant>,
    told: bool,
}

impl Drain {
    pub(super) fn timeout(&self) -> Option<Instant> {
        if self.told {
            return None;
        }
        let deadline = (!self.hung_up).then_some(self.deadline);
        deadline.into_iter().chain(self.farewell).min()
    }
}

impl Switch {
    /// Takes no more calls; [`Event::Drained`] comes when the running ones have ended or were hung up at the deadline.
    pub fn drain(&mut self, now: Instant) {
        let now = self.clamp(now);
        if self.drain.is_none() {
            let deadline = now.checked_add(self.config.calls.drain_time).unwrap_or(now);
            tracing::info!(calls = self.calls.len(), "no more calls are taken");
            self.release_registrations(now);
            self.release_sip_registrations(now);
            self.drain = Some(Drain { deadline, hung_up: false, farewell: None, told: false });
            self.tell(Event::Changed);
        }
        self.pump(now);
    }

    /// Hangs up every call and takes no more; [`Event::Drained`] comes as soon as the phones have heard of it.
    pub fn stop(&mut self, now: Instant) {
        let now = self.clamp(now);
        self.drain(now);
        if let Some(drain) = &mut self.drain {
            drain.deadline = now;
        }
        self.on_drain_timeout(now);
        self.pump(now);
    }

    /// Whether new calls are refused.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.drain.is_some()
    }

    /// Seconds after which a caller who is refused may try again: another program should be there by then.
    pub(super) fn drain_retry_after(&self, now: Instant) -> u64 {
        let left = self.drain.as_ref().map_or(Duration::ZERO, |drain| drain.deadline.saturating_duration_since(now));
        left.as_secs() + 5
    }

    pub(super) fn on_drain_timeout(&mut self, now: Instant) {
        let Some(drain) = &mut self.drain else { return };
        if !drain.hung_up && drain.deadline <= now {
            drain.hung_up = true;
            drain.farewell = now.checked_add(FAREWELL);
            let running: Vec<_> = self.calls.keys().copied().collect();
            if !running.is_empty() {
                tracing::warn!(calls = running.len(), "calls are hung up: their time is over");
            }
            for id in running {
                self.end(now, id, Cause::NORMAL.into());
            }
        }
    }

    /// Looks whether the program may end.
    pub(super) fn on_drain_progress(&mut self, now: Instant) {
        if self.drain.is_none() {
            return;
        }
        let snapshot = self.agent.snapshot();
        // Those that only answer retransmissions keep nobody from going.
        let released = self.trunks.is_quiet() && self.registrations.is_quiet();
        let quiet = self.calls.is_empty() && snapshot.sessions == 0 && snapshot.lingering == 0 && released;
        let Some(drain) = &mut self.drain else { return };
        if drain.told {
            return;
        }
        if self.calls.is_empty() && drain.farewell.is_none() {
            drain.farewell = now.checked_add(FAREWELL);
        }
        if quiet || drain.farewell.is_some_and(|at| at <= now) {
            drain.told = true;
            self.tell(Event::Drained);
        }
    }
}
