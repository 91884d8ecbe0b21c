//! The relay against phones, NATs and strangers.

use super::*;
use crate::Header;
use crate::dtmf::{Presses, TelephoneEvent};
use crate::rtcp::{self, Block, Compound, ReceiverReport, SenderReport};
use std::net::IpAddr;

const SECOND: Duration = Duration::from_secs(1);
const PACKET: Duration = Duration::from_millis(20);

/// A call between two phones, and the virtual clock.
struct Call {
    relay: Relay,
    now: Instant,
    alice: SocketAddr,
    bob: SocketAddr,
}

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn host(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn call() -> Call {
    call_with(Config::default())
}

fn call_with(config: Config) -> Call {
    #[expect(clippy::disallowed_methods, reason = "a beginning for the virtual clock")]
    let now = Instant::now();
    let (alice, bob) = (address("192.0.2.1:4000"), address("192.0.2.2:5000"));
    let mut relay = Relay::new(now, config);
    relay.expect(now, Side::Caller, Expected::new(alice));
    relay.expect(now, Side::Callee, Expected::new(bob));
    Call { relay, now, alice, bob }
}

fn packet(ssrc: u32, sequence: u16) -> BytesMut {
    let mut bytes = BytesMut::new();
    let timestamp = u32::from(sequence) * 160;
    Header { ssrc, sequence, timestamp, ..Default::default() }.encode_packet(&[0xff; 160], 0, &mut bytes);
    bytes
}

fn report(ssrc: u32) -> BytesMut {
    let mut bytes = BytesMut::new();
    rtcp::Packet::ReceiverReport(ReceiverReport { ssrc, ..Default::default() }).encode(&mut bytes);
    bytes
}

impl Call {
    fn send(&mut self, from: Side, source: SocketAddr, ssrc: u32, sequence: u16) -> Verdict {
        self.relay.forward(self.now, from, source, &mut packet(ssrc, sequence))
    }

    /// Sends `count` packets in a row, and returns the last verdict.
    fn stream(&mut self, from: Side, source: SocketAddr, ssrc: u32, first: u16, count: u16) -> Verdict {
        let mut verdict = Verdict::Drop(Reason::Malformed);
        for index in 0..count {
            verdict = self.send(from, source, ssrc, first.wrapping_add(index));
            self.now += PACKET;
        }
        verdict
    }

    fn events(&mut self) -> Vec<Event> {
        std::iter::from_fn(|| self.relay.poll_event()).collect()
    }
}

#[test]
fn media_between_two_named_addresses_is_relayed_from_the_first_packet() {
    let mut call = call();
    for sequence in 0..50 {
        assert_eq!(call.send(Side::Caller, call.alice, 1, sequence), Verdict::Forward(call.bob));
        assert_eq!(call.send(Side::Callee, call.bob, 2, sequence), Verdict::Forward(call.alice));
    }
    let snapshot = call.relay.snapshot(Side::Caller);
    assert_eq!((snapshot.packets, snapshot.octets, snapshot.lost), (50, 8_000, 0));
    assert_eq!(snapshot.dropped.total(), 0);
}

#[test]
fn a_packet_of_an_undisturbed_stream_is_forwarded_byte_exact() {
    let mut call = call();
    let before = packet(7, 9);
    let mut bytes = before.clone();
    assert_eq!(call.relay.forward(call.now, Side::Caller, call.alice, &mut bytes), Verdict::Forward(call.bob));
    assert_eq!(bytes, before);
}

#[test]
fn nothing_is_relayed_before_the_signalling_named_a_source() {
    let mut call = call();
    let mut relay = Relay::new(call.now, Config::default());
    let verdict = relay.forward(call.now, Side::Caller, call.alice, &mut packet(1, 0));
    assert_eq!(verdict, Verdict::Drop(Reason::Unexpected));
    relay.expect(call.now, Side::Caller, Expected::new(call.alice));
    let verdict = relay.forward(call.now, Side::Caller, call.alice, &mut packet(1, 1));
    assert_eq!(verdict, Verdict::Drop(Reason::Nowhere));
    relay.expect(call.now, Side::Callee, Expected::new(call.bob));
    let verdict = relay.forward(call.now, Side::Caller, call.alice, &mut packet(1, 2));
    assert_eq!(verdict, Verdict::Forward(call.bob));
    // Kept: what was heard before the answer.
    assert_eq!(relay.snapshot(Side::Caller).received, 2);
    assert!(call.events().is_empty());
}

#[test]
fn a_stranger_who_sprays_is_neither_relayed_nor_sent_to_before_the_lock() {
    let mut call = call();
    let stranger = address("198.51.100.66:4000");
    for sequence in 0..1_000 {
        assert_eq!(call.send(Side::Caller, stranger, 66, sequence), Verdict::Drop(Reason::Stranger));
    }
    assert_eq!(call.relay.destination(Side::Caller), Some(call.alice));
    assert_eq!(call.send(Side::Callee, call.bob, 2, 0), Verdict::Forward(call.alice));
    assert_eq!(call.relay.snapshot(Side::Caller).dropped.stranger, 1_000);
}

#[test]
fn a_stranger_who_sprays_is_neither_relayed_nor_sent_to_after_the_lock() {
    let mut call = call();
    let behind_nat = Expected::signalled(address("10.0.0.7:4000"), host("203.0.113.5"));
    call.relay.expect(call.now, Side::Caller, behind_nat);
    let source = address("203.0.113.5:61000");
    let _ = call.stream(Side::Caller, source, 1, 0, 3);
    for stranger in [address("198.51.100.66:61000"), address("203.0.113.5:61002"), address("10.0.0.7:4000")] {
        // Also with the right SSRC and numbers.
        assert_eq!(call.stream(Side::Caller, stranger, 1, 3, 100), Verdict::Drop(Reason::Stranger), "{stranger}");
        assert_eq!(call.send(Side::Callee, call.bob, 2, 0), Verdict::Forward(source));
    }
    assert_eq!(call.stream(Side::Caller, source, 1, 3, 1), Verdict::Forward(call.bob));
}

#[test]
fn a_phone_behind_nat_is_learned_once_from_its_signalling_host_after_the_probation() {
    let mut call = call();
    let private = address("10.0.0.7:4000");
    call.relay.expect(call.now, Side::Caller, Expected::signalled(private, host("203.0.113.5")));
    let source = address("203.0.113.5:61000");
    assert_eq!(call.send(Side::Caller, source, 1, 10), Verdict::Drop(Reason::Probation));
    assert_eq!(call.relay.destination(Side::Caller), Some(private));
    assert_eq!(call.send(Side::Caller, source, 1, 11), Verdict::Drop(Reason::Probation));
    assert_eq!(call.send(Side::Caller, source, 1, 12), Verdict::Forward(call.bob));
    assert_eq!(call.relay.destination(Side::Caller), Some(source));
    assert_eq!(call.events(), [Event::Locked { side: Side::Caller, source, learned: true }]);
}

#[test]
fn random_numbers_do_not_pass_the_probation() {
    let mut call = call();
    call.relay.expect(call.now, Side::Caller, Expected::signalled(address("10.0.0.7:4000"), host("203.0.113.5")));
    for index in 0..1_000u16 {
        let verdict = call.send(Side::Caller, address("203.0.113.5:61000"), 1, index.wrapping_mul(40_503));
        assert_eq!(verdict, Verdict::Drop(Reason::Probation));
    }
}

#[test]
fn many_ports_of_the_signalling_host_do_not_keep_the_phone_from_being_learned() {
    let mut call = call();
    call.relay.expect(call.now, Side::Caller, Expected::signalled(address("10.0.0.7:4000"), host("203.0.113.5")));
    let phone = address("203.0.113.5:61000");
    for sequence in 0..3 {
        for other in 0..2 {
            let _ = call.send(Side::Caller, SocketAddr::new(phone.ip(), 2_000 + sequence * 2 + other), 9, sequence);
        }
        let _ = call.send(Side::Caller, phone, 1, sequence);
    }
    assert_eq!(call.relay.destination(Side::Caller), Some(phone));
}

#[test]
fn a_phone_whose_sdp_names_its_signalling_host_must_send_from_the_named_port() {
    let mut call = call();
    call.relay.expect(call.now, Side::Caller, Expected::signalled(call.alice, call.alice.ip()));
    let other_port = SocketAddr::new(call.alice.ip(), 4_444);
    assert_eq!(call.stream(Side::Caller, other_port, 1, 0, 10), Verdict::Drop(Reason::Stranger));
    assert_eq!(call.stream(Side::Caller, call.alice, 1, 0, 1), Verdict::Forward(call.bob));
}

#[test]
fn an_ipv4_source_on_a_dual_stack_socket_is_the_same_source() {
    let mut call = call();
    let mapped = SocketAddr::new(host("::ffff:192.0.2.1"), 4_000);
    assert_eq!(call.stream(Side::Caller, mapped, 1, 0, 1), Verdict::Forward(call.bob));
}

#[test]
fn another_ssrc_of_the_locked_source_must_pass_the_probation_and_is_told() {
    let mut call = call();
    let _ = call.stream(Side::Caller, call.alice, 1, 0, 10);
    call.events();
    assert_eq!(call.send(Side::Caller, call.alice, 66, 500), Verdict::Drop(Reason::Probation));
    // The pinned stream goes on meanwhile.
    assert_eq!(call.send(Side::Caller, call.alice, 1, 10), Verdict::Forward(call.bob));
    assert_eq!(call.stream(Side::Caller, call.alice, 66, 501, 2), Verdict::Forward(call.bob));
    assert_eq!(call.events(), [Event::Changed { side: Side::Caller, before: 1, after: 66 }]);
}

#[test]
fn a_receiver_sees_one_stream_across_a_change_of_ssrc() {
    let mut call = call();
    let _ = call.stream(Side::Caller, call.alice, 1, 65_530, 10);
    let mut seen = Vec::new();
    for sequence in 500..505 {
        let mut bytes = packet(66, sequence);
        if call.relay.forward(call.now, Side::Caller, call.alice, &mut bytes) == Verdict::Forward(call.bob) {
            let packet = Packet::parse(&bytes).unwrap();
            seen.push((packet.ssrc(), packet.sequence(), packet.timestamp()));
        }
        call.now += PACKET;
    }
    // The last packet before was number 3 at 3 * 160, three packet times earlier than the first after.
    assert_eq!(seen, [(1, 4, 960), (1, 5, 1_120), (1, 6, 1_280)]);
}

#[test]
fn without_continuity_another_ssrc_is_shown_as_it_is() {
    let mut call = call_with(Config { continuous: false, ..Config::default() });
    let _ = call.stream(Side::Caller, call.alice, 1, 0, 10);
    let _ = call.stream(Side::Caller, call.alice, 66, 500, 3);
    let mut bytes = packet(66, 503);
    let before = bytes.clone();
    assert_eq!(call.relay.forward(call.now, Side::Caller, call.alice, &mut bytes), Verdict::Forward(call.bob));
    assert_eq!(bytes, before);
}

#[test]
fn a_phone_that_moves_by_reinvite_goes_on() {
    let mut call = call();
    let _ = call.stream(Side::Caller, call.alice, 1, 0, 10);
    let elsewhere = address("192.0.2.77:7000");
    assert_eq!(call.send(Side::Caller, elsewhere, 1, 10), Verdict::Drop(Reason::Stranger));
    call.relay.expect(call.now, Side::Caller, Expected::new(elsewhere));
    assert_eq!(call.send(Side::Callee, call.bob, 2, 0), Verdict::Forward(elsewhere));
    assert_eq!(call.send(Side::Caller, elsewhere, 5, 900), Verdict::Forward(call.bob));
    assert_eq!(call.send(Side::Caller, call.alice, 1, 11), Verdict::Drop(Reason::Stranger));
    let snapshot = call.relay.snapshot(Side::Caller);
    assert_eq!((snapshot.received, snapshot.lost, snapshot.source), (11, 0, Some(elsewhere)));
}

#[test]
fn a_reinvite_to_the_same_address_keeps_the_lock_and_allows_a_new_stream() {
    let mut call = call();
    call.relay.expect(call.now, Side::Caller, Expected::signalled(address("10.0.0.7:4000"), host("203.0.113.5")));
    let source = address("203.0.113.5:61000");
    let _ = call.stream(Side::Caller, source, 1, 0, 5);
    call.relay.expect(call.now, Side::Caller, Expected::signalled(address("10.0.0.7:4000"), host("203.0.113.5")));
    assert_eq!(call.relay.destination(Side::Caller), Some(source));
    assert_eq!(call.send(Side::Caller, source, 2, 700), Verdict::Forward(call.bob));
}

#[test]
fn a_side_that_holds_is_sent_nothing_and_is_found_again() {
    let mut call = call();
    let _ = call.stream(Side::Caller, call.alice, 1, 0, 5);
    call.relay.expect(call.now, Side::Caller, Expected::new(address("0.0.0.0:4000")));
    assert_eq!(call.send(Side::Callee, call.bob, 2, 0), Verdict::Drop(Reason::Nowhere));
    assert_eq!(call.relay.control_destination(Side::Caller), None);
    call.relay.expect(call.now, Side::Caller, Expected::new(call.alice));
    assert_eq!(call.send(Side::Callee, call.bob, 2, 1), Verdict::Forward(call.alice));
    assert_eq!(call.send(Side::Caller, call.alice, 1, 5), Verdict::Forward(call.bob));
}

#[test]
fn telephone_events_pass_and_are_no_jitter() {
    let mut call = call();
    let _ = call.stream(Side::Caller, call.alice, 1, 0, 20);
    for (index, press) in Presses::new(TelephoneEvent::from_key('7').unwrap(), 10, 1_600, 160).enumerate() {
        let (mut bytes, mut payload) = (BytesMut::new(), Vec::new());
        press.event.encode(&mut payload);
        let header = Header {
            payload_type: 101,
            marker: press.marker,
            sequence: 20 + index as u16,
            timestamp: 20 * 160,
            ssrc: 1,
            ..Default::default()
        };
        header.encode_packet(&payload, 0, &mut bytes);
        let before = bytes.clone();
        assert_eq!(call.relay.forward(call.now, Side::Caller, call.alice, &mut bytes), Verdict::Forward(call.bob));
        assert_eq!(bytes, before);
        call.now += PACKET;
    }
    let snapshot = call.relay.snapshot(Side::Caller);
    assert_eq!((snapshot.payload_type, snapshot.lost, snapshot.jitter), (Some(101), 0, Duration::ZERO));
}

#[test]
fn what_is_not_rtp_is_dropped_and_counted() {
    let mut call = call();
    let stun = BytesMut::from(&[0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42, 0, 0, 0, 0, 0, 0, 0, 0][..]);
    for (mut bytes, reason) in [
        (BytesMut::new(), Reason::Malformed),
        (stun, Reason::Malformed),
        (report(1), Reason::Misplaced),
        (BytesMut::from(&packet(1, 0)[..11]), Reason::Malformed),
    ] {
        assert_eq!(call.relay.forward(call.now, Side::Caller, call.alice, &mut bytes), Verdict::Drop(reason));
    }
    let dropped = call.relay.snapshot(Side::Caller).dropped;
    assert_eq!((dropped.malformed, dropped.misplaced), (3, 1));
    // None of them locked anything.
    assert_eq!(call.relay.snapshot(Side::Caller).source, None);
}

#[test]
fn reports_go_between_the_ports_above_the_media() {
    let mut call = call();
    let (from, to) = (address("192.0.2.1:4001"), address("192.0.2.2:5001"));
    let verdict = call.relay.forward_control(call.now, Side::Caller, from, &mut report(1));
    assert_eq!(verdict, Verdict::Forward(to));
    let stranger = address("192.0.2.1:4003");
    let verdict = call.relay.forward_control(call.now, Side::Caller, stranger, &mut report(1));
    assert_eq!(verdict, Verdict::Drop(Reason::Stranger));
    assert_eq!(call.relay.snapshot(Side::Caller).control_packets, 1);
}

#[test]
fn reports_go_where_the_rtcp_attribute_says() {
    let mut call = call();
    let control = address("192.0.2.9:9999");
    call.relay.expect(call.now, Side::Callee, Expected::new(call.bob).with_control(control));
    let verdict = call.relay.forward_control(call.now, Side::Caller, address("192.0.2.1:4001"), &mut report(1));
    assert_eq!(verdict, Verdict::Forward(control));
}

#[test]
fn reports_from_behind_nat_are_believed_when_they_know_the_pinned_ssrc() {
    let mut call = call();
    call.relay.expect(call.now, Side::Caller, Expected::signalled(address("10.0.0.7:4000"), host("203.0.113.5")));
    let control = address("203.0.113.5:61777");
    let mut early = report(1);
    let verdict = call.relay.forward_control(call.now, Side::Caller, control, &mut early);
    assert_eq!(verdict, Verdict::Drop(Reason::Stranger));
    let _ = call.stream(Side::Caller, address("203.0.113.5:61000"), 1, 0, 3);
    for (ssrc, expected) in [(9, false), (1, true), (9, true)] {
        let verdict = call.relay.forward_control(call.now, Side::Caller, control, &mut report(ssrc));
        assert_eq!(verdict == Verdict::Forward(address("192.0.2.2:5001")), expected, "{ssrc}");
    }
    assert_eq!(call.relay.control_destination(Side::Caller), Some(control));
    let elsewhere = address("203.0.113.5:61779");
    let verdict = call.relay.forward_control(call.now, Side::Caller, elsewhere, &mut report(1));
    assert_eq!(verdict, Verdict::Drop(Reason::Stranger));
}

#[test]
fn media_on_the_control_port_and_garbage_are_dropped() {
    let mut call = call();
    let from = address("192.0.2.1:4001");
    let mut garbage = BytesMut::from(&[0x80, 202, 0, 0][..]);
    for (bytes, reason) in [(&mut packet(1, 0), Reason::Misplaced), (&mut garbage, Reason::Malformed)] {
        assert_eq!(call.relay.forward_control(call.now, Side::Caller, from, bytes), Verdict::Drop(reason));
    }
}

#[test]
fn reports_speak_of_the_streams_that_their_receiver_knows() {
    let mut call = call();
    let _ = call.stream(Side::Caller, call.alice, 1, 0, 10);
    let _ = call.stream(Side::Callee, call.bob, 2, 0, 10);
    let _ = call.stream(Side::Caller, call.alice, 66, 500, 4);
    // Alice reports as her new stream; Bob must read of the one that he hears.
    let mut bytes = BytesMut::new();
    let mut from_alice =
        SenderReport { ssrc: 66, blocks: vec![Block { ssrc: 2, ..Default::default() }], ..Default::default() };
    from_alice.sender.timestamp = 503 * 160;
    from_alice.encode(&mut bytes);
    let _ = call.relay.forward_control(call.now, Side::Caller, address("192.0.2.1:4001"), &mut bytes);
    let Some(Ok(rtcp::Packet::SenderReport(seen))) = Compound::parse(&bytes).unwrap().packets().next() else {
        panic!("no sender report")
    };
    assert_eq!((seen.ssrc, seen.blocks[0].ssrc), (1, 2));
    let mut last = packet(66, 504);
    let _ = call.relay.forward(call.now, Side::Caller, call.alice, &mut last);
    assert_eq!(Packet::parse(&last).unwrap().timestamp(), seen.sender.timestamp + 160);
    // Bob reports on what he hears; Alice must read of what she sends.
    let mut bytes = BytesMut::new();
    let block = Block { ssrc: 1, highest: 11, ..Default::default() };
    ReceiverReport { ssrc: 2, blocks: vec![block], ..Default::default() }.encode(&mut bytes);
    let _ = call.relay.forward_control(call.now, Side::Callee, address("192.0.2.2:5001"), &mut bytes);
    let Some(Ok(rtcp::Packet::ReceiverReport(seen))) = Compound::parse(&bytes).unwrap().packets().next() else {
        panic!("no receiver report")
    };
    // Number 502 was the first that Bob got after the change, as number 10.
    assert_eq!((seen.blocks[0].ssrc, seen.blocks[0].highest), (66, 503));
}

#[test]
fn silence_is_told_once_and_its_end_too() {
    let mut call = call();
    let _ = call.stream(Side::Caller, call.alice, 1, 0, 5);
    let _ = call.stream(Side::Callee, call.bob, 2, 0, 5);
    call.events();
    let due = call.relay.poll_timeout().unwrap();
    call.relay.handle_timeout(due - PACKET);
    assert!(call.events().is_empty());
    call.relay.handle_timeout(due);
    call.relay.handle_timeout(due);
    assert_eq!(call.events(), [Event::Silent { side: Side::Caller }]);
    let due = call.relay.poll_timeout().unwrap();
    call.relay.handle_timeout(due + SECOND);
    assert_eq!(call.events(), [Event::Silent { side: Side::Callee }]);
    assert_eq!(call.relay.poll_timeout(), None);
    call.now = due + SECOND;
    let _ = call.stream(Side::Caller, call.alice, 1, 5, 2);
    assert_eq!(call.events(), [Event::Heard { side: Side::Caller }]);
    assert!(call.relay.poll_timeout().is_some());
}

#[test]
fn a_side_on_hold_may_be_silent() {
    let mut call = call();
    call.relay.set_sending(call.now, Side::Caller, false);
    call.relay.set_sending(call.now, Side::Callee, false);
    assert_eq!(call.relay.poll_timeout(), None);
    call.relay.set_sending(call.now + SECOND, Side::Caller, true);
    assert_eq!(call.relay.poll_timeout(), Some(call.now + SECOND + Config::default().silence));
}

#[test]
fn a_strangers_packets_do_not_count_as_life() {
    let mut call = call();
    let due = call.relay.poll_timeout().unwrap();
    call.now = due - SECOND;
    let _ = call.stream(Side::Caller, address("198.51.100.66:4000"), 1, 0, 10);
    assert_eq!(call.relay.poll_timeout(), Some(due));
}

#[test]
fn loss_and_jitter_are_those_of_the_side() {
    let mut call = call();
    for sequence in (0..100u16).filter(|sequence| sequence % 5 != 4) {
        let late = Duration::from_millis(u64::from(sequence % 2) * 5);
        let at = call.now + PACKET * u32::from(sequence) + late;
        let _ = call.relay.forward(at, Side::Caller, call.alice, &mut packet(1, sequence));
    }
    let snapshot = call.relay.snapshot(Side::Caller);
    // The last one lost is not missed: nothing came after it.
    assert_eq!((snapshot.received, snapshot.lost), (80, 19));
    assert!(snapshot.jitter > Duration::from_millis(2) && snapshot.jitter < Duration::from_millis(6), "{snapshot:?}");
    assert_eq!(call.relay.snapshot(Side::Callee).received, 0);
}

#[test]
fn events_that_nobody_polls_are_bounded() {
    let mut call = call();
    for round in 0..1_000u32 {
        let _ = call.stream(Side::Caller, call.alice, round, 0, 3);
    }
    assert!(call.events().len() <= EVENTS);
}
