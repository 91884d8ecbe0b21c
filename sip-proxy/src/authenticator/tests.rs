use std::time::Duration;

use proptest::prelude::*;
use sip_core::auth::{Qop, choose};
use sip_core::header::{HeaderName, WwwAuthenticate};
use sip_core::{Limits, Message, Response};

use super::*;
use crate::tests::epoch;

const REALM: &str = "example.org";

fn request(method: &str, uri: &str, credentials: Option<(&HeaderName, &Credentials)>) -> Request {
    let mut text = format!(
        "{method} {uri} SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\nFrom: <sip:alice@example.org>;tag=1\r\n\
         To: <sip:alice@example.org>\r\nCall-ID: 1\r\nCSeq: 1 {method}\r\n"
    )
    .into_bytes();
    if let Some((name, credentials)) = credentials {
        text.extend_from_slice(format!("{}: ", name.as_str()).as_bytes());
        credentials.encode(&mut text);
        text.extend_from_slice(b"\r\n");
    }
    text.extend_from_slice(b"\r\n");
    parse(text)
}

fn parse(text: impl Into<Bytes>) -> Request {
    match Message::parse(text.into(), &Limits::default()) {
        Ok(Message::Request(request)) => request,
        other => panic!("{other:?}"),
    }
}

/// Alice has the password "secret"; nobody else exists.
fn users(query: &Query<'_>) -> Option<Ha1> {
    (query.username == b"alice").then(|| Ha1::new(query.algorithm, "alice", query.realm, "secret"))
}

/// A phone and the authenticator that it talks to.
struct Scene {
    now: Instant,
    authenticator: Authenticator,
}

impl Scene {
    fn new(config: Config) -> Self {
        let now = epoch();
        Self { now, authenticator: Authenticator::new(config, [3; 32], now) }
    }

    fn decide(&mut self, request: &Request) -> Decision {
        self.authenticator.decide(self.now, request, Role::Server, users)
    }

    /// A fresh challenge.
    fn challenge(&mut self) -> Challenge {
        match self.decide(&request("REGISTER", "sip:example.org", None)) {
            Decision::Challenge(challenges) => challenges.values()[0].clone(),
            other => panic!("{other:?}"),
        }
    }

    fn answer(&mut self, challenge: &Challenge, user: &str, password: &str, nc: u32) -> Decision {
        let credentials = answer(challenge, user, password, nc);
        self.decide(&request("REGISTER", "sip:example.org", Some((&HeaderName::AUTHORIZATION, &credentials))))
    }
}

fn answer(challenge: &Challenge, user: &str, password: &str, nc: u32) -> Credentials {
    Credentials::answer(challenge, user, password, &Method::Register, "sip:example.org", "cnonce", nc, b"").unwrap()
}

fn cause(decision: &Decision) -> Option<Cause> {
    match decision {
        Decision::Challenge(challenges) => Some(challenges.cause()),
        _ => None,
    }
}

fn is_accepted(decision: &Decision) -> bool {
    matches!(decision, Decision::Accepted(identity) if identity.username == "alice" && identity.realm == REALM)
}

#[test]
fn a_request_without_credentials_is_challenged_and_its_answer_accepted() {
    let mut scene = Scene::new(Config::new(REALM));
    let challenge = scene.challenge();
    assert_eq!(challenge.realm(), Some(REALM.as_bytes()));
    assert_eq!(challenge.algorithm(), Some(Algorithm::Md5));
    assert!(!challenge.is_stale());
    let decision = scene.answer(&challenge, "alice", "secret", 1);
    assert!(is_accepted(&decision), "{decision:?}");
    assert_eq!(scene.authenticator.snapshot().counters.accepted, 1);
}

#[test]
fn a_proxy_asks_with_407_and_reads_its_own_header() {
    let mut scene = Scene::new(Config::new(REALM));
    let invite = request("INVITE", "sip:bob@example.org", None);
    let Decision::Challenge(challenges) = scene.authenticator.decide(scene.now, &invite, Role::Proxy, users) else {
        panic!()
    };
    assert_eq!(challenges.status(), StatusCode::PROXY_AUTHENTICATION_REQUIRED);
    let response = challenges.respond(&invite).build();
    assert!(response.headers().contains(&HeaderName::PROXY_AUTHENTICATE));
    assert!(!response.headers().contains(&HeaderName::WWW_AUTHENTICATE));

    let credentials = Credentials::answer(
        &challenges.values()[0],
        "alice",
        "secret",
        &Method::Invite,
        "sip:bob@example.org",
        "c",
        1,
        b"",
    )
    .unwrap();
    let wrong_header = request("INVITE", "sip:bob@example.org", Some((&HeaderName::AUTHORIZATION, &credentials)));
    let decision = scene.authenticator.decide(scene.now, &wrong_header, Role::Proxy, users);
    assert_eq!(cause(&decision), Some(Cause::Missing));
    let right = request("INVITE", "sip:bob@example.org", Some((&HeaderName::PROXY_AUTHORIZATION, &credentials)));
    let decision = scene.authenticator.decide(scene.now, &right, Role::Proxy, users);
    assert!(is_accepted(&decision), "{decision:?}");
}

