//! A call from its INVITE to its end, at either side (RFC 3261 §13, §15, §9; races as in RFC 5407).
//!
//! ```text
//!   UAS                                              UAC
//!
//!   Waiting ──CANCEL/BYE/reject──▶ Ended             Calling ──3xx-6xx, timeout──▶ Ended
//!      │ 1xx                                            │ 1xx      │ hang up
//!      ▼                                                ▼          ▼        1xx: CANCEL
//!   Ringing ──CANCEL/BYE/reject──▶ Ended             Ringing   Quitting ─────────────┐
//!      │ 2xx                                            │   └─hang up: CANCEL─▶ Cancelling
//!      ▼                                                │             2xx: ACK, BYE │  │ 3xx-6xx, 64*T1
//!   Accepted ──hang up──▶ Leaving                    2xx│              Closing ◀────┘  └──▶ Ended
//!      │ ACK  │ 64*T1:BYE    │ ACK or 64*T1: BYE        ├──offer in it──▶ Owing
//!      ▼      ▼              ▼                          ▼                  │ answer: ACK
//!   Established  Closing ◀───┘                       Established ◀─────────┘
//!
//!   both: Established ──BYE came──▶ Ended
//!         Established ──hang up: BYE──▶ Closing ──BYE answered, timed out, or crossed──▶ Ended
//! ```
//!
//! For the application a call is over when its BYE is sent (RFC 3261 §15.1.1); Closing only waits for the answer.

use sip_core::StatusCode;

use super::{Action, Actions, Cause, Timer, Times};

/// What happens to a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Event {
    /// A provisional response above 100 went out (UAS); any provisional came in (UAC).
    Provisional,
    /// A 2xx went out (UAS).
    Accept,
    /// The application refuses the INVITE (UAS).
    Reject(StatusCode),
    /// CANCEL came for the INVITE (UAS).
    Cancelled,
    /// The ACK to the 2xx came, or proof of it (UAS).
    Acknowledged,
    /// A 2xx came (UAC). `owing`: it carries an offer, which the application has yet to answer.
    Success { owing: bool },
    /// The application gave the answer that was owed (UAC).
    Answered,
    /// A final response other than 2xx came (UAC).
    Failure(StatusCode),
    /// The INVITE transaction ended without a final response.
    Failed(Cause),
    /// The application hangs up.
    Hangup,
    /// BYE came in the dialog.
    Bye,
    /// This side's BYE is answered, or has timed out.
    ByeDone,
    /// A request in the dialog says that the peer has lost the call: 481.
    Gone,
    /// A request in the dialog drew no response, or 408.
    Lost,
    /// A timer fired.
    Timer(Timer),
}

/// One call.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Call {
    state: State,
    times: Times,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    // UAS
    Waiting,
    Ringing,
    Accepted,
    Leaving,
    // UAC
    Calling,
    Proceeding,
    Quitting,
    Cancelling(Cause),
    Owing,
    // both
    Established,
    Closing,
    Ended,
}

impl Call {
    /// The UAS's side: an INVITE has come.
    pub(crate) fn server(times: Times, actions: &mut Actions) -> Self {
        actions.push(Action::Start(Timer::Ring, times.ring));
        Self { state: State::Waiting, times }
    }

    /// The UAC's side: an INVITE has been sent.
    pub(crate) fn client(times: Times, actions: &mut Actions) -> Self {
        actions.push(Action::Start(Timer::Ring, times.ring));
        Self { state: State::Calling, times }
    }

    /// Whether the INVITE has no final response yet and none was decided.
    pub(crate) fn is_pending(&self) -> bool {
        matches!(self.state, State::Waiting | State::Ringing | State::Calling | State::Proceeding)
    }

    /// Whether the application owes the answer to an offer in a 2xx.
    pub(crate) fn is_owing(&self) -> bool {
        self.state == State::Owing
    }

    /// Whether requests may go both ways in the confirmed dialog.
    pub(crate) fn is_established(&self) -> bool {
        matches!(self.state, State::Established | State::Accepted)
    }

    /// Whether the call is over, but perhaps for the answer to its BYE.
    pub(crate) fn is_over(&self) -> bool {
        matches!(self.state, State::Closing | State::Ended)
    }

