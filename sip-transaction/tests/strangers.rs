//! Servers under attack: floods, amplification, answers to nobody (the lines that belong to transactions).

mod support;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use sip_core::header::HeaderName;
use sip_transaction::{Config, Endpoint, Event, Input, ListenerId, Target};
use support::{MS, alice, arriving, drain, endpoint, payloads, request, response};

fn receive(endpoint: &mut Endpoint, now: Instant, listener: ListenerId, source: SocketAddr, payload: Bytes) {
    endpoint.handle_input(now, Input::Datagram { listener, source, payload, received: None });
}

/// Runs an endpoint without a network for a while; what it sends is returned.
fn run(endpoint: &mut Endpoint, mut now: Instant, span: Duration) -> Vec<Bytes> {
    let end = now + span;
    let mut sent = Vec::new();
    while let Some(at) = endpoint.poll_timeout().filter(|at| *at <= end) {
        now = now.max(at);
        endpoint.handle_timeout(now);
        sent.extend(payloads(&drain(endpoint).1));
    }
    sent
}

#[test]
fn responses_to_nobody_are_dropped_and_counted() {
    let (mut endpoint, udp, _) = endpoint(Config::default());
    let now = support::origin();
    endpoint.send_request(now, request("OPTIONS", 1), Target::udp(alice())).unwrap();
    let sent = support::parse_request(&payloads(&drain(&mut endpoint).1)[0]);
    let true_answer = response(&sent, 200).to_bytes();
    let text = String::from_utf8(true_answer.to_vec()).unwrap();
    let branch = text.split("branch=z9hG4bK").nth(1).unwrap().split([';', '\r']).next().unwrap().to_owned();
    for forged in [
        text.replace(&branch, "guessed"),
        text.replace("1 OPTIONS", "1 INVITE"),
        text.replace(&branch, &branch.to_uppercase()),
    ] {
        receive(&mut endpoint, now, udp, alice(), forged.into());
    }
    let (events, duties) = drain(&mut endpoint);
    assert!(events.is_empty() && duties.is_empty(), "{events:?} {duties:?}");
    assert_eq!(endpoint.snapshot().counters.stray_responses, 3);
    receive(&mut endpoint, now, udp, alice(), true_answer);
    assert!(matches!(drain(&mut endpoint).0[..], [Event::Response { .. }]));
}

#[test]
fn a_flood_of_half_open_invites_from_one_stranger_stays_within_his_budget() {
    let config = Config { stranger_transactions: 1_000, ..Config::default() };
    let (mut endpoint, udp, _) = endpoint(config);
    let now = support::origin();
    for number in 0..100_000 {
        let invite = arriving("INVITE", number, "192.0.2.1", &format!("z9hG4bK{number}"));
        receive(&mut endpoint, now, udp, alice(), invite);
        let (_, duties) = drain(&mut endpoint);
        assert!(duties.is_empty(), "a stranger past his budget gets nothing");
    }
    let snapshot = endpoint.snapshot();
    assert_eq!((snapshot.server_transactions, snapshot.unanswered, snapshot.strangers), (1_000, 1_000, 1));
    assert_eq!(snapshot.counters.shed_dropped, 99_000);
    assert!(snapshot.timers <= 1_000);
    // Others are served.
    let other = "198.51.100.7:5060".parse().unwrap();
    receive(&mut endpoint, now, udp, other, arriving("INVITE", 1, "198.51.100.7", "z9hG4bKother"));
    assert!(matches!(drain(&mut endpoint).0[..], [Event::Request { .. }]));
}

