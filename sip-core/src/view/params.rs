//! The `;name=value` lists of URIs and headers over borrowed bytes.

use std::borrow::Cow;

use crate::error::{ErrorKind, ParseError, Part};
use crate::scan::{self, Copied, Fault, Keep, Raw, Scan};
use crate::uri::{self, ParamsIter, escape, unquote};
use crate::view::name_addr::skip_brackets;

/// An ordered list of parameters, kept as written and searched when asked; names are compared without regard to case.
///
/// Values are given as written: a quoted one with its quotes ([`Params::text`] removes them), an escaped one with its
/// escapes, one that is folded with its folds.
#[derive(Debug, Clone, Copy, Default)]
pub struct Params<'a> {
    /// Empty, or a well-formed list that begins with `;`.
    raw: &'a [u8],
    /// Whether there may be line breaks in it.
    folded: bool,
}

impl<'a> Params<'a> {
    /// Reads a list of header parameters that begins with `;`, or nothing.
    ///
    /// # Errors
    /// [`Part::HeaderLine`] when an entry has no name, a quote does not end, or something else follows.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, ParseError> {
        scan::view(bytes, || Part::HeaderLine, Self::scan)
    }

    /// Reads the parameters of a header, white space allowed.
    #[inline]
    pub(crate) fn scan(cursor: &mut Raw<'a>) -> Scan<Self> {
        if cursor.is_empty() {
            return Ok(Self::default());
        }
        Self::scan_some(cursor)
    }

    fn scan_some(cursor: &mut Raw<'a>) -> Scan<Self> {
        cursor.skip_space();
        let start = cursor.offset();
        let mut end = start;
        // How long the list is without white space and quotes, within which alone a line break can be.
        let mut plain = 0;
        while cursor.eat(b';') {
            let mut name = cursor.take(scan::TOKEN);
            if name.is_empty() {
                cursor.skip_space();
                name = cursor.take_some(scan::TOKEN)?;
            }
            plain += 1 + name.len();
            end = cursor.offset();
            if cursor.separator(b'=') {
                match cursor.peek() {
                    Some(b'"') => drop(cursor.quoted()?),
                    // A URI, as Identity has it (RFC 8224 §4).
                    Some(b'<') => skip_brackets(cursor)?,
                    _ => plain += 1 + cursor.take(scan::VALUE).len(),
                }
                end = cursor.offset();
            }
            if cursor.is_empty() {
                break;
            }
            cursor.skip_space();
        }
        // White space after the `=` of an empty value is not part of it.
        let raw = cursor.raw(start, end).trim_ascii_end();
        Ok(Self { raw, folded: plain != raw.len() })
    }

    /// Reads the parameters of a URI, without white space.
    #[inline]
    pub(crate) fn scan_uri(cursor: &mut Raw<'a>) -> Scan<Self> {
        let start = cursor.offset();
        let mut escapes = false;
        while cursor.eat(b';') {
            let name = cursor.take_some(scan::URI_PARAM)?;
            escapes |= name.contains(&b'%');
            if cursor.eat(b'=') {
                let value = cursor.offset();
                // A value may hold further equals signs; nobody writes them, but they harm nobody.
                while !cursor.take(scan::URI_PARAM).is_empty() || cursor.eat(b'=') {}
                escapes |= cursor.raw_since(value).contains(&b'%');
            }
        }
        let raw = cursor.raw_since(start);
        if escapes && let Some(at) = ill_formed(raw) {
            return Err(Fault { kind: ErrorKind::Syntax, offset: start + at });
        }
        Ok(Self { raw, folded: false })
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.raw.is_empty()
    }

    /// The list as written, with its first `;`.
    #[must_use]
    pub fn as_bytes(&self) -> &'a [u8] {
        self.raw
    }

    /// The value of the first parameter of this name: `None` if there is none, `Some(None)` if it has no value.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<Option<&'a [u8]>> {
        self.iter().find(|(found, _)| found.eq_ignore_ascii_case(name.as_bytes())).map(|(_, value)| value)
    }

    /// The value of the first parameter of this name, which must have one.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<&'a [u8]> {
        self.get(name).flatten()
    }

    /// The value of the first parameter of this name, quotes removed and `\x` resolved.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<Cow<'a, [u8]>> {
        self.value(name).map(unquote)
    }

    /// The value of the first parameter of this name as a number; too large a one counts as the largest.
    #[must_use]
    pub fn number(&self, name: &str) -> Option<u32> {
        let mut cursor = Raw::new(self.value(name)?);
        let number = cursor.seconds().ok()?;
        cursor.is_empty().then_some(number)
    }

    /// Whether there is a parameter of this name.
    #[must_use]
    pub fn contains(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// All parameters in order, as written.
    pub fn iter(&self) -> ParamsIter<'a> {
        ParamsIter::new(self.raw)
    }

    /// A list of its own memory.
    #[must_use]
    pub fn to_owned(&self) -> uri::Params {
        self.keep(&Copied)
    }

    #[inline]
    pub(crate) fn keep(&self, source: &impl Keep) -> uri::Params {
        if self.folded && memchr::memchr2(b'\r', b'\n', self.raw).is_some() {
            // A value that nobody has unfolded.
            let spaced = self.raw.iter().map(|&byte| if matches!(byte, b'\r' | b'\n') { b' ' } else { byte });
            return uri::Params::from_raw(spaced.collect());
        }
        uri::Params::from_raw(source.keep(self.raw))
    }
}

/// Where the parameter begins that holds a `%` without two hexadecimal digits.
#[cold]
fn ill_formed(list: &[u8]) -> Option<usize> {
    let mut at = 1;
    for entry in list.strip_prefix(b";")?.split(|&byte| byte == b';') {
        if !escape::is_well_formed(entry) {
            return Some(at);
        }
        at += entry.len() + 1;
    }
    None
}

/// Same names and values in the same order, as written; white space between them does not count.
impl PartialEq for Params<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.raw == other.raw || self.iter().eq(other.iter())
    }
}

impl Eq for Params<'_> {}

impl<'a> IntoIterator for Params<'a> {
    type Item = (&'a [u8], Option<&'a [u8]>);
    type IntoIter = ParamsIter<'a>;

    fn into_iter(self) -> ParamsIter<'a> {
        self.iter()
    }
}
