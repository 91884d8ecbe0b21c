//! Messages: an index of offsets over the bytes that came, parsed further only when asked.

mod answerable;
mod builder;
mod draft;
mod edit;
mod headers;
mod index;
mod limits;
mod lines;
mod mandatory;
mod method;
mod request;
mod response;
mod scratch;
mod start_line;
mod status;
mod strict;

use bytes::Bytes;

pub use answerable::Answerable;
pub use builder::{RequestBuilder, ResponseBuilder};
pub use edit::{Edit, Editable};
pub use headers::{Header, Headers};
pub use limits::Limits;
pub use mandatory::Mandatory;
pub use method::Method;
pub use request::Request;
pub use response::Response;
pub use status::StatusCode;

use crate::body::FragmentStart;
use crate::error::{ErrorKind, ParseError, Part};
use crate::header::HeaderName;
pub(crate) use headers::unfold;
pub(crate) use index::{Entries, Entry};
pub(crate) use start_line::Line;
use start_line::StartLine;

/// A request or a response (RFC 3261 §7).
#[derive(Debug, Clone)]
pub enum Message {
    /// A request (RFC 3261 §7.1).
    Request(Request),
    /// A response (RFC 3261 §7.2).
    Response(Response),
}

/// How the end of the body is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extent {
    /// A missing Content-Length means the rest of the bytes, and bytes after the body are ignored.
    Datagram,
    /// A missing Content-Length is an error.
    Stream,
}

impl Message {
    /// Parses the one message of a datagram (RFC 3261 §18.3): without Content-Length the body is the rest of the
    /// bytes, with it the bytes after the body are ignored. CRLFs before the start line are skipped (§7.5).
    ///
    /// Only the start line, the shape of the header section and Content-Length are checked here; header values
    /// are parsed when asked for.
    ///
    /// # Errors
    /// When the bytes are no message, exceed a limit, or end before the body does.
    pub fn parse(bytes: Bytes, limits: &Limits) -> Result<Self, ParseError> {
        Self::parse_as(bytes, limits, Extent::Datagram)
    }

    /// Parses bytes that begin with a message.
    pub(crate) fn parse_as(mut bytes: Bytes, limits: &Limits, extent: Extent) -> Result<Self, ParseError> {
        let blank = bytes.len() - without_blank_lines(&bytes, limits)?.len();
        if blank > 0 {
            bytes = bytes.slice(blank..);
        }
        let mut headers = Headers { bytes, start: 0, body: 0, entries: Entries::new() };
        let (line, length) =
            index(&headers.bytes, limits, extent, &mut headers.start, &mut headers.body, &mut headers.entries)?;
        let end = headers.end();
        let body = if length == 0 { Bytes::new() } else { headers.bytes.slice(end..end + length) };
        Ok(match line {
            Line::Request { method, uri } => {
                let method = Method::from_range(&headers.bytes, method);
                Self::Request(Request { method, uri, headers, body })
            }
            Line::Status { status, reason } => Self::Response(Response { status, reason, headers, body }),
        })
    }

    /// A message whose index is known.
    pub(crate) fn from_index(bytes: Bytes, start: u32, body: u32, entries: &[Entry], line: Line) -> Self {
        let content = bytes.slice((body as usize).min(bytes.len())..);
        let headers = Headers { bytes, start, body, entries: Entries::from_slice(entries) };
        match line {
            Line::Request { method, uri } => {
                let method = Method::from_range(&headers.bytes, method);
                Self::Request(Request { method, uri, headers, body: content })
            }
            Line::Status { status, reason } => Self::Response(Response { status, reason, headers, body: content }),
        }
    }

    /// How many bytes the message is.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "no message is empty")]
    pub fn len(&self) -> usize {
        self.headers().end() + self.body().len()
    }

    /// The header section.
    #[must_use]
    pub fn headers(&self) -> &Headers {
        match self {
            Self::Request(request) => request.headers(),
            Self::Response(response) => response.headers(),
        }
    }

    /// The body, as long as Content-Length says.
    #[must_use]
    pub fn body(&self) -> &Bytes {
        match self {
            Self::Request(request) => request.body(),
            Self::Response(response) => response.body(),
        }
    }

