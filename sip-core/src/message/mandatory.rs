//! The fields that every message must have (RFC 3261 §8.1.1).

use super::{Entry, Headers};
use crate::error::{ErrorKind, ParseError, Part};
use crate::header::{
    CSeq, CallId, From, HeaderName, Known, MaxForwards, To, TypedHeader, Via, trim, trim_start, value_length,
};
use crate::scan::Keep;
use crate::view::{self, HeaderView};

/// The mandatory fields of a message, parsed. Max-Forwards may lack: elements of RFC 2543 did not send it
/// (RFC 3261 §16.3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mandatory {
    /// The topmost Via.
    pub via: Via,
    /// Who sent the request.
    pub from: From,
    /// Whom the request was for in the first place.
    pub to: To,
    /// The Call-ID.
    pub call_id: CallId,
    /// The CSeq; in a request its method is that of the request.
    pub cseq: CSeq,
    /// The Max-Forwards, if there is one.
    pub max_forwards: Option<u8>,
}

impl Mandatory {
    /// Reads the fields of a header section.
    pub(super) fn read(headers: &Headers) -> Result<Self, ParseError> {
        let Some((via, from, to, call_id, cseq, max_forwards)) = places(headers) else {
            return Self::search(headers);
        };
        let bytes = headers.bytes();
        let via: view::Via<'_> = value(bytes, via)?;
        let from: view::From<'_> = value(bytes, from)?;
        let to: view::To<'_> = value(bytes, to)?;
        let call_id: view::CallId<'_> = value(bytes, call_id)?;
        let cseq: view::CSeq<'_> = value(bytes, cseq)?;
        let max_forwards: Option<view::MaxForwards> = max_forwards.map(|entry| value(bytes, entry)).transpose()?;
        Ok(Self {
            via: via.keep(&bytes),
            from: From { name_addr: from.0.keep(&bytes) },
            to: To { name_addr: to.0.keep(&bytes) },
            call_id: CallId((&bytes).keep(call_id.0)),
            cseq: cseq.keep(&bytes),
            max_forwards: max_forwards.map(|max_forwards| max_forwards.0),
        })
    }

    /// As [`Mandatory::read`], of headers of which one is missing or too many.
    #[cold]
    fn search(headers: &Headers) -> Result<Self, ParseError> {
        Ok(Self {
            via: headers.require()?,
            from: one(headers)?,
            to: one(headers)?,
            call_id: one(headers)?,
            cseq: one(headers)?,
            max_forwards: at_most_one::<MaxForwards>(headers)?.map(|max_forwards| max_forwards.0),
        })
    }

    /// Compares the CSeq's method to the request's (RFC 3261 §8.1.1.5).
    #[inline]
    pub(super) fn check_method(&self, method: &crate::Method) -> Result<(), ParseError> {
        if self.cseq.method == *method {
            Ok(())
        } else {
            Err(ParseError::new(ErrorKind::Mismatch, Part::Header(HeaderName::CSEQ), 0))
        }
    }
}

type Places<'a> = (&'a Entry, &'a Entry, &'a Entry, &'a Entry, &'a Entry, Option<&'a Entry>);

/// The lines of the topmost Via, of From, To, Call-ID, CSeq and perhaps Max-Forwards, in one pass; `None` when one is
/// missing, folded, or there more than once and may not.
fn places(headers: &Headers) -> Option<Places<'_>> {
    let [mut via, mut from, mut to, mut call_id, mut cseq, mut max_forwards] = [None; 6];
    for entry in headers.entries() {
        let place = match entry.known {
            Some(Known::Via) if via.is_some() => continue,
            Some(Known::Via) => &mut via,
            Some(Known::From) => &mut from,
            Some(Known::To) => &mut to,
            Some(Known::CallId) => &mut call_id,
            Some(Known::Cseq) => &mut cseq,
            Some(Known::MaxForwards) => &mut max_forwards,
            _ => continue,
        };
        if entry.folded || place.replace(entry).is_some() {
            return None;
        }
    }
    Some((via?, from?, to?, call_id?, cseq?, max_forwards))
}

/// The first value of a line that is not folded.
#[inline]
fn value<'a, V: HeaderView<'a>>(bytes: &'a [u8], entry: &Entry) -> Result<V, ParseError> {
    let range = entry.value();
    let mut start = range.start;
    let mut value = bytes.get(range).unwrap_or_default();
    if V::LIST {
        let first = value.get(..value_length(value)).unwrap_or_default();
        start += first.len() - trim_start(first).len();
        value = trim(first);
    }
    V::parse(value).map_err(|error| ParseError { offset: error.offset + start, ..error })
}

/// The value of a header that must be there exactly once.
fn one<H: TypedHeader>(headers: &Headers) -> Result<H, ParseError> {
    at_most_one(headers)?.ok_or_else(|| ParseError::new(ErrorKind::Missing, Part::Header(H::NAME), headers.start()))
}

