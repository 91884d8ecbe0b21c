//! What a server asks: the value of WWW-Authenticate and Proxy-Authenticate.

use core::fmt;

use bytes::{BufMut, Bytes};

use super::value::{SchemeValue, is_true};
use super::{Algorithm, Param, Qop};
use crate::error::{ParseError, Part};
use crate::header::HeaderName;

/// A challenge (RFC 7616 §3.3, RFC 3261 §22.4, RFC 8760).
///
/// Other schemes than Digest are kept as they came; [`is_digest`](Self::is_digest) tells.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Challenge(SchemeValue);

impl Challenge {
    /// A Digest challenge with `qop="auth"`. CR, LF and NUL are left out of the texts.
    #[must_use]
    pub fn digest(realm: impl AsRef<[u8]>, nonce: impl AsRef<[u8]>, algorithm: Algorithm) -> Self {
        let mut value = SchemeValue::digest();
        value.params.set_quoted("realm", realm);
        value.params.set_quoted("nonce", nonce);
        value.params.set_token("algorithm", algorithm.as_str());
        value.params.set_quoted("qop", Qop::Auth.as_str());
        Self(value)
    }

    /// With these qualities of protection; with none the old form of RFC 2069, which has no protection against replay.
    #[must_use]
    pub fn with_qop(mut self, qops: &[Qop]) -> Self {
        let list = qops.iter().map(|qop| qop.as_str()).collect::<Vec<_>>().join(",");
        if list.is_empty() {
            self.0.params.remove("qop");
        } else {
            self.0.params.set_quoted("qop", list);
        }
        self
    }

    /// With `stale=true`: the answer was right but its nonce too old, so the client tries again without asking its user.
    #[must_use]
    pub fn with_stale(mut self, stale: bool) -> Self {
        if stale {
            self.0.params.set_token("stale", "true");
        } else {
            self.0.params.remove("stale");
        }
        self
    }

    /// With text that the client returns.
    #[must_use]
    pub fn with_opaque(mut self, opaque: impl AsRef<[u8]>) -> Self {
        self.0.params.set_quoted("opaque", opaque);
        self
    }

    /// With the URIs that the same credentials serve.
    #[must_use]
    pub fn with_domain(mut self, domain: impl AsRef<[u8]>) -> Self {
        self.0.params.set_quoted("domain", domain);
        self
    }

    /// With `userhash=true`: the client may send a hash instead of its name (RFC 7616 §3.4.4).
    #[must_use]
    pub fn with_userhash(mut self) -> Self {
        self.0.params.set_token("userhash", "true");
        self
    }

    /// Parses one value of a WWW-Authenticate or Proxy-Authenticate header.
    ///
    /// # Errors
    /// When there is no scheme, or when Digest parameters break the grammar or are repeated.
    pub fn parse(value: &Bytes) -> Result<Self, ParseError> {
        Self::parse_as(value, HeaderName::WWW_AUTHENTICATE)
    }

    pub(crate) fn parse_as(value: &Bytes, name: HeaderName) -> Result<Self, ParseError> {
        SchemeValue::parse(value, &Part::Header(name)).map(Self)
    }

    /// Writes the value.
    pub fn encode(&self, out: &mut impl BufMut) {
        self.0.encode(out);
    }

    /// The scheme as it was written, such as `Digest`.
    #[must_use]
    pub fn scheme(&self) -> &[u8] {
        &self.0.scheme
    }

    /// Whether the scheme is Digest.
    #[must_use]
    pub fn is_digest(&self) -> bool {
        self.0.is_digest()
    }

    /// What the user name and password are for.
    #[must_use]
    pub fn realm(&self) -> Option<&[u8]> {
        self.param("realm")
    }

    /// The text to hash.
    #[must_use]
    pub fn nonce(&self) -> Option<&[u8]> {
        self.param("nonce")
    }

    /// The text to return unchanged.
    #[must_use]
    pub fn opaque(&self) -> Option<&[u8]> {
        self.param("opaque")
    }

    /// The algorithm: MD5 when none is named, `None` when we do not know it.
    #[must_use]
    pub fn algorithm(&self) -> Option<Algorithm> {
        self.param("algorithm").map_or(Some(Algorithm::Md5), Algorithm::from_token)
    }

