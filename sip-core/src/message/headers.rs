//! The header section: looked up by name, read as raw values or as types.

use bytes::{BufMut, Bytes, BytesMut};

use super::Limits;
use super::index::{Entries, Entry};
use crate::error::{ErrorKind, ParseError, Part};
use crate::header::{HeaderName, TypedHeader, Values, trim, trim_end, trim_start, value_length};
use crate::view::{self, HeaderView};

/// The headers of a message, in the order of their lines. Names match whatever their case and form
/// (RFC 3261 §7.3.1, §7.3.3).
#[derive(Debug)]
pub struct Headers {
    pub(super) bytes: Bytes,
    pub(super) start: u32,
    pub(super) body: u32,
    pub(super) entries: Entries,
}

impl Clone for Headers {
    fn clone(&self) -> Self {
        Self { bytes: self.bytes.clone(), entries: Entries::from_slice(&self.entries), ..*self }
    }
}

/// One header line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// The name.
    pub name: HeaderName,
    /// The value without the white space around it, with its folds replaced by one space each.
    pub value: Bytes,
}

impl Headers {
    /// The header section of nothing, on which builders begin.
    pub(crate) fn none() -> Self {
        Self { bytes: Bytes::new(), start: 0, body: 0, entries: Entries::new() }
    }

    /// A header section whose lines are known.
    #[inline]
    pub(super) fn from_parts(bytes: Bytes, start: usize, entries: Entries, body: usize) -> Self {
        Self { bytes, start: start as u32, body: body as u32, entries }
    }

    /// A header section that stands alone, with the empty line that ends it: of a body part or a fragment. Also says
    /// where what follows begins.
    pub(crate) fn section(bytes: &Bytes, limits: &Limits) -> Result<(Self, usize), ParseError> {
        if u32::try_from(bytes.len()).is_err() {
            return Err(ParseError::new(ErrorKind::TooLarge, Part::Body, 0));
        }
        let mut entries = Entries::new();
        let end = super::index::section(bytes, 0, limits, &mut entries)?.end;
        Ok((Self::from_parts(bytes.clone(), 0, entries, end), end))
    }

