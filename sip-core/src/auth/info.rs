//! What a server says after a right answer: the value of Authentication-Info and Proxy-Authentication-Info.

use bytes::{BufMut, Bytes};

use super::{Credentials, Ha1, Param, ParamList, Qop};
use crate::error::{ParseError, Part};
use crate::header::HeaderName;

/// Proof that the server knows the secret too, and the nonce to use next (RFC 7616 §3.5, RFC 3261 §20.6).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct AuthInfo(ParamList);

impl AuthInfo {
    /// Proves to the client that we know its secret: `rspauth` over the answer's URI and the response's body. `None`
    /// when the credentials are no answer that could have been verified.
    #[must_use]
    pub fn proof(credentials: &Credentials, ha1: &Ha1, body: impl AsRef<[u8]>) -> Option<Self> {
        let proof = credentials.compute(ha1, b"", body.as_ref())?;
        let mut params = ParamList::new();
        if let Some(qop) = credentials.qop() {
            params.set_token("qop", qop.as_str());
        }
        params.set_quoted("rspauth", proof.hex().as_bytes());
        if let Some(cnonce) = credentials.cnonce() {
            params.set_quoted("cnonce", cnonce);
        }
        if let Some(nc) = credentials.param("nc") {
            params.set_token("nc", nc);
        }
        Some(Self(params))
    }

    /// With the nonce that the client should use next.
    #[must_use]
    pub fn with_nextnonce(mut self, nonce: impl AsRef<[u8]>) -> Self {
        self.0.set_quoted("nextnonce", nonce);
        self
    }

    /// Whether the server has proven to know the secret that `credentials` were made with.
    #[must_use]
    pub fn verify(&self, credentials: &Credentials, ha1: &Ha1, body: impl AsRef<[u8]>) -> bool {
        let Some(algorithm) = credentials.algorithm() else { return false };
        if algorithm.base() != ha1.algorithm() || self.param("cnonce") != credentials.cnonce() {
            return false;
        }
        let Some(expected) = credentials.compute(ha1, b"", body.as_ref()) else { return false };
        self.rspauth().is_some_and(|given| expected.hex().matches(given))
    }

    /// Parses the value of an Authentication-Info header.
    ///
    /// # Errors
    /// When the parameters break the grammar.
    pub fn parse(value: &Bytes) -> Result<Self, ParseError> {
        Self::parse_as(value, HeaderName::AUTHENTICATION_INFO)
    }

    pub(crate) fn parse_as(value: &Bytes, name: HeaderName) -> Result<Self, ParseError> {
        let list = ParamList::parse(value, 0);
        list.map(Self).map_err(|(kind, offset)| ParseError::new(kind, Part::Header(name), offset))
    }

    /// Writes the value.
    pub fn encode(&self, out: &mut impl BufMut) {
        self.0.encode(out);
    }

    /// The nonce that the client should use next.
    #[must_use]
    pub fn nextnonce(&self) -> Option<&[u8]> {
        self.param("nextnonce")
    }

    /// The server's proof in hexadecimal.
    #[must_use]
    pub fn rspauth(&self) -> Option<&[u8]> {
        self.param("rspauth")
    }

    /// The quality of protection of the proof.
    #[must_use]
    pub fn qop(&self) -> Option<Qop> {
        self.param("qop").and_then(Qop::from_token)
    }

    /// Any parameter by its name, without quotes and escapes.
    #[must_use]
    pub fn param(&self, name: &str) -> Option<&[u8]> {
        self.0.get(name)
    }

    /// All parameters, those that we do not know too.
    pub fn params(&self) -> impl Iterator<Item = &Param> {
        self.0.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Algorithm, Challenge};
    use super::*;
    use crate::message::Method;

    #[test]
    fn the_server_proves_that_it_knows_the_secret() {
        for algorithm in Algorithm::ALL {
            for qop in [&[Qop::Auth][..], &[Qop::AuthInt], &[]] {
                let challenge = Challenge::digest("r", "n", algorithm).with_qop(qop);
                let answer = Credentials::answer(&challenge, "u", "p", &Method::Invite, "sip:a", "c", 3, b"").unwrap();
                let ha1 = Ha1::new(algorithm, "u", "r", "p");
                let info = AuthInfo::proof(&answer, &ha1, b"body").unwrap().with_nextnonce("next");
                let mut out = Vec::new();
                info.encode(&mut out);
                let info = AuthInfo::parse(&Bytes::from(out)).unwrap();
                assert_eq!(info.nextnonce(), Some(&b"next"[..]));
                assert!(info.verify(&answer, &ha1, b"body"));
                assert!(!info.verify(&answer, &Ha1::new(algorithm, "u", "r", "q"), b"body"));
                assert_eq!(info.verify(&answer, &ha1, b"other"), qop != [Qop::AuthInt]);
                assert_ne!(info.rspauth(), answer.response(), "the proof must not be the answer sent back");
            }
        }
    }

    #[test]
    fn the_header_of_rfc_3261_20_6_is_read() {
        let info = AuthInfo::parse(&Bytes::from_static(b"nextnonce=\"47364c23432d2e131a5fb210812c\"")).unwrap();
        assert_eq!(info.nextnonce(), Some(&b"47364c23432d2e131a5fb210812c"[..]));
        assert_eq!(info.rspauth(), None);
    }
}
