//! What crosses from one side of a call to the other, and what never does.

use bytes::Bytes;
use sip_core::header::HeaderName;
use sip_core::{Headers, Method, StatusCode};
use sip_transaction::agent::ExtraHeaders;

/// Which header fields cross. Everything else stays on its side: Call-ID, tags, Via, Route, Record-Route, Contact,
/// credentials, User-Agent, Server, Allow, Supported and whatever is not known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// The fields that cross in any call.
    pub free: Vec<HeaderName>,
    /// The fields that cross only from a trusted caller (RFC 3325 §4).
    pub trusted: Vec<HeaderName>,
    /// The requests inside a dialog that are passed to the other side; others are given back to the application.
    pub methods: Vec<Method>,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            free: [
                "Subject",
                "Alert-Info",
                "Call-Info",
                "Priority",
                "Organization",
                "Reason",
                "User-to-User",
                "Accept-Language",
                "Info-Package",
                "Content-Disposition",
            ]
            .map(HeaderName::from_static)
            .to_vec(),
            trusted: ["P-Asserted-Identity", "Privacy", "Diversion", "History-Info"]
                .map(HeaderName::from_static)
                .to_vec(),
            methods: vec![Method::Info, Method::Message],
        }
    }
}

impl Policy {
    /// The fields of a message that cross, in order.
    #[must_use]
    pub fn crossing(&self, headers: &Headers, trusted: bool) -> ExtraHeaders {
        headers
            .iter()
            .filter(|header| self.free.contains(&header.name) || (trusted && self.trusted.contains(&header.name)))
            .map(|header| (header.name.clone(), header.value.clone()))
            .collect()
    }
}

/// The response to give to the caller for the responses that the branches of a call drew: a 6xx first, otherwise the
/// lowest class, and within 4xx what tells the caller how to do better (RFC 3261 §16.7 step 6).
#[must_use]
pub fn best(statuses: impl IntoIterator<Item = StatusCode>) -> Option<StatusCode> {
    statuses.into_iter().min_by_key(|status| {
        let class = match status.class() {
            6 => 0,
            class => class,
        };
        let helpful = match status.as_u16() {
            415 | 420 | 484 | 488 => 0,
            // That one branch did not answer says less than what another one said.
            408 | 480 | 487 => 2,
            _ => 1,
        };
        (class, helpful)
    })
}

/// What the caller is told for a response of a branch. What concerns only the two of us and the callee is not told:
/// neither where a redirection points, nor that we lack credentials (RFC 3261 §16.7 step 6 for 503).
#[must_use]
pub const fn told(status: StatusCode) -> StatusCode {
    match status.as_u16() {
        300..=399 => StatusCode::TEMPORARILY_UNAVAILABLE,
        401 | 407 | 503 => StatusCode::SERVER_INTERNAL_ERROR,
        // Neither the caller's dialog nor his transaction is meant.
        481 | 482 | 491 => StatusCode::TEMPORARILY_UNAVAILABLE,
        // A branch that was cancelled by us.
        487 => StatusCode::TEMPORARILY_UNAVAILABLE,
        _ => status,
    }
}

/// The Reason that the other side's end is given with (RFC 3326).
pub(super) fn passed_reason(reason: Option<&Bytes>) -> ExtraHeaders {
    reason.map(|value| (HeaderName::REASON, value.clone())).into_iter().collect()
}

#[cfg(test)]
mod tests {
    use sip_core::{Limits, Message};

    use super::*;

    fn statuses(codes: &[u16]) -> Option<u16> {
        best(codes.iter().filter_map(|code| StatusCode::new(*code))).map(StatusCode::as_u16)
    }

    #[test]
    fn the_best_response_is_a_6xx_or_of_the_lowest_class() {
        assert_eq!(statuses(&[]), None);
        assert_eq!(statuses(&[486, 603, 404]), Some(603));
        assert_eq!(statuses(&[503, 486]), Some(486));
        assert_eq!(statuses(&[302, 486]), Some(302));
        assert_eq!(statuses(&[408, 486]), Some(486));
        assert_eq!(statuses(&[404, 488]), Some(488));
        assert_eq!(statuses(&[480, 408]), Some(480));
    }

    #[test]
    fn what_concerns_only_one_side_is_not_told_to_the_other() {
        let told = |code| StatusCode::new(code).map(told).map(StatusCode::as_u16);
        assert_eq!(told(302), Some(480));
        assert_eq!(told(407), Some(500));
        assert_eq!(told(503), Some(500));
        assert_eq!(told(486), Some(486));
        assert_eq!(told(603), Some(603));
    }

    #[test]
    fn only_listed_fields_cross_and_identities_only_from_the_trusted() {
        let text = "INVITE sip:b@h SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: <sip:a@h>;tag=1\r\n\
                    To: <sip:b@h>\r\nCall-ID: secret\r\nCSeq: 1 INVITE\r\nContact: <sip:a@10.0.0.1>\r\n\
                    s: hello\r\nalert-info: <urn:alert:source:internal>\r\nP-Asserted-Identity: <sip:a@h>\r\n\
                    X-Mine: 1\r\nUser-Agent: x\r\nAuthorization: Digest a=b\r\nContent-Length: 0\r\n\r\n";
        let message = Message::parse(Bytes::from_static(text.as_bytes()), &Limits::default()).unwrap();
        let names = |trusted| {
            let crossing = Policy::default().crossing(message.headers(), trusted);
            crossing.iter().map(|(name, _)| name.as_str().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(names(false), ["Subject", "Alert-Info"]);
        assert_eq!(names(true), ["Subject", "Alert-Info", "P-Asserted-Identity"]);
    }
}
