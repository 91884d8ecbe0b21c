//! Where messages go: received and rport, response routing, and the 1,300 bytes of RFC 3261 §18.1.1.

mod support;

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use netsim::{Conditions, Simulation};
use sip_core::header::Via;
use sip_transaction::{
    CloseReason, Config, Endpoint, Event, Input, ListenerConfig, Output, SendError, Target, Transport,
};
use support::{
    Callee, MS, Nobody, Peer, alice, arriving, bob, drain, endpoint, payloads, request, request_with, response,
};

/// The Via that the user sees and where the response goes, for a request with this Via from this address.
fn route(via: &str, source: &str) -> (String, SocketAddr) {
    let (mut endpoint, udp, _) = endpoint(Config::default());
    let now = support::origin();
    let text = String::from_utf8(arriving("OPTIONS", 1, "x", "y").to_vec()).unwrap();
    let payload = Bytes::from(text.replace("SIP/2.0/UDP x;branch=y", via));
    endpoint
        .handle_input(now, Input::Datagram { listener: udp, source: source.parse().unwrap(), payload, received: None });
    let (events, _) = drain(&mut endpoint);
    let [Event::Request { id, request, .. }] = &events[..] else { panic!("{events:?}") };
    let seen = request.headers().get(&sip_core::header::HeaderName::VIA).unwrap();
    endpoint.respond(now, *id, response(request, 200)).unwrap();
    let (_, duties) = drain(&mut endpoint);
    let [Output::Datagram { destination, .. }] = duties[..] else { panic!("{duties:?}") };
    (String::from_utf8(seen.to_vec()).unwrap(), destination)
}

#[test]
fn responses_go_where_the_via_and_the_source_say() {
    for (via, source, seen, destination) in [
        // Nothing to note: the port of the sent-by, 5060 when there is none.
        ("192.0.2.1;branch=z9hG4bK1", "192.0.2.1:9999", "192.0.2.1;branch=z9hG4bK1", "192.0.2.1:5060"),
        ("192.0.2.1:5070;branch=z9hG4bK1", "192.0.2.1:9999", "192.0.2.1:5070;branch=z9hG4bK1", "192.0.2.1:5070"),
        // A name, or another address: received is noted, and the address that it came from counts.
        (
            "a.example;branch=z9hG4bK1",
            "192.0.2.1:9999",
            "a.example;branch=z9hG4bK1;received=192.0.2.1",
            "192.0.2.1:5060",
        ),
        (
            "10.0.0.1:5070;branch=z9hG4bK1",
            "192.0.2.1:9",
            "10.0.0.1:5070;branch=z9hG4bK1;received=192.0.2.1",
            "192.0.2.1:5070",
        ),
        // rport asks for the port that it came from.
        (
            "10.0.0.1;rport;branch=z9hG4bK1",
            "192.0.2.1:9",
            "10.0.0.1;rport=9;branch=z9hG4bK1;received=192.0.2.1",
            "192.0.2.1:9",
        ),
        (
            "192.0.2.1;rport;branch=z9hG4bK1",
            "192.0.2.1:9",
            "192.0.2.1;rport=9;branch=z9hG4bK1;received=192.0.2.1",
            "192.0.2.1:9",
        ),
        // Whoever writes received himself is not believed.
        (
            "192.0.2.1;branch=z9hG4bK1;received=203.0.113.1",
            "192.0.2.1:9",
            "192.0.2.1;branch=z9hG4bK1;received=192.0.2.1",
            "192.0.2.1:5060",
        ),
        // Nor is he followed who names somebody else.
        (
            "192.0.2.1;maddr=203.0.113.1;branch=z9hG4bK1",
            "192.0.2.1:9",
            "192.0.2.1;maddr=203.0.113.1;branch=z9hG4bK1",
            "192.0.2.1:5060",
        ),
    ] {
        let (got, went) = route(&format!("SIP/2.0/UDP {via}"), source);
        assert_eq!(
            (got.as_str(), went),
            (format!("SIP/2.0/UDP {seen}").as_str(), destination.parse().unwrap()),
            "{via}"
        );
    }
}

