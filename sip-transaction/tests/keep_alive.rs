//! Keep-alives of flows (RFC 5626 §3.5, §4.4): STUN between datagrams, double CRLFs down connections, and those who
//! mean ill with either.

mod support;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use netsim::{Conditions, Simulation};
use sip_transaction::stun::{Attribute, BINDING, Class, ErrorCode, Message, TransactionId, is_stun};
use sip_transaction::{
    CloseReason, Config, Endpoint, Event, Flow, FlowFailure, Input, ListenerConfig, ListenerId, Output, Target,
    Transport,
};
use support::{MS, Nobody, Peer, alice, bob, drain, endpoint, payloads, request};

const SECOND: Duration = Duration::from_secs(1);

fn stranger(number: u32) -> SocketAddr {
    SocketAddr::from(((0x0A00_0000 + number).to_be_bytes(), 5060))
}

fn binding(number: u8) -> Message {
    Message::new(Class::Request, BINDING, TransactionId([number; 12]))
}

fn arrive(endpoint: &mut Endpoint, now: Instant, listener: ListenerId, source: SocketAddr, payload: Bytes) {
    endpoint.handle_input(now, Input::Datagram { listener, source, payload, received: None });
}

/// What is sent for a datagram that comes.
fn answers(endpoint: &mut Endpoint, now: Instant, udp: ListenerId, source: SocketAddr, payload: Bytes) -> Vec<Bytes> {
    arrive(endpoint, now, udp, source, payload);
    let (events, duties) = drain(endpoint);
    assert!(events.is_empty(), "{events:?}");
    assert!(duties.iter().all(|duty| matches!(duty, Output::Datagram { listener, destination, .. }
            if *listener == udp && *destination == source)));
    payloads(&duties)
}

/// Lets time pass. Returns when what was sent, and what was told.
fn pass(endpoint: &mut Endpoint, until: Instant) -> (Vec<(Instant, Output)>, Vec<Event>) {
    let (mut sent, mut told) = (Vec::new(), Vec::new());
    while let Some(at) = endpoint.poll_timeout().filter(|at| *at <= until) {
        endpoint.handle_timeout(at);
        let (events, duties) = drain(endpoint);
        sent.extend(duties.into_iter().map(|duty| (at, duty)));
        told.extend(events);
    }
    (sent, told)
}

/// The binding requests of these duties.
fn requests(duties: &[Output]) -> Vec<Message> {
    payloads(duties).iter().filter_map(|payload| Message::parse(payload).ok()).collect()
}

/// Lets time pass until a binding request is sent. Returns when, and the request.
fn next_request(endpoint: &mut Endpoint) -> (Instant, Vec<Message>) {
    loop {
        let at = endpoint.poll_timeout().expect("nothing more will happen");
        endpoint.handle_timeout(at);
        let asked = requests(&drain(endpoint).1);
        if !asked.is_empty() {
            return (at, asked);
        }
    }
}

/// A flow of datagrams to alice.
fn flow(listener: ListenerId) -> Flow {
    Flow::Datagram { listener, remote: alice() }
}

/// Answers the binding request that is waited for.
fn see_at(endpoint: &mut Endpoint, now: Instant, udp: ListenerId, asked: &Message, mapped: &str) -> Vec<Event> {
    let answer = asked.answer().with(Attribute::XorMappedAddress(mapped.parse().unwrap()));
    arrive(endpoint, now, udp, alice(), answer.to_bytes());
    let (events, duties) = drain(endpoint);
    assert!(duties.is_empty());
    events
}

