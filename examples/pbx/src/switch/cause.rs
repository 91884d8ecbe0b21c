//! Why a call ended: Q.850 causes, and what they are in SIP (RFC 3398 §7.2.4.1 and §8.2.6.1, RFC 3326, RFC 6432).

use bytes::Bytes;
use sip_core::{
    StatusCode,
    header::{HeaderName, Reason, TypedHeader},
};

/// A cause of Q.850; 0 when there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(super) struct Cause(pub(super) u8);

impl Cause {
    pub(super) const NONE: Self = Self(0);
    pub(super) const NO_ROUTE: Self = Self(3);
    pub(super) const NORMAL: Self = Self(16);
    pub(super) const BUSY: Self = Self(17);
    pub(super) const NO_USER_RESPONSE: Self = Self(18);
    pub(super) const NO_ANSWER: Self = Self(19);
    /// Not registered.
    pub(super) const ABSENT: Self = Self(20);
    pub(super) const REJECTED: Self = Self(21);
    pub(super) const EXCHANGE_ROUTING: Self = Self(25);
    pub(super) const ANSWERED_ELSEWHERE: Self = Self(26);
    pub(super) const OUT_OF_ORDER: Self = Self(27);
    pub(super) const CONGESTION: Self = Self(34);
    pub(super) const TEMPORARY_FAILURE: Self = Self(41);
    pub(super) const SWITCH_CONGESTION: Self = Self(42);
    /// No common codec.
    pub(super) const BEARER: Self = Self(65);
    pub(super) const TIMER: Self = Self(102);
    pub(super) const INTERWORKING: Self = Self(127);

    /// The cause that a final response means.
    pub(super) fn from_status(status: StatusCode) -> Self {
        Self(match status.as_u16() {
            401..=403 | 407 | 603 => 21,
            404 | 485 | 604 => 1,
            405 => 63,
            406 | 415 | 501 => 79,
            408 | 504 => 102,
            410 => 22,
            480 => 18,
            482 | 483 => 25,
            484 => 28,
            486 | 600 => 17,
            // RFC 3398 leaves it to the Warning.
            488 | 606 => 65,
            400 | 481 | 500 | 503 => 41,
            502 => 38,
            487 => 16,
            _ => 127,
        })
    }

    /// The final response that a cause means to who called.
    pub(super) fn status(self) -> StatusCode {
        match self.0 {
            1..=3 => StatusCode::NOT_FOUND,
            17 => StatusCode::BUSY_HERE,
            18 => StatusCode::REQUEST_TIMEOUT,
            // Nobody's fault, or nobody said why.
            0 | 16 | 19 | 20 | 26 | 31 => StatusCode::TEMPORARILY_UNAVAILABLE,
            21 | 55 | 57 | 87 => StatusCode::FORBIDDEN,
            22 | 23 => StatusCode::GONE,
            27 => StatusCode::BAD_GATEWAY,
            28 => StatusCode::ADDRESS_INCOMPLETE,
            29 | 79 => StatusCode::NOT_IMPLEMENTED,
            34 | 38 | 41 | 42 | 47 | 58 | 88 => StatusCode::SERVICE_UNAVAILABLE,
            65 | 70 => StatusCode::NOT_ACCEPTABLE_HERE,
            102 => StatusCode::SERVER_TIMEOUT,
            _ => StatusCode::SERVER_INTERNAL_ERROR,
        }
    }

    /// The cause that a Reason header names, of Q.850 itself or of a SIP status.
    pub(super) fn from_reason(reason: &Bytes) -> Option<Self> {
        let reason = Reason::parse(reason).ok()?;
        let cause = reason.cause()?;
        if reason.protocol.eq_ignore_ascii_case(b"Q.850") {
            return u8::try_from(cause).ok().filter(|cause| (1..=127).contains(cause)).map(Self);
        }
        if !reason.protocol.eq_ignore_ascii_case(b"SIP") {
            return None;
        }
        match cause {
            200 => Some(Self::ANSWERED_ELSEWHERE),
            _ => StatusCode::new(u16::try_from(cause).ok()?)
                .filter(|status| status.as_u16() >= 300)
                .map(Self::from_status),
        }
    }

    /// The Reason header that tells it (RFC 3326, in responses RFC 6432).
    pub(super) fn reason(self) -> Option<(HeaderName, Bytes)> {
        let value = match self.0 {
            0 => return None,
            26 => "SIP;cause=200;text=\"Call completed elsewhere\"".to_owned(),
            number => format!("Q.850;cause={number};text=\"{}\"", self.text()),
        };
        Some((HeaderName::REASON, value.into()))
    }

    /// What it is called.
    pub(super) fn text(self) -> &'static str {
        match self.0 {
            1 => "Unallocated (unassigned) number",
            2 => "No route to specified transit network",
            3 => "No route to destination",
            6 => "Channel unacceptable",
            16 => "Normal Clearing",
            17 => "User busy",
            18 => "No user responding",
            19 => "User alerting, no answer",
            20 => "Subscriber absent",
            21 => "Call Rejected",
            22 => "Number changed",
            25 => "Exchange routing error",
            26 => "Answered elsewhere",
            27 => "Destination out of order",
            28 => "Invalid number format",
            29 => "Facility rejected",
            31 => "Normal, unspecified",
            34 => "Circuit/channel congestion",
            38 => "Network out of order",
            41 => "Temporary failure",
            42 => "Switching equipment congestion",
            58 => "Bearer capability not available",
            63 => "Service or option not available",
            65 => "Bearer capability not implemented",
            79 => "Service or option not implemented",
            102 => "Recovery on timer expiry",
            111 => "Protocol error, unspecified",
            127 => "Interworking, unspecified",
            _ => "Unknown",
        }
    }
}

