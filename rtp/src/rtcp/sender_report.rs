//! SR: what a sender sent and what it received (RFC 3550 §6.4.1).

use super::{Block, Frame, Kind, MAX_COUNT, put_header, put_padded, split_word};
use crate::error::{ParseError, Part};
use bytes::{BufMut, Bytes};
use std::time::Duration;

/// A sender report.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SenderReport {
    /// The sender.
    pub ssrc: u32,
    /// What it sent.
    pub sender: SenderInfo,
    /// What it received; at most 31 are sent.
    pub blocks: Vec<Block>,
    /// The profile's extension.
    pub extension: Bytes,
}

/// The sender information.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SenderInfo {
    /// NTP time of the report: seconds since 1900 in the upper 32 bits, fractions in the lower.
    pub ntp: u64,
    /// The same instant in the stream's timestamps.
    pub timestamp: u32,
    /// Packets sent.
    pub packets: u32,
    /// Payload bytes sent.
    pub octets: u32,
}

impl SenderInfo {
    /// The middle 32 bits of the NTP time, which the receiver's report blocks refer to.
    pub const fn compact_ntp(&self) -> u32 {
        (self.ntp >> 16) as u32
    }
}

/// NTP time (seconds since 1900 and fractions) of a time since 1970.
pub fn ntp_from_unix(since_1970: Duration) -> u64 {
    const SEVENTY_YEARS: u64 = 2_208_988_800;
    let fraction = (u64::from(since_1970.subsec_nanos()) << 32) / 1_000_000_000;
    (since_1970.as_secs().wrapping_add(SEVENTY_YEARS) << 32) | fraction
}

impl SenderReport {
    pub(super) fn parse(frame: &Frame<'_>) -> Result<Self, ParseError> {
        let at = frame.body_offset();
        let Some((ssrc, rest)) = split_word(frame.body) else {
            return Err(ParseError::truncated(Part::Header, at));
        };
        let Some((info, rest)) = rest.split_first_chunk::<20>() else {
            return Err(ParseError::truncated(Part::Sender, at + 4));
        };
        let &[n0, n1, n2, n3, n4, n5, n6, n7, t0, t1, t2, t3, p0, p1, p2, p3, o0, o1, o2, o3] = info;
        let sender = SenderInfo {
            ntp: u64::from_be_bytes([n0, n1, n2, n3, n4, n5, n6, n7]),
            timestamp: u32::from_be_bytes([t0, t1, t2, t3]),
            packets: u32::from_be_bytes([p0, p1, p2, p3]),
            octets: u32::from_be_bytes([o0, o1, o2, o3]),
        };
        let (blocks, extension) = Block::parse_all(rest, frame.count, at + 24)?;
        Ok(Self { ssrc, sender, blocks, extension: Bytes::copy_from_slice(extension) })
    }

    /// Writes the report.
    pub fn encode(&self, out: &mut impl BufMut) {
        let count = self.blocks.len().min(MAX_COUNT);
        put_header(count as u8, Kind::SENDER_REPORT, self.encoded_len() - 4, out);
        out.put_u32(self.ssrc);
        out.put_u64(self.sender.ntp);
        out.put_u32(self.sender.timestamp);
        out.put_u32(self.sender.packets);
        out.put_u32(self.sender.octets);
        self.blocks.iter().take(count).for_each(|block| block.encode(out));
        put_padded(&self.extension, out);
    }

    /// Bytes that [`encode`](Self::encode) writes.
    pub fn encoded_len(&self) -> usize {
        28 + self.blocks.len().min(MAX_COUNT) * Block::LEN + self.extension.len().next_multiple_of(4)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rtcp::{Compound, Packet};

    #[test]
    fn every_field_is_where_the_rfc_puts_it() {
        let bytes: Vec<u8> = [
            &[0x81, 200, 0, 13][..],
            &[0, 0, 0, 1],             // SSRC
            &[1, 2, 3, 4, 5, 6, 7, 8], // NTP
            &[0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4],
            &[0, 0, 0, 5, 6, 0, 0, 7, 0, 0, 0, 8, 0, 0, 0, 9, 0, 0, 0, 10, 0, 0, 0, 11],
            &[0xee, 0xee, 0xee, 0xee], // extension
        ]
        .concat();
        let report = SenderReport {
            ssrc: 1,
            sender: SenderInfo { ntp: 0x0102_0304_0506_0708, timestamp: 2, packets: 3, octets: 4 },
            blocks: vec![Block {
                ssrc: 5,
                fraction_lost: 6,
                lost: 7,
                highest: 8,
                jitter: 9,
                last_report: 10,
                delay: 11,
            }],
            extension: Bytes::from_static(&[0xee; 4]),
        };
        let compound = Compound::parse(&bytes).unwrap();
        assert_eq!(compound.packets().next().unwrap().unwrap(), Packet::SenderReport(report.clone()));
        assert_eq!(report.sender.compact_ntp(), 0x0304_0506);
        let mut again = Vec::new();
        report.encode(&mut again);
        assert_eq!(again, bytes);
    }

    #[test]
    fn more_than_31_blocks_are_not_sent() {
        let report = SenderReport { blocks: vec![Block::default(); 40], ..Default::default() };
        let mut bytes = Vec::new();
        report.encode(&mut bytes);
        assert_eq!(bytes.len(), report.encoded_len());
        let compound = Compound::parse(&bytes).unwrap();
        assert!(matches!(compound.packets().next(), Some(Ok(Packet::SenderReport(it))) if it.blocks.len() == 31));
    }

    #[test]
    fn ntp_time_begins_in_1900() {
        assert_eq!(ntp_from_unix(Duration::ZERO) >> 32, 2_208_988_800);
        assert_eq!(ntp_from_unix(Duration::from_millis(500)) as u32, 1 << 31);
    }
}
