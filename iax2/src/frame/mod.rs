//! Frames (RFC 5456 §8.1): checked borrowed views beside plain values that encode.

mod command;
mod control;
mod full;
mod html;
mod kind;
mod meta;
mod mini;
mod trunk;
mod video;

pub use command::Command;
pub use control::Control;
pub use full::{Full, FullHeader};
pub use html::Html;
pub use kind::{Kind, Subclass};
pub use meta::Meta;
pub use mini::Mini;
pub use trunk::{Entries, Entry, Trunk, TrunkHeader, TrunkWriter};
pub use video::Video;

use bytes::BufMut;

use crate::{ErrorKind, ParseError, Part};

/// Highest call number that fits the fifteen bits of a header.
pub const MAX_CALL_NUMBER: u16 = 0x7fff;

/// One datagram, told apart by its first bytes (RFC 5456 §8.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Frame<'a> {
    /// A full frame: reliable, sequenced.
    Full(Full<'a>),
    /// A mini frame: voice with four bytes of header.
    Mini(Mini<'a>),
    /// A meta video frame.
    Video(Video<'a>),
    /// A meta trunk frame: voice of many calls.
    Trunk(Trunk<'a>),
    /// A meta frame whose command is not known; kept as it came.
    Meta(Meta<'a>),
}

impl<'a> Frame<'a> {
    /// Reads a datagram. Encrypted frames look like full and mini frames with senseless contents.
    ///
    /// # Errors
    /// The datagram is shorter than the header that its first bytes announce.
    pub fn parse(datagram: &'a [u8]) -> Result<Self, ParseError> {
        let Some((first, _)) = datagram.split_first_chunk::<2>() else {
            return Err(ParseError::new(ErrorKind::Truncated, Part::Frame, datagram.len()));
        };
        match *first {
            [f, _] if f & 0x80 != 0 => Full::parse(datagram).map(Frame::Full),
            [0, 0] => match datagram.get(2) {
                None => Err(ParseError::new(ErrorKind::Truncated, Part::Frame, 2)),
                Some(v) if v & 0x80 != 0 => Video::parse(datagram).map(Frame::Video),
                Some(1) => Trunk::parse(datagram).map(Frame::Trunk),
                Some(_) => Meta::parse(datagram).map(Frame::Meta),
            },
            _ => Mini::parse(datagram).map(Frame::Mini),
        }
    }

    /// Writes the frame; the bytes are those that were parsed.
    pub fn encode(&self, out: &mut impl BufMut) {
        match self {
            Frame::Full(f) => f.encode(out),
            Frame::Mini(f) => f.encode(out),
            Frame::Video(f) => f.encode(out),
            Frame::Trunk(f) => f.encode(out),
            Frame::Meta(f) => f.encode(out),
        }
    }

    /// Bytes that [`encode`](Self::encode) writes.
    pub fn encoded_len(&self) -> usize {
        match self {
            Frame::Full(f) => FullHeader::LEN + f.payload.len(),
            Frame::Mini(f) => Mini::HEADER_LEN + f.payload.len(),
            Frame::Video(f) => Video::HEADER_LEN + f.payload.len(),
            Frame::Trunk(f) => TrunkHeader::LEN + f.entries.len(),
            Frame::Meta(f) => 3 + f.data.len(),
        }
    }
}
