//! Secrets that two sides share, and RSA keys.

use std::fmt;

use rand_core::RngCore;
use rsa::pkcs8::{DecodePrivateKey, DecodePublicKey};

/// A password that both sides know. It is never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Vec<u8>);

impl Secret {
    /// A secret of these bytes.
    pub fn new(secret: impl AsRef<[u8]>) -> Self {
        Self(secret.as_ref().to_vec())
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl From<&str> for Secret {
    fn from(secret: &str) -> Self {
        Self::new(secret)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// A key file that could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an rsa key in pem form")]
pub struct KeyError;

/// The public RSA key of a peer (RFC 5456 §8.6.16).
#[derive(Clone, PartialEq, Eq)]
pub struct PublicKey(rsa::PublicKey);

impl PublicKey {
    /// Reads a key as `astgenkey` writes it: SubjectPublicKeyInfo in PEM form.
    ///
    /// # Errors
    /// The text is not such a key.
    pub fn from_pem(pem: &str) -> Result<Self, KeyError> {
        rsa::PublicKey::from_public_key_pem(pem).map(Self).map_err(|_| KeyError)
    }

    /// Whether a result is the signature, in base64, of a challenge's SHA-1.
    pub fn verify(&self, challenge: &[u8], result: &[u8]) -> bool {
        use base64::Engine as _;
        match base64::engine::general_purpose::STANDARD.decode(result) {
            Ok(signature) => self.0.pkcs1v15_verify::<sha1::Sha1>(challenge, &signature).is_ok(),
            Err(_) => false,
        }
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PublicKey(…)")
    }
}

/// Our private RSA key (RFC 5456 §8.6.16).
///
/// A signature goes as base64 in one element of at most 255 bytes: keys of more than 1,528 bits do not fit, so that
/// RSA is weak by the protocol's own limits.
///
/// Signing is blinded, yet the library's arithmetic is not of constant time in every step (RUSTSEC-2023-0071): a peer
/// that can time very many signatures over a quiet network might learn about the key. Prefer MD5 secrets of your own
/// making, long and random, over RSA on a server that strangers can ask to call them.
#[derive(Clone)]
pub struct PrivateKey(rsa::PrivateKey);

impl PrivateKey {
    /// Reads an unencrypted key: PKCS #8 or PKCS #1 in PEM form.
    ///
    /// # Errors
    /// The text is not such a key.
    pub fn from_pem(pem: &str) -> Result<Self, KeyError> {
        use rsa::pkcs1::DecodeRsaPrivateKey;
        rsa::PrivateKey::from_pkcs8_pem(pem)
            .ok()
            .or_else(|| rsa::PrivateKey::from_pkcs1_pem(pem).ok())
            .map(Self)
            .ok_or(KeyError)
    }

    /// The key that verifies what this one signs.
    pub fn public_key(&self) -> PublicKey {
        PublicKey(self.0.to_public_key())
    }

    /// The signature, in base64, of a challenge's SHA-1; `None` when the key is too small for one.
    pub fn sign(&self, challenge: &[u8], rng: &mut impl RngCore) -> Option<String> {
        use base64::Engine as _;
        let signature = self.0.pkcs1v15_sign_with_rng::<sha1::Sha1, _>(&mut Blinding(rng), challenge).ok()?;
        Some(base64::engine::general_purpose::STANDARD.encode(signature))
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PrivateKey(…)")
    }
}

/// Our ChaCha generator under the traits that the `rsa` crate knows.
struct Blinding<'a, R>(&'a mut R);

impl<R: RngCore> rsa::rand_core::TryRng for Blinding<'_, R> {
    type Error = std::convert::Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        Ok(self.0.next_u32())
    }

    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        Ok(self.0.next_u64())
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Self::Error> {
        self.0.fill_bytes(out);
        Ok(())
    }
}

impl<R: RngCore> rsa::rand_core::TryCryptoRng for Blinding<'_, R> {}