#[test]
fn a_flood_from_everywhere_leaves_a_quarter_to_trusted_addresses_who_are_told_503_past_it() {
    let config = Config { server_transactions: 1_000, ..Config::default() };
    let (mut endpoint, udp, tcp) = endpoint(config);
    let now = support::origin();
    for number in 0..20_000_u64 {
        let [.., a, b, c] = number.to_be_bytes();
        let source = SocketAddr::from(([10, a, b, c], 5060));
        receive(&mut endpoint, now, udp, source, arriving("INVITE", number, "10.0.0.1", &format!("z9hG4bK{number}")));
        assert!(drain(&mut endpoint).1.is_empty());
    }
    assert_eq!(endpoint.snapshot().server_transactions, 750);
    endpoint.trust(alice().ip());
    for number in 0..250 {
        let invite = arriving("INVITE", number, "192.0.2.1", &format!("z9hG4bKtrusted{number}"));
        receive(&mut endpoint, now, udp, alice(), invite);
        assert!(matches!(drain(&mut endpoint).0[..], [Event::Request { .. }]));
    }
    receive(&mut endpoint, now, udp, alice(), arriving("INVITE", 1, "192.0.2.1", "z9hG4bKknown"));
    let (events, duties) = drain(&mut endpoint);
    assert!(events.is_empty());
    let answer = support::parse_response(&payloads(&duties)[0]);
    assert_eq!(answer.status().as_u16(), 503);
    assert_eq!(answer.headers().get(&HeaderName::RETRY_AFTER).unwrap(), "5");
    // Whoever opened a connection is where he seems to be.
    let connection = endpoint.accept(now, tcp, support::bob(), "198.51.100.7:40000".parse().unwrap()).unwrap();
    let payload = arriving("INVITE", 2, "198.51.100.7", "z9hG4bKtcp");
    endpoint.handle_input(now, Input::Received { connection, payload });
    let answers = payloads(&drain(&mut endpoint).1);
    assert_eq!(support::parse_response(&answers[0]).status().as_u16(), 503);
    let counters = endpoint.snapshot().counters;
    assert_eq!((counters.shed_answered, counters.shed_dropped), (2, 19_250));
    // The CANCEL of a call that is in the table has its place.
    receive(&mut endpoint, now, udp, alice(), arriving("CANCEL", 7, "192.0.2.1", "z9hG4bKtrusted7"));
    assert!(matches!(drain(&mut endpoint).0[..], [Event::Cancelled { .. }]));
}

#[test]
fn after_a_flood_every_table_is_empty_again() {
    let (mut endpoint, udp, _) = endpoint(Config::default());
    let now = support::origin();
    for number in 0..2_000 {
        let method = ["INVITE", "OPTIONS", "REGISTER", "BYE"][number as usize % 4];
        receive(&mut endpoint, now, udp, alice(), arriving(method, number, "192.0.2.1", &format!("z9hG4bK{number}")));
        for event in drain(&mut endpoint).0 {
            let Event::Request { id, request, .. } = event else { continue };
            // A quarter is accepted, a quarter rejected, a quarter challenged, a quarter forgotten by the user.
            match number / 4 % 4 {
                0 => endpoint.respond(now, id, response(&request, 200)).unwrap(),
                1 => endpoint.respond(now, id, response(&request, 486)).unwrap(),
                2 => endpoint.respond(now, id, response(&request, 401)).unwrap(),
                _ => {}
            }
        }
        let _ = drain(&mut endpoint);
    }
    run(&mut endpoint, now, Duration::from_secs(100));
    let snapshot = endpoint.snapshot();
    // An INVITE that its user never answers is the user's to end.
    assert_eq!((snapshot.server_transactions, snapshot.unanswered), (125, 125), "{snapshot:?}");
    assert_eq!(snapshot.timers, 0);
}

#[test]
fn a_stranger_gets_at_most_three_bytes_for_each_of_his_and_nothing_again_unless_he_asks_again() {
    let (mut endpoint, udp, _) = endpoint(Config::default());
    let now = support::origin();
    let invite = arriving("INVITE", 1, "192.0.2.1", "z9hG4bKone");
    receive(&mut endpoint, now, udp, alice(), invite.clone());
    let (events, _) = drain(&mut endpoint);
    let [Event::Request { id, request, .. }] = &events[..] else { panic!("{events:?}") };
    // The 100 that would be due waits until he asks again.
    assert!(run(&mut endpoint, now, MS(400)).is_empty());
    let later = now + MS(450);
    endpoint.respond(later, *id, response(request, 401)).unwrap();
    let answer = payloads(&drain(&mut endpoint).1);
    assert_eq!(answer.len(), 1);
    // One datagram for one datagram, and none by timer.
    assert!(run(&mut endpoint, later, Duration::from_secs(20)).is_empty());
    receive(&mut endpoint, later + Duration::from_secs(20), udp, alice(), invite.clone());
    assert_eq!(payloads(&drain(&mut endpoint).1), answer);
    let mut sent = answer[0].len() * 2;
    for _ in 0..50 {
        receive(&mut endpoint, later + Duration::from_secs(21), udp, alice(), invite.clone());
        sent += payloads(&drain(&mut endpoint).1).iter().map(Bytes::len).sum::<usize>();
    }
    assert!(sent <= 3 * invite.len() * 52);
}

