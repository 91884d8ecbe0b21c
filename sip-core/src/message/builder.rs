//! Making messages: requests whose mandatory fields are arguments (RFC 3261 §8.1.1), responses to requests
//! (§8.2.6).

use std::fmt;

use bytes::Bytes;
use smallvec::SmallVec;

use super::draft::{Draft, Raw, Typed, is_content_length};
use super::edit::Decimal;
use super::{Headers, Method, Request, Response, StatusCode};
use crate::header::{HeaderName, Known, TypedHeader, has_parameter, is_token_byte};

/// A request being made.
#[derive(Clone)]
pub struct RequestBuilder {
    method: Method,
    uri: Bytes,
    base: Headers,
    draft: Draft,
    body: Bytes,
}

/// A response being made.
#[derive(Clone)]
pub struct ResponseBuilder {
    status: StatusCode,
    reason: Option<Bytes>,
    base: Headers,
    draft: Draft,
    body: Bytes,
}

/// Whether a header may be there only once, so that another one takes its place.
fn is_single(name: &HeaderName) -> bool {
    matches!(
        name.known(),
        Some(Known::From | Known::To | Known::CallId | Known::Cseq | Known::MaxForwards | Known::ContentType)
    )
}

macro_rules! common {
    ($result:ident) => {
        /// Adds a header; From, To, Call-ID, CSeq, Max-Forwards and Content-Type replace the one that there is.
        /// Content-Length is ignored: it is written by `build`.
        #[must_use]
        pub fn header<H: TypedHeader>(mut self, header: &H) -> Self {
            self.add(&H::NAME, &Typed(header));
            self
        }

        /// Adds a header whose value is bytes, otherwise as `header`. A CR or LF in the value becomes a space.
        #[must_use]
        pub fn raw(mut self, name: &HeaderName, value: impl AsRef<[u8]>) -> Self {
            self.add(name, &Raw(value.as_ref()));
            self
        }

        /// Sets the body and its type.
        #[must_use]
        pub fn body(mut self, content_type: &str, body: impl Into<Bytes>) -> Self {
            self.draft.replace(&self.base, &HeaderName::CONTENT_TYPE, &Raw(content_type.as_bytes()));
            self.body = body.into();
            self
        }

        fn add(&mut self, name: &HeaderName, value: &impl super::scratch::Encode) {
            if is_content_length(name) {
                return;
            }
            if is_single(name) {
                self.draft.replace(&self.base, name, value);
            } else {
                self.draft.push(name, value);
            }
        }
    };
}

impl RequestBuilder {
    /// A request with no header yet.
    pub(super) fn new(method: Method, uri: Bytes) -> Self {
        Self { method, uri, base: Headers::none(), draft: Draft::none(), body: Bytes::new() }
    }

    common!(Request);

    /// The request, Content-Length included.
    #[must_use]
    pub fn build(mut self) -> Request {
        self.draft.replace(&self.base, &HeaderName::CONTENT_LENGTH, &Decimal(self.body.len()));
        let start = [self.method.as_bytes(), b" ", &self.uri, b" SIP/2.0\r\n"];
        let (headers, body) = self.draft.assemble(&self.base, start, &self.body);
        let at = self.method.as_bytes().len() as u32 + 1;
        let uri = at..at + self.uri.len() as u32;
        Request { method: self.method, uri, headers, body }
    }
}

impl ResponseBuilder {
    /// Copies what RFC 3261 §8.2.6.2 names, byte for byte.
    #[inline]
    pub(super) fn new(request: &Headers, status: StatusCode) -> Self {
        let base = request.clone();
        let mut draft = Draft::none();
        draft.keep_each(&base, Known::Via, [Known::From, Known::To, Known::CallId, Known::Cseq]);
        if status == StatusCode::TRYING {
            draft.keep(&base, &HeaderName::TIMESTAMP, false);
        }
        Self { status, reason: None, base, draft, body: Bytes::new() }
    }

    common!(Response);

    /// Gives To a tag, unless it has one (RFC 3261 §8.2.6.2). Bytes that are not those of a token are left out.
    #[must_use]
    #[inline]
    pub fn to_tag(mut self, tag: &[u8]) -> Self {
        let value = match self.draft.first(&self.base, &HeaderName::TO) {
            Some(to) if !has_parameter(to, b"tag") => {
                let mut value = SmallVec::<[u8; 256]>::from_slice(to);
                value.extend_from_slice(b";tag=");
                value.extend(tag.iter().copied().filter(|byte| is_token_byte(*byte)));
                value
            }
            _ => return self,
        };
        self.draft.replace(&self.base, &HeaderName::TO, &Raw(&value));
        self
    }

    /// Sets the reason phrase. Control characters become spaces.
    #[must_use]
    pub fn reason(mut self, reason: &str) -> Self {
        let clean = reason.bytes().map(|byte| if byte.is_ascii_control() { b' ' } else { byte });
        self.reason = Some(clean.collect::<Vec<u8>>().into());
        self
    }

    /// Copies the Record-Routes of the request, as answers that make a dialog must (RFC 3261 §12.1.1).
    #[must_use]
    pub fn record_route(mut self) -> Self {
        self.draft.keep(&self.base, &HeaderName::RECORD_ROUTE, true);
        self
    }

    /// The response, Content-Length included.
    #[must_use]
    pub fn build(mut self) -> Response {
        self.draft.replace(&self.base, &HeaderName::CONTENT_LENGTH, &Decimal(self.body.len()));
        let code = self.status.as_u16();
        let digit = |divisor: u16| b'0' + (code / divisor % 10) as u8;
        let line = [b'S', b'I', b'P', b'/', b'2', b'.', b'0', b' ', digit(100), digit(10), digit(1), b' '];
        let reason = self.reason.as_ref().map_or(self.status.reason().as_bytes(), |reason| reason);
        let range = line.len() as u32..(line.len() + reason.len()) as u32;
        let (headers, body) = self.draft.assemble(&self.base, [&line, reason, b"\r\n", &[]], &self.body);
        Response { status: self.status, reason: range, headers, body }
    }
}

impl fmt::Debug for RequestBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestBuilder").field("method", &self.method).finish_non_exhaustive()
    }
}

impl fmt::Debug for ResponseBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseBuilder").field("status", &self.status).finish_non_exhaustive()
    }
}
