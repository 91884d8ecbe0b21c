//! A header section being edited: the original lines and added ones, in the order they will be written.

use bytes::{BufMut, Bytes, BytesMut};
use smallvec::SmallVec;

use super::Headers;
use super::index::{Entries, Entry};
use super::scratch::{Encode, Scratch};
use crate::header::{HeaderName, Known, WriteHeader, trim, value_length};

/// Marks a line's number as that of an added one.
const ADDED: u32 = 1 << 31;

/// The lines of a header section by number: those of the original, and added ones. Original lines are neither
/// copied nor touched.
#[derive(Clone)]
pub(super) struct Draft {
    order: SmallVec<[u32; 40]>,
    added: SmallVec<[Entry; 4]>,
    scratch: Scratch,
}

/// A typed value.
pub(super) struct Typed<'a, H>(pub(super) &'a H);

impl<H: WriteHeader> Encode for Typed<'_, H> {
    fn encode(&self, out: &mut impl BufMut) {
        self.0.write_value(out);
    }
}

/// A value as bytes.
pub(super) struct Raw<'a>(pub(super) &'a [u8]);

impl Encode for Raw<'_> {
    fn encode(&self, out: &mut impl BufMut) {
        out.put_slice(self.0);
    }
}

/// A typed value before the rest of its line.
struct Joined<'a, H>(&'a H, &'a [u8]);

impl<H: WriteHeader> Encode for Joined<'_, H> {
    fn encode(&self, out: &mut impl BufMut) {
        self.0.write_value(out);
        out.put_slice(b", ");
        out.put_slice(self.1);
    }
}

impl Draft {
    /// The original lines as they are.
    #[inline]
    pub(super) fn all(base: &Headers) -> Self {
        let mut draft = Self::none();
        draft.order.extend(0..base.len() as u32);
        draft
    }

    /// No line at all.
    pub(super) fn none() -> Self {
        Self { order: SmallVec::new(), added: SmallVec::new(), scratch: Scratch::new() }
    }

    /// Adds a line above the first of its name, or at the top.
    pub(super) fn push_front(&mut self, base: &Headers, name: &HeaderName, value: &impl Encode) {
        let line = self.line(name, value);
        let at = self.position(base, name, 0).unwrap_or(0);
        self.order.insert(at, line);
    }

    /// Adds a line below the last of its name, or at the bottom.
    pub(super) fn push_back(&mut self, base: &Headers, name: &HeaderName, value: &impl Encode) {
        let line = self.line(name, value);
        let last = self.find(base, name, &self.order, true);
        self.order.insert(last.map_or(self.order.len(), |last| last + 1), line);
    }

    /// Adds a line at the bottom.
    pub(super) fn push(&mut self, name: &HeaderName, value: &impl Encode) {
        let line = self.line(name, value);
        self.order.push(line);
    }

    /// Puts one line in the place of all of its name, or at the bottom.
    pub(super) fn replace(&mut self, base: &Headers, name: &HeaderName, value: &impl Encode) {
        let Some(first) = self.position(base, name, 0) else {
            return self.push(name, value);
        };
        let line = self.line(name, value);
        if let Some(slot) = self.order.get_mut(first) {
            *slot = line;
        }
        while let Some(next) = self.position(base, name, first + 1) {
            self.order.remove(next);
        }
    }

    /// Puts a value in the place of the topmost one, or at the bottom.
    pub(super) fn replace_first<H: WriteHeader>(&mut self, base: &Headers, header: &H) {
        let Some(first) = self.position(base, &H::FIELD, 0) else {
            return self.push(&H::FIELD, &Typed(header));
        };
        let rest = self.rest(base, first, H::JOINED);
        let line = match rest {
            Some(rest) => self.line(&H::FIELD, &Joined(header, &rest)),
            None => self.line(&H::FIELD, &Typed(header)),
        };
        if let Some(slot) = self.order.get_mut(first) {
            *slot = line;
        }
    }

    /// Takes away the topmost value; says whether there was one.
    pub(super) fn pop_front(&mut self, base: &Headers, name: &HeaderName) -> bool {
        let Some(first) = self.position(base, name, 0) else { return false };
        match self.rest(base, first, name.is_list()) {
            Some(rest) => {
                let line = self.line(name, &Raw(&rest));
                if let Some(slot) = self.order.get_mut(first) {
                    *slot = line;
                }
            }
            None => {
                self.order.remove(first);
            }
        }
        true
    }

    /// Takes away every line of a name; says whether there was one.
    pub(super) fn remove(&mut self, base: &Headers, name: &HeaderName) -> bool {
        let mut found = false;
        while let Some(at) = self.position(base, name, 0) {
            self.order.remove(at);
            found = true;
        }
        found
    }

    /// Whether there is a line of this name.
    pub(super) fn contains(&self, base: &Headers, name: &HeaderName) -> bool {
        self.position(base, name, 0).is_some()
    }

