//! A request.

use std::ops::Range;

use bytes::Bytes;

use super::{Edit, Headers, Method};

/// A request (RFC 3261 §7.1): its bytes and an index over them. Clones share the bytes.
#[derive(Debug, Clone)]
pub struct Request {
    pub(super) method: Method,
    pub(super) uri: Range<u32>,
    pub(super) headers: Headers,
    pub(super) body: Bytes,
}

impl Request {
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
    pub fn edit(&self) -> Edit<Self> {
        Edit::new(self.clone())
    }

    pub(super) fn uri_range(&self) -> Range<usize> {
        self.uri.start as usize..self.uri.end as usize
    }
}
