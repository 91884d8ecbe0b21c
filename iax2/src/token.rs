//! Call tokens: a stranger proves that it receives at the address it sends from (Asterisk's CALLTOKEN).

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use base64::Engine as _;
use hmac::{Hmac, KeyInit, Mac};
use rand_core::RngCore;
use sha2::Sha256;
use subtle::ConstantTimeEq;

/// How long a token is good for: longer than a lost frame is repeated.
const LIFETIME: Duration = Duration::from_secs(60);
/// How often the key changes; the one before stays good.
const ROTATION: Duration = Duration::from_secs(120);

/// Mints and checks tokens. They bind address, port and time under a key that nobody else has, and cost no memory.
///
/// A token is 27 characters, so that the answer to the shortest possible request is less than three times its size.
#[derive(Debug)]
pub struct TokenMint {
    epoch: Instant,
    keys: [[u8; 32]; 2],
    rotated: Instant,
}

impl TokenMint {
    /// A mint with a key from a random generator.
    pub fn new(now: Instant, rng: &mut impl RngCore) -> Self {
        let mut keys = [[0; 32]; 2];
        keys.iter_mut().for_each(|key| rng.fill_bytes(key));
        Self { epoch: now, keys, rotated: now }
    }

    /// A token for whoever receives at `address`.
    pub fn mint(&mut self, now: Instant, address: SocketAddr, rng: &mut impl RngCore) -> String {
        if now.saturating_duration_since(self.rotated) >= ROTATION {
            let [current, _] = self.keys;
            let mut fresh = [0; 32];
            rng.fill_bytes(&mut fresh);
            self.keys = [fresh, current];
            self.rotated = now;
        }
        let [key, _] = &self.keys;
        let time = self.seconds(now).to_be_bytes();
        let [t0, t1, t2, t3] = time;
        let mut token = [0u8; 20];
        let mac = mac(key, address, time);
        for (to, from) in token.iter_mut().zip([t0, t1, t2, t3].into_iter().chain(mac)) {
            *to = from;
        }
        base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(token)
    }

    /// Whether a token was minted for this address and is not too old. The comparison takes the same time for all.
    pub fn check(&self, now: Instant, address: SocketAddr, token: &[u8]) -> bool {
        let mut raw = [0u8; 20];
        let Ok(20) = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode_slice(token, &mut raw) else {
            return false;
        };
        let Some((time, given)) = raw.split_first_chunk::<4>() else { return false };
        let age = self.seconds(now).wrapping_sub(u32::from_be_bytes(*time));
        let fresh = u64::from(age) <= LIFETIME.as_secs();
        let mut genuine = subtle::Choice::from(0);
        for key in &self.keys {
            genuine |= mac(key, address, *time).as_slice().ct_eq(given);
        }
        bool::from(genuine) && fresh
    }

    fn seconds(&self, now: Instant) -> u32 {
        now.saturating_duration_since(self.epoch).as_secs() as u32
    }
}

fn mac(key: &[u8; 32], address: SocketAddr, time: [u8; 4]) -> [u8; 16] {
    let mut out = [0; 16];
    // HMAC takes keys of any length.
    if let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) {
        match address.ip() {
            IpAddr::V4(ip) => mac.update(&ip.octets()),
            IpAddr::V6(ip) => mac.update(&ip.octets()),
        }
        mac.update(&address.port().to_be_bytes());
        mac.update(&time);
        for (to, from) in out.iter_mut().zip(mac.finalize().into_bytes()) {
            *to = from;
        }
    }
    out
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests begin somewhere")]
mod tests {
    use super::*;
    use rand_core::SeedableRng;

    #[test]
    fn a_token_is_good_for_its_address_port_and_time_only() {
        let mut rng = rand_chacha::ChaCha20Rng::from_seed([9; 32]);
        let now = Instant::now();
        let mut mint = TokenMint::new(now, &mut rng);
        let us: SocketAddr = "192.0.2.1:4569".parse().unwrap();
        let token = mint.mint(now, us, &mut rng);
        assert_eq!(token.len(), 27);
        assert!(mint.check(now, us, token.as_bytes()));
        assert!(mint.check(now + Duration::from_secs(60), us, token.as_bytes()));
        assert!(!mint.check(now + Duration::from_secs(62), us, token.as_bytes()));
        assert!(!mint.check(now, "192.0.2.1:4570".parse().unwrap(), token.as_bytes()));
        assert!(!mint.check(now, "192.0.2.2:4569".parse().unwrap(), token.as_bytes()));
        for bad in [&b""[..], b"x", &[0xff; 27], token.replace('A', "B").as_bytes(), &token.as_bytes()[1..]] {
            assert!(bad == token.as_bytes() || !mint.check(now, us, bad));
        }
    }

    #[test]
    fn a_token_outlives_one_change_of_keys_and_no_more() {
        let mut rng = rand_chacha::ChaCha20Rng::from_seed([9; 32]);
        let start = Instant::now();
        let mut mint = TokenMint::new(start, &mut rng);
        let us: SocketAddr = "[2001:db8::1]:4569".parse().unwrap();
        let at = start + Duration::from_secs(119);
        let token = mint.mint(at, us, &mut rng);
        mint.mint(start + Duration::from_secs(121), us, &mut rng);
        assert!(mint.check(start + Duration::from_secs(130), us, token.as_bytes()));
        mint.mint(start + Duration::from_secs(242), us, &mut rng);
        assert!(!mint.check(at, us, token.as_bytes()));
    }
}
