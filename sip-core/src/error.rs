//! What was wrong with bytes that should have been SIP, where, and what to answer.

use crate::header::HeaderName;
use crate::message::StatusCode;

/// Bytes that are not what they should be: what is wrong, in which part, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{kind} in {part} at byte {offset}")]
pub struct ParseError {
    /// What is wrong.
    pub kind: ErrorKind,
    /// The part of the message that it is wrong in.
    pub part: Part,
    /// Byte offset into the slice that was parsed.
    pub offset: usize,
}

/// What is wrong with a part of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The grammar does not allow this.
    #[error("invalid syntax")]
    Syntax,
    /// The bytes end before the part does.
    #[error("unexpected end")]
    Truncated,
    /// A mandatory part is not there.
    #[error("missing")]
    Missing,
    /// A part that may be there once is there again, with another value.
    #[error("repeated")]
    Repeated,
    /// A number is outside of its range.
    #[error("number out of range")]
    OutOfRange,
    /// A configured limit is exceeded.
    #[error("too large")]
    TooLarge,
    /// The SIP version is not 2.0.
    #[error("unsupported version")]
    Version,
    /// Two parts contradict one another, such as the CSeq method and the request's.
    #[error("mismatch")]
    Mismatch,
}

/// The part of a message that an error is about.
#[derive(Debug, Clone, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum Part {
    /// The first line.
    #[error("start line")]
    StartLine,
    /// The Request-URI.
    #[error("request-uri")]
    RequestUri,
    /// A header line before its name is known.
    #[error("header line")]
    HeaderLine,
    /// A header field.
    #[error("header {0}")]
    Header(HeaderName),
    /// A URI outside of the start line.
    #[error("uri")]
    Uri,
    /// The body.
    #[error("body")]
    Body,
    /// The session description.
    #[error("sdp")]
    Sdp,
    /// The message as a whole.
    #[error("message")]
    Message,
}

impl ParseError {
    /// Makes an error from its three parts.
    #[must_use]
    pub const fn new(kind: ErrorKind, part: Part, offset: usize) -> Self {
        Self { kind, part, offset }
    }

    /// The status that a server answers to a request with this error: 505 for another version, 513 and 414 for
    /// what is too large, otherwise 400 (RFC 3261 §21.4, §21.5).
    #[must_use]
    pub fn status(&self) -> StatusCode {
        match (self.kind, &self.part) {
            (ErrorKind::Version, _) => StatusCode::VERSION_NOT_SUPPORTED,
            (ErrorKind::TooLarge, Part::RequestUri) => StatusCode::URI_TOO_LONG,
            (ErrorKind::TooLarge, _) => StatusCode::MESSAGE_TOO_LARGE,
            _ => StatusCode::BAD_REQUEST,
        }
    }
}