#[test]
fn a_binding_request_is_answered_with_the_address_that_it_came_from() {
    let (mut endpoint, udp, _) = endpoint(Config::default());
    let now = support::origin();
    for source in ["192.0.2.77:1024", "[2001:db8::7]:5060"] {
        let source: SocketAddr = source.parse().unwrap();
        let sent = answers(&mut endpoint, now, udp, source, binding(1).to_bytes());
        let answer = Message::parse(&sent[0]).unwrap();
        assert_eq!(answer, binding(1).answer().with(Attribute::XorMappedAddress(source)));
    }
    // On a socket of both families, what looks like IPv6 is IPv4.
    let sent = answers(&mut endpoint, now, udp, "[::ffff:192.0.2.7]:9".parse().unwrap(), binding(2).to_bytes());
    assert_eq!(Message::parse(&sent[0]).unwrap().mapped(), Some("192.0.2.7:9".parse().unwrap()));
    // Who checks with a fingerprint gets one.
    let mut careful = binding(3).with(Attribute::Software("phone".into()));
    careful.has_fingerprint = true;
    let sent = answers(&mut endpoint, now, udp, alice(), careful.to_bytes());
    assert!(Message::parse(&sent[0]).unwrap().has_fingerprint);
    assert_eq!(endpoint.snapshot().counters.bindings_answered, 4);
    assert!(endpoint.snapshot().is_idle());
}

#[test]
fn what_must_be_understood_and_is_not_draws_420_and_names_it() {
    let (mut endpoint, udp, _) = endpoint(Config::default());
    let now = support::origin();
    // CHANGE-REQUEST of RFC 3489: the answer would have to come from elsewhere.
    let change = Attribute::Other { kind: 0x0003, value: Bytes::from_static(&[0, 0, 0, 6]) };
    let sent = answers(&mut endpoint, now, udp, alice(), binding(1).with(change).to_bytes());
    let refusal = Message::parse(&sent[0]).unwrap();
    assert_eq!((refusal.class, refusal.error().unwrap().code), (Class::Error, 420));
    assert!(refusal.attributes.contains(&Attribute::UnknownAttributes(vec![0x0003])));
    // What need not be understood, and what belongs to authentication, is passed over.
    for kind in [0x8030, 0x0006, 0x0008] {
        let other = Attribute::Other { kind, value: Bytes::from_static(b"what") };
        let sent = answers(&mut endpoint, now, udp, alice(), binding(2).with(other).to_bytes());
        assert_eq!(Message::parse(&sent[0]).unwrap().class, Class::Success);
    }
}

#[test]
fn no_answer_is_longer_than_three_times_its_request() {
    let (mut endpoint, udp, _) = endpoint(Config::default());
    let now = support::origin();
    for unknown in 0..40 {
        for has_fingerprint in [false, true] {
            let mut asked = binding(1);
            asked.has_fingerprint = has_fingerprint;
            for kind in 0..unknown {
                asked.attributes.push(Attribute::Other { kind: 0x0100 + kind, value: Bytes::new() });
            }
            let asked = asked.to_bytes();
            for source in [alice(), "[2001:db8::7]:5060".parse().unwrap()] {
                let sent = answers(&mut endpoint, now, udp, source, asked.clone());
                assert_eq!(sent.len(), 1);
                assert!(sent[0].len() <= 3 * asked.len(), "{} for {}", sent[0].len(), asked.len());
            }
        }
    }
}

#[test]
fn indications_other_methods_broken_ones_and_answers_to_nobody_draw_nothing() {
    let (mut endpoint, udp, _) = endpoint(Config::default());
    let now = support::origin();
    let id = TransactionId([9; 12]);
    let mut broken = binding(1);
    broken.has_fingerprint = true;
    let mut broken = broken.to_bytes().to_vec();
    broken[25] ^= 1;
    let large = binding(1).with(Attribute::Software(Bytes::from(vec![b'x'; 600])));
    let too_many = (0..60).fold(binding(1), |message, _| message.with(Attribute::Software("12345".into())));
    for payload in [
        Message::new(Class::Indication, BINDING, id).to_bytes(),
        Message::new(Class::Request, 0x003, id).to_bytes(),
        Message::new(Class::Success, BINDING, id).to_bytes(),
        Message::new(Class::Error, BINDING, id).to_bytes(),
        broken.into(),
        large.to_bytes(),
        too_many.to_bytes(),
        Bytes::from_static(b"\0\x01\0\x04\x21\x12\xa4\x42"),
    ] {
        assert!(is_stun(&payload));
        assert_eq!(answers(&mut endpoint, now, udp, alice(), payload), Vec::<Bytes>::new());
    }
    let counters = endpoint.snapshot().counters;
    assert_eq!((counters.bindings_stray, counters.bindings_answered, counters.malformed), (7, 0, 0));
}

