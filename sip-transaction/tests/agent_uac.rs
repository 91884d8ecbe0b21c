//! Calls that go out: flows as in RFC 3665 §3, and the races of RFC 5407, on the side of the caller.

mod agent_support;

use std::time::Duration;

use agent_support::*;
use bytes::Bytes;
use sip_core::Method;
use sip_core::header::HeaderName;
use sip_transaction::agent::{Cause, Config, Credentials, Event, InviteError, SessionError};
use sip_transaction::{Failure, Target};

fn cause(event: Event) -> Cause {
    match event {
        Event::Ended { cause, .. } => cause,
        other => panic!("{other:?}"),
    }
}

const CHALLENGE: &str = "Digest realm=\"r\", nonce=\"n1\", qop=\"auth\", algorithm=MD5";

/// RFC 3665 §3.1.
#[test]
fn a_call_rings_is_answered_acknowledged_and_ended_by_the_caller() {
    let mut scene = Scene::new();
    // F1 INVITE
    let (session, wire) = scene.call(invite());
    assert_eq!(wire.start_line(), "INVITE sip:bob@192.0.2.2 SIP/2.0");
    assert_eq!(wire.header("Max-Forwards"), "70");
    assert_eq!(wire.header("Contact"), "<sip:alice@192.0.2.1:5060>");
    assert!(wire.text.ends_with(OFFER));
    let bob = Callee::new(&wire, "bob");
    // 100 Trying
    scene.receive(bob.respond(&wire, 100, None));
    scene.no_event();
    // F2 180 Ringing
    scene.receive(bob.respond(&wire, 180, None));
    assert!(matches!(scene.event(), Event::Progress { sdp: None, .. }));
    // F3 200 OK
    scene.receive(bob.respond(&wire, 200, Some(ANSWER)));
    // F4 ACK
    let ack = scene.expect("ACK sip:bob@192.0.2.2:5060 SIP/2.0");
    assert_eq!(ack.cseq(), wire.cseq());
    assert!(ack.header("To").contains("tag=bob"));
    match scene.event() {
        Event::Answered { sdp: Some(answer), owing: false, .. } => assert_eq!(answer, ANSWER),
        other => panic!("{other:?}"),
    }
    // F5 BYE
    scene.agent.hangup(scene.now, session, &[]).unwrap();
    let bye = scene.expect("BYE sip:bob@192.0.2.2:5060 SIP/2.0");
    assert_eq!(bye.cseq(), wire.cseq() + 1);
    // F6 200 OK
    scene.receive(bob.respond(&bye, 200, None));
    assert_eq!(cause(scene.event()), Cause::Hangup);
    scene.silence();
    scene.assert_idle();
}

#[test]
fn a_2xx_that_comes_again_draws_the_same_ack_again() {
    let mut scene = Scene::new();
    let (session, wire) = scene.call(invite());
    let bob = Callee::new(&wire, "bob");
    let ok = bob.respond(&wire, 200, Some(ANSWER));
    scene.receive(&ok);
    let first = scene.expect("ACK ");
    scene.event();
    for _ in 0..3 {
        scene.wait(Duration::from_secs(4));
        scene.receive(&ok);
        assert_eq!(scene.expect("ACK ").text, first.text, "also the branch");
        scene.no_event();
    }
    // Also after the call is over, as long as the peer may send it.
    scene.agent.hangup(scene.now, session, &[]).unwrap();
    let bye = scene.expect("BYE ");
    scene.receive(bob.respond(&bye, 200, None));
    scene.event();
    scene.receive(&ok);
    scene.expect("ACK ");
    scene.assert_idle();
}

#[test]
fn early_media_of_a_183_is_told_with_its_description() {
    let mut scene = Scene::new();
    let (_, wire) = scene.call(invite());
    let bob = Callee::new(&wire, "bob");
    scene.receive(bob.respond(&wire, 183, Some(ANSWER)));
    match scene.event() {
        Event::Progress { sdp: Some(early), response, .. } => {
            assert_eq!(early, ANSWER);
            assert_eq!(response.status().as_u16(), 183);
        }
        other => panic!("{other:?}"),
    }
}