    /// Whether the call is over and waits for nothing.
    pub(crate) fn is_ended(&self) -> bool {
        self.state == State::Ended
    }

    /// Whether the dialog still takes requests of the peer as those of a living call.
    pub(crate) fn is_closing(&self) -> bool {
        matches!(self.state, State::Closing | State::Leaving | State::Ended)
    }

    pub(crate) fn on_event(&mut self, event: Event, actions: &mut Actions) {
        use Event as E;
        use State as S;
        self.state = match (self.state, event) {
            // UAS, before the final response.
            (S::Waiting | S::Ringing, E::Provisional) => {
                actions.push(Action::Start(Timer::KeepRinging, Times::KEEP_RINGING));
                S::Ringing
            }
            (S::Waiting | S::Ringing, E::Accept) => {
                actions.push(Action::Stop(Timer::Ring));
                actions.push(Action::Stop(Timer::KeepRinging));
                S::Accepted
            }
            (S::Waiting | S::Ringing, E::Reject(status)) => {
                actions.push(Action::Respond(status));
                end(Cause::Rejected(status), actions)
            }
            (S::Waiting | S::Ringing, E::Cancelled) => {
                actions.push(Action::Respond(StatusCode::REQUEST_TERMINATED));
                end(Cause::Cancelled, actions)
            }
            // A BYE in the early dialog ends it; the INVITE is still owed a response (RFC 3261 §15.1.2).
            (S::Waiting | S::Ringing, E::Bye) => {
                actions.push(Action::Respond(StatusCode::REQUEST_TERMINATED));
                end(Cause::Bye, actions)
            }
            (S::Waiting | S::Ringing, E::Hangup) => {
                actions.push(Action::Respond(StatusCode::REQUEST_TERMINATED));
                end(Cause::Hangup, actions)
            }
            (S::Waiting | S::Ringing, E::Timer(Timer::Ring)) => {
                actions.push(Action::Respond(StatusCode::TEMPORARILY_UNAVAILABLE));
                end(Cause::Timeout, actions)
            }
            (S::Ringing, E::Timer(Timer::KeepRinging)) => {
                actions.push(Action::ResendProvisional);
                actions.push(Action::Start(Timer::KeepRinging, Times::KEEP_RINGING));
                S::Ringing
            }
            (S::Waiting | S::Ringing, E::Failed(cause)) => end(cause, actions),

            // UAS, a 2xx sent. BYE must wait for the ACK (RFC 3261 §15).
            (S::Accepted, E::Acknowledged) => S::Established,
            (S::Accepted, E::Hangup | E::Lost) => S::Leaving,
            (S::Leaving, E::Acknowledged) => leave(Cause::Hangup, actions),
            (S::Leaving, E::Timer(Timer::Acknowledge)) => leave(Cause::Hangup, actions),
            (S::Accepted | S::Established, E::Timer(Timer::Acknowledge)) => leave(Cause::NotAcknowledged, actions),
            (S::Accepted | S::Leaving, E::Bye) => end(Cause::Bye, actions),
            (S::Accepted | S::Leaving, E::Gone) => end(Cause::Gone, actions),

            // UAC, before the final response.
            (S::Calling | S::Proceeding, E::Provisional) => S::Proceeding,
            // CANCEL must wait for a provisional response (RFC 3261 §9.1).
            (S::Calling, E::Hangup) => S::Quitting,
            (S::Calling, E::Timer(Timer::Ring)) => S::Quitting,
            (S::Proceeding, E::Hangup) => cancel(Cause::Cancelled, self.times, actions),
            (S::Proceeding, E::Timer(Timer::Ring)) => cancel(Cause::Timeout, self.times, actions),
            (S::Proceeding, E::Bye) => cancel(Cause::Bye, self.times, actions),
            (S::Quitting, E::Provisional) => cancel(Cause::Cancelled, self.times, actions),
            (S::Calling | S::Proceeding, E::Success { owing: false }) => {
                actions.push(Action::Stop(Timer::Ring));
                actions.push(Action::SendAck);
                S::Established
            }
            (S::Calling | S::Proceeding, E::Success { owing: true }) => {
                actions.push(Action::Stop(Timer::Ring));
                actions.push(Action::Start(Timer::Owed, self.times.owed()));
                S::Owing
            }
            (S::Calling | S::Proceeding, E::Failure(status)) => end(Cause::Rejected(status), actions),
            (S::Calling | S::Proceeding, E::Failed(cause)) => end(cause, actions),

            // UAC, hung up: a 2xx that crosses is taken, acknowledged and ended (RFC 3261 §15, RFC 5407 §3.1.2).
            (S::Quitting, E::Success { .. }) => close(Cause::Cancelled, actions),
            (S::Quitting, E::Failure(_) | E::Failed(_)) => end(Cause::Cancelled, actions),
            (S::Cancelling(cause), E::Success { .. }) => close(cause, actions),
            (S::Cancelling(cause), E::Failure(_) | E::Failed(_) | E::Timer(Timer::Cancel)) => end(cause, actions),

            // UAC, an offer came in the 2xx.
            (S::Owing, E::Answered) => {
                actions.push(Action::Stop(Timer::Owed));
                actions.push(Action::SendAck);
                S::Established
            }
            (S::Owing, E::Hangup) => close(Cause::Hangup, actions),
            (S::Owing, E::Timer(Timer::Owed)) => close(Cause::Protocol, actions),
            (S::Owing, E::Bye) => {
                // The ACK ends the peer's retransmissions even so.
                actions.push(Action::SendAck);
                end(Cause::Bye, actions)
            }

            // Both.
            (S::Established, E::Bye) => end(Cause::Bye, actions),
            (S::Established, E::Hangup) => leave(Cause::Hangup, actions),
            (S::Established, E::Gone) => end(Cause::Gone, actions),
            (S::Established, E::Lost) => leave(Cause::Timeout, actions),
            // The answer to a re-INVITE's offer was owed and never came.
            (S::Established, E::Timer(Timer::Owed)) => close(Cause::Protocol, actions),
            // BYE crossing BYE: both are answered, the call is over (RFC 5407 §3.2.3).
            (S::Closing, E::Bye | E::ByeDone) => S::Ended,

            // Late timers, retransmissions and events of the other role change nothing.
            (state, _) => state,
        };
    }
}

