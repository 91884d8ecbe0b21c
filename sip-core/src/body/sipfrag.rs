//! Fragments of SIP messages, `message/sipfrag` (RFC 3420).

use bytes::{BufMut, Bytes, BytesMut};

use crate::error::{ErrorKind, ParseError, Part};
use crate::message::{Headers, Limits, Method, StatusCode, start_of};

/// What a NOTIFY says about the progress of a REFER, or a part of a message that is shown to somebody: any of a start
/// line, headers and a body.
#[derive(Debug, Clone)]
pub struct SipFragment {
    start: Option<FragmentStart>,
    headers: Headers,
    body: Option<Bytes>,
}

/// The start line of a fragment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FragmentStart {
    /// A request line.
    Request {
        /// The method.
        method: Method,
        /// The Request-URI as written.
        uri: Bytes,
    },
    /// A status line.
    Response {
        /// The status.
        status: StatusCode,
        /// The reason phrase.
        reason: Bytes,
    },
}

impl SipFragment {
    /// Reads a fragment that is the whole of `body`. The last line may lack its line break.
    ///
    /// # Errors
    /// When a line is neither a start line nor a header, or there is nothing at all.
    pub fn parse(body: &Bytes, limits: &Limits) -> Result<Self, ParseError> {
        if body.is_empty() {
            return Err(ParseError::new(ErrorKind::Missing, Part::Body, 0));
        }
        if body.len() > limits.message {
            return Err(ParseError::new(ErrorKind::TooLarge, Part::Body, 0));
        }
        let (start, head) = FragmentStart::split(body, limits)?;
        let rest = if head < body.len() { body.slice(head..) } else { Bytes::new() };
        // Without an empty line there is no body, and the header section ends with the bytes.
        let has_body = rest.starts_with(b"\r\n") || memchr::memmem::find(&rest, b"\r\n\r\n").is_some();
        let place = |error: ParseError| ParseError { offset: error.offset.saturating_add(head), ..error };
        if has_body {
            let (headers, end) = Headers::section(&rest, limits).map_err(place)?;
            let body = if end < rest.len() { rest.slice(end..) } else { Bytes::new() };
            return Ok(Self { start, headers, body: Some(body) });
        }
        let mut closed = BytesMut::with_capacity(rest.len() + 4);
        closed.put_slice(&rest);
        if !rest.is_empty() && !rest.ends_with(b"\r\n") {
            closed.put_slice(b"\r\n");
        }
        closed.put_slice(b"\r\n");
        let (headers, _) = Headers::section(&closed.freeze(), limits).map_err(place)?;
        Ok(Self { start, headers, body: None })
    }

    /// The fragment that a NOTIFY of a REFER carries: a status line alone (RFC 3515 §2.4.5).
    #[must_use]
    pub fn status_line(status: StatusCode, reason: &str) -> Bytes {
        let mut out = BytesMut::new();
        out.put_slice(b"SIP/2.0 ");
        crate::write::number(u64::from(status.as_u16()), &mut out);
        out.put_u8(b' ');
        crate::scan::put(reason.as_bytes(), crate::scan::TEXT, &mut out);
        out.put_slice(b"\r\n");
        out.freeze()
    }

    /// The start line, if there is one.
    #[must_use]
    pub fn start(&self) -> Option<&FragmentStart> {
        self.start.as_ref()
    }

    /// The status, if the fragment begins with a status line.
    #[must_use]
    pub fn status(&self) -> Option<StatusCode> {
        match self.start {
            Some(FragmentStart::Response { status, .. }) => Some(status),
            _ => None,
        }
    }

    /// The headers, perhaps none.
    #[must_use]
    pub fn headers(&self) -> &Headers {
        &self.headers
    }

    /// The body, if an empty line says that there is one.
    #[must_use]
    pub fn body(&self) -> Option<&Bytes> {
        self.body.as_ref()
    }
}

