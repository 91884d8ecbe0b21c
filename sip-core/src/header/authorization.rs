//! Authorization: the answer to a server's challenge.

use bytes::{BufMut, Bytes};

use super::{HeaderName, TypedHeader};
use crate::auth::Credentials;
use crate::error::ParseError;

/// Authorization: the answer to a [`WwwAuthenticate`](super::WwwAuthenticate) challenge (RFC 3261 §20.7).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Authorization(pub Credentials);

impl TypedHeader for Authorization {
    const NAME: HeaderName = HeaderName::AUTHORIZATION;
    /// The commas of this header separate parameters, not values (RFC 3261 §7.3.1).
    const LIST: bool = false;

    fn parse(value: &Bytes) -> Result<Self, ParseError> {
        Credentials::parse_as(value, Self::NAME).map(Self)
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
        let value =
            Bytes::from_static(b"Digest username=\"u\", realm=\"a\", nonce=\"b\", uri=\"sip:c\", response=\"d\"");
        let mut out = Vec::new();
        Authorization::parse(&value).unwrap().encode(&mut out);
        assert_eq!(out, value);
    }

    #[test]
    fn an_error_names_the_header() {
        let error = Authorization::parse(&Bytes::from_static(b"Digest realm=\"a")).unwrap_err();
        assert_eq!(error.part, crate::error::Part::Header(Authorization::NAME));
    }
}
