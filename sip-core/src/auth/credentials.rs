//! What a client answers: the value of Authorization and Proxy-Authorization.

use core::fmt;
use std::borrow::Cow;

use bytes::{BufMut, Bytes};
use md5::{Digest, Md5};
use sha2::{Sha256, Sha512_256};

use super::hash::{Hash, Piece, Scratch, digit, hash_joined, hash_pieces};
use super::param::Answer;
use super::value::{SchemeValue, is_true};
use super::{Algorithm, Challenge, Ha1, Param, Qop};
use crate::error::{ParseError, Part};
use crate::header::HeaderName;
use crate::message::Method;

/// Credentials (RFC 7616 §3.4, RFC 3261 §22.4).
///
/// Other schemes than Digest are kept as they came; [`is_digest`](Self::is_digest) tells.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Credentials(SchemeValue);

/// Why a challenge cannot be answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum AnswerError {
    /// The scheme is not Digest, or the realm or the nonce is missing.
    #[error("not a complete digest challenge")]
    NotDigest,
    /// We do not know the algorithm.
    #[error("unknown digest algorithm")]
    Algorithm,
    /// We know none of the qualities of protection.
    #[error("unknown quality of protection")]
    Qop,
    /// The stored hash was made with another algorithm than the challenge asks for.
    #[error("stored hash is of another algorithm")]
    Ha1,
}

impl Credentials {
    /// Answers a challenge with a name and a password (RFC 7616 §3.4).
    ///
    /// `uri` is the Request-URI as it stands in the request. `nc` counts the requests made with this nonce, from 1;
    /// it is written as eight *hexadecimal* digits. `cnonce` is fresh randomness. The body is hashed only with
    /// `auth-int`, which is used when the server does not offer `auth`.
    ///
    /// # Errors
    /// When the challenge is not [answerable](Challenge::is_answerable).
    #[expect(clippy::too_many_arguments, reason = "each goes into the hash")]
    pub fn answer(
        challenge: &Challenge,
        username: impl AsRef<[u8]>,
        password: impl AsRef<[u8]>,
        method: &Method,
        uri: impl AsRef<[u8]>,
        cnonce: impl AsRef<[u8]>,
        nc: u32,
        body: impl AsRef<[u8]>,
    ) -> Result<Self, AnswerError> {
        let algorithm = challenge.algorithm().ok_or(AnswerError::Algorithm)?;
        let realm = challenge.realm().ok_or(AnswerError::NotDigest)?;
        let ha1 = Ha1::new(algorithm, username.as_ref(), realm, password);
        Self::answer_with(challenge, username, &ha1, method, uri, cnonce, nc, body)
    }

    /// Answers a challenge with a stored hash in place of the password.
    ///
    /// # Errors
    /// When the challenge is not [answerable](Challenge::is_answerable) or the hash is not of its algorithm.
    #[expect(clippy::too_many_arguments, reason = "each goes into the hash")]
    pub fn answer_with(
        challenge: &Challenge,
        username: impl AsRef<[u8]>,
        ha1: &Ha1,
        method: &Method,
        uri: impl AsRef<[u8]>,
        cnonce: impl AsRef<[u8]>,
        nc: u32,
        body: impl AsRef<[u8]>,
    ) -> Result<Self, AnswerError> {
        let (Some(realm), Some(nonce), true) = (challenge.realm(), challenge.nonce(), challenge.is_digest()) else {
            return Err(AnswerError::NotDigest);
        };
        let algorithm = challenge.algorithm().ok_or(AnswerError::Algorithm)?;
        if ha1.algorithm() != algorithm.base() {
            return Err(AnswerError::Ha1);
        }
        let qop = match challenge.qops() {
            None => None,
            Some(offered) => {
                let offered: Vec<Qop> = offered.collect();
                let auth = offered.iter().find(|qop| **qop == Qop::Auth);
                Some(*auth.or(offered.first()).ok_or(AnswerError::Qop)?)
            }
        };

        // What is written is what is hashed: the setters may leave bytes out.
        let mut value = SchemeValue::digest();
        let params = &mut value.params;
        if challenge.accepts_userhash() {
            params.set_quoted("username", hash_joined(algorithm, &[username.as_ref(), realm]).hex().as_bytes());
        } else {
            params.set_quoted("username", username);
        }
        params.set_quoted("realm", realm);
        params.set_quoted("nonce", nonce);
        params.set_quoted("uri", uri);
        params.set_quoted("response", "");
        if challenge.has("algorithm") {
            params.set_token("algorithm", algorithm.as_str());
        }
        if qop.is_some() || algorithm.is_session() {
            params.set_quoted("cnonce", cnonce);
        }
        if let Some(opaque) = challenge.opaque() {
            params.set_quoted("opaque", opaque);
        }
        if let Some(qop) = qop {
            params.set_token("qop", qop.as_str());
            params.set_token("nc", format!("{nc:08x}"));
        }
        if challenge.accepts_userhash() {
            params.set_token("userhash", "true");
        }
        let mut credentials = Self(value);
        let response = credentials.compute(ha1, method.as_bytes(), body.as_ref()).ok_or(AnswerError::NotDigest)?;
        credentials.0.params.set_quoted("response", response.hex().as_bytes());
        Ok(credentials)
    }

