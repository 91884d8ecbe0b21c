//! The INVITE client transaction: RFC 3261 figure 5, as RFC 6026 §8.4 replaces it.
//!
//! ```text
//!                                    |INVITE from TU
//!                  Timer A fires     |INVITE sent      Timer B fires
//!                  Reset A,          V                 or Transport Err.
//!                  INVITE sent +-----------+           inform TU
//!                    +---------|           |--------------------------+
//!                    |         |  Calling  |                          |
//!                    +-------->|           |-----------+              |
//!   300-699                    +-----------+ 2xx       |              |
//!   ACK sent                      |  |       2xx to TU |              |
//!   resp. to TU                   |  |1xx              |              |
//!   +-----------------------------+  |1xx to TU        |              |
//!   |                                |                 |              |
//!   |                1xx             V                 |              |
//!   |                1xx to TU +-----------+           |              |
//!   |                +---------|           |           |              |
//!   |                |         |Proceeding |           |              |
//!   |                +-------->|           |           |              |
//!   |                          +-----------+ 2xx       |              |
//!   |         300-699             |    |     2xx to TU |              |
//!   |         ACK sent,  +--------+    +---------------+              |
//!   |         resp. to TU|                             |              |
//!   |                    V                             V              |
//!   |              +-----------+                   +----------+       |
//!   +------------->|           |Transport Err.     |          |       |
//!                  | Completed |Inform TU          | Accepted |       |
//!               +--|           |-------+           |          |-+     |
//!       300-699 |  +-----------+       |           +----------+ |     |
//!       ACK sent|    ^  |              |               |  ^     |     |
//!               |    |  |              |               |  |     |     |
//!               +----+  |              |               |  +-----+     |
//!                       |Timer D fires |  Timer M fires|    2xx       |
//!                       |-             |             - |    2xx to TU |
//!                       +--------+     |   +-----------+              |
//!                                V     V   V                          |
//!                              +------------+                         |
//!                              | Terminated |<------------------------+
//!                              +------------+
//! ```
//! Not in the figure: when the connection breaks while the other side rings, the final response may still come by
//! another one, for as long as timer C of a proxy lasts (§16.6); then the transaction ends.

use std::time::Duration;

use super::{Action, Actions, ClientEvent as Event, Lane, Timer};
use crate::config::Timers;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Made, but not sent.
    Idle,
    Calling,
    Proceeding,
    Completed,
    Accepted,
    Terminated,
}

/// How long a ringing INVITE outlives its connection.
const LOST: Duration = Duration::from_secs(180);

/// An INVITE of ours.
#[derive(Debug, Clone)]
pub(crate) struct ClientInvite {
    state: State,
    timers: Timers,
    reliable: bool,
    /// What timer A was last set to.
    interval: Duration,
}

impl ClientInvite {
    /// A transaction that [`ClientEvent::Start`](Event::Start) begins.
    pub(crate) const fn new(timers: Timers, reliable: bool) -> Self {
        Self { state: State::Idle, timers, reliable, interval: timers.t1 }
    }

    /// One step.
    pub(crate) fn on_event(&mut self, event: Event, actions: &mut Actions) {
        self.state = match (self.state, event) {
            (State::Idle, Event::Start) => {
                actions.push(Action::Send);
                if !self.reliable {
                    actions.push(Action::Start(Timer::A, self.interval));
                }
                actions.push(Action::Start(Timer::B, self.timers.timeout()));
                State::Calling
            }

            (State::Calling, Event::Timer(Timer::A)) => {
                self.interval = self.interval.saturating_mul(2);
                actions.push(Action::SendAgain);
                actions.push(Action::Start(Timer::A, self.interval));
                State::Calling
            }
            (State::Calling, Event::Timer(Timer::B)) => {
                actions.extend_from_slice(&[Action::TimedOut, Action::Terminate]);
                State::Terminated
            }
            (State::Calling, Event::TransportError) => {
                actions.extend_from_slice(&[Action::Undeliverable, Action::Terminate]);
                State::Terminated
            }

            (State::Calling, Event::Provisional) => {
                actions.extend_from_slice(&[Action::Stop(Lane::Repeat), Action::Stop(Lane::End), Action::Deliver]);
                State::Proceeding
            }
            (State::Proceeding, Event::Provisional) => {
                actions.extend_from_slice(&[Action::Stop(Lane::End), Action::Deliver]);
                State::Proceeding
            }
            (State::Proceeding, Event::TransportError) => {
                actions.push(Action::Start(Timer::B, LOST));
                State::Proceeding
            }
            (State::Proceeding, Event::Timer(Timer::B)) => {
                actions.extend_from_slice(&[Action::TimedOut, Action::Terminate]);
                State::Terminated
            }
            (State::Calling | State::Proceeding, Event::Success) => {
                actions.extend_from_slice(&[Action::Stop(Lane::Repeat), Action::Deliver]);
                actions.push(Action::Start(Timer::M, self.timers.timeout()));
                State::Accepted
            }
            (State::Calling | State::Proceeding, Event::Rejection) => {
                actions.extend_from_slice(&[Action::Stop(Lane::Repeat), Action::Acknowledge, Action::Deliver]);
                if self.reliable {
                    // Timer D is zero.
                    actions.push(Action::Terminate);
                    State::Terminated
                } else {
                    actions.push(Action::Start(Timer::D, self.timers.linger()));
                    State::Completed
                }
            }

            (State::Completed, Event::Rejection) => {
                actions.push(Action::Acknowledge);
                State::Completed
            }
            (State::Completed, Event::TransportError) => {
                actions.extend_from_slice(&[Action::Undeliverable, Action::Terminate]);
                State::Terminated
            }
            (State::Completed, Event::Timer(Timer::D)) | (State::Accepted, Event::Timer(Timer::M)) => {
                actions.push(Action::Terminate);
                State::Terminated
            }

            (State::Accepted, Event::Success) => {
                actions.push(Action::Deliver);
                State::Accepted
            }

            // Late timers, late provisional responses and a rejection after a 2xx change nothing.
            (state, _) => state,
        };
    }

