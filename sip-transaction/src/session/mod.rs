//! INVITE sessions as transitions: a call from its INVITE to its BYE, the 2xx that waits for its ACK, and the exchange of
//! offers and answers (RFC 3261 §13 to §15, RFC 3311, RFC 5407, RFC 6337).
//!
//! They hold no clock, no socket and no message: [`Agent`](crate::agent::Agent) feeds them events and does their actions.

mod answer;
mod call;
mod exchange;

use std::time::Duration;

use sip_core::StatusCode;
use smallvec::SmallVec;

pub(crate) use answer::Answer;
pub(crate) use call::{Call, Event};
pub(crate) use exchange::{Exchange, Kind, Refusal};

/// The timers of a session. The transition starts and stops them; whoever drives it keeps them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Timer {
    /// Time to send a 2xx again (RFC 3261 §13.3.1.4).
    Resend,
    /// How long to wait for the ACK to a 2xx: 64*T1 (RFC 3261 §13.3.1.4).
    Acknowledge,
    /// Time to repeat a provisional response, so that proxies keep the call (RFC 3261 §13.3.1.1).
    KeepRinging,
    /// How long an INVITE may go unanswered.
    Ring,
    /// How long to wait for a final response after CANCEL: 64*T1 (RFC 3261 §9.1).
    Cancel,
    /// How long the application may take to answer an offer that came in a 2xx: not as long as the peer waits.
    Owed,
    /// Time to try a refused re-INVITE again (RFC 3261 §14.1).
    Glare,
    /// How long a re-INVITE of ours may go unanswered after a 100.
    Offer,
}

impl Timer {
    /// How many timers a session has.
    pub(crate) const COUNT: usize = 8;

    /// The place of the timer in a table of [`Timer::COUNT`].
    pub(crate) const fn index(self) -> usize {
        self as usize
    }
}

/// What a transition asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    /// Start a timer, or start it anew.
    Start(Timer, Duration),
    /// Stop a timer if it runs.
    Stop(Timer),
    /// Send the 2xx again.
    ResendAnswer,
    /// Send the last provisional response again.
    ResendProvisional,
    /// Answer the INVITE with this final response.
    Respond(StatusCode),
    /// Send CANCEL for the INVITE.
    SendCancel,
    /// Acknowledge the 2xx.
    SendAck,
    /// Send BYE in the confirmed dialog.
    SendBye,
    /// The session is over, for this cause.
    End(Cause),
}

/// The actions of one event, in order.
pub(crate) type Actions = SmallVec<[Action; 4]>;

/// The times that the transitions reckon with (RFC 3261 table 4).
#[derive(Debug, Clone, Copy)]
pub(crate) struct Times {
    pub(crate) t1: Duration,
    pub(crate) t2: Duration,
    pub(crate) ring: Duration,
}

impl Times {
    /// 64*T1.
    pub(crate) const fn patience(&self) -> Duration {
        self.t1.saturating_mul(64)
    }

    /// How long the application may owe an answer: until just before the INVITE's transaction ends.
    pub(crate) const fn owed(&self) -> Duration {
        self.t1.saturating_mul(63)
    }

    /// How often an unanswered INVITE gets its provisional response again (RFC 3261 §13.3.1.1).
    pub(crate) const KEEP_RINGING: Duration = Duration::from_secs(60);
}

/// Why a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Cause {
    /// This side hung up a running call.
    Hangup,
    /// The other side sent BYE.
    Bye,
    /// The call was cancelled before it was answered: by the peer (UAS) or by this side (UAC).
    Cancelled,
    /// The INVITE drew this final response, from the peer (UAC) or from this side (UAS).
    Rejected(StatusCode),
    /// A 2xx was never acknowledged; BYE was sent (RFC 3261 §13.3.1.4).
    NotAcknowledged,
    /// An INVITE rang too long or drew no response, or a request inside the dialog drew none or 408 (RFC 3261 §12.2.1.2).
    Timeout,
    /// The transport failed.
    Transport,
    /// The peer answered a request inside the dialog with 481: it knows of no such call.
    Gone,
    /// The application owed an answer or a peer broke the protocol in a way that leaves no call.
    Protocol,
}
