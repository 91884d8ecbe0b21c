//! A call leg: RFC 5456 figure 2 (origination) and figure 3 (termination), with tokens and refusals.

use smallvec::SmallVec;

/// What happens to a leg.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// Our program calls.
    Start,
    /// CALLTOKEN with a token.
    Token,
    /// AUTHREQ that we can answer.
    Challenge,
    /// AUTHREQ that we cannot answer.
    HopelessChallenge,
    /// ACCEPT.
    Accept,
    /// CONTROL ANSWER.
    Answer,
    /// REJECT.
    Reject,
    /// HANGUP.
    Hangup,
    /// INVAL.
    Inval,
    /// TXREL to the leg of a third party, or both legs of ours are ready.
    Release,
    /// A NEW that must be authenticated.
    Unproven,
    /// A NEW that need not be.
    Trusted,
    /// A NEW or AUTHREP that is refused.
    Refused,
    /// An AUTHREP that shows a secret.
    Proven,
    /// Our program accepts.
    AcceptCommand,
    /// Our program answers.
    AnswerCommand,
    /// Our program rejects or hangs up.
    FinishCommand,
    /// All that we sent is acknowledged.
    Quiet,
    /// A frame was never acknowledged, or a caller never answered its challenge.
    Lost,
}

/// What to do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    SendNew,
    SendAuthRep,
    SendAuthReq,
    SendReject,
    SendHangup,
    SendAccept,
    SendAnswer,
    SendRelease,
    /// Tell the program of a new call.
    Offer,
    TellAccepted,
    TellAnswered,
    /// Tell the program that the call is over, because of this step.
    TellEnded(Step),
    /// Forget the leg; `true`: its number lingers, because the peer may repeat what we acknowledged.
    Close(bool),
}

pub(crate) type Actions = SmallVec<[Action; 4]>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Initial,
    /// Figure 2.
    Waiting,
    /// Figure 3: AUTHREQ is out.
    Challenged,
    /// Figure 3: the program has to say what it wants.
    Offered,
    Linked,
    Up,
    /// HANGUP, REJECT or TXREL is out.
    Ending,
    Over,
}

/// One leg's place in the figures.
#[derive(Debug)]
pub(crate) struct Flow(State);

impl Flow {
    pub(crate) fn new() -> Self {
        Self(State::Initial)
    }

    pub(crate) fn is_waiting(&self) -> bool {
        self.0 == State::Waiting
    }

    pub(crate) fn is_challenged(&self) -> bool {
        self.0 == State::Challenged
    }

    pub(crate) fn is_offered(&self) -> bool {
        self.0 == State::Offered
    }

    pub(crate) fn is_linked(&self) -> bool {
        matches!(self.0, State::Linked | State::Up)
    }

    pub(crate) fn is_up(&self) -> bool {
        self.0 == State::Up
    }

    pub(crate) fn is_ending(&self) -> bool {
        self.0 == State::Ending
    }

    pub(crate) fn is_over(&self) -> bool {
        self.0 == State::Over
    }

