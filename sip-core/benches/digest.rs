//! What it costs to verify a digest, beside the bare hashes: `cargo bench -p tandem-sip-core --bench digest`.
#![expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use bytes::Bytes;
use md5::{Digest, Md5};
use sha2::{Sha256, Sha512_256};
use sip_core::Method;
use sip_core::auth::{Algorithm, Challenge, Credentials, Ha1};

const URI: &str = "sip:600@pbx.example.org";
const NONCE: &str = "AAAAAAAAXkE2v0Y0a1p4c3ZkZmdoamtsbW5vcHFyc3R1dg";

/// Nanoseconds of the fastest of many batches of each, taken in turns: what others do on the machine only adds.
fn measure<const N: usize>(mut works: [&mut dyn FnMut(); N]) -> [f64; N] {
    let mut best = [f64::MAX; N];
    let end = Instant::now() + Duration::from_secs(2);
    while Instant::now() < end {
        for (best, work) in best.iter_mut().zip(&mut works) {
            let start = Instant::now();
            for _ in 0..200 {
                work();
            }
            *best = best.min(start.elapsed().as_nanos() as f64 / 200.0);
        }
    }
    best
}

/// The hashes of one verification over texts that are already put together, in bytes and not in hexadecimal.
fn bare<D: Digest>(a2: &[u8], response: &[u8]) {
    black_box(D::digest(black_box(a2)));
    black_box(D::digest(black_box(response)));
}

fn main() {
    println!("{:<12} {:>10} {:>10} {:>7} {:>16}", "algorithm", "hashes", "verify", "times", "parse and verify");
    for algorithm in [Algorithm::Md5, Algorithm::Sha256, Algorithm::Sha512_256] {
        let challenge = Challenge::digest("pbx.example.org", NONCE, algorithm);
        let credentials = Credentials::answer(&challenge, "1001", "1234", &Method::Invite, URI, "0a4f113b", 1, b"")
            .expect("answerable");
        let ha1 = Ha1::new(algorithm, "1001", "pbx.example.org", "1234");
        let mut wire = Vec::new();
        credentials.encode(&mut wire);
        let wire = Bytes::from(wire);

        let a2 = format!("INVITE:{URI}");
        let hex = "0".repeat(algorithm.output_len() * 2);
        let response = format!("{hex}:{NONCE}:00000001:0a4f113b:auth:{hex}");
        let mut hashes = || match algorithm {
            Algorithm::Md5 => bare::<Md5>(a2.as_bytes(), response.as_bytes()),
            Algorithm::Sha256 => bare::<Sha256>(a2.as_bytes(), response.as_bytes()),
            _ => bare::<Sha512_256>(a2.as_bytes(), response.as_bytes()),
        };
        let mut verify = || assert!(black_box(&credentials).verify(&ha1, &Method::Invite, b""));
        let mut whole = || {
            let credentials = Credentials::parse(black_box(&wire)).expect("well formed");
            assert!(credentials.verify(&ha1, &Method::Invite, b""));
        };
        let [hashes, verify, whole] = measure([&mut hashes, &mut verify, &mut whole]);
        println!(
            "{:<12} {hashes:>7.0} ns {verify:>7.0} ns {:>7.2} {whole:>13.0} ns",
            algorithm.as_str(),
            verify / hashes
        );
    }
}
