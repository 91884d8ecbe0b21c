//! How large a description may be.

/// Bounds on a description that is parsed. Past them it is refused with [`ErrorKind::TooLarge`](crate::ErrorKind).
///
/// The work of parsing and answering is bounded with them: answering looks at the attributes of a stream once for each
/// of its formats.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the whole description.
    pub bytes: usize,
    /// Lines of the whole description.
    pub lines: usize,
    /// Media descriptions.
    pub media: usize,
    /// Formats of one media description.
    pub formats: usize,
}

impl Default for Limits {
    /// 64 KiB, 2,048 lines, 64 media descriptions, 128 formats in each.
    fn default() -> Self {
        Self { bytes: 65_536, lines: 2_048, media: 64, formats: 128 }
    }
}
