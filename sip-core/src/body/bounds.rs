//! How much of a multipart body is looked into.

use crate::message::Limits;

/// Bounds on a multipart body; whatever exceeds one is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bounds {
    /// How many parts there may be, those of nested bodies counted.
    pub parts: usize,
    /// How deep bodies may be nested: 1 is a body without a nested one.
    pub depth: usize,
    /// Bounds on the header lines of a part.
    pub limits: Limits,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { parts: 64, depth: 8, limits: Limits::default() }
    }
}
