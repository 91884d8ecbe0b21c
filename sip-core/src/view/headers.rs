//! The header section over borrowed bytes.

use std::borrow::Cow;
use std::ops::Range;

use crate::error::{ErrorKind, ParseError, Part};
use crate::header::{HeaderName, TypedHeader, trim, trim_start, value_length};
use crate::message::{Entries, Entry, unfold};
use crate::view::{HeaderView, header};

/// The headers of a message, in the order of their lines. Names match whatever their case and form
/// (RFC 3261 §7.3.1, §7.3.3).
#[derive(Debug, Clone)]
pub struct Headers<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) start: u32,
    pub(super) body: u32,
    pub(super) entries: Entries,
}

/// Where a header line stands in its message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// The whole line with its folds and the CRLF at its end.
    pub line: Range<usize>,
    /// Its value without the white space around it.
    pub value: Range<usize>,
}

impl<'a> Headers<'a> {
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

    /// Every header line in order: its name as written, and its value.
    pub fn iter(&self) -> impl Iterator<Item = (&'a [u8], Cow<'a, [u8]>)> + '_ {
        let name = |entry: &Entry| self.bytes.get(entry.name()).unwrap_or_default();
        self.entries.iter().map(move |entry| (name(entry), self.value(entry)))
    }

    /// Where the header section begins in the message.
    #[must_use]
    pub const fn start(&self) -> usize {
        self.start as usize
    }

    /// Where the header section ends: at the empty line.
    #[must_use]
    pub const fn end(&self) -> usize {
        (self.body as usize).saturating_sub(2)
    }

    /// How many lines each of these names has, found in one walk.
    #[must_use]
    #[inline]
    pub fn count<const NAMES: usize>(&self, names: &[HeaderName; NAMES]) -> [usize; NAMES] {
        let mut counts = [0; NAMES];
        for entry in &self.entries {
            for (count, name) in counts.iter_mut().zip(names) {
                *count += usize::from(entry.is(self.bytes, name));
            }
        }
        counts
    }

    /// Where each line of a name stands in the message, for those who write it again with changes.
    pub fn spans<'b>(&'b self, name: &'b HeaderName) -> impl Iterator<Item = Span> + 'b {
        let is_it = move |(_, entry): &(usize, &Entry)| entry.is(self.bytes, name);
        self.entries.iter().enumerate().filter(is_it).map(|(number, entry)| {
            let end = self.entries.get(number + 1).map_or(self.end(), Entry::start);
            Span { line: entry.start()..end, value: entry.value() }
        })
    }

    /// Where each of the values is that stand in a line with commas between them.
    pub fn values_within(&self, span: &Span) -> impl Iterator<Item = Range<usize>> + 'a {
        let bytes = self.bytes;
        let mut rest = Some(span.value.clone());
        std::iter::from_fn(move || {
            let line = rest.take()?;
            let written = bytes.get(line.clone())?;
            let length = value_length(written);
            let after = written.get(length + 1..).unwrap_or_default();
            if !trim(after).is_empty() {
                rest = Some(line.end - trim_start(after).len()..line.end);
            }
            let value = trim_start(written.get(..length)?);
            let start = line.start + length - value.len();
            Some(start..start + trim(value).len())
        })
    }

    /// Whether there is a header of this name.
    #[must_use]
    pub fn contains(&self, name: &HeaderName) -> bool {
        self.lines(name).next().is_some()
    }

    /// The value of the first line of this name; commas are not looked at. Only a folded one is copied.
    #[must_use]
    pub fn get(&self, name: &HeaderName) -> Option<Cow<'a, [u8]>> {
        self.lines(name).next().map(|entry| self.value(entry))
    }

    /// The values of all lines of this name; commas are not looked at.
    pub fn get_all<'b>(&'b self, name: &'b HeaderName) -> impl Iterator<Item = Cow<'a, [u8]>> + 'b {
        self.lines(name).map(|entry| self.value(entry))
    }

    /// The first value of this type, if there is one.
    ///
    /// # Errors
    /// When the first value is not what its type's grammar allows; the offset is that in the message.
    #[inline]
    pub fn typed<V: HeaderView<'a>>(&self) -> Result<Option<V>, ParseError> {
        first(self.bytes, &self.entries)
    }

    /// The first value of this type, which must be there.
    ///
    /// # Errors
    /// As [`Headers::typed`], and [`ErrorKind::Missing`] without one.
    #[inline]
    pub fn require<V: HeaderView<'a>>(&self) -> Result<V, ParseError> {
        self.typed()?.ok_or_else(|| ParseError::new(ErrorKind::Missing, Part::Header(V::NAME), self.start as usize))
    }

    /// Every value of this type: those of repeated lines and those joined by commas alike (RFC 3261 §7.3.1).
    pub fn all<V: HeaderView<'a>>(&self) -> impl Iterator<Item = Result<V, ParseError>> + '_ {
        let name = V::NAME;
        self.entries.iter().filter(move |entry| entry.is(self.bytes, &name)).flat_map(|entry| {
            let bytes = self.bytes;
            let mut rest = Some(entry.value());
            std::iter::from_fn(move || {
                let line = rest.take()?;
                let written = bytes.get(line.clone())?;
                let length = if V::LIST { value_length(written) } else { written.len() };
                if !trim(written.get(length + 1..).unwrap_or_default()).is_empty() {
                    rest = Some(line.start + length + 1..line.end);
                }
                Some(one(line.start, written.get(..length)?))
            })
        })
    }

    /// The first value of any type of [`crate::header`], if there is one; the value is copied.
    ///
    /// # Errors
    /// When the first value is not what its type's grammar allows; the offset is that in the value.
    pub fn owned<H: TypedHeader>(&self) -> Result<Option<H>, ParseError> {
        for entry in self.lines(&H::NAME) {
            let value = self.value(entry);
            if H::EMPTY && value.is_empty() {
                continue;
            }
            let length = if H::LIST { value_length(&value) } else { value.len() };
            return header::copied(trim(value.get(..length).unwrap_or_default())).map(Some);
        }
        Ok(None)
    }

    /// The entries of a name.
    fn lines<'b>(&'b self, name: &'b HeaderName) -> impl Iterator<Item = &'b Entry> + 'b {
        self.entries.iter().filter(|entry| entry.is(self.bytes, name))
    }

    fn value(&self, entry: &Entry) -> Cow<'a, [u8]> {
        let written = self.bytes.get(entry.value()).unwrap_or_default();
        if entry.folded { Cow::Owned(unfold(written).to_vec()) } else { Cow::Borrowed(written) }
    }
}

