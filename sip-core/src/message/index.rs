//! The one scanner that decides where a header begins and ends: for reading, editing, removing and framing alike.

use std::ops::Range;

use memchr::{memchr, memchr2};
use smallvec::SmallVec;

use super::Limits;
use crate::error::{ErrorKind, ParseError, Part};
use crate::header::{HeaderName, Known, scan_name};

/// Where a header section ends, and the body's length that it states.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Section {
    /// The one Content-Length, if there is one.
    pub(crate) content_length: Option<u32>,
    /// Where the body begins, after the empty line.
    pub(crate) end: usize,
}

/// As many headers as an ordinary message has, without allocation.
pub(crate) type Entries = SmallVec<[Entry; 32]>;

/// One header line with its folds: 16 bytes, so that moving a message stays cheap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entry {
    start: u32,
    value_start: u32,
    value_end: u32,
    name_length: u16,
    pub(crate) known: Option<Known>,
    pub(crate) folded: bool,
}

impl Entry {
    /// An entry for a line that was not scanned but written; offsets are at most `u32::MAX`.
    pub(crate) fn new(start: usize, name_end: usize, value: Range<usize>, known: Option<Known>, folded: bool) -> Self {
        Self {
            start: start as u32,
            value_start: value.start as u32,
            value_end: value.end as u32,
            name_length: (name_end - start) as u16,
            known,
            folded,
        }
    }

    /// The same line somewhere else.
    pub(crate) fn moved(self, from: usize, to: usize) -> Self {
        let move_offset = |offset: u32| offset.wrapping_sub(from as u32).wrapping_add(to as u32);
        Self {
            start: move_offset(self.start),
            value_start: move_offset(self.value_start),
            value_end: move_offset(self.value_end),
            ..self
        }
    }

    /// The same line with a longer value.
    pub(crate) fn longer(self, by: usize) -> Self {
        Self { value_end: self.value_end + by as u32, ..self }
    }

    /// Where the line begins.
    pub(crate) fn start(&self) -> usize {
        self.start as usize
    }

    /// The name as it is written.
    pub(crate) fn name(&self) -> Range<usize> {
        self.start()..self.start() + usize::from(self.name_length)
    }

    /// The trimmed value.
    pub(crate) fn value(&self) -> Range<usize> {
        self.value_start as usize..self.value_end as usize
    }

    /// Whether this line, which is one of `bytes`, has this name in any case and form.
    #[inline]
    pub(crate) fn is(&self, bytes: &[u8], name: &HeaderName) -> bool {
        let known = name.known();
        self.known == known
            && (known.is_some()
                || bytes.get(self.name()).is_some_and(|written| written.eq_ignore_ascii_case(name.as_str().as_bytes())))
    }
}

/// Indexes the header section that begins at `start`; `bytes` is at most `u32::MAX` long.
#[inline]
pub(crate) fn section(
    bytes: &[u8],
    start: usize,
    limits: &Limits,
    entries: &mut Entries,
) -> Result<Section, ParseError> {
    let mut content_length = None;
    let mut rest = bytes.get(start..).unwrap_or_default();
    let mut left = limits.headers;
    loop {
        let at = bytes.len() - rest.len();
        match *rest {
            [b'\r', b'\n', ..] => return Ok(Section { content_length, end: at + 2 }),
            [b'\r'] | [] => return Err(ParseError::new(ErrorKind::Truncated, Part::HeaderLine, bytes.len())),
            [b'\r', _, ..] => return Err(ParseError::new(ErrorKind::Syntax, Part::HeaderLine, at)),
            _ => {}
        }
        let (entry, length) = line(rest, at, limits)?;
        if left == 0 {
            return Err(ParseError::new(ErrorKind::TooLarge, Part::Message, at));
        }
        left -= 1;
        if entry.known == Some(Known::ContentLength) {
            let error = |kind| ParseError::new(kind, Part::Header(HeaderName::CONTENT_LENGTH), entry.value().start);
            if content_length.is_some() {
                return Err(error(ErrorKind::Repeated));
            }
            let value = bytes.get(entry.value()).unwrap_or_default();
            content_length = Some(number(value).map_err(error)?);
        }
        entries.push(entry);
        rest = rest.get(length..).unwrap_or_default();
    }
}

