//! Why bytes from the network are not what they should be.

use thiserror::Error;

/// A packet that cannot be read: what is wrong, in which part, at which byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("{kind} in the {part} at byte {offset}")]
pub struct ParseError {
    /// What is wrong.
    pub kind: ErrorKind,
    /// Where in the format.
    pub part: Part,
    /// Where in the bytes, from the beginning of what was given to `parse`.
    pub offset: usize,
}

impl ParseError {
    pub(crate) const fn new(kind: ErrorKind, part: Part, offset: usize) -> Self {
        Self { kind, part, offset }
    }

    pub(crate) const fn truncated(part: Part, offset: usize) -> Self {
        Self::new(ErrorKind::Truncated, part, offset)
    }

    /// The same error as seen from a buffer in which the bytes begin `base` bytes later.
    pub(crate) const fn at(self, base: usize) -> Self {
        Self { offset: self.offset.saturating_add(base), ..self }
    }
}

/// What is wrong with a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Error)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The bytes end before the part does.
    #[error("missing bytes")]
    Truncated,
    /// The version is not 2.
    #[error("unknown version")]
    Version,
    /// A length field contradicts what it measures.
    #[error("impossible length")]
    Length,
    /// The padding is longer than what it pads, zero, or where it must not be.
    #[error("wrong padding")]
    Padding,
    /// The packet is of another type than the one asked for.
    #[error("wrong packet type")]
    Type,
    /// A compound packet does not begin with a report (RFC 3550 §6.1).
    #[error("missing report")]
    Report,
}

/// A part of the formats that this crate reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Error)]
#[non_exhaustive]
pub enum Part {
    /// The fixed header.
    #[error("header")]
    Header,
    /// The list of contributing sources.
    #[error("contributing sources")]
    Csrc,
    /// The header extension.
    #[error("extension")]
    Extension,
    /// The padding at the end.
    #[error("padding")]
    Padding,
    /// The payload.
    #[error("payload")]
    Payload,
    /// The sender information of an SR.
    #[error("sender information")]
    Sender,
    /// A report block of an SR or RR.
    #[error("report block")]
    Block,
    /// A chunk of an SDES.
    #[error("chunk")]
    Chunk,
    /// An item of an SDES.
    #[error("item")]
    Item,
    /// The reason of a BYE.
    #[error("reason")]
    Reason,
    /// The name of an APP.
    #[error("name")]
    Name,
}
