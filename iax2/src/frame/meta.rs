//! Meta frames whose command is reserved (RFC 5456 §8.1.3.2, RFC 5457 §2.1).

use bytes::BufMut;

use crate::{ErrorKind, ParseError, Part};

/// A meta frame of a command that is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Meta<'a> {
    /// The command, seven bits.
    pub command: u8,
    /// Everything after it.
    pub data: &'a [u8],
}

impl<'a> Meta<'a> {
    /// Reads a meta frame of any command.
    ///
    /// # Errors
    /// Fewer than three bytes.
    pub fn parse(datagram: &'a [u8]) -> Result<Self, ParseError> {
        match datagram.split_first_chunk::<3>() {
            Some(([_, _, command], data)) => Ok(Self { command: command & 0x7f, data }),
            None => Err(ParseError::new(ErrorKind::Truncated, Part::Frame, datagram.len())),
        }
    }

    /// Writes the frame.
    pub fn encode(&self, out: &mut impl BufMut) {
        out.put_slice(&[0, 0, self.command & 0x7f]);
        out.put_slice(self.data);
    }
}
