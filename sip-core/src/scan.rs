//! A cursor over the bytes of one value, with the byte classes of the grammar (RFC 3261 §25.1).
//!
//! Parsers of values walk it forward once and take slices that share the message's memory. Where the grammar is
//! stricter than it need be for a reader, the classes are wider: bytes over 0x7F are text, never an error.

use bytes::{BufMut, Bytes};

use crate::error::{ErrorKind, ParseError, Part};
use crate::header::{HeaderName, is_token, is_token_byte};

/// `token` of RFC 3261 §25.1.
pub(crate) const TOKEN: u16 = 1;
/// Bytes of a host name.
pub(crate) const HOST: u16 = 1 << 1;
/// Bytes of the user part and password of a SIP URI.
pub(crate) const USER: u16 = 1 << 2;
/// Bytes of a URI parameter's name or value.
pub(crate) const URI_PARAM: u16 = 1 << 3;
/// Bytes of an unquoted value of a header parameter.
pub(crate) const VALUE: u16 = 1 << 4;
/// Bytes of a URI that is not looked into.
pub(crate) const URI: u16 = 1 << 5;
/// Bytes of free text on one line.
pub(crate) const TEXT: u16 = 1 << 6;
/// White space, line breaks of folded values too.
pub(crate) const SPACE: u16 = 1 << 7;
/// Bytes of a Call-ID: `word` of RFC 3261 §25.1 and `@`.
pub(crate) const WORD: u16 = 1 << 8;
/// Bytes of one label of a host name.
pub(crate) const LABEL: u16 = 1 << 10;
/// What stands between and within URI parameters: `;` and `=`.
pub(crate) const PARAM_MARK: u16 = 1 << 9;

static CLASSES: [u16; 256] = classes();

#[expect(clippy::indexing_slicing, reason = "evaluated when the crate is built")]
const fn classes() -> [u16; 256] {
    const fn has(set: &[u8], byte: u8) -> bool {
        let mut i = 0;
        while i < set.len() {
            if set[i] == byte {
                return true;
            }
            i += 1;
        }
        false
    }
    let mut table = [0; 256];
    let mut i = 0;
    while i < 256 {
        let byte = i as u8;
        let alphanumeric = byte.is_ascii_alphanumeric();
        let visible = byte > 0x20 && byte != 0x7F;
        let mut class = 0;
        if is_token_byte(byte) {
            class |= TOKEN;
        }
        if alphanumeric || has(b"-._", byte) {
            class |= HOST;
        }
        if visible && !has(b"@<>\"", byte) {
            class |= USER;
        }
        if visible && !has(b";?@<>\"=", byte) {
            class |= URI_PARAM;
        }
        if visible && !has(b";,\"<>", byte) {
            class |= VALUE;
        }
        if visible && !has(b"<>\"", byte) {
            class |= URI;
        }
        if visible && !has(b";,", byte) {
            class |= WORD;
        }
        if byte >= 0x20 && byte != 0x7F || byte == b'\t' {
            class |= TEXT;
        }
        if alphanumeric || has(b"-_", byte) {
            class |= LABEL;
        }
        if has(b";=", byte) {
            class |= PARAM_MARK;
        }
        if has(b" \t\r\n", byte) {
            class |= SPACE;
        }
        table[i] = class;
        i += 1;
    }
    table
}

/// Whether `byte` belongs to one of the classes in `mask`.
#[inline]
pub(crate) fn is(byte: u8, mask: u16) -> bool {
    CLASSES.get(usize::from(byte)).is_some_and(|class| class & mask != 0)
}

/// Whether all of `bytes` belong to one of the classes in `mask`.
pub(crate) fn all(bytes: &[u8], mask: u16) -> bool {
    bytes.iter().all(|&byte| is(byte, mask))
}

/// Where a byte is first, in values that are short: without a call.
#[inline]
pub(crate) fn find(byte: u8, bytes: &[u8]) -> Option<usize> {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    let (words, rest) = bytes.as_chunks::<8>();
    for (number, word) in words.iter().enumerate() {
        let other = u64::from_le_bytes(*word) ^ (ONES * u64::from(byte));
        // The lowest byte that is marked is right.
        let found = other.wrapping_sub(ONES) & !other & HIGH;
        if found != 0 {
            return Some(number * 8 + found.trailing_zeros() as usize / 8);
        }
    }
    rest.iter().position(|other| *other == byte).map(|at| words.len() * 8 + at)
}