    pub(crate) fn on_step(&mut self, step: Step) -> Actions {
        use Action as A;
        use State as S;
        let mut actions = Actions::new();
        let mut act = |list: &[Action]| actions.extend_from_slice(list);
        self.0 = match (self.0, step) {
            // Figure 2.
            (S::Initial, Step::Start) | (S::Waiting, Step::Token) => {
                act(&[A::SendNew]);
                S::Waiting
            }
            (S::Waiting, Step::Challenge) => {
                act(&[A::SendAuthRep]);
                S::Waiting
            }
            (S::Waiting, Step::HopelessChallenge) => {
                act(&[A::SendHangup, A::TellEnded(step)]);
                S::Ending
            }
            (S::Waiting, Step::Accept) => {
                act(&[A::TellAccepted]);
                S::Linked
            }
            (S::Waiting, Step::Reject) => {
                act(&[A::TellEnded(step), A::Close(true)]);
                S::Over
            }
            (S::Linked, Step::Answer) => {
                act(&[A::TellAnswered]);
                S::Up
            }
            // Figure 3.
            (S::Initial, Step::Unproven) => {
                act(&[A::SendAuthReq]);
                S::Challenged
            }
            (S::Initial, Step::Trusted) | (S::Challenged, Step::Proven) => {
                act(&[A::Offer]);
                S::Offered
            }
            // The program has not heard of such a call and does not hear of its end.
            (S::Initial | S::Challenged, Step::Refused) => {
                act(&[A::SendReject]);
                S::Ending
            }
            (S::Challenged, Step::Hangup | Step::Reject | Step::Inval) => {
                act(&[A::Close(true)]);
                S::Over
            }
            (S::Challenged, Step::Lost) => {
                act(&[A::Close(false)]);
                S::Over
            }
            (S::Offered, Step::AcceptCommand) => {
                act(&[A::SendAccept]);
                S::Linked
            }
            (S::Offered, Step::FinishCommand) => {
                act(&[A::SendReject, A::TellEnded(step)]);
                S::Ending
            }
            (S::Linked, Step::AnswerCommand) => {
                act(&[A::SendAnswer]);
                S::Up
            }
            // Both.
            (S::Waiting | S::Linked | S::Up, Step::FinishCommand) => {
                act(&[A::SendHangup, A::TellEnded(step)]);
                S::Ending
            }
            (S::Linked | S::Up, Step::Release) => {
                act(&[A::SendRelease, A::TellEnded(step)]);
                S::Ending
            }
            (S::Waiting | S::Offered | S::Linked | S::Up, Step::Hangup | Step::Inval)
            // A REJECT of a call that was accepted is a hangup of another name.
            | (S::Offered | S::Linked | S::Up, Step::Reject) => {
                act(&[A::TellEnded(step), A::Close(step != Step::Inval)]);
                S::Over
            }
            (S::Waiting | S::Offered | S::Linked | S::Up, Step::Lost) => {
                act(&[A::TellEnded(step), A::Close(false)]);
                S::Over
            }
            // HANGUP crossing HANGUP: both know, nobody need wait for the other.
            (S::Ending, Step::Hangup | Step::Reject) => {
                act(&[A::Close(true)]);
                S::Over
            }
            (S::Ending, Step::Quiet | Step::Inval | Step::Lost) => {
                act(&[A::Close(false)]);
                S::Over
            }
            // Late, repeated or senseless in this state: nothing changes.
            (state, _) => state,
        };
        actions
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEPS: [Step; 19] = [
        Step::Start,
        Step::Token,
        Step::Challenge,
        Step::HopelessChallenge,
        Step::Accept,
        Step::Answer,
        Step::Reject,
        Step::Hangup,
        Step::Inval,
        Step::Release,
        Step::Unproven,
        Step::Trusted,
        Step::Refused,
        Step::Proven,
        Step::AcceptCommand,
        Step::AnswerCommand,
        Step::FinishCommand,
        Step::Quiet,
        Step::Lost,
    ];

    fn run(steps: &[Step]) -> (Flow, Vec<Action>) {
        let mut flow = Flow::new();
        let actions = steps.iter().flat_map(|step| flow.on_step(*step)).collect();
        (flow, actions)
    }

    #[test]
    fn a_call_that_we_make_goes_through_figure_2() {
        let (flow, actions) =
            run(&[Step::Start, Step::Token, Step::Challenge, Step::Accept, Step::Answer, Step::Hangup]);
        assert!(flow.is_over());
        assert_eq!(
            actions,
            [
                Action::SendNew,
                Action::SendNew,
                Action::SendAuthRep,
                Action::TellAccepted,
                Action::TellAnswered,
                Action::TellEnded(Step::Hangup),
                Action::Close(true),
            ]
        );
    }

    #[test]
    fn a_call_that_comes_goes_through_figure_3() {
        let (flow, actions) = run(&[
            Step::Unproven,
            Step::Proven,
            Step::AcceptCommand,
            Step::AnswerCommand,
            Step::FinishCommand,
            Step::Quiet,
        ]);
        assert!(flow.is_over());
        assert_eq!(
            actions,
            [
                Action::SendAuthReq,
                Action::Offer,
                Action::SendAccept,
                Action::SendAnswer,
                Action::SendHangup,
                Action::TellEnded(Step::FinishCommand),
                Action::Close(false),
            ]
        );
    }

    #[test]
    fn a_caller_who_proves_nothing_is_never_offered() {
        let (_, actions) = run(&[Step::Unproven, Step::Refused, Step::Proven, Step::AcceptCommand, Step::Quiet]);
        assert_eq!(actions, [Action::SendAuthReq, Action::SendReject, Action::Close(false)]);
    }

    #[test]
    fn an_answer_before_an_accept_is_not_an_answer() {
        let (_, actions) = run(&[Step::Start, Step::Answer]);
        assert_eq!(actions, [Action::SendNew]);
    }

    #[test]
    fn whatever_the_order_of_steps_a_leg_ends_once_and_closes_once() {
        // Every sequence of four steps after each of the beginnings.
        for first in [Step::Start, Step::Unproven, Step::Trusted, Step::Refused] {
            for n in 0..STEPS.len().pow(3) {
                let (a, b, c) = (n % 19, n / 19 % 19, n / 361);
                let (mut flow, mut actions) = run(&[first, STEPS[a], STEPS[b], STEPS[c]]);
                actions.extend(flow.on_step(Step::FinishCommand));
                actions.extend(flow.on_step(Step::Lost));
                actions.extend(flow.on_step(Step::Lost));
                assert!(flow.is_over());
                let count = |f: fn(&Action) -> bool| actions.iter().filter(|a| f(a)).count();
                assert_eq!(count(|a| matches!(a, Action::Close(_))), 1, "{first:?} {a} {b} {c}");
                let told = count(|a| matches!(a, Action::TellEnded(_)));
                let known = first == Step::Start || actions.contains(&Action::Offer);
                assert_eq!(told, usize::from(known), "{first:?} {a} {b} {c}: {actions:?}");
            }
        }
    }
}