#[test]
fn a_flood_of_binding_requests_is_answered_only_so_often_and_those_who_are_trusted_notice_nothing() {
    let config = Config { bindings_per_address: 5, bindings: 100, ..Config::default() };
    let (mut endpoint, udp, _) = endpoint(config);
    let now = support::origin();
    let mut answered = 0;
    // One address.
    for _ in 0..1_000 {
        answered += answers(&mut endpoint, now, udp, alice(), binding(1).to_bytes()).len();
    }
    assert_eq!(answered, 5);
    // Others have their own.
    assert_eq!(answers(&mut endpoint, now, udp, stranger(1), binding(1).to_bytes()).len(), 1);
    // Forged ones of a million addresses.
    for number in 0..10_000 {
        answered += answers(&mut endpoint, now, udp, stranger(number * 97), binding(1).to_bytes()).len();
    }
    assert!(answered <= 100, "{answered}");
    let honest: SocketAddr = "198.51.100.1:5060".parse().unwrap();
    endpoint.trust(honest.ip());
    let snapshot = endpoint.snapshot();
    assert!(snapshot.counters.bindings_shed > 10_000);
    assert_eq!((snapshot.timers, snapshot.strangers, snapshot.outputs), (0, 0, 0));
    // A second later all are served again, and who is trusted in a flood too, unless he shares the place of one who floods.
    let later = now + SECOND;
    for number in 0..200 {
        answered += answers(&mut endpoint, later, udp, stranger(number * 7_919), binding(1).to_bytes()).len();
    }
    assert!(answered > 150);
    assert_eq!(answers(&mut endpoint, later, udp, honest, binding(1).to_bytes()).len(), 1);
}

#[test]
fn a_flow_is_asked_about_every_24_to_29_seconds_and_told_of_once() {
    let (mut endpoint, udp, _) = endpoint(Config::default());
    let mut now = support::origin();
    assert!(endpoint.keep_alive_every(now, flow(udp), None));
    let (_, duties) = drain(&mut endpoint);
    let mut asked = requests(&duties);
    let mut waits = BTreeSet::new();
    let mut ids = BTreeSet::new();
    for round in 0..200 {
        let [request] = &asked[..] else { panic!("{asked:?}") };
        assert_eq!((request.class, request.method, request.attributes.len()), (Class::Request, BINDING, 0));
        assert!(ids.insert(request.transaction), "a transaction id came again");
        let told = see_at(&mut endpoint, now, udp, request, "203.0.113.1:7000");
        match (round, &told[..]) {
            (0, [Event::FlowAlive { flow: alive, mapped }]) => {
                assert_eq!((*alive, *mapped), (flow(udp), "203.0.113.1:7000".parse().unwrap()));
            }
            (1.., []) => {}
            other => panic!("{other:?}"),
        }
        let (next, request) = next_request(&mut endpoint);
        let wait = next - now;
        assert!((MS(24_000)..=MS(29_001)).contains(&wait), "{wait:?}");
        waits.insert(wait.as_secs());
        (now, asked) = (next, request);
    }
    // At random, so that phones do not ask in chorus.
    assert!(waits.len() >= 5, "{waits:?}");
    assert_eq!(endpoint.snapshot().kept_flows, 1);
    assert!(endpoint.let_go(flow(udp)));
    assert!(!endpoint.let_go(flow(udp)));
    assert_eq!((endpoint.snapshot().kept_flows, endpoint.snapshot().timers), (0, 0));
}