/// Where any of three bytes is first, in values that are short: without a call.
#[inline]
pub(crate) fn find_any(bytes: [u8; 3], value: &[u8]) -> Option<usize> {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    let [first, second, third] = bytes.map(|byte| ONES * u64::from(byte));
    let (words, rest) = value.as_chunks::<8>();
    for (number, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        // Zeros where a byte is; the lowest one that is marked is right.
        let marked = |other: u64| (word ^ other).wrapping_sub(ONES) & !(word ^ other);
        let found = (marked(first) | marked(second) | marked(third)) & HIGH;
        if found != 0 {
            return Some(number * 8 + found.trailing_zeros() as usize / 8);
        }
    }
    let Some(word) = value.last_chunk::<8>() else {
        return rest.iter().position(|byte| bytes.contains(byte));
    };
    // The last eight, of which the first were looked at above.
    let word = u64::from_le_bytes(*word);
    let marked = |other: u64| (word ^ other).wrapping_sub(ONES) & !(word ^ other);
    let found = (marked(first) | marked(second) | marked(third)) & HIGH;
    (found != 0).then(|| value.len() - 8 + found.trailing_zeros() as usize / 8)
}

/// What is wrong and where, before the part that it is in is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) kind: ErrorKind,
    pub(crate) offset: usize,
}

impl Fault {
    pub(crate) fn within(self, part: Part) -> ParseError {
        ParseError::new(self.kind, part, self.offset)
    }
}

/// The result of reading a piece of a value.
pub(crate) type Scan<T> = Result<T, Fault>;

/// A place in the bytes of a value that is borrowed.
#[derive(Debug, Clone)]
pub(crate) struct Raw<'a> {
    source: &'a [u8],
    rest: &'a [u8],
    /// Where `rest` ends in `source`.
    end: usize,
}

impl<'a> Raw<'a> {
    #[inline]
    pub(crate) fn new(source: &'a [u8]) -> Self {
        Self { source, rest: source, end: source.len() }
    }

    /// A cursor over a part of the same bytes; offsets stay those of the whole.
    #[inline]
    pub(crate) fn part(&self, start: usize, end: usize) -> Self {
        let end = end.min(self.end);
        Self { source: self.source, rest: self.raw(start.min(end), end), end }
    }

    #[inline]
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    #[inline]
    pub(crate) fn offset(&self) -> usize {
        self.end - self.rest.len()
    }

    pub(crate) fn end(&self) -> usize {
        self.end
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    #[inline]
    pub(crate) fn peek(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    /// Goes forward by `count` bytes, at most to the end.
    #[inline]
    pub(crate) fn advance(&mut self, count: usize) {
        self.rest = self.rest.get(count..).unwrap_or_default();
    }

    #[inline]
    pub(crate) fn raw(&self, start: usize, end: usize) -> &'a [u8] {
        self.source.get(start..end).unwrap_or_default()
    }

    /// What was gone over since a place.
    #[inline]
    pub(crate) fn raw_since(&self, start: usize) -> &'a [u8] {
        self.raw(start, self.offset())
    }

    #[inline]
    pub(crate) fn skip_space(&mut self) {
        self.take(SPACE);
    }

    /// Goes over `byte` if it is next.
    #[inline]
    pub(crate) fn eat(&mut self, byte: u8) -> bool {
        match self.rest {
            [first, rest @ ..] if *first == byte => {
                self.rest = rest;
                true
            }
            _ => false,
        }
    }

    /// Goes over `byte` and the white space around it, or stays where it is.
    #[inline]
    pub(crate) fn separator(&mut self, byte: u8) -> bool {
        let start = self.rest;
        if self.eat(byte) {
            self.skip_space();
            return true;
        }
        self.skip_space();
        if self.eat(byte) {
            self.skip_space();
            return true;
        }
        self.rest = start;
        false
    }

