//! A message over borrowed bytes.

use bytes::Bytes;

use crate::error::{ErrorKind, ParseError, Part};
use crate::message::{self, Entries, Extent, Limits, Line, StatusCode};
use crate::view::{Headers, Uri};

/// A request or a response (RFC 3261 §7) as an index over bytes that are somebody else's.
#[derive(Debug, Clone)]
pub struct Message<'a> {
    line: Line,
    headers: Headers<'a>,
    body: &'a [u8],
}

impl<'a> Message<'a> {
    /// Parses the one message of a datagram, by the rules of [`message::Message::parse`].
    ///
    /// # Errors
    /// When the bytes are no message, exceed a limit, or end before the body does.
    pub fn parse(bytes: &'a [u8], limits: &Limits) -> Result<Self, ParseError> {
        Self::parse_as(bytes, limits, Extent::Datagram)
    }

    /// Parses bytes that begin with a message.
    pub(crate) fn parse_as(bytes: &'a [u8], limits: &Limits, extent: Extent) -> Result<Self, ParseError> {
        let mut headers = Headers { bytes, start: 0, body: 0, entries: Entries::new() };
        headers.bytes = message::without_blank_lines(bytes, limits)?;
        let Headers { bytes, start, body, entries } = &mut headers;
        let (line, length) = message::index(bytes, limits, extent, start, body, entries)?;
        let end = headers.body as usize;
        let body = headers.bytes.get(end..end + length).unwrap_or_default();
        Ok(Self { line, headers, body })
    }

    /// Whether it is a request.
    #[must_use]
    pub const fn is_request(&self) -> bool {
        matches!(self.line, Line::Request { .. })
    }

    /// The method of a request, as written.
    #[must_use]
    pub fn method(&self) -> Option<&'a [u8]> {
        match &self.line {
            Line::Request { method, .. } => self.part(method),
            Line::Status { .. } => None,
        }
    }

    /// Where in the message the Request-URI of a request stands.
    #[must_use]
    pub fn uri_span(&self) -> Option<std::ops::Range<usize>> {
        match &self.line {
            Line::Request { uri, .. } => Some(uri.start as usize..uri.end as usize),
            Line::Status { .. } => None,
        }
    }

    /// The Request-URI of a request, as written.
    #[must_use]
    pub fn uri_bytes(&self) -> Option<&'a [u8]> {
        match &self.line {
            Line::Request { uri, .. } => self.part(uri),
            Line::Status { .. } => None,
        }
    }

    /// The Request-URI.
    ///
    /// # Errors
    /// [`Part::RequestUri`] when it is no URI, or a SIP URI with headers, which may not stand there
    /// (RFC 3261 §19.1.1); [`ErrorKind::Missing`] in a response.
    pub fn uri(&self) -> Result<Uri<'a>, ParseError> {
        let Line::Request { uri: range, .. } = &self.line else {
            return Err(ParseError::new(ErrorKind::Missing, Part::RequestUri, 0));
        };
        let start = range.start as usize;
        let uri = Uri::parse(self.part(range).unwrap_or_default())
            .map_err(|error| ParseError::new(error.kind, Part::RequestUri, error.offset + start))?;
        match uri {
            Uri::Sip(sip) if !sip.headers.is_empty() => {
                Err(ParseError::new(ErrorKind::Syntax, Part::RequestUri, start))
            }
            _ => Ok(uri),
        }
    }

    /// The status code of a response.
    #[must_use]
    pub const fn status(&self) -> Option<StatusCode> {
        match self.line {
            Line::Status { status, .. } => Some(status),
            Line::Request { .. } => None,
        }
    }

    /// The reason phrase of a response, as written.
    #[must_use]
    pub fn reason(&self) -> Option<&'a [u8]> {
        match &self.line {
            Line::Status { reason, .. } => self.part(reason),
            Line::Request { .. } => None,
        }
    }

    /// The header section.
    #[must_use]
    pub const fn headers(&self) -> &Headers<'a> {
        &self.headers
    }

    /// The body, as long as Content-Length says.
    #[must_use]
    pub const fn body(&self) -> &'a [u8] {
        self.body
    }

    /// The message, byte for byte as it came.
    #[must_use]
    pub fn as_bytes(&self) -> &'a [u8] {
        self.headers.bytes.get(..self.headers.body as usize + self.body.len()).unwrap_or_default()
    }

    /// A message of its own memory, to be edited or kept: the bytes are copied, the index is not made again.
    #[must_use]
    pub fn to_owned(&self) -> message::Message {
        let bytes = Bytes::copy_from_slice(self.as_bytes());
        let Headers { start, body, entries, .. } = &self.headers;
        message::Message::from_index(bytes, *start, *body, entries, self.line.clone())
    }

    fn part(&self, range: &std::ops::Range<u32>) -> Option<&'a [u8]> {
        self.headers.bytes.get(range.start as usize..range.end as usize)
    }
}