    /// Whether the last answer was right but its nonce too old.
    #[must_use]
    pub fn is_stale(&self) -> bool {
        is_true(self.param("stale"))
    }

    /// Whether the server understands hashed user names.
    #[must_use]
    pub fn accepts_userhash(&self) -> bool {
        is_true(self.param("userhash"))
    }

    /// The qualities of protection that are offered and known to us. `None` when the parameter is absent, which asks
    /// for the form of RFC 2069.
    pub fn qops(&self) -> Option<impl Iterator<Item = Qop>> {
        let list = self.param("qop")?;
        Some(list.split(|byte| *byte == b',').filter_map(|token| Qop::from_token(token.trim_ascii())))
    }

    /// Any parameter by its name, without quotes and escapes.
    #[must_use]
    pub fn param(&self, name: &str) -> Option<&[u8]> {
        self.0.params.get(name)
    }

    /// All parameters, those that we do not know too.
    pub fn params(&self) -> impl Iterator<Item = &Param> {
        self.0.params.iter()
    }

    /// Whether [`Credentials::answer`](super::Credentials::answer) can answer it.
    #[must_use]
    pub fn is_answerable(&self) -> bool {
        self.is_digest()
            && self.realm().is_some()
            && self.nonce().is_some()
            && self.algorithm().is_some()
            && self.qops().is_none_or(|mut qops| qops.next().is_some())
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.param(name).is_some()
    }
}

impl fmt::Debug for Challenge {
    /// Leaves the nonce out: nonces are not logged.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Challenge")
            .field("scheme", &self.0.scheme)
            .field("realm", &self.realm().map(String::from_utf8_lossy))
            .field("algorithm", &self.algorithm())
            .field("stale", &self.is_stale())
            .finish_non_exhaustive()
    }
}

/// The challenge to answer among several: the one with the strongest algorithm that we know, and of equally strong ones
/// the topmost, which the server prefers (RFC 8760 §2.4). Those that we cannot answer are passed over.
///
/// The server's order alone would let whoever can insert a header choose MD5.
#[must_use]
pub fn choose(challenges: &[Challenge]) -> Option<&Challenge> {
    best(challenges.iter())
}

/// The challenge to answer in each realm, in the order in which the realms appear (RFC 3261 §22.3: several proxies may
/// each want their own).
#[must_use]
pub fn choose_per_realm(challenges: &[Challenge]) -> Vec<&Challenge> {
    let mut chosen: Vec<&Challenge> = Vec::new();
    for challenge in challenges.iter().filter(|challenge| challenge.is_answerable()) {
        if chosen.iter().any(|other| other.realm() == challenge.realm()) {
            continue;
        }
        chosen.extend(best(challenges.iter().filter(|other| other.realm() == challenge.realm())));
    }
    chosen
}

