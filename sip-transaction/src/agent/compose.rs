//! Pieces of messages: session descriptions in, header fields out.

use bytes::Bytes;
use sip_core::header::HeaderName;
use sip_core::{Headers, Request, RequestBuilder, ResponseBuilder};

/// The type of session descriptions.
pub(super) const SDP: &str = "application/sdp";

/// What a body is, for an INVITE, UPDATE, ACK or a response to one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Body {
    /// None, or one that may be ignored (RFC 3261 §20.11, `handling=optional`).
    None,
    /// A session description.
    Sdp(Bytes),
    /// Something else that may not be ignored: 415.
    Unsupported,
    /// An encoding that is not known here: 415.
    Encoded,
}

impl Body {
    pub(super) fn of(headers: &Headers, body: &Bytes) -> Self {
        if body.is_empty() {
            return Self::None;
        }
        let optional = headers.get(&HeaderName::CONTENT_DISPOSITION).is_some_and(|value| {
            value.split(|byte| *byte == b';').skip(1).any(|param| {
                let mut parts = param.splitn(2, |byte| *byte == b'=');
                let name = parts.next().unwrap_or_default().trim_ascii();
                let text = parts.next().unwrap_or_default().trim_ascii();
                name.eq_ignore_ascii_case(b"handling") && text.eq_ignore_ascii_case(b"optional")
            })
        });
        let encoded = headers
            .get(&HeaderName::CONTENT_ENCODING)
            .is_some_and(|value| !value.trim_ascii().eq_ignore_ascii_case(b"identity"));
        let media = headers.get(&HeaderName::CONTENT_TYPE).unwrap_or_default();
        let media = media.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
        match (media.eq_ignore_ascii_case(SDP.as_bytes()), encoded, optional) {
            (true, false, _) => Self::Sdp(body.clone()),
            (_, _, true) => Self::None,
            (true, true, false) => Self::Encoded,
            (false, _, false) => Self::Unsupported,
        }
    }

    /// The session description, if that is what it is.
    pub(super) fn sdp(headers: &Headers, body: &Bytes) -> Option<Bytes> {
        match Self::of(headers, body) {
            Self::Sdp(sdp) => Some(sdp),
            Self::None | Self::Unsupported | Self::Encoded => None,
        }
    }
}

/// The first Reason header.
pub(super) fn reason(headers: &Headers) -> Option<Bytes> {
    headers.get(&HeaderName::REASON)
}

/// Whether an application may add a field of this name itself. The others are written by the agent.
fn is_free(name: &HeaderName, contact: bool) -> bool {
    const OURS: [HeaderName; 15] = [
        HeaderName::VIA,
        HeaderName::FROM,
        HeaderName::TO,
        HeaderName::CALL_ID,
        HeaderName::CSEQ,
        HeaderName::MAX_FORWARDS,
        HeaderName::ROUTE,
        HeaderName::RECORD_ROUTE,
        HeaderName::CONTENT_LENGTH,
        HeaderName::CONTENT_TYPE,
        HeaderName::CONTACT,
        HeaderName::ALLOW,
        HeaderName::SUPPORTED,
        HeaderName::AUTHORIZATION,
        HeaderName::PROXY_AUTHORIZATION,
    ];
    if *name == HeaderName::CONTACT {
        return contact;
    }
    !OURS.contains(name)
}

fn is_clean(value: &[u8]) -> bool {
    !value.iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0))
}

/// Adds the application's fields to a request.
pub(super) fn extend_request(mut builder: RequestBuilder, headers: &[(HeaderName, Bytes)]) -> RequestBuilder {
    for (name, value) in headers {
        if is_free(name, false) && is_clean(value) {
            builder = builder.raw(name, value);
        }
    }
    builder
}

/// Adds the application's fields to a response; Contact only where the application writes it (3xx, 485).
pub(super) fn extend_response(
    mut builder: ResponseBuilder,
    headers: &[(HeaderName, Bytes)],
    contact: bool,
) -> ResponseBuilder {
    for (name, value) in headers {
        if is_free(name, contact) && is_clean(value) {
            builder = builder.raw(name, value);
        }
    }
    builder
}

/// Copies the credentials of an INVITE into its ACK (RFC 3261 §22.1).
pub(super) fn copy_credentials(mut builder: RequestBuilder, invite: &Request) -> RequestBuilder {
    for name in [HeaderName::AUTHORIZATION, HeaderName::PROXY_AUTHORIZATION] {
        for value in invite.headers().get_all(&name) {
            builder = builder.raw(&name, value);
        }
    }
    builder
}

#[cfg(test)]
mod tests {
    use sip_core::{Limits, Message};

    use super::*;

    fn body(lines: &str, body: &str) -> Body {
        let text = format!(
            "INFO sip:b@h SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: <sip:a@h>;tag=1\r\nTo: <sip:b@h>\r\n\
             Call-ID: 1\r\nCSeq: 1 INFO\r\n{lines}Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let message = Message::parse(Bytes::from(text), &Limits::default()).unwrap();
        Body::of(message.headers(), message.body())
    }

    #[test]
    fn a_session_description_is_known_by_its_type_in_any_case_and_with_parameters() {
        let sdp = Body::Sdp(Bytes::from_static(b"v=0\r\n"));
        assert_eq!(body("Content-Type: application/sdp\r\n", "v=0\r\n"), sdp);
        assert_eq!(body("c: Application/SDP ; charset=utf-8\r\n", "v=0\r\n"), sdp);
        assert_eq!(body("", ""), Body::None);
    }

    #[test]
    fn other_bodies_are_unsupported_unless_their_handling_is_optional() {
        assert_eq!(body("Content-Type: text/plain\r\n", "x"), Body::Unsupported);
        assert_eq!(body("", "x"), Body::Unsupported);
        assert_eq!(body("Content-Type: application/sdp\r\nContent-Encoding: gzip\r\n", "x"), Body::Encoded);
        assert_eq!(
            body("Content-Type: text/plain\r\nContent-Disposition: icon; handling = optional\r\n", "x"),
            Body::None
        );
    }

    #[test]
    fn an_application_cannot_write_the_agents_own_fields() {
        for name in [HeaderName::VIA, HeaderName::CALL_ID, HeaderName::CONTACT, HeaderName::AUTHORIZATION] {
            assert!(!is_free(&name, false), "{name:?}");
        }
        assert!(is_free(&HeaderName::CONTACT, true));
        assert!(is_free(&HeaderName::SUBJECT, false));
        assert!(!is_clean(b"a\r\nVia: x"));
    }
}