/// How a leg that was not answered ended, as far as `DIALSTATUS` tells it apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Refusal {
    /// Nobody took it, and nothing is wrong.
    Quiet,
    /// It cannot be reached.
    Unavailable,
    /// The other side is congested.
    Congestion,
    /// It is busy.
    Busy,
}

impl Refusal {
    /// What Asterisk's Dial makes of a channel that hung up with a cause.
    pub(super) fn of_cause(cause: Cause) -> Self {
        match cause.0 {
            17 => Self::Busy,
            34 => Self::Congestion,
            16 | 19 => Self::Quiet,
            _ => Self::Unavailable,
        }
    }

    /// What Asterisk's `chan_sip` makes of a final response.
    pub(super) fn of_status(status: StatusCode) -> Self {
        match status.as_u16() {
            486 | 600 | 603 => Self::Busy,
            487 => Self::Quiet,
            _ => Self::Congestion,
        }
    }
}

/// Why a leg is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Gone {
    pub(super) cause: Cause,
    /// The final response that said so: a caller on SIP hears the same.
    pub(super) status: Option<StatusCode>,
    pub(super) refusal: Refusal,
    /// Seconds after which a caller may try again.
    pub(super) retry_after: Option<u32>,
}

impl Gone {
    pub(super) fn cause(cause: Cause) -> Self {
        Self { cause, status: None, refusal: Refusal::of_cause(cause), retry_after: None }
    }

    /// There is no room now.
    pub(super) fn later(seconds: u32) -> Self {
        Self { retry_after: Some(seconds), ..Self::cause(Cause::SWITCH_CONGESTION) }
    }

    /// A final response, with the Reason header that was in it.
    pub(super) fn status(status: StatusCode, reason: Option<&Bytes>) -> Self {
        let cause = reason.and_then(Cause::from_reason).unwrap_or_else(|| Cause::from_status(status));
        Self { cause, status: Some(status), refusal: Refusal::of_status(status), retry_after: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(code: u16) -> StatusCode {
        StatusCode::new(code).unwrap()
    }

    #[test]
    fn the_tables_of_rfc_3398_are_kept() {
        for (code, cause) in [
            (400, 41),
            (401, 21),
            (402, 21),
            (403, 21),
            (404, 1),
            (405, 63),
            (406, 79),
            (407, 21),
            (408, 102),
            (410, 22),
            (413, 127),
            (414, 127),
            (415, 79),
            (416, 127),
            (420, 127),
            (421, 127),
            (423, 127),
            (480, 18),
            (481, 41),
            (482, 25),
            (483, 25),
            (484, 28),
            (485, 1),
            (486, 17),
            (500, 41),
            (501, 79),
            (502, 38),
            (503, 41),
            (504, 102),
            (505, 127),
            (513, 127),
            (600, 17),
            (603, 21),
            (604, 1),
        ] {
            assert_eq!(Cause::from_status(status(code)), Cause(cause), "{code}");
        }
        for (cause, code) in [
            (1, 404),
            (2, 404),
            (3, 404),
            (17, 486),
            (18, 408),
            (19, 480),
            (20, 480),
            (21, 403),
            (22, 410),
            (23, 410),
            (27, 502),
            (28, 484),
            (29, 501),
            (31, 480),
            (34, 503),
            (38, 503),
            (41, 503),
            (42, 503),
            (47, 503),
            (55, 403),
            (57, 403),
            (58, 503),
            (65, 488),
            (70, 488),
            (79, 501),
            (87, 403),
            (88, 503),
            (102, 504),
            (111, 500),
            (127, 500),
        ] {
            assert_eq!(Cause(cause).status(), status(code), "{cause}");
        }
    }

    #[test]
    fn a_reason_is_read_as_it_is_written() {
        for cause in 1..=127 {
            let (_, value) = Cause(cause).reason().unwrap();
            assert_eq!(Cause::from_reason(&value), Some(Cause(cause)), "{value:?}");
        }
        for (reason, cause) in [
            ("SIP;cause=486", Some(17)),
            ("Q.850 ;cause=0", None),
            ("Q.850;cause=128", None),
            ("preemption;cause=1", None),
            ("SIP;cause=99999", None),
            ("", None),
        ] {
            assert_eq!(Cause::from_reason(&Bytes::from(reason)), cause.map(Cause), "{reason}");
        }
    }

    #[test]
    fn dialstatus_is_that_of_chan_sip() {
        for (code, refusal) in [
            (486, Refusal::Busy),
            (600, Refusal::Busy),
            (603, Refusal::Busy),
            (480, Refusal::Congestion),
            (404, Refusal::Congestion),
            (503, Refusal::Congestion),
            (488, Refusal::Congestion),
            (487, Refusal::Quiet),
        ] {
            assert_eq!(Gone::status(status(code), None).refusal, refusal, "{code}");
        }
        for (cause, refusal) in [
            (17, Refusal::Busy),
            (34, Refusal::Congestion),
            (16, Refusal::Quiet),
            (19, Refusal::Quiet),
            (20, Refusal::Unavailable),
            (3, Refusal::Unavailable),
            (38, Refusal::Unavailable),
        ] {
            assert_eq!(Gone::cause(Cause(cause)).refusal, refusal, "{cause}");
        }
    }
}
