//! Requests inside a dialog really reach the peer: NAT, connections, addresses that move.

mod agent_support;

use agent_support::*;
use sip_transaction::agent::{Cause, Event};
use sip_transaction::{CloseReason, Input, Target};

#[test]
fn a_phone_behind_nat_is_reached_where_its_invite_came_from() {
    let mut scene = Scene::new();
    scene.agent.trust("198.51.100.7".parse().unwrap());
    let mut call = PeerCall::new("nat");
    call.contact = "<sip:phone@10.0.0.5:5060>".to_owned();
    let text = call.message_by("UDP", "10.0.0.5:5060;rport", "INVITE", 1, "z9hG4bKn1", "", Some(OFFER));
    scene.receive_from("198.51.100.7:31000", text);
    let Event::Incoming { session, .. } = scene.event() else { panic!("no call") };
    scene.agent.answer(scene.now, session, sdp(ANSWER), &[]).unwrap();
    let ok = scene.expect("SIP/2.0 200");
    assert_eq!(ok.to, Some("198.51.100.7:31000".parse().unwrap()));
    call.take_tag(&ok);
    let ack = call.message_by("UDP", "10.0.0.5:5060;rport", "ACK", 1, "z9hG4bKn2", "", None);
    scene.receive_from("198.51.100.7:31000", ack);
    scene.event();
    // The mapping moves with a re-INVITE.
    let moved = call.message_by("UDP", "10.0.0.5:5060;rport", "INVITE", 2, "z9hG4bKn3", "", Some(OFFER));
    scene.receive_from("198.51.100.7:32000", moved);
    assert!(matches!(scene.event(), Event::Offer { .. }));
    scene.agent.answer_offer(scene.now, session, sdp(ANSWER), &[]).unwrap();
    scene.expect("SIP/2.0 200");
    let ack = call.message_by("UDP", "10.0.0.5:5060;rport", "ACK", 2, "z9hG4bKn4", "", None);
    scene.receive_from("198.51.100.7:32000", ack);
    scene.event();
    scene.agent.hangup(scene.now, session, &[]).unwrap();
    let bye = scene.expect("BYE sip:phone@10.0.0.5:5060 SIP/2.0");
    assert_eq!(bye.to, Some("198.51.100.7:32000".parse().unwrap()));
}

#[test]
fn a_peer_without_rport_is_reached_at_the_port_of_its_contact() {
    let mut scene = Scene::new();
    let mut call = PeerCall::new("asymmetric");
    call.contact = "<sip:peer@192.0.2.2:5070>".to_owned();
    let text = call.message_by("UDP", "192.0.2.2:5070", "INVITE", 1, "z9hG4bKa1", "", Some(OFFER));
    scene.receive_from("192.0.2.2:49999", text);
    let Event::Incoming { session, .. } = scene.event() else { panic!("no call") };
    scene.agent.answer(scene.now, session, sdp(ANSWER), &[]).unwrap();
    let ok = scene.expect("SIP/2.0 200");
    call.take_tag(&ok);
    let ack = call.message_by("UDP", "192.0.2.2:5070", "ACK", 1, "z9hG4bKa2", "", None);
    scene.receive_from("192.0.2.2:49999", ack);
    scene.event();
    scene.agent.hangup(scene.now, session, &[]).unwrap();
    assert_eq!(scene.expect("BYE ").to, Some("192.0.2.2:5070".parse().unwrap()));
}

#[test]
fn a_call_over_a_connection_is_ended_down_the_same_connection() {
    let mut scene = Scene::new();
    let connection = scene.accept("198.51.100.7:40000");
    let mut call = PeerCall::new("tcp");
    call.contact = "<sip:phone@10.0.0.5:40000;transport=tcp>".to_owned();
    let text = call.message_by("TCP", "10.0.0.5:40000", "INVITE", 1, "z9hG4bKt1", "", Some(OFFER));
    scene.receive_on(connection, text);
    let Event::Incoming { session, .. } = scene.event() else { panic!("no call") };
    scene.agent.answer(scene.now, session, sdp(ANSWER), &[]).unwrap();
    let ok = scene.expect("SIP/2.0 200");
    assert_eq!(ok.connection, Some(connection));
    assert!(ok.header("Contact").contains("transport=tcp"));
    call.take_tag(&ok);
    let ack = call.message_by("TCP", "10.0.0.5:40000", "ACK", 1, "z9hG4bKt2", "", None);
    scene.receive_on(connection, ack);
    scene.event();
    scene.agent.hangup(scene.now, session, &[]).unwrap();
    let bye = scene.expect("BYE ");
    assert_eq!(bye.connection, Some(connection));
    assert!(scene.connects.is_empty(), "no connection is opened towards a phone behind NAT");
}

