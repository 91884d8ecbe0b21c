//! Digest: what is parsed is written and parsed the same; what is answered is verified; and the response is the one that
//! a plain transcription of RFC 7616 §3.4 computes.
#![no_main]

use arbitrary::{Arbitrary, Unstructured};
use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use md5::{Digest, Md5};
use sha2::{Sha256, Sha512_256};
use sip_core::Method;
use sip_core::auth::{Algorithm, AuthInfo, Challenge, Credentials, Ha1, Qop};

#[derive(Debug, Arbitrary)]
struct Input {
    username: String,
    realm: String,
    password: String,
    nonce: String,
    uri: String,
    cnonce: String,
    nc: u32,
    body: Vec<u8>,
    algorithm: u8,
    qop: u8,
    userhash: bool,
    flip: u16,
}

/// H of RFC 7616 §3.3, in hexadecimal.
fn hash(algorithm: Algorithm, bytes: &[u8]) -> String {
    let digest: Vec<u8> = match algorithm.base() {
        Algorithm::Md5 => Md5::digest(bytes).to_vec(),
        Algorithm::Sha256 => Sha256::digest(bytes).to_vec(),
        _ => Sha512_256::digest(bytes).to_vec(),
    };
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// RFC 7616 §3.4.1 to §3.4.3, word by word.
fn naive(credentials: &Credentials, algorithm: Algorithm, secret: &[u8], method: &str, body: &[u8]) -> String {
    let text = |name: &str| credentials.param(name).unwrap_or_default().to_vec();
    let join = |pieces: &[&[u8]]| pieces.join(&b':');
    let mut a1 = hash(algorithm, secret);
    if algorithm.as_str().ends_with("-sess") {
        a1 = hash(algorithm, &join(&[a1.as_bytes(), &text("nonce"), &text("cnonce")]));
    }
    let a2 = match &text("qop")[..] {
        b"auth-int" => join(&[method.as_bytes(), &text("uri"), hash(algorithm, body).as_bytes()]),
        _ => join(&[method.as_bytes(), &text("uri")]),
    };
    let a2 = hash(algorithm, &a2);
    let data = match credentials.param("qop") {
        Some(qop) => join(&[&text("nonce"), &text("nc"), &text("cnonce"), qop, a2.as_bytes()]),
        None => join(&[&text("nonce"), a2.as_bytes()]),
    };
    hash(algorithm, &join(&[a1.as_bytes(), &data]))
}

fuzz_target!(|data: &[u8]| {
    let raw = Bytes::copy_from_slice(data);
    let prefixed = Bytes::from([b"Digest ", data].concat());
    for value in [&raw, &prefixed] {
        if let Ok(credentials) = Credentials::parse(value) {
            let mut out = Vec::new();
            credentials.encode(&mut out);
            assert!(!out.contains(&b'\r') && !out.contains(&b'\n'));
            assert_eq!(Credentials::parse(&Bytes::from(out)).unwrap(), credentials);
            let ha1 = Ha1::new(Algorithm::Md5, "u", "r", "p");
            let _ = credentials.verify(&ha1, &Method::Invite, data);
            let _ = AuthInfo::proof(&credentials, &ha1, data);
        }
        if let Ok(challenge) = Challenge::parse(value) {
            let mut out = Vec::new();
            challenge.encode(&mut out);
            assert_eq!(Challenge::parse(&Bytes::from(out)).unwrap(), challenge);
            let answer = Credentials::answer(&challenge, "u", "p", &Method::Invite, "sip:a", "c", 1, data);
            assert_eq!(answer.is_ok(), challenge.is_answerable());
        }
        if let Ok(info) = AuthInfo::parse(value) {
            let mut out = Vec::new();
            info.encode(&mut out);
            assert_eq!(AuthInfo::parse(&Bytes::from(out)).unwrap(), info);
        }
    }

    let Ok(input) = Input::arbitrary(&mut Unstructured::new(data)) else { return };
    let algorithm = Algorithm::ALL[usize::from(input.algorithm) % Algorithm::ALL.len()];
    let qops: &[Qop] = [&[][..], &[Qop::Auth], &[Qop::AuthInt], &[Qop::AuthInt, Qop::Auth]][usize::from(input.qop % 4)];
    let mut challenge = Challenge::digest(&input.realm, &input.nonce, algorithm).with_qop(qops);
    if input.userhash {
        challenge = challenge.with_userhash();
    }
    let method = Method::Register;
    let credentials = Credentials::answer(
        &challenge,
        &input.username,
        &input.password,
        &method,
        &input.uri,
        &input.cnonce,
        input.nc,
        &input.body,
    )
    .unwrap();
    let mut wire = Vec::new();
    credentials.encode(&mut wire);
    let read = Credentials::parse(&Bytes::from(wire.clone())).unwrap();
    assert_eq!(read, credentials);

    // The realm as it is on the wire: line ends cannot be.
    let realm = challenge.realm().unwrap();
    let secret = [input.username.as_bytes(), realm, input.password.as_bytes()].join(&b':');
    let expected = naive(&read, algorithm, &secret, "REGISTER", &input.body);
    assert_eq!(read.response(), Some(expected.as_bytes()));
    let ha1 = Ha1::new(algorithm, &input.username, realm, &input.password);
    assert!(read.verify(&ha1, &method, &input.body));
    let proof = AuthInfo::proof(&read, &ha1, &input.body).unwrap();
    assert!(proof.verify(&read, &ha1, &input.body));

    // One other byte in what is sent: the answer is the same in what was hashed, or it is wrong.
    let at = usize::from(input.flip) % wire.len();
    wire[at] ^= 1 << (input.flip % 7);
    if let Ok(changed) = Credentials::parse(&Bytes::from(wire)) {
        if changed.verify(&ha1, &method, &input.body) {
            for name in ["nonce", "uri", "cnonce", "nc"] {
                let unused = changed.qop().is_none() && matches!(name, "cnonce" | "nc") && !algorithm.is_session();
                assert!(unused || changed.param(name) == read.param(name), "{name}");
            }
        }
    }
});
