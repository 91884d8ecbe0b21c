//! One part of a multipart body (RFC 2046 §5.1, RFC 5621 §3).

use bytes::{BufMut, Bytes, BytesMut};

use crate::body::Bounds;
use crate::error::ParseError;
use crate::header::{ContentDisposition, ContentType, HeaderName, MediaType};
use crate::message::Headers;
use crate::scan;

/// A part: headers of its own, and a body of any bytes. Shares the memory of the message.
#[derive(Debug, Clone)]
pub struct BodyPart {
    bytes: Bytes,
    headers: Headers,
    body: Bytes,
}

impl BodyPart {
    /// A part of this type and content. Further headers are given as a name and a value each; what cannot stand in a
    /// header line becomes `_`.
    #[must_use]
    pub fn new(content_type: &ContentType, headers: &[(HeaderName, &[u8])], body: &[u8]) -> Self {
        let mut head = BytesMut::new();
        head.put_slice(b"Content-Type: ");
        content_type.0.encode(&mut head);
        head.put_slice(b"\r\n");
        for (name, value) in headers {
            head.put_slice(name.as_str().as_bytes());
            head.put_slice(b": ");
            scan::put(value.trim_ascii(), scan::TEXT, &mut head);
            head.put_slice(b"\r\n");
        }
        head.put_slice(b"\r\n");
        // Lines that were just written are read without limits.
        let limits =
            crate::message::Limits { message: usize::MAX, headers: usize::MAX, line: usize::MAX, ..Default::default() };
        let start = head.len();
        head.put_slice(body);
        let bytes = head.freeze();
        let headers = Headers::section(&bytes, &limits).map_or_else(|_| Headers::none(), |(headers, _)| headers);
        let body = if body.is_empty() { Bytes::new() } else { bytes.slice(start..) };
        Self { bytes, headers, body }
    }

    /// Reads what stands between two delimiters.
    pub(super) fn parse(bytes: Bytes, bounds: &Bounds) -> Result<Self, ParseError> {
        let (headers, start) = Headers::section(&bytes, &bounds.limits)?;
        let body = if start < bytes.len() { bytes.slice(start..) } else { Bytes::new() };
        Ok(Self { bytes, headers, body })
    }

    /// Its headers.
    #[must_use]
    pub fn headers(&self) -> &Headers {
        &self.headers
    }

    /// Its content, without the line break that belongs to the delimiter after it. Transfer encodings are not undone:
    /// SIP bodies are binary (RFC 3261 §18.4 has none, RFC 5621 §3.2).
    #[must_use]
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// The part as it came, headers and body.
    #[must_use]
    pub fn as_bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// Its type, `text/plain` if none is said (RFC 2046 §5.1).
    ///
    /// # Errors
    /// When the header is not well-formed.
    pub fn content_type(&self) -> Result<ContentType, ParseError> {
        let default = || ContentType(MediaType::from_static("text", "plain"));
        Ok(self.headers.typed()?.unwrap_or_else(default))
    }

    /// How it is to be taken, if that is said.
    ///
    /// # Errors
    /// When the header is not well-formed.
    pub fn disposition(&self) -> Result<Option<ContentDisposition>, ParseError> {
        self.headers.typed()
    }

    /// Its Content-ID without the brackets, by which `cid:` URIs mean it (RFC 2392).
    #[must_use]
    pub fn content_id(&self) -> Option<Bytes> {
        let value = self.headers.get(&HeaderName::CONTENT_ID)?;
        let length = value.len();
        match &*value {
            [b'<', .., b'>'] if length > 2 => Some(value.slice(1..length - 1)),
            _ => None,
        }
    }
}