#[test]
fn ipv6_sources_are_noted_and_answered() {
    let (mut endpoint, _, _) = endpoint(Config::default());
    let local = "[2001:db8::2]:5060".parse().unwrap();
    let listener = endpoint.add_listener(ListenerConfig::new(Transport::Udp, local));
    let now = support::origin();
    let source: SocketAddr = "[2001:db8::1]:40000".parse().unwrap();
    let payload = arriving("OPTIONS", 1, "[2001:db8::99];rport", "z9hG4bK1");
    endpoint.handle_input(now, Input::Datagram { listener, source, payload, received: None });
    let (events, _) = drain(&mut endpoint);
    let [Event::Request { id, request, .. }] = &events[..] else { panic!("{events:?}") };
    let via = request.headers().require::<Via>().unwrap();
    assert_eq!((via.received(), via.rport()), (Some(source.ip()), Some(Some(40_000))));
    endpoint.respond(now, *id, response(request, 200)).unwrap();
    assert!(matches!(drain(&mut endpoint).1[..], [Output::Datagram { destination, .. }] if destination == source));
}

#[test]
fn our_via_has_the_advertised_address_of_its_listener() {
    let mut endpoint = Endpoint::new(Config::default(), [1; 32]);
    let mut inside = ListenerConfig::new(Transport::Udp, "10.0.0.1:5060".parse().unwrap());
    inside.advertised = "pbx.example:5070".parse().unwrap();
    let inside = endpoint.add_listener(inside);
    let outside = endpoint.add_listener(ListenerConfig::new(Transport::Udp, "[2001:db8::2]:5060".parse().unwrap()));
    let now = support::origin();
    let mut sent = |target| {
        endpoint.send_request(now, request("OPTIONS", 1), target).unwrap();
        let (_, duties) = drain(&mut endpoint);
        let [Output::Datagram { listener, payload, .. }] = &duties[..] else { panic!("{duties:?}") };
        let via = support::parse_request(payload).headers().require::<Via>().unwrap();
        assert_eq!(via.rport(), Some(None), "asks for rport");
        (*listener, via.sent_by.to_string())
    };
    assert_eq!(sent(Target::udp(alice())), (inside, "pbx.example:5070".to_owned()));
    let six = Target::udp("[2001:db8::1]:5060".parse().unwrap());
    assert_eq!(sent(six), (outside, "[2001:db8::2]:5060".to_owned()));
    assert_eq!(sent(Target::udp(alice()).from_listener(inside)).0, inside);
    let only_udp = Target::new(Transport::Udp, alice());
    let mut bare = Endpoint::new(Config::default(), [1; 32]);
    assert_eq!(bare.send_request(now, request("OPTIONS", 1), only_udp), Err(SendError::NoListener));
}

fn large(call: u64) -> sip_core::Request {
    request_with("MESSAGE", call, "", &[b'x'; 1_300])
}

#[test]
fn a_request_over_1300_bytes_goes_by_tcp_when_the_peer_has_it_and_the_next_small_one_by_datagram() {
    let mut simulation = Simulation::new(1, Conditions { delay: MS(5), ..Conditions::PERFECT });
    simulation.network.is_recording = true;
    let mut alice = Peer::new(alice(), Config::default(), Nobody);
    let mut bob = Peer::new(bob(), Config::default(), Callee::default());
    for (number, request) in [large(1), request("MESSAGE", 2), large(3)].into_iter().enumerate() {
        alice.endpoint.send_request(simulation.now(), request, Target::udp(support::bob())).unwrap();
        simulation.run_for(&mut [&mut alice, &mut bob], MS(1_000));
        assert_eq!(alice.statuses().len(), number + 1);
    }
    let came_by: Vec<_> = bob
        .events
        .iter()
        .filter_map(|event| match event {
            Event::Request { source, .. } => Some(source.transport),
            _ => None,
        })
        .collect();
    assert_eq!(came_by, [Transport::Tcp, Transport::Udp, Transport::Tcp]);
    assert_eq!(alice.endpoint.snapshot().counters.connections_opened, 1);
    assert!(simulation.network.sent().iter().all(|sent| sent.payload.len() <= 1_300));
}

#[test]
fn a_request_of_just_1300_bytes_goes_by_datagram() {
    let (mut endpoint, ..) = endpoint(Config::default());
    let now = support::origin();
    let length = |body: usize, endpoint: &mut Endpoint| {
        endpoint.send_request(now, request_with("MESSAGE", 1, "", &vec![b'x'; body]), Target::udp(alice())).unwrap();
        match &drain(endpoint).1[..] {
            [Output::Datagram { payload, .. }] => Some(payload.len()),
            [Output::Connect { .. }] | [] => None,
            other => panic!("{other:?}"),
        }
    };
    let overhead = length(1_000, &mut endpoint).unwrap() - 1_000;
    assert_eq!(length(1_300 - overhead - 1, &mut endpoint), Some(1_299));
    assert_eq!(length(1_300 - overhead, &mut endpoint), Some(1_300));
    assert_eq!(length(1_301 - overhead, &mut endpoint), None);
}

