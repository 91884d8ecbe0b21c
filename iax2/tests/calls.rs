//! Calls and registrations between endpoints, as ladders.

mod common {
    pub mod net;
}

use std::time::Duration;

use common::net::{Net, Weather, address};
use iax2::element::{Cause, DialplanStatus, MessageCount};
use iax2::frame::{Command, Frame, Html, Kind};
use iax2::*;

const A: &str = "192.0.2.1:4569";
const B: &str = "192.0.2.2:4569";

fn quiet() -> Config {
    Config::default()
}

/// A calls B as `alice` with a secret; B has her as a dynamic peer.
fn pair(weather: Weather, change: impl Fn(&mut PeerConfig)) -> Net {
    let mut net = Net::new(7, weather);
    let (a, b) = (address(A), address(B));
    net.add(a, quiet());
    net.add(b, quiet());
    let mut server = PeerConfig::new("server").at(b);
    server.credentials = Credentials::new("alice", "1234");
    server.may_call = false;
    change(&mut server);
    let mut alice = PeerConfig::new("alice").with_secret("1234").dynamic();
    alice.credentials = Credentials::new("server", "1234");
    change(&mut alice);
    net.at(a, |e, now| e.add_peer(now, server)).unwrap();
    net.at(b, |e, now| e.add_peer(now, alice)).unwrap();
    net
}

fn short() -> Duration {
    Duration::from_millis(50)
}

/// Calls and answers; returns both ids.
fn connect(net: &mut Net) -> (CallId, CallId) {
    let (a, b) = (address(A), address(B));
    let ours = net.at(a, |e, now| e.dial(now, "server", &NewCall::to("600").from("7001"))).unwrap();
    net.run(short());
    let theirs = match &net.take(b)[..] {
        [Event::Incoming { call, peer, request, .. }] => {
            assert_eq!((&**peer, request.number(), request.caller_number()), ("alice", "600", Some("7001")));
            *call
        }
        other => panic!("{other:?}"),
    };
    net.at(b, |e, now| e.answer(now, theirs)).unwrap();
    net.run(short());
    assert_eq!(net.take(a), [Event::Accepted { call: ours, format: Format::ULAW }, Event::Answered(ours)]);
    (ours, theirs)
}

fn empty_after(net: &mut Net) {
    net.run(Duration::from_secs(60));
    for endpoint in net.endpoints.values() {
        let s = endpoint.snapshot();
        assert_eq!(
            (s.calls, s.exchanges, s.unvalidated, s.lingering, s.indexed, s.addresses, s.trunks),
            (0, 0, 0, 0, 0, 0, 0),
            "{s:?}"
        );
    }
}

fn kinds(net: &Net) -> Vec<String> {
    let trace = net.trace.as_ref().unwrap();
    trace
        .iter()
        .map(|(_, from, _, bytes)| {
            let side = if *from == address(A) { "A" } else { "B" };
            match Frame::parse(bytes).unwrap() {
                Frame::Full(full) => match full.header.kind {
                    Kind::Iax(command) => format!("{side} {command:?}"),
                    Kind::Control(control) => format!("{side} {control:?}"),
                    kind => format!("{side} {kind:?}"),
                },
                Frame::Mini(_) => format!("{side} mini"),
                Frame::Trunk(_) => format!("{side} trunk"),
                other => format!("{side} {other:?}"),
            }
        })
        .collect()
}

#[test]
fn a_call_goes_from_new_to_hangup_as_asterisks_do() {
    let mut net = pair(Weather::FINE, |_| ());
    net.trace = Some(Vec::new());
    let (ours, theirs) = connect(&mut net);
    net.at(address(A), |e, now| e.hang_up(now, ours, Cause::NORMAL, None)).unwrap();
    net.run(short());
    let ended = net.take(address(B));
    assert_eq!(
        ended,
        [Event::Ended { call: theirs, reason: Ended::Hangup { cause: Some(Cause::NORMAL), text: None } }]
    );
    assert_eq!(net.take(address(A)), [Event::Ended { call: ours, reason: Ended::Local }]);
    let seen = kinds(&net);
    let reliable: Vec<_> = seen.iter().filter(|kind| !kind.ends_with("Ack")).map(String::as_str).collect();
    assert_eq!(
        reliable,
        ["A New", "B CallToken", "A New", "B AuthReq", "A AuthRep", "B Accept", "B Answer", "A Hangup"]
    );
    empty_after(&mut net);
}