/// RFC 3665 §3.8.
#[test]
fn a_call_is_cancelled_only_after_a_provisional_response() {
    let mut scene = Scene::new();
    let (session, wire) = scene.call(invite());
    let bob = Callee::new(&wire, "bob");
    scene.agent.hangup(scene.now, session, &[]).unwrap();
    scene.silence();
    scene.receive(bob.respond(&wire, 100, None));
    let cancel = scene.expect("CANCEL sip:bob@192.0.2.2 SIP/2.0");
    assert_eq!(cancel.header("Via"), wire.header("Via"), "with the branch of the INVITE");
    assert_eq!(cancel.header("CSeq"), format!("{} CANCEL", wire.cseq()));
    scene.receive(bob.respond(&cancel, 200, None));
    scene.receive(bob.respond(&wire, 487, None));
    scene.expect("ACK ");
    assert_eq!(cause(scene.event()), Cause::Cancelled);
    scene.no_event();
    scene.assert_idle();
}

/// RFC 5407 §3.1.2.
#[test]
fn a_200_that_crosses_the_cancel_is_acknowledged_and_ended_with_bye() {
    let mut scene = Scene::new();
    let (session, wire) = scene.call(invite());
    let bob = Callee::new(&wire, "bob");
    scene.receive(bob.respond(&wire, 180, None));
    scene.event();
    scene.agent.hangup(scene.now, session, &[]).unwrap();
    let cancel = scene.expect("CANCEL ");
    scene.receive(bob.respond(&wire, 200, Some(ANSWER)));
    scene.expect("ACK sip:bob@192.0.2.2:5060");
    let bye = scene.expect("BYE sip:bob@192.0.2.2:5060");
    assert_eq!(cause(scene.event()), Cause::Cancelled);
    scene.receive(bob.respond(&cancel, 200, None));
    scene.receive(bob.respond(&bye, 200, None));
    scene.no_event();
    assert_eq!(scene.agent.snapshot().counters.crossed_answers, 1);
    scene.assert_idle();
}

#[test]
fn a_200_before_any_cancel_could_go_out_is_ended_with_bye_too() {
    let mut scene = Scene::new();
    let (session, wire) = scene.call(invite());
    let bob = Callee::new(&wire, "bob");
    scene.agent.hangup(scene.now, session, &[]).unwrap();
    scene.receive(bob.respond(&wire, 200, Some(ANSWER)));
    scene.expect("ACK ");
    scene.expect("BYE ");
    assert_eq!(cause(scene.event()), Cause::Cancelled);
}

#[test]
fn a_cancelled_call_without_a_final_response_ends_after_32_seconds() {
    let mut scene = Scene::new();
    let (session, wire) = scene.call(invite());
    let bob = Callee::new(&wire, "bob");
    scene.receive(bob.respond(&wire, 180, None));
    scene.event();
    scene.agent.hangup(scene.now, session, &[]).unwrap();
    let cancel = scene.expect("CANCEL ");
    scene.receive(bob.respond(&cancel, 200, None));
    scene.wait(Duration::from_secs(31));
    scene.no_event();
    scene.wait(Duration::from_secs(2));
    assert_eq!(cause(scene.event()), Cause::Cancelled);
    scene.assert_idle();
}

#[test]
fn an_unanswered_invite_is_sent_at_the_rfcs_times_and_ends_after_32_seconds() {
    let mut scene = Scene::new();
    scene.call(invite());
    for interval in [500, 1000, 2000, 4000, 8000, 16000] {
        scene.wait(ms(interval - 1));
        scene.silence();
        scene.wait(ms(1));
        scene.expect("INVITE ");
    }
    scene.wait(ms(499));
    scene.no_event();
    scene.wait(ms(1));
    assert_eq!(cause(scene.event()), Cause::Timeout);
    scene.assert_idle();
}

