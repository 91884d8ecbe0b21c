//! Proxy-Authentication-Info: the proxy's proof and next nonce.

use bytes::{BufMut, Bytes};

use super::{HeaderName, TypedHeader};
use crate::auth::AuthInfo;
use crate::error::ParseError;

/// Proxy-Authentication-Info: what [`AuthenticationInfo`](super::AuthenticationInfo) is, from a proxy (RFC 7615 §4).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ProxyAuthenticationInfo(pub AuthInfo);

impl TypedHeader for ProxyAuthenticationInfo {
    const NAME: HeaderName = HeaderName::from_static("Proxy-Authentication-Info");
    /// The commas of this header separate parameters, not values (RFC 3261 §7.3.1).
    const LIST: bool = false;

    fn parse(value: &Bytes) -> Result<Self, ParseError> {
        AuthInfo::parse_as(value, Self::NAME).map(Self)
    }

    fn encode(&self, out: &mut impl BufMut) {
        self.0.encode(out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_is_written_as_it_was_read() {
        let value = Bytes::from_static(b"nextnonce=\"a\", qop=auth, rspauth=\"b\", cnonce=\"c\", nc=00000001");
        let mut out = Vec::new();
        ProxyAuthenticationInfo::parse(&value).unwrap().encode(&mut out);
        assert_eq!(out, value);
    }

    #[test]
    fn an_error_names_the_header() {
        let error = ProxyAuthenticationInfo::parse(&Bytes::from_static(b"nextnonce")).unwrap_err();
        assert_eq!(error.part, crate::error::Part::Header(ProxyAuthenticationInfo::NAME));
    }
}
