//! CANCEL (RFC 3261 §9): answered by the endpoint, told to the user, and never by whoever likes.

mod support;

use std::net::SocketAddr;

use bytes::Bytes;
use netsim::{Conditions, Simulation};
use sip_core::header::{HeaderName, Via};
use sip_core::{Limits, Message};
use sip_transaction::{CancelError, Config, Endpoint, Event, Failure, Input, ListenerId, Output, ServerId, Target};
use support::{MS, Nobody, Peer, alice, arriving, bob, drain, endpoint, payloads, request, response};

/// An endpoint that rings for an INVITE of Alice's.
fn ringing() -> (Endpoint, ListenerId, ServerId, std::time::Instant) {
    let (mut endpoint, udp, _) = endpoint(Config::default());
    let now = support::origin();
    receive(&mut endpoint, now, udp, alice(), arriving("INVITE", 1, "192.0.2.1", "z9hG4bKcall"));
    let (events, _) = drain(&mut endpoint);
    let [Event::Request { id, request, .. }] = &events[..] else { panic!("{events:?}") };
    endpoint.respond(now, *id, response(request, 180)).unwrap();
    let _ = drain(&mut endpoint);
    (endpoint, udp, *id, now)
}

fn receive(endpoint: &mut Endpoint, now: std::time::Instant, listener: ListenerId, source: SocketAddr, payload: Bytes) {
    endpoint.handle_input(now, Input::Datagram { listener, source, payload, received: None });
}

fn cancel() -> Bytes {
    arriving("CANCEL", 1, "192.0.2.1", "z9hG4bKcall")
}

fn status_of(payload: &[u8]) -> u16 {
    support::parse_response(payload).status().as_u16()
}

#[test]
fn a_retransmitted_cancel_gets_its_200_again_and_is_told_once() {
    let (mut endpoint, udp, id, now) = ringing();
    receive(&mut endpoint, now, udp, alice(), cancel());
    let (events, duties) = drain(&mut endpoint);
    assert!(matches!(&events[..], [Event::Cancelled { invite, .. }] if *invite == id));
    let first = payloads(&duties);
    assert_eq!(first.iter().map(|payload| status_of(payload)).collect::<Vec<_>>(), [200]);
    for _ in 0..3 {
        receive(&mut endpoint, now, udp, alice(), cancel());
        let (events, duties) = drain(&mut endpoint);
        assert!(events.is_empty(), "{events:?}");
        assert_eq!(payloads(&duties), first);
    }
}

#[test]
fn the_answer_to_a_cancel_has_the_tag_of_the_answers_to_its_invite() {
    let (mut endpoint, udp, _, now) = ringing();
    receive(&mut endpoint, now, udp, alice(), cancel());
    let answer = support::parse_response(&payloads(&drain(&mut endpoint).1)[0]);
    assert_eq!(answer.mandatory().unwrap().to.tag(), Some(&b"bob"[..]));
}

#[test]
fn a_cancel_that_crosses_the_200_is_answered_and_changes_nothing() {
    let (mut endpoint, udp, id, now) = ringing();
    let invite = support::parse_request(&arriving("INVITE", 1, "192.0.2.1", "z9hG4bKcall"));
    endpoint.respond(now, id, response(&invite, 200)).unwrap();
    let _ = drain(&mut endpoint);
    receive(&mut endpoint, now, udp, alice(), cancel());
    let (events, duties) = drain(&mut endpoint);
    assert!(events.is_empty(), "{events:?}");
    assert_eq!(status_of(&payloads(&duties)[0]), 200);
    // The 200 to the INVITE may still be repeated.
    endpoint.respond(now, id, response(&invite, 200)).unwrap();
}

#[test]
fn a_cancel_that_matches_nothing_draws_a_481() {
    let (mut endpoint, udp, _) = endpoint(Config::default());
    receive(&mut endpoint, support::origin(), udp, alice(), cancel());
    let (events, duties) = drain(&mut endpoint);
    assert!(events.is_empty());
    assert_eq!(status_of(&payloads(&duties)[0]), 481);
    assert_eq!(endpoint.snapshot().counters.stray_cancels, 1);
    assert!(endpoint.snapshot().is_idle());
}

