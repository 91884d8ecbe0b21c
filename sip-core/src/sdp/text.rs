//! Writing values so that they cannot become lines, and splitting them.

use bytes::{BufMut, Bytes};

/// Writes a value without the bytes that would end its line.
pub(crate) fn put(out: &mut impl BufMut, value: &[u8]) {
    if memchr::memchr3(b'\r', b'\n', 0, value).is_none() {
        out.put_slice(value);
        return;
    }
    for &byte in value.iter().filter(|byte| !matches!(**byte, b'\r' | b'\n' | 0)) {
        out.put_u8(byte);
    }
}

/// Writes `x=value` and the line's end.
pub(crate) fn put_line(out: &mut impl BufMut, kind: u8, value: &[u8]) {
    out.put_slice(&[kind, b'=']);
    put(out, value);
    out.put_slice(b"\r\n");
}

/// The words of a value, split at runs of spaces, as slices of it.
pub(crate) fn words(value: &Bytes) -> impl Iterator<Item = Bytes> + '_ {
    value.split(|byte| *byte == b' ').filter(|word| !word.is_empty()).map(|word| value.slice_ref(word))
}

/// Reads a decimal number of digits only.
pub(crate) fn number<T: core::str::FromStr>(digits: &[u8]) -> Option<T> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    core::str::from_utf8(digits).ok()?.parse().ok()
}

/// Splits at the first of a byte.
pub(crate) fn split_once(value: &[u8], at: u8) -> Option<(&[u8], &[u8])> {
    let position = memchr::memchr(at, value)?;
    Some((value.get(..position)?, value.get(position + 1..)?))
}
