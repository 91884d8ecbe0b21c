//! What went wrong in other stacks with digest. What a server remembers (nonces, counts) is another crate's.

use bytes::Bytes;
use md5::{Digest, Md5};
use sip_core::auth::{Algorithm, Challenge, Credentials, Ha1, Qop, choose};
use sip_core::header::WwwAuthenticate;
use sip_core::{Limits, Message, Method};

fn answer(challenge: &Challenge, nc: u32, body: &[u8]) -> Credentials {
    Credentials::answer(challenge, "bob", "zanzibar", &Method::Invite, "sip:bob@biloxi.com", "0a4f113b", nc, body)
        .unwrap()
}

fn md5(text: impl AsRef<[u8]>) -> String {
    Md5::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn response(credentials: &Credentials) -> &str {
    std::str::from_utf8(credentials.response().unwrap()).unwrap()
}

fn written(credentials: &Credentials) -> String {
    let mut out = Vec::new();
    credentials.encode(&mut out);
    String::from_utf8(out).unwrap()
}

#[test]
fn the_tokens_of_the_algorithms_have_hyphens() {
    for (algorithm, token) in [
        (Algorithm::Sha256, "SHA-256"),
        (Algorithm::Sha256Sess, "SHA-256-sess"),
        (Algorithm::Sha512_256, "SHA-512-256"),
        (Algorithm::Sha512_256Sess, "SHA-512-256-sess"),
    ] {
        let text = written(&answer(&Challenge::digest("biloxi.com", "n", algorithm), 1, b""));
        assert!(text.contains(&format!("algorithm={token},")), "{text}");
        let read = Challenge::parse(&Bytes::from(format!("Digest realm=r, nonce=n, algorithm={token}"))).unwrap();
        assert_eq!(read.algorithm(), Some(algorithm));
    }
    for token in ["SHA256", "SHA512-256", "SHA-512/256", "SHA-512"] {
        let read = Challenge::parse(&Bytes::from(format!("Digest realm=r, nonce=n, algorithm={token}"))).unwrap();
        assert_eq!(read.algorithm(), None, "{token}");
        assert!(!read.is_answerable(), "{token}");
    }
}

#[test]
fn the_tenth_answer_to_a_nonce_and_every_later_one_is_counted_in_hexadecimal() {
    let challenge = Challenge::digest("biloxi.com", "dcd98b71", Algorithm::Md5);
    let ha1 = Ha1::new(Algorithm::Md5, "bob", "biloxi.com", "zanzibar");
    for nc in 1..=300 {
        let text = written(&answer(&challenge, nc, b""));
        assert!(text.contains(&format!("nc={nc:08x}")), "{text}");
        let read = Credentials::parse(&Bytes::from(text)).unwrap();
        assert_eq!(read.nc(), Some(nc));
        assert!(read.verify(&ha1, &Method::Invite, b""));
    }
    assert!(written(&answer(&challenge, 10, b"")).contains("nc=0000000a"));
}

#[test]
fn session_algorithms_use_nonce_and_cnonce_in_ha1() {
    let credentials = answer(&Challenge::digest("biloxi.com", "dcd98b71", Algorithm::Md5Sess), 1, b"");
    let ha1 = md5(format!("{}:dcd98b71:0a4f113b", md5("bob:biloxi.com:zanzibar")));
    let ha2 = md5("INVITE:sip:bob@biloxi.com");
    assert_eq!(response(&credentials), md5(format!("{ha1}:dcd98b71:00000001:0a4f113b:auth:{ha2}")));
}

#[test]
fn auth_int_covers_the_body_with_the_hash_of_the_algorithm() {
    let body = b"v=0\r\n";
    let challenge = Challenge::digest("biloxi.com", "dcd98b71", Algorithm::Md5).with_qop(&[Qop::AuthInt]);
    let credentials = answer(&challenge, 1, body);
    let ha1 = md5("bob:biloxi.com:zanzibar");
    let ha2 = md5(format!("INVITE:sip:bob@biloxi.com:{}", md5(body)));
    assert_eq!(response(&credentials), md5(format!("{ha1}:dcd98b71:00000001:0a4f113b:auth-int:{ha2}")));

    for algorithm in Algorithm::ALL {
        let challenge = Challenge::digest("biloxi.com", "dcd98b71", algorithm).with_qop(&[Qop::AuthInt]);
        let credentials = answer(&challenge, 1, body);
        let ha1 = Ha1::new(algorithm, "bob", "biloxi.com", "zanzibar");
        assert!(credentials.verify(&ha1, &Method::Invite, body), "{algorithm}");
        assert!(!credentials.verify(&ha1, &Method::Invite, b"v=0\r"), "{algorithm}");
        assert!(!credentials.verify(&ha1, &Method::Invite, b""), "{algorithm}");
    }
}

#[test]
fn the_example_of_rfc_7616_3_9_2_has_the_right_values_and_not_the_printed_ones() {
    let challenge = Challenge::parse(&Bytes::from_static(
        br#"Digest realm="api@example.org", qop="auth", algorithm=SHA-512-256, nonce="5TsQWLVdgBdmrQ0XsxbDODV+57QdFR34I9HAbC/RVvkK", opaque="HRPCssKJSGjCrkzDg8OhwpzCiGPChXYjwrI2QmXDnsOS", charset=UTF-8, userhash=true"#,
    ))
    .unwrap();
    let (user, get) = ("J\u{e4}s\u{f8}n Doe", Method::parse(b"GET").unwrap());
    let cnonce = "NTg6RKcb9boFIAS3KrFK9BGeh+iDa/sm6jUMp2wds69v";
    let credentials =
        Credentials::answer(&challenge, user, "Secret, or not?", &get, "/doe.json", cnonce, 1, b"").unwrap();
    assert_eq!(response(&credentials), "3798d4131c277846293534c3edc11bd8a5e4cdcbff78b05db9d95eeb1cec68a5");
    let text = written(&credentials);
    assert!(text.contains("username=\"793263caabb707a56211940d90411ea4a575adeccb7e360aeb624ed06ece9b0b\""), "{text}");
    // As printed, made with SHA-512 cut short.
    for printed in [
        "ae66e67d6b427bd3f120414a82e4acff38e8ecd9101d6c861229025f607a79dd",
        "488869477bf257147b804c45308cd62ac4e25eb717b12b298c79e62dcea254ec",
    ] {
        assert!(!text.contains(printed));
    }
}

/// That no early end tells where the difference is, the comparison's own tests show.
#[test]
fn a_response_with_one_wrong_digit_is_refused_wherever_it_is() {
    for algorithm in [Algorithm::Md5, Algorithm::Sha256, Algorithm::Sha512_256] {
        let credentials = answer(&Challenge::digest("biloxi.com", "n", algorithm), 1, b"");
        let ha1 = Ha1::new(algorithm, "bob", "biloxi.com", "zanzibar");
        let (text, right) = (written(&credentials), response(&credentials).to_owned());
        for at in 0..right.len() {
            let digit = if right.as_bytes()[at] == b'0' { "1" } else { "0" };
            let mut wrong = right.clone();
            wrong.replace_range(at..=at, digit);
            let read = Credentials::parse(&Bytes::from(text.replace(&right, &wrong))).unwrap();
            assert!(!read.verify(&ha1, &Method::Invite, b""), "{algorithm} {at}");
        }
        for wrong in [&right[1..], "", &format!("{right}0"), &"0".repeat(5_000)] {
            let read = Credentials::parse(&Bytes::from(text.replace(&right, wrong))).unwrap();
            assert!(!read.verify(&ha1, &Method::Invite, b""), "{algorithm} {wrong}");
        }
    }
}

#[test]
fn of_several_challenges_in_one_response_the_best_known_is_answered() {
    let text = "SIP/2.0 401 Unauthorized\r\n\
        WWW-Authenticate: Digest realm=\"r\", nonce=\"1\", algorithm=SHA3-512, qop=\"auth\"\r\n\
        WWW-Authenticate: Digest realm=\"r\", nonce=\"2\", algorithm=MD5, qop=\"auth\"\r\n\
        WWW-Authenticate: Digest realm=\"r\", nonce=\"3\", algorithm=SHA-256, qop=\"auth\"\r\n\
        WWW-Authenticate: Basic realm=\"r\"\r\nContent-Length: 0\r\n\r\n";
    let message = Message::parse(text.into(), &Limits::default()).unwrap();
    let challenges: Vec<Challenge> = message.headers().all::<WwwAuthenticate>().map(|found| found.unwrap().0).collect();
    assert_eq!(challenges.len(), 4);
    let chosen = choose(&challenges).unwrap();
    assert_eq!((chosen.algorithm(), chosen.nonce()), (Some(Algorithm::Sha256), Some(&b"3"[..])));
    assert_eq!(answer(chosen, 1, b"").algorithm(), Some(Algorithm::Sha256));
}

#[test]
fn what_another_scheme_says_is_written_as_it_is_read() {
    for text in [&b"+\r\x0c,"[..], b"Bearer \x0babc=", b"NTLM  TlRMTVNTUAAB ", b"X ,"] {
        let read = Credentials::parse(&Bytes::copy_from_slice(text)).unwrap();
        let mut out = Vec::new();
        read.encode(&mut out);
        assert_eq!(Credentials::parse(&Bytes::from(out)).unwrap(), read, "{text:?}");
    }
}
