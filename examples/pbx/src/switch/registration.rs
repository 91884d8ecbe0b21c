//! Our registration at another SIP server (RFC 3261 §10.2), as a transition.
//!
//! ```text
//!            Due/REGISTER            2xx/wait to refresh
//!   Idle ----------------> Sent ------------------------> Registered
//!    ^                    |  ^ 401/again, with credentials    | Due/REGISTER
//!    |  others, silence/  |  +---- Challenged <---------------+--> Sent …
//!    +--- wait, longer ---+        423/again, for longer
//!
//!   any --Stop/REGISTER for no time--> Releasing --answer or silence--> Released
//! ```

use std::time::Duration;

/// The longest wait after failures, as a multiple of the shortest.
const LONGEST: u32 = 10;

/// Where it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// Nothing was sent yet.
    Idle,
    /// A REGISTER is on its way.
    Sent,
    /// One with credentials is.
    Challenged,
    /// The server knows us.
    Registered,
    /// The server said no.
    Refused,
    /// The server wants credentials that we do not have, or does not like ours.
    Denied,
    /// The server is silent, or cannot be reached.
    Silent,
    /// The server is told to forget us.
    Releasing,
    /// It was told.
    Released,
}

impl State {
    /// In Asterisk's words.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Idle | Self::Releasing | Self::Released => "Unregistered",
            Self::Sent => "Request Sent",
            Self::Challenged => "Auth. Sent",
            Self::Registered => "Registered",
            Self::Refused => "Rejected",
            Self::Denied => "No Authentication",
            Self::Silent => "Timeout",
        }
    }
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Event {
    /// The time that was waited for has come.
    Due,
    /// A 2xx: we are known for so long.
    Granted(Duration),
    /// A 401 or 407, and whether there is something new to answer it with.
    Challenge { answerable: bool },
    /// A 423: registrations are for so long at least.
    TooBrief(Option<Duration>),
    /// Another final response, and when it says to come again.
    Refusal { retry_after: Option<Duration> },
    /// No answer at all.
    Silence,
    /// The program ends.
    Stop,
}

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    /// Send a new REGISTER for so long; for no time to be forgotten.
    Register(Duration),
    /// Send it again with credentials.
    Answer,
    /// Tell [`Event::Due`] after this time; whatever was waited for before is forgotten.
    Wait(Duration),
    /// Wait for nothing any more.
    Rest,
}

/// A registration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Registration {
    state: State,
    /// How long is asked for; a 423 makes it longer.
    expires: Duration,
    /// The first wait after a failure.
    retry: Duration,
    failures: u32,
}

impl Registration {
    pub(super) fn new(expires: Duration, retry: Duration) -> Self {
        Self { state: State::Idle, expires, retry: retry.max(Duration::from_secs(1)), failures: 0 }
    }

    pub(super) fn state(&self) -> State {
        self.state
    }

    pub(super) fn on_event(&mut self, event: Event) -> Option<Action> {
        use State::{Challenged, Denied, Idle, Refused, Registered, Released, Releasing, Sent, Silent};
        let (state, action) = match (self.state, event) {
            (Idle | Registered | Refused | Denied | Silent, Event::Due) => (Sent, Action::Register(self.expires)),
            (Sent, Event::Challenge { answerable: true }) => (Challenged, Action::Answer),
            // The nonce went stale at once.
            (Challenged, Event::Challenge { answerable: true }) => (Challenged, Action::Answer),
            (Sent | Challenged, Event::Challenge { answerable: false }) => (Denied, self.fail(None)),
            (Sent | Challenged, Event::Granted(granted)) => {
                self.failures = 0;
                (Registered, Action::Wait(refresh(granted)))
            }
            (Sent | Challenged, Event::TooBrief(Some(least))) if least > self.expires && least <= DAY => {
                self.expires = least;
                (Sent, Action::Register(least))
            }
            (Sent | Challenged, Event::TooBrief(_)) => (Refused, self.fail(None)),
            (Sent | Challenged, Event::Refusal { retry_after }) => (Refused, self.fail(retry_after)),
            (Sent | Challenged, Event::Silence) => (Silent, self.fail(None)),
            (Registered | Sent | Challenged, Event::Stop) => (Releasing, Action::Register(Duration::ZERO)),
            (Idle | Refused | Denied | Silent, Event::Stop) => (Released, Action::Rest),
            (Releasing, Event::Challenge { answerable: true }) => (Releasing, Action::Answer),
            (Releasing, Event::Due | Event::Stop) => return None,
            (Releasing, _) => (Released, Action::Rest),
            // Late answers and timers change nothing.
            (Idle | Registered | Refused | Denied | Silent | Released, _) | (Sent | Challenged, Event::Due) => {
                return None;
            }
        };
        self.state = state;
        Some(action)
    }