#[test]
fn everything_that_a_call_can_carry_arrives() {
    let mut net = pair(Weather::FINE, |_| ());
    let (a, b) = (address(A), address(B));
    let (ours, theirs) = connect(&mut net);
    net.at(a, |e, now| {
        e.control(now, ours, frame::Control::Hold, b"jazz\0").unwrap();
        e.control(now, ours, frame::Control::Unhold, &[]).unwrap();
        e.control(now, ours, frame::Control::Flash, &[]).unwrap();
        e.send_dtmf(now, ours, '5', DtmfPhase::Begin).unwrap();
        e.send_dtmf(now, ours, '5', DtmfPhase::End).unwrap();
        e.send_text(now, ours, "hällo").unwrap();
        e.send_html(now, ours, Html::Url, b"http://example.com/").unwrap();
        e.send_image(now, ours, Format::PNG, b"png").unwrap();
        e.send_comfort_noise(now, ours, 40).unwrap();
        e.query_dialplan(now, ours, "60").unwrap();
        e.dial_on(now, ours, "601", Some("inside")).unwrap();
        e.transfer(now, ours, "602", None).unwrap();
        e.send_messages(now, ours, MessageCount::new(1, 2)).unwrap();
        assert_eq!(e.send_dtmf(now, ours, 'x', DtmfPhase::End), Err(CommandError::Invalid));
    });
    net.run(short());
    let text = |text: &'static str| bytes::Bytes::from_static(text.as_bytes());
    assert_eq!(
        net.take(b),
        [
            Event::Hold { call: theirs, class: text("jazz") },
            Event::Unhold(theirs),
            Event::Flash(theirs),
            Event::Dtmf { call: theirs, digit: '5', phase: DtmfPhase::Begin },
            Event::Dtmf { call: theirs, digit: '5', phase: DtmfPhase::End },
            Event::Text { call: theirs, text: text("hällo") },
            Event::Html { call: theirs, html: Html::Url, data: text("http://example.com/") },
            Event::Image { call: theirs, format: Some(Format::PNG), data: text("png") },
            Event::ComfortNoise { call: theirs, level: 40 },
            Event::DialplanQuery { call: theirs, number: text("60") },
            Event::Dial { call: theirs, number: text("601"), context: Some(text("inside")) },
            Event::Transfer { call: theirs, number: text("602"), context: None },
            Event::Messages { peer: "alice".into(), count: MessageCount::new(1, 2) },
        ]
    );
    net.at(b, |e, now| {
        e.answer_dialplan(now, theirs, b"60", DialplanStatus::CAN_EXIST, Duration::from_secs(300)).unwrap();
        e.quelch(now, theirs, true, Some("jazz")).unwrap();
    });
    net.run(short());
    assert_eq!(
        net.take(a),
        [
            Event::Dialplan {
                call: ours,
                number: text("60"),
                status: DialplanStatus::CAN_EXIST,
                refresh: Duration::from_secs(300)
            },
            Event::Quelch { call: ours, music: Some(text("jazz")) },
        ]
    );
    assert_eq!(net.at(a, |e, now| e.send_voice(now, ours, &[0; 160])), Err(CommandError::Quelched));
    net.at(b, |e, now| e.quelch(now, theirs, false, None)).unwrap();
    net.run(short());
    net.at(a, |e, now| e.send_voice(now, ours, &[0; 160])).unwrap();
}

