//! One RTP packet: a checked view of received bytes (RFC 3550 §5.1).

use crate::error::{ErrorKind, ParseError, Part};
use crate::header::{Csrcs, Extension, FIXED, Header};
use bytes::Bytes;

/// A checked, borrowed view of an RTP packet.
///
/// ```text
///  0                   1                   2                   3
///  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// |V=2|P|X|  CC   |M|     PT      |       sequence number         |
/// |                           timestamp                           |
/// |           synchronization source (SSRC) identifier            |
/// |            contributing source (CSRC) identifiers             |
/// ```
///
/// Every length in it was checked when it was made: the accessors cannot fail.
///
/// ```
/// let header = rtp::Header { payload_type: 0, sequence: 7, timestamp: 160, ssrc: 0xCAFE, ..Default::default() };
/// let mut bytes = Vec::new();
/// header.encode(&mut bytes);
/// bytes.extend_from_slice(&[0xff; 160]);
///
/// let packet = rtp::Packet::parse(&bytes)?;
/// assert_eq!(packet.sequence(), 7);
/// assert_eq!(packet.payload().len(), 160);
/// # Ok::<(), rtp::ParseError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Packet<'a> {
    first: u8,
    second: u8,
    sequence: u16,
    timestamp: u32,
    ssrc: u32,
    csrc: &'a [u8],
    extension: Option<(u16, &'a [u8])>,
    payload: &'a [u8],
    padding: u8,
}

impl<'a> Packet<'a> {
    /// Reads a packet and checks every length in it.
    ///
    /// # Errors
    ///
    /// A version other than 2 (that is how STUN and ZRTP look), or lengths of the contributing sources, the extension or the
    /// padding that the bytes do not hold.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, ParseError> {
        let Some((fixed, rest)) = bytes.split_first_chunk::<FIXED>() else {
            return Err(ParseError::truncated(Part::Header, bytes.len()));
        };
        let &[first, second, s0, s1, t0, t1, t2, t3, i0, i1, i2, i3] = fixed;
        if first >> 6 != 2 {
            return Err(ParseError::new(ErrorKind::Version, Part::Header, 0));
        }
        let csrc_len = usize::from(first & 0x0f) * 4;
        let Some((csrc, rest)) = rest.split_at_checked(csrc_len) else {
            return Err(ParseError::truncated(Part::Csrc, bytes.len()));
        };
        let (extension, rest) = if first & 0x10 != 0 {
            let at = FIXED + csrc_len;
            let Some((&[p0, p1, l0, l1], rest)) = rest.split_first_chunk::<4>() else {
                return Err(ParseError::truncated(Part::Extension, at));
            };
            let words = usize::from(u16::from_be_bytes([l0, l1]));
            let Some((data, rest)) = rest.split_at_checked(words * 4) else {
                return Err(ParseError::new(ErrorKind::Length, Part::Extension, at + 2));
            };
            (Some((u16::from_be_bytes([p0, p1]), data)), rest)
        } else {
            (None, rest)
        };
        let (payload, padding) = if first & 0x20 != 0 {
            let padding = rest.last().copied().unwrap_or(0);
            let kept = rest.len().checked_sub(usize::from(padding)).filter(|_| padding != 0);
            let Some((payload, _)) = kept.and_then(|kept| rest.split_at_checked(kept)) else {
                return Err(ParseError::new(ErrorKind::Padding, Part::Padding, bytes.len() - 1));
            };
            (payload, padding)
        } else {
            (rest, 0)
        };
        Ok(Self {
            first,
            second,
            sequence: u16::from_be_bytes([s0, s1]),
            timestamp: u32::from_be_bytes([t0, t1, t2, t3]),
            ssrc: u32::from_be_bytes([i0, i1, i2, i3]),
            csrc,
            extension,
            payload,
            padding,
        })
    }

    /// The marker bit: for audio, the first packet of a talk spurt (RFC 3551 §4.1).
    pub const fn marker(&self) -> bool {
        self.second & 0x80 != 0
    }

    /// The payload type, 0 to 127.
    pub const fn payload_type(&self) -> u8 {
        self.second & 0x7f
    }

    /// The sequence number.
    pub const fn sequence(&self) -> u16 {
        self.sequence
    }

    /// The sampling instant of the first payload byte, in units of the payload type's clock.
    pub const fn timestamp(&self) -> u32 {
        self.timestamp
    }

    /// The synchronization source.
    pub const fn ssrc(&self) -> u32 {
        self.ssrc
    }

    /// The contributing sources, at most 15.
    pub fn csrcs(&self) -> impl ExactSizeIterator<Item = u32> + 'a {
        self.csrc.as_chunks::<4>().0.iter().map(|word| u32::from_be_bytes(*word))
    }

    /// The header extension: what is defined by the profile, and its data (a multiple of four bytes; RFC 3550 §5.3.1).
    pub const fn extension(&self) -> Option<(u16, &'a [u8])> {
        self.extension
    }

    /// The elements of an RFC 8285 extension; none if there is no extension or it is of another kind.
    pub fn elements(&self) -> crate::extension::Elements<'a> {
        let (profile, data) = self.extension.unwrap_or((0, &[]));
        crate::extension::Elements::new(profile, data)
    }

    /// The payload without the padding.
    pub const fn payload(&self) -> &'a [u8] {
        self.payload
    }

    /// Bytes of padding after the payload, the count itself included.
    pub const fn padding(&self) -> u8 {
        self.padding
    }

    /// The header as a value, which can be changed and encoded. Copies the extension.
    pub fn header(&self) -> Header {
        Header {
            marker: self.marker(),
            payload_type: self.payload_type(),
            sequence: self.sequence,
            timestamp: self.timestamp,
            ssrc: self.ssrc,
            csrcs: self.csrcs().collect::<Csrcs>(),
            extension: self.extension.and_then(|(profile, data)| Extension::new(profile, Bytes::copy_from_slice(data))),
        }
    }

    /// Whether the second byte is one of an RTCP packet that came to an RTP port (RFC 5761 §4): payload types 64 to 95.
    pub const fn is_control(bytes: &[u8]) -> bool {
        matches!(bytes, [first, second, ..] if *first >> 6 == 2 && matches!(*second, 192..=223))
    }
}

