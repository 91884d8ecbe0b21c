//! What the application Dial is told to do.

use std::time::Duration;

use crate::config::Secret;

/// Whom to call and how.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Dial {
    /// All are called at once.
    pub targets: Vec<Target>,
    /// Hosts among them, with their ports, that stand in the dialplan as they are. A host that no account or peer names is
    /// called only when it is one of these: else whoever calls could choose it by a number or a name that he sends.
    pub hosts: Vec<String>,
    /// How long they ring.
    pub timeout: Option<Duration>,
    /// `r`: the caller hears ringing, whatever the other side sends.
    pub ring: bool,
    /// `m`: the caller hears music meanwhile, of this class (empty for the channel's own).
    pub music: Option<String>,
    /// `t`: the callee may transfer by digits.
    pub callee_may_transfer: bool,
    /// `T`: the caller may transfer by digits.
    pub caller_may_transfer: bool,
    /// `h`: the callee may hang up by `*`.
    pub callee_may_hang_up: bool,
    /// `H`: the caller may hang up by `*`.
    pub caller_may_hang_up: bool,
    /// `g`: the caller goes on in the dialplan when the callee hung up.
    pub go_on: bool,
    /// `U`: what the callee's channel runs before the two are joined; see [`super::Thread::gosub`].
    pub callee_gosub: Option<Gosub>,
    /// `L` or `S`: how long the two may talk.
    pub talk_time: Option<Duration>,
    /// `f`: the caller's number that is shown instead.
    pub caller_number: Option<String>,
}

/// A subroutine with its arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gosub {
    /// The context.
    pub context: String,
    /// The extension.
    pub extension: String,
    /// The priority or the label.
    pub priority: String,
    /// `ARG1`, `ARG2`, …
    pub arguments: Vec<String>,
}

/// Somebody to call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// `SIP/1001`, `SIP/peer/extension`, `SIP/extension@peer`, and the same with `PJSIP`.
    Sip {
        /// `SIP` or `PJSIP`.
        technology: &'static str,
        /// The account, or a host.
        peer: String,
        /// The user of the request URI, when it is not the account's.
        extension: Option<String>,
    },
    /// `IAX2/peer/extension@context`.
    Iax {
        /// Which peer.
        peer: IaxPeerRef,
        /// The extension there.
        extension: Option<String>,
        /// The context there.
        context: Option<String>,
    },
    /// `Local/extension@context`.
    Local {
        /// The extension.
        extension: String,
        /// The context.
        context: String,
    },
    /// A technology that this PBX does not have: always `CHANUNAVAIL`.
    Unknown {
        /// The technology.
        technology: String,
        /// What stands behind it.
        resource: String,
    },
}

/// `peer`, or `user:secret@host:port`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IaxPeerRef {
    /// A configured peer, or a host.
    pub name: String,
    /// The user name that is sent.
    pub user: Option<String>,
    /// Its secret.
    pub secret: Option<Secret>,
    /// The port of a host.
    pub port: Option<u16>,
}

impl IaxPeerRef {
    /// The host or peer with the port, as it is written.
    #[must_use]
    pub fn host(&self) -> String {
        match self.port {
            Some(port) => format!("{}:{port}", self.name),
            None => self.name.clone(),
        }
    }
}

/// How a dialling ended, as `DIALSTATUS` tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum DialStatus {
    /// The call was answered.
    Answer,
    /// Everybody who could be reached is busy.
    Busy,
    /// Nobody answered in time.
    NoAnswer,
    /// The caller gave up.
    Cancel,
    /// The network could not do it.
    Congestion,
    /// Nobody can be reached.
    #[default]
    ChanUnavail,
    /// The callee did not want the caller (screening).
    DontCall,
    /// The callee sent the caller to torture (screening).
    Torture,
    /// The arguments cannot be understood.
    InvalidArgs,
}

impl DialStatus {
    /// The value of the variable.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Answer => "ANSWER",
            Self::Busy => "BUSY",
            Self::NoAnswer => "NOANSWER",
            Self::Cancel => "CANCEL",
            Self::Congestion => "CONGESTION",
            Self::ChanUnavail => "CHANUNAVAIL",
            Self::DontCall => "DONTCALL",
            Self::Torture => "TORTURE",
            Self::InvalidArgs => "INVALIDARGS",
        }
    }
}
