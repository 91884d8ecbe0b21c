//! Full frames (RFC 5456 §8.1.1, figure 5).

use bytes::BufMut;

use super::Kind;
use crate::element::Elements;
use crate::{ErrorKind, ParseError, Part};

/// The twelve bytes before a full frame's payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FullHeader {
    /// The sender's number for the call, fifteen bits.
    pub source_call: u16,
    /// The frame was sent before.
    pub retransmission: bool,
    /// The receiver's number for the call, fifteen bits; 0 when it is not known yet.
    pub destination_call: u16,
    /// Milliseconds since the call began, or an echo of the other side's.
    pub timestamp: u32,
    /// Number of this frame in the sender's sequence.
    pub oseq: u8,
    /// Number of the next frame that the sender expects.
    pub iseq: u8,
    /// Frame type and subclass.
    pub kind: Kind,
}

impl FullHeader {
    /// Length on the wire.
    pub const LEN: usize = 12;

    /// Writes the header. Call numbers are cut to fifteen bits.
    pub fn encode(&self, out: &mut impl BufMut) {
        let (frame_type, subclass) = self.kind.to_bytes();
        out.put_u16(0x8000 | (self.source_call & 0x7fff));
        out.put_u16((u16::from(self.retransmission) << 15) | (self.destination_call & 0x7fff));
        out.put_u32(self.timestamp);
        out.put_slice(&[self.oseq, self.iseq, frame_type, subclass]);
    }
}

/// A full frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Full<'a> {
    /// The header.
    pub header: FullHeader,
    /// Information elements, media or text, as the header's kind says.
    pub payload: &'a [u8],
}

impl<'a> Full<'a> {
    /// Reads a full frame; whether its first bit is set is not looked at again.
    ///
    /// # Errors
    /// Fewer than twelve bytes.
    pub fn parse(datagram: &'a [u8]) -> Result<Self, ParseError> {
        let Some((header, payload)) = datagram.split_first_chunk::<{ FullHeader::LEN }>() else {
            return Err(ParseError::new(ErrorKind::Truncated, Part::Full, datagram.len()));
        };
        let [s0, s1, d0, d1, t0, t1, t2, t3, oseq, iseq, frame_type, subclass] = *header;
        let destination = u16::from_be_bytes([d0, d1]);
        Ok(Self {
            header: FullHeader {
                source_call: u16::from_be_bytes([s0, s1]) & 0x7fff,
                retransmission: destination & 0x8000 != 0,
                destination_call: destination & 0x7fff,
                timestamp: u32::from_be_bytes([t0, t1, t2, t3]),
                oseq,
                iseq,
                kind: Kind::from_bytes(frame_type, subclass),
            },
            payload,
        })
    }

    /// The payload as information elements (RFC 5456 §8.6), checked as a whole.
    ///
    /// # Errors
    /// An element's length runs past the end of the frame, or one byte is left over.
    pub fn elements(&self) -> Result<Elements<'a>, ParseError> {
        Elements::parse(self.payload)
    }

    /// Writes header and payload.
    pub fn encode(&self, out: &mut impl BufMut) {
        self.header.encode(out);
        out.put_slice(self.payload);
    }
}