#[test]
fn a_forged_cancel_from_another_address_or_for_another_call_cancels_nothing() {
    let (mut endpoint, udp, _, now) = ringing();
    let mallory: SocketAddr = "198.51.100.66:5060".parse().unwrap();
    receive(&mut endpoint, now, udp, mallory, cancel());
    // From Alice's address, with her branch, but not knowing the Call-ID.
    receive(&mut endpoint, now, udp, alice(), arriving("CANCEL", 2, "192.0.2.1", "z9hG4bKcall"));
    // With another sent-by, or another branch.
    receive(&mut endpoint, now, udp, alice(), arriving("CANCEL", 1, "192.0.2.66", "z9hG4bKcall"));
    receive(&mut endpoint, now, udp, alice(), arriving("CANCEL", 1, "192.0.2.1", "z9hG4bKCALL"));
    let (events, duties) = drain(&mut endpoint);
    assert!(events.is_empty(), "{events:?}");
    assert_eq!(payloads(&duties).iter().map(|payload| status_of(payload)).collect::<Vec<_>>(), [481; 4]);
    assert_eq!(endpoint.snapshot().counters.stray_cancels, 4);
    // The true one still works.
    receive(&mut endpoint, now, udp, alice(), cancel());
    assert!(matches!(drain(&mut endpoint).0[..], [Event::Cancelled { .. }]));
}

#[test]
fn a_cancel_waits_for_a_provisional_response_and_repeats_what_names_the_invite() {
    let mut simulation = Simulation::new(1, Conditions { delay: MS(10), ..Conditions::PERFECT });
    simulation.network.is_recording = true;
    let start = simulation.now();
    let mut alice = Peer::new(alice(), Config::default(), Nobody);
    let mut bob = Peer::new(bob(), Config::default(), |endpoint: &mut Endpoint, now, event: &Event| match event {
        Event::Request { id, request, .. } => endpoint.respond(now, *id, response(request, 180)).unwrap(),
        Event::Cancelled { invite, .. } => {
            endpoint
                .respond(now, *invite, response(&request("INVITE", 1), 487))
                .unwrap_or_else(|error| panic!("{error}"));
        }
        _ => {}
    });
    let lines = "Route: <sip:192.0.2.2;lr>\r\nRequire: 100rel\r\nSubject: x\r\n";
    let invite = support::request_with("INVITE", 1, lines, b"body");
    let id = alice.endpoint.send_request(start, invite, Target::udp(support::bob())).unwrap();
    alice.endpoint.cancel(start, id).unwrap();
    alice.endpoint.cancel(start, id).unwrap();
    simulation.run_for(&mut [&mut alice, &mut bob], MS(100));
    let sent = |method: &[u8]| {
        let found: Vec<_> =
            simulation.network.sent().iter().filter(|sent| sent.payload.starts_with(method)).cloned().collect();
        assert_eq!(found.len(), 1, "{found:?}");
        (found[0].at - start, support::parse_request(&found[0].payload))
    };
    let (_, invite) = sent(b"INVITE");
    let (at, cancel) = sent(b"CANCEL");
    assert_eq!(at, MS(20), "when the 180 came");
    for name in [HeaderName::VIA, HeaderName::FROM, HeaderName::TO, HeaderName::CALL_ID, HeaderName::ROUTE] {
        assert_eq!(cancel.headers().get(&name), invite.headers().get(&name), "{name:?}");
    }
    assert_eq!(cancel.uri_bytes(), invite.uri_bytes());
    assert_eq!(cancel.headers().get(&HeaderName::CSEQ).unwrap(), "1 CANCEL");
    assert!(!cancel.headers().contains(&HeaderName::REQUIRE));
    assert!(cancel.body().is_empty());
}

