//! The INVITE server transaction: RFC 3261 figure 7, as RFC 6026 §8.6 replaces it.
//!
//! ```text
//!                                      |INVITE
//!                                      |pass INV to TU
//!                   INVITE             V send 100 if TU won't in 200 ms
//!                   send response+------------+
//!                       +--------|            |--------+ 101-199 from TU
//!                       |        |            |        | send response
//!                       +------->|            |<-------+
//!                                | Proceeding |
//!                                |            |--------+ Transport Err.
//!                                |            |        | Inform TU
//!                                |            |<-------+
//!                                +------------+
//!                   300-699 from TU |    |2xx from TU
//!                   send response   |    |send response
//!                    +--------------+    +------------+
//!                    |                                |
//!   INVITE           V          Timer G fires         |
//!   send response +-----------+ send response         |
//!        +--------|           |--------+              |
//!        |        |           |        |              |
//!        +------->| Completed |<-------+      INVITE  |  Transport Err.
//!                 |           |               -       |  Inform TU
//!        +--------|           |----+          +-----+ |  +---+
//!        |        +-----------+    | ACK      |     | v  |   v
//!        |          ^   |          | -        |  +------------+
//!        |          |   |          |          |  |            |---+ ACK
//!        +----------+   |          |          +->|  Accepted  |   | to TU
//!        Transport Err. |          |             |            |<--+
//!        Inform TU      |          V             +------------+
//!                       |      +-----------+        |  ^     |
//!                       |      |           |        |  |     |
//!                       |      | Confirmed |        |  +-----+
//!                       |      |           |        |  2xx from TU
//!         Timer H fires |      +-----------+        |  send response
//!         -             |          |                |
//!                       |          | Timer I fires  |
//!                       |          | -              | Timer L fires
//!                       |          V                | -
//!                       |        +------------+     |
//!                       +------->| Terminated |<----+
//!                                +------------+
//! ```
//! A transport error does not end it: the request may come again by another way, and timers H and L end it in any case.

use std::time::Duration;

use super::{Action, Actions, Lane, ServerEvent as Event, Timer};
use crate::config::Timers;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Made, but not begun.
    Idle,
    /// Nothing is sent yet.
    Silent,
    /// A provisional response is sent.
    Proceeding,
    Completed,
    Confirmed,
    Accepted,
    Terminated,
}

/// An INVITE of others.
#[derive(Debug, Clone)]
pub(crate) struct ServerInvite {
    state: State,
    timers: Timers,
    trying_after: Duration,
    reliable: bool,
    /// What timer G was last set to.
    interval: Duration,
}

impl ServerInvite {
    /// A transaction that [`ServerEvent::Start`](Event::Start) begins.
    pub(crate) const fn new(timers: Timers, trying_after: Duration, reliable: bool) -> Self {
        Self { state: State::Idle, timers, trying_after, reliable, interval: timers.t1 }
    }

    /// One step.
    pub(crate) fn on_event(&mut self, event: Event, actions: &mut Actions) {
        self.state = match (self.state, event) {
            (State::Idle, Event::Start) => {
                actions.push(Action::Start(Timer::Trying, self.trying_after));
                State::Silent
            }

            (State::Silent, Event::Timer(Timer::Trying)) => {
                actions.push(Action::SendTrying);
                State::Proceeding
            }
            // Whoever repeats the request wants to know that it arrived: the 100 need not wait any longer.
            (State::Silent, Event::Request) => {
                actions.extend_from_slice(&[Action::Stop(Lane::Repeat), Action::SendTrying]);
                State::Proceeding
            }
            (State::Proceeding | State::Completed, Event::Request) => {
                actions.push(Action::Repeat);
                self.state
            }

            (State::Silent, Event::Provisional) => {
                actions.extend_from_slice(&[Action::Stop(Lane::Repeat), Action::Send]);
                State::Proceeding
            }
            (State::Proceeding, Event::Provisional) => {
                actions.push(Action::Send);
                State::Proceeding
            }
            (State::Silent | State::Proceeding, Event::Success) => {
                actions.extend_from_slice(&[Action::Stop(Lane::Repeat), Action::Send]);
                actions.push(Action::Start(Timer::L, self.timers.timeout()));
                State::Accepted
            }
            (State::Silent | State::Proceeding, Event::Rejection) => {
                actions.extend_from_slice(&[Action::Stop(Lane::Repeat), Action::Send]);
                if !self.reliable {
                    actions.push(Action::Start(Timer::G, self.interval));
                }
                actions.push(Action::Start(Timer::H, self.timers.timeout()));
                State::Completed
            }

            (State::Completed, Event::Timer(Timer::G)) => {
                self.interval = self.interval.saturating_mul(2).min(self.timers.t2);
                actions.push(Action::SendAgain);
                actions.push(Action::Start(Timer::G, self.interval));
                State::Completed
            }
            (State::Completed, Event::Timer(Timer::H)) => {
                actions.extend_from_slice(&[Action::TimedOut, Action::Terminate]);
                State::Terminated
            }
            (State::Completed, Event::Ack) => {
                actions.extend_from_slice(&[Action::Stop(Lane::Repeat), Action::Acknowledged]);
                if self.reliable {
                    // Timer I is zero.
                    actions.push(Action::Terminate);
                    State::Terminated
                } else {
                    actions.push(Action::Start(Timer::I, self.timers.t4));
                    State::Confirmed
                }
            }

            (State::Accepted, Event::Success) => {
                actions.push(Action::Send);
                State::Accepted
            }
            (State::Accepted, Event::Ack) => {
                actions.push(Action::DeliverAck);
                State::Accepted
            }

            (State::Confirmed, Event::Timer(Timer::I)) | (State::Accepted, Event::Timer(Timer::L)) => {
                actions.push(Action::Terminate);
                State::Terminated
            }

            // Late timers, retransmissions of an accepted or confirmed INVITE, ACKs to nothing and transport errors
            // change nothing.
            (state, _) => state,
        };
    }

