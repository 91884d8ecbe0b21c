//! A preference between 0 and 1 (RFC 3261 §25.1 qvalue).

use std::fmt;

use crate::error::ErrorKind;
use crate::scan::{Cursor, Fault, Scan};

/// A preference in thousandths, from 0 to 1000.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct QValue(u16);

impl QValue {
    /// What counts when none is written where a preference is expected.
    pub const ONE: Self = Self(1000);

    /// A preference of so many thousandths, at most 1000.
    #[must_use]
    pub const fn new(thousandths: u16) -> Option<Self> {
        if thousandths <= 1000 { Some(Self(thousandths)) } else { None }
    }

    /// The preference in thousandths.
    #[must_use]
    pub const fn thousandths(self) -> u16 {
        self.0
    }

    /// The `q` of a list of parameters: 1 if none is written, 0 if it is no preference.
    pub(crate) fn of(params: &crate::uri::Params) -> Self {
        params.get("q").map_or(Self::ONE, |value| value.and_then(Self::parse).unwrap_or(Self(0)))
    }

    /// Reads a preference that is the whole of `text`.
    #[must_use]
    pub fn parse(text: &[u8]) -> Option<Self> {
        let bytes = bytes::Bytes::copy_from_slice(text);
        let mut cursor = Cursor::new(&bytes);
        let value = Self::scan(&mut cursor).ok()?;
        cursor.is_empty().then_some(value)
    }

    /// Digits after the third do not count; a whole part may be missing, as in `.5`.
    pub(crate) fn scan(cursor: &mut Cursor<'_>) -> Scan<Self> {
        let offset = cursor.offset();
        let mut value = match cursor.peek() {
            Some(b'.') => 0,
            _ => cursor.number()?,
        };
        if value > 1 {
            return Err(Fault { kind: ErrorKind::OutOfRange, offset });
        }
        let mut unit = 100;
        value *= 1000;
        if cursor.eat(b'.') {
            while let Some(digit @ b'0'..=b'9') = cursor.peek() {
                value += u64::from(digit - b'0') * unit;
                unit /= 10;
                cursor.advance(1);
            }
        }
        match u16::try_from(value).ok().and_then(Self::new) {
            Some(value) => Ok(value),
            None => Err(Fault { kind: ErrorKind::OutOfRange, offset }),
        }
    }
}

impl fmt::Display for QValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            1000 => f.write_str("1"),
            0 => f.write_str("0"),
            thousandths => {
                let digits = format!("{thousandths:03}");
                write!(f, "0.{}", digits.trim_end_matches('0'))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn preferences_are_read_and_written_in_thousandths() {
        for (text, thousandths) in [
            ("0", 0),
            ("1", 1000),
            ("1.000", 1000),
            ("0.5", 500),
            ("0.05", 50),
            ("0.123", 123),
            ("0.", 0),
            (".7", 700),
            ("0.1239", 123),
        ] {
            let q = QValue::parse(text.as_bytes()).unwrap();
            assert_eq!(q.thousandths(), thousandths);
            assert_eq!(QValue::parse(q.to_string().as_bytes()), Some(q));
        }
        for text in ["", "2", "1.001", "-1", "x", "0.5x"] {
            assert_eq!(QValue::parse(text.as_bytes()), None, "{text}");
        }
    }
}