#[test]
fn the_challenges_stand_in_the_response_in_the_order_of_preference() {
    let config = Config::new(REALM).with_algorithms(&[Algorithm::Sha256, Algorithm::Md5]);
    let mut scene = Scene::new(config);
    let register = request("REGISTER", "sip:example.org", None);
    let Decision::Challenge(challenges) = scene.decide(&register) else { panic!() };
    let response: Response = challenges.respond(&register).to_tag(b"t").build();
    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
    let sent: Vec<Challenge> = response.headers().all::<WwwAuthenticate>().map(|header| header.unwrap().0).collect();
    assert_eq!(
        sent.iter().map(Challenge::algorithm).collect::<Vec<_>>(),
        [Some(Algorithm::Sha256), Some(Algorithm::Md5)]
    );
    // Either may be answered; a good phone answers the better one.
    assert_eq!(choose(&sent).unwrap().algorithm(), Some(Algorithm::Sha256));
    assert!(is_accepted(&scene.answer(&sent[0], "alice", "secret", 1)));
    assert!(is_accepted(&scene.answer(&sent[1], "alice", "secret", 2)));
}

#[test]
fn an_algorithm_that_was_not_offered_is_not_accepted() {
    let mut scene = Scene::new(Config::new(REALM).with_algorithms(&[Algorithm::Sha256]));
    let nonce = scene.challenge().nonce().unwrap().to_vec();
    let weaker = Challenge::digest(REALM, nonce, Algorithm::Md5);
    assert_eq!(cause(&scene.answer(&weaker, "alice", "secret", 1)), Some(Cause::Missing));
}

#[test]
fn session_algorithms_and_body_protection_are_verified() {
    for algorithm in Algorithm::ALL {
        let mut config = Config::new(REALM).with_algorithms(&[algorithm]);
        config.qops = vec![Qop::AuthInt];
        let mut scene = Scene::new(config);
        let challenge = scene.challenge();
        assert_eq!(challenge.qops().unwrap().collect::<Vec<_>>(), [Qop::AuthInt]);
        let invite = "sip:bob@example.org";
        let credentials =
            Credentials::answer(&challenge, "alice", "secret", &Method::Invite, invite, "c", 1, b"v=0").unwrap();
        let plain = request("INVITE", invite, Some((&HeaderName::AUTHORIZATION, &credentials)));
        let mut edit = plain.edit();
        edit.set_body(Some("application/sdp"), Bytes::from_static(b"v=1"));
        assert_eq!(cause(&scene.decide(&edit.finish())), Some(Cause::Wrong), "another body");
        edit.set_body(Some("application/sdp"), Bytes::from_static(b"v=0"));
        assert!(is_accepted(&scene.decide(&edit.finish())), "{algorithm}");
    }
}

#[test]
fn unknown_users_and_wrong_passwords_get_the_same_answer() {
    let mut scene = Scene::new(Config::new(REALM));
    let challenge = scene.challenge();
    let shape = |decision: &Decision| match decision {
        Decision::Challenge(challenges) => {
            let register = request("REGISTER", "sip:example.org", None);
            let bytes = challenges.respond(&register).to_tag(b"t").build().to_bytes();
            let text = String::from_utf8(bytes.to_vec()).unwrap();
            let nonce = String::from_utf8(challenges.values()[0].nonce().unwrap().to_vec()).unwrap();
            text.replace(&nonce, &"x".repeat(nonce.len()))
        }
        other => panic!("{other:?}"),
    };
    let none = scene.decide(&request("REGISTER", "sip:example.org", None));
    let wrong = scene.answer(&challenge, "alice", "guess", 1);
    let unknown = scene.answer(&challenge, "nobody", "guess", 1);
    assert_eq!(shape(&wrong), shape(&unknown));
    assert_eq!(shape(&none), shape(&unknown));
    assert_eq!((cause(&wrong), cause(&unknown)), (Some(Cause::Wrong), Some(Cause::Wrong)));
}

