//! Changing a message without rendering it again: original slices and edits, written in one pass.

use std::fmt;
use std::io::IoSlice;

use bytes::{BufMut, Bytes, BytesMut};
use smallvec::SmallVec;

use super::draft::{Draft, Raw, Typed, is_content_length};
use super::{Headers, Request, Response};
use crate::header::{HeaderName, WriteHeader};
use crate::uri::Uri;

/// A message and the changes to it. Whatever is not changed is written byte for byte as it came, unknown headers
/// and odd spellings included; changed lines are written with the long form of their name.
///
/// Content-Length follows the body: edits that name it are ignored, but for its removal.
#[derive(Clone)]
pub struct Edit<M> {
    message: M,
    draft: Draft,
    uri: Option<Bytes>,
    body: Option<Bytes>,
}

/// A message that can be edited: [`Request`] or [`Response`].
pub trait Editable: sealed::Sealed {}

impl Editable for Request {}
impl Editable for Response {}

mod sealed {
    use super::*;

    pub trait Sealed: Sized {
        fn base(&self) -> &Headers;
        fn original_body(&self) -> &Bytes;
        /// The first line in pieces, the third of which a new URI replaces.
        fn start<'a>(&'a self, uri: Option<&'a Bytes>) -> [&'a [u8]; 4];
        fn rebuild(&self, start: [&[u8]; 4], headers: Headers, body: Bytes) -> Self;
    }
}

impl sealed::Sealed for Request {
    fn base(&self) -> &Headers {
        &self.headers
    }

    fn original_body(&self) -> &Bytes {
        &self.body
    }

    fn start<'a>(&'a self, uri: Option<&'a Bytes>) -> [&'a [u8]; 4] {
        let line = self.headers.bytes().get(..self.headers.start()).unwrap_or_default();
        let range = self.uri_range();
        [
            line.get(..range.start).unwrap_or_default(),
            &[],
            uri.map_or(self.uri_bytes(), |uri| uri),
            line.get(range.end..).unwrap_or_default(),
        ]
    }

    fn rebuild(&self, start: [&[u8]; 4], headers: Headers, body: Bytes) -> Self {
        let [method, space, uri, _] = start;
        let at = (method.len() + space.len()) as u32;
        Self { method: self.method.clone(), uri: at..at + uri.len() as u32, headers, body }
    }
}

impl sealed::Sealed for Response {
    fn base(&self) -> &Headers {
        &self.headers
    }

    fn original_body(&self) -> &Bytes {
        &self.body
    }

    fn start<'a>(&'a self, _: Option<&'a Bytes>) -> [&'a [u8]; 4] {
        [self.headers.bytes().get(..self.headers.start()).unwrap_or_default(), &[], &[], &[]]
    }

    fn rebuild(&self, _: [&[u8]; 4], headers: Headers, body: Bytes) -> Self {
        Self { status: self.status, reason: self.reason.clone(), headers, body }
    }
}

impl<M: Editable> Edit<M> {
    #[inline]
    pub(super) fn new(message: M) -> Self {
        let draft = Draft::all(message.base());
        Self { message, draft, uri: None, body: None }
    }

    /// Adds a line above the first one of its name, or above all headers.
    pub fn push_front<H: WriteHeader>(&mut self, header: &H) {
        if !is_content_length(&H::FIELD) {
            self.draft.push_front(self.message.base(), &H::FIELD, &Typed(header));
        }
    }

    /// Adds a line below the last one of its name, or below all headers.
    pub fn push_back<H: WriteHeader>(&mut self, header: &H) {
        if !is_content_length(&H::FIELD) {
            self.draft.push_back(self.message.base(), &H::FIELD, &Typed(header));
        }
    }

    /// Adds a line below all headers. A CR or LF in the value becomes a space.
    pub fn push_raw(&mut self, name: &HeaderName, value: &[u8]) {
        if !is_content_length(name) {
            self.draft.push(name, &Raw(value));
        }
    }

    /// Puts one line in the place of all of its name, or below all headers when there is none.
    pub fn replace<H: WriteHeader>(&mut self, header: &H) {
        if !is_content_length(&H::FIELD) {
            self.draft.replace(self.message.base(), &H::FIELD, &Typed(header));
        }
    }

    /// As [`Edit::replace`], with a value in bytes. A CR or LF in it becomes a space.
    pub fn replace_raw(&mut self, name: &HeaderName, value: &[u8]) {
        if !is_content_length(name) {
            self.draft.replace(self.message.base(), name, &Raw(value));
        }
    }

    /// Puts a value in the place of the topmost one, joined by commas to others or not; below all headers when
    /// there is none.
    pub fn replace_first<H: WriteHeader>(&mut self, header: &H) {
        if !is_content_length(&H::FIELD) {
            self.draft.replace_first(self.message.base(), header);
        }
    }

    /// Takes away the topmost value, joined by commas to others or not. Says whether there was one.
    pub fn pop_front(&mut self, name: &HeaderName) -> bool {
        self.draft.pop_front(self.message.base(), name)
    }

    /// Takes away every line of a name, in whatever case and form. Says whether there was one.
    pub fn remove(&mut self, name: &HeaderName) -> bool {
        self.draft.remove(self.message.base(), name)
    }