#[test]
fn voice_and_video_cross_their_wraps() {
    for trunk in [None, Some(TrunkMode { timestamps: false }), Some(TrunkMode { timestamps: true })] {
        let mut net = pair(Weather::FINE, |peer| {
            peer.trunk = trunk;
            peer.formats = Formats::G711.with(Format::H264);
        });
        let (a, b) = (address(A), address(B));
        let (ours, _) = connect(&mut net);
        assert_eq!(ours.number() >= 16_384, trunk.is_some(), "trunked calls have high numbers");
        net.trace = Some(Vec::new());
        let mut voice = Vec::new();
        for n in 0..3_500u32 {
            net.run(Duration::from_millis(20));
            let payload = [n as u8; 160];
            net.at(a, |e, now| e.send_voice_at(now, ours, Format::ULAW, 40 + n * 20, &payload)).unwrap();
            net.at(a, |e, now| e.send_video(now, ours, Format::H264, n * 20, n % 3 == 0, &[n as u8; 9])).unwrap();
            voice.push(40 + n * 20);
        }
        net.run(short());
        let (mut heard, mut seen) = (Vec::new(), Vec::new());
        for event in net.take(b) {
            match event {
                Event::Voice { timestamp, payload, .. } => {
                    assert_eq!(payload[0], heard.len() as u8);
                    heard.push(timestamp);
                }
                Event::Video { timestamp, payload, mark, .. } => {
                    assert_eq!((payload[0], mark), (seen.len() as u8, seen.len() % 3 == 0));
                    seen.push(timestamp);
                }
                Event::RoundTrip { .. } | Event::Report { .. } => {}
                other => panic!("{other:?}"),
            }
        }
        assert!(heard == voice, "{trunk:?}: {:?}", heard.iter().zip(&voice).find(|(h, v)| h != v));
        assert_eq!(seen, (0..3_500).map(|n| n * 20).collect::<Vec<_>>());
        let full = kinds(&net).iter().filter(|kind| kind.starts_with("A Voice")).count();
        assert_eq!(full, 2, "the first, and one at the wrap");
    }
}

#[test]
fn an_encrypted_call_rotates_its_key_and_never_goes_by_trunk() {
    let mut net = pair(Weather::FINE, |peer| {
        peer.encryption = Encryption::Required;
        peer.trunk = Some(TrunkMode::default());
    });
    let (a, b) = (address(A), address(B));
    net.trace = Some(Vec::new());
    let (ours, theirs) = connect(&mut net);
    assert!(net.endpoints[&a].is_encrypted(ours) && net.endpoints[&b].is_encrypted(theirs));
    for n in 0..15_000u32 {
        net.run(Duration::from_millis(20));
        net.at(a, |e, now| e.send_voice(now, ours, &[n as u8; 160])).unwrap();
        net.at(b, |e, now| e.send_voice(now, theirs, &[n as u8; 160])).unwrap();
    }
    net.run(short());
    for side in [a, b] {
        let mut count = 0;
        for event in net.take(side) {
            if let Event::Voice { payload, .. } = event {
                assert!(payload.iter().all(|byte| *byte == count as u8));
                count += 1;
            }
        }
        assert_eq!(count, 15_000, "five minutes through two rotations");
    }
    for (_, _, _, bytes) in net.trace.as_ref().unwrap() {
        assert!(!bytes.windows(16).any(|w| w.iter().all(|b| *b == w[0])), "something in clear");
        assert_ne!(bytes[..3], [0, 0, 1], "a trunk frame");
    }
    net.at(b, |e, now| e.hang_up(now, theirs, Cause::NORMAL, None)).unwrap();
    net.run(short());
    assert!(matches!(net.take(a)[..], [Event::Ended { .. }]));
    empty_after(&mut net);
}

#[test]
fn a_registration_is_kept_up_and_released_and_the_peer_can_then_be_called() {
    let mut net = pair(Weather::FINE, |_| ());
    let (a, b) = (address(A), address(B));
    assert_eq!(net.at(b, |e, now| e.dial(now, "alice", &NewCall::to("1"))), Err(DialError::NoAddress));
    net.at(b, |e, _| e.set_messages("alice", Some(MessageCount::new(3, 4)))).unwrap();
    let id = net.at(a, |e, now| e.register(now, "server", Duration::from_secs(60))).unwrap();
    net.run(short());
    assert_eq!(
        net.take(a),
        [
            Event::Registered { registration: id, refresh: Duration::from_secs(60), apparent: Some(a) },
            Event::Messages { peer: "server".into(), count: MessageCount::new(3, 4) },
        ]
    );
    assert_eq!(net.take(b), [Event::Bound { peer: "alice".into(), address: a, refresh: Duration::from_secs(60) }]);
    net.run(Duration::from_secs(600));
    let again = net.take(a).len();
    assert!((20..=40).contains(&again), "ten minutes of refreshes: {again}");
    assert!(net.take(b).iter().all(|event| matches!(event, Event::Bound { .. })), "it never ran out");
    net.at(a, |e, now| e.unregister(now, id));
    net.run(short());
    assert_eq!(net.take(a), [Event::Released(id)]);
    assert_eq!(net.take(b), [Event::Unbound { peer: "alice".into() }]);
    empty_after(&mut net);
    assert_eq!(net.endpoints[&a].snapshot().timers, 0);
}

