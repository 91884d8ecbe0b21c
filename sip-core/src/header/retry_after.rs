//! Retry-After (RFC 3261 §20.33).

use bytes::{BufMut, Bytes};

use crate::error::ParseError;
use crate::header::macros::text_forms;
use crate::header::{HeaderName, TypedHeader};
use crate::scan::{self, Cursor, Scan};
use crate::uri::Params;

/// After how many seconds to try again.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RetryAfter {
    /// The seconds. Too large a number counts as the largest.
    pub seconds: u32,
    /// What a person may read, as written between the outer parentheses.
    pub comment: Option<Bytes>,
    /// Duration and others.
    pub params: Params,
}

impl RetryAfter {
    /// So many seconds, and nothing more.
    #[must_use]
    pub const fn new(seconds: u32) -> Self {
        Self { seconds, comment: None, params: Params::new() }
    }

    /// For how many seconds the callee can then be reached.
    #[must_use]
    pub fn duration(&self) -> Option<u32> {
        self.params.number("duration")
    }
}

/// Where a comment ends: it may hold others, and `\)`. The cursor stands behind its `(`.
fn scan_comment(cursor: &mut Cursor<'_>) -> Scan<Bytes> {
    let start = cursor.offset();
    let length = comment_length(cursor.rest());
    cursor.advance(length);
    let comment = cursor.since(start);
    if cursor.eat(b')') { Ok(comment) } else { Err(cursor.wrong()) }
}

fn comment_length(text: &[u8]) -> usize {
    let mut depth = 0usize;
    let mut escaped = false;
    for (at, &byte) in text.iter().enumerate() {
        match byte {
            _ if !scan::is(byte, scan::TEXT) => return at,
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'(' => depth += 1,
            b')' if depth == 0 => return at,
            b')' => depth -= 1,
            _ => {}
        }
    }
    // An escape or an inner comment that does not end is an error of the whole.
    text.len()
}

/// Whether a comment can be written as it is: it ends exactly where its text ends.
fn is_balanced(comment: &[u8]) -> bool {
    let closed = [comment, b")"].concat();
    comment_length(&closed) == comment.len()
}

impl TypedHeader for RetryAfter {
    const NAME: HeaderName = HeaderName::RETRY_AFTER;
    const LIST: bool = false;

    fn parse(value: &Bytes) -> Result<Self, ParseError> {
        scan::value(value, Self::NAME, |cursor| {
            let seconds = cursor.seconds()?;
            cursor.skip_space();
            let comment = if cursor.eat(b'(') { Some(scan_comment(cursor)?) } else { None };
            Ok(Self { seconds, comment, params: Params::scan(cursor)? })
        })
    }

    fn encode(&self, out: &mut impl BufMut) {
        crate::write::number(u64::from(self.seconds), out);
        // A comment that would not end where it should is left out.
        if let Some(comment) = self.comment.as_deref().filter(|comment| is_balanced(comment)) {
            out.put_slice(b" (");
            out.put_slice(comment);
            out.put_u8(b')');
        }
        self.params.encode(out);
    }
}

text_forms!(RetryAfter);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::macros::examples;

    examples! {
        RetryAfter, the_examples_of_rfc_3261_are_read_and_written,
        same: ["18000;duration=3600", "120 (I'm in a meeting)", "5 (a (nested \\) one));x"],
        other: ["949302838503028349304023988"],
        refused: ["", "x", "(5)", "5 (open", "5 (open\\)", "5 ((a)", "5 a"]
    }

    #[test]
    fn a_comment_that_does_not_end_right_is_not_written() {
        for comment in ["a)b", "(", "a\\", "a\r\nVia: x"] {
            let value = RetryAfter { comment: Some(Bytes::from(comment.as_bytes())), ..RetryAfter::new(5) };
            assert_eq!(value.to_string(), "5");
        }
        assert_eq!("5;duration=7".parse::<RetryAfter>().unwrap().duration(), Some(7));
    }
}