fn end(cause: Cause, actions: &mut Actions) -> State {
    actions.push(Action::End(cause));
    State::Ended
}

fn cancel(cause: Cause, times: Times, actions: &mut Actions) -> State {
    actions.push(Action::Stop(Timer::Ring));
    actions.push(Action::SendCancel);
    actions.push(Action::Start(Timer::Cancel, times.patience()));
    State::Cancelling(cause)
}

fn close(cause: Cause, actions: &mut Actions) -> State {
    actions.push(Action::Stop(Timer::Owed));
    actions.push(Action::Stop(Timer::Cancel));
    actions.push(Action::SendAck);
    leave(cause, actions)
}

fn leave(cause: Cause, actions: &mut Actions) -> State {
    actions.push(Action::SendBye);
    actions.push(Action::End(cause));
    State::Closing
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const TIMES: Times =
        Times { t1: Duration::from_millis(500), t2: Duration::from_secs(4), ring: Duration::from_secs(180) };

    fn run(mut call: Call, events: &[Event]) -> Vec<Action> {
        let mut all = Vec::new();
        for &event in events {
            let mut actions = Actions::new();
            call.on_event(event, &mut actions);
            all.extend(actions.into_iter().filter(|action| !matches!(action, Action::Start(..) | Action::Stop(_))));
        }
        all
    }

    fn server(events: &[Event]) -> Vec<Action> {
        run(Call::server(TIMES, &mut Actions::new()), events)
    }

    fn client(events: &[Event]) -> Vec<Action> {
        run(Call::client(TIMES, &mut Actions::new()), events)
    }

    #[test]
    fn a_uas_call_is_answered_acknowledged_and_ended_by_the_peer() {
        assert_eq!(
            server(&[Event::Provisional, Event::Accept, Event::Acknowledged, Event::Bye]),
            [Action::End(Cause::Bye)]
        );
    }

    #[test]
    fn a_cancel_before_the_answer_draws_487_and_one_after_it_changes_nothing() {
        assert_eq!(
            server(&[Event::Provisional, Event::Cancelled]),
            [Action::Respond(StatusCode::REQUEST_TERMINATED), Action::End(Cause::Cancelled)]
        );
        assert_eq!(server(&[Event::Provisional, Event::Accept, Event::Cancelled]), []);
    }

    #[test]
    fn a_uas_that_hangs_up_before_the_ack_sends_bye_only_after_it() {
        assert_eq!(server(&[Event::Accept, Event::Hangup]), []);
        let over = [Action::SendBye, Action::End(Cause::Hangup)];
        assert_eq!(server(&[Event::Accept, Event::Hangup, Event::Acknowledged]), over);
        assert_eq!(server(&[Event::Accept, Event::Hangup, Event::Timer(Timer::Acknowledge)]), over);
    }

    #[test]
    fn a_2xx_without_ack_ends_the_call_with_bye() {
        assert_eq!(
            server(&[Event::Accept, Event::Timer(Timer::Acknowledge), Event::ByeDone]),
            [Action::SendBye, Action::End(Cause::NotAcknowledged)]
        );
    }

    #[test]
    fn a_bye_that_overtakes_the_ack_ends_the_call() {
        assert_eq!(server(&[Event::Accept, Event::Bye, Event::Acknowledged]), [Action::End(Cause::Bye)]);
    }

    #[test]
    fn cancel_waits_for_a_provisional_response() {
        assert_eq!(client(&[Event::Hangup]), []);
        assert_eq!(client(&[Event::Hangup, Event::Provisional]), [Action::SendCancel]);
        assert_eq!(client(&[Event::Provisional, Event::Hangup]), [Action::SendCancel]);
        assert_eq!(client(&[Event::Hangup, Event::Provisional, Event::Provisional]), [Action::SendCancel]);
    }

    #[test]
    fn a_2xx_that_crosses_cancel_is_acknowledged_and_ended_with_bye() {
        assert_eq!(
            client(&[Event::Provisional, Event::Hangup, Event::Success { owing: false }, Event::ByeDone]),
            [Action::SendCancel, Action::SendAck, Action::SendBye, Action::End(Cause::Cancelled)]
        );
        assert_eq!(
            client(&[Event::Hangup, Event::Success { owing: true }]),
            [Action::SendAck, Action::SendBye, Action::End(Cause::Cancelled)],
            "and without a CANCEL when none was sent"
        );
    }

    #[test]
    fn a_cancelled_call_ends_without_a_final_response_after_a_while() {
        assert_eq!(
            client(&[Event::Provisional, Event::Hangup, Event::Timer(Timer::Cancel)]),
            [Action::SendCancel, Action::End(Cause::Cancelled)]
        );
    }

    #[test]
    fn a_2xx_with_an_offer_is_acknowledged_once_the_answer_is_there() {
        assert_eq!(client(&[Event::Success { owing: true }]), []);
        assert_eq!(client(&[Event::Success { owing: true }, Event::Answered]), [Action::SendAck]);
        assert_eq!(
            client(&[Event::Success { owing: true }, Event::Timer(Timer::Owed)]),
            [Action::SendAck, Action::SendBye, Action::End(Cause::Protocol)]
        );
    }

    #[test]
    fn byes_that_cross_end_the_call_once() {
        assert_eq!(
            client(&[Event::Success { owing: false }, Event::Hangup, Event::Bye, Event::ByeDone]),
            [Action::SendAck, Action::SendBye, Action::End(Cause::Hangup)]
        );
    }

    #[test]
    fn an_unanswered_invite_ends_at_the_ring_limit() {
        assert_eq!(
            server(&[Event::Timer(Timer::Ring)]),
            [Action::Respond(StatusCode::TEMPORARILY_UNAVAILABLE), Action::End(Cause::Timeout)]
        );
        assert_eq!(
            client(&[Event::Provisional, Event::Timer(Timer::Ring), Event::Failure(StatusCode::REQUEST_TERMINATED)]),
            [Action::SendCancel, Action::End(Cause::Timeout)]
        );
    }
}
