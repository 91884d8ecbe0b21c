//! The server transaction of all requests but INVITE: RFC 3261 figure 8, with the times of RFC 4320.
//!
//! ```text
//!                                   |Request received
//!                                   |pass to TU
//!                                   V
//!                             +-----------+
//!                             |           |
//!                             | Trying    |-------------+
//!                             |           |             |
//!                             +-----------+             |200-699 from TU
//!                                   |                   |send response
//!                                   |1xx from TU        |
//!                                   |send response      |
//!                                   |                   |
//!                Request            V      1xx from TU  |
//!                send response+-----------+send response|
//!                    +--------|           |--------+    |
//!                    |        | Proceeding|        |    |
//!                    +------->|           |<-------+    |
//!             +<--------------|           |             |
//!             |Trnsprt Err    +-----------+             |
//!             |Inform TU            |                   |
//!             |                     |                   |
//!             |                     |200-699 from TU    |
//!             |                     |send response      |
//!             |  Request            V                   |
//!             |  send response+-----------+             |
//!             |      +--------|           |             |
//!             |      |        | Completed |<------------+
//!             |      +------->|           |
//!             +<--------------|           |
//!             |Trnsprt Err    +-----------+
//!             |Inform TU            |
//!             |                     |Timer J fires
//!             |                     |-
//!             |                     V
//!             |               +-----------+
//!             +-------------->| Terminated|
//!                             +-----------+
//! ```
//! RFC 4320 §4 adds: a 100 when timer E of the client has reached T2, and no response at all after its timer F.

use super::{Action, Actions, Lane, ServerEvent as Event, Timer};
use crate::config::Timers;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Made, but not begun.
    Idle,
    Trying,
    Proceeding,
    Completed,
    Terminated,
}

/// A request of others, other than INVITE and ACK.
#[derive(Debug, Clone)]
pub(crate) struct ServerOther {
    state: State,
    timers: Timers,
    reliable: bool,
}

impl ServerOther {
    /// A transaction that [`ServerEvent::Start`](Event::Start) begins.
    pub(crate) const fn new(timers: Timers, reliable: bool) -> Self {
        Self { state: State::Idle, timers, reliable }
    }

    /// One step.
    pub(crate) fn on_event(&mut self, event: Event, actions: &mut Actions) {
        self.state = match (self.state, event) {
            (State::Idle, Event::Start) => {
                actions.push(Action::Start(Timer::Trying, self.timers.late_trying()));
                actions.push(Action::Start(Timer::F, self.timers.timeout()));
                State::Trying
            }

            (State::Trying, Event::Timer(Timer::Trying)) => {
                actions.push(Action::SendTrying);
                State::Proceeding
            }
            (State::Trying | State::Proceeding, Event::Timer(Timer::F)) => {
                actions.extend_from_slice(&[Action::TimedOut, Action::Terminate]);
                State::Terminated
            }
            (State::Proceeding | State::Completed, Event::Request) => {
                actions.push(Action::Repeat);
                self.state
            }

            (State::Trying, Event::Provisional) => {
                actions.extend_from_slice(&[Action::Stop(Lane::Repeat), Action::Send]);
                State::Proceeding
            }
            (State::Proceeding, Event::Provisional) => {
                actions.push(Action::Send);
                State::Proceeding
            }
            (State::Trying | State::Proceeding, Event::Success | Event::Rejection) => {
                actions.extend_from_slice(&[Action::Stop(Lane::Repeat), Action::Send]);
                if self.reliable {
                    // Timer J is zero.
                    actions.push(Action::Terminate);
                    State::Terminated
                } else {
                    actions.push(Action::Start(Timer::J, self.timers.timeout()));
                    State::Completed
                }
            }

            (State::Proceeding | State::Completed, Event::TransportError) => {
                actions.extend_from_slice(&[Action::Undeliverable, Action::Terminate]);
                State::Terminated
            }
            (State::Completed, Event::Timer(Timer::J)) => {
                actions.push(Action::Terminate);
                State::Terminated
            }

            // Late timers, and retransmissions that come before there is anything to repeat, change nothing.
            (state, _) => state,
        };
    }

    /// Whether the user owes a final response.
    pub(crate) const fn is_pending(&self) -> bool {
        matches!(self.state, State::Idle | State::Trying | State::Proceeding)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::table;
    use super::*;
    use Action::{Repeat, Send, SendTrying, Start, Stop, Terminate, TimedOut, Undeliverable};

    const MS: fn(u64) -> Duration = Duration::from_millis;

    #[test]
    fn every_state_meets_every_event_over_datagrams() {
        let answered: &[Action] = &[Stop(Lane::Repeat), Send, Start(Timer::J, MS(32_000))];
        let visited = table::check(
            &table::every!(State: Idle, Trying, Proceeding, Completed, Terminated),
            &table::server_events(),
            &[
                (
                    State::Idle,
                    Event::Start,
                    State::Trying,
                    &[Start(Timer::Trying, MS(3_500)), Start(Timer::F, MS(32_000))],
                ),
                (State::Trying, Event::Timer(Timer::Trying), State::Proceeding, &[SendTrying]),
                (State::Trying, Event::Timer(Timer::F), State::Terminated, &[TimedOut, Terminate]),
                (State::Trying, Event::Provisional, State::Proceeding, &[Stop(Lane::Repeat), Send]),
                (State::Trying, Event::Success, State::Completed, answered),
                (State::Trying, Event::Rejection, State::Completed, answered),
                (State::Proceeding, Event::Request, State::Proceeding, &[Repeat]),
                (State::Proceeding, Event::Timer(Timer::F), State::Terminated, &[TimedOut, Terminate]),
                (State::Proceeding, Event::Provisional, State::Proceeding, &[Send]),
                (State::Proceeding, Event::Success, State::Completed, answered),
                (State::Proceeding, Event::Rejection, State::Completed, answered),
                (State::Proceeding, Event::TransportError, State::Terminated, &[Undeliverable, Terminate]),
                (State::Completed, Event::Request, State::Completed, &[Repeat]),
                (State::Completed, Event::Timer(Timer::J), State::Terminated, &[Terminate]),
                (State::Completed, Event::TransportError, State::Terminated, &[Undeliverable, Terminate]),
            ],
            |state, event, actions| {
                let mut transaction = ServerOther::new(Timers::default(), false);
                transaction.state = state;
                transaction.on_event(event, actions);
                transaction.state
            },
        );
        assert_eq!(visited, 5 * 20, "states times events");
    }

    #[test]
    fn over_a_connection_the_answer_ends_it() {
        let mut transaction = ServerOther::new(Timers::default(), true);
        let mut actions = Actions::new();
        transaction.on_event(Event::Start, &mut actions);
        actions.clear();
        transaction.on_event(Event::Success, &mut actions);
        assert_eq!(actions.as_slice(), [Stop(Lane::Repeat), Send, Terminate]);
    }
}
