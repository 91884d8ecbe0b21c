//! Streams: what is written arrives once and in order, cut anywhere, or the stream breaks.

use std::net::SocketAddr;
use std::time::Instant;

/// A stream between two addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StreamId(pub(crate) u64);

/// One end: who it is, and when the last thing sent to it arrives.
#[derive(Debug)]
pub(crate) struct End {
    pub(crate) address: SocketAddr,
    /// Nothing more arrives here before this: streams keep their order, and stall.
    pub(crate) busy_until: Instant,
    /// Whether it has not closed its direction.
    pub(crate) is_open: bool,
}

/// Both ends: who connected, and who accepted.
#[derive(Debug)]
pub(crate) struct Stream {
    pub(crate) ends: [End; 2],
}

impl Stream {
    pub(crate) fn new(from: SocketAddr, to: SocketAddr, now: Instant) -> Self {
        let end = |address| End { address, busy_until: now, is_open: true };
        Self { ends: [end(from), end(to)] }
    }
}
