//! Making messages: requests whose mandatory fields are arguments (RFC 3261 §8.1.1), responses to requests
//! (§8.2.6).

use std::fmt;

use bytes::Bytes;
use smallvec::SmallVec;

use super::draft::{Raw, Typed, is_content_length};
use super::lines::Lines;
use super::{Entry, Headers, Method, Request, Response, StatusCode};
use crate::header::{HeaderName, Known, TypedHeader, has_parameter, is_token, is_token_byte};

/// A request being made.
#[derive(Clone)]
pub struct RequestBuilder {
    method: Method,
    /// How long the Request-URI is.
    uri: usize,
    lines: Lines,
    body: Bytes,
}

/// A response being made.
#[derive(Clone)]
pub struct ResponseBuilder {
    status: StatusCode,
    /// How long the reason phrase is.
    reason: usize,
    lines: Lines,
    /// The Record-Routes of the request, with where their lines end.
    routes: SmallVec<[(Entry, u32); 2]>,
    /// The request, when it has any.
    request: Bytes,
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
            self.lines.replace(&HeaderName::CONTENT_TYPE, &Raw(content_type.as_bytes()));
            self.body = body.into();
            self
        }

        fn add(&mut self, name: &HeaderName, value: &impl super::scratch::Encode) {
            if is_content_length(name) {
                return;
            }
            if is_single(name) {
                self.lines.replace(name, value);
            } else {
                self.lines.push(name, value);
            }
        }
    };
}

impl RequestBuilder {
    /// A request with no header yet.
    pub(super) fn new(method: Method, uri: Bytes) -> Self {
        let lines = Lines::new([method.as_bytes(), b" ", &uri, b" SIP/2.0\r\n"], 448);
        Self { method, uri: uri.len(), lines, body: Bytes::new() }
    }

    common!(Request);

    /// The request, Content-Length included.
    #[must_use]
    pub fn build(self) -> Request {
        let (headers, body) = self.lines.finish(&self.body);
        let at = self.method.as_bytes().len() as u32 + 1;
        Request { method: self.method, uri: at..at + self.uri as u32, headers, body }
    }
}

impl ResponseBuilder {
    /// Copies what RFC 3261 §8.2.6.2 names, byte for byte, and Timestamp to a 100.
    #[inline]
    pub(super) fn new(request: &Headers, status: StatusCode) -> Self {
        // The lines in the order of the response: Via as often as it is there, of the others the first.
        let (bytes, entries) = (request.bytes(), request.entries());
        let mut vias = SmallVec::<[(Entry, &[u8]); 4]>::new();
        let mut others = [None; 5];
        let mut routes = SmallVec::new();
        let mut room = 0;
        for (number, entry) in entries.iter().enumerate() {
            // After the last line comes the empty one.
            let end = entries.get(number + 1).map_or(request.end().saturating_sub(2), Entry::start);
            let line = bytes.get(entry.start()..end).unwrap_or_default();
            let [from, to, call_id, cseq, timestamp] = &mut others;
            let place = match entry.known {
                Some(Known::Via) => {
                    vias.push((*entry, line));
                    room += line.len();
                    continue;
                }
                Some(Known::RecordRoute) => {
                    routes.push((*entry, end as u32));
                    continue;
                }
                Some(Known::From) => from,
                Some(Known::To) => to,
                Some(Known::CallId) => call_id,
                Some(Known::Cseq) => cseq,
                Some(Known::Timestamp) if status == StatusCode::TRYING => timestamp,
                _ => continue,
            };
            if place.is_none() {
                *place = Some((*entry, line));
                room += line.len();
            }
        }
        let mut lines = Lines::new(status_line(&status_digits(status), status.reason().as_bytes()), room);
        for (entry, line) in vias.into_iter().chain(others.into_iter().flatten()) {
            lines.keep(entry, line);
        }
        let request = if routes.is_empty() { Bytes::new() } else { bytes.clone() };
        Self { status, reason: status.reason().len(), lines, routes, request, body: Bytes::new() }
    }

    common!(Response);

    /// Gives To a tag, unless it has one (RFC 3261 §8.2.6.2). Bytes that are not those of a token are left out.
    #[must_use]
    #[inline]
    pub fn to_tag(mut self, tag: &[u8]) -> Self {
        if let Some(place) = self.lines.position(Known::To)
            && let Some(to) = self.lines.value(place)
            && !has_parameter(to, b"tag")
        {
            let mut parameter = SmallVec::<[u8; 64]>::from_slice(b";tag=");
            if is_token(tag) {
                parameter.extend_from_slice(tag);
            } else {
                parameter.extend(tag.iter().copied().filter(|byte| is_token_byte(*byte)));
            }
            self.lines.append(place, &parameter);
        }
        self
    }

    /// Sets the reason phrase. Control characters become spaces.
    #[must_use]
    pub fn reason(mut self, reason: &str) -> Self {
        let clean = reason.bytes().map(|byte| if byte.is_ascii_control() { b' ' } else { byte });
        let clean: Vec<u8> = clean.collect();
        self.lines.restart(status_line(&status_digits(self.status), &clean));
        self.reason = clean.len();
        self
    }

    /// Copies the Record-Routes of the request, as answers that make a dialog must (RFC 3261 §12.1.1).
    #[must_use]
    pub fn record_route(mut self) -> Self {
        for (entry, end) in &self.routes {
            let line = self.request.get(entry.start()..*end as usize).unwrap_or_default();
            self.lines.keep(*entry, line);
        }
        self
    }

    /// The response, Content-Length included.
    #[must_use]
    #[inline]
    pub fn build(self) -> Response {
        let start = STATUS_START as u32;
        let (headers, body) = self.lines.finish(&self.body);
        Response { status: self.status, reason: start..start + self.reason as u32, headers, body }
    }
}

/// Where the reason phrase begins.
const STATUS_START: usize = b"SIP/2.0 200 ".len();

fn status_digits(status: StatusCode) -> [u8; STATUS_START] {
    let code = status.as_u16();
    let digit = |divisor: u16| b'0' + (code / divisor % 10) as u8;
    [b'S', b'I', b'P', b'/', b'2', b'.', b'0', b' ', digit(100), digit(10), digit(1), b' ']
}

/// A status line in pieces.
const fn status_line<'a>(start: &'a [u8; STATUS_START], reason: &'a [u8]) -> [&'a [u8]; 4] {
    [start, reason, b"\r\n", b""]
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
