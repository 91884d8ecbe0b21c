//! SDES: who the sources are (RFC 3550 §6.5).

use super::{Frame, Kind, MAX_COUNT, put_header, split_word};
use crate::error::{ParseError, Part};
use bytes::{BufMut, Bytes};

/// A source description.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SourceDescription {
    /// One a source; at most 31 are sent.
    pub chunks: Vec<Chunk>,
}

/// What is said of one source.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Chunk {
    /// The source.
    pub ssrc: u32,
    /// What is said of it.
    pub items: Vec<Item>,
}

/// One thing that is said of a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// Which.
    pub kind: ItemKind,
    /// UTF-8 by the RFC, not checked; only the first 255 bytes are sent.
    pub text: Bytes,
}

/// The type of an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ItemKind(pub u8);

impl ItemKind {
    /// CNAME, RFC 3550 §6.5.1: the only one that must be sent.
    pub const CANONICAL_NAME: Self = Self(1);
    /// NAME, §6.5.2.
    pub const NAME: Self = Self(2);
    /// EMAIL, §6.5.3.
    pub const EMAIL: Self = Self(3);
    /// PHONE, §6.5.4.
    pub const PHONE: Self = Self(4);
    /// LOC, §6.5.5.
    pub const LOCATION: Self = Self(5);
    /// TOOL, §6.5.6.
    pub const TOOL: Self = Self(6);
    /// NOTE, §6.5.7.
    pub const NOTE: Self = Self(7);
    /// PRIV, §6.5.8.
    pub const PRIVATE: Self = Self(8);
}

impl SourceDescription {
    /// The description that every compound packet carries: a canonical name.
    pub fn of_name(ssrc: u32, name: impl Into<Bytes>) -> Self {
        let item = Item { kind: ItemKind::CANONICAL_NAME, text: name.into() };
        Self { chunks: vec![Chunk { ssrc, items: vec![item] }] }
    }

    pub(super) fn parse(frame: &Frame<'_>) -> Result<Self, ParseError> {
        let mut rest = frame.body;
        let mut chunks = Vec::new();
        for _ in 0..frame.count {
            let (chunk, after) =
                Chunk::parse(rest).map_err(|error| error.at(frame.body_offset() + frame.body.len() - rest.len()))?;
            chunks.push(chunk);
            rest = after;
        }
        Ok(Self { chunks })
    }

    /// Writes the description.
    pub fn encode(&self, out: &mut impl BufMut) {
        let count = self.chunks.len().min(MAX_COUNT);
        put_header(count as u8, Kind::SOURCE_DESCRIPTION, self.encoded_len() - 4, out);
        self.chunks.iter().take(count).for_each(|chunk| chunk.encode(out));
    }

    /// Bytes that [`encode`](Self::encode) writes.
    pub fn encoded_len(&self) -> usize {
        4 + self.chunks.iter().take(MAX_COUNT).map(Chunk::encoded_len).sum::<usize>()
    }
}

impl Chunk {
    fn parse(bytes: &[u8]) -> Result<(Self, &[u8]), ParseError> {
        let Some((ssrc, mut rest)) = split_word(bytes) else {
            return Err(ParseError::truncated(Part::Chunk, bytes.len()));
        };
        let mut items = Vec::new();
        loop {
            let at = bytes.len() - rest.len();
            match rest {
                [0, ..] => {
                    // The list ends with zeros up to the next word; at least one.
                    let Some(after) = bytes.get((at + 1).next_multiple_of(4)..) else {
                        return Err(ParseError::truncated(Part::Chunk, bytes.len()));
                    };
                    return Ok((Self { ssrc, items }, after));
                }
                [kind, length, after @ ..] => {
                    let Some((text, after)) = after.split_at_checked(usize::from(*length)) else {
                        return Err(ParseError::truncated(Part::Item, at + 1));
                    };
                    items.push(Item { kind: ItemKind(*kind), text: Bytes::copy_from_slice(text) });
                    rest = after;
                }
                [] | [_] => return Err(ParseError::truncated(Part::Item, at)),
            }
        }
    }

    fn encode(&self, out: &mut impl BufMut) {
        out.put_u32(self.ssrc);
        for item in &self.items {
            let text = item.sent();
            out.put_u8(item.kind.0);
            out.put_u8(text.len() as u8);
            out.put_slice(text);
        }
        let length = self.content_len();
        out.put_bytes(0, (length + 1).next_multiple_of(4) - length);
    }

    fn encoded_len(&self) -> usize {
        (self.content_len() + 1).next_multiple_of(4)
    }

    fn content_len(&self) -> usize {
        4 + self.items.iter().map(|item| 2 + item.sent().len()).sum::<usize>()
    }
}

impl Item {
    fn sent(&self) -> &[u8] {
        self.text.get(..255).unwrap_or(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(count: u8, body: &[u8]) -> Frame<'_> {
        Frame { count, kind: Kind::SOURCE_DESCRIPTION, body, padding: 0, offset: 0 }
    }

    #[test]
    fn chunks_end_on_word_boundaries_after_at_least_one_zero() {
        // Texts of each length: the zeros are 4, 3, 2, 1.
        for length in 0..9 {
            let name = &b"abcdefghi"[..length];
            let one = SourceDescription::of_name(1, name);
            let both =
                SourceDescription { chunks: [one.chunks.clone(), vec![Chunk { ssrc: 2, items: vec![] }]].concat() };
            let mut bytes = Vec::new();
            both.encode(&mut bytes);
            assert_eq!(bytes.len() % 4, 0);
            assert_eq!(usize::from(bytes[3]) * 4 + 4, bytes.len());
            assert_eq!(SourceDescription::parse(&frame(2, &bytes[4..])).unwrap(), both);
        }
    }

    #[test]
    fn an_item_longer_than_the_packet_is_an_error() {
        assert!(SourceDescription::parse(&frame(1, &[0, 0, 0, 1, 1, 9, b'a', b'b'])).is_err());
    }

    #[test]
    fn items_without_an_end_are_an_error() {
        assert!(SourceDescription::parse(&frame(1, &[0, 0, 0, 1, 1, 2, b'a', b'b'])).is_err());
        assert!(SourceDescription::parse(&frame(1, &[0, 0, 0, 1])).is_err());
        assert!(SourceDescription::parse(&frame(2, &[0, 0, 0, 1, 0, 0, 0, 0])).is_err());
    }

    #[test]
    fn unknown_items_are_kept() {
        let parsed = SourceDescription::parse(&frame(1, &[0, 0, 0, 1, 99, 1, b'a', 0])).unwrap();
        assert_eq!(parsed.chunks[0].items[0].kind, ItemKind(99));
    }

    #[test]
    fn a_text_of_more_than_255_bytes_is_cut() {
        let mut bytes = Vec::new();
        let long = SourceDescription::of_name(1, vec![b'x'; 300]);
        long.encode(&mut bytes);
        assert_eq!(bytes.len(), long.encoded_len());
        assert_eq!(SourceDescription::parse(&frame(1, &bytes[4..])).unwrap().chunks[0].items[0].text.len(), 255);
    }
}
