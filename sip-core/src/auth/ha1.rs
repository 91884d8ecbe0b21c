//! The hash of user name, realm and password, which is what a server stores.

use core::fmt;

use super::Algorithm;
use super::hash::{Hash, Hex, hash_joined};

/// `H(username ":" realm ":" password)`: enough to check an answer, and as secret as the password itself within its
/// realm (RFC 7616 §3.4.2).
///
/// One value serves an algorithm and its `-sess` form. It never shows its digits in debug output.
#[derive(Clone, Copy)]
pub struct Ha1 {
    algorithm: Algorithm,
    /// In hexadecimal, as it is hashed again.
    hex: Hex,
}

impl Ha1 {
    /// Computes it from a password.
    #[must_use]
    pub fn new(
        algorithm: Algorithm,
        username: impl AsRef<[u8]>,
        realm: impl AsRef<[u8]>,
        password: impl AsRef<[u8]>,
    ) -> Self {
        let pieces = [username.as_ref(), realm.as_ref(), password.as_ref()];
        Self { algorithm: algorithm.base(), hex: hash_joined(algorithm, &pieces).hex() }
    }

    /// Takes a stored one in hexadecimal, such as Kamailio's `ha1` column or Asterisk's `md5secret`. `None` unless it
    /// has the digits of that algorithm.
    #[must_use]
    pub fn from_hex(algorithm: Algorithm, hex: impl AsRef<[u8]>) -> Option<Self> {
        Some(Self { algorithm: algorithm.base(), hex: Hash::from_hex(algorithm, hex.as_ref())?.hex() })
    }

    /// The hash function, without `-sess`.
    #[must_use]
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The secret in hexadecimal, for storing it.
    #[must_use]
    pub fn to_hex(&self) -> String {
        self.hex.as_bytes().iter().copied().map(char::from).collect()
    }

    /// The stored hash in hexadecimal.
    pub(crate) const fn hex(&self) -> &Hex {
        &self.hex
    }
}

impl PartialEq for Ha1 {
    /// Compares in constant time.
    fn eq(&self, other: &Self) -> bool {
        self.algorithm == other.algorithm && self.hex.matches(other.hex.as_bytes())
    }
}

impl Eq for Ha1 {}

impl fmt::Debug for Ha1 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ha1").field("algorithm", &self.algorithm).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_hash_is_computed_and_read_back() {
        // RFC 2617 §3.5.
        let ha1 = Ha1::new(Algorithm::Md5, "Mufasa", "testrealm@host.com", "Circle Of Life");
        assert_eq!(ha1.to_hex(), "939e7578ed9e3c518a452acee763bce9");
        assert_eq!(Ha1::from_hex(Algorithm::Md5Sess, "939E7578ED9E3C518A452ACEE763BCE9"), Some(ha1));
        assert_eq!(Ha1::from_hex(Algorithm::Sha256, "939e7578ed9e3c518a452acee763bce9"), None);
    }

    #[test]
    fn debug_output_does_not_show_the_secret() {
        let ha1 = Ha1::new(Algorithm::Md5, "a", "b", "c");
        assert_eq!(format!("{ha1:?}"), "Ha1 { algorithm: Md5, .. }");
    }
}
