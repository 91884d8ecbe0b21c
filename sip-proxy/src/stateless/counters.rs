//! What became of messages.

use std::collections::BTreeMap;

use sip_core::{Method, StatusCode};

/// What a message is about: the method of a request, or that of a response's CSeq.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Verb {
    /// INVITE.
    Invite,
    /// ACK.
    Ack,
    /// BYE.
    Bye,
    /// CANCEL.
    Cancel,
    /// REGISTER.
    Register,
    /// OPTIONS.
    Options,
    /// Any other.
    Other,
}

impl Verb {
    /// All of them.
    pub const ALL: [Self; 7] =
        [Self::Invite, Self::Ack, Self::Bye, Self::Cancel, Self::Register, Self::Options, Self::Other];

    /// That of a method.
    #[must_use]
    pub const fn of(method: &Method) -> Self {
        match method {
            Method::Invite => Self::Invite,
            Method::Ack => Self::Ack,
            Method::Bye => Self::Bye,
            Method::Cancel => Self::Cancel,
            Method::Register => Self::Register,
            Method::Options => Self::Options,
            _ => Self::Other,
        }
    }

    /// That of a method's token.
    #[must_use]
    pub const fn of_token(method: &[u8]) -> Self {
        match method {
            b"INVITE" => Self::Invite,
            b"ACK" => Self::Ack,
            b"BYE" => Self::Bye,
            b"CANCEL" => Self::Cancel,
            b"REGISTER" => Self::Register,
            b"OPTIONS" => Self::Options,
            _ => Self::Other,
        }
    }

    /// Its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Invite => "INVITE",
            Self::Ack => "ACK",
            Self::Bye => "BYE",
            Self::Cancel => "CANCEL",
            Self::Register => "REGISTER",
            Self::Options => "OPTIONS",
            Self::Other => "other",
        }
    }
}

/// Which class of message it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Class {
    /// A request without credentials.
    Request,
    /// A request with credentials.
    WithCredentials,
    /// A response, 1xx to 6xx.
    Response(u8),
    /// A response of ours.
    Refusal(u8),
}

impl Class {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::Request,
        Self::WithCredentials,
        Self::Response(1),
        Self::Response(2),
        Self::Response(3),
        Self::Response(4),
        Self::Response(5),
        Self::Response(6),
        Self::Refusal(3),
        Self::Refusal(4),
        Self::Refusal(5),
        Self::Refusal(6),
    ];

    /// Its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::WithCredentials => "request with credentials",
            Self::Response(1) => "1xx",
            Self::Response(2) => "2xx",
            Self::Response(3) => "3xx",
            Self::Response(4) => "4xx",
            Self::Response(5) => "5xx",
            Self::Response(_) => "6xx",
            Self::Refusal(3) => "refused 3xx",
            Self::Refusal(4) => "refused 4xx",
            Self::Refusal(5) => "refused 5xx",
            Self::Refusal(_) => "refused 6xx",
        }
    }
}

/// What a message is, for statistics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Label {
    /// What it is about.
    pub verb: Verb,
    /// Its class.
    pub class: Class,
}

/// Why a message ends here without an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Dropped {
    /// Line ends or zeros that keep a mapping open.
    KeepAlive,
    /// No message, and nothing that could be answered.
    Malformed,
    /// A response whose topmost Via is not ours.
    NotOurs,
    /// A response that is no answer to anything that we forwarded.
    Forged,
    /// A response that goes nowhere: the Via below ours has no address.
    NoWayBack,
    /// An answer to a probe.
    Probe,
    /// An ACK that cannot be forwarded: it is never answered.
    Ack,
    /// There is no listener for the transport and address family of the next hop.
    NoListener,
}

impl Dropped {
    /// All reasons.
    pub const ALL: [Self; 8] = [
        Self::KeepAlive,
        Self::Malformed,
        Self::NotOurs,
        Self::Forged,
        Self::NoWayBack,
        Self::Probe,
        Self::Ack,
        Self::NoListener,
    ];

    /// In words.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::KeepAlive => "keep-alive",
            Self::Malformed => "malformed",
            Self::NotOurs => "response of others",
            Self::Forged => "response to nothing",
            Self::NoWayBack => "no way back",
            Self::Probe => "answer to a probe",
            Self::Ack => "ACK without a destination",
            Self::NoListener => "no listener",
        }
    }
}

/// How many messages took which way.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counters {
    /// Requests that went to a destination.
    pub inward: u64,
    /// Requests that went from a destination outward.
    pub outward: u64,
    /// Responses that went back.
    pub responses: u64,
    /// Requests that were refused, by status.
    pub refused: BTreeMap<u16, u64>,
    /// Messages that ended here.
    pub dropped: BTreeMap<Dropped, u64>,
    /// Cookies that are not of our making, or of another call.
    pub forged_cookies: u64,
}

impl Counters {
    pub(super) fn drop(&mut self, reason: Dropped) {
        *self.dropped.entry(reason).or_default() += 1;
    }

    pub(super) fn refuse(&mut self, status: StatusCode) {
        *self.refused.entry(status.as_u16()).or_default() += 1;
    }
}
