//! WWW-Authenticate: a server's challenge.

use bytes::{BufMut, Bytes};

use super::{HeaderName, TypedHeader};
use crate::auth::Challenge;
use crate::error::ParseError;

/// WWW-Authenticate: what a user agent server or registrar asks for with 401 (RFC 3261 §20.44).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct WwwAuthenticate(pub Challenge);

impl TypedHeader for WwwAuthenticate {
    const NAME: HeaderName = HeaderName::WWW_AUTHENTICATE;
    /// The commas of this header separate parameters, not values (RFC 3261 §7.3.1).
    const LIST: bool = false;

    fn parse(value: &Bytes) -> Result<Self, ParseError> {
        Challenge::parse_as(value, Self::NAME).map(Self)
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
        let value = Bytes::from_static(b"Digest realm=\"a\", nonce=\"b\", algorithm=MD5, qop=\"auth\"");
        let mut out = Vec::new();
        WwwAuthenticate::parse(&value).unwrap().encode(&mut out);
        assert_eq!(out, value);
    }

    #[test]
    fn an_error_names_the_header() {
        let error = WwwAuthenticate::parse(&Bytes::from_static(b"Digest realm=\"a")).unwrap_err();
        assert_eq!(error.part, crate::error::Part::Header(WwwAuthenticate::NAME));
    }
}
