//! Digest responses computed elsewhere, from the shared test data.

use bytes::Bytes;
use serde_json::Value;
use sip_core::Method;
use sip_core::auth::{Algorithm, Challenge, Credentials, Ha1, Qop};

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data/vectors/digest/digest-vectors.json");

#[test]
fn every_published_and_recomputed_response_is_reproduced() {
    let Ok(text) = std::fs::read_to_string(FILE) else {
        eprintln!("skipped: the shared digest vectors are not there");
        return;
    };
    let vectors: Vec<Value> = serde_json::from_str(&text).unwrap();
    assert!(vectors.len() >= 20);
    for vector in &vectors {
        let text = |name: &str| vector[name].as_str().unwrap_or_default();
        let algorithm = Algorithm::from_token(text("alg").as_bytes()).unwrap();
        let qops: Vec<Qop> = Qop::from_token(text("qop").as_bytes()).into_iter().collect();
        let challenge = Challenge::digest(text("realm"), text("nonce"), algorithm).with_qop(&qops);
        let method = Method::parse(text("method").as_bytes()).unwrap();
        let nc = u32::from_str_radix(text("nc"), 16).unwrap_or(1);
        let body = text("body");
        let credentials =
            Credentials::answer(&challenge, text("user"), text("pw"), &method, text("uri"), text("cnonce"), nc, body)
                .unwrap();
        let expected = text("recomputed");
        assert_eq!(credentials.response(), Some(expected.as_bytes()), "{}", text("source"));

        let mut written = Vec::new();
        credentials.encode(&mut written);
        let read = Credentials::parse(&Bytes::from(written)).unwrap();
        let ha1 = Ha1::new(algorithm, text("user"), text("realm"), text("pw"));
        assert!(read.verify(&ha1, &method, body), "{}", text("source"));
    }
}
