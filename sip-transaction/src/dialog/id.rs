//! The key of a dialog (RFC 3261 §12).

use bytes::Bytes;
use sip_core::header::CallId;

/// What a dialog is known by at one of its ends: Call-ID, local tag and remote tag (RFC 3261 §12).
///
/// A peer of RFC 2543 gives no tag: the remote tag is then empty.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct DialogId {
    call_id: Bytes,
    local_tag: Bytes,
    remote_tag: Bytes,
}

impl DialogId {
    /// Makes a key from its parts.
    #[must_use]
    pub fn new(call_id: &CallId, local_tag: Bytes, remote_tag: Bytes) -> Self {
        Self { call_id: call_id.0.clone(), local_tag, remote_tag }
    }

    /// The Call-ID.
    #[must_use]
    pub fn call_id(&self) -> &[u8] {
        &self.call_id
    }

    /// The tag of this side.
    #[must_use]
    pub fn local_tag(&self) -> &[u8] {
        &self.local_tag
    }

    /// The tag of the other side; empty when it gave none.
    #[must_use]
    pub fn remote_tag(&self) -> &[u8] {
        &self.remote_tag
    }
}