    /// Parses the value of an Authorization or Proxy-Authorization header.
    ///
    /// # Errors
    /// When there is no scheme, or when Digest parameters break the grammar or are repeated.
    pub fn parse(value: &Bytes) -> Result<Self, ParseError> {
        Self::parse_as(value, HeaderName::AUTHORIZATION)
    }

    pub(crate) fn parse_as(value: &Bytes, name: HeaderName) -> Result<Self, ParseError> {
        SchemeValue::parse(value, &Part::Header(name)).map(Self)
    }

    /// Writes the value.
    pub fn encode(&self, out: &mut impl BufMut) {
        self.0.encode(out);
    }

    /// Whether the response is right for this secret, method and body (RFC 7616 §3.4.1).
    ///
    /// `false` also when a parameter is missing or when the hash is of another algorithm. The comparison takes the same
    /// time wherever the difference is. Nonce, nonce count and URI are hashed, but whether they are acceptable is for
    /// the caller to decide.
    #[must_use]
    pub fn verify(&self, ha1: &Ha1, method: &Method, body: impl AsRef<[u8]>) -> bool {
        let answer = self.0.params.answer();
        let Some(algorithm) = answer.algorithm.map_or(Some(Algorithm::Md5), Algorithm::from_token) else {
            return false;
        };
        if !self.is_digest() || algorithm.base() != ha1.algorithm() {
            return false;
        }
        let expected = compute(algorithm, &answer, ha1, method.as_bytes(), body.as_ref());
        expected.zip(answer.response).is_some_and(|(expected, given)| expected.hex().matches(given))
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

    /// Who answers. From `username`, or decoded from `username*` (RFC 8187); a hash when
    /// [`is_userhash`](Self::is_userhash).
    #[must_use]
    pub fn username(&self) -> Option<Cow<'_, [u8]>> {
        match self.param("username") {
            Some(name) => Some(Cow::Borrowed(name)),
            None => self.param("username*").and_then(decode_extended).map(Cow::Owned),
        }
    }

    /// Whether the user name is hashed (RFC 7616 §3.4.4).
    #[must_use]
    pub fn is_userhash(&self) -> bool {
        is_true(self.param("userhash"))
    }

    /// Whether these credentials are of this user, by name or by hash.
    #[must_use]
    pub fn is_user(&self, username: impl AsRef<[u8]>) -> bool {
        let Some(given) = self.username() else { return false };
        if !self.is_userhash() {
            return *given == *username.as_ref();
        }
        let (Some(algorithm), Some(realm)) = (self.algorithm(), self.realm()) else { return false };
        let expected = hash_joined(algorithm, &[username.as_ref(), realm]);
        expected.hex().matches(&given)
    }