#[test]
fn a_call_that_rings_too_long_is_cancelled() {
    let mut scene = Scene::with(Config { ring: Duration::from_secs(20), ..Config::default() });
    let (_, wire) = scene.call(invite());
    let bob = Callee::new(&wire, "bob");
    scene.receive(bob.respond(&wire, 180, None));
    scene.event();
    scene.wait(Duration::from_secs(20));
    scene.expect("CANCEL ");
    scene.receive(bob.respond(&wire, 487, None));
    scene.expect("ACK ");
    assert_eq!(cause(scene.event()), Cause::Timeout);
}

#[test]
fn refusals_are_told_with_their_response_and_end_the_call() {
    for (code, name, value) in
        [(486, "Retry-After", "60"), (302, "Contact", "<sip:b2@192.0.2.7>"), (603, "Reason", "x")]
    {
        let mut scene = Scene::new();
        let (_, wire) = scene.call(invite());
        let bob = Callee::new(&wire, "bob");
        let text = bob
            .respond_with(&wire, code, &[], None)
            .replace("Content-Length", &format!("{name}: {value}\r\nContent-Length"));
        let text = if code == 302 { text.replace("Contact: <sip:bob@192.0.2.2:5060>\r\n", "") } else { text };
        scene.receive(text);
        scene.expect("ACK ");
        match scene.event() {
            Event::Rejected { response, .. } => {
                let got = response.headers().get(&HeaderName::from_static(name)).unwrap();
                assert_eq!(got, value);
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(cause(scene.event()), Cause::Rejected(status(code)));
        scene.no_event();
        scene.assert_idle();
    }
}

#[test]
fn a_second_branch_that_answers_is_acknowledged_and_ended() {
    let mut scene = Scene::new();
    let (session, wire) = scene.call(invite());
    let (one, two) = (Callee::new(&wire, "one"), Callee::new(&wire, "two"));
    for branch in [&one, &two] {
        scene.receive(branch.respond(&wire, 180, None));
        assert!(matches!(scene.event(), Event::Progress { .. }));
    }
    assert_eq!(scene.agent.snapshot().dialogs, 2);
    scene.receive(two.respond(&wire, 200, Some(ANSWER)));
    scene.expect("ACK sip:two@");
    assert!(matches!(scene.event(), Event::Answered { .. }));
    assert_eq!(scene.agent.snapshot().dialogs, 1);
    let surplus = one.respond(&wire, 200, Some(ANSWER));
    scene.receive(&surplus);
    scene.expect("ACK sip:one@");
    let bye = scene.expect("BYE sip:one@");
    scene.receive(&surplus);
    scene.expect("ACK sip:one@");
    scene.silence();
    scene.receive(one.respond(&bye, 200, None));
    scene.no_event();
    // The call itself goes on.
    scene.agent.hangup(scene.now, session, &[]).unwrap();
    let bye = scene.expect("BYE sip:two@");
    scene.receive(two.respond(&bye, 200, None));
    assert_eq!(cause(scene.event()), Cause::Hangup);
    assert_eq!(scene.agent.snapshot().counters.surplus_answers, 1);
    scene.assert_idle();
}

#[test]
fn a_call_without_an_offer_is_acknowledged_with_the_answer() {
    let mut scene = Scene::new();
    let mut bare = invite();
    bare.offer = None;
    let (session, wire) = scene.call(bare);
    let bob = Callee::new(&wire, "bob");
    let ok = bob.respond(&wire, 200, Some(OFFER));
    scene.receive(&ok);
    match scene.event() {
        Event::Answered { sdp: Some(offer), owing: true, .. } => assert_eq!(offer, OFFER),
        other => panic!("{other:?}"),
    }
    scene.receive(&ok);
    scene.silence();
    scene.no_event();
    scene.agent.acknowledge(scene.now, session, sdp(ANSWER)).unwrap();
    let ack = scene.expect("ACK ");
    assert!(ack.text.ends_with(ANSWER));
    scene.receive(&ok);
    assert_eq!(scene.expect("ACK ").text, ack.text);
    assert_eq!(scene.agent.acknowledge(scene.now, session, None), Err(SessionError::State));
}

#[test]
fn an_offer_in_a_2xx_that_nobody_answers_ends_the_call() {
    let mut scene = Scene::new();
    let mut bare = invite();
    bare.offer = None;
    let (_, wire) = scene.call(bare);
    let bob = Callee::new(&wire, "bob");
    scene.receive(bob.respond(&wire, 200, Some(OFFER)));
    scene.event();
    scene.wait(ms(31_500));
    scene.expect("ACK ");
    let bye = scene.expect("BYE ");
    scene.receive(bob.respond(&bye, 200, None));
    assert_eq!(cause(scene.event()), Cause::Protocol);
    scene.assert_idle();
}

#[test]
fn a_challenge_is_answered_once_and_the_ack_carries_the_credentials() {
    for (code, ask, answer) in
        [(401, "WWW-Authenticate", "Authorization"), (407, "Proxy-Authenticate", "Proxy-Authorization")]
    {
        let mut scene = Scene::new();
        let mut with = invite();
        with.credentials = Some(Credentials::new("alice", "secret"));
        let (session, wire) = scene.call(with);
        let bob = Callee::new(&wire, "bob");
        scene.receive(bob.respond_with(&wire, code, &[(ask, CHALLENGE)], None));
        scene.expect("ACK ");
        let again = scene.expect("INVITE ");
        assert_eq!(again.cseq(), wire.cseq() + 1);
        assert_eq!(again.header("Call-ID"), wire.header("Call-ID"));
        assert_ne!(again.header("Via"), wire.header("Via"));
        assert!(again.header(answer).contains("nc=00000001"));
        assert!(again.text.ends_with(OFFER));
        scene.no_event();
        scene.receive(bob.respond(&again, 200, Some(ANSWER)));
        let ack = scene.expect("ACK ");
        assert_eq!(ack.header(answer), again.header(answer), "RFC 3261 §22.1");
        assert!(matches!(scene.event(), Event::Answered { .. }));
        // Requests inside the dialog carry credentials from the beginning, with the next count.
        scene.agent.hangup(scene.now, session, &[]).unwrap();
        let bye = scene.expect("BYE ");
        assert!(bye.header(answer).contains("nc=00000002"));
        scene.receive(bob.respond(&bye, 200, None));
        assert_eq!(cause(scene.event()), Cause::Hangup);
        scene.assert_idle();
    }
}

#[test]
fn a_refused_password_is_not_tried_again_but_a_stale_nonce_is() {
    let stale = "Digest realm=\"r\", nonce=\"n2\", stale=true, qop=\"auth\"";
    for (second, tried) in
        [(CHALLENGE, false), ("Digest realm=\"r\", nonce=\"n2\", qop=\"auth\"", false), (stale, true)]
    {
        let mut scene = Scene::new();
        let mut with = invite();
        with.credentials = Some(Credentials::new("alice", "wrong"));
        let (_, wire) = scene.call(with);
        let bob = Callee::new(&wire, "bob");
        scene.receive(bob.respond_with(&wire, 401, &[("WWW-Authenticate", CHALLENGE)], None));
        scene.expect("ACK ");
        let again = scene.expect("INVITE ");
        scene.receive(bob.respond_with(&again, 401, &[("WWW-Authenticate", second)], None));
        scene.expect("ACK ");
        if tried {
            assert!(scene.expect("INVITE ").header("Authorization").contains("n2"));
        } else {
            scene.silence();
            assert!(matches!(scene.event(), Event::Rejected { .. }));
            assert_eq!(cause(scene.event()), Cause::Rejected(status(401)));
        }
    }
}

#[test]
fn a_realm_that_is_not_ours_and_a_call_without_credentials_are_not_answered() {
    for credentials in [None, Some(Credentials::new("alice", "secret").for_realm("other"))] {
        let mut scene = Scene::new();
        let mut with = invite();
        with.credentials = credentials;
        let (_, wire) = scene.call(with);
        let bob = Callee::new(&wire, "bob");
        scene.receive(bob.respond_with(&wire, 401, &[("WWW-Authenticate", CHALLENGE)], None));
        scene.expect("ACK ");
        scene.silence();
        assert!(matches!(scene.event(), Event::Rejected { .. }));
    }
}

#[test]
fn the_peer_ends_the_call_with_bye_and_its_reason_is_told() {
    let mut scene = Scene::new();
    let (mut bob, _) = scene.established_to_peer();
    let bye = bob.request("BYE", scene.branch(), "Reason: Q.850;cause=16\r\n", None);
    scene.receive(bye);
    scene.expect("SIP/2.0 200");
    match scene.event() {
        Event::Ended { cause: Cause::Bye, reason, .. } => assert_eq!(reason.as_deref(), Some(&b"Q.850;cause=16"[..])),
        other => panic!("{other:?}"),
    }
    scene.assert_idle();
}

#[test]
fn byes_that_cross_end_the_call_once_on_this_side_too() {
    let mut scene = Scene::new();
    let (mut bob, session) = scene.established_to_peer();
    scene.agent.hangup(scene.now, session, &[]).unwrap();
    let ours = scene.expect("BYE ");
    let theirs = bob.request("BYE", scene.branch(), "", None);
    scene.receive(theirs);
    scene.expect("SIP/2.0 200");
    assert_eq!(cause(scene.event()), Cause::Hangup);
    scene.receive(bob.respond(&ours, 481, None));
    scene.no_event();
    scene.assert_idle();
}

#[test]
fn a_re_invite_is_answered_and_acknowledged_and_refreshes_the_target() {
    let mut scene = Scene::new();
    let (mut bob, session) = scene.established_to_peer();
    scene.agent.reinvite(scene.now, session, sdp(OFFER), Vec::new()).unwrap();
    assert_eq!(scene.agent.reinvite(scene.now, session, sdp(OFFER), Vec::new()), Err(SessionError::Pending));
    let again = scene.expect("INVITE sip:bob@192.0.2.2:5060");
    assert!(again.has("Contact"));
    bob.contact = "sip:moved@192.0.2.2:5060".to_owned();
    let ok = bob.respond(&again, 200, Some(ANSWER));
    scene.receive(&ok);
    let ack = scene.expect("ACK sip:moved@192.0.2.2:5060");
    assert_eq!(ack.cseq(), again.cseq());
    assert!(matches!(scene.event(), Event::OfferAnswered { owing: false, .. }));
    scene.receive(&ok);
    assert_eq!(scene.expect("ACK ").text, ack.text);
    scene.no_event();
    // And one without an offer.
    scene.agent.reinvite(scene.now, session, None, Vec::new()).unwrap();
    let again = scene.expect("INVITE sip:moved@");
    scene.receive(bob.respond(&again, 200, Some(OFFER)));
    assert!(matches!(scene.event(), Event::OfferAnswered { owing: true, .. }));
    scene.silence();
    scene.agent.acknowledge(scene.now, session, sdp(ANSWER)).unwrap();
    assert!(scene.expect("ACK ").text.ends_with(ANSWER));
    scene.agent.update(scene.now, session, Bytes::from(OFFER), Vec::new()).unwrap();
    let update = scene.expect("UPDATE sip:moved@");
    scene.receive(bob.respond(&update, 200, Some(ANSWER)));
    assert!(matches!(scene.event(), Event::OfferAnswered { owing: false, .. }));
    scene.silence();
}

#[test]
fn glare_is_tried_again_after_the_callers_longer_time_and_given_up_at_last() {
    let mut scene = Scene::with(Config { glare_retries: 2, ..Config::default() });
    let (bob, session) = scene.established_to_peer();
    scene.agent.reinvite(scene.now, session, sdp(OFFER), Vec::new()).unwrap();
    for tries in 0..3 {
        let again = scene.expect("INVITE ");
        scene.receive(bob.respond(&again, 491, None));
        scene.expect("ACK ");
        if tries == 2 {
            break;
        }
        // We made the Call-ID: between 2.1 and 4 s (RFC 3261 §14.1).
        let begun = scene.now;
        scene.wait(ms(2099));
        scene.silence();
        while scene.sent.is_empty() {
            scene.wait(ms(1));
        }
        assert!(scene.now - begun <= ms(4000));
    }
    match scene.event() {
        Event::OfferRejected { status: told, .. } => assert_eq!(told, status(491)),
        other => panic!("{other:?}"),
    }
    scene.wait(Duration::from_secs(10));
    scene.silence();
    assert!(scene.agent.is_alive(session));
}

#[test]
fn a_refused_re_invite_leaves_the_call_but_481_and_408_end_it() {
    for (code, ends) in [(488, None), (481, Some(Cause::Gone)), (408, Some(Cause::Timeout))] {
        let mut scene = Scene::new();
        let (bob, session) = scene.established_to_peer();
        scene.agent.reinvite(scene.now, session, sdp(OFFER), Vec::new()).unwrap();
        let again = scene.expect("INVITE ");
        scene.receive(bob.respond(&again, code, None));
        scene.expect("ACK ");
        assert!(matches!(scene.event(), Event::OfferRejected { .. }));
        match ends {
            None => assert!(scene.agent.is_alive(session)),
            Some(Cause::Gone) => assert_eq!(cause(scene.event()), Cause::Gone),
            Some(other) => {
                let bye = scene.expect("BYE ");
                scene.receive(bob.respond(&bye, 200, None));
                assert_eq!(cause(scene.event()), other);
            }
        }
    }
}

#[test]
fn a_re_invite_can_be_withdrawn_and_a_200_that_crosses_is_still_told() {
    let mut scene = Scene::new();
    let (bob, session) = scene.established_to_peer();
    assert_eq!(scene.agent.withdraw_offer(scene.now, session), Err(SessionError::State));
    scene.agent.reinvite(scene.now, session, sdp(OFFER), Vec::new()).unwrap();
    let again = scene.expect("INVITE ");
    scene.receive(bob.respond(&again, 100, None));
    scene.agent.withdraw_offer(scene.now, session).unwrap();
    let cancel = scene.expect("CANCEL ");
    scene.receive(bob.respond(&cancel, 200, None));
    scene.receive(bob.respond(&again, 487, None));
    scene.expect("ACK ");
    assert!(matches!(scene.event(), Event::OfferRejected { .. }));

    scene.agent.reinvite(scene.now, session, sdp(OFFER), Vec::new()).unwrap();
    let again = scene.expect("INVITE ");
    scene.receive(bob.respond(&again, 100, None));
    scene.agent.withdraw_offer(scene.now, session).unwrap();
    scene.expect("CANCEL ");
    scene.receive(bob.respond(&again, 200, Some(ANSWER)));
    scene.expect("ACK ");
    assert!(matches!(scene.event(), Event::OfferAnswered { .. }));
}

#[test]
fn a_re_invite_that_is_accepted_after_the_call_ended_is_still_acknowledged() {
    let mut scene = Scene::new();
    let (mut bob, session) = scene.established_to_peer();
    scene.agent.reinvite(scene.now, session, sdp(OFFER), Vec::new()).unwrap();
    let again = scene.expect("INVITE ");
    let bye = bob.request("BYE", scene.branch(), "", None);
    scene.receive(bye);
    scene.expect("SIP/2.0 200");
    assert_eq!(cause(scene.event()), Cause::Bye);
    scene.receive(bob.respond(&again, 200, Some(ANSWER)));
    scene.expect("ACK ");
    scene.no_event();
    assert!(!scene.agent.is_alive(session));
    scene.assert_idle();
}

#[test]
fn info_inside_a_call_is_told_with_its_answer_and_a_lost_call_ends() {
    let mut scene = Scene::new();
    let (bob, session) = scene.established_to_peer();
    let body = Some(("application/dtmf-relay", Bytes::from_static(b"Signal=5\r\n")));
    let id = scene.agent.request(scene.now, session, Method::Info, &[], body).unwrap();
    let info = scene.expect("INFO sip:bob@192.0.2.2:5060");
    assert_eq!(info.header("Content-Type"), "application/dtmf-relay");
    scene.receive(bob.respond(&info, 200, None));
    match scene.event() {
        Event::InDialogAnswered { id: told, result: Ok(response), .. } => {
            assert_eq!(told, id);
            assert!(response.status().is_success());
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(
        scene.agent.request(scene.now, session, Method::Bye, &[], None),
        Err(SessionError::State),
        "the session has its own commands"
    );

    // Nobody answers: RFC 3261 §12.2.1.2.
    scene.agent.request(scene.now, session, Method::Info, &[], None).unwrap();
    scene.wait(Duration::from_secs(33));
    assert!(matches!(scene.event(), Event::InDialogAnswered { result: Err(Failure::Timeout), .. }));
    assert!(scene.sent.iter().any(|wire| wire.text.starts_with("BYE ")));
    scene.wait(Duration::from_secs(33));
    assert_eq!(cause(scene.event()), Cause::Timeout);
    scene.assert_idle();
}

#[test]
fn a_challenged_info_is_told_under_the_id_that_the_application_knows() {
    let mut scene = Scene::new();
    let mut with = invite();
    with.credentials = Some(Credentials::new("alice", "secret"));
    let (session, wire) = scene.call(with);
    let bob = Callee::new(&wire, "bob");
    scene.receive(bob.respond(&wire, 200, Some(ANSWER)));
    scene.expect("ACK ");
    scene.event();
    let id = scene.agent.request(scene.now, session, Method::Info, &[], None).unwrap();
    let info = scene.expect("INFO ");
    scene.receive(bob.respond_with(&info, 407, &[("Proxy-Authenticate", CHALLENGE)], None));
    let again = scene.expect("INFO ");
    assert_eq!(again.cseq(), info.cseq() + 1);
    scene.receive(bob.respond(&again, 200, None));
    match scene.event() {
        Event::InDialogAnswered { id: told, result: Ok(_), .. } => assert_eq!(told, id),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_2xx_without_a_contact_is_acknowledged_at_the_uri_that_was_called() {
    let mut scene = Scene::new();
    let (_, wire) = scene.call(invite());
    let bob = Callee::new(&wire, "bob");
    let text = bob.respond(&wire, 200, Some(ANSWER)).replace("Contact: <sip:bob@192.0.2.2:5060>\r\n", "");
    scene.receive(text);
    scene.expect("ACK sip:bob@192.0.2.2 SIP/2.0");
    assert!(matches!(scene.event(), Event::Answered { .. }));
}

#[test]
fn the_route_set_of_the_2xx_is_reversed_and_its_ack_follows_it() {
    let mut scene = Scene::new();
    let (session, wire) = scene.call(invite());
    let bob = Callee::new(&wire, "bob");
    let routes = "<sip:far.example.com;lr>, <sip:192.0.2.2;lr>";
    scene.receive(bob.respond_with(&wire, 180, &[("Record-Route", "<sip:wrong.example.com;lr>")], None));
    scene.event();
    scene.receive(bob.respond_with(&wire, 200, &[("Record-Route", routes)], Some(ANSWER)));
    let ack = scene.expect("ACK sip:bob@192.0.2.2:5060");
    assert_eq!(ack.header("Route"), "<sip:192.0.2.2;lr>");
    assert!(ack.text.contains("Route: <sip:far.example.com;lr>\r\n"));
    assert!(!ack.text.contains("wrong"), "the 2xx computes the route set anew (RFC 3261 §13.2.2.4)");
    scene.agent.hangup(scene.now, session, &[]).unwrap();
    assert_eq!(scene.expect("BYE ").header("Route"), "<sip:192.0.2.2;lr>");
}

#[test]
fn header_fields_of_the_application_are_sent_and_the_agents_own_are_not_overwritten() {
    let mut scene = Scene::new();
    let mut with = invite();
    with.max_forwards = Some(7);
    with.headers = vec![
        (HeaderName::SUBJECT, Bytes::from_static(b"hello")),
        (HeaderName::CALL_ID, Bytes::from_static(b"mine")),
        (HeaderName::from_static("X-Evil"), Bytes::from_static(b"a\r\nVia: b")),
    ];
    let (_, wire) = scene.call(with);
    assert_eq!(wire.header("Subject"), "hello");
    assert_eq!(wire.header("Max-Forwards"), "7");
    assert_ne!(wire.header("Call-ID"), "mine");
    assert!(!wire.has("X-Evil"));
}

#[test]
fn a_call_to_where_no_listener_leads_is_refused_at_once_and_leaves_nothing() {
    let mut scene = Scene::new();
    let mut with = invite();
    with.target = Target::udp("[2001:db8::2]:5060".parse().unwrap());
    assert!(matches!(scene.agent.invite(scene.now, with), Err(InviteError::Send(_))));
    scene.no_event();
    assert!(scene.agent.snapshot().is_idle());
}

#[test]
fn a_bye_in_the_early_dialog_cancels_the_call() {
    let mut scene = Scene::new();
    let (_, wire) = scene.call(invite());
    let mut bob = Callee::new(&wire, "bob");
    scene.receive(bob.respond(&wire, 180, None));
    scene.event();
    let bye = bob.request("BYE", scene.branch(), "", None);
    scene.receive(bye);
    scene.expect("SIP/2.0 200");
    scene.expect("CANCEL ");
    scene.receive(bob.respond(&wire, 487, None));
    scene.expect("ACK ");
    assert_eq!(cause(scene.event()), Cause::Bye);
    scene.assert_idle();
}

#[test]
fn a_re_invite_that_draws_only_a_100_is_cancelled_when_the_call_ends_or_the_ring_time_is_over() {
    for ends in [true, false] {
        let mut scene = Scene::with(Config { ring: Duration::from_secs(50), ..Config::default() });
        let (mut bob, session) = scene.established_to_peer();
        scene.agent.reinvite(scene.now, session, sdp(OFFER), Vec::new()).unwrap();
        let again = scene.expect("INVITE ");
        scene.receive(bob.respond(&again, 100, None));
        if ends {
            let bye = bob.request("BYE", scene.branch(), "", None);
            scene.receive(bye);
            scene.expect("SIP/2.0 200");
            scene.expect("CANCEL ");
            assert_eq!(cause(scene.event()), Cause::Bye);
        } else {
            scene.wait(Duration::from_secs(50));
            scene.expect("CANCEL ");
            scene.wait(Duration::from_secs(33));
            assert!(matches!(scene.event(), Event::OfferRejected { .. }));
            scene.wait(Duration::from_secs(33));
            assert_eq!(cause(scene.event()), Cause::Timeout);
        }
        scene.assert_idle();
    }
}

#[test]
fn a_2xx_whose_route_set_cannot_be_read_ends_the_call() {
    let mut scene = Scene::new();
    let (_, wire) = scene.call(invite());
    let bob = Callee::new(&wire, "bob");
    scene.receive(bob.respond_with(&wire, 200, &[("Record-Route", "<sip:broken")], Some(ANSWER)));
    scene.silence();
    assert_eq!(cause(scene.event()), Cause::Protocol);
    scene.assert_idle();
}
