//! Call-ID (RFC 3261 §20.8).

use bytes::{BufMut, Bytes};

use crate::error::ParseError;
use crate::header::macros::text_forms;
use crate::header::{HeaderName, TypedHeader};
use crate::scan;

/// What all messages of a dialog, or all registrations of a client, have in common. Compared byte by byte.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CallId(pub Bytes);

impl CallId {
    /// The identifier's bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl AsRef<[u8]> for CallId {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl TypedHeader for CallId {
    const NAME: HeaderName = HeaderName::CALL_ID;
    const LIST: bool = false;

    fn parse(value: &Bytes) -> Result<Self, ParseError> {
        scan::value(value, Self::NAME, |cursor| cursor.some(scan::WORD)).map(Self)
    }

    fn encode(&self, out: &mut impl BufMut) {
        scan::put(&self.0, scan::WORD, out);
    }
}

text_forms!(CallId);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_all_kinds_are_read_as_they_are() {
        for text in [
            "f81d4fae-7dec-11d0-a765-00a0c91e6bf6@biloxi.com",
            "a84b4c76e66710",
            "intmeth.word%ZK-!.*_+'@word`~)(><:\\/\"][?}{",
        ] {
            let call_id: CallId = text.parse().unwrap();
            assert_eq!(call_id.as_bytes(), text.as_bytes());
            assert_eq!(call_id.to_string(), text);
        }
    }

    #[test]
    fn nothing_and_two_words_are_refused() {
        for text in ["", "a b", "a\u{1}"] {
            assert!(text.parse::<CallId>().is_err(), "{text}");
        }
    }
}
