//! What went wrong in other stacks, each as a test of ours.

mod common {
    pub mod net;
}

use std::net::SocketAddr;
use std::time::Duration;

use common::net::{Net, Weather, address};
use iax2::element::{AuthMethods, EncryptionMethods, id};
use iax2::frame::{Command, Entry, Frame, Full, FullHeader, Kind, Mini, TrunkHeader, TrunkWriter};
use iax2::*;

const A: &str = "192.0.2.1:4569";
const B: &str = "192.0.2.2:4569";
/// A hand-made client: nothing at this address but what the test sends.
const RAW: &str = "203.0.113.7:4569";

fn full(source: u16, destination: u16, oseq: u8, iseq: u8, kind: Kind, elements: &[Element<'_>]) -> Vec<u8> {
    let list: ElementsBuf = elements.iter().copied().collect();
    let header = FullHeader {
        source_call: source,
        retransmission: false,
        destination_call: destination,
        timestamp: 3,
        oseq,
        iseq,
        kind,
    };
    let mut out = Vec::new();
    Full { header, payload: list.as_bytes() }.encode(&mut out);
    out
}

fn iax(source: u16, destination: u16, oseq: u8, iseq: u8, command: Command, elements: &[Element<'_>]) -> Vec<u8> {
    full(source, destination, oseq, iseq, Kind::Iax(command), elements)
}

fn new(source: u16, rest: &[Element<'_>]) -> Vec<u8> {
    let mut list = vec![Element::Version(2), Element::CalledNumber(b"600"), Element::Format(Formats(4))];
    list.push(Element::Capability(Formats(4)));
    list.extend_from_slice(rest);
    iax(source, 0, 0, 0, Command::New, &list)
}

/// What one server sends to a hand-made client.
struct Raw {
    net: Net,
    seen: usize,
}

impl Raw {
    fn new(peers: impl IntoIterator<Item = PeerConfig>) -> Self {
        let mut net = Net::new(11, Weather::FINE);
        net.add(address(B), Config::default());
        for peer in peers {
            net.at(address(B), |e, now| e.add_peer(now, peer)).unwrap();
        }
        net.trace = Some(Vec::new());
        Self { net, seen: 0 }
    }

    fn send_from(&mut self, from: SocketAddr, bytes: &[u8]) -> Vec<(FullHeader, Vec<u8>)> {
        self.net.inject(from, address(B), bytes);
        self.net.run(Duration::from_millis(10));
        self.drawn()
    }

    fn send(&mut self, bytes: &[u8]) -> Vec<(FullHeader, Vec<u8>)> {
        self.send_from(address(RAW), bytes)
    }

    fn drawn(&mut self) -> Vec<(FullHeader, Vec<u8>)> {
        let trace = self.net.trace.as_ref().unwrap();
        let drawn = trace[self.seen..].iter().filter_map(|(_, _, _, bytes)| match Frame::parse(bytes).unwrap() {
            Frame::Full(full) => Some((full.header, full.payload.to_vec())),
            _ => None,
        });
        let drawn = drawn.collect();
        self.seen = trace.len();
        drawn
    }

    fn snapshot(&self) -> Snapshot {
        self.net.endpoints[&address(B)].snapshot()
    }

    /// Sends a request that asks for a token, and again with it; returns what that drew.
    fn with_token(&mut self, build: impl Fn(&[u8]) -> Vec<u8>) -> Vec<(FullHeader, Vec<u8>)> {
        let drawn = self.send(&build(b""));
        assert_eq!(drawn[0].0.kind, Kind::Iax(Command::CallToken));
        let token = Elements::parse(&drawn[0].1).unwrap().data(id::CALL_TOKEN).unwrap().to_vec();
        self.send(&build(&token))
    }
}

fn commands(drawn: &[(FullHeader, Vec<u8>)]) -> Vec<Command> {
    drawn
        .iter()
        .filter_map(|(header, _)| match header.kind {
            Kind::Iax(command) if command != Command::Ack => Some(command),
            _ => None,
        })
        .collect()
}

fn guest() -> PeerConfig {
    let mut peer = PeerConfig::new("guest");
    peer.token = TokenPolicy::NotRequired;
    peer
}

fn user(name: &str) -> PeerConfig {
    let mut peer = PeerConfig::new(name).with_secret("1234").dynamic();
    peer.token = TokenPolicy::NotRequired;
    peer
}

// Trunks.

#[test]
fn a_trunk_entry_has_its_length_second_without_timestamps_and_first_with_them() {
    let entry = |timestamp| {
        let mut out = Vec::new();
        Entry { source_call: 0x4001, timestamp, payload: &[9] }.encode(&mut out);
        out
    };
    assert_eq!(entry(None), [0x40, 1, 0, 1, 9]);
    assert_eq!(entry(Some(7)), [0, 1, 0x40, 1, 0, 7, 9]);
}

#[test]
fn an_unknown_call_in_a_trunk_frame_is_skipped_by_its_length() {
    let mut raw = Raw::new([guest()]);
    let drawn = raw.send(&new(5, &[Element::Username(b"guest")]));
    let theirs = drawn[0].0.source_call;
    raw.net.run(Duration::from_millis(5));
    let call = raw.net.endpoints[&address(B)].calls().next().unwrap();
    raw.net.at(address(B), |e, now| e.answer(now, call)).unwrap();
    let voice = [0u8; 160];
    raw.send(&iax(5, theirs, 1, 3, Command::Ack, &[]));
    let header = FullHeader {
        source_call: 5,
        retransmission: false,
        destination_call: theirs,
        timestamp: 20,
        oseq: 1,
        iseq: 2,
        kind: Kind::Voice(frame::Subclass::from(Format::ULAW)),
    };
    let mut first = Vec::new();
    Full { header, payload: &voice }.encode(&mut first);
    raw.send(&first);
    let mut trunk = Vec::new();
    TrunkHeader { command_data: 0, timestamp: 20 }.encode(&mut trunk);
    for (call, byte) in [(99, 1u8), (5, 2), (98, 3)] {
        Entry { source_call: call, timestamp: None, payload: &[byte; 160] }.encode(&mut trunk);
    }
    raw.send(&trunk);
    let heard: Vec<_> = raw
        .net
        .take(address(B))
        .into_iter()
        .filter_map(|event| match event {
            Event::Voice { payload, .. } => Some(payload[0]),
            _ => None,
        })
        .collect();
    assert_eq!(heard, [0, 2]);
}

#[test]
fn a_trunk_is_sent_every_20_ms_in_frames_of_1240_bytes_and_never_with_a_timestamp_of_0() {
    let mut net = Net::new(3, Weather::FINE);
    let (a, b) = (address(A), address(B));
    for (at, other, name) in [(a, b, "b"), (b, a, "a")] {
        net.add(at, Config::default());
        let mut peer = PeerConfig::new(name).at(other);
        peer.trunk = Some(TrunkMode { timestamps: true });
        net.at(at, |e, now| e.add_peer(now, peer)).unwrap();
    }
    let calls: Vec<_> = (0..20).map(|_| net.at(a, |e, now| e.dial(now, "b", &NewCall::to("1"))).unwrap()).collect();
    net.run(Duration::from_millis(20));
    for event in net.take(b) {
        if let Event::Incoming { call, .. } = event {
            net.at(b, |e, now| e.answer(now, call)).unwrap();
        }
    }
    net.run(Duration::from_millis(20));
    net.trace = Some(Vec::new());
    let start = net.now;
    for n in 0..3_400u32 {
        for call in &calls {
            assert!(call.number() >= 16_384);
            net.at(a, |e, now| e.send_voice_at(now, *call, Format::ULAW, n * 20, &[1; 160])).unwrap();
        }
        net.run(Duration::from_millis(20));
    }
    // One that is late: its short timestamp is 0, and it is not the first after the wrap.
    net.at(a, |e, now| e.send_voice_at(now, calls[0], Format::ULAW, 65_536, &[1; 160])).unwrap();
    net.run(Duration::from_millis(20));
    let (mut frames, mut moments) = (0, Vec::new());
    for (at, from, _, bytes) in net.trace.as_ref().unwrap() {
        if let (true, Frame::Trunk(trunk)) = (*from == a, Frame::parse(bytes).unwrap()) {
            assert!(bytes.len() <= 1240);
            assert!(trunk.entries().all(|entry| entry.unwrap().timestamp.unwrap() != 0), "0 means that there is none");
            frames += 1;
            moments.push((*at - start).as_millis() / 20);
        }
    }
    moments.dedup();
    assert!(frames >= 3 * 3_390, "20 calls make three frames of seven: {frames}");
    assert!(moments.windows(2).all(|pair| pair[1] - pair[0] <= 2), "at each interval");
}

#[test]
fn a_writer_told_to_send_more_than_its_limit_does_not() {
    let mut writer = TrunkWriter::new(false, 1240);
    while writer.push(16_385, 0, &[0; 160]) {}
    assert_eq!(writer.entries(), 7);
    assert!(writer.finish(0, <[u8]>::len).unwrap() <= 1240);
}

// Call tokens.

#[test]
fn a_request_that_offers_tokens_gets_one_and_is_resent_with_numbers_from_0() {
    let mut net = Net::new(3, Weather::FINE);
    let (a, b) = (address(A), address(B));
    net.add(a, Config::default());
    net.add(b, Config::default());
    net.at(a, |e, now| e.add_peer(now, PeerConfig::new("b").at(b))).unwrap();
    net.at(b, |e, now| e.add_peer(now, PeerConfig::new("anybody"))).unwrap();
    net.trace = Some(Vec::new());
    net.at(a, |e, now| e.dial(now, "b", &NewCall::to("1"))).unwrap();
    net.run(Duration::from_millis(20));
    let mut news = Vec::new();
    for (_, _, _, bytes) in net.trace.as_ref().unwrap() {
        let Frame::Full(full) = Frame::parse(bytes).unwrap() else { panic!() };
        match full.header.kind {
            Kind::Iax(Command::New) => {
                assert_eq!((full.header.oseq, full.header.iseq, full.header.destination_call), (0, 0, 0));
                news.push(full.elements().unwrap().data(id::CALL_TOKEN).unwrap().len());
            }
            Kind::Iax(Command::CallToken) => {
                assert_eq!((full.header.source_call, full.header.oseq, full.header.iseq), (1, 0, 1));
            }
            _ => {}
        }
    }
    assert_eq!(news, [0, 27]);
}

#[test]
fn a_token_of_another_stack_is_returned_byte_for_byte_up_to_255_bytes() {
    let mut net = Net::new(3, Weather::FINE);
    let a = address(A);
    net.add(a, Config::default());
    net.at(a, |e, now| e.add_peer(now, PeerConfig::new("b").at(address(RAW)))).unwrap();
    net.trace = Some(Vec::new());
    let call = net.at(a, |e, now| e.dial(now, "b", &NewCall::to("1"))).unwrap();
    let token: Vec<u8> = (1..=255).collect();
    net.inject(address(RAW), a, &iax(1, call.number(), 0, 1, Command::CallToken, &[Element::CallToken(&token)]));
    net.run(Duration::from_millis(10));
    let (_, _, _, last) = net.trace.as_ref().unwrap().last().unwrap();
    let Frame::Full(full) = Frame::parse(last).unwrap() else { panic!() };
    assert_eq!(full.elements().unwrap().data(id::CALL_TOKEN), Some(&token[..]));
}

#[test]
fn a_failed_token_check_draws_a_bare_reject_or_regrej() {
    let mut strict = user("alice");
    strict.token = TokenPolicy::Required;
    let mut raw = Raw::new([strict]);
    for token in [None, Some(&b"\0\xff\x01"[..]), Some(b"1234567890?deadbeef"), Some(&[b'A'; 27])] {
        let token = token.map(Element::CallToken);
        let mut list = vec![Element::Username(b"alice")];
        list.extend(token);
        let drawn = raw.send(&new(5, &list));
        assert_eq!((commands(&drawn), drawn[0].1.len()), (vec![Command::Reject], 0));
        let drawn = raw.send(&iax(6, 0, 0, 0, Command::RegReq, &list));
        assert_eq!((commands(&drawn), drawn[0].1.len()), (vec![Command::RegRej], 0));
    }
    let snapshot = raw.snapshot();
    assert_eq!((snapshot.calls, snapshot.exchanges, snapshot.counters.tokens_refused), (0, 0, 8));
}

#[test]
fn token_policy_auto_asks_for_none_until_one_was_used() {
    let mut auto = user("alice");
    auto.token = TokenPolicy::Auto;
    let mut raw = Raw::new([auto]);
    assert_eq!(commands(&raw.send(&new(5, &[Element::Username(b"alice")]))), [Command::AuthReq]);
    let drawn = raw.with_token(|token| new(6, &[Element::Username(b"alice"), Element::CallToken(token)]));
    assert_eq!(commands(&drawn), [Command::AuthReq]);
    assert_eq!(commands(&raw.send(&new(7, &[Element::Username(b"alice")]))), [Command::Reject]);
}

#[test]
fn exempt_addresses_need_no_token() {
    let mut net = Net::new(3, Weather::FINE);
    let b = address(B);
    let mut config = Config::default();
    config.token_exempt = vec![Network::new(address(RAW).ip(), 24)];
    net.add(b, config);
    let mut strict = user("alice");
    strict.token = TokenPolicy::Required;
    net.at(b, |e, now| e.add_peer(now, strict)).unwrap();
    let mut raw = Raw { net, seen: 0 };
    raw.net.trace = Some(Vec::new());
    assert_eq!(commands(&raw.send(&new(5, &[Element::Username(b"alice")]))), [Command::AuthReq]);
    let other = raw.send_from(address("198.51.100.1:4569"), &new(5, &[Element::Username(b"alice")]));
    assert_eq!(commands(&other), [Command::Reject]);
}

// Authentication.

#[test]
fn a_new_without_username_is_matched_to_the_best_user_who_is_named_in_the_authreq() {
    let mut here = user("here");
    here.allowed = vec![Network::new(address(RAW).ip(), 32)];
    let mut elsewhere = user("elsewhere");
    elsewhere.contexts = vec!["other".into()];
    let mut raw = Raw::new([user("zzz"), here, elsewhere]);
    let ask = |context: &'static [u8], number| {
        move |token: &[u8]| new(number, &[Element::CalledContext(context), Element::CallToken(token)])
    };
    let drawn = raw.with_token(ask(b"inside", 5));
    assert_eq!(Elements::parse(&drawn[0].1).unwrap().data(id::USERNAME), Some(&b"here"[..]));
    // A guest is better still: no challenge.
    raw.net.at(address(B), |e, now| e.add_peer(now, PeerConfig::new("guest"))).unwrap();
    let drawn = raw.with_token(ask(b"inside", 6));
    assert!(commands(&drawn).is_empty());
    assert!(matches!(&raw.net.take(address(B))[..], [Event::Incoming { peer, .. }] if &**peer == "guest"));
}

#[test]
fn an_unknown_name_draws_the_same_frames_as_a_wrong_secret() {
    let mut raw = Raw::new([user("alice")]);
    raw.net.at(address(B), |e, _| e.snapshot());
    let shape = |drawn: &[(FullHeader, Vec<u8>)]| {
        let ids = |payload: &[u8]| {
            Elements::parse(payload)
                .unwrap()
                .iter()
                .map(|e| {
                    (
                        e.id(),
                        match e {
                            Element::Challenge(c) => vec![0; usize::from(!c.is_empty())],
                            Element::Username(_) => vec![],
                            e => {
                                let mut out = Vec::new();
                                e.encode(&mut out);
                                out
                            }
                        },
                    )
                })
                .collect::<Vec<_>>()
        };
        drawn.iter().map(|(header, payload)| (header.kind, header.oseq, header.iseq, ids(payload))).collect::<Vec<_>>()
    };
    let mut shapes = Vec::new();
    for (number, name) in [(5u16, &b"alice"[..]), (6, b"nobody")] {
        let wrong = Element::Md5Result(&[b'0'; 32]);
        let mut all = Vec::new();
        for (number, first) in [(number, Command::New), (number + 10, Command::RegReq)] {
            let drawn = raw.with_token(|token| match first {
                Command::New => new(number, &[Element::Username(name), Element::CallToken(token)]),
                _ => iax(number, 0, 0, 0, first, &[Element::Username(name), Element::CallToken(token)]),
            });
            all.extend(shape(&drawn));
            let theirs = drawn[0].0.source_call;
            let answer = if first == Command::New { Command::AuthRep } else { Command::RegReq };
            all.extend(shape(&raw.send(&iax(number, theirs, 1, 1, answer, &[Element::Username(name), wrong]))));
        }
        shapes.push(all);
    }
    assert_eq!(shapes[0], shapes[1]);
    assert!(shapes[0].iter().any(|(kind, ..)| *kind == Kind::Iax(Command::Reject)));
    assert!(shapes[0].iter().any(|(kind, ..)| *kind == Kind::Iax(Command::RegRej)));
}

#[test]
fn an_unknown_name_costs_the_same_work_as_a_known_one() {
    // Both are judged by the same number of digests: as many as any peer has secrets.
    let mut many = user("alice");
    many.secrets = (0..50).map(|n| Secret::new(format!("secret {n}"))).collect();
    let mut raw = Raw::new([many]);
    let mut spent = [Duration::MAX; 2];
    for round in 0..60u16 {
        for (which, name) in [&b"alice"[..], b"nobody"].into_iter().enumerate() {
            let number = 100 + round * 2 + which as u16;
            let drawn = raw.with_token(|token| new(number, &[Element::Username(name), Element::CallToken(token)]));
            let theirs = drawn[0].0.source_call;
            let wrong = iax(number, theirs, 1, 1, Command::AuthRep, &[Element::Md5Result(&[b'0'; 32])]);
            let input = Input::Datagram { source: address(RAW), payload: wrong.into() };
            let now = raw.net.now;
            let endpoint = raw.net.endpoints.get_mut(&address(B)).unwrap();
            #[expect(clippy::disallowed_methods, reason = "time is what is measured")]
            let begin = std::time::Instant::now();
            endpoint.handle_input(now, input);
            // The quickest of each: a busy machine only ever makes one slower.
            spent[which] = spent[which].min(begin.elapsed());
            raw.net.at(address(B), |_, _| ());
            raw.drawn();
        }
    }
    let ratio = spent[0].as_secs_f64() / spent[1].as_secs_f64();
    // Without the dummies it would be near fifty.
    assert!((0.3..3.0).contains(&ratio), "{spent:?}");
}

#[test]
fn a_secret_in_clear_is_neither_asked_for_nor_sent_unless_told_so() {
    let mut raw = Raw::new([user("alice")]);
    let drawn = raw.send(&new(5, &[Element::Username(b"alice")]));
    let elements = Elements::parse(&drawn[0].1).unwrap();
    assert_eq!(elements.get(id::AUTH_METHODS), Some(Element::AuthMethods(AuthMethods::MD5)));
    let theirs = drawn[0].0.source_call;
    let drawn = raw.send(&iax(5, theirs, 1, 1, Command::AuthRep, &[Element::Password(b"1234")]));
    assert_eq!(commands(&drawn), [Command::Reject]);
}

// Numbers, timers, liveness.

#[test]
fn pong_and_lagrp_echo_the_timestamp_and_acknowledgements_take_no_number() {
    let mut raw = Raw::new([guest()]);
    let drawn = raw.send(&new(5, &[Element::Username(b"guest")]));
    let theirs = drawn[0].0.source_call;
    let call = raw.net.endpoints[&address(B)].calls().next().unwrap();
    raw.net.at(address(B), |e, now| e.answer(now, call)).unwrap();
    raw.send(&iax(5, theirs, 1, 2, Command::Ack, &[]));
    for (oseq, ask, answer) in [(1, Command::Ping, Command::Pong), (2, Command::LagRq, Command::LagRp)] {
        let mut frame = iax(5, theirs, oseq, 2 + oseq - 1, ask, &[]);
        frame[4..8].copy_from_slice(&77_777u32.to_be_bytes());
        let drawn = raw.send(&frame);
        assert_eq!((drawn[0].0.kind, drawn[0].0.timestamp), (Kind::Iax(answer), 77_777));
        assert_eq!(drawn[0].0.oseq, 2 + oseq - 1, "after ACCEPT and ANSWER, ACKs between not counted");
    }
}

#[test]
fn a_call_is_pinged_every_21_s_and_its_lag_asked_for_every_10() {
    let mut net = Net::new(3, Weather::FINE);
    let (a, b) = (address(A), address(B));
    net.add(a, Config::default());
    net.add(b, Config::default());
    net.at(a, |e, now| e.add_peer(now, PeerConfig::new("b").at(b))).unwrap();
    net.at(b, |e, now| e.add_peer(now, PeerConfig::new("a"))).unwrap();
    net.at(a, |e, now| e.dial(now, "b", &NewCall::to("1"))).unwrap();
    net.run(Duration::from_millis(20));
    let Event::Incoming { call, .. } = net.take(b).remove(0) else { panic!() };
    net.at(b, |e, now| e.answer(now, call)).unwrap();
    let start = net.start;
    net.trace = Some(Vec::new());
    net.run(Duration::from_secs(65));
    let mut times = [Vec::new(), Vec::new()];
    for (at, from, _, bytes) in net.trace.as_ref().unwrap() {
        if let (true, Frame::Full(full)) = (*from == a, Frame::parse(bytes).unwrap()) {
            match full.header.kind {
                Kind::Iax(Command::Ping) => times[0].push((*at - start).as_secs()),
                Kind::Iax(Command::LagRq) => times[1].push((*at - start).as_secs()),
                _ => {}
            }
        }
    }
    assert_eq!(times, [vec![21, 42, 63], vec![10, 20, 30, 40, 50, 60]]);
}

#[test]
fn retransmission_starts_near_twice_the_round_trip_and_grows_tenfold_to_10_s() {
    let mut net = Net::new(3, Weather { delay: Duration::from_millis(150), ..Weather::FINE });
    let (a, b) = (address(A), address(B));
    net.add(a, Config::default());
    net.add(b, Config::default());
    net.at(a, |e, now| e.add_peer(now, PeerConfig::new("b").at(b))).unwrap();
    net.at(b, |e, now| e.add_peer(now, PeerConfig::new("a"))).unwrap();
    let call = net.at(a, |e, now| e.dial(now, "b", &NewCall::to("1"))).unwrap();
    net.run(Duration::from_secs(2));
    let Event::Incoming { call: theirs, .. } = net.take(b).remove(0) else { panic!() };
    net.at(b, |e, now| e.answer(now, theirs)).unwrap();
    net.run(Duration::from_secs(12));
    // The round trip is known now: 300 ms. The peer falls silent.
    net.endpoints.remove(&b);
    net.trace = Some(Vec::new());
    let start = net.now;
    net.at(a, |e, now| e.send_text(now, call, "hello?")).unwrap();
    net.run(Duration::from_secs(50));
    let sent: Vec<_> = net
        .trace
        .as_ref()
        .unwrap()
        .iter()
        .filter_map(|(at, _, _, bytes)| match Frame::parse(bytes) {
            Ok(Frame::Full(full)) if full.header.kind == Kind::Text(0) => {
                Some(((*at - start).as_millis(), full.header.retransmission))
            }
            _ => None,
        })
        .collect();
    assert_eq!(
        sent,
        [(0, false), (600, true), (6_600, true), (16_600, true), (26_600, true)],
        "four times, then the call is lost"
    );
}

#[test]
fn voice_before_a_full_voice_frame_draws_a_vnak_ten_times_a_second_at_most() {
    let mut raw = Raw::new([guest()]);
    let drawn = raw.send(&new(5, &[Element::Username(b"guest")]));
    let theirs = drawn[0].0.source_call;
    let call = raw.net.endpoints[&address(B)].calls().next().unwrap();
    raw.net.at(address(B), |e, now| e.answer(now, call)).unwrap();
    raw.send(&iax(5, theirs, 1, 2, Command::Ack, &[]));
    raw.drawn();
    let mut vnaks = 0;
    for n in 0..50u16 {
        let mut mini = Vec::new();
        Mini { source_call: 5, timestamp: n * 20, payload: &[0; 160] }.encode(&mut mini);
        vnaks += commands(&raw.send(&mini)).iter().filter(|command| **command == Command::Vnak).count();
        raw.net.run(Duration::from_millis(10));
    }
    assert!((8..=11).contains(&vnaks), "{vnaks} in one second");
    assert!(!raw.net.take(address(B)).iter().any(|event| matches!(event, Event::Voice { .. })));
}

// Encryption.

#[test]
fn a_caller_who_offers_8001_gets_rtkey_before_the_first_voice_and_one_who_offers_0001_gets_none() {
    for rotation in [false, true] {
        let mut peer = user("alice");
        peer.encryption = Encryption::Offered;
        let mut raw = Raw::new([peer]);
        let methods = if rotation {
            EncryptionMethods::AES128 | EncryptionMethods::KEY_ROTATION
        } else {
            EncryptionMethods::AES128
        };
        let drawn = raw.send(&new(5, &[Element::Username(b"alice"), Element::Encryption(methods)]));
        let elements = Elements::parse(&drawn[0].1).unwrap();
        assert_eq!(elements.get(id::ENCRYPTION), Some(Element::Encryption(methods)));
    }
    // That RTKEY comes first is seen between two endpoints: all after AUTHREQ is senseless to who has no key.
    let mut net = Net::new(3, Weather::FINE);
    let (a, b) = (address(A), address(B));
    for (at, other, name) in [(a, b, "b"), (b, a, "a")] {
        net.add(at, Config::default());
        let mut peer = PeerConfig::new(name).with_secret("1234").at(other);
        peer.credentials = Credentials::new(if name == "b" { "a" } else { "b" }, "1234");
        peer.encryption = Encryption::Required;
        net.at(at, |e, now| e.add_peer(now, peer)).unwrap();
    }
    net.trace = Some(Vec::new());
    let call = net.at(a, |e, now| e.dial(now, "b", &NewCall::to("1"))).unwrap();
    net.run(Duration::from_millis(20));
    let Event::Incoming { call: theirs, .. } = net.take(b).remove(0) else { panic!() };
    net.at(b, |e, now| e.answer(now, theirs)).unwrap();
    net.run(Duration::from_millis(20));
    let before = net.trace.as_ref().unwrap().len();
    net.at(a, |e, now| e.send_voice(now, call, &[0; 160])).unwrap();
    let sent: Vec<usize> = net.trace.as_ref().unwrap()[before..].iter().map(|(_, _, _, bytes)| bytes.len()).collect();
    assert_eq!(sent.len(), 2, "RTKEY, then voice");
    assert!(sent[0] < 80 && sent[1] > 160);
    let plain = net.trace.as_ref().unwrap().iter().filter(|(_, _, _, bytes)| match Frame::parse(bytes) {
        Ok(Frame::Full(full)) => matches!(full.header.kind, Kind::Iax(Command::AuthRep | Command::Accept)),
        _ => false,
    });
    assert_eq!(plain.count(), 0, "encryption begins at AUTHREP");
}

#[test]
fn who_must_be_encrypted_and_is_not_is_refused_like_a_wrong_secret() {
    let mut peer = user("alice");
    peer.encryption = Encryption::Required;
    let mut raw = Raw::new([peer]);
    let drawn = raw.send(&new(5, &[Element::Username(b"alice")]));
    assert_eq!(commands(&drawn), [Command::AuthReq]);
    let theirs = drawn[0].0.source_call;
    let drawn = raw.send(&iax(5, theirs, 1, 1, Command::AuthRep, &[Element::Md5Result(&[b'0'; 32])]));
    assert_eq!(commands(&drawn), [Command::Reject]);
}

#[test]
fn encryption_without_a_secret_is_refused_as_configuration() {
    let mut net = Net::new(3, Weather::FINE);
    net.add(address(A), Config::default());
    let mut peer = PeerConfig::new("p");
    peer.encryption = Encryption::Required;
    peer.trunk = Some(TrunkMode::default());
    assert_eq!(net.at(address(A), |e, now| e.add_peer(now, peer)), Err(ConfigError::NoSecret));
}

#[test]
fn a_text_ends_with_nul_on_the_wire() {
    let mut raw = Raw::new([guest()]);
    let drawn = raw.send(&new(5, &[Element::Username(b"guest")]));
    let call = raw.net.endpoints[&address(B)].calls().next().unwrap();
    raw.net.at(address(B), |e, now| e.answer(now, call)).unwrap();
    raw.send(&iax(5, drawn[0].0.source_call, 1, 2, Command::Ack, &[]));
    raw.drawn();
    raw.net.at(address(B), |e, now| e.send_text(now, call, "hi")).unwrap();
    assert_eq!(raw.drawn()[0].1, b"hi\0");
}

// Strangers.

#[test]
fn poke_gets_pong_at_once_without_a_token() {
    let mut raw = Raw::new([]);
    for elements in [&[][..], &[Element::CallToken(b"")]] {
        let drawn = raw.send(&iax(5, 0, 0, 0, Command::Poke, elements));
        assert_eq!(commands(&drawn), [Command::Pong]);
        assert_eq!((drawn[0].0.source_call, drawn[0].0.iseq, drawn[0].0.timestamp), (1, 1, 3));
    }
}

#[test]
fn frames_for_unknown_calls_draw_nothing() {
    let mut raw = Raw::new([guest()]);
    for command in [Command::Ping, Command::Hangup, Command::LagRq, Command::Ack, Command::Inval, Command::TxCnt] {
        assert!(raw.send(&iax(5, 1234, 0, 0, command, &[])).is_empty());
    }
    for command in [Command::Other(55), Command::Other(100), Command::Ping, Command::Accept] {
        assert!(raw.send(&iax(5, 0, 0, 0, command, &[])).is_empty());
    }
    assert_eq!(raw.snapshot().calls, 0);
}

#[test]
fn negative_and_lying_lengths_are_errors_and_nothing_else() {
    // The CVE of 2006, and again of 2026: a data length below the header's, taken as a large number.
    let mut raw = Raw::new([guest()]);
    for len in 0..12 {
        raw.send(&vec![0x80; len]);
        raw.send(&vec![0x00; len]);
        raw.send(&[vec![0, 0, 1, 1], vec![0; len]].concat());
    }
    let mut lying = new(5, &[Element::Username(b"guest")]);
    let last = lying.len() - 6;
    lying[last] = 0xff;
    assert!(raw.send(&lying).is_empty(), "elements that run over the end");
    assert_eq!(raw.snapshot().calls, 0);
    assert!(raw.snapshot().counters.malformed > 20);
}

#[test]
fn a_flood_of_new_from_spoofed_addresses_takes_no_memory() {
    let mut strict = user("alice");
    strict.token = TokenPolicy::Required;
    let mut raw = Raw::new([strict]);
    for n in 0..5_000u32 {
        let from = SocketAddr::new(std::net::Ipv4Addr::from(0x0a00_0000 + n).into(), 4569);
        raw.net.inject(from, address(B), &new(5, &[Element::Username(b"alice"), Element::CallToken(b"")]));
        raw.net.inject(from, address(B), &new(6, &[Element::Username(b"alice")]));
    }
    raw.net.run(Duration::from_millis(10));
    let snapshot = raw.snapshot();
    assert_eq!((snapshot.calls, snapshot.addresses, snapshot.lingering, snapshot.timers), (0, 0, 0, 0));
    assert_eq!(snapshot.counters.tokens_sent, 5_000);
}

#[test]
fn call_numbers_are_bounded_for_strangers_for_an_address_and_in_all() {
    let mut raw = Raw::new([guest()]);
    for n in 0..3_000u16 {
        raw.net.inject(address(RAW), address(B), &new(2 + n, &[Element::Username(b"guest")]));
    }
    raw.net.run(Duration::from_millis(10));
    assert_eq!(raw.snapshot().calls, 1_024, "addresses that no token proved share a budget");
    let refused = raw.snapshot().counters.refused_by_limit;
    assert_eq!(refused, 3_000 - 1_024);
    // One address with good tokens, too.
    let mut net = Net::new(3, Weather::FINE);
    let mut config = Config::default();
    config.max_legs_per_address = 100;
    net.add(address(B), config);
    net.at(address(B), |e, now| e.add_peer(now, guest())).unwrap();
    net.trace = Some(Vec::new());
    let mut raw = Raw { net, seen: 0 };
    for n in 0..150u16 {
        raw.with_token(|token| new(2 + n, &[Element::Username(b"guest"), Element::CallToken(token)]));
    }
    assert_eq!(raw.snapshot().calls, 100);
}

#[test]
fn calls_begun_and_ended_at_once_do_not_use_up_the_call_numbers() {
    let mut net = Net::new(3, Weather::FINE);
    let mut config = Config::default();
    config.max_lingering = 10;
    net.add(address(B), config);
    net.at(address(B), |e, now| e.add_peer(now, guest())).unwrap();
    net.trace = Some(Vec::new());
    let mut raw = Raw { net, seen: 0 };
    for n in 0..50u16 {
        let drawn = raw.send(&new(2 + n, &[Element::Username(b"guest")]));
        let theirs = drawn[0].0.source_call;
        raw.send(&iax(2 + n, theirs, 1, 1, Command::Hangup, &[]));
    }
    let snapshot = raw.snapshot();
    assert_eq!((snapshot.calls, snapshot.lingering, snapshot.indexed), (0, 10, 10));
}

#[test]
fn a_flood_of_poke_draws_one_small_answer_each() {
    let mut raw = Raw::new([]);
    let poke = iax(5, 0, 0, 0, Command::Poke, &[]);
    for _ in 0..10_000 {
        raw.net.inject(address(RAW), address(B), &poke);
    }
    raw.net.run(Duration::from_millis(10));
    let trace = raw.net.trace.as_ref().unwrap();
    assert_eq!(trace.len(), 10_000);
    assert!(trace.iter().all(|(_, _, _, bytes)| bytes.len() <= poke.len()));
    let snapshot = raw.snapshot();
    assert_eq!((snapshot.exchanges, snapshot.timers), (0, 0));
}

#[test]
fn an_address_that_never_answers_gets_at_most_three_times_what_came_from_it() {
    let mut strict = user("strict");
    strict.token = TokenPolicy::Required;
    let requests = [
        new(5, &[Element::Username(b"alice")]),
        new(6, &[Element::Username(b"guest")]),
        new(7, &[Element::Username(b"strict"), Element::CallToken(b"")]),
        iax(8, 0, 0, 0, Command::RegReq, &[Element::Username(b"alice")]),
        iax(9, 0, 0, 0, Command::RegReq, &[Element::Username(b"s"), Element::CallToken(b"")]),
        iax(10, 0, 0, 0, Command::Poke, &[]),
        iax(11, 0, 0, 0, Command::New, &[Element::Version(2), Element::CallToken(b"")]),
    ];
    for request in requests {
        let mut raw = Raw::new([user("alice"), guest(), strict.clone()]);
        raw.send(&request);
        // A guest's call is answered, too, and spoken into.
        let calls: Vec<_> = raw.net.endpoints[&address(B)].calls().collect();
        for call in calls {
            let b = address(B);
            let _answered = raw.net.at(b, |e, now| e.answer(now, call));
            let _refused = raw.net.at(b, |e, now| e.send_voice(now, call, &[0; 160]));
        }
        raw.net.run(Duration::from_secs(120));
        let sent: usize = raw.net.trace.as_ref().unwrap().iter().map(|(_, _, _, bytes)| bytes.len()).sum();
        assert!(sent <= 3 * request.len(), "{sent} for {}", request.len());
        let snapshot = raw.snapshot();
        assert_eq!((snapshot.calls, snapshot.exchanges, snapshot.unvalidated), (0, 0, 0), "and is forgotten");
    }
}

#[test]
fn a_spoofed_handshake_gets_no_media_and_gives_none() {
    let mut raw = Raw::new([guest()]);
    raw.send(&new(5, &[Element::Username(b"guest")]));
    let b = address(B);
    let call = raw.net.endpoints[&b].calls().next().unwrap();
    raw.net.at(b, |e, now| e.answer(now, call)).unwrap();
    raw.net.take(b);
    // Who does not see our answers does not know our number: media by the caller's own number is not taken.
    let mut mini = Vec::new();
    Mini { source_call: 5, timestamp: 20, payload: &[0; 160] }.encode(&mut mini);
    raw.send(&mini);
    let guessed = if call.number() == 77 { 78 } else { 77 };
    let mut voice = full(5, guessed, 1, 2, Kind::Voice(frame::Subclass::from(Format::ULAW)), &[]);
    voice.extend_from_slice(&[0; 160]);
    raw.send(&voice);
    assert!(raw.net.take(b).is_empty());
    assert_eq!(raw.net.at(b, |e, now| e.send_voice(now, call, &[0; 160])), Err(CommandError::Unvalidated));
    // The real caller acknowledges with our number.
    raw.send(&iax(5, call.number(), 1, 2, Command::Ack, &[]));
    raw.net.at(b, |e, now| e.send_voice(now, call, &[0; 160])).unwrap();
}

#[test]
fn a_frame_of_a_call_from_another_address_changes_nothing() {
    let mut raw = Raw::new([guest()]);
    let drawn = raw.send(&new(5, &[Element::Username(b"guest")]));
    let theirs = drawn[0].0.source_call;
    let other = address("198.51.100.66:4569");
    assert!(raw.send_from(other, &iax(5, theirs, 1, 1, Command::Hangup, &[])).is_empty());
    assert!(raw.send(&iax(6, theirs, 1, 1, Command::Hangup, &[])).is_empty(), "nor one of another number");
    assert_eq!(raw.snapshot().calls, 1);
}

#[test]
fn a_repeated_new_of_a_finished_call_does_not_begin_it_again() {
    let mut raw = Raw::new([guest()]);
    let request = new(5, &[Element::Username(b"guest")]);
    let drawn = raw.send(&request);
    let theirs = drawn[0].0.source_call;
    raw.send(&iax(5, theirs, 1, 1, Command::Hangup, &[]));
    raw.net.take(address(B));
    let drawn = raw.send(&request);
    assert_eq!(drawn[0].0.kind, Kind::Iax(Command::Ack));
    assert!(raw.net.take(address(B)).is_empty());
    assert_eq!(raw.snapshot().calls, 0);
    // The HANGUP, repeated because its acknowledgement was lost, is acknowledged again.
    let drawn = raw.send(&iax(5, theirs, 1, 1, Command::Hangup, &[]));
    assert_eq!((drawn.len(), drawn[0].0.kind), (1, Kind::Iax(Command::Ack)));
    // And what comes after it is not valid any more.
    let drawn = raw.send(&iax(5, theirs, 2, 1, Command::Ping, &[]));
    assert_eq!(commands(&drawn), [Command::Inval]);
}
