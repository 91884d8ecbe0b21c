//! What was wrong with bytes from the network.

/// Why bytes could not be read, and where.
///
/// The peer is at fault: nothing here is ever the caller's doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[error("{kind} in {part} at offset {offset}")]
pub struct ParseError {
    /// What was wrong.
    pub kind: ErrorKind,
    /// Which part of the datagram it was in.
    pub part: Part,
    /// Offset from the start of that part, in bytes.
    pub offset: usize,
}

impl ParseError {
    pub(crate) const fn new(kind: ErrorKind, part: Part, offset: usize) -> Self {
        Self { kind, part, offset }
    }
}

/// What was wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The bytes end before the thing they announce.
    #[error("truncated")]
    Truncated,
    /// A length runs past the end of what holds it.
    #[error("length past the end")]
    Overrun,
    /// A value that the format does not allow.
    #[error("invalid value")]
    Invalid,
}

/// Part of a datagram or text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum Part {
    /// The first bytes, which tell the frames apart.
    #[error("frame")]
    Frame,
    /// A full frame's header (RFC 5456 §8.1.1).
    #[error("full frame")]
    Full,
    /// A mini frame's header (RFC 5456 §8.1.2).
    #[error("mini frame")]
    Mini,
    /// A meta video frame's header (RFC 5456 §8.1.3.1).
    #[error("meta video frame")]
    Video,
    /// A meta trunk frame's header (RFC 5456 §8.1.3.2).
    #[error("meta trunk frame")]
    Trunk,
    /// An entry of a meta trunk frame.
    #[error("trunk entry")]
    Entry,
    /// An information element (RFC 5456 §8.6).
    #[error("information element")]
    Element,
    /// An encrypted frame (RFC 5456 §8.1.4).
    #[error("encrypted frame")]
    Encrypted,
    /// An `iax:` URI (RFC 5456 §5).
    #[error("uri")]
    Uri,
}