    /// Whether the user owes a final response.
    pub(crate) const fn is_pending(&self) -> bool {
        matches!(self.state, State::Idle | State::Silent | State::Proceeding)
    }

    /// Whether a 2xx was given.
    pub(crate) const fn is_accepted(&self) -> bool {
        matches!(self.state, State::Accepted)
    }
}

#[cfg(test)]
mod tests {
    use super::super::table;
    use super::*;
    use Action::{Acknowledged, DeliverAck, Repeat, Send, SendAgain, SendTrying, Start, Stop, Terminate, TimedOut};

    const MS: fn(u64) -> Duration = Duration::from_millis;

    #[test]
    fn every_state_meets_every_event_over_datagrams() {
        let accepted: &[Action] = &[Stop(Lane::Repeat), Send, Start(Timer::L, MS(32_000))];
        let rejected: &[Action] = &[Stop(Lane::Repeat), Send, Start(Timer::G, MS(500)), Start(Timer::H, MS(32_000))];
        let visited = table::check(
            &table::every!(State: Idle, Silent, Proceeding, Completed, Confirmed, Accepted, Terminated),
            &table::server_events(),
            &[
                (State::Idle, Event::Start, State::Silent, &[Start(Timer::Trying, MS(200))]),
                (State::Silent, Event::Timer(Timer::Trying), State::Proceeding, &[SendTrying]),
                (State::Silent, Event::Request, State::Proceeding, &[Stop(Lane::Repeat), SendTrying]),
                (State::Silent, Event::Provisional, State::Proceeding, &[Stop(Lane::Repeat), Send]),
                (State::Silent, Event::Success, State::Accepted, accepted),
                (State::Silent, Event::Rejection, State::Completed, rejected),
                (State::Proceeding, Event::Request, State::Proceeding, &[Repeat]),
                (State::Proceeding, Event::Provisional, State::Proceeding, &[Send]),
                (State::Proceeding, Event::Success, State::Accepted, accepted),
                (State::Proceeding, Event::Rejection, State::Completed, rejected),
                (State::Completed, Event::Request, State::Completed, &[Repeat]),
                (State::Completed, Event::Timer(Timer::G), State::Completed, &[SendAgain, Start(Timer::G, MS(1_000))]),
                (State::Completed, Event::Timer(Timer::H), State::Terminated, &[TimedOut, Terminate]),
                (
                    State::Completed,
                    Event::Ack,
                    State::Confirmed,
                    &[Stop(Lane::Repeat), Acknowledged, Start(Timer::I, MS(5_000))],
                ),
                (State::Confirmed, Event::Timer(Timer::I), State::Terminated, &[Terminate]),
                (State::Accepted, Event::Ack, State::Accepted, &[DeliverAck]),
                (State::Accepted, Event::Success, State::Accepted, &[Send]),
                (State::Accepted, Event::Timer(Timer::L), State::Terminated, &[Terminate]),
            ],
            |state, event, actions| {
                let mut transaction = ServerInvite::new(Timers::default(), MS(200), false);
                transaction.state = state;
                transaction.on_event(event, actions);
                transaction.state
            },
        );
        assert_eq!(visited, 7 * 20, "states times events");
    }

    #[test]
    fn over_a_connection_the_rejection_is_sent_once_and_its_ack_ends_it() {
        let mut transaction = ServerInvite::new(Timers::default(), MS(200), true);
        let mut actions = Actions::new();
        transaction.on_event(Event::Start, &mut actions);
        actions.clear();
        transaction.on_event(Event::Rejection, &mut actions);
        assert_eq!(actions.as_slice(), [Stop(Lane::Repeat), Send, Start(Timer::H, MS(32_000))]);
        actions.clear();
        transaction.on_event(Event::Ack, &mut actions);
        assert_eq!(actions.as_slice(), [Stop(Lane::Repeat), Acknowledged, Terminate]);
    }

    #[test]
    fn timer_g_doubles_up_to_t2() {
        let mut transaction = ServerInvite::new(Timers::default(), MS(200), false);
        for event in [Event::Start, Event::Rejection] {
            transaction.on_event(event, &mut Actions::new());
        }
        for expected in [1_000, 2_000, 4_000, 4_000] {
            let mut actions = Actions::new();
            transaction.on_event(Event::Timer(Timer::G), &mut actions);
            assert_eq!(actions.as_slice(), [SendAgain, Start(Timer::G, MS(expected))]);
        }
    }
}
