//! The packets of one datagram (RFC 3550 §6.1, validated as appendix A.2 says).

use super::{Kind, Packet, split_word};
use crate::error::{ErrorKind, ParseError, Part};

/// A checked view of a compound packet: versions, types and lengths are right, the bodies not yet read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Compound<'a> {
    bytes: &'a [u8],
}

impl<'a> Compound<'a> {
    /// Checks a datagram.
    ///
    /// # Errors
    ///
    /// Another version, a first packet that is no report, padding elsewhere than in the last packet, or lengths that do not add
    /// up to the datagram's.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, ParseError> {
        match bytes {
            [first, kind, ..] if first >> 6 == 2 => {
                let report = matches!(Kind(*kind), Kind::SENDER_REPORT | Kind::RECEIVER_REPORT);
                if !report {
                    return Err(ParseError::new(ErrorKind::Report, Part::Header, 1));
                }
            }
            [_, _, ..] => return Err(ParseError::new(ErrorKind::Version, Part::Header, 0)),
            _ => return Err(ParseError::truncated(Part::Header, bytes.len())),
        }
        let mut frames = Frames { rest: bytes, offset: 0 };
        while let Some(frame) = frames.next_checked()? {
            if frame.padding > 0 && !frames.rest.is_empty() {
                return Err(ParseError::new(ErrorKind::Padding, Part::Header, frame.offset));
            }
        }
        Ok(Self { bytes })
    }

    /// The packets, not yet read.
    pub const fn frames(&self) -> Frames<'a> {
        Frames { rest: self.bytes, offset: 0 }
    }

    /// The packets, each read on its own: one that is wrong does not hide the others.
    pub fn packets(&self) -> impl Iterator<Item = Result<Packet, ParseError>> + 'a {
        self.frames().map(|frame| Packet::parse(&frame))
    }

    /// The SSRC that reports: that of the first packet.
    pub fn sender(&self) -> Option<u32> {
        self.frames().next().and_then(|frame| split_word(frame.body)).map(|(ssrc, _)| ssrc)
    }
}

/// One packet of a compound: its first four bytes read, its body not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame<'a> {
    /// The five bits beside the version: how many reports, chunks or sources; or a subtype.
    pub count: u8,
    /// Which type of packet.
    pub kind: Kind,
    /// What follows the first four bytes, without padding.
    pub body: &'a [u8],
    /// Bytes of padding.
    pub padding: u8,
    /// Where it begins in the datagram.
    pub offset: usize,
}

impl Frame<'_> {
    /// Where the body begins in the datagram.
    pub(super) const fn body_offset(&self) -> usize {
        self.offset + 4
    }
}

/// Goes through the packets of a compound.
#[derive(Debug, Clone)]
pub struct Frames<'a> {
    rest: &'a [u8],
    offset: usize,
}

impl<'a> Frames<'a> {
    fn next_checked(&mut self) -> Result<Option<Frame<'a>>, ParseError> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let offset = self.offset;
        let Some((&[first, kind, l0, l1], after)) = self.rest.split_first_chunk::<4>() else {
            return Err(ParseError::truncated(Part::Header, offset + self.rest.len()));
        };
        if first >> 6 != 2 {
            return Err(ParseError::new(ErrorKind::Version, Part::Header, offset));
        }
        let length = usize::from(u16::from_be_bytes([l0, l1])) * 4;
        let Some((body, rest)) = after.split_at_checked(length) else {
            return Err(ParseError::new(ErrorKind::Length, Part::Header, offset + 2));
        };
        let padding = if first & 0x20 == 0 { 0 } else { body.last().copied().unwrap_or(0) };
        if first & 0x20 != 0 && (padding == 0 || padding % 4 != 0) {
            return Err(ParseError::new(ErrorKind::Padding, Part::Padding, offset + 3 + length));
        }
        let kept = body.len().checked_sub(usize::from(padding));
        let Some((body, _)) = kept.and_then(|kept| body.split_at_checked(kept)) else {
            return Err(ParseError::new(ErrorKind::Padding, Part::Padding, offset + 3 + length));
        };
        self.rest = rest;
        self.offset = offset + 4 + length;
        Ok(Some(Frame { count: first & 0x1f, kind: Kind(kind), body, padding, offset }))
    }
}