#[test]
fn a_flow_timer_of_the_other_side_sets_the_interval() {
    let (mut endpoint, udp, _) = endpoint(Config::default());
    let mut now = support::origin();
    endpoint.keep_alive_every(now, flow(udp), Some(Duration::from_secs(100)));
    let mut asked = requests(&drain(&mut endpoint).1);
    for _ in 0..50 {
        see_at(&mut endpoint, now, udp, &asked[0], "203.0.113.1:7000");
        let (next, request) = next_request(&mut endpoint);
        assert!((MS(80_000)..=MS(100_001)).contains(&(next - now)));
        (now, asked) = (next, request);
    }
    // Zero would be for ever at once.
    endpoint.keep_alive_every(now, Flow::Datagram { listener: udp, remote: bob() }, Some(Duration::ZERO));
    assert_eq!(endpoint.snapshot().kept_flows, 2);
}

#[test]
fn a_flow_that_nobody_answers_on_fails_after_seven_requests_at_the_times_of_the_rfc() {
    let (mut endpoint, udp, _) = endpoint(Config::default());
    let now = support::origin();
    endpoint.keep_alive_every(now, flow(udp), None);
    let first = drain(&mut endpoint).1;
    let (sent, told) = pass(&mut endpoint, now + Duration::from_secs(120));
    let times: Vec<_> = sent.iter().map(|(at, _)| (*at - now).as_millis()).collect();
    assert_eq!(times, [500, 1_500, 3_500, 7_500, 15_500, 31_500]);
    // The same request each time.
    let sent: Vec<_> = sent.into_iter().map(|(_, duty)| duty).collect();
    assert!(payloads(&sent).iter().all(|payload| *payload == payloads(&first)[0]));
    assert!(
        matches!(told[..], [Event::FlowFailed { flow: failed, reason: FlowFailure::Silent }] if failed == flow(udp))
    );
    assert_eq!((endpoint.snapshot().kept_flows, endpoint.snapshot().timers), (0, 0));
    assert_eq!(endpoint.snapshot().counters.bindings_sent, 7);
}

#[test]
fn a_flow_on_which_we_are_seen_elsewhere_or_refused_has_failed() {
    let (mut endpoint, udp, _) = endpoint(Config::default());
    let now = support::origin();
    endpoint.keep_alive_every(now, flow(udp), None);
    let asked = requests(&drain(&mut endpoint).1);
    see_at(&mut endpoint, now, udp, &asked[0], "203.0.113.1:7000");
    let (now, asked) = next_request(&mut endpoint);
    let told = see_at(&mut endpoint, now, udp, &asked[0], "203.0.113.1:7001");
    let (from, to) = ("203.0.113.1:7000".parse().unwrap(), "203.0.113.1:7001".parse().unwrap());
    assert!(matches!(told[..], [Event::FlowFailed { reason, .. }] if reason == FlowFailure::Moved { from, to }));
    assert_eq!((endpoint.snapshot().kept_flows, endpoint.snapshot().timers), (0, 0));

    let refused = ErrorCode { code: 500, reason: "no".into() };
    let odd = Attribute::Other { kind: 0x7000, value: Bytes::new() };
    for refusal in [
        |answer: Message, refused: &ErrorCode, _: &Attribute| {
            Message { class: Class::Error, ..answer }.with(Attribute::ErrorCode(refused.clone()))
        },
        // An answer that says nothing, and one that must be understood and is not.
        |answer: Message, _: &ErrorCode, _: &Attribute| answer,
        |answer: Message, _: &ErrorCode, odd: &Attribute| {
            answer.with(Attribute::XorMappedAddress(bob())).with(odd.clone())
        },
    ] {
        endpoint.keep_alive_every(now, flow(udp), None);
        let asked = requests(&drain(&mut endpoint).1);
        arrive(&mut endpoint, now, udp, alice(), refusal(asked[0].answer(), &refused, &odd).to_bytes());
        let (told, _) = drain(&mut endpoint);
        assert!(matches!(told[..], [Event::FlowFailed { reason: FlowFailure::Refused, .. }]), "{told:?}");
    }
}

