//! How the authenticator behaves.

use std::time::Duration;

use bytes::Bytes;
use sip_core::auth::{Algorithm, Qop};

/// Settings of an [`Authenticator`](super::Authenticator).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// The realms that credentials may be for. A challenge asks for the one that is the Request-URI's host, otherwise
    /// for the first.
    pub realms: Vec<Bytes>,
    /// The algorithms to offer, the preferred one first, each in a challenge of its own (RFC 8760 §2.3).
    ///
    /// MD5 alone by default: many phones cannot do more, and some fail when they are offered more.
    pub algorithms: Vec<Algorithm>,
    /// The qualities of protection to offer.
    pub qops: Vec<Qop>,
    /// How long a nonce serves. After it, a right answer is challenged again with `stale=true`, which a phone answers
    /// without asking its user.
    pub nonce_lifetime: Duration,
    /// How many nonces are remembered with the counts that were used. When there are more, the oldest serve no longer.
    pub remembered_nonces: usize,
    /// Whether answers without `qop`, as phones of RFC 2069 make them, are accepted. Each needs a nonce of its own.
    pub accept_without_qop: bool,
}

impl Config {
    /// One realm; MD5, `auth`, five minutes, 65,536 nonces.
    #[must_use]
    pub fn new(realm: impl Into<Bytes>) -> Self {
        Self {
            realms: vec![realm.into()],
            algorithms: vec![Algorithm::Md5],
            qops: vec![Qop::Auth],
            nonce_lifetime: Duration::from_secs(300),
            remembered_nonces: 65_536,
            accept_without_qop: true,
        }
    }

    /// With another realm beside those before.
    #[must_use]
    pub fn with_realm(mut self, realm: impl Into<Bytes>) -> Self {
        self.realms.push(realm.into());
        self
    }

    /// With these algorithms instead.
    #[must_use]
    pub fn with_algorithms(mut self, algorithms: &[Algorithm]) -> Self {
        self.algorithms = algorithms.to_vec();
        self
    }
}