    /// Each failure in a row doubles the wait, to ten times.
    fn fail(&mut self, retry_after: Option<Duration>) -> Action {
        let factor = 1u32.checked_shl(self.failures.min(8)).unwrap_or(LONGEST).min(LONGEST);
        self.failures = self.failures.saturating_add(1);
        let wait = self.retry.saturating_mul(factor);
        Action::Wait(wait.max(retry_after.unwrap_or_default().min(DAY)))
    }
}

const DAY: Duration = Duration::from_secs(86_400);

/// A registration is refreshed before it ends: so early that a lost answer does no harm.
fn refresh(granted: Duration) -> Duration {
    let early = (granted / 4).min(Duration::from_secs(60));
    (granted - early).max(Duration::from_secs(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn secs(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn after(events: &[Event]) -> (State, Option<Action>) {
        let mut registration = Registration::new(secs(3600), secs(20));
        let mut last = None;
        for event in events {
            last = registration.on_event(*event);
        }
        (registration.state(), last)
    }

    const CHALLENGE: Event = Event::Challenge { answerable: true };
    const DENIAL: Event = Event::Challenge { answerable: false };

    #[test]
    fn it_registers_answers_the_challenge_and_refreshes_before_the_end() {
        assert_eq!(after(&[Event::Due]), (State::Sent, Some(Action::Register(secs(3600)))));
        assert_eq!(after(&[Event::Due, CHALLENGE]), (State::Challenged, Some(Action::Answer)));
        let granted = [Event::Due, CHALLENGE, Event::Granted(secs(120))];
        assert_eq!(after(&granted), (State::Registered, Some(Action::Wait(secs(90)))));
        let again = [&granted[..], &[Event::Due]].concat();
        assert_eq!(after(&again), (State::Sent, Some(Action::Register(secs(3600)))));
        assert_eq!(refresh(secs(3600)), secs(3540));
        assert_eq!(refresh(Duration::ZERO), secs(1));
    }

    #[test]
    fn too_brief_a_registration_is_asked_for_again_for_as_long_as_the_server_wants() {
        let brief = [Event::Due, Event::TooBrief(Some(secs(7200)))];
        assert_eq!(after(&brief), (State::Sent, Some(Action::Register(secs(7200)))));
        // A server that says 423 and names no longer time is not asked for ever.
        let stubborn = [Event::Due, Event::TooBrief(Some(secs(60)))];
        assert_eq!(after(&stubborn), (State::Refused, Some(Action::Wait(secs(20)))));
    }

    #[test]
    fn failures_are_waited_out_ever_longer_to_ten_times() {
        let mut registration = Registration::new(secs(3600), secs(20));
        let mut waits = Vec::new();
        for _ in 0..6 {
            registration.on_event(Event::Due);
            if let Some(Action::Wait(time)) = registration.on_event(Event::Silence) {
                waits.push(time.as_secs());
            }
        }
        assert_eq!(waits, [20, 40, 80, 160, 200, 200]);
        registration.on_event(Event::Due);
        registration.on_event(Event::Granted(secs(60)));
        registration.on_event(Event::Due);
        assert_eq!(registration.on_event(Event::Silence), Some(Action::Wait(secs(20))), "success begins anew");
    }

    #[test]
    fn a_server_that_says_when_to_come_again_is_obeyed() {
        let busy = [Event::Due, Event::Refusal { retry_after: Some(secs(900)) }];
        assert_eq!(after(&busy), (State::Refused, Some(Action::Wait(secs(900)))));
    }

    #[test]
    fn a_wrong_password_is_not_sent_over_and_over() {
        assert_eq!(after(&[Event::Due, CHALLENGE, DENIAL]), (State::Denied, Some(Action::Wait(secs(20)))));
    }

    #[test]
    fn at_the_end_the_server_is_told_to_forget_us() {
        let up = [Event::Due, Event::Granted(secs(120)), Event::Stop];
        assert_eq!(after(&up), (State::Releasing, Some(Action::Register(Duration::ZERO))));
        let asked = [&up[..], &[CHALLENGE]].concat();
        assert_eq!(after(&asked), (State::Releasing, Some(Action::Answer)));
        for end in [Event::Granted(Duration::ZERO), Event::Silence, DENIAL] {
            assert_eq!(after(&[&up[..], &[end]].concat()), (State::Released, Some(Action::Rest)));
        }
        assert_eq!(after(&[Event::Stop]), (State::Released, Some(Action::Rest)));
    }

    #[test]
    fn late_answers_and_timers_change_nothing() {
        assert_eq!(after(&[CHALLENGE]), (State::Idle, None));
        assert_eq!(after(&[Event::Due, Event::Due]), (State::Sent, None));
        assert_eq!(after(&[Event::Stop, Event::Due]), (State::Released, None));
        let late = [Event::Due, Event::Granted(secs(60)), Event::Granted(secs(60))];
        assert_eq!(after(&late), (State::Registered, None));
    }
}