    /// What the name and password are for.
    #[must_use]
    pub fn realm(&self) -> Option<&[u8]> {
        self.param("realm")
    }

    /// The nonce that is answered.
    #[must_use]
    pub fn nonce(&self) -> Option<&[u8]> {
        self.param("nonce")
    }

    /// The URI that was hashed.
    #[must_use]
    pub fn uri(&self) -> Option<&[u8]> {
        self.param("uri")
    }

    /// The response in hexadecimal.
    #[must_use]
    pub fn response(&self) -> Option<&[u8]> {
        self.param("response")
    }

    /// The algorithm: MD5 when none is named, `None` when we do not know it.
    #[must_use]
    pub fn algorithm(&self) -> Option<Algorithm> {
        self.param("algorithm").map_or(Some(Algorithm::Md5), Algorithm::from_token)
    }

    /// The client's own nonce.
    #[must_use]
    pub fn cnonce(&self) -> Option<&[u8]> {
        self.param("cnonce")
    }

    /// The text returned from the challenge.
    #[must_use]
    pub fn opaque(&self) -> Option<&[u8]> {
        self.param("opaque")
    }

    /// The quality of protection. `None` when absent or unknown.
    #[must_use]
    pub fn qop(&self) -> Option<Qop> {
        self.param("qop").and_then(Qop::from_token)
    }

    /// The nonce count, read as one to eight hexadecimal digits.
    #[must_use]
    pub fn nc(&self) -> Option<u32> {
        let digits = self.param("nc").filter(|digits| matches!(digits.len(), 1..=8))?;
        digits.iter().try_fold(0u32, |value, byte| Some(value << 4 | u32::from(digit(*byte)?)))
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

    /// The response for a method, or with an empty method the server's `rspauth`.
    pub(crate) fn compute(&self, ha1: &Ha1, method: &[u8], body: &[u8]) -> Option<Hash> {
        let answer = self.0.params.answer();
        let algorithm = answer.algorithm.map_or(Some(Algorithm::Md5), Algorithm::from_token)?;
        compute(algorithm, &answer, ha1, method, body)
    }
}

/// The response of these parameters (RFC 7616 §3.4.1).
#[inline]
fn compute(algorithm: Algorithm, answer: &Answer<'_>, ha1: &Ha1, method: &[u8], body: &[u8]) -> Option<Hash> {
    match algorithm.base() {
        Algorithm::Sha256 => compute_with::<Sha256>(algorithm, answer, ha1, method, body),
        Algorithm::Sha512_256 => compute_with::<Sha512_256>(algorithm, answer, ha1, method, body),
        _ => compute_with::<Md5>(algorithm, answer, ha1, method, body),
    }
}

fn compute_with<D: Digest>(
    algorithm: Algorithm,
    answer: &Answer<'_>,
    ha1: &Ha1,
    method: &[u8],
    body: &[u8],
) -> Option<Hash> {
    use Piece::Bytes;
    let Answer { nonce, uri, qop, cnonce, nc, .. } = *answer;
    let (nonce, uri) = (nonce?, uri?);
    let qop = match qop {
        None => None,
        Some(token) => Some(Qop::from_token(token)?),
    };
    let scratch = &mut Scratch::new();
    let mut ha1 = ha1.hex();
    let session;
    if algorithm.is_session() {
        session = hash_pieces::<D, 3>(scratch, [Piece::Hex(ha1), Bytes(nonce), Bytes(cnonce?)]).hex();
        ha1 = &session;
    }
    let ha2 = match qop {
        Some(Qop::AuthInt) => {
            let body = hash_pieces::<D, 1>(scratch, [Bytes(body)]).hex();
            hash_pieces::<D, 3>(scratch, [Bytes(method), Bytes(uri), Piece::Hex(&body)]).hex()
        }
        Some(Qop::Auth) | None => hash_pieces::<D, 2>(scratch, [Bytes(method), Bytes(uri)]).hex(),
    };
    let Some(qop) = qop else {
        return Some(hash_pieces::<D, 3>(scratch, [Piece::Hex(ha1), Bytes(nonce), Piece::Hex(&ha2)]));
    };
    let (nc, cnonce) = (nc?, cnonce?);
    let qop = qop.as_str().as_bytes();
    let pieces = [Piece::Hex(ha1), Bytes(nonce), Bytes(nc), Bytes(cnonce), Bytes(qop), Piece::Hex(&ha2)];
    Some(hash_pieces::<D, 6>(scratch, pieces))
}

impl fmt::Debug for Credentials {
    /// Leaves nonce and response out: credentials are not logged.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("scheme", &self.0.scheme)
            .field("username", &self.username().map(|name| String::from_utf8_lossy(&name).into_owned()))
            .field("realm", &self.realm().map(String::from_utf8_lossy))
            .field("algorithm", &self.algorithm())
            .finish_non_exhaustive()
    }
}

