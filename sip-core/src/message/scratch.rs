//! Bytes that an edit adds: inline as long as they are few.

use bytes::{BufMut, buf::Chain};

/// What fits without an allocation: a Via, a Record-Route and a few small lines.
const INLINE: usize = 256;

/// Something that can write itself.
pub(super) trait Encode {
    fn encode(&self, out: &mut impl BufMut);
}

/// A growing piece of bytes.
#[derive(Clone)]
pub(super) struct Scratch {
    inline: [u8; INLINE],
    length: usize,
    /// Holds everything as soon as it holds anything.
    heap: Vec<u8>,
}

impl Scratch {
    pub(super) fn new() -> Self {
        Self { inline: [0; INLINE], length: 0, heap: Vec::new() }
    }

    pub(super) fn len(&self) -> usize {
        if self.heap.is_empty() { self.length } else { self.heap.len() }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        if self.heap.is_empty() { self.inline.get(..self.length).unwrap_or_default() } else { &self.heap }
    }

    pub(super) fn bytes_mut(&mut self) -> &mut [u8] {
        if self.heap.is_empty() { self.inline.get_mut(..self.length).unwrap_or_default() } else { &mut self.heap }
    }

    /// Forgets what was written past a length.
    pub(super) fn truncate(&mut self, length: usize) {
        if self.heap.is_empty() {
            self.length = self.length.min(length);
        } else {
            self.heap.truncate(length);
            if self.heap.is_empty() {
                self.length = 0;
            }
        }
    }

    pub(super) fn put(&mut self, bytes: &[u8]) {
        if self.heap.is_empty() {
            if let Some(free) = self.inline.get_mut(self.length..self.length + bytes.len()) {
                free.copy_from_slice(bytes);
                self.length += bytes.len();
                return;
            }
            self.heap.extend_from_slice(self.inline.get(..self.length).unwrap_or_default());
        }
        self.heap.extend_from_slice(bytes);
    }

    pub(super) fn encode(&mut self, value: &impl Encode) {
        if !self.heap.is_empty() {
            value.encode(&mut self.heap);
            return;
        }
        let free = self.inline.get_mut(self.length..).unwrap_or_default();
        let size = free.len();
        let mut out: Chain<&mut [u8], Vec<u8>> = free.chain_mut(Vec::new());
        value.encode(&mut out);
        let (left, spilled) = out.into_inner();
        self.length += size - left.len();
        if !spilled.is_empty() {
            self.heap.reserve(self.length + spilled.len());
            self.heap.extend_from_slice(self.inline.get(..self.length).unwrap_or_default());
            self.heap.extend_from_slice(&spilled);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Raw(Vec<u8>);

    impl Encode for Raw {
        fn encode(&self, out: &mut impl BufMut) {
            out.put_slice(&self.0);
        }
    }

    #[test]
    fn what_is_written_is_read_back_whether_it_fits_inline_or_not() {
        for sizes in [[10, 20, 30], [250, 6, 1], [250, 7, 5], [0, 600, 600], [256, 0, 1]] {
            let (mut put, mut encoded, mut expected) = (Scratch::new(), Scratch::new(), Vec::new());
            for (number, size) in sizes.into_iter().enumerate() {
                let piece = vec![number as u8 + 1; size];
                put.put(&piece);
                encoded.encode(&Raw(piece.clone()));
                expected.extend(piece);
                assert_eq!(put.bytes(), expected);
                assert_eq!(encoded.bytes(), expected);
                assert_eq!(encoded.len(), expected.len());
            }
            put.truncate(3);
            assert_eq!(put.bytes(), &expected[..3]);
            put.bytes_mut()[0] = 9;
            assert_eq!(put.bytes()[0], 9);
        }
    }
}