/// Scans the header line that `rest`, which is at `start` of the message, begins with, folds included; says how long
/// it is.
#[inline(always)]
pub(crate) fn line(rest: &[u8], start: usize, limits: &Limits) -> Result<(Entry, usize), ParseError> {
    let (known, name_length, colon) =
        scan_name(rest).map_err(|offset| ParseError::new(ErrorKind::Syntax, Part::HeaderLine, start + offset))?;
    let after = rest.get(colon + 1..).unwrap_or_default();
    // As nearly every line is: one space, then the value, then CRLF and another line.
    if let [b' ', value @ ..] = after {
        let length = ordinary(value);
        if let Some([last, b'\r', b'\n', next]) = value.get(length.wrapping_sub(1)..length.wrapping_add(3))
            && *last > b' '
            && value.first() > Some(&b' ')
            && !matches!(next, b' ' | b'\t')
        {
            let value_start = colon + 2;
            let value_end = value_start + length;
            if value_end <= limits.line && name_length <= usize::from(u16::MAX) {
                let entry = Entry {
                    start: start as u32,
                    value_start: (start + value_start) as u32,
                    value_end: (start + value_end) as u32,
                    name_length: name_length as u16,
                    known,
                    folded: false,
                };
                return Ok((entry, value_end + 2));
            }
        }
    }
    any_line(rest, start, limits, known, name_length, colon)
}

/// How many bytes come before the first control character.
#[inline(always)]
fn ordinary(bytes: &[u8]) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    let (words, rest) = bytes.as_chunks::<8>();
    let mut length = 0;
    for word in words {
        // What is under 0x20 has none of the upper three bits. The lowest byte that is marked is right.
        let upper = u64::from_le_bytes(*word) & 0xE0E0_E0E0_E0E0_E0E0;
        let found = upper.wrapping_sub(ONES) & !upper & HIGH;
        if found != 0 {
            return length + found.trailing_zeros() as usize / 8;
        }
        length += 8;
    }
    length + rest.iter().position(|byte| *byte < b' ').unwrap_or(rest.len())
}

/// A line in any of its forms.
#[inline(never)]
fn any_line(
    rest: &[u8],
    start: usize,
    limits: &Limits,
    known: Option<Known>,
    name_length: usize,
    colon: usize,
) -> Result<(Entry, usize), ParseError> {
    let end_of_bytes = start + rest.len();
    if name_length > usize::from(u16::MAX) {
        return Err(ParseError::new(ErrorKind::TooLarge, Part::HeaderLine, start));
    }
    let maximum = limits.line;
    let mut value_start = colon + 1;
    while let Some(b' ' | b'\t') = rest.get(value_start) {
        value_start += 1;
    }
    let mut scanned = value_start;
    let mut folded = false;
    let (mut value_end, next) = loop {
        let Some(found) = memchr2(b'\r', b'\n', rest.get(scanned..).unwrap_or_default()) else {
            let kind = if rest.len() > maximum { ErrorKind::TooLarge } else { ErrorKind::Truncated };
            return Err(ParseError::new(kind, Part::HeaderLine, end_of_bytes));
        };
        let end = scanned + found;
        if end > maximum {
            return Err(ParseError::new(ErrorKind::TooLarge, Part::HeaderLine, start));
        }
        match rest.get(end).zip(rest.get(end + 1)) {
            Some((b'\r', b'\n')) => {}
            // The message ends in the middle of the line's end.
            None if rest.get(end) == Some(&b'\r') => {
                return Err(ParseError::new(ErrorKind::Truncated, Part::HeaderLine, end_of_bytes));
            }
            // A lone CR or LF is where implementations differ about what is a line: refused.
            _ => return Err(ParseError::new(ErrorKind::Syntax, Part::HeaderLine, start + end)),
        }
        if !matches!(rest.get(end + 2), Some(b' ' | b'\t')) {
            break (end, end + 2);
        }
        folded = true;
        scanned = end + 3;
    };
    if folded {
        while let Some(b' ' | b'\t' | b'\r' | b'\n') = rest.get(value_start)
            && value_start < value_end
        {
            value_start += 1;
        }
    }
    while value_end > value_start
        && let Some(b' ' | b'\t' | b'\r' | b'\n') = rest.get(value_end - 1)
    {
        value_end -= 1;
    }
    let folded = folded && memchr(b'\n', rest.get(value_start..value_end).unwrap_or_default()).is_some();
    let entry = Entry {
        start: start as u32,
        value_start: (start + value_start) as u32,
        value_end: (start + value_end) as u32,
        name_length: name_length as u16,
        known,
        folded,
    };
    Ok((entry, next))
}

/// Digits only, at most `u32::MAX`.
fn number(value: &[u8]) -> Result<u32, ErrorKind> {
    if value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
        return Err(ErrorKind::Syntax);
    }
    value
        .iter()
        .try_fold(0_u32, |sum, digit| sum.checked_mul(10)?.checked_add(u32::from(digit - b'0')))
        .ok_or(ErrorKind::OutOfRange)
}
