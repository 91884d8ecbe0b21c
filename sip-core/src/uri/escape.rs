//! Percent escapes (RFC 3261 §19.1.2, RFC 3986 §2.1).

use std::borrow::Cow;

use bytes::BufMut;

use crate::scan;

fn hex(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

/// The next byte of an escaped text, whether it was escaped, and what follows. A `%` without two hexadecimal digits
/// stands for itself.
pub(crate) fn next(text: &[u8]) -> Option<(u8, bool, &[u8])> {
    let (&first, rest) = text.split_first()?;
    if first == b'%'
        && let Some(([high, low], tail)) = rest.split_first_chunk()
        && let (Some(high), Some(low)) = (hex(*high), hex(*low))
    {
        return Some((high << 4 | low, true, tail));
    }
    Some((first, false, rest))
}

/// Resolves the percent escapes of `text`, once: `%2541` becomes `%41`. The result may hold any byte, zero too.
#[must_use]
pub fn decode(text: &[u8]) -> Cow<'_, [u8]> {
    if memchr::memchr(b'%', text).is_none() {
        return Cow::Borrowed(text);
    }
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((byte, _, tail)) = next(rest) {
        out.push(byte);
        rest = tail;
    }
    Cow::Owned(out)
}

/// Whether every `%` is followed by two hexadecimal digits.
pub(crate) fn is_well_formed(text: &[u8]) -> bool {
    memchr::memchr_iter(b'%', text)
        .all(|at| text.get(at + 1..at + 3).is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit)))
}

fn put_escaped(byte: u8, out: &mut impl BufMut) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    out.put_u8(b'%');
    for nibble in [byte >> 4, byte & 15] {
        out.put_u8(DIGITS.get(usize::from(nibble)).copied().unwrap_or(b'0'));
    }
}

/// Writes text that is escaped already; bytes that the class does not hold are escaped now.
pub(crate) fn put(text: &[u8], mask: u16, out: &mut impl BufMut) {
    if scan::all(text, mask) {
        out.put_slice(text);
        return;
    }
    for &byte in text {
        if scan::is(byte, mask) { out.put_u8(byte) } else { put_escaped(byte, out) }
    }
}

/// Escapes plain text: everything but the unreserved bytes (RFC 3261 §25.1) and those of `keep`.
pub(crate) fn encode(text: &[u8], keep: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    for &byte in text {
        if byte.is_ascii_alphanumeric() || b"-_.!~*'()".contains(&byte) || keep.contains(&byte) {
            out.push(byte);
        } else {
            put_escaped(byte, &mut out);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_escape_is_resolved_once_and_never_twice() {
        assert_eq!(decode(b"a%2541%00%zz%4"), &b"a%41\0%zz%4"[..]);
        assert_eq!(decode(&encode(b"a%41 \0", b"")), &b"a%41 \0"[..]);
        assert!(is_well_formed(b"%41x%00"));
        assert!(!is_well_formed(b"%4"));
        assert!(!is_well_formed(b"a%zz"));
    }
}
