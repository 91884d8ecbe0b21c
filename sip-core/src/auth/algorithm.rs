//! The names of the digest algorithms and of the qualities of protection.

use core::fmt;

/// A digest algorithm that this crate can compute (RFC 7616 §6.1, RFC 8760 §2.1).
///
/// The `-sess` forms hash the nonce and the cnonce into HA1, so that a third party can check answers without the
/// password's hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// `MD5`, also meant when no algorithm is named.
    Md5,
    /// `MD5-sess`.
    Md5Sess,
    /// `SHA-256`.
    Sha256,
    /// `SHA-256-sess`.
    Sha256Sess,
    /// `SHA-512-256`: SHA-512/256, not SHA-512 cut short.
    Sha512_256,
    /// `SHA-512-256-sess`.
    Sha512_256Sess,
}

impl Algorithm {
    /// All of them, the strongest first.
    pub const ALL: [Self; 6] =
        [Self::Sha512_256, Self::Sha512_256Sess, Self::Sha256, Self::Sha256Sess, Self::Md5, Self::Md5Sess];

    /// Finds the algorithm by its token, in any case. `None` is an algorithm that we do not know.
    #[must_use]
    pub fn from_token(token: &[u8]) -> Option<Self> {
        // As nearly all write them.
        match token {
            b"MD5" => Some(Self::Md5),
            b"SHA-256" => Some(Self::Sha256),
            b"SHA-512-256" => Some(Self::Sha512_256),
            _ => Self::ALL.into_iter().find(|algorithm| token.eq_ignore_ascii_case(algorithm.as_str().as_bytes())),
        }
    }

    /// The token as it is registered.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Md5 => "MD5",
            Self::Md5Sess => "MD5-sess",
            Self::Sha256 => "SHA-256",
            Self::Sha256Sess => "SHA-256-sess",
            Self::Sha512_256 => "SHA-512-256",
            Self::Sha512_256Sess => "SHA-512-256-sess",
        }
    }

    /// The algorithm without `-sess`: the hash function.
    #[must_use]
    pub const fn base(self) -> Self {
        match self {
            Self::Md5 | Self::Md5Sess => Self::Md5,
            Self::Sha256 | Self::Sha256Sess => Self::Sha256,
            Self::Sha512_256 | Self::Sha512_256Sess => Self::Sha512_256,
        }
    }

    /// Whether HA1 covers nonce and cnonce.
    #[must_use]
    pub const fn is_session(self) -> bool {
        matches!(self, Self::Md5Sess | Self::Sha256Sess | Self::Sha512_256Sess)
    }

    /// Number of bytes of a hash: 16 or 32.
    #[must_use]
    pub const fn output_len(self) -> usize {
        match self.base() {
            Self::Md5 => 16,
            _ => 32,
        }
    }

    /// How strong the hash is, for choosing among challenges. Equal ranks are the server's to order.
    pub(crate) const fn rank(self) -> u8 {
        match self.base() {
            Self::Md5 => 0,
            _ => 1,
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a digest protects (RFC 7616 §3.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Qop {
    /// `auth`: method and URI.
    Auth,
    /// `auth-int`: method, URI and body.
    AuthInt,
}

impl Qop {
    /// Finds the quality of protection by its token, in any case.
    #[must_use]
    pub fn from_token(token: &[u8]) -> Option<Self> {
        match token {
            b"auth" => Some(Self::Auth),
            _ => {
                [Self::Auth, Self::AuthInt].into_iter().find(|qop| token.eq_ignore_ascii_case(qop.as_str().as_bytes()))
            }
        }
    }

    /// The token as it is registered.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Auth => "auth",
            Self::AuthInt => "auth-int",
        }
    }
}

impl fmt::Display for Qop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_have_their_hyphens() {
        assert_eq!(Algorithm::from_token(b"SHA-256"), Some(Algorithm::Sha256));
        assert_eq!(Algorithm::from_token(b"SHA-512-256"), Some(Algorithm::Sha512_256));
        for wrong in ["SHA256", "SHA512256", "SHA-512", "SHA-512/256", "SHA_256", "MD-5", "", "AKAv1-MD5"] {
            assert_eq!(Algorithm::from_token(wrong.as_bytes()), None, "{wrong}");
        }
    }

    #[test]
    fn tokens_are_read_in_any_case_and_written_in_the_registered_one() {
        for algorithm in Algorithm::ALL {
            let upper = algorithm.as_str().to_uppercase();
            let lower = algorithm.as_str().to_lowercase();
            assert_eq!(Algorithm::from_token(upper.as_bytes()), Some(algorithm));
            assert_eq!(Algorithm::from_token(lower.as_bytes()), Some(algorithm));
            assert_eq!(algorithm.to_string(), algorithm.as_str());
        }
        assert_eq!(Qop::from_token(b"AUTH-INT"), Some(Qop::AuthInt));
        assert_eq!(Qop::from_token(b"auth-conf"), None);
    }

    #[test]
    fn session_forms_share_the_hash_of_their_base() {
        for algorithm in Algorithm::ALL {
            assert!(!algorithm.base().is_session());
            assert_eq!(algorithm.base().output_len(), algorithm.output_len());
            assert_eq!(algorithm.is_session(), algorithm.as_str().ends_with("-sess"));
        }
    }
}
