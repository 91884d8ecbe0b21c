//! Mini frames (RFC 5456 §8.1.2, figure 6).

use bytes::BufMut;

use crate::{ErrorKind, ParseError, Part};

/// A mini frame: voice in the format of the call's last full voice frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mini<'a> {
    /// The sender's number for the call, fifteen bits, never 0.
    pub source_call: u16,
    /// Low sixteen bits of the call's timestamp.
    pub timestamp: u16,
    /// The voice.
    pub payload: &'a [u8],
}

impl<'a> Mini<'a> {
    /// Length of the header on the wire.
    pub const HEADER_LEN: usize = 4;

    /// Reads a mini frame.
    ///
    /// # Errors
    /// Fewer than four bytes.
    pub fn parse(datagram: &'a [u8]) -> Result<Self, ParseError> {
        let Some(([c0, c1, t0, t1], payload)) = datagram.split_first_chunk::<4>() else {
            return Err(ParseError::new(ErrorKind::Truncated, Part::Mini, datagram.len()));
        };
        Ok(Self {
            source_call: u16::from_be_bytes([*c0, *c1]) & 0x7fff,
            timestamp: u16::from_be_bytes([*t0, *t1]),
            payload,
        })
    }

    /// Writes header and payload.
    pub fn encode(&self, out: &mut impl BufMut) {
        out.put_u16(self.source_call & 0x7fff);
        out.put_u16(self.timestamp);
        out.put_slice(self.payload);
    }
}
