//! URIs: `sip`, `sips`, `tel` and any other, with their comparison (RFC 3261 §19, RFC 3966).
//!
//! ```
//! use sip_core::uri::Uri;
//!
//! let uri: Uri = "sips:alice@atlanta.example.com:5061;transport=tcp".parse()?;
//! assert!(uri.is_secure());
//! assert_eq!(uri.as_sip().and_then(|sip| sip.port), Some(5061));
//! # Ok::<(), sip_core::ParseError>(())
//! ```

mod absolute;
mod compare;
pub(crate) mod escape;
mod host;
mod params;
mod sip;
mod tel;

use std::fmt;
use std::str::FromStr;

use bytes::{BufMut, Bytes};

pub use self::absolute::AbsoluteUri;
pub use self::escape::decode;
pub(crate) use self::host::dotted;
pub use self::host::{Host, HostPort};
pub(crate) use self::params::unquote;
pub use self::params::{Params, ParamsIter};
pub use self::sip::{SipUri, UriHeaders};
pub use self::tel::TelUri;
use crate::error::{ParseError, Part};
use crate::scan::{self, Cursor, Scan};
use crate::view;

/// A URI of any scheme.
///
/// `PartialEq` compares what is written; [`Uri::equivalent`] compares what is meant.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Uri {
    /// `sip:` or `sips:` (RFC 3261 §19.1).
    Sip(SipUri),
    /// `tel:` (RFC 3966).
    Tel(TelUri),
    /// Any other scheme, not looked into.
    Other(AbsoluteUri),
}

impl Uri {
    /// Reads a URI that is the whole of `bytes`; its parts share their memory.
    ///
    /// # Errors
    /// [`Part::Uri`] when the grammar does not allow it.
    pub fn parse(bytes: &Bytes) -> Result<Self, ParseError> {
        Self::scan(&mut Cursor::new(bytes)).map_err(|fault| fault.within(Part::Uri))
    }

    /// Reads a URI that reaches to the end of the cursor.
    #[inline]
    pub(crate) fn scan(cursor: &mut Cursor<'_>) -> Scan<Self> {
        view::scan_owned(cursor)
    }

    /// Writes it.
    pub fn encode(&self, out: &mut impl BufMut) {
        match self {
            Self::Sip(uri) => uri.encode(out),
            Self::Tel(uri) => uri.encode(out),
            Self::Other(uri) => uri.encode(out),
        }
    }

    /// The scheme in lower case for those that are known, otherwise as written.
    #[must_use]
    pub fn scheme(&self) -> &[u8] {
        match self {
            Self::Sip(uri) if uri.secure => b"sips",
            Self::Sip(_) => b"sip",
            Self::Tel(_) => b"tel",
            Self::Other(uri) => &uri.scheme,
        }
    }

    /// The SIP or SIPS URI, if it is one.
    #[must_use]
    pub fn as_sip(&self) -> Option<&SipUri> {
        match self {
            Self::Sip(uri) => Some(uri),
            _ => None,
        }
    }

    /// The SIP or SIPS URI to be changed, if it is one.
    pub fn as_sip_mut(&mut self) -> Option<&mut SipUri> {
        match self {
            Self::Sip(uri) => Some(uri),
            _ => None,
        }
    }

    /// The `tel` URI, if it is one.
    #[must_use]
    pub fn as_tel(&self) -> Option<&TelUri> {
        match self {
            Self::Tel(uri) => Some(uri),
            _ => None,
        }
    }

    /// Whether it is a `sips` URI.
    #[must_use]
    pub fn is_secure(&self) -> bool {
        self.as_sip().is_some_and(|uri| uri.secure)
    }

    /// Whether both mean the same resource: RFC 3261 §19.1.4 for SIP, RFC 3966 §4 for `tel`, byte by byte with the
    /// scheme's case ignored for others. Not transitive, as the RFC says.
    #[must_use]
    pub fn equivalent(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Sip(a), Self::Sip(b)) => a.equivalent(b),
            (Self::Tel(a), Self::Tel(b)) => a.equivalent(b),
            (Self::Other(a), Self::Other(b)) => a.equivalent(b),
            _ => false,
        }
    }

    /// The canonical form that a registrar keeps bindings under: no parameters, headers or password, escapes
    /// resolved, host in lower case (RFC 3261 §10.3 step 5).
    #[must_use]
    pub fn address_of_record(&self) -> Bytes {
        match self {
            Self::Sip(uri) => uri.address_of_record(),
            Self::Tel(uri) => uri.address_of_record(),
            Self::Other(uri) => uri.address_of_record(),
        }
    }
}

impl fmt::Display for Uri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        scan::show(f, |out| self.encode(out))
    }
}

impl FromStr for Uri {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        Self::parse(&Bytes::copy_from_slice(text.as_bytes()))
    }
}

impl From<SipUri> for Uri {
    fn from(uri: SipUri) -> Self {
        Self::Sip(uri)
    }
}

impl From<TelUri> for Uri {
    fn from(uri: TelUri) -> Self {
        Self::Tel(uri)
    }
}

impl From<AbsoluteUri> for Uri {
    fn from(uri: AbsoluteUri) -> Self {
        Self::Other(uri)
    }
}