impl FragmentStart {
    /// The start line, if the first line is one, and where the headers begin.
    fn split(body: &Bytes, limits: &Limits) -> Result<(Option<Self>, usize), ParseError> {
        let length = memchr::memmem::find(body, b"\r\n").unwrap_or(body.len());
        let line = body.get(..length).unwrap_or_default();
        // No header name holds a slash or a space before its colon and a version behind it.
        let is_status = line.get(..4).is_some_and(|start| start.eq_ignore_ascii_case(b"SIP/"));
        let is_request = line.len() > 8
            && line.get(line.len() - 8..).is_some_and(|end| end.eq_ignore_ascii_case(b" SIP/2.0"))
            && memchr::memchr2(b' ', b':', line).is_some_and(|at| line.get(at) == Some(&b' '))
            && line.iter().filter(|&&byte| byte == b' ').count() == 2;
        if !is_status && !is_request {
            return Ok((None, 0));
        }
        let whole = if length < body.len() { body.clone() } else { [line, b"\r\n"].concat().into() };
        let start = start_of(&whole, limits)?;
        Ok((Some(start), (length + 2).min(body.len())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::{From, HeaderName};

    fn parse(text: &str) -> Result<SipFragment, ParseError> {
        SipFragment::parse(&Bytes::copy_from_slice(text.as_bytes()), &Limits::default())
    }

    #[test]
    fn the_valid_fragments_of_rfc_3420_are_read() {
        let line = parse("INVITE sip:alice@atlanta.com SIP/2.0\r\n").unwrap();
        let uri = Bytes::from_static(b"sip:alice@atlanta.com");
        assert_eq!(line.start(), Some(&FragmentStart::Request { method: Method::Invite, uri }));
        assert!(line.headers().is_empty() && line.body().is_none());
        for text in ["SIP/2.0 603 Declined", "SIP/2.0 603 Declined\r\n"] {
            assert_eq!(parse(text).unwrap().status(), Some(StatusCode::DECLINE));
        }
        let headers = parse("From: Alice <sip:alice@atlanta.com>\r\nTo: Bob <sip:bob@biloxi.com>\r\nContact: <sip:alice@pc33.atlanta.com>\r\nDate: Thu, 21 Feb 2002 13:02:03 GMT\r\nCall-ID: a84b4c76e66710\r\n").unwrap();
        assert!(headers.start().is_none() && headers.body().is_none());
        assert_eq!(headers.headers().len(), 5);
        assert!(headers.headers().require::<From>().is_ok());
        let body = parse("From: Alice <sip:alice@atlanta.com>\r\nContent-Type: application/sdp\r\nContent-Length: 247\r\n\r\nv=0\r\n").unwrap();
        assert_eq!(body.body(), Some(&Bytes::from_static(b"v=0\r\n")));
        assert_eq!(parse("\r\nonly a body").unwrap().body(), Some(&Bytes::from_static(b"only a body")));
        assert_eq!(
            parse("To: <sip:a@b>").unwrap().headers().get(&HeaderName::TO),
            Some(Bytes::from_static(b"<sip:a@b>"))
        );
    }

    #[test]
    fn what_is_no_fragment_is_refused() {
        for text in [
            "",
            "no header",
            "SIP/2.0 999999 x\r\n",
            "SIP/3.0 200 OK\r\n",
            "INVITE sip:a@b SIP/2.0\r\nno header\r\n",
            "To: a\n",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_header_that_ends_like_a_request_line_is_a_header() {
        let fragment = parse("User-Agent: x SIP/2.0\r\n").unwrap();
        assert!(fragment.start().is_none());
        assert_eq!(fragment.headers().len(), 1);
    }

    #[test]
    fn a_status_line_is_written_as_it_is_read() {
        let line = SipFragment::status_line(StatusCode::TRYING, "Trying\r\nX: y");
        assert_eq!(line, &b"SIP/2.0 100 Trying__X: y\r\n"[..]);
        assert_eq!(SipFragment::parse(&line, &Limits::default()).unwrap().status(), Some(StatusCode::TRYING));
    }
}
