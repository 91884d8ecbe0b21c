//! What a 400 needs, of a message too broken to process but whole enough to answer.

use bytes::{BufMut, Bytes, BytesMut};

use super::builder::ResponseBuilder;
use super::index::line;
use super::{Limits, Message, Method, Request, StatusCode};
use crate::header::{HeaderName, token_length};

/// The Via, From, To, Call-ID and CSeq of a request that could not be parsed, as they were written.
#[derive(Debug, Clone)]
pub struct Answerable(Request);

impl Answerable {
    /// Looks for what an answer needs in bytes that [`Message::parse`] refused. Lines that are no headers are
    /// stepped over.
    ///
    /// `None` for what must not be answered: responses, ACK, and requests that lack one of the five.
    #[must_use]
    pub fn read(bytes: &[u8], limits: &Limits) -> Option<Self> {
        let bytes = bytes.get(..limits.message).unwrap_or(bytes);
        let start = bytes.iter().position(|byte| !matches!(byte, b'\r' | b'\n'))?;
        let bytes = bytes.get(start..)?;
        let method = bytes.get(..token_length(bytes))?;
        if method.is_empty() || method == b"ACK" || bytes.get(method.len()) != Some(&b' ') {
            return None;
        }
        let mut vias = BytesMut::new();
        let mut others: [Option<&[u8]>; 4] = [None; 4];
        let names = [HeaderName::FROM, HeaderName::TO, HeaderName::CALL_ID, HeaderName::CSEQ];
        let mut at = next_line(bytes, 0)?;
        let mut lines = 0;
        while at < bytes.len() && !bytes.get(at..)?.starts_with(b"\r\n") && lines < limits.headers {
            lines += 1;
            let Ok((entry, length)) = line(bytes.get(at..)?, at, limits) else {
                at = next_line(bytes, at).unwrap_or(bytes.len());
                continue;
            };
            let value = bytes.get(entry.value())?;
            if entry.is(bytes, &HeaderName::VIA) {
                put(&mut vias, &HeaderName::VIA, value);
            } else if let Some(slot) =
                names.iter().position(|name| entry.is(bytes, name)).and_then(|number| others.get_mut(number))
            {
                slot.get_or_insert(value);
            }
            at += length;
        }
        if vias.is_empty() {
            return None;
        }
        let mut clean = BytesMut::with_capacity(bytes.len());
        clean.put_slice(method);
        clean.put_slice(b" sip:invalid.invalid SIP/2.0\r\n");
        clean.put_slice(&vias);
        for (name, value) in names.iter().zip(others) {
            put(&mut clean, name, value?);
        }
        clean.put_slice(b"\r\n");
        let everything = Limits { message: usize::MAX, line: usize::MAX, ..*limits };
        match Message::parse(clean.freeze(), &everything) {
            Ok(Message::Request(request)) => Some(Self(request)),
            _ => None,
        }
    }

    /// The method, known or not.
    #[must_use]
    pub fn method(&self) -> &Method {
        self.0.method()
    }

    /// The five headers that were found; Via as often as it was there.
    #[must_use]
    pub fn headers(&self) -> &super::Headers {
        self.0.headers()
    }

    /// Begins a response with them (RFC 3261 §8.2.6).
    #[must_use]
    pub fn respond(&self, status: StatusCode) -> ResponseBuilder {
        ResponseBuilder::new(self.0.headers(), status)
    }
}

fn put(out: &mut BytesMut, name: &HeaderName, value: &[u8]) {
    out.put_slice(name.as_str().as_bytes());
    out.put_slice(b": ");
    out.put_slice(value);
    out.put_slice(b"\r\n");
}

/// Where the line after this one begins.
fn next_line(bytes: &[u8], at: usize) -> Option<usize> {
    memchr::memchr(b'\n', bytes.get(at..)?).map(|found| at + found + 1)
}

impl Message {
    /// What a 400 needs, of bytes that [`Message::parse`] refused.
    #[must_use]
    pub fn salvage(bytes: &Bytes, limits: &Limits) -> Option<Answerable> {
        Answerable::read(bytes, limits)
    }
}