#[test]
fn unknown_users_cost_the_hashes_of_a_known_one() {
    // Whatever the algorithm, there is a hash of the same kind to verify against, so that the same steps are taken; and
    // not even its preimage opens the door.
    for algorithm in Algorithm::ALL {
        let mut scene = Scene::new(Config::new(REALM).with_algorithms(&[algorithm]));
        let dummy = scene.authenticator.dummy(algorithm);
        assert_eq!(dummy.algorithm(), algorithm.base());
        let challenge = scene.challenge();
        let uri = "sip:example.org";
        let credentials =
            Credentials::answer_with(&challenge, "nobody", &dummy, &Method::Register, uri, "c", 1, b"").unwrap();
        assert!(credentials.verify(&dummy, &Method::Register, b""));
        let decision = scene.decide(&request("REGISTER", uri, Some((&HeaderName::AUTHORIZATION, &credentials))));
        assert_eq!(cause(&decision), Some(Cause::Wrong));
    }
    let other = Authenticator::new(Config::new(REALM), [4; 32], epoch());
    let own = Authenticator::new(Config::new(REALM), [3; 32], epoch());
    assert_ne!(own.dummy(Algorithm::Md5), other.dummy(Algorithm::Md5), "it is a secret");
}

#[test]
fn a_stored_hash_of_another_algorithm_is_as_good_as_none() {
    let mut scene = Scene::new(Config::new(REALM));
    let challenge = scene.challenge();
    let credentials = answer(&challenge, "alice", "secret", 1);
    let register = request("REGISTER", "sip:example.org", Some((&HeaderName::AUTHORIZATION, &credentials)));
    let decision = scene.authenticator.decide(scene.now, &register, Role::Server, |query| {
        Some(Ha1::new(Algorithm::Sha256, "alice", query.realm, "secret"))
    });
    assert_eq!(cause(&decision), Some(Cause::Wrong));
}

#[test]
fn a_replayed_answer_is_stale_and_a_higher_count_is_not() {
    let mut scene = Scene::new(Config::new(REALM));
    let challenge = scene.challenge();
    assert!(is_accepted(&scene.answer(&challenge, "alice", "secret", 1)));
    let replayed = scene.answer(&challenge, "alice", "secret", 1);
    assert_eq!(cause(&replayed), Some(Cause::Stale));
    let Decision::Challenge(challenges) = replayed else { panic!() };
    assert!(challenges.values()[0].is_stale());
    assert_ne!(challenges.values()[0].nonce(), challenge.nonce());
    // Ten requests and more: the count is hexadecimal.
    for nc in 2..=20 {
        assert!(is_accepted(&scene.answer(&challenge, "alice", "secret", nc)), "{nc}");
    }
    assert_eq!(cause(&scene.answer(&challenge, "alice", "secret", 0x10)), Some(Cause::Stale));
}

#[test]
fn requests_that_overtake_each_other_are_accepted_once_each() {
    let mut scene = Scene::new(Config::new(REALM));
    let challenge = scene.challenge();
    for nc in [1, 3, 2, 5, 4] {
        assert!(is_accepted(&scene.answer(&challenge, "alice", "secret", nc)), "{nc}");
    }
    for nc in 1..=5 {
        assert_eq!(cause(&scene.answer(&challenge, "alice", "secret", nc)), Some(Cause::Stale), "{nc}");
    }
}

#[test]
fn an_old_nonce_is_stale_when_the_answer_is_right_and_only_then() {
    let mut scene = Scene::new(Config::new(REALM));
    let challenge = scene.challenge();
    scene.now += Duration::from_secs(300);
    assert!(is_accepted(&scene.answer(&challenge, "alice", "secret", 1)), "at the end of its life");
    scene.now += Duration::from_millis(1);
    assert_eq!(cause(&scene.answer(&challenge, "alice", "secret", 2)), Some(Cause::Stale));
    assert_eq!(cause(&scene.answer(&challenge, "alice", "guess", 3)), Some(Cause::Wrong));
}

#[test]
fn after_a_restart_phones_are_told_that_their_nonce_is_stale() {
    let mut before = Scene::new(Config::new(REALM));
    let challenge = before.challenge();
    let mut after =
        Scene { now: before.now, authenticator: Authenticator::new(Config::new(REALM), [9; 32], before.now) };
    assert_eq!(cause(&after.answer(&challenge, "alice", "secret", 1)), Some(Cause::Stale));
    assert_eq!(cause(&after.answer(&challenge, "alice", "guess", 1)), Some(Cause::Wrong));
}

