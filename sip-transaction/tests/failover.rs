//! The next server when one fails (RFC 3263 §4.3), and requests whose servers must be located first.

mod support;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use sip_core::Request;
use sip_core::header::Via;
use sip_core::uri::Uri;
use sip_transaction::resolve::{Answer, Record};
use sip_transaction::{
    CloseReason, Config, Destination, Endpoint, Event, Failure, Input, ListenerId, Output, SendError, Target,
};
use support::{MS, alice, drain, endpoint, payloads, request, response};

fn second() -> SocketAddr {
    "192.0.2.9:5060".parse().unwrap()
}

fn both() -> Destination {
    Destination::any_of([Target::udp(alice()), Target::udp(second())])
}

/// Where the only datagram went, and what it says.
fn sent(endpoint: &mut Endpoint) -> (SocketAddr, Request) {
    let (_, duties) = drain(endpoint);
    let [Output::Datagram { destination, payload, .. }] = &duties[..] else { panic!("{duties:?}") };
    (*destination, support::parse_request(payload))
}

fn branch(request: &Request) -> Bytes {
    Bytes::copy_from_slice(request.headers().require::<Via>().unwrap().branch().unwrap())
}

fn answer(endpoint: &mut Endpoint, now: Instant, listener: ListenerId, from: SocketAddr, to: &Request, code: u16) {
    let payload = response(to, code).to_bytes();
    endpoint.handle_input(now, Input::Datagram { listener, source: from, payload, received: None });
}

#[test]
fn a_503_sends_every_kind_of_request_to_the_next_server_with_a_new_branch() {
    for method in ["INVITE", "REGISTER", "OPTIONS", "MESSAGE", "SUBSCRIBE"] {
        let (mut endpoint, udp, _) = endpoint(Config::default());
        let now = support::origin();
        let id = endpoint.send_request(now, request(method, 1), both()).unwrap();
        let (to, first) = sent(&mut endpoint);
        assert_eq!(to, alice());
        answer(&mut endpoint, now, udp, alice(), &first, 503);
        let (events, duties) = drain(&mut endpoint);
        assert!(events.is_empty(), "{method}: {events:?}");
        let mut again = None;
        let mut acks = 0;
        for duty in &duties {
            let Output::Datagram { destination, payload, .. } = duty else { panic!("{duty:?}") };
            if payload.starts_with(b"ACK ") {
                assert_eq!((*destination, branch(&support::parse_request(payload))), (alice(), branch(&first)));
                acks += 1;
            } else {
                assert_eq!(*destination, second());
                again = Some(support::parse_request(payload));
            }
        }
        assert_eq!(acks, usize::from(method == "INVITE"));
        let again = again.expect(method);
        assert_ne!(branch(&again), branch(&first));
        // The 503 comes again: acknowledged again, and told to nobody.
        answer(&mut endpoint, now, udp, alice(), &first, 503);
        let (events, duties) = drain(&mut endpoint);
        assert!(events.is_empty());
        assert_eq!(payloads(&duties).len(), acks);
        answer(&mut endpoint, now, udp, second(), &again, 200);
        assert!(matches!(drain(&mut endpoint).0[..], [Event::Response { id: told, .. }] if told == id));
        assert_eq!(endpoint.snapshot().counters.failovers, 1);
        endpoint.handle_timeout(now + Duration::from_secs(40));
        assert!(matches!(drain(&mut endpoint).0[..], [Event::ClientEnded { id: told }] if told == id));
        assert!(endpoint.snapshot().is_idle());
    }
}

#[test]
fn the_last_servers_503_is_told() {
    let (mut endpoint, udp, _) = endpoint(Config::default());
    let now = support::origin();
    endpoint.send_request(now, request("OPTIONS", 1), both()).unwrap();
    let (_, first) = sent(&mut endpoint);
    answer(&mut endpoint, now, udp, alice(), &first, 503);
    let (_, next) = sent(&mut endpoint);
    answer(&mut endpoint, now, udp, second(), &next, 503);
    let (events, _) = drain(&mut endpoint);
    assert!(matches!(&events[..], [Event::Response { response, .. }] if response.status().as_u16() == 503));
}

#[test]
fn a_silent_server_is_followed_by_the_next_after_timer_f_or_sooner_and_comes_last_for_a_while() {
    for (config, silence) in [
        (Config::default(), MS(32_000)),
        (Config { next_target_after: Some(MS(2_000)), ..Config::default() }, MS(2_000)),
    ] {
        let (mut endpoint, udp, _) = endpoint(config);
        let now = support::origin();
        let id = endpoint.send_request(now, request("OPTIONS", 1), both()).unwrap();
        let _ = drain(&mut endpoint);
        endpoint.handle_timeout(now + silence - MS(10));
        assert!(
            drain(&mut endpoint)
                .1
                .iter()
                .all(|duty| matches!(duty, Output::Datagram { destination, .. } if *destination == alice()))
        );
        let now = now + silence + MS(1);
        endpoint.handle_timeout(now);
        let (events, duties) = drain(&mut endpoint);
        assert!(events.is_empty());
        let next = duties.iter().find_map(|duty| match duty {
            Output::Datagram { destination, payload, .. } if *destination == second() => Some(payload.clone()),
            _ => None,
        });
        let next = support::parse_request(&next.expect("not sent to the next"));
        answer(&mut endpoint, now, udp, second(), &next, 200);
        assert!(matches!(drain(&mut endpoint).0[..], [Event::Response { id: told, .. }] if told == id));
        endpoint.send_request(now, request("OPTIONS", 2), both()).unwrap();
        assert_eq!(sent(&mut endpoint).0, second());
    }
}