#[test]
fn a_registration_that_nobody_refreshes_runs_out() {
    let mut net = pair(Weather::FINE, |_| ());
    let (a, b) = (address(A), address(B));
    net.at(a, |e, now| e.register(now, "server", Duration::from_secs(60))).unwrap();
    net.run(short());
    net.endpoints.remove(&a);
    net.run(Duration::from_secs(61));
    assert!(net.take(b).contains(&Event::Unbound { peer: "alice".into() }));
    assert_eq!(net.endpoints[&b].peer_address("alice"), None);
}

#[test]
fn a_wrong_secret_gets_no_registration_and_no_call() {
    let mut net = pair(Weather::FINE, |peer| {
        if peer.name == "server" {
            peer.credentials = Credentials::new("alice", "wrong");
        }
    });
    let a = address(A);
    let id = net.at(a, |e, now| e.register(now, "server", Duration::from_secs(60))).unwrap();
    net.run(short());
    let refused = RegistrationFailure::Refused {
        cause: Some(Cause::FACILITY_REJECTED),
        text: Some(bytes::Bytes::from_static(b"Registration Refused")),
    };
    assert_eq!(net.take(a), [Event::RegistrationFailed { registration: id, reason: refused }]);
    let call = net.at(a, |e, now| e.dial(now, "server", &NewCall::to("600"))).unwrap();
    net.run(short());
    let reason = Ended::Rejected {
        cause: Some(Cause::NOT_SUBSCRIBED),
        text: Some(bytes::Bytes::from_static(b"No authority found")),
    };
    assert_eq!(net.take(a), [Event::Ended { call, reason }]);
    assert!(net.take(address(B)).is_empty());
}

#[test]
fn a_call_rejected_by_the_program_says_why() {
    let mut net = pair(Weather::FINE, |_| ());
    let (a, b) = (address(A), address(B));
    let call = net.at(a, |e, now| e.dial(now, "server", &NewCall::to("99"))).unwrap();
    net.run(short());
    let Event::Incoming { call: theirs, .. } = net.take(b).remove(0) else { panic!() };
    net.at(b, |e, now| e.hang_up(now, theirs, Cause::NO_ROUTE, Some("No such context/extension"))).unwrap();
    net.run(short());
    let text = Some(bytes::Bytes::from_static(b"No such context/extension"));
    assert_eq!(net.take(a), [Event::Ended { call, reason: Ended::Rejected { cause: Some(Cause::NO_ROUTE), text } }]);
    empty_after(&mut net);
}

#[test]
fn formats_that_do_not_meet_are_refused() {
    let mut net = pair(Weather::FINE, |peer| {
        let format = if peer.name == "server" { Format::GSM } else { Format::ALAW };
        peer.formats = Formats::NONE.with(format);
        peer.preferences = Preferences::new([format]);
    });
    let a = address(A);
    let call = net.at(a, |e, now| e.dial(now, "server", &NewCall::to("600"))).unwrap();
    net.run(short());
    let reason = Ended::Rejected {
        cause: Some(Cause::NO_BEARER),
        text: Some(bytes::Bytes::from_static(b"Unable to negotiate codec")),
    };
    assert_eq!(net.take(a), [Event::Ended { call, reason }]);
}

#[test]
fn a_peer_that_falls_silent_ends_the_call_by_its_pings() {
    let mut net = pair(Weather::FINE, |_| ());
    let (a, b) = (address(A), address(B));
    let (ours, _) = connect(&mut net);
    net.endpoints.remove(&b);
    net.run(Duration::from_secs(60));
    assert!(net.take(a).contains(&Event::Ended { call: ours, reason: Ended::Timeout }));
    empty_after(&mut net);
}

