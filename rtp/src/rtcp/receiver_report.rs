//! RR: what somebody who sends nothing received (RFC 3550 §6.4.2).

use super::{Block, Frame, Kind, MAX_COUNT, put_header, put_padded, split_word};
use crate::error::{ParseError, Part};
use bytes::{BufMut, Bytes};

/// A receiver report.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReceiverReport {
    /// Who reports.
    pub ssrc: u32,
    /// What it received; at most 31 are sent.
    pub blocks: Vec<Block>,
    /// The profile's extension.
    pub extension: Bytes,
}

impl ReceiverReport {
    pub(super) fn parse(frame: &Frame<'_>) -> Result<Self, ParseError> {
        let at = frame.body_offset();
        let Some((ssrc, rest)) = split_word(frame.body) else {
            return Err(ParseError::truncated(Part::Header, at));
        };
        let (blocks, extension) = Block::parse_all(rest, frame.count, at + 4)?;
        Ok(Self { ssrc, blocks, extension: Bytes::copy_from_slice(extension) })
    }

    /// Writes the report.
    pub fn encode(&self, out: &mut impl BufMut) {
        let count = self.blocks.len().min(MAX_COUNT);
        put_header(count as u8, Kind::RECEIVER_REPORT, self.encoded_len() - 4, out);
        out.put_u32(self.ssrc);
        self.blocks.iter().take(count).for_each(|block| block.encode(out));
        put_padded(&self.extension, out);
    }

    /// Bytes that [`encode`](Self::encode) writes.
    pub fn encoded_len(&self) -> usize {
        8 + self.blocks.len().min(MAX_COUNT) * Block::LEN + self.extension.len().next_multiple_of(4)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rtcp::{Compound, Packet};

    #[test]
    fn what_is_encoded_is_read_again() {
        let report = ReceiverReport {
            ssrc: 9,
            blocks: vec![Block { ssrc: 1, lost: -3, ..Default::default() }, Block { ssrc: 2, ..Default::default() }],
            extension: Bytes::new(),
        };
        let mut bytes = Vec::new();
        report.encode(&mut bytes);
        let compound = Compound::parse(&bytes).unwrap();
        assert_eq!(compound.packets().next().unwrap().unwrap(), Packet::ReceiverReport(report));
    }

    #[test]
    fn a_count_beyond_the_body_is_an_error_of_this_packet() {
        let bytes = [0x81, 201, 0, 1, 0, 0, 0, 1];
        let error = Compound::parse(&bytes).unwrap().packets().next().unwrap().unwrap_err();
        assert_eq!(error.part, Part::Block);
    }
}
