//! Challenges and what answers them (RFC 5456 §8.6.13 to §8.6.16).

use md5::{Digest, Md5};
use rand_core::RngCore;
use subtle::{Choice, ConstantTimeEq};

use crate::element::{AuthMethods, Element, Elements, id};
use crate::{PrivateKey, PublicKey, Secret};

/// MD5 of challenge and secret: the answer to a challenge in binary, and the key of an encrypted call.
pub(crate) fn digest(challenge: &[u8], secret: &Secret) -> [u8; 16] {
    Md5::new().chain_update(challenge).chain_update(secret.as_bytes()).finalize().into()
}

/// The MD5 RESULT element: the digest in hexadecimal.
pub(crate) fn md5_result(challenge: &[u8], secret: &Secret) -> [u8; 32] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut out = [0; 32];
    for (pair, byte) in out.chunks_exact_mut(2).zip(digest(challenge, secret)) {
        for (digit, nibble) in pair.iter_mut().zip([byte >> 4, byte & 15]) {
            *digit = DIGITS.get(usize::from(nibble)).copied().unwrap_or(b'0');
        }
    }
    out
}

/// A new challenge: a decimal number, as Asterisk's are, from 64 random bits.
pub(crate) fn challenge(rng: &mut impl RngCore) -> String {
    rng.next_u64().to_string()
}

/// What a peer has to show us.
#[derive(Debug, Clone, Default)]
pub(crate) struct Demand {
    pub(crate) methods: Option<AuthMethods>,
    pub(crate) secrets: Vec<Secret>,
    pub(crate) keys: Vec<PublicKey>,
}

impl Demand {
    /// Whether nothing has to be shown.
    pub(crate) fn is_free(&self) -> bool {
        self.secrets.is_empty() && self.keys.is_empty()
    }

    pub(crate) fn methods(&self) -> AuthMethods {
        self.methods.unwrap_or(if self.secrets.is_empty() && !self.keys.is_empty() {
            AuthMethods::RSA
        } else {
            AuthMethods::MD5
        })
    }

    /// Which secret the answer shows to be known, if any.
    ///
    /// The work does not depend on the outcome: every secret is tried, and dummies up to `work` of them, so that an
    /// unknown name takes as long as a known one.
    pub(crate) fn verify(&self, challenge: &[u8], answer: &Elements<'_>, work: usize) -> Verdict {
        let methods = self.methods();
        let dummy = Secret::new(b"");
        let md5 = answer.data(id::MD5_RESULT).unwrap_or_default();
        let plain = answer.data(id::PASSWORD).unwrap_or_default();
        let mut found: Option<usize> = None;
        for index in 0..self.secrets.len().max(work).max(1) {
            let known = self.secrets.get(index);
            let secret = known.unwrap_or(&dummy);
            let right = md5_result(challenge, secret);
            let mut given = [0u8; 32];
            let fits = md5.len() == 32;
            for (to, from) in given.iter_mut().zip(md5) {
                *to = from.to_ascii_lowercase();
            }
            let by_md5 = given.ct_eq(&right) & flag(fits && methods.contains(AuthMethods::MD5));
            let by_plain =
                secret.as_bytes().ct_eq(plain) & flag(methods.contains(AuthMethods::PLAINTEXT) && !plain.is_empty());
            if bool::from((by_md5 | by_plain) & flag(known.is_some())) {
                found.get_or_insert(index);
            }
        }
        if let Some(index) = found {
            return Verdict::Secret(index);
        }
        if methods.contains(AuthMethods::RSA)
            && let Some(result) = answer.data(id::RSA_RESULT)
            && self.keys.iter().any(|key| key.verify(challenge, result))
        {
            return Verdict::Key;
        }
        Verdict::Wrong
    }
}

fn flag(value: bool) -> Choice {
    Choice::from(u8::from(value))
}

/// How an answer to a challenge was judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It shows this secret.
    Secret(usize),
    /// It is signed by one of the keys.
    Key,
    /// It shows nothing.
    Wrong,
}

