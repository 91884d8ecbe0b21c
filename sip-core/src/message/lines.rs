//! A message being written: its first line and its header lines, in the buffer that becomes the message.

use bytes::{BufMut, Bytes};
use smallvec::SmallVec;

use super::Headers;
use super::index::{Entries, Entry};
use super::scratch::Encode;
use crate::header::{HeaderName, Known};

/// What is written beside the lines that are counted: the tag of To, and the end of the section.
const SPARE: usize = 96;

/// Lines in the order in which they will stand, with their index.
#[derive(Clone)]
pub(super) struct Lines {
    out: Vec<u8>,
    /// Where the first line ends.
    start: usize,
    entries: SmallVec<[Entry; 12]>,
}

impl Lines {
    /// Begins with the first line, in pieces, and with room for so many bytes of headers.
    #[inline]
    pub(super) fn new(first: [&[u8]; 4], room: usize) -> Self {
        let start = first.iter().map(|piece| piece.len()).sum();
        let mut out = Vec::with_capacity(start + room + SPARE);
        for piece in first {
            out.extend_from_slice(piece);
        }
        Self { out, start, entries: SmallVec::new() }
    }

    /// Adds a line as it stands in another message.
    #[inline]
    pub(super) fn keep(&mut self, entry: Entry, line: &[u8]) {
        self.entries.push(entry.moved(entry.start(), self.out.len()));
        self.out.extend_from_slice(line);
    }

    /// Adds a line at the bottom. A CR or LF in a value becomes a space: a value never begins a line.
    pub(super) fn push(&mut self, name: &HeaderName, value: &impl Encode) {
        let entry = put_line(&mut self.out, name, value);
        self.entries.push(entry);
    }

    /// Puts one line in the place of the one of its name, or at the bottom. There is never more than one, of the names
    /// that this is for.
    pub(super) fn replace(&mut self, name: &HeaderName, value: &impl Encode) {
        let Some(place) = name.known().and_then(|known| self.position(known)) else {
            return self.push(name, value);
        };
        let mut line = Vec::new();
        let entry = put_line(&mut line, name, value);
        let end = self.entries.get(place + 1).map_or(self.out.len(), Entry::start);
        let Some(old) = self.entries.get_mut(place) else { return };
        let start = old.start();
        *old = entry.moved(0, start);
        self.out.splice(start..end, line.iter().copied());
        self.shift(place + 1, end, start + line.len());
    }

    /// Puts bytes behind the value of a line; they hold no CR or LF.
    pub(super) fn append(&mut self, place: usize, bytes: &[u8]) {
        let Some(end) = self.entries.get(place).map(|entry| entry.value().end) else { return };
        let (before, length) = (self.out.len(), bytes.len());
        // Makes room; what is written there is written again below.
        self.out.extend_from_slice(bytes);
        if end < before {
            self.out.copy_within(end..before, end + length);
        }
        if let Some(free) = self.out.get_mut(end..end + length) {
            free.copy_from_slice(bytes);
        }
        if let Some(entry) = self.entries.get_mut(place) {
            *entry = entry.longer(length);
        }
        self.shift(place + 1, end, end + length);
    }

    /// Writes another first line, in pieces.
    pub(super) fn restart(&mut self, first: [&[u8]; 4]) {
        let old = self.start;
        self.start = first.iter().map(|piece| piece.len()).sum();
        self.out.splice(..old, first.concat());
        self.shift(0, old, self.start);
    }

    /// The line of a name, by its number.
    pub(super) fn position(&self, known: Known) -> Option<usize> {
        self.entries.iter().position(|entry| entry.known == Some(known))
    }

    /// The trimmed value of a line, folds and all.
    pub(super) fn value(&self, place: usize) -> Option<&[u8]> {
        self.entries.get(place).and_then(|entry| self.out.get(entry.value()))
    }

    /// The message with this body, whose length is written in the last line.
    #[inline]
    pub(super) fn finish(mut self, body: &[u8]) -> (Headers, Bytes) {
        self.out.reserve_exact(body.len() + 40);
        self.push(&HeaderName::CONTENT_LENGTH, &super::edit::Decimal(body.len()));
        self.out.extend_from_slice(b"\r\n");
        let end = self.out.len();
        self.out.extend_from_slice(body);
        if self.out.capacity() - self.out.len() > 2 * SPARE {
            self.out.shrink_to_fit();
        }
        let bytes = Bytes::from(self.out);
        let body = if body.is_empty() { Bytes::new() } else { bytes.slice(end..) };
        (Headers::from_parts(bytes, self.start, Entries::from_slice(&self.entries), end), body)
    }

    /// Notes that lines from this one on have moved.
    fn shift(&mut self, place: usize, from: usize, to: usize) {
        for entry in self.entries.iter_mut().skip(place) {
            *entry = entry.moved(from, to);
        }
    }
}

/// Writes a line with its CRLF.
#[inline]
pub(super) fn put_line(out: &mut Vec<u8>, name: &HeaderName, value: &impl Encode) -> Entry {
    let start = out.len();
    let written = name.as_str().as_bytes();
    out.extend_from_slice(written);
    out.extend_from_slice(b": ");
    let value_start = out.len();
    value.encode(&mut *out);
    let value = out.get_mut(value_start..).unwrap_or_default();
    for byte in value.iter_mut().filter(|byte| matches!(byte, b'\r' | b'\n')) {
        *byte = b' ';
    }
    let is_space = |byte: &&u8| matches!(byte, b' ' | b'\t');
    let trailing = value.iter().rev().take_while(is_space).count();
    let length = value.len() - trailing;
    let leading = value.iter().take(length).take_while(is_space).count();
    out.truncate(value_start + length);
    out.put_slice(b"\r\n");
    Entry::new(start, start + written.len(), value_start + leading..value_start + length, name.known(), false)
}
