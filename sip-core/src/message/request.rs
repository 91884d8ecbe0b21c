//! A request.

use std::ops::Range;

use bytes::{Bytes, BytesMut};

use super::edit::clean_uri;
use super::{Edit, Headers, Mandatory, Method, RequestBuilder};
use crate::error::{ErrorKind, ParseError, Part};
use crate::header::{CSeq, CallId, From, MaxForwards, To};
use crate::uri::Uri;

/// A request (RFC 3261 §7.1): its bytes and an index over them. Clones share the bytes.
#[derive(Debug, Clone)]
pub struct Request {
    pub(super) method: Method,
    pub(super) uri: Range<u32>,
    pub(super) headers: Headers,
    pub(super) body: Bytes,
}

impl Request {
    /// Begins a request with what every request must have (RFC 3261 §8.1.1); Via is added by whoever sends it, and
    /// Max-Forwards is 70 until it is set otherwise.
    #[must_use]
    pub fn builder(method: Method, uri: &Uri, from: &From, to: &To, call_id: &CallId, cseq: u32) -> RequestBuilder {
        let cseq = CSeq { sequence: cseq, method: method.clone() };
        let mut written = BytesMut::new();
        uri.encode(&mut written);
        RequestBuilder::new(method, clean_uri(&written))
            .header(&MaxForwards::START)
            .header(from)
            .header(to)
            .header(call_id)
            .header(&cseq)
    }

    /// The method.
    #[must_use]
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// The Request-URI as it is written.
    #[must_use]
    pub fn uri_bytes(&self) -> &[u8] {
        self.headers.bytes().get(self.uri_range()).unwrap_or_default()
    }

    /// The Request-URI.
    ///
    /// # Errors
    /// [`Part::RequestUri`] when it is no URI, or a SIP URI with headers, which may not stand there
    /// (RFC 3261 §19.1.1).
    pub fn uri(&self) -> Result<Uri, ParseError> {
        let range = self.uri_range();
        let within = |error: ParseError| ParseError::new(error.kind, Part::RequestUri, error.offset + range.start);
        let uri = Uri::parse(&self.headers.bytes().slice(range.clone())).map_err(within)?;
        match &uri {
            Uri::Sip(sip) if !sip.headers.is_empty() => {
                Err(ParseError::new(ErrorKind::Syntax, Part::RequestUri, range.start))
            }
            _ => Ok(uri),
        }
    }

    /// The fields that every request must have (RFC 3261 §8.1.1), parsed.
    ///
    /// # Errors
    /// When one of them is missing, malformed or repeated, or CSeq names another method; its
    /// [status](ParseError::status) is what to answer.
    pub fn mandatory(&self) -> Result<Mandatory, ParseError> {
        let mandatory = Mandatory::read(&self.headers)?;
        mandatory.check_method(&self.method)?;
        Ok(mandatory)
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

    /// The request, byte for byte as it came; shares its storage.
    #[must_use]
    pub fn to_bytes(&self) -> Bytes {
        self.headers.message(self.body.len())
    }

    /// Begins to change the request.
    #[must_use]
    #[inline]
    pub fn edit(&self) -> Edit<Self> {
        Edit::new(self.clone())
    }

    /// Begins to change the request, which is not needed as it was.
    #[must_use]
    #[inline]
    pub fn into_edit(self) -> Edit<Self> {
        Edit::new(self)
    }

    pub(super) fn uri_range(&self) -> Range<usize> {
        self.uri.start as usize..self.uri.end as usize
    }
}
