//! Splitting a header line at its commas.

use bytes::Bytes;

use super::TypedHeader;

/// The values of one header line, each with its offset in the line's value. Commas within quoted strings and
/// within angle brackets do not split.
#[derive(Debug, Clone)]
pub struct Values {
    rest: Option<(usize, Bytes)>,
    list: bool,
}

impl Values {
    /// The values of a line of this type.
    #[must_use]
    pub fn new<H: TypedHeader>(line: Bytes) -> Self {
        let rest = if H::EMPTY && line.is_empty() { None } else { Some((0, line)) };
        Self { rest, list: H::LIST }
    }
}

impl Iterator for Values {
    type Item = (usize, Bytes);

    fn next(&mut self) -> Option<Self::Item> {
        let (offset, rest) = self.rest.take()?;
        if !self.list {
            return Some((offset, rest));
        }
        let length = value_length(&rest);
        if length < rest.len() {
            self.rest = Some((offset + length + 1, rest.slice(length + 1..)));
        }
        let value = rest.get(..length).unwrap_or_default();
        let start = length - value.trim_ascii_start().len();
        let end = start + value.trim_ascii().len();
        let value = if start == 0 && end == rest.len() { rest } else { rest.slice(start..end) };
        Some((offset + start, value))
    }
}

/// Where the first comma is that ends a value, or the length of it all.
pub(crate) fn value_length(line: &[u8]) -> usize {
    let mut quoted = false;
    let mut bracketed = false;
    let mut escaped = false;
    for (offset, byte) in line.iter().enumerate() {
        if quoted {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => quoted = false,
                _ => {}
            }
            continue;
        }
        match byte {
            b'>' if bracketed => bracketed = false,
            _ if bracketed => {}
            b'"' => quoted = true,
            b'<' => bracketed = true,
            b',' => return offset,
            _ => {}
        }
    }
    line.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commas_in_quotes_and_brackets_do_not_split() {
        assert_eq!(value_length(b"\"a, b\" <sip:x,y>;p=\"\\\",\", c"), 24);
        assert_eq!(value_length(b"\"a, b <sip:x>"), 13);
        assert_eq!(value_length(b","), 0);
    }
}
