//! A response.

use std::ops::Range;

use bytes::Bytes;

use super::{Edit, Headers, Mandatory, Request, ResponseBuilder, StatusCode};
use crate::error::ParseError;

/// A response (RFC 3261 §7.2): its bytes and an index over them. Clones share the bytes.
#[derive(Debug, Clone)]
pub struct Response {
    pub(super) status: StatusCode,
    pub(super) reason: Range<u32>,
    pub(super) headers: Headers,
    pub(super) body: Bytes,
}

impl Response {
    /// Begins the response to a request: Via, From, To, Call-ID and CSeq are copied, and Timestamp to a 100
    /// (RFC 3261 §8.2.6).
    #[must_use]
    #[inline]
    pub fn to(request: &Request, status: StatusCode) -> ResponseBuilder {
        ResponseBuilder::new(request.headers(), status)
    }

    /// The status code.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The reason phrase as it is written, often UTF-8, possibly empty.
    #[must_use]
    pub fn reason(&self) -> &[u8] {
        self.headers.bytes().get(self.reason.start as usize..self.reason.end as usize).unwrap_or_default()
    }

    /// The fields that every response must have (RFC 3261 §8.1.1, §8.2.6.2), parsed.
    ///
    /// # Errors
    /// When one of them is missing, malformed or repeated: the response is then discarded.
    pub fn mandatory(&self) -> Result<Mandatory, ParseError> {
        Mandatory::read(&self.headers)
    }

    /// The header section.
    #[must_use]
    pub fn headers(&self) -> &Headers {
        &self.headers
    }

    /// The body, as long as Content-Length says.
    #[must_use]
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// The response, byte for byte as it came; shares its storage.
    #[must_use]
    pub fn to_bytes(&self) -> Bytes {
        self.headers.message(self.body.len())
    }

    /// The response, byte for byte as it came, when nothing else of it is needed.
    #[must_use]
    #[inline]
    pub fn into_bytes(self) -> Bytes {
        self.headers.into_message(self.body.len())
    }

    /// Begins to change the response.
    #[must_use]
    #[inline]
    pub fn edit(&self) -> Edit<Self> {
        Edit::new(self.clone())
    }

    /// Begins to change the response, which is not needed as it was.
    #[must_use]
    #[inline]
    pub fn into_edit(self) -> Edit<Self> {
        Edit::new(self)
    }
}