#[test]
fn answers_from_elsewhere_or_to_what_was_not_asked_change_nothing() {
    let (mut endpoint, udp, _) = endpoint(Config::default());
    let now = support::origin();
    endpoint.keep_alive_every(now, flow(udp), None);
    let asked = requests(&drain(&mut endpoint).1);
    let seen = asked[0].answer().with(Attribute::XorMappedAddress(bob()));
    let error = Message { class: Class::Error, ..asked[0].answer() };
    // The right transaction from the wrong address or port, and the wrong transaction from the right one.
    let port = SocketAddr::new(alice().ip(), 5061);
    for (from, message) in [
        (stranger(1), &seen),
        (port, &seen),
        (stranger(1), &error),
        (alice(), &binding(3).answer().with(Attribute::XorMappedAddress(bob()))),
        (alice(), &Message { class: Class::Error, ..binding(4).answer() }),
    ] {
        arrive(&mut endpoint, now, udp, from, message.to_bytes());
        let (told, sent) = drain(&mut endpoint);
        assert!(told.is_empty() && sent.is_empty());
    }
    assert_eq!(endpoint.snapshot().counters.bindings_stray, 5);
    assert!(matches!(see_at(&mut endpoint, now, udp, &asked[0], "203.0.113.1:7000")[..], [Event::FlowAlive { .. }]));
    // The same answer again is too late.
    assert!(see_at(&mut endpoint, now, udp, &asked[0], "203.0.113.9:7000").is_empty());
    assert_eq!(endpoint.snapshot().counters.bindings_stray, 6);
}

#[test]
fn a_single_keep_alive_is_told_of_each_time_and_leaves_nothing() {
    let (mut endpoint, udp, tcp) = endpoint(Config::default());
    let now = support::origin();
    for _ in 0..2 {
        assert!(endpoint.keep_alive(now, flow(udp)));
        // While it waits, another one is the same.
        assert!(endpoint.keep_alive(now, flow(udp)));
        let asked = requests(&drain(&mut endpoint).1);
        assert_eq!(asked.len(), 1);
        let told = see_at(&mut endpoint, now, udp, &asked[0], "203.0.113.1:7000");
        assert!(matches!(told[..], [Event::FlowAlive { .. }]));
        assert_eq!((endpoint.snapshot().kept_flows, endpoint.snapshot().timers), (0, 0));
    }
    // Only between datagrams.
    assert!(!endpoint.keep_alive(now, flow(tcp)));
    assert!(!endpoint.keep_alive_every(now, flow(ListenerConfigs::nowhere()), None));
}

/// A listener that the endpoint does not have.
struct ListenerConfigs;

impl ListenerConfigs {
    fn nowhere() -> ListenerId {
        let mut other = Endpoint::new(Config::default(), [2; 32]);
        let listener = ListenerConfig::new(Transport::Udp, bob());
        (0..9).map(|_| other.add_listener(listener.clone())).last().unwrap()
    }
}

#[test]
fn so_many_flows_are_kept_alive_and_no_more() {
    let (mut endpoint, udp, _) = endpoint(Config { kept_flows: 10, ..Config::default() });
    let now = support::origin();
    let flow = |number| Flow::Datagram { listener: udp, remote: stranger(number) };
    for number in 0..20 {
        assert_eq!(endpoint.keep_alive_every(now, flow(number), None), number < 10);
    }
    // One that is known may be begun again.
    assert!(endpoint.keep_alive_every(now, flow(3), Some(SECOND)));
    assert_eq!(endpoint.snapshot().kept_flows, 10);
    let _ = drain(&mut endpoint);
    let (_, told) = pass(&mut endpoint, now + Duration::from_secs(60));
    assert_eq!(told.len(), 10);
    assert_eq!((endpoint.snapshot().kept_flows, endpoint.snapshot().timers), (0, 0));
}