#[test]
fn a_cancelled_invite_without_final_response_ends_after_32_seconds() {
    let mut simulation = Simulation::new(1, Conditions::PERFECT);
    let start = simulation.now();
    let mut alice = Peer::new(alice(), Config::default(), Nobody);
    // Rings, answers the CANCEL, and forgets the INVITE.
    let mut bob = Peer::new(bob(), Config::default(), |endpoint: &mut Endpoint, now, event: &Event| {
        if let Event::Request { id, request, .. } = event {
            endpoint.respond(now, *id, response(request, 180)).unwrap();
        }
    });
    let id = alice.endpoint.send_request(start, request("INVITE", 1), Target::udp(support::bob())).unwrap();
    simulation.run_for(&mut [&mut alice, &mut bob], MS(1_000));
    alice.endpoint.cancel(simulation.now(), id).unwrap();
    simulation.run_for(&mut [&mut alice, &mut bob], MS(31_999));
    assert_eq!(alice.statuses(), [180], "the answer to the CANCEL is not told");
    simulation.run_for(&mut [&mut alice, &mut bob], MS(1));
    assert!(matches!(alice.events.last(), Some(Event::ClientFailed { reason: Failure::Timeout, .. })));
    assert!(alice.endpoint.snapshot().is_idle());
    assert_eq!(alice.endpoint.cancel(simulation.now(), id), Err(CancelError::Unknown));
}

#[test]
fn only_an_invite_without_final_response_can_be_cancelled() {
    let (mut endpoint, udp, _) = endpoint(Config::default());
    let now = support::origin();
    let options = endpoint.send_request(now, request("OPTIONS", 1), Target::udp(alice())).unwrap();
    assert_eq!(endpoint.cancel(now, options), Err(CancelError::NotInvite));
    let invite = endpoint.send_request(now, request("INVITE", 2), Target::udp(alice())).unwrap();
    let (_, duties) = drain(&mut endpoint);
    let sent = support::parse_request(&payloads(&duties)[1]);
    receive(&mut endpoint, now, udp, alice(), response(&sent, 486).to_bytes());
    assert_eq!(endpoint.cancel(now, invite), Err(CancelError::Answered));
}

#[test]
fn the_ack_to_a_rejection_repeats_the_branch_and_takes_the_tag_of_the_rejection() {
    let (mut endpoint, udp, _) = endpoint(Config::default());
    let now = support::origin();
    endpoint.send_request(now, request("INVITE", 1), Target::udp(alice())).unwrap();
    let invite = support::parse_request(&payloads(&drain(&mut endpoint).1)[0]);
    let rejection = response(&invite, 486).to_bytes();
    let mut acks = Vec::new();
    for _ in 0..3 {
        receive(&mut endpoint, now, udp, alice(), rejection.clone());
        let (_, duties) = drain(&mut endpoint);
        assert!(matches!(duties[..], [Output::Datagram { .. }]));
        acks.extend(payloads(&duties));
    }
    assert_eq!(endpoint.snapshot().counters.responses, 1, "told once");
    assert!(acks.iter().all(|ack| ack == &acks[0]), "the same each time");
    let Ok(Message::Request(ack)) = Message::parse(acks[0].clone(), &Limits::default()) else { panic!() };
    let branch = |request: &sip_core::Request| request.headers().require::<Via>().unwrap().branch().map(<[u8]>::to_vec);
    assert_eq!(branch(&ack), branch(&invite));
    assert_eq!(ack.mandatory().unwrap().to.tag(), Some(&b"bob"[..]));
    assert_eq!(ack.mandatory().unwrap().cseq.sequence, 1);
}

#[test]
fn the_ack_to_a_2xx_has_a_branch_of_its_own_which_is_the_same_each_time() {
    let (mut endpoint, ..) = endpoint(Config::default());
    let now = support::origin();
    endpoint.send_request(now, request("INVITE", 1), Target::udp(alice())).unwrap();
    let invite = support::parse_request(&payloads(&drain(&mut endpoint).1)[0]);
    for _ in 0..2 {
        endpoint.send_ack(now, support::ack(1), Target::udp(alice())).unwrap();
    }
    let acks = payloads(&drain(&mut endpoint).1);
    assert_eq!(acks.len(), 2);
    assert_eq!(acks[0], acks[1]);
    let branch =
        |bytes: &[u8]| support::parse_request(bytes).headers().require::<Via>().unwrap().branch().map(<[u8]>::to_vec);
    assert_ne!(branch(&acks[0]), branch(&invite.to_bytes()));
}
