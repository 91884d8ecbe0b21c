//! What a thread wants to be done, and how it went.

use std::time::Duration;

use super::{Dial, DialStatus};

/// What the switch is to do with the channel now. All but [`Action::End`] ask for one [`Outcome`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Answer the channel; [`Outcome::Done`].
    Answer,
    /// Hang up, with a Q.850 cause when the dialplan names one. The last action: the switch calls [`super::Thread::hang_up`] next.
    Hangup {
        /// The cause; without it, that of [`super::Facts::hangup_cause`].
        cause: Option<u8>,
    },
    /// Tell the caller that it rings; [`Outcome::Done`].
    Ringing,
    /// Tell the caller of early media; [`Outcome::Done`].
    Progress,
    /// Tell the caller "busy" and wait for it to hang up; [`Outcome::Timeout`] once the time is over.
    Busy {
        /// How long; for ever when absent.
        wait: Option<Duration>,
    },
    /// Tell the caller "congestion" and wait for it to hang up; [`Outcome::Timeout`] once the time is over.
    Congestion {
        /// How long; for ever when absent.
        wait: Option<Duration>,
    },
    /// Wait; [`Outcome::Timeout`]. Digits are kept for a later [`Action::WaitExten`].
    Wait(Duration),
    /// Wait for one digit, also one that was pressed before; [`Outcome::Digit`] or [`Outcome::Timeout`].
    WaitExten(Duration),
    /// Play files one after another; [`Outcome::Done`], or [`Outcome::Failed`] when one is not there.
    /// A channel that must be answered first was answered by an action before.
    Playback {
        /// Names without ending, as the dialplan gives them.
        files: Vec<String>,
        /// Play to a channel that is not answered, as early media.
        early: bool,
        /// A digit ends it, and is told as [`Outcome::Digit`].
        interruptible: bool,
    },
    /// Send back what is heard, until the channel goes or `#` is pressed ([`Outcome::Done`]).
    Echo,
    /// Play 1004 Hz at 0 dBm0 until the channel goes.
    Milliwatt,
    /// Play music for a time ([`Outcome::Timeout`]), or until the channel goes.
    Music {
        /// How long; for ever when absent.
        time: Option<Duration>,
        /// The class, when it is not the channel's own.
        class: Option<String>,
    },
    /// Call others and join the first that answers; [`Outcome::Dialled`] when all that is over.
    Dial(Box<Dial>),
    /// Nothing is left to be done: the switch hangs up, and calls [`super::Thread::hang_up`] next.
    End(End),
}

/// Why a thread ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum End {
    /// The extension has no further step.
    Finished,
    /// A step leads to an extension that does not exist.
    NoExtension,
    /// Too many steps without waiting: a loop.
    Runaway,
    /// An application could not do what it was told.
    Error,
}

/// How an action went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The first call: nothing went on before.
    Begin,
    /// It was done.
    Done,
    /// It could not be done.
    Failed,
    /// A digit was pressed.
    Digit(char),
    /// The time is over.
    Timeout,
    /// A [`Action::Dial`] is over.
    Dialled(Dialled),
}

/// How a dialling ended.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Dialled {
    /// Its `DIALSTATUS`.
    pub status: DialStatus,
    /// Why, as a Q.850 number.
    pub cause: u8,
    /// The channel that answered, or the last one tried: `DIALEDPEERNAME`.
    pub peer: String,
    /// What was dialled of it, without the technology: `DIALEDPEERNUMBER`.
    pub number: String,
    /// How long the two talked: `ANSWEREDTIME`.
    pub talked: Duration,
    /// From the start of dialling to its end: `DIALEDTIME`.
    pub total: Duration,
}
