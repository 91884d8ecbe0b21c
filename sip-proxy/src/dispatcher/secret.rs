//! The keys of a dispatcher, all made from one secret that several dispatchers share.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// What the dispatchers of one installation share, and nobody else knows: at least 16 bytes, better 32 random ones.
///
/// Each use has a key of its own: HMAC-SHA-256 of the use's name under the secret, of which the first 16 bytes serve.
#[derive(Clone)]
pub struct Secret(Vec<u8>);

/// The secret is too short to be one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a secret has at least {} bytes", Secret::MINIMUM)]
pub struct TooShort;

impl Secret {
    /// How many bytes a secret has at least.
    pub const MINIMUM: usize = 16;

    /// A secret of these bytes.
    ///
    /// # Errors
    /// When they are fewer than [`Secret::MINIMUM`].
    pub fn new(bytes: impl Into<Vec<u8>>) -> Result<Self, TooShort> {
        let bytes = bytes.into();
        if bytes.len() < Self::MINIMUM { Err(TooShort) } else { Ok(Self(bytes)) }
    }

    /// Thirty-two bytes, such as those of a random generator.
    #[must_use]
    pub fn from_seed(bytes: [u8; 32]) -> Self {
        Self(bytes.to_vec())
    }

    /// The key of one use.
    #[must_use]
    pub fn derive(&self, purpose: &str) -> [u8; 32] {
        // HMAC takes keys of any length: the error has no case.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.0) else { return [0; 32] };
        mac.update(b"tandem dispatcher ");
        mac.update(purpose.as_bytes());
        mac.finalize().into_bytes().into()
    }

    /// The first 16 bytes of [`Secret::derive`], as SipHash takes them.
    #[must_use]
    pub fn derive_short(&self, purpose: &str) -> [u8; 16] {
        let [short @ .., _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _] = self.derive(purpose);
        short
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_use_has_its_own_key_and_each_secret_others() {
        let one = Secret::from_seed([1; 32]);
        let two = Secret::from_seed([2; 32]);
        assert_ne!(one.derive("hash"), one.derive("cookie"));
        assert_ne!(one.derive("hash"), two.derive("hash"));
        assert_eq!(one.derive("hash"), Secret::new([1; 32]).unwrap().derive("hash"));
        assert_eq!(one.derive_short("hash")[..], one.derive("hash")[..16]);
        assert_eq!(Secret::new(*b"too short").unwrap_err(), TooShort);
        assert!(!format!("{one:?}").contains('1'));
    }
}