    /// How many header lines there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is no header at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Every header line, in order.
    pub fn iter(&self) -> impl Iterator<Item = Header> + '_ {
        self.entries.iter().map(|entry| Header { name: self.name(entry), value: self.value(entry) })
    }

    /// Whether there is a header of this name.
    #[must_use]
    pub fn contains(&self, name: &HeaderName) -> bool {
        self.lines(name).next().is_some()
    }

    /// The value of the first line of this name; commas are not looked at.
    #[must_use]
    pub fn get(&self, name: &HeaderName) -> Option<Bytes> {
        self.lines(name).next().map(|entry| self.value(entry))
    }

    /// The values of all lines of this name; commas are not looked at.
    pub fn get_all<'a>(&'a self, name: &'a HeaderName) -> impl Iterator<Item = Bytes> + 'a {
        self.lines(name).map(|entry| self.value(entry))
    }

    /// The first value of this type, if there is one.
    ///
    /// # Errors
    /// When the first value is not what its type's grammar allows; the offset is that in the message, unless
    /// the line is folded.
    pub fn typed<H: TypedHeader>(&self) -> Result<Option<H>, ParseError> {
        // As the first of all(), without its iterators.
        let known = H::NAME.known();
        let is = |entry: &&Entry| match known {
            Some(_) => entry.known == known,
            None => entry.is(&self.bytes, &H::NAME),
        };
        for entry in self.entries.iter().filter(is) {
            if let Some(value) = self.first_of(entry)? {
                return Ok(Some(value));
            }
        }
        Ok(None)
    }

    /// The first value of a line, if it has one.
    #[inline]
    fn first_of<H: TypedHeader>(&self, entry: &Entry) -> Result<Option<H>, ParseError> {
        if entry.folded {
            let Some((offset, value)) = Values::of::<H>(self.value(entry)).next() else { return Ok(None) };
            let place = |error: ParseError| ParseError { offset: error.offset + offset, ..error };
            return H::parse(&value).map(Some).map_err(place);
        }
        let mut range = entry.value();
        if H::EMPTY && range.is_empty() {
            return Ok(None);
        }
        if H::LIST {
            let line = self.bytes.get(range.clone()).unwrap_or_default();
            let length = value_length(line);
            if length < line.len() {
                let first = line.get(..length).unwrap_or_default();
                range.start += length - trim_start(first).len();
                range.end = range.start + trim(first).len();
            }
        }
        let origin = range.start;
        match H::parse_at(&self.bytes, range) {
            Ok(value) => Ok(Some(value)),
            Err(error) => Err(ParseError { offset: error.offset + origin, ..error }),
        }
    }

    /// The first value of this type, which must be there.
    ///
    /// # Errors
    /// As [`Headers::typed`], and [`ErrorKind::Missing`] without one.
    pub fn require<H: TypedHeader>(&self) -> Result<H, ParseError> {
        self.typed()?.ok_or_else(|| ParseError::new(ErrorKind::Missing, Part::Header(H::NAME), self.start as usize))
    }

    /// The first value of a borrowed type of [`crate::view`], if there is one: nothing is copied, shared or counted.
    ///
    /// # Errors
    /// As [`Headers::typed`].
    #[inline]
    pub fn view<'a, V: HeaderView<'a>>(&'a self) -> Result<Option<V>, ParseError> {
        view::first(&self.bytes, &self.entries)
    }

    /// As [`Headers::view`], of a value that must be there.
    ///
    /// # Errors
    /// As [`Headers::require`].
    #[inline]
    pub fn require_view<'a, V: HeaderView<'a>>(&'a self) -> Result<V, ParseError> {
        self.view()?.ok_or_else(|| ParseError::new(ErrorKind::Missing, Part::Header(V::NAME), self.start as usize))
    }

    /// Every value of this type: those of repeated lines and those joined by commas alike (RFC 3261 §7.3.1).
    pub fn all<H: TypedHeader>(&self) -> impl Iterator<Item = Result<H, ParseError>> + '_ {
        let name = H::NAME;
        self.entries.iter().filter(move |entry| entry.is(&self.bytes, &name)).flat_map(|entry| {
            let value = self.value(entry);
            let origin = if entry.folded { 0 } else { entry.value().start };
            Values::of::<H>(value).map(move |(offset, value)| {
                H::parse(&value).map_err(|error| ParseError { offset: error.offset + origin + offset, ..error })
            })
        })
    }

    /// The lines, in order.
    pub(super) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Where the first line begins.
    pub(super) fn start(&self) -> usize {
        self.start as usize
    }

    /// Where the body begins.
    pub(super) fn end(&self) -> usize {
        self.body as usize
    }

    /// The bytes of the lines from one number up to another, their line ends included.
    pub(super) fn run(&self, first: usize, end: usize) -> &[u8] {
        let from = self.entries.get(first).map_or(self.start(), Entry::start);
        // After the last line comes the empty one.
        let to = self.entries.get(end).map_or((self.body as usize).saturating_sub(2), Entry::start);
        self.bytes.get(from..to).unwrap_or_default()
    }

    /// The bytes that the message was parsed from.
    pub(super) fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The entries of a name.
    pub(super) fn lines<'a>(&'a self, name: &'a HeaderName) -> impl Iterator<Item = &'a Entry> + 'a {
        self.entries.iter().filter(|entry| entry.is(&self.bytes, name))
    }

    /// The whole message, when its body is so long.
    pub(super) fn message(&self, body: usize) -> Bytes {
        let end = self.body as usize + body;
        if end == self.bytes.len() { self.bytes.clone() } else { self.bytes.slice(..end) }
    }

    /// As [`Headers::message`], of headers that are not needed any more.
    #[inline]
    pub(super) fn into_message(self, body: usize) -> Bytes {
        let mut bytes = self.bytes;
        bytes.truncate(self.body as usize + body);
        bytes
    }

    pub(super) fn name(&self, entry: &Entry) -> HeaderName {
        match entry.known {
            Some(known) => HeaderName::from(known),
            None => HeaderName::unknown(self.bytes.slice(entry.name())),
        }
    }

    /// The trimmed value; only folded ones are copied.
    pub(super) fn value(&self, entry: &Entry) -> Bytes {
        let range = entry.value();
        if range.is_empty() {
            Bytes::new()
        } else if entry.folded {
            unfold(self.bytes.get(range).unwrap_or_default())
        } else {
            self.bytes.slice(range)
        }
    }
}

/// Replaces each fold, with the white space on both of its sides, by one space (RFC 3261 §7.3.1).
pub(crate) fn unfold(value: &[u8]) -> Bytes {
    let mut out = BytesMut::with_capacity(value.len());
    for (number, line) in value.split(|byte| *byte == b'\n').enumerate() {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if number == 0 {
            out.put_slice(trim_end(line));
            continue;
        }
        let line = trim(line);
        if !line.is_empty() {
            out.put_u8(b' ');
            out.put_slice(line);
        }
    }
    out.freeze()
}