#[test]
fn a_server_that_rings_is_waited_for_and_who_cancels_wants_no_other() {
    let (mut endpoint, udp, _) = endpoint(Config { next_target_after: Some(MS(2_000)), ..Config::default() });
    let now = support::origin();
    let id = endpoint.send_request(now, request("INVITE", 1), both()).unwrap();
    let (_, invite) = sent(&mut endpoint);
    answer(&mut endpoint, now, udp, alice(), &invite, 180);
    let _ = drain(&mut endpoint);
    endpoint.handle_timeout(now + MS(60_000));
    assert!(drain(&mut endpoint).1.is_empty());
    endpoint.cancel(now, id).unwrap();
    let _ = drain(&mut endpoint);
    answer(&mut endpoint, now, udp, alice(), &invite, 503);
    let (events, duties) = drain(&mut endpoint);
    assert!(matches!(&events[..], [Event::Response { .. }]));
    assert!(payloads(&duties).iter().all(|payload| payload.starts_with(b"ACK ")));
}

#[test]
fn a_connection_that_is_refused_sends_the_request_to_the_next_server() {
    let (mut endpoint, ..) = endpoint(Config::default());
    let now = support::origin();
    let destination = Destination::any_of([Target::tcp(alice()), Target::tcp(second())]);
    endpoint.send_request(now, request("INVITE", 1), destination).unwrap();
    let (_, duties) = drain(&mut endpoint);
    let [Output::Connect { connection, .. }] = duties[..] else { panic!("{duties:?}") };
    endpoint.handle_input(now, Input::Closed { connection, reason: CloseReason::Unreachable });
    let (events, duties) = drain(&mut endpoint);
    assert!(matches!(events[..], [Event::ConnectionClosed { .. }]));
    assert!(matches!(duties[..], [Output::Connect { destination, .. }] if destination == second()));
}

#[test]
fn a_request_to_a_uri_is_sent_when_its_servers_are_located() {
    let (mut endpoint, udp, _) = endpoint(Config::default());
    let now = support::origin();
    let uri: Uri = "sip:bob@example.com:5060".parse().unwrap();
    let id = endpoint.send_request(now, request("INVITE", 1), Destination::locate(&uri).unwrap()).unwrap();
    let (_, duties) = drain(&mut endpoint);
    let [Output::Query { query, .. }, Output::Query { query: other, .. }] = duties[..] else { panic!("{duties:?}") };
    let records = vec![Record::Address(alice().ip())];
    endpoint.handle_input(now, Input::Answer { query, answer: Answer::Found { records, ttl: MS(60_000) } });
    endpoint.handle_input(now, Input::Answer { query: other, answer: Answer::NotFound { ttl: MS(60_000) } });
    let (to, invite) = sent(&mut endpoint);
    assert_eq!(to, alice());
    answer(&mut endpoint, now, udp, alice(), &invite, 486);
    assert!(matches!(drain(&mut endpoint).0[..], [Event::Response { id: told, .. }] if told == id));
    // The ACK to a 2xx may be for a URI too; what is known is not asked again.
    endpoint.send_ack(now, support::ack(1), Destination::locate(&uri).unwrap()).unwrap();
    assert_eq!(sent(&mut endpoint).0, alice());
}

#[test]
fn a_uri_without_servers_fails_and_one_that_is_cancelled_before_it_is_sent_ends_at_once() {
    let (mut endpoint, ..) = endpoint(Config::default());
    let now = support::origin();
    let uri: Uri = "sip:bob@nowhere.example:5060".parse().unwrap();
    let destination = Destination::locate(&uri).unwrap();
    let cancelled = endpoint.send_request(now, request("INVITE", 1), destination.clone()).unwrap();
    let failed = endpoint.send_request(now, request("REGISTER", 2), destination.clone()).unwrap();
    let _ = drain(&mut endpoint);
    endpoint.cancel(now, cancelled).unwrap();
    assert!(matches!(
        drain(&mut endpoint).0[..],
        [Event::ClientFailed { id, reason: Failure::Cancelled }] if id == cancelled
    ));
    // Nobody answers the questions.
    endpoint.handle_timeout(now + MS(6_000));
    assert!(matches!(
        drain(&mut endpoint).0[..],
        [Event::ClientFailed { id, reason: Failure::Unlocated }] if id == failed
    ));
    assert_eq!(endpoint.send_request(now, request("OPTIONS", 3), destination), Err(SendError::NoTarget));
    let snapshot = endpoint.snapshot();
    assert!(snapshot.is_idle() && snapshot.lookups == 0);
}
