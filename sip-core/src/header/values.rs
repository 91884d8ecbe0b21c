//! Splitting a header line at its commas.

use bytes::Bytes;

use super::TypedHeader;

/// The values of one header line, each with its offset in the line's value. Commas within quoted strings and
/// within angle brackets do not split; what ends with a comma, as RFC 7118 prints a Route, ends there.
#[derive(Debug, Clone)]
pub struct Values {
    rest: Option<(usize, Bytes)>,
    list: bool,
}

impl Values {
    /// The values of a line of this type.
    #[must_use]
    pub fn of<H: TypedHeader>(line: Bytes) -> Self {
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
        // Nothing behind the last comma is no value.
        if !trim(rest.get(length + 1..).unwrap_or_default()).is_empty() {
            self.rest = Some((offset + length + 1, rest.slice(length + 1..)));
        }
        let value = rest.get(..length).unwrap_or_default();
        let start = length - trim_start(value).len();
        let end = start + trim(value).len();
        let value = if start == 0 && end == rest.len() { rest } else { rest.slice(start..end) };
        Some((offset + start, value))
    }
}

/// Whether a byte may be part of linear white space (RFC 3261 §25.1): fewer than ASCII calls white.
fn is_white(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

/// Without the linear white space in front.
pub(crate) fn trim_start(bytes: &[u8]) -> &[u8] {
    let start = bytes.iter().position(|byte| !is_white(*byte)).unwrap_or(bytes.len());
    bytes.get(start..).unwrap_or_default()
}

/// Without the linear white space behind.
pub(crate) fn trim_end(bytes: &[u8]) -> &[u8] {
    let end = bytes.iter().rposition(|byte| !is_white(*byte)).map_or(0, |last| last + 1);
    bytes.get(..end).unwrap_or_default()
}

/// Without the linear white space on both sides.
pub(crate) fn trim(bytes: &[u8]) -> &[u8] {
    trim_end(trim_start(bytes))
}

/// Where the first comma is that ends a value, or the length of it all.
pub(crate) fn value_length(line: &[u8]) -> usize {
    // Most lines have one value.
    if crate::scan::find(b',', line).is_none() {
        return line.len();
    }
    outside(line).find(|(_, byte)| *byte == b',').map_or(line.len(), |(offset, _)| offset)
}

/// Whether a value has a parameter of this name behind its address.
pub(crate) fn has_parameter(value: &[u8], name: &[u8]) -> bool {
    // Most have none at all.
    if crate::scan::find(b';', value).is_none() {
        return false;
    }
    outside(value).any(|(offset, byte)| {
        let rest = value.get(offset + 1..).unwrap_or_default();
        let rest = trim_start(rest);
        byte == b';'
            && rest.get(..name.len()).is_some_and(|written| written.eq_ignore_ascii_case(name))
            && rest.get(name.len()).is_none_or(|next| !super::is_token_byte(*next))
    })
}

/// The bytes that are neither in a quoted string nor in angle brackets.
fn outside(line: &[u8]) -> impl Iterator<Item = (usize, u8)> + '_ {
    let mut quoted = false;
    let mut bracketed = false;
    let mut escaped = false;
    line.iter().copied().enumerate().filter(move |(_, byte)| {
        if quoted {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => quoted = false,
                _ => {}
            }
            return false;
        }
        if bracketed {
            bracketed = *byte != b'>';
            return false;
        }
        quoted = *byte == b'"';
        bracketed = *byte == b'<';
        !quoted && !bracketed
    })
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

    #[test]
    fn a_parameter_counts_only_behind_the_address() {
        for (value, has) in [
            (&b"<sip:a;tag=1>"[..], false),
            (b"\";tag=1\" <sip:a>", false),
            (b"<sip:a>;tag=1", true),
            (b"sip:a ; TAG=1", true),
            (b"<sip:a>;tagged=1", false),
            (b"<sip:a>;tag", true),
        ] {
            assert_eq!(has_parameter(value, b"tag"), has, "{value:?}");
        }
    }
}