/// Writes other identifiers into an encoded packet that was parsed before; too short a packet stays as it is.
pub(crate) fn rewrite(bytes: &mut [u8], sequence: u16, timestamp: u32, ssrc: u32) {
    if let Some((fixed, _)) = bytes.split_first_chunk_mut::<FIXED>() {
        let [_, _, s0, s1, t0, t1, t2, t3, i0, i1, i2, i3] = fixed;
        [*s0, *s1] = sequence.to_be_bytes();
        [*t0, *t1, *t2, *t3] = timestamp.to_be_bytes();
        [*i0, *i1, *i2, *i3] = ssrc.to_be_bytes();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Sequence 0x1234, timestamp 0x01020304, SSRC 0x0a0b0c0d, two CSRCs, one word of extension, three bytes of padding.
    const FULL: [u8; 32] = [
        0xb2, 0x88, 0x12, 0x34, 0x01, 0x02, 0x03, 0x04, 0x0a, 0x0b, 0x0c, 0x0d, // fixed
        0, 0, 0, 1, 0, 0, 0, 2, // contributing sources
        0xbe, 0xde, 0, 1, 0x10, 0xaa, 0, 0, // extension
        0x55, 0, 0, 3, // payload and padding
    ];

    #[test]
    fn every_field_is_where_the_rfc_puts_it() {
        let packet = Packet::parse(&FULL).unwrap();
        assert!(packet.marker());
        assert_eq!(packet.payload_type(), 8);
        assert_eq!(packet.sequence(), 0x1234);
        assert_eq!(packet.timestamp(), 0x0102_0304);
        assert_eq!(packet.ssrc(), 0x0a0b_0c0d);
        assert_eq!(packet.csrcs().collect::<Vec<_>>(), [1, 2]);
        assert_eq!(packet.extension(), Some((0xbede, &[0x10, 0xaa, 0, 0][..])));
        assert_eq!(packet.payload(), [0x55]);
        assert_eq!(packet.padding(), 3);
        let mut again = Vec::new();
        packet.header().encode_packet(packet.payload(), packet.padding(), &mut again);
        assert_eq!(again, FULL);
    }

    #[test]
    fn every_shorter_prefix_is_an_error_or_loses_only_payload() {
        for len in 0..28 {
            let error = Packet::parse(&FULL[..len]).unwrap_err();
            assert!(error.offset <= len, "{error} of {len}");
        }
    }

    #[test]
    fn padding_of_zero_and_padding_beyond_the_payload_are_refused() {
        for last in [0, 5, 255] {
            let mut bytes = FULL;
            bytes[31] = last;
            assert_eq!(Packet::parse(&bytes).unwrap_err().kind, ErrorKind::Padding, "{last}");
        }
        let mut bytes = FULL;
        bytes[31] = 4;
        assert_eq!(Packet::parse(&bytes).unwrap().payload(), b"");
    }

    #[test]
    fn padding_of_an_empty_packet_is_refused() {
        let mut bytes = [0; 12];
        bytes[0] = 0xa0;
        assert_eq!(Packet::parse(&bytes).unwrap_err().kind, ErrorKind::Padding);
    }

    #[test]
    fn other_versions_are_refused() {
        for version in [0u8, 1, 3] {
            let mut bytes = FULL;
            bytes[0] = version << 6;
            assert_eq!(Packet::parse(&bytes).unwrap_err().kind, ErrorKind::Version);
        }
    }

    #[test]
    fn an_extension_longer_than_the_packet_is_refused() {
        let mut bytes = FULL;
        bytes[22] = 0xff;
        let error = Packet::parse(&bytes).unwrap_err();
        assert_eq!((error.kind, error.part), (ErrorKind::Length, Part::Extension));
    }

    #[test]
    fn control_packets_are_told_from_media() {
        assert!(Packet::is_control(&[0x80, 200]));
        assert!(Packet::is_control(&[0x81, 203, 0, 0]));
        assert!(!Packet::is_control(&[0x80, 0x80]));
        assert!(!Packet::is_control(&[0x80, 0x80 | 101]));
        assert!(!Packet::is_control(&[0x00, 200]));
        assert!(!Packet::is_control(&[]));
    }

    #[test]
    fn rewriting_changes_only_the_three_fields() {
        let mut bytes = FULL;
        rewrite(&mut bytes, 9, 10, 11);
        let packet = Packet::parse(&bytes).unwrap();
        assert_eq!((packet.sequence(), packet.timestamp(), packet.ssrc()), (9, 10, 11));
        assert_eq!(bytes[..2], FULL[..2]);
        assert_eq!(bytes[12..], FULL[12..]);
        rewrite(&mut bytes[..5], 0, 0, 0);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(packet) = Packet::parse(&bytes) {
                let mut again = Vec::new();
                packet.header().encode_packet(packet.payload(), packet.padding(), &mut again);
                // Everything but the value of padding bytes comes back.
                let kept = bytes.len() - usize::from(packet.padding());
                prop_assert_eq!(&again[..kept], &bytes[..kept]);
                prop_assert_eq!(again.len(), bytes.len());
            }
        }
    }
}
