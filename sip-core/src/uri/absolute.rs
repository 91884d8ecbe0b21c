//! A URI of a scheme that is not looked into: `urn`, `http`, `im`, `pres`, `cid` and the like (RFC 3986).

use std::fmt;

use bytes::{BufMut, BytesMut};

use crate::scan;

/// A URI that is only a scheme and what follows its colon.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct AbsoluteUri {
    /// The scheme as written, without the colon.
    pub scheme: bytes::Bytes,
    /// Everything after the colon.
    pub opaque: bytes::Bytes,
}

impl AbsoluteUri {
    /// Writes it.
    pub fn encode(&self, out: &mut impl BufMut) {
        scan::put(&self.scheme, scan::TOKEN, out);
        out.put_u8(b':');
        scan::put(&self.opaque, scan::URI, out);
    }

    /// Whether both are the same, the scheme's case apart.
    #[must_use]
    pub fn equivalent(&self, other: &Self) -> bool {
        self.scheme.eq_ignore_ascii_case(&other.scheme) && self.opaque == other.opaque
    }

    pub(crate) fn address_of_record(&self) -> bytes::Bytes {
        let mut out = BytesMut::new();
        scan::put(&self.scheme.to_ascii_lowercase(), scan::TOKEN, &mut out);
        out.put_u8(b':');
        scan::put(&self.opaque, scan::URI, &mut out);
        out.freeze()
    }
}

impl fmt::Display for AbsoluteUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        scan::show(f, |out| self.encode(out))
    }
}
