//! Meta video frames (RFC 5456 §8.1.3.1, figure 7).

use bytes::BufMut;

use crate::{ErrorKind, ParseError, Part};

/// A meta video frame: video in the format of the call's last full video frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Video<'a> {
    /// The sender's number for the call, fifteen bits.
    pub source_call: u16,
    /// The bit before the timestamp: the last packet of a picture (Asterisk's use of the bit that the figure leaves open).
    pub mark: bool,
    /// Low fifteen bits of the call's timestamp.
    pub timestamp: u16,
    /// The video.
    pub payload: &'a [u8],
}

impl<'a> Video<'a> {
    /// Length of the header on the wire.
    pub const HEADER_LEN: usize = 6;

    /// Reads a meta video frame.
    ///
    /// # Errors
    /// Fewer than six bytes.
    pub fn parse(datagram: &'a [u8]) -> Result<Self, ParseError> {
        let Some(([_, _, c0, c1, t0, t1], payload)) = datagram.split_first_chunk::<6>() else {
            return Err(ParseError::new(ErrorKind::Truncated, Part::Video, datagram.len()));
        };
        let timestamp = u16::from_be_bytes([*t0, *t1]);
        Ok(Self {
            source_call: u16::from_be_bytes([*c0, *c1]) & 0x7fff,
            mark: timestamp & 0x8000 != 0,
            timestamp: timestamp & 0x7fff,
            payload,
        })
    }

    /// Writes header and payload.
    pub fn encode(&self, out: &mut impl BufMut) {
        out.put_u16(0);
        out.put_u16(0x8000 | self.source_call);
        out.put_u16((u16::from(self.mark) << 15) | (self.timestamp & 0x7fff));
        out.put_slice(self.payload);
    }
}
