//! When a session takes place: the `t=` line and its repetitions.

use bytes::Bytes;

use super::text::number;

/// A `t=` line with the `r=` lines that follow it (RFC 8866 §5.9, §5.10).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Time {
    /// Seconds since 1900, or 0.
    pub start: Bytes,
    /// Seconds since 1900, or 0 for "not bounded".
    pub stop: Bytes,
    /// What follows each `r=`.
    pub repeats: Vec<Bytes>,
}

impl Time {
    /// `t=0 0`: a session that is not bounded in time, as every call.
    #[must_use]
    pub fn unbounded() -> Self {
        Self { start: "0".into(), stop: "0".into(), repeats: Vec::new() }
    }

    /// Start and stop in seconds since 1900; `None` when they are no numbers.
    #[must_use]
    pub fn bounds(&self) -> Option<(u64, u64)> {
        Some((number(&self.start)?, number(&self.stop)?))
    }
}