    /// The message, byte for byte as it came; shares its storage.
    #[must_use]
    pub fn to_bytes(&self) -> Bytes {
        match self {
            Self::Request(request) => request.to_bytes(),
            Self::Response(response) => response.to_bytes(),
        }
    }
}

impl From<Request> for Message {
    fn from(request: Request) -> Self {
        Self::Request(request)
    }
}

impl From<Response> for Message {
    fn from(response: Response) -> Self {
        Self::Response(response)
    }
}

/// The bytes of a message, which are not too many, without the CRLFs before its first line (RFC 3261 §7.5).
#[inline]
pub(crate) fn without_blank_lines<'a>(mut bytes: &'a [u8], limits: &Limits) -> Result<&'a [u8], ParseError> {
    if bytes.len() > limits.message || u32::try_from(bytes.len()).is_err() {
        return Err(ParseError::new(ErrorKind::TooLarge, Part::Message, 0));
    }
    while let [b'\r', b'\n', rest @ ..] = bytes {
        bytes = rest;
    }
    Ok(bytes)
}

/// Reads the first line and indexes the header section of bytes that are at most `u32::MAX` long. Says what the
/// first line holds, where the header section begins, where it ends, and how long the body is.
#[inline]
pub(crate) fn index(
    bytes: &[u8],
    limits: &Limits,
    extent: Extent,
    start: &mut u32,
    body: &mut u32,
    entries: &mut Entries,
) -> Result<(Line, usize), ParseError> {
    let first = StartLine::parse(bytes, limits)?;
    let section = index::section(bytes, first.end, limits, entries)?;
    let length = match (section.content_length, extent) {
        (Some(length), _) => length as usize,
        (None, Extent::Datagram) => bytes.len() - section.end,
        (None, Extent::Stream) => return Err(no_content_length(section.end)),
    };
    if length > limits.body {
        return Err(ParseError::new(ErrorKind::TooLarge, Part::Body, section.end));
    }
    if section.end + length > bytes.len() {
        return Err(ParseError::new(ErrorKind::Truncated, Part::Body, bytes.len()));
    }
    *start = first.end as u32;
    *body = section.end as u32;
    Ok((first.line, length))
}

/// How long the body of a message on a stream is, given its whole head, and what is wrong with a message whose
/// length is known all the same.
///
/// # Errors
/// When the length is unknown or in doubt.
pub(crate) fn head_extent(head: &[u8], limits: &Limits) -> Result<(usize, Option<ParseError>), ParseError> {
    let (start, error) = match StartLine::parse(head, limits) {
        Ok(line) => (line.end, None),
        Err(error) => match memchr::memmem::find(head, b"\r\n") {
            // A line that holds a lone CR or LF may be two to somebody else.
            Some(end) if memchr::memchr2(b'\r', b'\n', head) == Some(end) => (end + 2, Some(error)),
            _ => return Err(error),
        },
    };
    let section = index::section(head, start, limits, &mut Entries::new())?;
    let length = section.content_length.ok_or_else(|| no_content_length(section.end))? as usize;
    if length > limits.body {
        return Err(ParseError::new(ErrorKind::TooLarge, Part::Body, section.end));
    }
    Ok((length, error))
}

/// The start line of a fragment, whose first line ends with CRLF.
pub(crate) fn start_of(bytes: &Bytes, limits: &Limits) -> Result<FragmentStart, ParseError> {
    if u32::try_from(bytes.len()).is_err() {
        return Err(ParseError::new(ErrorKind::TooLarge, Part::Body, 0));
    }
    let part = |range: std::ops::Range<u32>| {
        let range = range.start as usize..range.end as usize;
        if range.is_empty() { Bytes::new() } else { bytes.slice(range) }
    };
    Ok(match StartLine::parse(bytes, limits)?.line {
        Line::Request { method, uri } => {
            FragmentStart::Request { method: Method::from_range(bytes, method), uri: part(uri) }
        }
        Line::Status { status, reason } => FragmentStart::Response { status, reason: part(reason) },
    })
}

/// On a stream nobody knows where a message without Content-Length ends (RFC 3261 §18.3).
fn no_content_length(offset: usize) -> ParseError {
    ParseError::new(ErrorKind::Missing, Part::Header(HeaderName::CONTENT_LENGTH), offset)
}
