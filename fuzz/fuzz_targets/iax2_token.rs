//! Any token: only the one that was minted for the address passes.
#![no_main]

use std::time::{Duration, Instant};

use iax2::TokenMint;
use libfuzzer_sys::fuzz_target;
use rand_core::SeedableRng;

fuzz_target!(|input: (&[u8], u8, u16)| {
    let (token, seconds, port) = input;
    let mut rng = rand_chacha::ChaCha20Rng::from_seed([1; 32]);
    let now = Instant::now();
    let mut mint = TokenMint::new(now, &mut rng);
    let us = "192.0.2.1:4569".parse().unwrap();
    let minted = mint.mint(now, us, &mut rng);
    let later = now + Duration::from_secs(u64::from(seconds));
    assert!(!mint.check(later, us, token) || token == minted.as_bytes());
    assert_eq!(mint.check(later, us, minted.as_bytes()), seconds <= 60);
    let mut other: std::net::SocketAddr = us;
    other.set_port(port);
    assert!(port == 4569 || !mint.check(now, other, minted.as_bytes()));
});