    /// Whether a provisional response, and no final one, has come: the state in which CANCEL may be sent.
    pub(crate) const fn is_proceeding(&self) -> bool {
        matches!(self.state, State::Proceeding)
    }

    /// Whether no final response has come.
    pub(crate) const fn is_pending(&self) -> bool {
        matches!(self.state, State::Idle | State::Calling | State::Proceeding)
    }
}

#[cfg(test)]
mod tests {
    use super::super::table::{self, Row};
    use super::*;
    use Action::{Acknowledge, Deliver, Send, SendAgain, Start, Stop, Terminate, TimedOut, Undeliverable};

    const MS: fn(u64) -> Duration = Duration::from_millis;

    fn check(reliable: bool, rows: &[Row<State, Event>]) {
        let visited = table::check(
            &table::every!(State: Idle, Calling, Proceeding, Completed, Accepted, Terminated),
            &table::client_events(),
            rows,
            |state, event, actions| {
                let mut transaction = ClientInvite::new(Timers::default(), reliable);
                transaction.state = state;
                transaction.on_event(event, actions);
                transaction.state
            },
        );
        assert_eq!(visited, 6 * 18, "states times events");
    }

    #[test]
    fn every_state_meets_every_event_over_datagrams() {
        check(
            false,
            &[
                (
                    State::Idle,
                    Event::Start,
                    State::Calling,
                    &[Send, Start(Timer::A, MS(500)), Start(Timer::B, MS(32_000))],
                ),
                (State::Calling, Event::Timer(Timer::A), State::Calling, &[SendAgain, Start(Timer::A, MS(1_000))]),
                (State::Calling, Event::Timer(Timer::B), State::Terminated, &[TimedOut, Terminate]),
                (State::Calling, Event::TransportError, State::Terminated, &[Undeliverable, Terminate]),
                (
                    State::Calling,
                    Event::Provisional,
                    State::Proceeding,
                    &[Stop(Lane::Repeat), Stop(Lane::End), Deliver],
                ),
                (
                    State::Calling,
                    Event::Success,
                    State::Accepted,
                    &[Stop(Lane::Repeat), Deliver, Start(Timer::M, MS(32_000))],
                ),
                (
                    State::Calling,
                    Event::Rejection,
                    State::Completed,
                    &[Stop(Lane::Repeat), Acknowledge, Deliver, Start(Timer::D, MS(32_000))],
                ),
                (State::Proceeding, Event::Provisional, State::Proceeding, &[Stop(Lane::End), Deliver]),
                (State::Proceeding, Event::TransportError, State::Proceeding, &[Start(Timer::B, LOST)]),
                (State::Proceeding, Event::Timer(Timer::B), State::Terminated, &[TimedOut, Terminate]),
                (
                    State::Proceeding,
                    Event::Success,
                    State::Accepted,
                    &[Stop(Lane::Repeat), Deliver, Start(Timer::M, MS(32_000))],
                ),
                (
                    State::Proceeding,
                    Event::Rejection,
                    State::Completed,
                    &[Stop(Lane::Repeat), Acknowledge, Deliver, Start(Timer::D, MS(32_000))],
                ),
                (State::Completed, Event::Rejection, State::Completed, &[Acknowledge]),
                (State::Completed, Event::Timer(Timer::D), State::Terminated, &[Terminate]),
                (State::Completed, Event::TransportError, State::Terminated, &[Undeliverable, Terminate]),
                (State::Accepted, Event::Success, State::Accepted, &[Deliver]),
                (State::Accepted, Event::Timer(Timer::M), State::Terminated, &[Terminate]),
            ],
        );
    }

    #[test]
    fn over_a_connection_nothing_is_retransmitted_and_a_rejection_ends_it() {
        let mut transaction = ClientInvite::new(Timers::default(), true);
        let mut actions = Actions::new();
        transaction.on_event(Event::Start, &mut actions);
        assert_eq!(actions.as_slice(), [Send, Start(Timer::B, MS(32_000))]);
        actions.clear();
        transaction.on_event(Event::Rejection, &mut actions);
        assert_eq!(actions.as_slice(), [Stop(Lane::Repeat), Acknowledge, Deliver, Terminate]);
    }

    #[test]
    fn timer_a_doubles_without_a_ceiling() {
        let mut transaction = ClientInvite::new(Timers::default(), false);
        transaction.on_event(Event::Start, &mut Actions::new());
        for expected in [1_000, 2_000, 4_000, 8_000, 16_000] {
            let mut actions = Actions::new();
            transaction.on_event(Event::Timer(Timer::A), &mut actions);
            assert_eq!(actions.as_slice(), [SendAgain, Start(Timer::A, MS(expected))]);
        }
    }
}