#[test]
fn an_answer_that_is_too_long_for_a_stranger_waits_until_he_has_asked_again() {
    let (mut endpoint, udp, _) = endpoint(Config::default());
    let now = support::origin();
    let register = arriving("REGISTER", 1, "192.0.2.1", "z9hG4bKone");
    receive(&mut endpoint, now, udp, alice(), register.clone());
    let (events, _) = drain(&mut endpoint);
    let [Event::Request { id, request, .. }] = &events[..] else { panic!("{events:?}") };
    let challenge = format!("Digest realm=\"{}\"", "x".repeat(register.len() * 3));
    let long = sip_core::Response::to(request, support::status(401))
        .to_tag(b"bob")
        .raw(&HeaderName::WWW_AUTHENTICATE, challenge)
        .build();
    endpoint.respond(now, *id, long.clone()).unwrap();
    assert!(drain(&mut endpoint).1.is_empty());
    assert_eq!(endpoint.snapshot().counters.amplification_prevented, 1);
    receive(&mut endpoint, now + MS(500), udp, alice(), register);
    assert_eq!(payloads(&drain(&mut endpoint).1), [long.to_bytes()]);
    run(&mut endpoint, now, Duration::from_secs(100));
    assert!(endpoint.snapshot().is_idle());
}

#[test]
fn a_stranger_whose_call_is_taken_up_is_treated_as_anybody() {
    let (mut endpoint, udp, _) = endpoint(Config::default());
    let now = support::origin();
    receive(&mut endpoint, now, udp, alice(), arriving("INVITE", 1, "192.0.2.1", "z9hG4bKone"));
    let (events, _) = drain(&mut endpoint);
    let [Event::Request { id, request, .. }] = &events[..] else { panic!("{events:?}") };
    endpoint.respond(now, *id, response(request, 180)).unwrap();
    endpoint.respond(now, *id, response(request, 486)).unwrap();
    let _ = drain(&mut endpoint);
    assert_eq!(run(&mut endpoint, now, MS(3_500)).len(), 3, "the rejection is repeated by timer G");
}

#[test]
fn a_broken_request_of_a_stranger_draws_one_short_answer_and_leaves_no_state() {
    let (mut endpoint, udp, _) = endpoint(Config::default());
    let now = support::origin();
    let good = String::from_utf8(arriving("INVITE", 1, "192.0.2.1", "z9hG4bKone").to_vec()).unwrap();
    for (broken, status) in [
        (good.replace("SIP/2.0\r\nVia", "SIP/3.0\r\nVia"), 505),
        (good.replace("CSeq: 1 INVITE", "CSeq: one INVITE"), 400),
        (good.replace("CSeq: 1 INVITE", "CSeq: 1 BYE"), 400),
        (good.replace("Content-Length: 0", "Content-Length: nought"), 400),
        (good.replace("Content-Length: 0", "Content-Length: 100"), 400),
        (good.replace("From: <sip:alice@192.0.2.1>;tag=a1", "From: <sip:alice@"), 400),
    ] {
        receive(&mut endpoint, now, udp, alice(), broken.clone().into());
        let (events, duties) = drain(&mut endpoint);
        assert!(events.is_empty(), "{broken}: {events:?}");
        let answers = payloads(&duties);
        assert_eq!(answers.len(), 1, "{broken}");
        assert_eq!(support::parse_response(&answers[0]).status().as_u16(), status, "{broken}");
        assert!(answers[0].len() <= broken.len() * 3);
    }
    assert!(endpoint.snapshot().is_idle());
    assert_eq!(endpoint.snapshot().counters.malformed, 6);
    assert_eq!(endpoint.snapshot().counters.malformed_answered, 6);
}