#[test]
fn a_watched_peer_is_reachable_and_then_not() {
    let mut net = pair(Weather::FINE, |peer| peer.qualify = Some(Qualify::default()));
    let (a, b) = (address(A), address(B));
    net.run(Duration::from_secs(1));
    assert!(matches!(net.take(a)[..], [Event::Reachability { state: Reachability::Reachable(_), .. }]));
    let gone = net.endpoints.remove(&b);
    net.run(Duration::from_secs(70));
    assert!(matches!(net.take(a)[..], [Event::Reachability { state: Reachability::Unreachable, .. }]));
    assert_eq!(net.at(a, |e, now| e.dial(now, "server", &NewCall::to("1"))), Err(DialError::Unreachable));
    net.endpoints.insert(b, gone.unwrap());
    net.run(Duration::from_secs(15));
    assert!(matches!(net.take(a)[..], [Event::Reachability { state: Reachability::Reachable(_), .. }]));
}

#[test]
fn two_joined_calls_relay_and_then_talk_without_us() {
    const C: &str = "192.0.2.3:4569";
    for media_only in [false, true] {
        let mut net = Net::new(5, Weather::FINE);
        let (a, m, c) = (address(A), address(B), address(C));
        for at in [a, m, c] {
            net.add(at, quiet());
        }
        for (at, name, other) in [(a, "middle", m), (c, "middle", m), (m, "a", a), (m, "c", c)] {
            let mut peer = PeerConfig::new(name).at(other);
            peer.may_transfer = true;
            net.at(at, |e, now| e.add_peer(now, peer)).unwrap();
        }
        let first = net.at(a, |e, now| e.dial(now, "middle", &NewCall::to("c"))).unwrap();
        net.run(short());
        let Event::Incoming { call: left, .. } = net.take(m).remove(0) else { panic!() };
        let right = net.at(m, |e, now| e.dial(now, "c", &NewCall::to("c"))).unwrap();
        net.run(short());
        let Event::Incoming { call: last, .. } = net.take(c).remove(0) else { panic!() };
        net.at(c, |e, now| e.answer(now, last)).unwrap();
        net.run(short());
        net.at(m, |e, now| e.answer(now, left)).unwrap();
        net.at(m, |e, now| e.bridge(now, left, right)).unwrap();
        net.run(short());
        net.events.clear();
        let say = |net: &mut Net, n: u32| {
            for k in 0..10u32 {
                net.run(Duration::from_millis(20));
                let payload = [n as u8; 160];
                net.at(a, |e, now| e.send_voice(now, first, &payload)).unwrap();
                net.at(c, |e, now| e.send_voice(now, last, &payload)).unwrap();
                let _ = k;
            }
            net.run(short());
            for (at, call) in [(a, first), (c, last)] {
                let events = net.take(at);
                let voice = events
                    .iter()
                    .filter(|event| matches!(event, Event::Voice { payload, .. } if payload[0] == n as u8));
                assert_eq!(voice.count(), 10, "{media_only} {n} {events:?}");
                assert!(net.endpoints[&at].is_up(call));
            }
            assert!(net.take(m).iter().all(|event| !matches!(event, Event::Voice { .. })));
        };
        say(&mut net, 1);
        net.at(m, |e, now| e.optimize(now, left, media_only)).unwrap();
        net.run(short());
        let moved = if media_only {
            Event::MediaMoved { call: first, address: c }
        } else {
            Event::Moved { call: first, address: c }
        };
        assert_eq!(net.take(a), [moved]);
        net.events.retain(|(at, _)| *at == m);
        if !media_only {
            let mut ended = net.take(m);
            ended.sort_by_key(|event| format!("{event:?}"));
            assert!(ended.iter().all(|event| matches!(event, Event::Ended { reason: Ended::Transferred, .. })));
            assert_eq!(ended.len(), 2);
        }
        say(&mut net, 2);
        net.trace = Some(Vec::new());
        say(&mut net, 3);
        let through = net.trace.as_ref().unwrap().iter().filter(|(_, _, to, _)| *to == m).count();
        assert_eq!(through, 0, "nothing of the voice passes the middle");
        net.trace = None;
        if media_only {
            net.at(m, |e, now| e.rejoin(now, left)).unwrap();
            net.at(m, |e, now| e.rejoin(now, right)).unwrap();
            net.run(short());
            say(&mut net, 4);
            net.at(m, |e, now| e.hang_up(now, left, Cause::NORMAL, None)).unwrap();
            net.at(m, |e, now| e.hang_up(now, right, Cause::NORMAL, None)).unwrap();
        } else {
            assert_eq!(net.endpoints[&m].calls().count(), 0);
            net.at(a, |e, now| e.hang_up(now, first, Cause::NORMAL, None)).unwrap();
        }
        net.run(short());
        assert!(matches!(net.take(c)[..], [Event::Ended { .. }]));
        empty_after(&mut net);
    }
}