    /// The bytes of a class that follow, perhaps none.
    #[inline]
    pub(crate) fn take(&mut self, mask: u16) -> &'a [u8] {
        let length = self.rest.iter().position(|&byte| !is(byte, mask)).unwrap_or(self.rest.len());
        let (taken, rest) = self.rest.split_at_checked(length).unwrap_or_default();
        self.rest = rest;
        taken
    }

    /// The bytes of a class that follow, at least one.
    #[inline]
    pub(crate) fn take_some(&mut self, mask: u16) -> Scan<&'a [u8]> {
        match self.take(mask) {
            [] => Err(self.wrong()),
            taken => Ok(taken),
        }
    }

    /// A quoted string: what is between its quotes, as written.
    pub(crate) fn quoted(&mut self) -> Scan<&'a [u8]> {
        if !self.eat(b'"') {
            return Err(self.wrong());
        }
        let rest = self.rest();
        let mut escaped = false;
        for (i, &byte) in rest.iter().enumerate() {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => {
                    self.advance(i + 1);
                    return Ok(rest.get(..i).unwrap_or_default());
                }
                _ => {}
            }
        }
        self.advance(rest.len());
        Err(self.wrong())
    }

    /// Seconds; what is too large counts as the largest number.
    pub(crate) fn seconds(&mut self) -> Scan<u32> {
        let digits = self.rest().iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(self.rest().len());
        if digits == 0 {
            return Err(self.wrong());
        }
        let value = self
            .raw(self.offset(), self.offset() + digits)
            .iter()
            .fold(0u32, |seconds, digit| seconds.saturating_mul(10).saturating_add(u32::from(digit - b'0')));
        self.advance(digits);
        Ok(value)
    }

    /// A decimal number that fits into 64 bits; a longer one is [`ErrorKind::OutOfRange`].
    #[inline]
    pub(crate) fn number(&mut self) -> Scan<u64> {
        let mut value: u64 = 0;
        let mut length = 0;
        for &digit in self.rest {
            if !digit.is_ascii_digit() {
                break;
            }
            value = match value.checked_mul(10).and_then(|value| value.checked_add(u64::from(digit - b'0'))) {
                Some(value) => value,
                None => return Err(Fault { kind: ErrorKind::OutOfRange, offset: self.offset() }),
            };
            length += 1;
        }
        if length == 0 {
            return Err(self.wrong());
        }
        self.advance(length);
        Ok(value)
    }

    /// A decimal number that fits into `N`.
    #[inline]
    pub(crate) fn number_as<N: TryFrom<u64>>(&mut self) -> Scan<N> {
        let offset = self.offset();
        N::try_from(self.number()?).map_err(|_| Fault { kind: ErrorKind::OutOfRange, offset })
    }

    /// Only white space may be left.
    #[inline]
    pub(crate) fn finish(&mut self) -> Scan<()> {
        if self.is_empty() {
            return Ok(());
        }
        self.skip_space();
        if self.is_empty() { Ok(()) } else { Err(self.wrong()) }
    }

    /// What is here does not belong here.
    #[cold]
    pub(crate) fn wrong(&self) -> Fault {
        let kind = if self.is_empty() { ErrorKind::Truncated } else { ErrorKind::Syntax };
        Fault { kind, offset: self.offset() }
    }
}

/// A place in the bytes of a value that is shared: what is taken keeps them.
#[derive(Debug, Clone)]
pub(crate) struct Cursor<'a> {
    bytes: &'a Bytes,
    raw: Raw<'a>,
}

impl<'a> std::ops::Deref for Cursor<'a> {
    type Target = Raw<'a>;

    #[inline]
    fn deref(&self) -> &Raw<'a> {
        &self.raw
    }
}

impl std::ops::DerefMut for Cursor<'_> {
    #[inline]
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.raw
    }
}

impl<'a> Cursor<'a> {
    #[inline]
    pub(crate) fn new(bytes: &'a Bytes) -> Self {
        Self { bytes, raw: Raw::new(bytes) }
    }

