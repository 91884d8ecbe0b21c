//! The 2xx to an INVITE, sent again until its ACK comes (RFC 3261 §13.3.1.4, §14.2).
//!
//! ```text
//!            accepted                    Resend: send it again, double up to T2
//!   Idle ───────────────▶ Sent(interval) ─────┐
//!    ▲                     │    │    ▲        │
//!    │        ACK          │    │    └────────┘
//!    ├─────────────────────┘    │
//!    │  Acknowledge (64*T1): no ACK
//!    └──────────────────────────┘
//! ```
//!
//! Unlike the server transaction's retransmissions this is done over reliable transports as well: an ACK can be lost
//! at any proxy on the way.

use std::time::Duration;

use super::{Action, Actions, Timer, Times};

/// The state of the 2xx that was sent last: for the first INVITE or for a re-INVITE.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Answer {
    state: State,
    times: Times,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Idle,
    Sent { interval: Duration },
}

impl Answer {
    pub(crate) const fn new(times: Times) -> Self {
        Self { state: State::Idle, times }
    }

    /// Whether a 2xx waits for its ACK.
    pub(crate) fn is_waiting(&self) -> bool {
        self.state != State::Idle
    }

    /// A 2xx was sent.
    pub(crate) fn on_accepted(&mut self, actions: &mut Actions) {
        let interval = self.times.t1;
        self.state = State::Sent { interval };
        actions.push(Action::Start(Timer::Resend, interval));
        actions.push(Action::Start(Timer::Acknowledge, self.times.patience()));
    }

    /// Its ACK came, or the dialog went on as if it had, or ended.
    pub(crate) fn on_acknowledged(&mut self, actions: &mut Actions) {
        if self.state != State::Idle {
            self.state = State::Idle;
            actions.push(Action::Stop(Timer::Resend));
            actions.push(Action::Stop(Timer::Acknowledge));
        }
    }

    /// [`Timer::Resend`] fired.
    pub(crate) fn on_resend(&mut self, actions: &mut Actions) {
        self.state = match self.state {
            State::Sent { interval } => {
                let interval = interval.saturating_mul(2).min(self.times.t2);
                actions.push(Action::ResendAnswer);
                actions.push(Action::Start(Timer::Resend, interval));
                State::Sent { interval }
            }
            // A timer that fired as the ACK came.
            State::Idle => State::Idle,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMES: Times =
        Times { t1: Duration::from_millis(500), t2: Duration::from_secs(4), ring: Duration::from_secs(180) };

    #[test]
    fn a_2xx_is_sent_again_at_intervals_that_double_up_to_t2() {
        let mut answer = Answer::new(TIMES);
        let mut actions = Actions::new();
        answer.on_accepted(&mut actions);
        assert_eq!(
            actions.as_slice(),
            [
                Action::Start(Timer::Resend, Duration::from_millis(500)),
                Action::Start(Timer::Acknowledge, Duration::from_secs(32))
            ]
        );
        let mut intervals = Vec::new();
        for _ in 0..5 {
            let mut actions = Actions::new();
            answer.on_resend(&mut actions);
            assert_eq!(actions.first(), Some(&Action::ResendAnswer));
            if let Some(Action::Start(Timer::Resend, interval)) = actions.get(1) {
                intervals.push(interval.as_millis());
            }
        }
        assert_eq!(intervals, [1000, 2000, 4000, 4000, 4000]);
    }

    #[test]
    fn the_ack_stops_both_timers_and_a_late_timer_changes_nothing() {
        let mut answer = Answer::new(TIMES);
        let mut actions = Actions::new();
        answer.on_accepted(&mut actions);
        actions.clear();
        answer.on_acknowledged(&mut actions);
        assert_eq!(actions.as_slice(), [Action::Stop(Timer::Resend), Action::Stop(Timer::Acknowledge)]);
        actions.clear();
        answer.on_resend(&mut actions);
        answer.on_acknowledged(&mut actions);
        assert!(actions.is_empty());
        assert!(!answer.is_waiting());
    }
}
