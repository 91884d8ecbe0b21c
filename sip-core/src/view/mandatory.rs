//! The fields that every message must have (RFC 3261 §8.1.1), over borrowed bytes.

use crate::error::{ErrorKind, ParseError, Part};
use crate::header::{HeaderName, Known};
use crate::view::headers::value_of;
use crate::view::{CSeq, CallId, From, HeaderView, Headers, MaxForwards, Message, To, Via};

/// The mandatory fields of a message: what [`crate::Mandatory`] is, and refused for the same reasons.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mandatory<'a> {
    /// The topmost Via.
    pub via: Via<'a>,
    /// Who sent the request.
    pub from: From<'a>,
    /// Whom the request was for in the first place.
    pub to: To<'a>,
    /// The Call-ID.
    pub call_id: CallId<'a>,
    /// The CSeq; in a request its method is that of the request.
    pub cseq: CSeq<'a>,
    /// The Max-Forwards, if there is one.
    pub max_forwards: Option<u8>,
}

/// Where a header's only line is.
#[derive(Clone, Copy, Default)]
struct Line {
    first: Option<u16>,
    second: Option<u16>,
}

impl Line {
    #[inline]
    fn note(&mut self, number: usize) {
        let number = u16::try_from(number).unwrap_or(u16::MAX);
        if self.first.is_none() {
            self.first = Some(number);
        } else if self.second.is_none() {
            self.second = Some(number);
        }
    }

    #[inline]
    fn read<'a, V: HeaderView<'a>>(self, headers: &Headers<'a>) -> Result<Option<V>, ParseError> {
        let place = |number: u16| headers.entries.get(usize::from(number));
        if let Some(second) = self.second {
            let offset = place(second).map_or(0, |entry| entry.start());
            return Err(ParseError::new(ErrorKind::Repeated, Part::Header(V::NAME), offset));
        }
        match self.first.and_then(place) {
            Some(entry) => value_of(headers.bytes, entry).map(Some),
            None => Ok(None),
        }
    }

    #[inline]
    fn require<'a, V: HeaderView<'a>>(self, headers: &Headers<'a>) -> Result<V, ParseError> {
        let missing = || ParseError::new(ErrorKind::Missing, Part::Header(V::NAME), headers.start());
        self.read(headers)?.ok_or_else(missing)
    }
}

impl<'a> Message<'a> {
    /// The fields that must be there, in one walk over the header section.
    ///
    /// # Errors
    /// When one is missing, repeated or malformed, or when the CSeq of a request has another method than its first line.
    pub fn mandatory(&self) -> Result<Mandatory<'a>, ParseError> {
        let headers = self.headers();
        let (mut via, mut from, mut to) = (Line::default(), Line::default(), Line::default());
        let (mut call_id, mut cseq, mut max_forwards) = (Line::default(), Line::default(), Line::default());
        for (number, entry) in headers.entries.iter().enumerate() {
            match entry.known {
                // Of Vias there may be many: the first counts.
                Some(Known::Via) if via.first.is_none() => via.note(number),
                Some(Known::From) => from.note(number),
                Some(Known::To) => to.note(number),
                Some(Known::CallId) => call_id.note(number),
                Some(Known::Cseq) => cseq.note(number),
                Some(Known::MaxForwards) => max_forwards.note(number),
                _ => {}
            }
        }
        let mandatory = Mandatory {
            via: via.require(headers)?,
            from: from.require(headers)?,
            to: to.require(headers)?,
            call_id: call_id.require(headers)?,
            cseq: cseq.require(headers)?,
            max_forwards: max_forwards.read::<MaxForwards>(headers)?.map(|max_forwards| max_forwards.0),
        };
        match self.method() {
            Some(method) if method != mandatory.cseq.method => {
                Err(ParseError::new(ErrorKind::Mismatch, Part::Header(HeaderName::CSEQ), 0))
            }
            _ => Ok(mandatory),
        }
    }
}

impl Mandatory<'_> {
    /// Fields of their own memory.
    #[must_use]
    pub fn to_owned(&self) -> crate::Mandatory {
        crate::Mandatory {
            via: self.via.to_owned(),
            from: self.from.to_owned(),
            to: self.to.to_owned(),
            call_id: crate::header::CallId(bytes::Bytes::copy_from_slice(self.call_id.0)),
            cseq: self.cseq.to_owned(),
            max_forwards: self.max_forwards,
        }
    }
}
