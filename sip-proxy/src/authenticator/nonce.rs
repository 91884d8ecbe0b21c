//! Nonces that need no memory: a time and randomness under a keyed hash.

use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};
use sha2::Sha256;

const TIME: usize = 8;
const RANDOM: usize = 8;
const MAC: usize = 16;

/// What a nonce of ours says: when it was made, and randomness that makes it the only one. In order of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Stamp {
    /// Milliseconds since the epoch.
    pub(super) ticks: u64,
    random: [u8; RANDOM],
}

impl Stamp {
    /// The first one of a moment.
    pub(super) const fn at(ticks: u64) -> Self {
        Self { ticks, random: [0; RANDOM] }
    }
}

/// Makes nonces and knows its own again.
pub(super) struct Nonces {
    key: Hmac<Sha256>,
    epoch: Instant,
    random: ChaCha20Rng,
}

impl std::fmt::Debug for Nonces {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Nonces").finish_non_exhaustive()
    }
}

impl Nonces {
    pub(super) fn new(seed: [u8; 32], epoch: Instant) -> Self {
        // Randomness that is seen must not come from the stream of the key.
        let mut random = ChaCha20Rng::from_seed(seed);
        random.set_stream(1);
        Self { key: key(&seed), epoch, random }
    }

    /// Another secret from the same seed.
    pub(super) fn derive(&self, purpose: &[u8]) -> [u8; 32] {
        self.key.clone().chain_update(purpose).finalize().into_bytes().into()
    }

    /// A new nonce for a realm.
    pub(super) fn make(&mut self, now: Instant, realm: &[u8]) -> String {
        let mut stamp = Stamp::at(self.ticks(now));
        self.random.fill_bytes(&mut stamp.random);
        let mut bytes = [0; TIME + RANDOM + MAC];
        let parts = stamp.ticks.to_be_bytes().into_iter().chain(stamp.random).chain(self.mac(&stamp, realm));
        for (to, from) in bytes.iter_mut().zip(parts) {
            *to = from;
        }
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Reads a nonce of ours for that realm. `None`: another's, or forged. From the future counts as another's.
    pub(super) fn check(&self, now: Instant, realm: &[u8], nonce: &[u8]) -> Option<Stamp> {
        let bytes = URL_SAFE_NO_PAD.decode(nonce).unwrap_or_default();
        let (stamp, mac) = match (bytes.split_first_chunk::<TIME>(), bytes.len()) {
            (Some((time, rest)), 32) => {
                let (random, mac) = rest.split_first_chunk::<RANDOM>()?;
                (Stamp { ticks: u64::from_be_bytes(*time), random: *random }, mac)
            }
            // The same work for what cannot be ours.
            _ => (Stamp::at(0), &[][..]),
        };
        let expected = self.mac(&stamp, realm);
        let is_ours: bool = subtle::ConstantTimeEq::ct_eq(&expected[..], mac).into();
        (is_ours && stamp.ticks <= self.ticks(now)).then_some(stamp)
    }

    /// How old a stamp is.
    pub(super) fn age(&self, now: Instant, stamp: &Stamp) -> Option<Duration> {
        self.ticks(now).checked_sub(stamp.ticks).map(Duration::from_millis)
    }

    /// A moment in milliseconds since the epoch.
    pub(super) fn ticks(&self, now: Instant) -> u64 {
        super::milliseconds(now.saturating_duration_since(self.epoch))
    }

    /// The moment of so many milliseconds since the epoch.
    pub(super) fn instant(&self, ticks: u64) -> Option<Instant> {
        self.epoch.checked_add(Duration::from_millis(ticks))
    }

    fn mac(&self, stamp: &Stamp, realm: &[u8]) -> [u8; MAC] {
        let whole = self
            .key
            .clone()
            .chain_update(b"nonce")
            .chain_update(stamp.ticks.to_be_bytes())
            .chain_update(stamp.random)
            .chain_update(realm)
            .finalize()
            .into_bytes();
        let mut mac = [0; MAC];
        for (to, from) in mac.iter_mut().zip(whole) {
            *to = from;
        }
        mac
    }
}

/// The key: HMAC pads shorter keys with zeros to its block (RFC 2104 §2).
fn key(seed: &[u8; 32]) -> Hmac<Sha256> {
    let mut block = [0; 64];
    for (to, from) in block.iter_mut().zip(seed) {
        *to = *from;
    }
    Hmac::new(&block.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::epoch;

    #[test]
    fn a_nonce_is_ours_for_its_realm_and_key_only() {
        let now = epoch();
        let mut nonces = Nonces::new([1; 32], now);
        let nonce = nonces.make(now, b"a");
        assert_eq!(nonce.len(), 43);
        assert!(nonces.check(now, b"a", nonce.as_bytes()).is_some());
        assert!(nonces.check(now, b"b", nonce.as_bytes()).is_none());
        assert!(Nonces::new([2; 32], now).check(now, b"a", nonce.as_bytes()).is_none());
        assert!(Nonces::new([1; 32], now).check(now, b"a", nonce.as_bytes()).is_some());
    }

    #[test]
    fn a_nonce_with_any_other_byte_is_not_ours() {
        let now = epoch();
        let mut nonces = Nonces::new([1; 32], now);
        let nonce = nonces.make(now, b"a");
        for place in 0..nonce.len() {
            let mut forged = nonce.clone().into_bytes();
            forged[place] = if forged[place] == b'A' { b'B' } else { b'A' };
            assert!(nonces.check(now, b"a", &forged).is_none(), "{place}");
        }
        for other in [&b""[..], b"x", b"=====", &nonce.as_bytes()[..42]] {
            assert!(nonces.check(now, b"a", other).is_none());
        }
    }

    #[test]
    fn no_two_nonces_are_the_same() {
        let now = epoch();
        let mut nonces = Nonces::new([1; 32], now);
        let made: std::collections::BTreeSet<_> = (0..1_000).map(|_| nonces.make(now, b"a")).collect();
        assert_eq!(made.len(), 1_000);
    }

    #[test]
    fn a_nonce_from_the_future_is_not_ours() {
        let now = epoch();
        let mut nonces = Nonces::new([1; 32], now);
        let nonce = nonces.make(now + Duration::from_secs(1), b"a");
        assert!(nonces.check(now, b"a", nonce.as_bytes()).is_none());
        let stamp = nonces.check(now + Duration::from_secs(3), b"a", nonce.as_bytes()).unwrap();
        assert_eq!(nonces.age(now + Duration::from_secs(3), &stamp), Some(Duration::from_secs(2)));
    }
}