#[test]
fn two_with_the_same_seed_and_epoch_accept_each_others_nonces() {
    let mut one = Scene::new(Config::new(REALM));
    let mut other = Scene { now: one.now, authenticator: Authenticator::new(Config::new(REALM), [3; 32], one.now) };
    let challenge = one.challenge();
    assert!(is_accepted(&other.answer(&challenge, "alice", "secret", 1)));
}

#[test]
fn a_nonce_without_protection_serves_once() {
    let mut config = Config::new(REALM);
    let mut scene = Scene::new(config.clone());
    let without = scene.challenge().with_qop(&[]);
    assert!(is_accepted(&scene.answer(&without, "alice", "secret", 1)));
    assert_eq!(cause(&scene.answer(&without, "alice", "secret", 1)), Some(Cause::Stale));

    config.accept_without_qop = false;
    let mut strict = Scene::new(config);
    let without = strict.challenge().with_qop(&[]);
    assert_eq!(cause(&strict.answer(&without, "alice", "secret", 1)), Some(Cause::Stale));
}

#[test]
fn credentials_for_another_uri_are_refused() {
    let mut scene = Scene::new(Config::new(REALM));
    let mut status = |hashed: &str, requested: &str| {
        let challenge = scene.challenge();
        let credentials =
            Credentials::answer(&challenge, "alice", "secret", &Method::Invite, hashed, "c", 1, b"").unwrap();
        match scene.decide(&request("INVITE", requested, Some((&HeaderName::AUTHORIZATION, &credentials)))) {
            Decision::Accepted(_) => 200,
            Decision::Challenge(_) => 401,
            Decision::Refused { status, .. } => status.as_u16(),
        }
    };
    // A cheap call must not be turned into an expensive one.
    assert_eq!(status("sip:100@example.org", "sip:00900123456@example.org"), 400);
    assert_eq!(status("sip:100@example.org", "sip:100@evil.example"), 400);
    assert_eq!(status("sips:100@example.org", "sip:100@example.org"), 400);
    assert_eq!(status("sip:100@example.org:5080", "sip:100@example.org"), 400);
    assert_eq!(status("", "sip:100@example.org"), 400);
    // What phones and proxies before us change is let through.
    assert_eq!(status("sip:100@example.org", "sip:100@example.org"), 200);
    assert_eq!(status("sip:100@EXAMPLE.org", "sip:%3100@example.org"), 200);
    assert_eq!(status("sip:100@example.org", "sip:100@example.org:5060;transport=tcp"), 200);
}

#[test]
fn credentials_for_other_realms_do_not_count() {
    let mut scene = Scene::new(Config::new(REALM));
    let foreign = Challenge::digest("elsewhere", scene.challenge().nonce().unwrap(), Algorithm::Md5);
    assert_eq!(cause(&scene.answer(&foreign, "alice", "secret", 1)), Some(Cause::Missing));

    // With theirs first, broken ones before ours, and ours last.
    let challenge = scene.challenge();
    let ours = answer(&challenge, "alice", "secret", 1);
    let base = request("REGISTER", "sip:example.org", Some((&HeaderName::AUTHORIZATION, &ours)));
    let mut edit = base.edit();
    edit.push_front(&Authorization(answer(&foreign, "alice", "secret", 1)));
    assert!(is_accepted(&scene.decide(&edit.finish())));
}

#[test]
fn each_realm_has_its_users_and_is_asked_for_by_its_name() {
    let mut scene = Scene::new(Config::new(REALM).with_realm("other.example"));
    let mut realm = |uri: &str| match scene.decide(&request("REGISTER", uri, None)) {
        Decision::Challenge(challenges) => challenges.values()[0].clone(),
        other => panic!("{other:?}"),
    };
    assert_eq!(realm("sip:192.0.2.9").realm(), Some(REALM.as_bytes()));
    let other = realm("sip:OTHER.example");
    assert_eq!(other.realm(), Some(&b"other.example"[..]));
    // A nonce is for one realm.
    let crossed = Challenge::digest(REALM, other.nonce().unwrap(), Algorithm::Md5);
    assert_eq!(cause(&scene.answer(&crossed, "alice", "secret", 1)), Some(Cause::Stale));
}