    /// The whole that the value is in.
    #[inline]
    pub(crate) fn bytes(&self) -> &'a Bytes {
        self.bytes
    }

    /// The bytes from `start` to `end`, sharing memory; nothing when the range is not within the value.
    #[inline]
    pub(crate) fn slice(&self, start: usize, end: usize) -> Bytes {
        if start < end && end <= self.bytes.len() { self.bytes.slice(start..end) } else { Bytes::new() }
    }

    /// The bytes from `start` to here.
    #[inline]
    pub(crate) fn since(&self, start: usize) -> Bytes {
        self.slice(start, self.offset())
    }

    /// The bytes of a class that follow, at least one.
    #[inline]
    pub(crate) fn some(&mut self, mask: u16) -> Scan<Bytes> {
        let start = self.offset();
        self.take_some(mask)?;
        Ok(self.since(start))
    }

    pub(crate) fn token(&mut self) -> Scan<Bytes> {
        self.some(TOKEN)
    }

    /// A Call-ID.
    pub(crate) fn word(&mut self) -> Scan<Bytes> {
        self.some(WORD)
    }

    /// A token or a quoted string, whose quotes and escapes are resolved.
    pub(crate) fn token_or_quoted(&mut self) -> Scan<Bytes> {
        if self.peek() != Some(b'"') {
            return self.token();
        }
        let start = self.offset() + 1;
        let content = self.quoted()?;
        Ok(unescape(content).map_or_else(|| self.slice(start, start + content.len()), Bytes::from))
    }

    /// Text up to the end or the first byte that no line can hold, without the white space behind it.
    pub(crate) fn text(&mut self) -> Bytes {
        let start = self.offset();
        let text = self.take(TEXT);
        self.slice(start, start + text.trim_ascii_end().len())
    }
}

/// Where an owned value takes its bytes from: a slice of a message that is shared, or a copy.
pub(crate) trait Keep {
    fn keep(&self, part: &[u8]) -> Bytes;
}

impl Keep for &Bytes {
    #[inline]
    fn keep(&self, part: &[u8]) -> Bytes {
        if part.is_empty() { Bytes::new() } else { self.slice_ref(part) }
    }
}

/// Every part is copied.
pub(crate) struct Copied;

impl Keep for Copied {
    fn keep(&self, part: &[u8]) -> Bytes {
        Bytes::copy_from_slice(part)
    }
}

/// Reads the whole of one borrowed value with `read`.
#[inline(always)]
pub(crate) fn view<'a, T>(
    bytes: &'a [u8],
    part: impl FnOnce() -> Part,
    read: impl FnOnce(&mut Raw<'a>) -> Scan<T>,
) -> Result<T, ParseError> {
    let mut cursor = Raw::new(bytes);
    cursor.skip_space();
    let read = read(&mut cursor).and_then(|value| cursor.finish().map(|()| value));
    match read {
        Ok(value) => Ok(value),
        Err(fault) => Err(fault.within(part())),
    }
}

/// Reads the whole of one header value with `read`.
#[inline(always)]
pub(crate) fn value<'a, T>(
    bytes: &'a Bytes,
    name: HeaderName,
    read: impl FnOnce(&mut Cursor<'a>) -> Scan<T>,
) -> Result<T, ParseError> {
    whole(bytes, read).map_err(|fault| fault.within(Part::Header(name)))
}

#[inline(always)]
pub(crate) fn whole<'a, T>(bytes: &'a Bytes, read: impl FnOnce(&mut Cursor<'a>) -> Scan<T>) -> Scan<T> {
    let mut cursor = Cursor::new(bytes);
    cursor.skip_space();
    let value = read(&mut cursor)?;
    cursor.finish()?;
    Ok(value)
}

/// What a quoted string's content means: `\x` is `x`.
pub(crate) fn unescape(content: &[u8]) -> Option<Vec<u8>> {
    memchr::memchr(b'\\', content)?;
    let mut text = Vec::with_capacity(content.len());
    let mut bytes = content.iter();
    while let Some(&byte) = bytes.next() {
        text.push(if byte == b'\\' { bytes.next().copied().unwrap_or(byte) } else { byte });
    }
    Some(text)
}

/// Writes a quoted string; a line break, which it cannot hold, becomes a space.
pub(crate) fn put_quoted(text: &[u8], out: &mut impl BufMut) {
    out.put_u8(b'"');
    for &byte in text {
        match byte {
            b'"' | b'\\' => {
                out.put_u8(b'\\');
                out.put_u8(byte);
            }
            b'\r' | b'\n' => out.put_u8(b' '),
            _ => out.put_u8(byte),
        }
    }
    out.put_u8(b'"');
}

