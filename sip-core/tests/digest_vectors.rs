//! Digest responses that RFCs publish, and others that were computed elsewhere.

use std::collections::HashMap;

use bytes::Bytes;
use serde_json::Value;
use sip_core::Method;
use sip_core::auth::{Algorithm, Challenge, Credentials, Ha1, Qop};

const OWN: &str = include_str!("data/digest.tsv");
const SHARED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data/vectors/digest/digest-vectors.json");

/// One exchange by the names of its parts.
fn check<'a>(text: impl Fn(&str) -> &'a str, expected: &str) {
    let algorithm = Algorithm::from_token(text("alg").as_bytes()).unwrap();
    let qops: Vec<Qop> = Qop::from_token(text("qop").as_bytes()).into_iter().collect();
    let challenge = Challenge::digest(text("realm"), text("nonce"), algorithm).with_qop(&qops);
    let method = Method::parse(text("method").as_bytes()).unwrap();
    let nc = u32::from_str_radix(text("nc"), 16).unwrap_or(1);
    let body = text("body");
    let credentials =
        Credentials::answer(&challenge, text("user"), text("pw"), &method, text("uri"), text("cnonce"), nc, body)
            .unwrap();
    assert_eq!(credentials.response(), Some(expected.as_bytes()), "{}", text("source"));

    let mut written = Vec::new();
    credentials.encode(&mut written);
    let read = Credentials::parse(&Bytes::from(written)).unwrap();
    let ha1 = Ha1::new(algorithm, text("user"), text("realm"), text("pw"));
    assert!(read.verify(&ha1, &method, body), "{}", text("source"));
    assert!(!read.verify(&ha1, &Method::Publish, body), "{}", text("source"));
}

#[test]
fn every_published_response_of_our_own_transcription_is_reproduced() {
    let mut lines = OWN.lines().filter(|line| !line.starts_with('#'));
    let names: Vec<&str> = lines.next().unwrap().split('\t').collect();
    let mut checked = 0;
    for line in lines {
        let values: Vec<String> = line
            .split('\t')
            .map(|value| value.replace("\\r", "\r").replace("\\n", "\n").replace("\\\\", "\\"))
            .collect();
        assert_eq!(values.len(), names.len(), "{line}");
        let fields: HashMap<&str, &str> = names.iter().copied().zip(values.iter().map(String::as_str)).collect();
        check(|name| fields[name], fields["response"]);
        checked += 1;
    }
    assert_eq!(checked, 20);
}

#[test]
fn every_response_of_the_shared_vectors_is_reproduced() {
    let Ok(text) = std::fs::read_to_string(SHARED) else {
        eprintln!("SKIPPED for want of {SHARED}; our own transcription is tested all the same");
        return;
    };
    let vectors: Vec<Value> = serde_json::from_str(&text).unwrap();
    assert!(vectors.len() >= 20);
    for vector in &vectors {
        check(|name| vector[name].as_str().unwrap_or_default(), vector["recomputed"].as_str().unwrap());
    }
}