#[test]
fn a_call_whose_phone_lost_its_connection_ends_without_its_answer() {
    let mut scene = Scene::new();
    let connection = scene.accept("198.51.100.7:40000");
    let mut call = PeerCall::new("cut");
    call.contact = "<sip:phone@10.0.0.5:40000;transport=tcp>".to_owned();
    let text = call.message_by("TCP", "10.0.0.5:40000", "INVITE", 1, "z9hG4bKc1", "", Some(OFFER));
    scene.receive_on(connection, text);
    let Event::Incoming { session, .. } = scene.event() else { panic!("no call") };
    scene.agent.answer(scene.now, session, sdp(ANSWER), &[]).unwrap();
    let ok = scene.expect("SIP/2.0 200");
    call.take_tag(&ok);
    let ack = call.message_by("TCP", "10.0.0.5:40000", "ACK", 1, "z9hG4bKc2", "", None);
    scene.receive_on(connection, ack);
    scene.event();
    scene.agent.handle_input(scene.now, Input::Closed { connection, reason: CloseReason::Remote });
    assert!(matches!(scene.event(), Event::ConnectionClosed { .. }));
    assert!(scene.agent.is_alive(session), "media may go on: the application decides");
    scene.agent.hangup(scene.now, session, &[]).unwrap();
    match scene.event() {
        Event::Ended { cause, .. } => assert_eq!(cause, Cause::Hangup),
        other => panic!("{other:?}"),
    }
    scene.silence();
    scene.assert_idle();
}

#[test]
fn a_peer_that_came_back_on_another_connection_is_followed_with_its_re_invite() {
    let mut scene = Scene::new();
    let first = scene.accept("198.51.100.7:40000");
    let mut call = PeerCall::new("roaming");
    call.contact = "<sip:phone@10.0.0.5:40000;transport=tcp>".to_owned();
    let text = call.message_by("TCP", "10.0.0.5:40000", "INVITE", 1, "z9hG4bKr1", "", Some(OFFER));
    scene.receive_on(first, text);
    let Event::Incoming { session, .. } = scene.event() else { panic!("no call") };
    scene.agent.answer(scene.now, session, sdp(ANSWER), &[]).unwrap();
    let ok = scene.expect("SIP/2.0 200");
    call.take_tag(&ok);
    let ack = call.message_by("TCP", "10.0.0.5:40000", "ACK", 1, "z9hG4bKr2", "", None);
    scene.receive_on(first, ack);
    scene.event();
    let second = scene.accept("198.51.100.8:41000");
    let text = call.message_by("TCP", "10.0.0.9:41000", "UPDATE", 2, "z9hG4bKr3", "", None);
    scene.receive_on(second, text);
    assert_eq!(scene.expect("SIP/2.0 200").connection, Some(second));
    scene.agent.hangup(scene.now, session, &[]).unwrap();
    assert_eq!(scene.expect("BYE ").connection, Some(second));
}

#[test]
fn a_call_out_over_tcp_uses_its_connection_for_everything_that_follows() {
    let mut scene = Scene::new();
    let mut over_tcp = invite();
    over_tcp.target = Target::tcp(PEER.parse().unwrap());
    let session = scene.agent.invite(scene.now, over_tcp).unwrap();
    scene.drain();
    let (connection, to) = scene.connects.pop_front().expect("a connection is opened");
    assert_eq!(to, PEER.parse().unwrap());
    let local = "192.0.2.1:50000".parse().unwrap();
    scene.agent.handle_input(scene.now, Input::Connected { connection, local });
    let wire = scene.expect("INVITE ");
    scene.events.clear();
    assert!(wire.header("Contact").contains("192.0.2.1:5060;transport=tcp"));
    let bob = Callee::new(&wire, "bob");
    scene.receive_on(connection, bob.respond(&wire, 200, Some(ANSWER)));
    assert_eq!(scene.expect("ACK ").connection, Some(connection));
    assert!(matches!(scene.event(), Event::Answered { .. }));
    scene.agent.hangup(scene.now, session, &[]).unwrap();
    let bye = scene.expect("BYE ");
    assert_eq!(bye.connection, Some(connection));
    scene.receive_on(connection, bob.respond(&bye, 200, None));
    assert!(matches!(scene.event(), Event::Ended { cause: Cause::Hangup, .. }));
    assert!(scene.connects.is_empty());
    scene.assert_idle();
}

#[test]
fn a_call_to_a_registered_phone_goes_down_the_connection_that_it_opened() {
    let mut scene = Scene::new();
    let connection = scene.accept("198.51.100.7:40000");
    let source = scene.agent.connection(connection).unwrap();
    let mut down = invite();
    down.target = Target::from(&source);
    down.request_uri = "sip:phone@10.0.0.5:40000;transport=tcp".parse().unwrap();
    let (_, wire) = scene.call(down);
    assert_eq!(wire.connection, Some(connection));
    let mut bob = Callee::new(&wire, "phone");
    bob.contact = "sip:phone@10.0.0.5:40000;transport=tcp".to_owned();
    scene.receive_on(connection, bob.respond(&wire, 180, None));
    scene.receive_on(connection, bob.respond(&wire, 200, Some(ANSWER)));
    assert_eq!(scene.expect("ACK ").connection, Some(connection));
    // Gone before the call: nobody is called, and nothing is left behind.
    let gone = scene.accept("198.51.100.9:40000");
    let mut down = invite();
    down.target = Target::from(&scene.agent.connection(gone).unwrap());
    scene.agent.handle_input(scene.now, Input::Closed { connection: gone, reason: CloseReason::Remote });
    assert!(scene.agent.invite(scene.now, down).is_err());
}