fn best<'a>(challenges: impl Iterator<Item = &'a Challenge>) -> Option<&'a Challenge> {
    let mut best: Option<(&Challenge, u8)> = None;
    for challenge in challenges.filter(|challenge| challenge.is_answerable()) {
        let rank = challenge.algorithm().map_or(0, Algorithm::rank);
        if best.is_none_or(|(_, other)| rank > other) {
            best = Some((challenge, rank));
        }
    }
    best.map(|(challenge, _)| challenge)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    fn parse(text: &str) -> Result<Challenge, ParseError> {
        Challenge::parse(&Bytes::copy_from_slice(text.as_bytes()))
    }

    fn text(challenge: &Challenge) -> String {
        let mut out = Vec::new();
        challenge.encode(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn the_challenge_of_rfc_3261_22_4_is_read() {
        let challenge = parse(
            "Digest\r\n        realm=\"biloxi.com\",\r\n        qop=\"auth,auth-int\",\r\n        \
             nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\",\r\n        opaque=\"5ccc069c403ebaf9f0171e9517f40e41\"",
        )
        .unwrap();
        assert!(challenge.is_digest() && challenge.is_answerable() && !challenge.is_stale());
        assert_eq!(challenge.realm(), Some(&b"biloxi.com"[..]));
        assert_eq!(challenge.nonce(), Some(&b"dcd98b7102dd2f0e8b11d0f600bfb0c093"[..]));
        assert_eq!(challenge.opaque(), Some(&b"5ccc069c403ebaf9f0171e9517f40e41"[..]));
        assert_eq!(challenge.algorithm(), Some(Algorithm::Md5));
        assert_eq!(challenge.qops().unwrap().collect::<Vec<_>>(), [Qop::Auth, Qop::AuthInt]);
    }

    #[test]
    fn a_challenge_is_written_in_the_usual_order_and_quoting() {
        let challenge = Challenge::digest("example.org", "abc=", Algorithm::Sha256)
            .with_qop(&[Qop::Auth, Qop::AuthInt])
            .with_stale(true)
            .with_opaque("");
        assert_eq!(
            text(&challenge),
            r#"Digest realm="example.org", nonce="abc=", algorithm=SHA-256, qop="auth,auth-int", stale=true, opaque="""#
        );
        assert!(parse(&text(&challenge)).unwrap().is_stale());
        assert_eq!(parse(&text(&challenge)).unwrap(), challenge);
    }

    #[test]
    fn other_schemes_are_kept_as_they_are() {
        for value in
            ["NoOneKnowsThisScheme opaque-data=here", "Bearer realm=\"x\", scope=\"a b\"", "Negotiate YII=/+x", "NTLM"]
        {
            let challenge = parse(value).unwrap();
            assert!(!challenge.is_digest());
            assert!(!challenge.is_answerable());
            assert_eq!(text(&challenge), value);
        }
    }

    #[test]
    fn a_repeated_parameter_is_refused() {
        let error = parse(r#"Digest realm="a", nonce="1", Realm="b""#).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Repeated);
        assert_eq!(error.part, Part::Header(HeaderName::WWW_AUTHENTICATE));
    }

    #[test]
    fn values_without_a_scheme_are_refused() {
        for value in ["", "   ", "\"Digest\" realm=1", "Digest,realm=1", "=", "Digest realm=\"a\" nonce=\"b\""] {
            assert!(parse(value).is_err(), "{value}");
        }
    }

    #[test]
    fn of_several_challenges_the_best_known_algorithm_is_picked() {
        let md5 = Challenge::digest("r", "1", Algorithm::Md5);
        let sha256 = Challenge::digest("r", "2", Algorithm::Sha256);
        let sha512 = Challenge::digest("r", "3", Algorithm::Sha512_256);
        let unknown = parse(r#"Digest realm="r", nonce="4", algorithm=SHA3-512, qop="auth""#).unwrap();
        let misspelt = parse(r#"Digest realm="r", nonce="5", algorithm=SHA256, qop="auth""#).unwrap();

        let all = [unknown.clone(), md5.clone(), sha256.clone(), sha512.clone()];
        assert_eq!(choose(&all), Some(&sha256), "equally strong: the topmost");
        assert_eq!(choose(&[sha512.clone(), sha256.clone()]), Some(&sha512));
        assert_eq!(choose(&[misspelt, md5.clone()]), Some(&md5));
        assert_eq!(choose(&[unknown]), None);
        assert_eq!(choose(&[]), None);
    }

    #[test]
    fn each_realm_has_its_own_choice() {
        let challenges = [
            Challenge::digest("a", "1", Algorithm::Md5),
            Challenge::digest("b", "2", Algorithm::Md5),
            Challenge::digest("a", "3", Algorithm::Sha256),
        ];
        let chosen: Vec<_> = choose_per_realm(&challenges).into_iter().filter_map(Challenge::nonce).collect();
        assert_eq!(chosen, [&b"3"[..], &b"2"[..]]);
    }

    #[test]
    fn a_challenge_with_only_unknown_protection_is_not_answerable() {
        let challenge = parse(r#"Digest realm="r", nonce="n", qop="auth-conf""#).unwrap();
        assert!(!challenge.is_answerable());
        let old = parse(r#"Digest realm="r", nonce="n""#).unwrap();
        assert!(old.is_answerable() && old.qops().is_none());
    }

    #[test]
    fn debug_output_does_not_show_the_nonce() {
        let shown = format!("{:?}", Challenge::digest("r", "tell-nobody", Algorithm::Md5));
        assert!(!shown.contains("tell-nobody"), "{shown}");
    }
}