/// Writes a token or free text; a byte outside of the class becomes `_`, so that no value can break a message.
pub(crate) fn put(bytes: &[u8], mask: u16, out: &mut impl BufMut) {
    if all(bytes, mask) {
        out.put_slice(bytes);
        return;
    }
    for &byte in bytes {
        out.put_u8(if is(byte, mask) { byte } else { b'_' });
    }
}

/// Writes a token.
pub(crate) fn put_token(token: &[u8], out: &mut impl BufMut) {
    put(token, TOKEN, out);
}

/// Writes a Call-ID.
pub(crate) fn put_word(word: &[u8], out: &mut impl BufMut) {
    put(word, WORD, out);
}

/// Writes a token as it is and other text as a quoted string.
pub(crate) fn put_token_or_quoted(text: &[u8], out: &mut impl BufMut) {
    if is_token(text) { out.put_slice(text) } else { put_quoted(text, out) }
}

/// Puts the digits of a number at `length` of a text; says how long the text is then.
#[inline]
pub(crate) fn digits(number: u16, text: &mut [u8], mut length: usize) -> usize {
    let mut put = |digit: u16| {
        if let Some(slot) = text.get_mut(length) {
            *slot = b'0' + digit as u8;
            length += 1;
        }
    };
    for power in [10_000, 1_000, 100, 10] {
        if number >= power {
            put(number / power % 10);
        }
    }
    put(number % 10);
    length
}

/// Shows what `write` encodes, for `Display`.
pub(crate) fn show(f: &mut std::fmt::Formatter<'_>, write: impl FnOnce(&mut Vec<u8>)) -> std::fmt::Result {
    let mut bytes = Vec::new();
    write(&mut bytes);
    f.pad(&String::from_utf8_lossy(&bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_three_bytes_is_found_wherever_it_is() {
        for length in 0..40 {
            for at in 0..length {
                for (byte, later) in [(b';', b'"'), (b'"', b'<'), (b'<', b';')] {
                    let mut value = vec![b':'; length];
                    value[at] = byte;
                    assert_eq!(find_any([b';', b'"', b'<'], &value), Some(at));
                    *value.last_mut().unwrap() = later;
                    assert_eq!(find_any([b';', b'"', b'<'], &value), Some(at.min(length - 1)));
                }
            }
            assert_eq!(find_any([b';', b'"', b'<'], &vec![0xBB; length]), None);
        }
    }

    #[test]
    fn a_byte_is_found_wherever_it_is() {
        for length in 0..40 {
            let mut bytes = vec![b'='; length];
            assert_eq!(find(b'>', &bytes), None);
            for at in (0..length).rev() {
                bytes[at] = b'>';
                assert_eq!(find(b'>', &bytes), Some(at));
            }
        }
    }

    #[test]
    fn numbers_are_written_as_they_are_read() {
        for number in [0, 7, 10, 255, 65_536, u64::MAX] {
            let mut out = Vec::new();
            crate::write::number(number, &mut out);
            assert_eq!(String::from_utf8(out.clone()).unwrap(), number.to_string());
            assert_eq!(Cursor::new(&Bytes::from(out)).number(), Ok(number));
        }
        let long = Bytes::from_static(b"18446744073709551616");
        assert_eq!(Cursor::new(&long).number().map_err(|fault| fault.kind), Err(ErrorKind::OutOfRange));
    }

    #[test]
    fn a_quoted_string_ends_at_the_first_quote_that_is_not_escaped() {
        let source = Bytes::from_static(br#""a\"b\\" rest"#);
        let mut cursor = Cursor::new(&source);
        assert_eq!(cursor.quoted(), Ok(&br#"a\"b\\"#[..]));
        assert_eq!(cursor.rest(), b" rest");
        assert_eq!(unescape(br#"a\"b\\"#), Some(br#"a"b\"#.to_vec()));
        assert!(Cursor::new(&Bytes::from_static(br#""open\""#)).quoted().is_err());
    }

    #[test]
    fn line_breaks_never_reach_the_wire_from_a_value() {
        let mut out = Vec::new();
        put_quoted(b"a\r\nVia: x", &mut out);
        put(b"b\r\nVia: y", TOKEN, &mut out);
        assert!(!out.contains(&b'\r') && !out.contains(&b'\n'));
    }
}
