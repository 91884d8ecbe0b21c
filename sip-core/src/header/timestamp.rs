//! Timestamp (RFC 3261 §20.38).

use bytes::{BufMut, Bytes};

use crate::error::ParseError;
use crate::header::macros::text_forms;
use crate::header::{HeaderName, TypedHeader};
use crate::scan::{self, Cursor};

/// When the client sent the request, by a clock of its own, and how long the server took.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Timestamp {
    /// The client's reading as written, digits and perhaps a point, because it must come back unchanged.
    pub time: Bytes,
    /// The seconds that the server took, as written.
    pub delay: Option<Bytes>,
}

/// The digits of a number with at most one point.
fn decimal(cursor: &mut Cursor<'_>) -> Bytes {
    let start = cursor.offset();
    let rest = cursor.rest();
    let mut points = 0;
    let length = rest
        .iter()
        .position(|&byte| {
            points += u32::from(byte == b'.');
            !(byte.is_ascii_digit() || byte == b'.' && points == 1)
        })
        .unwrap_or(rest.len());
    cursor.advance(length);
    cursor.since(start)
}

fn put_decimal(number: &[u8], out: &mut impl BufMut) {
    for &byte in number {
        if byte.is_ascii_digit() || byte == b'.' {
            out.put_u8(byte);
        }
    }
}

impl TypedHeader for Timestamp {
    const NAME: HeaderName = HeaderName::TIMESTAMP;
    const LIST: bool = false;

    fn parse(value: &Bytes) -> Result<Self, ParseError> {
        scan::value(value, Self::NAME, |cursor| {
            if !cursor.peek().is_some_and(|byte| byte.is_ascii_digit()) {
                return Err(cursor.wrong());
            }
            let time = decimal(cursor);
            let spaced = cursor.offset();
            cursor.skip_space();
            let delay = if cursor.offset() > spaced && !cursor.is_empty() { Some(decimal(cursor)) } else { None };
            Ok(Self { time, delay: delay.filter(|delay| !delay.is_empty()) })
        })
    }

    fn encode(&self, out: &mut impl BufMut) {
        put_decimal(&self.time, out);
        if let Some(delay) = &self.delay {
            out.put_u8(b' ');
            put_decimal(delay, out);
        }
    }
}

text_forms!(Timestamp);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::macros::examples;

    examples! {
        Timestamp, the_example_of_rfc_3261_is_read_and_written,
        same: ["54", "54.21 0.003", "54. .5"],
        other: ["54.21   1"],
        refused: ["", ".5", "x", "1.2.3", "1 x", "1 2 3"]
    }
}