/// What we show to a peer that challenges us.
#[derive(Debug, Clone, Default)]
pub struct Credentials {
    /// Name under which the peer knows us.
    pub username: Option<String>,
    /// The secret we share.
    pub secret: Option<Secret>,
    /// Our private key, for peers that ask for RSA.
    pub key: Option<PrivateKey>,
    /// Send the secret in clear when the peer accepts nothing better: off unless asked for.
    pub allow_plaintext: bool,
}

impl Credentials {
    /// A username and a secret.
    pub fn new(username: impl Into<String>, secret: impl Into<Secret>) -> Self {
        Self { username: Some(username.into()), secret: Some(secret.into()), ..Self::default() }
    }

    /// The element that answers a challenge with the best method that both know: RSA, MD5, and clear text when allowed.
    pub(crate) fn answer<T>(
        &self,
        methods: AuthMethods,
        challenge: &[u8],
        rng: &mut impl RngCore,
        with: impl FnOnce(Element<'_>) -> T,
    ) -> Option<T> {
        if methods.contains(AuthMethods::RSA)
            && let Some(result) = self.key.as_ref().and_then(|key| key.sign(challenge, rng)).filter(|r| r.len() <= 255)
        {
            return Some(with(Element::RsaResult(result.as_bytes())));
        }
        let secret = self.secret.as_ref()?;
        if methods.contains(AuthMethods::MD5) {
            return Some(with(Element::Md5Result(&md5_result(challenge, secret))));
        }
        if methods.contains(AuthMethods::PLAINTEXT) && self.allow_plaintext {
            return Some(with(Element::Password(secret.as_bytes())));
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ElementsBuf;

    #[test]
    fn the_md5_result_is_hex_of_md5_of_challenge_followed_by_secret() {
        // From a capture of a real registration: challenge 86645179, secret 1234.
        assert_eq!(&md5_result(b"86645179", &"1234".into()), b"b576e7076bada262d29fd6f378fac6ba");
    }

    #[test]
    fn any_of_several_secrets_is_accepted_and_named() {
        let demand = Demand { secrets: vec!["old".into(), "new".into()], ..Demand::default() };
        let judge = |secret: &str| {
            let result = md5_result(b"42", &secret.into());
            let answer: ElementsBuf = [Element::Md5Result(&result)].into_iter().collect();
            demand.verify(b"42", &Elements::parse(answer.as_bytes()).unwrap(), 0)
        };
        assert_eq!(judge("old"), Verdict::Secret(0));
        assert_eq!(judge("new"), Verdict::Secret(1));
        assert_eq!(judge(""), Verdict::Wrong);
        assert_eq!(judge("other"), Verdict::Wrong);
    }

    #[test]
    fn the_empty_dummy_secret_opens_nothing() {
        let nobody = Demand::default();
        let result = md5_result(b"42", &Secret::new(b""));
        let answer: ElementsBuf = [Element::Md5Result(&result), Element::Password(b"")].into_iter().collect();
        assert_eq!(nobody.verify(b"42", &Elements::parse(answer.as_bytes()).unwrap(), 3), Verdict::Wrong);
    }

    #[test]
    fn a_secret_is_not_sent_in_clear_unless_asked_for() {
        let mut rng = rand_chacha::ChaCha20Rng::from_seed([1; 32]);
        use rand_core::SeedableRng;
        let mut us = Credentials::new("u", "1234");
        assert!(us.answer(AuthMethods::PLAINTEXT, b"", &mut rng, |_| ()).is_none());
        us.allow_plaintext = true;
        assert_eq!(us.answer(AuthMethods::PLAINTEXT, b"", &mut rng, |e| e.id()), Some(id::PASSWORD));
        assert_eq!(us.answer(AuthMethods::all(), b"1", &mut rng, |e| e.id()), Some(id::MD5_RESULT));
    }
}