    /// Visits the header section in slices: runs of original lines that follow one another are one slice.
    pub(super) fn visit<'a>(&'a self, base: &'a Headers, visit: &mut impl FnMut(&'a [u8])) {
        let mut lines = self.order.iter().copied().peekable();
        while let Some(line) = lines.next() {
            if line & ADDED != 0 {
                visit(self.added_line(line));
                continue;
            }
            let mut end = line + 1;
            while lines.next_if_eq(&end).is_some() {
                end += 1;
            }
            visit(base.run(line as usize, end as usize));
        }
    }

    /// Writes a message in one pass, with its index: `start` is its first line in pieces.
    pub(super) fn assemble(&self, base: &Headers, start: [&[u8]; 4], body: &[u8]) -> (Headers, Bytes) {
        let mut length = start.iter().map(|piece| piece.len()).sum::<usize>() + 2 + body.len();
        self.visit(base, &mut |slice| length += slice.len());
        let mut out = BytesMut::with_capacity(length);
        for piece in start {
            out.put_slice(piece);
        }
        let first = out.len();
        let mut entries = Entries::with_capacity(self.order.len());
        let mut at = first;
        for line in &self.order {
            let Some((entry, _)) = self.entry(base, *line) else { continue };
            entries.push(entry.moved(entry.start(), at));
            at += match *line & ADDED {
                0 => base.run(*line as usize, *line as usize + 1).len(),
                _ => self.added_line(*line).len(),
            };
        }
        self.visit(base, &mut |slice| out.put_slice(slice));
        out.put_slice(b"\r\n");
        let end = out.len();
        out.put_slice(body);
        let bytes = out.freeze();
        let body = if body.is_empty() { Bytes::new() } else { bytes.slice(end..) };
        (Headers::from_parts(bytes, first, entries, end), body)
    }

    /// Writes a line to the scratch bytes. A CR or LF in a value becomes a space: a value never begins a line.
    fn line(&mut self, name: &HeaderName, value: &impl Encode) -> u32 {
        let start = self.scratch.len();
        let written = name.as_str().as_bytes();
        self.scratch.put(written);
        self.scratch.put(b": ");
        let value_start = self.scratch.len();
        self.scratch.encode(value);
        let value = self.scratch.bytes_mut().get_mut(value_start..).unwrap_or_default();
        if memchr::memchr2(b'\r', b'\n', value).is_some() {
            for byte in value.iter_mut().filter(|byte| matches!(byte, b'\r' | b'\n')) {
                *byte = b' ';
            }
        }
        let trim = |byte: &&u8| matches!(byte, b' ' | b'\t');
        let trailing = value.iter().rev().take_while(trim).count();
        let value_end = value_start + value.len() - trailing;
        let leading = value.iter().take(value.len() - trailing).take_while(trim).count();
        self.scratch.truncate(value_end);
        self.scratch.put(b"\r\n");
        let value = value_start + leading..value_end;
        self.added.push(Entry::new(start, start + written.len(), value, name.known(), false));
        (self.added.len() as u32 - 1) | ADDED
    }

    /// What is left of a line when its first value goes, unless that is nothing.
    fn rest(&self, base: &Headers, at: usize, list: bool) -> Option<SmallVec<[u8; 256]>> {
        if !list {
            return None;
        }
        let (entry, bytes) = self.entry(base, *self.order.get(at)?)?;
        let value = bytes.get(entry.value())?;
        let rest = trim(value.get(value_length(value) + 1..)?);
        if rest.is_empty() { None } else { Some(SmallVec::from_slice(rest)) }
    }

    fn added_line(&self, line: u32) -> &[u8] {
        let Some(entry) = self.added.get((line & !ADDED) as usize) else { return &[] };
        self.scratch.bytes().get(entry.start()..entry.value().end + 2).unwrap_or_default()
    }

    /// A line's entry and the bytes that it is about.
    fn entry<'a>(&'a self, base: &'a Headers, line: u32) -> Option<(Entry, &'a [u8])> {
        match line & ADDED {
            0 => Some((*base.entries().get(line as usize)?, base.bytes())),
            _ => Some((*self.added.get((line & !ADDED) as usize)?, self.scratch.bytes())),
        }
    }

    /// Which of some lines is the first of a name, or the last.
    fn find(&self, base: &Headers, name: &HeaderName, lines: &[u32], last: bool) -> Option<usize> {
        let known = name.known();
        let (entries, added) = (base.entries(), &self.added[..]);
        let is = |line: &u32| {
            let number = (line & !ADDED) as usize;
            let entry = if line & ADDED == 0 { entries.get(number) } else { added.get(number) };
            entry.is_some_and(|entry| match known {
                Some(_) => entry.known == known,
                None if line & ADDED == 0 => entry.is(base.bytes(), name),
                None => entry.is(self.scratch.bytes(), name),
            })
        };
        if last { lines.iter().rposition(is) } else { lines.iter().position(is) }
    }

    /// The first line of a name from a position on.
    fn position(&self, base: &Headers, name: &HeaderName, from: usize) -> Option<usize> {
        Some(from + self.find(base, name, self.order.get(from..)?, false)?)
    }
}

/// Whether a name is Content-Length, which follows the body and is never written by itself.
pub(super) fn is_content_length(name: &HeaderName) -> bool {
    name.known() == Some(Known::ContentLength)
}