    /// Whether there is a line of this name, edits considered.
    #[must_use]
    pub fn contains(&self, name: &HeaderName) -> bool {
        self.draft.contains(self.message.base(), name)
    }

    /// Sets the body and Content-Length. Without a content type the one that there is stays, and goes with an
    /// empty body.
    pub fn set_body(&mut self, content_type: Option<&str>, body: Bytes) {
        let base = self.message.base();
        match content_type {
            Some(content_type) => {
                self.draft.replace(base, &HeaderName::CONTENT_TYPE, &Raw(content_type.as_bytes()));
            }
            None if body.is_empty() => {
                self.draft.remove(base, &HeaderName::CONTENT_TYPE);
            }
            None => {}
        }
        self.draft.replace(base, &HeaderName::CONTENT_LENGTH, &Decimal(body.len()));
        self.body = Some(body);
    }

    /// Adds a Content-Length where there is none, which a datagram may lack but a stream must not
    /// (RFC 3261 §18.3).
    pub fn ensure_content_length(&mut self) {
        let length = self.body().len();
        let base = self.message.base();
        if !self.draft.contains(base, &HeaderName::CONTENT_LENGTH) {
            self.draft.push(&HeaderName::CONTENT_LENGTH, &Decimal(length));
        }
    }

    /// How many bytes the message is now.
    #[must_use]
    pub fn encoded_len(&self) -> usize {
        let mut length = 0;
        self.visit(&mut |slice| length += slice.len());
        length
    }

    /// Writes the message in one pass.
    pub fn write(&self, out: &mut impl BufMut) {
        self.visit(&mut |slice| out.put_slice(slice));
    }

    /// The message as it is now, written in one pass into one allocation of its length.
    #[must_use]
    pub fn to_bytes(&self) -> Bytes {
        let mut pieces = SmallVec::<[&[u8]; 24]>::new();
        let mut length = 0;
        self.visit(&mut |slice| {
            length += slice.len();
            pieces.push(slice);
        });
        let mut out = Vec::with_capacity(length);
        for piece in &pieces {
            out.extend_from_slice(piece);
        }
        out.into()
    }

    /// The message as slices for a vectored write: original ones and edits, in order.
    #[must_use]
    pub fn io_slices(&self) -> Vec<IoSlice<'_>> {
        let mut slices = Vec::new();
        self.visit(&mut |slice| slices.push(IoSlice::new(slice)));
        slices
    }

    /// The edited message, indexed without being parsed again.
    #[must_use]
    pub fn finish(&self) -> M {
        let start = self.message.start(self.uri.as_ref());
        let (headers, body) = self.draft.assemble(self.message.base(), start, self.body());
        self.message.rebuild(start, headers, body)
    }

    fn body(&self) -> &Bytes {
        self.body.as_ref().unwrap_or(self.message.original_body())
    }

    /// Visits what is written, in order. Slices that are empty are left out.
    fn visit<'a>(&'a self, visit: &mut impl FnMut(&'a [u8])) {
        let mut visit = |slice: &'a [u8]| {
            if !slice.is_empty() {
                visit(slice);
            }
        };
        for piece in self.message.start(self.uri.as_ref()) {
            visit(piece);
        }
        self.draft.visit(self.message.base(), &mut visit);
        visit(b"\r\n");
        visit(self.body());
    }
}

impl Edit<Request> {
    /// Rewrites the Request-URI.
    pub fn set_uri(&mut self, uri: &Uri) {
        let mut written = BytesMut::new();
        uri.encode(&mut written);
        self.set_uri_bytes(&written);
    }

    /// Rewrites the Request-URI. White space and control characters, which no URI has, are escaped.
    pub fn set_uri_bytes(&mut self, uri: &[u8]) {
        self.uri = Some(clean_uri(uri));
    }
}

impl<M: Editable> fmt::Debug for Edit<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Edit").field("encoded_len", &self.encoded_len()).finish_non_exhaustive()
    }
}

/// A number in decimal.
pub(super) struct Decimal(pub(super) usize);

impl super::scratch::Encode for Decimal {
    fn encode(&self, out: &mut impl BufMut) {
        let mut digits = [0; 20];
        let mut left = self.0;
        let mut length = 0;
        for slot in digits.iter_mut().rev() {
            *slot = b'0' + (left % 10) as u8;
            left /= 10;
            length += 1;
            if left == 0 {
                break;
            }
        }
        out.put_slice(digits.get(digits.len() - length..).unwrap_or_default());
    }
}

/// A URI that cannot break the request line.
pub(super) fn clean_uri(uri: &[u8]) -> Bytes {
    if !uri.iter().any(|byte| *byte <= b' ' || *byte == 0x7f) {
        return Bytes::copy_from_slice(uri);
    }
    const HEX: [u8; 16] = *b"0123456789ABCDEF";
    let mut out = Vec::with_capacity(uri.len() + 8);
    for byte in uri {
        if *byte <= b' ' || *byte == 0x7f {
            let hex = |digit: u8| HEX.get(usize::from(digit & 15)).copied().unwrap_or(b'0');
            out.extend([b'%', hex(byte >> 4), hex(*byte)]);
        } else {
            out.push(*byte);
        }
    }
    out.into()
}
