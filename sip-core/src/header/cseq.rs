//! CSeq (RFC 3261 §20.16).

use std::ops::Range;

use bytes::{BufMut, Bytes};

use crate::error::ParseError;
use crate::header::macros::text_forms;
use crate::header::{HeaderName, TypedHeader};
use crate::message::Method;
use crate::scan::{self, Cursor, Scan};
use crate::view::{self, HeaderView};

/// The order of requests within a dialog, and the method once more.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CSeq {
    /// The sequence number. What we begin is under 2³¹ (RFC 3261 §8.1.1.5).
    pub sequence: u32,
    /// The method of the request.
    pub method: Method,
}

impl CSeq {
    /// A CSeq of these two.
    #[must_use]
    pub const fn new(sequence: u32, method: Method) -> Self {
        Self { sequence, method }
    }

    pub(crate) fn scan(cursor: &mut Cursor<'_>) -> Scan<Self> {
        let bytes = cursor.bytes();
        Ok(view::CSeq::scan(cursor)?.keep(&bytes))
    }
}

impl TypedHeader for CSeq {
    const NAME: HeaderName = HeaderName::CSEQ;
    const LIST: bool = false;

    fn parse(value: &Bytes) -> Result<Self, ParseError> {
        scan::value(value, Self::NAME, Self::scan)
    }

    fn parse_at(message: &Bytes, range: Range<usize>) -> Result<Self, ParseError> {
        Ok(view::CSeq::parse(message.get(range).unwrap_or_default())?.keep(&message))
    }

    fn encode(&self, out: &mut impl BufMut) {
        crate::write::number(u64::from(self.sequence), out);
        out.put_u8(b' ');
        scan::put(self.method.as_bytes(), scan::TOKEN, out);
    }
}

text_forms!(CSeq);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    #[test]
    fn a_number_and_a_method_are_read() {
        for (text, sequence, method) in [
            ("4711 INVITE", 4711, Method::Invite),
            ("0009\r\n  INVITE", 9, Method::Invite),
            ("4294967295 NEWMETHOD", u32::MAX, "NEWMETHOD".parse().unwrap()),
        ] {
            let cseq: CSeq = text.parse().unwrap();
            assert_eq!(cseq, CSeq::new(sequence, method));
            assert_eq!(cseq.to_string().parse::<CSeq>().unwrap(), cseq);
        }
    }

    #[test]
    fn what_is_no_cseq_is_refused() {
        for (text, kind) in [
            ("36893488147419103232 REGISTER", ErrorKind::OutOfRange),
            ("4294967296 REGISTER", ErrorKind::OutOfRange),
            ("1INVITE", ErrorKind::Syntax),
            ("-1 INVITE", ErrorKind::Syntax),
            ("1", ErrorKind::Truncated),
            ("1 ", ErrorKind::Syntax),
            ("1 INVITE x", ErrorKind::Syntax),
        ] {
            assert_eq!(text.parse::<CSeq>().unwrap_err().kind, kind, "{text}");
        }
    }
}