/// Reads `UTF-8'language'percent-encoded` (RFC 8187 §3.2.1).
fn decode_extended(value: &[u8]) -> Option<Vec<u8>> {
    let mut pieces = value.splitn(3, |byte| *byte == b'\'');
    let (charset, _language, text) = (pieces.next()?, pieces.next()?, pieces.next()?);
    if !charset.eq_ignore_ascii_case(b"utf-8") {
        return None;
    }
    let mut decoded = Vec::with_capacity(text.len());
    let mut bytes = text.iter();
    while let Some(&byte) = bytes.next() {
        decoded.push(match byte {
            b'%' => digit(*bytes.next()?)? << 4 | digit(*bytes.next()?)?,
            _ => byte,
        });
    }
    std::str::from_utf8(&decoded).is_ok().then_some(decoded)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::hash;
    use super::*;

    fn parse(text: &str) -> Credentials {
        Credentials::parse(&Bytes::copy_from_slice(text.as_bytes())).unwrap()
    }

    fn text(credentials: &Credentials) -> String {
        let mut out = Vec::new();
        credentials.encode(&mut out);
        String::from_utf8(out).unwrap()
    }

    fn get() -> Method {
        Method::Other(Bytes::from_static(b"GET"))
    }

    #[test]
    fn the_answer_of_rfc_2617_3_5_is_reproduced() {
        let challenge = Challenge::parse(&Bytes::from_static(
            br#"Digest realm="testrealm@host.com", qop="auth,auth-int", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", opaque="5ccc069c403ebaf9f0171e9517f40e41""#,
        ))
        .unwrap();
        let credentials =
            Credentials::answer(&challenge, "Mufasa", "Circle Of Life", &get(), "/dir/index.html", "0a4f113b", 1, b"")
                .unwrap();
        assert_eq!(
            text(&credentials),
            "Digest username=\"Mufasa\", realm=\"testrealm@host.com\", nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\", \
             uri=\"/dir/index.html\", response=\"6629fae49393a05397450978507c4ef1\", cnonce=\"0a4f113b\", \
             opaque=\"5ccc069c403ebaf9f0171e9517f40e41\", qop=auth, nc=00000001"
        );
    }

    #[test]
    fn the_answers_of_rfc_7616_3_9_1_are_accepted() {
        for (algorithm, response) in [
            (Algorithm::Md5, "8ca523f5e9506fed4657c9700eebdbec"),
            (Algorithm::Sha256, "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
        ] {
            let credentials = parse(&format!(
                "Digest username=\"Mufasa\",\r\n realm=\"http-auth@example.org\",\r\n uri=\"/dir/index.html\",\r\n \
                 algorithm={algorithm},\r\n nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\",\r\n nc=00000001,\r\n \
                 cnonce=\"f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ\",\r\n qop=auth,\r\n response=\"{response}\",\r\n \
                 opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\""
            ));
            let ha1 = Ha1::new(algorithm, "Mufasa", "http-auth@example.org", "Circle of Life");
            assert!(credentials.verify(&ha1, &get(), b""));
        }
    }

    /// RFC 7616 §3.9.2 prints values made with SHA-512 cut to 256 bits. The right ones are these.
    #[test]
    fn sha_512_256_is_not_sha_512_cut_short() {
        let name = "J\u{e4}s\u{f8}n Doe";
        let challenge = Challenge::parse(&Bytes::from_static(
            br#"Digest realm="api@example.org", qop="auth", algorithm=SHA-512-256, nonce="5TsQWLVdgBdmrQ0XsxbDODV+57QdFR34I9HAbC/RVvkK", charset=UTF-8, userhash=true"#,
        ))
        .unwrap();
        let cnonce = "NTg6RKcb9boFIAS3KrFK9BGeh+iDa/sm6jUMp2wds69v";
        let credentials =
            Credentials::answer(&challenge, name, "Secret, or not?", &get(), "/doe.json", cnonce, 1, b"").unwrap();
        assert_eq!(
            credentials.response(),
            Some(&b"3798d4131c277846293534c3edc11bd8a5e4cdcbff78b05db9d95eeb1cec68a5"[..])
        );
        assert_eq!(
            credentials.username().as_deref(),
            Some(&b"793263caabb707a56211940d90411ea4a575adeccb7e360aeb624ed06ece9b0b"[..])
        );
        assert!(credentials.is_userhash() && credentials.is_user(name) && !credentials.is_user("Jason Doe"));
    }

    #[test]
    fn an_extended_user_name_is_decoded() {
        let credentials = parse("Digest username*=UTF-8''J%C3%A4s%C3%B8n%20Doe, realm=\"r\"");
        assert_eq!(credentials.username().as_deref(), Some("J\u{e4}s\u{f8}n Doe".as_bytes()));
        for bad in ["UTF-8'J", "latin-1''J", "UTF-8''J%C", "UTF-8''%ff", "UTF-8''%zz"] {
            assert_eq!(parse(&format!("Digest username*={bad}")).username(), None, "{bad}");
        }
    }

    #[test]
    fn the_nonce_count_is_eight_hexadecimal_digits() {
        let challenge = Challenge::digest("r", "n", Algorithm::Md5);
        for (nc, digits) in [(1, "00000001"), (10, "0000000a"), (16, "00000010"), (u32::MAX, "ffffffff")] {
            let credentials =
                Credentials::answer(&challenge, "u", "p", &Method::Invite, "sip:a", "c", nc, b"").unwrap();
            assert_eq!(credentials.param("nc"), Some(digits.as_bytes()));
            assert_eq!(credentials.nc(), Some(nc));
        }
        assert_eq!(parse("Digest nc=0000000A").nc(), Some(10));
        for bad in ["", "000000001", "0x000001", "0000000g", "+1"] {
            assert_eq!(parse(&format!("Digest nc={bad}")).nc(), None, "{bad}");
        }
    }

    #[test]
    fn session_algorithms_hash_nonce_and_cnonce_into_ha1() {
        // H(H("bob:biloxi.com:zanzibar") ":" nonce ":" cnonce), as computed by an independent implementation.
        let challenge = Challenge::digest("biloxi.com", "dcd98b7102dd2f0e8b11d0f600bfb0c093", Algorithm::Md5Sess);
        let answer = |cnonce| {
            let credentials = Credentials::answer(
                &challenge,
                "bob",
                "zanzibar",
                &Method::Invite,
                "sip:bob@biloxi.com",
                cnonce,
                1,
                b"",
            );
            String::from_utf8(credentials.unwrap().response().unwrap().to_vec()).unwrap()
        };
        assert_eq!(answer("0a4f113b"), "e4e4ea61d186d07a92c9e1f6919902e9");
        assert_ne!(answer("0a4f113c"), answer("0a4f113b"));
        let without = parse(r#"Digest username="u", nonce="n", uri="u", response="00", algorithm=MD5-sess"#);
        assert!(!without.verify(&Ha1::new(Algorithm::Md5, "u", "r", "p"), &Method::Invite, b""));
    }

    #[test]
    fn auth_int_hashes_the_body_with_the_same_algorithm() {
        let body: &[u8] = b"v=0\r\n";
        for algorithm in Algorithm::ALL {
            let challenge = Challenge::digest("r", "n", algorithm).with_qop(&[Qop::AuthInt]);
            let credentials =
                Credentials::answer(&challenge, "u", "p", &Method::Invite, "sip:a", "c", 1, body).unwrap();
            let ha1 = Ha1::new(algorithm, "u", "r", "p");
            assert_eq!(credentials.qop(), Some(Qop::AuthInt));
            assert!(credentials.verify(&ha1, &Method::Invite, body));
            assert!(!credentials.verify(&ha1, &Method::Invite, b"v=1\r\n"));

            let inner = hash::hash_joined(algorithm, &[body]).hex();
            let ha2 = hash::hash_joined(algorithm, &[b"INVITE", b"sip:a", inner.as_bytes()]).hex();
            let ha1 = match algorithm.is_session() {
                true => hash::hash_joined(algorithm, &[ha1.hex().as_bytes(), b"n", b"c"]).hex(),
                false => *ha1.hex(),
            };
            let pieces = [ha1.as_bytes(), b"n", b"00000001", b"c", b"auth-int", ha2.as_bytes()];
            let expected = hash::hash_joined(algorithm, &pieces).hex();
            assert_eq!(credentials.response(), Some(expected.as_bytes()));
        }
    }

    #[test]
    fn the_form_of_rfc_2069_is_answered_without_nc_and_cnonce() {
        let challenge = Challenge::parse(&Bytes::from_static(
            br#"Digest realm="biloxi.com", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093""#,
        ))
        .unwrap();
        let uri = "sip:bob@biloxi.com";
        let credentials =
            Credentials::answer(&challenge, "bob", "zanzibar", &Method::Invite, uri, "unused", 1, b"").unwrap();
        assert_eq!(credentials.response(), Some(&b"bf57e4e0d0bffc0fbaedce64d59add5e"[..]));
        assert!(!text(&credentials).contains("nc=") && !text(&credentials).contains("algorithm"));
    }

    #[test]
    fn the_first_offered_protection_is_used_when_auth_is_not_offered() {
        let challenge = Challenge::parse(&Bytes::from_static(b"Digest realm=r, nonce=n, qop=\"x, auth-int\"")).unwrap();
        let credentials = Credentials::answer(&challenge, "u", "p", &Method::Bye, "sip:a", "c", 1, b"").unwrap();
        assert_eq!(credentials.qop(), Some(Qop::AuthInt));
        let unknown = Challenge::parse(&Bytes::from_static(b"Digest realm=r, nonce=n, qop=\"x\"")).unwrap();
        let refused = Credentials::answer(&unknown, "u", "p", &Method::Bye, "sip:a", "c", 1, b"");
        assert_eq!(refused, Err(AnswerError::Qop));
    }

    #[test]
    fn answers_to_other_schemes_and_unknown_algorithms_are_refused() {
        let refusal = |text: &'static str| {
            let challenge = Challenge::parse(&Bytes::from_static(text.as_bytes())).unwrap();
            Credentials::answer(&challenge, "u", "p", &Method::Bye, "sip:a", "c", 1, b"").unwrap_err()
        };
        assert_eq!(refusal("Basic realm=r, nonce=n"), AnswerError::NotDigest);
        assert_eq!(refusal("Digest nonce=n"), AnswerError::NotDigest);
        assert_eq!(refusal("Digest realm=r"), AnswerError::NotDigest);
        assert_eq!(refusal("Digest realm=r, nonce=n, algorithm=AKAv1-MD5"), AnswerError::Algorithm);
    }

    #[test]
    fn a_response_in_upper_case_is_the_same_number() {
        let challenge = Challenge::digest("r", "n", Algorithm::Md5);
        let credentials = Credentials::answer(&challenge, "u", "p", &Method::Bye, "sip:a", "c", 1, b"").unwrap();
        let response = String::from_utf8(credentials.response().unwrap().to_vec()).unwrap();
        let upper = parse(&text(&credentials).replace(&response, &response.to_uppercase()));
        assert!(upper.verify(&Ha1::new(Algorithm::Md5, "u", "r", "p"), &Method::Bye, b""));
    }

    #[test]
    fn a_wrong_answer_costs_as_many_hashes_as_a_right_one() {
        let challenge = Challenge::digest("r", "n", Algorithm::Sha256);
        let credentials = Credentials::answer(&challenge, "u", "p", &Method::Bye, "sip:a", "c", 1, b"").unwrap();
        let hashes = |password| {
            let ha1 = Ha1::new(Algorithm::Sha256, "u", "r", password);
            let before = hash::count();
            let right = credentials.verify(&ha1, &Method::Bye, b"");
            (right, hash::count() - before)
        };
        assert_eq!(hashes("p"), (true, 2));
        assert_eq!(hashes("q"), (false, 2));
    }

    #[test]
    fn an_answer_for_another_algorithm_than_the_stored_hash_is_wrong() {
        let challenge = Challenge::digest("r", "n", Algorithm::Md5);
        let credentials = Credentials::answer(&challenge, "u", "p", &Method::Bye, "sip:a", "c", 1, b"").unwrap();
        assert!(!credentials.verify(&Ha1::new(Algorithm::Sha256, "u", "r", "p"), &Method::Bye, b""));
        let refused = Credentials::answer_with(
            &challenge,
            "u",
            &Ha1::new(Algorithm::Sha256, "u", "r", "p"),
            &Method::Bye,
            "sip:a",
            "c",
            1,
            b"",
        );
        assert_eq!(refused, Err(AnswerError::Ha1));
    }

    #[test]
    fn debug_output_shows_neither_nonce_nor_response() {
        let shown = format!("{:?}", parse(r#"Digest username="u", nonce="tell", response="nobody""#));
        assert!(!shown.contains("tell") && !shown.contains("nobody"), "{shown}");
    }

    proptest! {
        #[test]
        fn every_answer_is_accepted_after_writing_and_parsing(
            username in ".{0,12}", realm in ".{0,12}", password in ".{0,12}", nonce in "[ -~]{0,12}",
            uri in "sip:[a-z;=@\"\\\\]{0,12}", cnonce in "[ -~]{0,12}", nc in any::<u32>(),
            body in proptest::collection::vec(any::<u8>(), 0..20), which in 0usize..6, protection in 0usize..4, userhash in any::<bool>(),
        ) {
            let algorithm = Algorithm::ALL[which];
            let qops: &[Qop] = [&[][..], &[Qop::Auth], &[Qop::AuthInt], &[Qop::AuthInt, Qop::Auth]][protection];
            let mut challenge = Challenge::digest(&realm, &nonce, algorithm).with_qop(qops);
            if userhash {
                challenge = challenge.with_userhash();
            }
            let credentials =
                Credentials::answer(&challenge, &username, &password, &Method::Invite, &uri, &cnonce, nc, &body).unwrap();
            let mut out = Vec::new();
            credentials.encode(&mut out);
            let again = Credentials::parse(&Bytes::from(out)).unwrap();
            prop_assert_eq!(&again, &credentials);
            let kept_realm = challenge.realm().unwrap();
            prop_assert!(again.verify(&Ha1::new(algorithm, &username, kept_realm, &password), &Method::Invite, &body));
            let wrong = format!("{password}x");
            prop_assert!(!again.verify(&Ha1::new(algorithm, &username, kept_realm, wrong), &Method::Invite, &body));
        }

        #[test]
        fn any_bytes_are_parsed_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
            let mut value = b"Digest ".to_vec();
            value.extend_from_slice(&bytes);
            for value in [bytes, value] {
                if let Ok(credentials) = Credentials::parse(&Bytes::from(value)) {
                    let mut out = Vec::new();
                    credentials.encode(&mut out);
                    prop_assert_eq!(Credentials::parse(&Bytes::from(out)).unwrap(), credentials);
                }
            }
        }
    }
}