#[test]
fn a_connection_down_which_nothing_comes_after_a_keep_alive_is_closed() {
    let (mut endpoint, _, tcp) = endpoint(Config::default());
    let mut now = support::origin();
    let kept = endpoint.accept(now, tcp, bob(), alice()).unwrap();
    endpoint.handle_input(
        now,
        Input::Received { connection: kept, payload: support::arriving("OPTIONS", 1, "a", "z9hG4bK1") },
    );
    let _ = drain(&mut endpoint);
    assert!(endpoint.keep_alive_every(now, kept, None));
    for round in 0..3 {
        let sent = payloads(&drain(&mut endpoint).1);
        assert!(sent.iter().any(|payload| &payload[..] == b"\r\n\r\n"), "round {round}");
        now += MS(9_000);
        endpoint.handle_input(now, Input::Received { connection: kept, payload: Bytes::from_static(b"\r\n") });
        let at = now;
        // The timer of the wait, then that of the next keep-alive.
        while let Some(next) = endpoint.poll_timeout() {
            now = next;
            endpoint.handle_timeout(now);
            if endpoint.snapshot().outputs > 0 && now - at > MS(50_000) {
                break;
            }
            let _ = drain(&mut endpoint);
        }
        assert!((MS(95_000)..=MS(121_001)).contains(&(now - at)), "{:?}", now - at);
    }
    let _ = drain(&mut endpoint);
    // The last one is not answered.
    let (sent, told) = pass(&mut endpoint, now + MS(10_001));
    assert!(matches!(told[..], [Event::ConnectionClosed { reason: CloseReason::Deadline, .. }]), "{told:?}");
    assert!(sent.iter().any(|(_, duty)| matches!(duty, Output::Close { connection } if *connection == kept)));
    assert_eq!((endpoint.snapshot().kept_flows, endpoint.snapshot().connections), (0, 0));
    assert!(!endpoint.keep_alive_every(now, kept, None));
}

#[test]
fn two_endpoints_keep_a_flow_through_loss_and_notice_when_the_other_is_gone_while_calls_go_on() {
    for seed in 0..20 {
        let conditions = Conditions { loss: 0.1, duplication: 0.1, delay: MS(20), ..Conditions::PERFECT };
        let mut simulation = Simulation::new(seed, conditions);
        let mut one = Peer::new(alice(), Config::default(), Nobody);
        let mut two = Peer::new(bob(), Config::default(), support::Callee::default());
        let now = simulation.now();
        let kept = Flow::Datagram { listener: one.udp, remote: bob() };
        assert!(one.endpoint.keep_alive_every(now, kept, None));
        for minute in 0..60 {
            let id = one.endpoint.send_request(simulation.now(), request("OPTIONS", minute), Target::udp(bob()));
            assert!(id.is_ok());
            simulation.run_for(&mut [&mut one, &mut two], Duration::from_secs(60));
        }
        assert_eq!(one.statuses(), [200; 60], "seed {seed}");
        let flows = |one: &Peer<Nobody>| {
            one.events
                .iter()
                .filter_map(|event| match event {
                    Event::FlowAlive { mapped, .. } => Some(Ok(*mapped)),
                    Event::FlowFailed { reason, .. } => Some(Err(*reason)),
                    _ => None,
                })
                .collect::<Vec<_>>()
        };
        assert_eq!(flows(&one), [Ok(alice())], "seed {seed}");
        assert!(two.endpoint.snapshot().counters.bindings_answered >= 3_600 / 30);
        simulation.network.take_down(bob());
        simulation.run_for(&mut [&mut one, &mut two], Duration::from_secs(29 + 40));
        assert_eq!(flows(&one), [Ok(alice()), Err(FlowFailure::Silent)], "seed {seed}");
        assert_eq!(one.endpoint.snapshot().kept_flows, 0);
    }
}
