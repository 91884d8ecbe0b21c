//! A report block of an SR or RR (RFC 3550 §6.4.1).

use crate::error::{ParseError, Part};
use crate::statistics::Report;
use bytes::BufMut;

/// What a receiver says of one source.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Block {
    /// The source.
    pub ssrc: u32,
    /// Share lost since the last report, in 256ths.
    pub fraction_lost: u8,
    /// Packets lost in all; only 24 bits are sent.
    pub lost: i32,
    /// Extended highest sequence number received.
    pub highest: u32,
    /// Interarrival jitter in timestamp units.
    pub jitter: u32,
    /// The middle 32 bits of the NTP time of the last SR from the source; 0 for none.
    pub last_report: u32,
    /// Time since that SR, in 65,536ths of a second.
    pub delay: u32,
}

impl Block {
    /// Bytes of a block.
    pub const LEN: usize = 24;

    /// A block from what was measured, without an SR to refer to.
    pub const fn measured(ssrc: u32, report: Report) -> Self {
        let Report { fraction_lost, lost, highest, jitter } = report;
        Self { ssrc, fraction_lost, lost, highest, jitter, last_report: 0, delay: 0 }
    }

    /// The round trip that this block tells its receiver, in 65,536ths of a second, when it arrives at the middle 32 bits of NTP
    /// time `now` (RFC 3550 §6.4.1); none if it refers to no SR or the clocks contradict it.
    pub fn round_trip(&self, now: u32) -> Option<u32> {
        (self.last_report != 0)
            .then(|| now.wrapping_sub(self.last_report).wrapping_sub(self.delay))
            .filter(|trip| *trip < 1 << 31)
    }

    /// Reads `count` blocks; what is left is the profile's extension.
    pub(super) fn parse_all(bytes: &[u8], count: u8, offset: usize) -> Result<(Vec<Self>, &[u8]), ParseError> {
        let mut rest = bytes;
        let mut blocks = Vec::new();
        for _ in 0..count {
            let Some((block, after)) = rest.split_first_chunk::<{ Self::LEN }>() else {
                return Err(ParseError::truncated(Part::Block, offset + bytes.len()));
            };
            blocks.push(Self::from_bytes(block));
            rest = after;
        }
        Ok((blocks, rest))
    }

    pub(super) fn encode(&self, out: &mut impl BufMut) {
        out.put_u32(self.ssrc);
        out.put_u8(self.fraction_lost);
        let [_, l0, l1, l2] = self.lost.clamp(-0x80_0000, 0x7f_ffff).to_be_bytes();
        out.put_slice(&[l0, l1, l2]);
        out.put_u32(self.highest);
        out.put_u32(self.jitter);
        out.put_u32(self.last_report);
        out.put_u32(self.delay);
    }

    fn from_bytes(bytes: &[u8; Self::LEN]) -> Self {
        let &[
            s0,
            s1,
            s2,
            s3,
            fraction_lost,
            l0,
            l1,
            l2,
            h0,
            h1,
            h2,
            h3,
            j0,
            j1,
            j2,
            j3,
            r0,
            r1,
            r2,
            r3,
            d0,
            d1,
            d2,
            d3,
        ] = bytes;
        Self {
            ssrc: u32::from_be_bytes([s0, s1, s2, s3]),
            fraction_lost,
            // The sign is that of 24 bits.
            lost: i32::from_be_bytes([l0, l1, l2, 0]) >> 8,
            highest: u32::from_be_bytes([h0, h1, h2, h3]),
            jitter: u32::from_be_bytes([j0, j1, j2, j3]),
            last_report: u32::from_be_bytes([r0, r1, r2, r3]),
            delay: u32::from_be_bytes([d0, d1, d2, d3]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_negative_loss_keeps_its_sign_in_24_bits() {
        for lost in [-1, -8_388_608, 0, 8_388_607] {
            let mut bytes = Vec::new();
            Block { lost, ..Default::default() }.encode(&mut bytes);
            assert_eq!(Block::parse_all(&bytes, 1, 0).unwrap().0[0].lost, lost);
        }
        let mut bytes = Vec::new();
        Block { lost: i32::MIN, ..Default::default() }.encode(&mut bytes);
        assert_eq!(Block::parse_all(&bytes, 1, 0).unwrap().0[0].lost, -8_388_608);
    }

    #[test]
    fn the_round_trip_is_that_of_figure_2() {
        // RFC 3550 figure 2: A = 0xb710:8000, LSR = 0xb705:2000, DLSR = 0x0005:4000, delay 0x0006:2000 = 6.125 s.
        let block = Block { last_report: 0xb705_2000, delay: 0x0005_4000, ..Default::default() };
        assert_eq!(block.round_trip(0xb710_8000), Some(0x0006_2000));
        assert_eq!(block.round_trip(0xb705_2000), None);
        assert_eq!(Block::default().round_trip(5), None);
    }

    #[test]
    fn too_few_bytes_for_the_count_are_an_error() {
        assert!(Block::parse_all(&[0; 47], 2, 8).is_err());
        assert_eq!(Block::parse_all(&[0; 49], 2, 8).unwrap().1, [0]);
    }
}
