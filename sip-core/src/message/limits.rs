//! How large a message may be: the same meaning for datagrams, streams and WebSocket.

/// Limits on one message, in bytes but for `headers`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The whole message.
    pub message: usize,
    /// Header lines; folded lines count once.
    pub headers: usize,
    /// One header line with its folds, and the start line.
    pub line: usize,
    /// The Request-URI.
    pub uri: usize,
    /// The body.
    pub body: usize,
}

impl Default for Limits {
    /// 65,535 bytes a message and a body, 128 header lines of 8,192 bytes, a Request-URI of 2,048 bytes.
    fn default() -> Self {
        Self { message: 65_535, headers: 128, line: 8_192, uri: 2_048, body: 65_535 }
    }
}
