//! A message's bytes with changes: what stays is copied as it came, in one pass, and nothing is allocated for it.

use std::ops::Range;

/// Changes to the bytes of a message, each at its place; those at one place in the order in which they were made.
#[derive(Debug, Default)]
pub(super) struct Patch {
    pieces: Vec<Piece>,
    text: Vec<u8>,
}

#[derive(Debug, Clone)]
struct Piece {
    at: usize,
    removed: usize,
    text: Range<usize>,
}

impl Patch {
    /// Begins again, with the memory of before.
    pub(super) fn clear(&mut self) {
        self.pieces.clear();
        self.text.clear();
    }

    /// Puts what is written at a place.
    #[inline]
    pub(super) fn insert(&mut self, at: usize, write: impl FnOnce(&mut Vec<u8>)) {
        self.replace(at..at, write);
    }

    /// Puts what is written in the place of these bytes.
    #[inline]
    pub(super) fn replace(&mut self, place: Range<usize>, write: impl FnOnce(&mut Vec<u8>)) {
        let start = self.text.len();
        write(&mut self.text);
        let piece = Piece { at: place.start, removed: place.len(), text: start..self.text.len() };
        // Mostly they come in order.
        let after = self.pieces.iter().rposition(|other| other.at <= piece.at).map_or(0, |last| last + 1);
        self.pieces.insert(after, piece);
    }

    /// Takes these bytes out.
    pub(super) fn remove(&mut self, place: Range<usize>) {
        self.replace(place, |_| {});
    }

    /// Writes the message as it is now, at the end of `out`.
    #[inline]
    pub(super) fn write(&self, message: &[u8], out: &mut Vec<u8>) {
        out.reserve(message.len() + self.text.len());
        let mut done = 0;
        for piece in &self.pieces {
            out.extend_from_slice(message.get(done..piece.at).unwrap_or_default());
            out.extend_from_slice(self.text.get(piece.text.clone()).unwrap_or_default());
            done = done.max(piece.at + piece.removed);
        }
        out.extend_from_slice(message.get(done..).unwrap_or_default());
    }
}

/// Where a part of some bytes is in them.
pub(super) fn place_of(whole: &[u8], part: &[u8]) -> Option<Range<usize>> {
    let start = part.as_ptr().addr().checked_sub(whole.as_ptr().addr())?;
    let end = start.checked_add(part.len())?;
    (end <= whole.len()).then_some(start..end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_come_in_their_places_whatever_the_order_in_which_they_are_made() {
        let mut patch = Patch::default();
        patch.replace(6..11, |out| out.extend_from_slice(b"there"));
        patch.insert(0, |out| out.extend_from_slice(b"oh, "));
        patch.insert(0, |out| out.extend_from_slice(b"well: "));
        patch.remove(5..6);
        patch.insert(11, |out| sip_core::write::number(10_203, out));
        let mut out = b"> ".to_vec();
        patch.write(b"hello world", &mut out);
        assert_eq!(out, b"> oh, well: hellothere10203");
        patch.clear();
        out.clear();
        patch.write(b"hello", &mut out);
        assert_eq!(out, b"hello");
    }

    #[test]
    fn a_part_is_found_in_its_whole_only() {
        let whole = b"0123456789".to_vec();
        assert_eq!(place_of(&whole, &whole[3..5]), Some(3..5));
        assert_eq!(place_of(&whole[4..], &whole[3..5]), None);
        assert_eq!(place_of(&whole[..4], &whole[3..5]), None);
    }
}