/// The first value of a type.
#[inline]
pub(crate) fn first<'a, V: HeaderView<'a>>(bytes: &'a [u8], entries: &[Entry]) -> Result<Option<V>, ParseError> {
    let found = match V::NAME.known() {
        Some(known) => entries.iter().find(|entry| entry.known == Some(known)),
        None => entries.iter().find(|entry| entry.is(bytes, &V::NAME)),
    };
    found.map(|entry| value_of(bytes, entry)).transpose()
}

/// The first value of a line.
#[inline]
pub(super) fn value_of<'a, V: HeaderView<'a>>(bytes: &'a [u8], entry: &Entry) -> Result<V, ParseError> {
    let line = entry.value();
    let start = line.start;
    let mut value = bytes.get(line).unwrap_or_default();
    if V::LIST {
        let length = value_length(value);
        if length < value.len() {
            return one(start, value.get(..length).unwrap_or_default());
        }
        value = value.get(..length).unwrap_or_default();
    }
    V::parse(value).map_err(|error| ParseError { offset: error.offset + start, ..error })
}

/// One value, which stands at `start` of the message with perhaps white space around it.
fn one<'a, V: HeaderView<'a>>(start: usize, written: &'a [u8]) -> Result<V, ParseError> {
    let value = trim(written);
    let before = written.len() - trim_start(written).len();
    V::parse(value).map_err(|error| ParseError { offset: error.offset + start + before, ..error })
}