#[test]
fn what_must_not_be_answered_is_not_answered() {
    let (mut endpoint, udp, _) = endpoint(Config::default());
    let now = support::origin();
    let ack = String::from_utf8(arriving("ACK", 1, "192.0.2.1", "z9hG4bKone").to_vec()).unwrap();
    let response = "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 192.0.2.2;branch=z9hG4bKx\r\nCSeq: x\r\n\r\n";
    for silent in [
        ack.replace("CSeq: 1 ACK", "CSeq: one ACK"),
        ack.replace("SIP/2.0\r\nVia", "SIP/3.0\r\nVia"),
        response.to_owned(),
        "\r\n\r\n".to_owned(),
        "\0\0\0\0".to_owned(),
        String::new(),
        "GET / HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(),
        "INVITE sip:x SIP/2.0\r\n\r\n".to_owned(),
        "x".repeat(65_000),
    ] {
        receive(&mut endpoint, now, udp, alice(), silent.clone().into());
        let (events, duties) = drain(&mut endpoint);
        assert!(events.is_empty() && duties.is_empty(), "{silent:.80}: {events:?} {duties:?}");
    }
    assert!(endpoint.snapshot().is_idle());
}

#[test]
fn a_client_of_rfc_2543_is_matched_without_a_branch() {
    let (mut endpoint, udp, _) = endpoint(Config::default());
    let now = support::origin();
    let old = |method: &str, to: &str| {
        let text = String::from_utf8(arriving(method, 1, "192.0.2.1", "1").to_vec()).unwrap();
        Bytes::from(text.replace(";branch=1", "").replace("To: <sip:bob@192.0.2.2>", to))
    };
    let to = "To: <sip:bob@192.0.2.2>";
    receive(&mut endpoint, now, udp, alice(), old("INVITE", to));
    let (events, _) = drain(&mut endpoint);
    let [Event::Request { id, request, .. }] = &events[..] else { panic!("{events:?}") };
    receive(&mut endpoint, now, udp, alice(), old("INVITE", to));
    assert!(drain(&mut endpoint).0.is_empty(), "the same request again");
    receive(&mut endpoint, now, udp, alice(), old("CANCEL", to));
    assert!(matches!(drain(&mut endpoint).0[..], [Event::Cancelled { .. }]));
    endpoint.respond(now, *id, response(request, 487)).unwrap();
    let _ = drain(&mut endpoint);
    receive(&mut endpoint, now, udp, alice(), old("ACK", "To: <sip:bob@192.0.2.2>;tag=bob"));
    assert!(matches!(drain(&mut endpoint).0[..], [Event::ServerEnded { .. }]));
}

#[test]
fn an_ack_to_a_2xx_goes_to_the_user_and_one_to_a_rejection_does_not() {
    for (status, is_told) in [(200, true), (486, false)] {
        let (mut endpoint, udp, _) = endpoint(Config::default());
        let now = support::origin();
        receive(&mut endpoint, now, udp, alice(), arriving("INVITE", 1, "192.0.2.1", "z9hG4bKone"));
        let (events, _) = drain(&mut endpoint);
        let [Event::Request { id, request, .. }] = &events[..] else { panic!("{events:?}") };
        endpoint.respond(now, *id, response(request, status)).unwrap();
        let _ = drain(&mut endpoint);
        // Some give the ACK to a 2xx the branch of its INVITE.
        receive(&mut endpoint, now, udp, alice(), arriving("ACK", 1, "192.0.2.1", "z9hG4bKone"));
        let (events, duties) = drain(&mut endpoint);
        assert_eq!(events.iter().any(|event| matches!(event, Event::Ack { .. })), is_told, "{status}: {events:?}");
        assert!(duties.is_empty(), "nothing answers an ACK");
        assert!(endpoint.respond(now, *id, response(request, 500)).is_err());
    }
}