#[test]
fn a_transfer_to_an_address_that_does_not_answer_changes_nothing() {
    let mut net = Net::new(5, Weather::FINE);
    let (a, m) = (address(A), address(B));
    net.add(a, quiet());
    net.add(m, quiet());
    let mut middle = PeerConfig::new("middle").at(m);
    middle.may_transfer = true;
    net.at(a, |e, now| e.add_peer(now, middle)).unwrap();
    net.at(m, |e, now| e.add_peer(now, PeerConfig::new("a"))).unwrap();
    net.at(m, |e, now| e.add_peer(now, PeerConfig::new("other").at(a))).unwrap();
    let one = net.at(a, |e, now| e.dial(now, "middle", &NewCall::to("1"))).unwrap();
    net.run(short());
    let Event::Incoming { call: left, .. } = net.take(m).remove(0) else { panic!() };
    net.at(m, |e, now| e.answer(now, left)).unwrap();
    net.run(short());
    net.events.clear();
    net.trace = Some(Vec::new());
    // A TXREQ as the middle would send it, with an address where nobody is.
    let nobody = address("198.51.100.9:4569");
    let list: ElementsBuf =
        [Element::ApparentAddress(nobody), Element::CallNumber(77), Element::TransferId(5)].into_iter().collect();
    let header = frame::FullHeader {
        source_call: left.number(),
        retransmission: false,
        destination_call: one.number(),
        timestamp: 500,
        oseq: 2,
        iseq: 1,
        kind: Kind::Iax(Command::TxReq),
    };
    let mut bytes = Vec::new();
    frame::Full { header, payload: list.as_bytes() }.encode(&mut bytes);
    net.inject(m, a, &bytes);
    net.run(Duration::from_secs(8));
    let seen = net.trace.as_ref().unwrap();
    let checks = seen.iter().filter(|(_, _, to, _)| *to == nobody).count();
    assert_eq!(checks, 5, "five attempts and no more");
    assert!(kinds(&net).contains(&"A TxRej".to_owned()));
    assert!(net.endpoints[&a].is_up(one));
}

#[test]
fn a_registrar_that_acknowledges_and_never_answers_is_given_up() {
    let mut net = pair(Weather::FINE, |_| ());
    let (a, b) = (address(A), address(B));
    net.endpoints.remove(&b);
    let id = net.at(a, |e, now| e.register(now, "server", Duration::from_secs(60))).unwrap();
    net.trace = Some(Vec::new());
    net.run(Duration::from_secs(3));
    let request = net.trace.as_ref().unwrap().last().unwrap().3.clone();
    let Frame::Full(full) = Frame::parse(&request).unwrap() else { panic!() };
    let header = frame::FullHeader {
        source_call: 9,
        retransmission: false,
        destination_call: full.header.source_call,
        timestamp: full.header.timestamp,
        oseq: 0,
        iseq: 1,
        kind: Kind::Iax(Command::Ack),
    };
    let mut ack = Vec::new();
    header.encode(&mut ack);
    net.inject(b, a, &ack);
    net.run(Duration::from_secs(41));
    assert_eq!(net.take(a), [Event::RegistrationFailed { registration: id, reason: RegistrationFailure::Timeout }]);
}

#[test]
fn rsa_plaintext_and_an_older_secret_open_calls_and_registrations() {
    const KEY: &str = include_str!("data/test-key.pem");
    for way in ["rsa", "plaintext", "older"] {
        let mut net = pair(Weather::FINE, |peer| {
            let ours = peer.name == "server";
            match way {
                "rsa" if ours => peer.credentials.key = Some(PrivateKey::from_pem(KEY).unwrap()),
                "rsa" => {
                    peer.secrets = Vec::new();
                    peer.keys = vec![PrivateKey::from_pem(KEY).unwrap().public_key()];
                }
                "plaintext" if ours => peer.credentials.allow_plaintext = true,
                "plaintext" => peer.methods = Some(element::AuthMethods::PLAINTEXT),
                _ if ours => {}
                _ => peer.secrets = vec!["newer".into(), "1234".into()],
            }
        });
        let (a, b) = (address(A), address(B));
        net.trace = Some(Vec::new());
        net.at(a, |e, now| e.register(now, "server", Duration::from_secs(60))).unwrap();
        net.run(short());
        assert!(matches!(net.take(a)[..], [Event::Registered { .. }]), "{way}");
        net.take(b);
        connect(&mut net);
        let clear = net.trace.as_ref().unwrap().iter().any(|(_, _, _, bytes)| bytes.windows(4).any(|w| w == b"1234"));
        assert_eq!(clear, way == "plaintext", "{way}");
    }
}