impl<'a> Iterator for Frames<'a> {
    type Item = Frame<'a>;

    fn next(&mut self) -> Option<Frame<'a>> {
        // Checked when the compound was made.
        self.next_checked().ok().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rtcp::{Goodbye, ReceiverReport, SenderReport, SourceDescription};
    use bytes::Bytes;
    use proptest::prelude::*;

    fn encode(packets: &[Packet]) -> Vec<u8> {
        let mut bytes = Vec::new();
        packets.iter().for_each(|packet| packet.encode(&mut bytes));
        assert_eq!(bytes.len(), packets.iter().map(Packet::encoded_len).sum::<usize>());
        bytes
    }

    fn ordinary() -> Vec<Packet> {
        vec![
            Packet::SenderReport(SenderReport { ssrc: 7, ..Default::default() }),
            Packet::SourceDescription(SourceDescription::of_name(7, "alice@example.com")),
            Packet::Goodbye(Goodbye { sources: vec![7], reason: Bytes::from_static(b"bye") }),
            Packet::Other { kind: super::Kind(207), count: 0, body: Bytes::from_static(&[0, 0, 0, 7]) },
        ]
    }

    #[test]
    fn the_packets_of_a_compound_come_back_in_order() {
        let bytes = encode(&ordinary());
        let compound = Compound::parse(&bytes).unwrap();
        assert_eq!(compound.packets().collect::<Result<Vec<_>, _>>().unwrap(), ordinary());
        assert_eq!(compound.sender(), Some(7));
    }

    #[test]
    fn a_compound_that_begins_with_no_report_is_refused() {
        let bytes = encode(&ordinary()[1..]);
        assert_eq!(Compound::parse(&bytes).unwrap_err().kind, ErrorKind::Report);
    }

    #[test]
    fn every_cut_is_refused_unless_it_is_between_packets() {
        let packets = ordinary();
        let bytes = encode(&packets);
        let mut ends = vec![];
        for packet in &packets {
            ends.push(ends.last().unwrap_or(&0) + packet.encoded_len());
        }
        for len in 0..bytes.len() {
            assert_eq!(Compound::parse(&bytes[..len]).is_ok(), ends.contains(&len), "{len}");
        }
    }

    #[test]
    fn padding_is_allowed_in_the_last_packet_only() {
        let report = Packet::ReceiverReport(ReceiverReport { ssrc: 1, ..Default::default() });
        let mut padded = encode(std::slice::from_ref(&report));
        padded[0] |= 0x20;
        padded[3] += 1;
        padded.extend([0, 0, 0, 4]);
        assert_eq!(Compound::parse(&padded).unwrap().frames().next().unwrap().padding, 4);
        assert_eq!(Compound::parse(&padded).unwrap().packets().next().unwrap().unwrap(), report);
        let last = padded.len() - 1;
        for wrong in [0, 3, 12, 255] {
            padded[last] = wrong;
            assert_eq!(Compound::parse(&padded).unwrap_err().kind, ErrorKind::Padding, "{wrong}");
        }
        padded[last] = 4;
        padded.extend(encode(&[report]));
        assert_eq!(Compound::parse(&padded).unwrap_err().kind, ErrorKind::Padding);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused_without_a_panic(mut bytes in prop::collection::vec(any::<u8>(), 0..120), kind in 199u8..208, length in 0u8..12) {
            if let [first, second, l0, l1, ..] = bytes.as_mut_slice() {
                *first |= 0x80;
                *second = kind;
                (*l0, *l1) = (0, length);
            }
            if let Ok(compound) = Compound::parse(&bytes) {
                for packet in compound.packets().flatten() {
                    let mut again = Vec::new();
                    packet.encode(&mut again);
                    prop_assert_eq!(again.len(), packet.encoded_len());
                }
            }
        }
    }
}