fn at_most_one<H: TypedHeader>(headers: &Headers) -> Result<Option<H>, ParseError> {
    if let Some(second) = headers.lines(&H::NAME).nth(1) {
        return Err(ParseError::new(ErrorKind::Repeated, Part::Header(H::NAME), second.start()));
    }
    headers.typed()
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use proptest::prelude::*;

    use super::*;
    use crate::message::{Limits, Message};

    const LINES: [&str; 6] = [
        "Via: SIP/2.0/UDP h;branch=z9hG4bK1, SIP/2.0/TCP i",
        "f: \"A\" <sip:a@h>;tag=1",
        "To: sip:b@h",
        "Call-ID: c@h",
        "CSeq: 7 INVITE",
        "Max-Forwards: 69",
    ];

    fn read(method: &str, lines: &[&str]) -> Result<Mandatory, ParseError> {
        let text = format!("{method} sip:b@h SIP/2.0\r\n{}\r\n\r\n", lines.join("\r\n"));
        match Message::parse(Bytes::from(text), &Limits::default()).unwrap() {
            Message::Request(request) => request.mandatory(),
            Message::Response(response) => response.mandatory(),
        }
    }

    #[test]
    fn the_fields_are_read() {
        let mandatory = read("INVITE", &LINES).unwrap();
        assert_eq!(mandatory.via.branch(), Some(&b"z9hG4bK1"[..]));
        assert_eq!((mandatory.from.tag(), mandatory.to.tag()), (Some(&b"1"[..]), None));
        assert_eq!(mandatory.call_id.as_bytes(), b"c@h");
        assert_eq!((mandatory.cseq.sequence, mandatory.max_forwards), (7, Some(69)));
        assert_eq!(read("INVITE", &LINES[..5]).unwrap().max_forwards, None);
    }

    #[test]
    fn each_of_them_may_be_neither_missing_nor_repeated() {
        for (number, line) in LINES.iter().enumerate() {
            let mut lines = LINES.to_vec();
            lines.push(line);
            if number > 0 {
                assert_eq!(read("INVITE", &lines).unwrap_err().kind, ErrorKind::Repeated, "{line}");
            }
            lines.retain(|other| other != line);
            if number < 5 {
                assert_eq!(read("INVITE", &lines).unwrap_err().kind, ErrorKind::Missing, "{line}");
            }
        }
    }

    #[test]
    fn the_method_is_the_same_in_both_places() {
        let error = read("OPTIONS", &LINES).unwrap_err();
        assert_eq!((error.kind, error.part), (ErrorKind::Mismatch, Part::Header(HeaderName::CSEQ)));
    }

    /// Lines that are whole, in other forms, without a value, or wrong.
    const POOL: [&str; 24] = [
        LINES[0],
        LINES[1],
        LINES[2],
        LINES[3],
        LINES[4],
        LINES[5],
        "v: SIP / 2.0 / UDP first.example.com: 4000;ttl=16\r\n ;branch=z9hG4bKa7c6a8dlze.1",
        "Via: , SIP/2.0/UDP h;branch=z9hG4bK2",
        "Via:",
        "VIA : SIP/2.0/TLS [2001:db8::1]:5061;rport;received=192.0.2.1;branch=\"a;b\"",
        "From : \"B, C\"\r\n <sip:b:pass%20word@h:5060;transport=tcp?subject=x>\r\n\t;tag=2",
        "From: tel:+1-201;tag=x;y",
        "t: <urn:service:sos>;tag=3",
        "To: Alice Bob <sips:192.0.2.300>",
        "To:",
        "i: a b",
        "Call-ID: \r\n folded@h",
        "CSeq: 4294967296 INVITE",
        "cseq:  8 \r\n OPTIONS",
        "Max-Forwards: 256",
        "Max-Forwards: \r\n 9",
        "Contact: <sip:c@h>",
        "Subject: From: <sip:x>",
        "Content-Length: 0",
    ];

    proptest! {
        #[test]
        fn one_pass_reads_what_a_search_for_each_reads(
            order in Just((0..6_usize).collect::<Vec<_>>()).prop_shuffle(),
            changes in prop::collection::vec((0..8_usize, 0..POOL.len(), 0..3_u8), 0..4),
            bytes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..3),
        ) {
            let mut lines: Vec<&str> = order.iter().map(|number| POOL[*number]).collect();
            for (at, line, how) in changes {
                let at = at.min(lines.len());
                match how {
                    0 => lines.insert(at, POOL[line]),
                    1 if at < lines.len() => lines[at] = POOL[line],
                    _ if at < lines.len() => drop(lines.remove(at)),
                    _ => {}
                }
            }
            let start = b"INVITE sip:b@h SIP/2.0\r\n";
            let mut text = [start, lines.join("\r\n").as_bytes(), b"\r\n\r\n"].concat();
            for (at, byte) in bytes {
                let at = start.len() + at.index(text.len() - start.len());
                text[at] = byte;
            }
            if let Ok(message) = Message::parse(text.into(), &Limits::default()) {
                prop_assert_eq!(Mandatory::read(message.headers()), Mandatory::search(message.headers()));
            }
        }
    }
}
