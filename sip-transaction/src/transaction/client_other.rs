//! The client transaction of all requests but INVITE: RFC 3261 figure 6.
//!
//! ```text
//!                                   |Request from TU
//!                                   |send request
//!               Timer E             V
//!               send request  +-----------+
//!                   +---------|           |-------------------+
//!                   |         |  Trying   |  Timer F          |
//!                   +-------->|           |  or Transport Err.|
//!                             +-----------+  inform TU        |
//!                200-699         |  |                         |
//!                resp. to TU     |  |1xx                      |
//!                +---------------+  |resp. to TU              |
//!                |                  |                         |
//!                |   Timer E        V       Timer F           |
//!                |   send req +-----------+ or Transport Err. |
//!                |  +---------|           | inform TU         |
//!                |  |         |Proceeding |------------------>|
//!                |  +-------->|           |-----+             |
//!                |            +-----------+     |1xx          |
//!                |              |      ^        |resp to TU   |
//!                | 200-699      |      +--------+             |
//!                | resp. to TU  |                             |
//!                |              V                             |
//!                |            +-----------+                   |
//!                |            |           |                   |
//!                +----------->| Completed |                   |
//!                             |           |                   |
//!                             +-----------+                   |
//!                               |   ^                         |
//!                               |   | Timer K                 |
//!                               +---+ -                       |
//!                               V                             |
//!                             +-----------+                   |
//!                             |Terminated |<------------------+
//!                             +-----------+
//! ```

use std::time::Duration;

use super::{Action, Actions, ClientEvent as Event, Lane, Timer};
use crate::config::Timers;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Made, but not sent.
    Idle,
    Trying,
    Proceeding,
    Completed,
    Terminated,
}

/// A request of ours other than INVITE.
#[derive(Debug, Clone)]
pub(crate) struct ClientOther {
    state: State,
    timers: Timers,
    reliable: bool,
    /// What timer E was last set to.
    interval: Duration,
}

impl ClientOther {
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
                    actions.push(Action::Start(Timer::E, self.interval));
                }
                actions.push(Action::Start(Timer::F, self.timers.timeout()));
                State::Trying
            }

            (State::Trying, Event::Timer(Timer::E)) => {
                self.interval = self.interval.saturating_mul(2).min(self.timers.t2);
                actions.push(Action::SendAgain);
                actions.push(Action::Start(Timer::E, self.interval));
                State::Trying
            }
            (State::Proceeding, Event::Timer(Timer::E)) => {
                self.interval = self.timers.t2;
                actions.push(Action::SendAgain);
                actions.push(Action::Start(Timer::E, self.interval));
                State::Proceeding
            }
            (State::Trying | State::Proceeding, Event::Timer(Timer::F)) => {
                actions.extend_from_slice(&[Action::TimedOut, Action::Terminate]);
                State::Terminated
            }
            (State::Trying | State::Proceeding, Event::TransportError) => {
                actions.extend_from_slice(&[Action::Undeliverable, Action::Terminate]);
                State::Terminated
            }

            (State::Trying | State::Proceeding, Event::Provisional) => {
                actions.push(Action::Deliver);
                State::Proceeding
            }
            (State::Trying | State::Proceeding, Event::Success | Event::Rejection) => {
                actions.extend_from_slice(&[Action::Stop(Lane::Repeat), Action::Deliver]);
                if self.reliable {
                    // Timer K is zero.
                    actions.push(Action::Terminate);
                    State::Terminated
                } else {
                    actions.push(Action::Start(Timer::K, self.timers.t4));
                    State::Completed
                }
            }

            (State::Completed, Event::Timer(Timer::K)) => {
                actions.push(Action::Terminate);
                State::Terminated
            }

            // Late timers and retransmitted responses change nothing.
            (state, _) => state,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::super::table;
    use super::*;
    use Action::{Deliver, Send, SendAgain, Start, Stop, Terminate, TimedOut, Undeliverable};

    const MS: fn(u64) -> Duration = Duration::from_millis;

    #[test]
    fn every_state_meets_every_event_over_datagrams() {
        let answered: &[Action] = &[Stop(Lane::Repeat), Deliver, Start(Timer::K, MS(5_000))];
        let visited = table::check(
            &table::every!(State: Idle, Trying, Proceeding, Completed, Terminated),
            &table::client_events(),
            &[
                (
                    State::Idle,
                    Event::Start,
                    State::Trying,
                    &[Send, Start(Timer::E, MS(500)), Start(Timer::F, MS(32_000))],
                ),
                (State::Trying, Event::Timer(Timer::E), State::Trying, &[SendAgain, Start(Timer::E, MS(1_000))]),
                (State::Trying, Event::Timer(Timer::F), State::Terminated, &[TimedOut, Terminate]),
                (State::Trying, Event::TransportError, State::Terminated, &[Undeliverable, Terminate]),
                (State::Trying, Event::Provisional, State::Proceeding, &[Deliver]),
                (State::Trying, Event::Success, State::Completed, answered),
                (State::Trying, Event::Rejection, State::Completed, answered),
                (
                    State::Proceeding,
                    Event::Timer(Timer::E),
                    State::Proceeding,
                    &[SendAgain, Start(Timer::E, MS(4_000))],
                ),
                (State::Proceeding, Event::Timer(Timer::F), State::Terminated, &[TimedOut, Terminate]),
                (State::Proceeding, Event::TransportError, State::Terminated, &[Undeliverable, Terminate]),
                (State::Proceeding, Event::Provisional, State::Proceeding, &[Deliver]),
                (State::Proceeding, Event::Success, State::Completed, answered),
                (State::Proceeding, Event::Rejection, State::Completed, answered),
                (State::Completed, Event::Timer(Timer::K), State::Terminated, &[Terminate]),
            ],
            |state, event, actions| {
                let mut transaction = ClientOther::new(Timers::default(), false);
                transaction.state = state;
                transaction.on_event(event, actions);
                transaction.state
            },
        );
        assert_eq!(visited, 5 * 18, "states times events");
    }

    #[test]
    fn over_a_connection_nothing_is_retransmitted_and_the_answer_ends_it() {
        let mut transaction = ClientOther::new(Timers::default(), true);
        let mut actions = Actions::new();
        transaction.on_event(Event::Start, &mut actions);
        assert_eq!(actions.as_slice(), [Send, Start(Timer::F, MS(32_000))]);
        actions.clear();
        transaction.on_event(Event::Success, &mut actions);
        assert_eq!(actions.as_slice(), [Stop(Lane::Repeat), Deliver, Terminate]);
    }

    #[test]
    fn timer_e_doubles_up_to_t2() {
        let mut transaction = ClientOther::new(Timers::default(), false);
        transaction.on_event(Event::Start, &mut Actions::new());
        for expected in [1_000, 2_000, 4_000, 4_000] {
            let mut actions = Actions::new();
            transaction.on_event(Event::Timer(Timer::E), &mut actions);
            assert_eq!(actions.as_slice(), [SendAgain, Start(Timer::E, MS(expected))]);
        }
    }
}