#[test]
fn a_secret_in_clear_is_not_given_to_a_server_that_asks_for_it() {
    let mut net = pair(Weather::FINE, |peer| {
        if peer.name == "alice" {
            peer.methods = Some(element::AuthMethods::PLAINTEXT);
        }
    });
    let a = address(A);
    let call = net.at(a, |e, now| e.dial(now, "server", &NewCall::to("600"))).unwrap();
    net.run(short());
    assert_eq!(net.take(a), [Event::Ended { call, reason: Ended::Unauthorized }]);
    empty_after(&mut net);
}

#[test]
fn a_caller_who_must_be_encrypted_hangs_up_on_who_cannot() {
    let mut net = pair(Weather::FINE, |peer| {
        if peer.name == "server" {
            peer.encryption = Encryption::Required;
        }
    });
    let a = address(A);
    let call = net.at(a, |e, now| e.dial(now, "server", &NewCall::to("600"))).unwrap();
    net.run(short());
    assert_eq!(net.take(a), [Event::Ended { call, reason: Ended::Unauthorized }]);
    assert!(net.take(address(B)).is_empty());
}

#[test]
fn a_call_without_a_user_name_is_of_the_peer_that_registered_from_there() {
    let (a, b) = (address(A), address(B));
    for (name, other) in [("north", "south"), ("south", "north")] {
        let mut net = Net::new(7, Weather::FINE);
        net.add(a, quiet());
        net.add(b, quiet());
        // Both have the same secret, as the sections of one file often do.
        let mut registrar = PeerConfig::new("registrar").at(b);
        registrar.credentials = Credentials::new(name, "1234");
        registrar.may_call = false;
        let mut server = PeerConfig::new("server").at(b).with_secret("1234");
        server.credentials.username = None;
        net.at(a, |e, now| e.add_peer(now, registrar)).unwrap();
        net.at(a, |e, now| e.add_peer(now, server)).unwrap();
        for peer in [name, other] {
            net.at(b, |e, now| e.add_peer(now, PeerConfig::new(peer).with_secret("1234").dynamic())).unwrap();
        }
        let registration = net.at(a, |e, now| e.register(now, "registrar", Duration::from_secs(60))).unwrap();
        net.run(short());
        let call = net.at(a, |e, now| e.dial(now, "server", &NewCall::to("600"))).unwrap();
        assert!(!net.at(a, |e, _| e.is_heard(call)), "nothing came yet");
        net.run(short());
        assert!(net.at(a, |e, _| e.is_heard(call)));
        let events = net.take(b);
        assert!(
            events.iter().any(|event| matches!(event, Event::Incoming { peer, .. } if &**peer == name)),
            "{events:?}"
        );
        // A registrar that began again has forgotten us, and is told again when we like.
        net.add(b, quiet());
        net.at(b, |e, now| e.add_peer(now, PeerConfig::new(name).with_secret("1234").dynamic())).unwrap();
        assert!(net.at(a, |e, now| e.refresh(now, registration)));
        net.run(short());
        assert_eq!(net.at(b, |e, _| e.peer_address(name)), Some(a));
    }
}

#[test]
fn the_format_of_a_call_is_known_once_it_is_agreed() {
    let mut net = pair(Weather::FINE, |_| ());
    let (ours, theirs) = connect(&mut net);
    for (at, call) in [(A, ours), (B, theirs)] {
        assert_eq!(net.at(address(at), |e, _| e.format(call)), Some(Format::ULAW));
        assert!(net.at(address(at), |e, _| e.remote_number(call)) != 0);
        assert!(net.at(address(at), |e, _| e.sequence_numbers(call)).is_some());
    }
}