#[test]
fn a_large_request_is_sent_as_a_datagram_when_tcp_is_refused_and_the_next_one_at_once() {
    let mut simulation = Simulation::new(1, Conditions { delay: MS(5), ..Conditions::PERFECT });
    simulation.network.is_recording = true;
    let mut alice = Peer::new(alice(), Config::default(), Nobody);
    // Bob takes no connections.
    let config = Config { connections: 0, ..Config::default() };
    let mut bob = Peer::new(bob(), config, Callee::default());
    for number in 0..2 {
        alice.endpoint.send_request(simulation.now(), large(number), Target::udp(support::bob())).unwrap();
        simulation.run_for(&mut [&mut alice, &mut bob], MS(400));
        assert_eq!(alice.statuses().len(), number as usize + 1);
    }
    let datagrams = simulation.network.sent();
    assert_eq!(datagrams.iter().filter(|sent| sent.payload.starts_with(b"MESSAGE")).count(), 2);
    assert!(datagrams.iter().any(|sent| String::from_utf8_lossy(&sent.payload).contains("Via: SIP/2.0/UDP ")));
    let counters = alice.endpoint.snapshot().counters;
    assert_eq!((counters.fallbacks, counters.client_failures), (1, 0));
    assert!(simulation.run_until_quiet(&mut [&mut alice, &mut bob], Duration::from_secs(100)));
    assert!(alice.endpoint.snapshot().is_idle() && bob.endpoint.snapshot().is_idle());
}

#[test]
fn after_the_fallback_a_large_invite_is_retransmitted_like_any_other() {
    let (mut endpoint, udp, _) = endpoint(Config::default());
    let now = support::origin();
    let invite = request_with("INVITE", 1, "", &[b'x'; 1_400]);
    let id = endpoint.send_request(now, invite, Target::udp(alice())).unwrap();
    let (_, duties) = drain(&mut endpoint);
    let [Output::Connect { connection, .. }] = duties[..] else { panic!("{duties:?}") };
    endpoint.handle_input(now, Input::Closed { connection, reason: CloseReason::Unreachable });
    let first = payloads(&drain(&mut endpoint).1);
    assert_eq!(first.len(), 1);
    endpoint.handle_timeout(now + MS(500));
    assert_eq!(payloads(&drain(&mut endpoint).1), first);
    let answer = response(&support::parse_request(&first[0]), 200).to_bytes();
    endpoint.handle_input(
        now + MS(600),
        Input::Datagram { listener: udp, source: alice(), payload: answer, received: None },
    );
    assert!(matches!(drain(&mut endpoint).0[..], [Event::Response { id: answered, .. }] if answered == id));
}

#[test]
fn the_large_ack_to_a_2xx_finds_its_way_without_tcp_too_and_tcp_is_tried_again_after_a_while() {
    let (mut endpoint, ..) = endpoint(Config::default());
    let now = support::origin();
    let mut edit = support::ack(1).edit();
    edit.set_body(Some("application/sdp"), vec![b'x'; 1_400].into());
    let ack = edit.finish();
    endpoint.send_ack(now, ack.clone(), Target::udp(alice())).unwrap();
    let (_, duties) = drain(&mut endpoint);
    let [Output::Connect { connection, .. }] = duties[..] else { panic!("{duties:?}") };
    endpoint.handle_input(now, Input::Closed { connection, reason: CloseReason::Unreachable });
    let _ = drain(&mut endpoint);
    // The 2xx comes again, and so does the ACK.
    endpoint.send_ack(now + MS(500), ack.clone(), Target::udp(alice())).unwrap();
    assert!(matches!(drain(&mut endpoint).1[..], [Output::Datagram { .. }]));
    endpoint.send_ack(now + Duration::from_secs(700), ack, Target::udp(alice())).unwrap();
    assert!(matches!(drain(&mut endpoint).1[..], [Output::Connect { .. }]));
}

#[test]
fn large_requests_stay_datagrams_when_the_configuration_says_so() {
    let (mut endpoint, ..) = endpoint(Config { large_requests_by_tcp: false, ..Config::default() });
    endpoint.send_request(support::origin(), large(1), Target::udp(bob())).unwrap();
    assert!(matches!(drain(&mut endpoint).1[..], [Output::Datagram { .. }]));
}