#[test]
fn broken_credentials_are_a_bad_request() {
    let mut scene = Scene::new(Config::new(REALM));
    let base = request("REGISTER", "sip:example.org", None);
    for (value, expected) in [
        ("Digest username=\"alice", Refusal::Malformed),
        ("Digest realm=\"example.org\", nonce=\"x\", uri=\"sip:example.org\", response=\"00\"", Refusal::Malformed),
        ("Digest username=\"alice\", realm=\"example.org\", nonce=\"x\", response=\"00\"", Refusal::WrongUri),
    ] {
        let mut edit = base.edit();
        edit.push_raw(&HeaderName::AUTHORIZATION, value.as_bytes());
        match scene.decide(&edit.finish()) {
            Decision::Refused { status: StatusCode::BAD_REQUEST, reason } => assert_eq!(reason, expected, "{value}"),
            other => panic!("{value}: {other:?}"),
        }
    }
    let mut edit = base.edit();
    edit.push_raw(&HeaderName::AUTHORIZATION, b"Basic YWxpY2U6c2VjcmV0");
    assert_eq!(cause(&scene.decide(&edit.finish())), Some(Cause::Missing));
    let mut edit = base.edit();
    edit.push_raw(
        &HeaderName::AUTHORIZATION,
        b"Digest username=\"alice\", realm=\"example.org\", uri=\"sip:example.org\"",
    );
    assert_eq!(cause(&scene.decide(&edit.finish())), Some(Cause::Wrong));
}

#[test]
fn ack_and_cancel_are_never_challenged() {
    let mut scene = Scene::new(Config::new(REALM));
    for method in ["ACK", "CANCEL"] {
        let decision = scene.decide(&request(method, "sip:example.org", None));
        assert!(matches!(decision, Decision::Refused { reason: Refusal::NotChallengeable, .. }), "{decision:?}");
    }
}

#[test]
fn the_memory_against_replay_is_bounded_and_empties() {
    let mut config = Config::new(REALM);
    config.remembered_nonces = 10;
    let mut scene = Scene::new(config);
    for _ in 0..50 {
        scene.now += Duration::from_secs(1);
        let challenge = scene.challenge();
        assert!(is_accepted(&scene.answer(&challenge, "alice", "secret", 1)));
        assert_eq!(cause(&scene.answer(&challenge, "alice", "secret", 1)), Some(Cause::Stale));
        assert_eq!(cause(&scene.answer(&challenge, "alice", "guess", 1)), Some(Cause::Wrong));
    }
    assert_eq!(scene.authenticator.snapshot().nonces, 10);
    let mut steps = 0;
    while let Some(at) = scene.authenticator.poll_timeout() {
        assert!(at > scene.now);
        scene.now = at;
        scene.authenticator.handle_timeout(at);
        steps += 1;
    }
    assert_eq!((scene.authenticator.snapshot().nonces, steps), (0, 10));
}

#[test]
fn strangers_cannot_fill_the_memory() {
    let mut scene = Scene::new(Config::new(REALM));
    for nc in 1..100 {
        let challenge = scene.challenge();
        scene.answer(&challenge, "alice", "guess", nc);
        scene.answer(&challenge, "nobody", "guess", nc);
    }
    assert_eq!(scene.authenticator.snapshot().nonces, 0);
}

#[test]
fn without_a_realm_everything_is_refused() {
    let mut config = Config::new(REALM);
    config.realms.clear();
    let decision = Scene::new(config).decide(&request("REGISTER", "sip:example.org", None));
    assert!(matches!(decision, Decision::Refused { reason: Refusal::NoRealm, .. }), "{decision:?}");
}

proptest! {
    #[test]
    fn no_answer_is_accepted_twice_and_none_without_the_secret(
        steps in proptest::collection::vec((0usize..4, 1u32..8, any::<bool>(), 0u64..200), 1..60),
        remembered in 0usize..4,
    ) {
        let mut config = Config::new(REALM);
        config.remembered_nonces = remembered;
        let mut scene = Scene::new(config);
        let challenges: Vec<Challenge> = (0..4).map(|_| {
            scene.now += Duration::from_millis(7);
            scene.challenge()
        }).collect();
        let mut seen = std::collections::BTreeSet::new();
        for (which, nc, knows, seconds) in steps {
            scene.now += Duration::from_secs(seconds);
            let password = if knows { "secret" } else { "guess" };
            let decision = scene.answer(&challenges[which], "alice", password, nc);
            if is_accepted(&decision) {
                prop_assert!(knows);
                prop_assert!(seen.insert((which, nc)));
            } else {
                prop_assert_eq!(cause(&decision), Some(if knows { Cause::Stale } else { Cause::Wrong }));
            }
            prop_assert!(scene.authenticator.snapshot().nonces <= remembered);
        }
    }
}
