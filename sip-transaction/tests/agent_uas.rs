//! Calls that come in: flows as in RFC 3665 §3, and the races of RFC 5407, on the side of the callee.

mod agent_support;

use std::time::Duration;

use agent_support::*;
use bytes::Bytes;
use sip_core::header::HeaderName;
use sip_core::{Method, Response};
use sip_transaction::agent::{Cause, Config, Event, SessionError};

fn cause(event: Event) -> Cause {
    match event {
        Event::Ended { cause, .. } => cause,
        other => panic!("{other:?}"),
    }
}

/// RFC 3665 §3.1.
#[test]
fn a_call_is_ringing_answered_acknowledged_and_ended_by_the_caller() {
    let mut scene = Scene::new();
    let mut call = PeerCall::new("3665-3.1");
    // F1 INVITE
    let session = scene.incoming(&mut call);
    // F2 180 Ringing
    scene.agent.provisional(scene.now, session, status(180), None, &[]).unwrap();
    let ringing = scene.expect("SIP/2.0 180 Ringing");
    call.take_tag(&ringing);
    assert!(ringing.header("Contact").contains("sip:600@192.0.2.1:5060"));
    // F3 200 OK
    scene.agent.answer(scene.now, session, sdp(ANSWER), &[]).unwrap();
    let ok = scene.expect("SIP/2.0 200 OK");
    assert_eq!(ok.to_tag(), ringing.to_tag());
    assert_eq!(ok.header("Content-Type"), "application/sdp");
    assert!(ok.header("Allow").contains("UPDATE"));
    // F4 ACK
    let ack = call.ack(scene.branch());
    scene.receive(ack);
    assert!(matches!(scene.event(), Event::Acknowledged { sdp: None, .. }));
    // F5 BYE
    let bye = call.bye(scene.branch());
    scene.receive(bye);
    // F6 200 OK
    let ok = scene.expect("SIP/2.0 200 OK");
    assert_eq!(ok.header("CSeq"), "2 BYE");
    assert_eq!(cause(scene.event()), Cause::Bye);
    scene.silence();
    scene.assert_idle();
}

#[test]
fn the_callee_ends_a_call_with_bye_to_the_callers_contact() {
    let mut scene = Scene::new();
    let (call, session) = scene.established_from_peer();
    let reason = [(HeaderName::REASON, Bytes::from_static(b"Q.850;cause=16"))];
    scene.agent.hangup(scene.now, session, &reason).unwrap();
    let bye = scene.expect("BYE sip:peer@192.0.2.2:5060 SIP/2.0");
    assert_eq!(bye.header("Call-ID"), call.call_id);
    assert_eq!(bye.header("Reason"), "Q.850;cause=16");
    assert!(bye.header("To").contains("tag=peer"));
    assert_eq!(cause(scene.event()), Cause::Hangup);
    assert_eq!(scene.agent.hangup(scene.now, session, &[]), Err(SessionError::Unknown));
    let ok = Response::to(bye.request(), status(200)).build();
    scene.receive(String::from_utf8(ok.to_bytes().to_vec()).unwrap());
    scene.no_event();
    scene.assert_idle();
}

#[test]
fn a_bye_that_nobody_answers_ends_the_call_at_once_and_lingers_for_32_seconds() {
    let mut scene = Scene::new();
    let (_, session) = scene.established_from_peer();
    scene.agent.hangup(scene.now, session, &[]).unwrap();
    assert_eq!(cause(scene.event()), Cause::Hangup);
    scene.wait(Duration::from_secs(31));
    assert!(scene.sent.len() > 5, "BYE is sent again");
    assert_eq!(scene.agent.snapshot().lingering, 1);
    scene.wait(Duration::from_secs(2));
    assert_eq!(scene.agent.snapshot().lingering, 0);
    scene.no_event();
    scene.assert_idle();
}

#[test]
fn a_2xx_is_sent_again_until_its_ack_comes() {
    let mut scene = Scene::new();
    let mut call = PeerCall::new("resent");
    let session = scene.incoming(&mut call);
    scene.agent.answer(scene.now, session, sdp(ANSWER), &[]).unwrap();
    let first = scene.expect("SIP/2.0 200");
    call.take_tag(&first);
    for (after, until_next) in [(500, 499), (1000, 999), (2000, 1999), (4000, 3999), (4000, 3999)] {
        scene.wait(ms(until_next));
        scene.silence();
        scene.wait(ms(after - until_next));
        assert_eq!(scene.expect("SIP/2.0 200").text, first.text);
    }
    let ack = call.ack(scene.branch());
    scene.receive(ack.clone());
    assert!(matches!(scene.event(), Event::Acknowledged { .. }));
    // A second ACK, to one of the copies, changes nothing.
    scene.receive(ack);
    scene.no_event();
    scene.wait(Duration::from_secs(60));
    scene.silence();
    assert!(scene.agent.is_alive(session));
}

#[test]
fn a_call_whose_ack_never_comes_is_ended_with_bye_after_32_seconds() {
    let mut scene = Scene::new();
    let mut call = PeerCall::new("no-ack");
    let session = scene.incoming(&mut call);
    scene.agent.answer(scene.now, session, sdp(ANSWER), &[]).unwrap();
    scene.wait(ms(31_999));
    // 0, 0.5, 1.5, 3.5 s and then every 4 s.
    assert_eq!(scene.sent.len(), 11, "the 2xx and its copies");
    assert!(scene.sent.iter().all(|wire| wire.text.starts_with("SIP/2.0 200")));
    scene.sent.clear();
    scene.wait(ms(1));
    let bye = scene.expect("BYE ");
    let ok = Response::to(bye.request(), status(200)).build();
    scene.receive(String::from_utf8(ok.to_bytes().to_vec()).unwrap());
    assert_eq!(cause(scene.event()), Cause::NotAcknowledged);
    scene.assert_idle();
}

#[test]
fn a_retransmitted_invite_is_one_call_and_its_2xx_is_not_answered_twice() {
    let mut scene = Scene::new();
    let mut call = PeerCall::new("twice");
    let text = call.invite(scene.branch(), "");
    scene.receive(&text);
    scene.receive(&text);
    let Event::Incoming { session, .. } = scene.event() else { panic!("not a call") };
    scene.no_event();
    scene.sent.clear();
    scene.agent.answer(scene.now, session, sdp(ANSWER), &[]).unwrap();
    scene.expect("SIP/2.0 200");
    scene.receive(&text);
    // RFC 6026 §7.1: the Accepted state absorbs it.
    scene.silence();
    scene.no_event();
}

/// RFC 3665 §3.8.
#[test]
fn a_cancelled_call_is_answered_487_and_its_ack_is_taken() {
    let mut scene = Scene::new();
    let mut call = PeerCall::new("3665-3.8");
    let session = scene.incoming(&mut call);
    scene.agent.provisional(scene.now, session, status(180), None, &[]).unwrap();
    scene.expect("SIP/2.0 180");
    let cancel = call.cancel();
    scene.receive(&cancel);
    let mut answers = [scene.expect("SIP/2.0 "), scene.expect("SIP/2.0 ")];
    answers.sort_by_key(|wire| wire.header("CSeq"));
    assert!(answers[0].text.starts_with("SIP/2.0 200"), "to the CANCEL");
    assert!(answers[1].text.starts_with("SIP/2.0 487"), "to the INVITE");
    match scene.event() {
        Event::Ended { cause: Cause::Cancelled, reason, .. } => {
            assert_eq!(reason.as_deref(), Some(&b"SIP;cause=200"[..]));
        }
        other => panic!("{other:?}"),
    }
    // A retransmitted CANCEL gets its 200 again.
    scene.receive(&cancel);
    scene.expect("SIP/2.0 200");
    call.take_tag(&answers[1]);
    let ack = call.message("ACK", 1, &call.invite_branch, "", None);
    scene.receive(ack);
    scene.silence();
    assert_eq!(scene.agent.answer(scene.now, session, None, &[]), Err(SessionError::Unknown));
    scene.assert_idle();
}

#[test]
fn a_cancel_that_crosses_the_200_changes_nothing() {
    let mut scene = Scene::new();
    let mut call = PeerCall::new("crossing");
    let session = scene.incoming(&mut call);
    scene.agent.answer(scene.now, session, sdp(ANSWER), &[]).unwrap();
    let answered = scene.expect("SIP/2.0 200");
    let cancel = call.cancel();
    scene.receive(cancel);
    let ok = scene.expect("SIP/2.0 200");
    assert_eq!(ok.header("CSeq"), "1 CANCEL");
    scene.no_event();
    // The caller takes the call and ends it.
    call.take_tag(&answered);
    let ack = call.ack(scene.branch());
    scene.receive(ack);
    assert!(matches!(scene.event(), Event::Acknowledged { .. }));
    let bye = call.bye(scene.branch());
    scene.receive(bye);
    scene.expect("SIP/2.0 200");
    assert_eq!(cause(scene.event()), Cause::Bye);
    scene.assert_idle();
}

#[test]
fn a_rejected_call_ends_at_once_and_its_headers_are_given() {
    for (code, name, value) in [
        (486, HeaderName::RETRY_AFTER, "60"),
        (302, HeaderName::CONTACT, "<sip:elsewhere@192.0.2.9>"),
        (401, HeaderName::WWW_AUTHENTICATE, "Digest realm=\"r\", nonce=\"n\""),
        (603, HeaderName::REASON, "SIP;cause=603"),
    ] {
        let mut scene = Scene::new();
        let mut call = PeerCall::new("rejected");
        let session = scene.incoming(&mut call);
        let long = name.as_str().to_owned();
        scene.agent.reject(scene.now, session, status(code), &[(name, Bytes::from(value))]).unwrap();
        let wire = scene.expect(&format!("SIP/2.0 {code}"));
        assert!(wire.text.contains(&format!("{long}: {value}\r\n")), "{}", wire.text);
        assert_eq!(cause(scene.event()), Cause::Rejected(status(code)));
        call.take_tag(&wire);
        let ack = call.message("ACK", 1, &call.invite_branch, "", None);
        scene.receive(ack);
        scene.no_event();
        scene.assert_idle();
    }
}

#[test]
fn only_a_refusal_can_reject_and_only_a_1xx_above_100_is_provisional() {
    let mut scene = Scene::new();
    let mut call = PeerCall::new("statuses");
    let session = scene.incoming(&mut call);
    assert_eq!(scene.agent.reject(scene.now, session, status(200), &[]), Err(SessionError::Status));
    assert_eq!(scene.agent.reject(scene.now, session, status(180), &[]), Err(SessionError::Status));
    assert_eq!(scene.agent.provisional(scene.now, session, status(100), None, &[]), Err(SessionError::Status));
    assert_eq!(scene.agent.provisional(scene.now, session, status(486), None, &[]), Err(SessionError::Status));
    scene.agent.answer(scene.now, session, sdp(ANSWER), &[]).unwrap();
    assert_eq!(scene.agent.answer(scene.now, session, sdp(ANSWER), &[]), Err(SessionError::State));
    assert_eq!(scene.agent.reject(scene.now, session, status(486), &[]), Err(SessionError::State));
}

#[test]
fn early_media_goes_out_in_a_183_and_ringing_is_repeated_every_minute() {
    let mut scene = Scene::new();
    let mut call = PeerCall::new("early");
    let session = scene.incoming(&mut call);
    scene.agent.provisional(scene.now, session, status(183), sdp(ANSWER), &[]).unwrap();
    let first = scene.expect("SIP/2.0 183");
    assert!(first.text.ends_with(ANSWER));
    scene.wait(Duration::from_secs(61));
    assert_eq!(scene.expect("SIP/2.0 183").text, first.text);
    scene.wait(Duration::from_secs(60));
    scene.expect("SIP/2.0 183");
}

#[test]
fn a_call_that_the_application_forgets_is_answered_480_at_the_ring_limit() {
    let mut scene = Scene::with(Config { ring: Duration::from_secs(10), ..Config::default() });
    let mut call = PeerCall::new("forgotten");
    scene.incoming(&mut call);
    scene.wait(Duration::from_secs(9));
    scene.sent.clear();
    scene.wait(Duration::from_secs(1));
    let wire = scene.expect("SIP/2.0 480");
    assert_eq!(cause(scene.event()), Cause::Timeout);
    call.take_tag(&wire);
    let ack = call.message("ACK", 1, &call.invite_branch, "", None);
    scene.receive(ack);
    scene.assert_idle();
}

#[test]
fn a_bye_that_overtakes_the_ack_ends_the_call() {
    let mut scene = Scene::new();
    let mut call = PeerCall::new("overtaken");
    let session = scene.incoming(&mut call);
    scene.agent.answer(scene.now, session, sdp(ANSWER), &[]).unwrap();
    let ok = scene.expect("SIP/2.0 200");
    call.take_tag(&ok);
    let (bye, ack) = (call.bye(scene.branch()), call.message("ACK", 1, "z9hG4bKlate", "", None));
    scene.receive(bye);
    scene.expect("SIP/2.0 200");
    assert_eq!(cause(scene.event()), Cause::Bye);
    scene.receive(ack);
    scene.no_event();
    scene.wait(Duration::from_secs(5));
    scene.silence();
    scene.assert_idle();
}

#[test]
fn a_bye_in_the_early_dialog_ends_the_call_with_487() {
    let mut scene = Scene::new();
    let mut call = PeerCall::new("early-bye");
    let session = scene.incoming(&mut call);
    scene.agent.provisional(scene.now, session, status(180), None, &[]).unwrap();
    let ringing = scene.expect("SIP/2.0 180");
    call.take_tag(&ringing);
    let bye = call.bye(scene.branch());
    scene.receive(bye);
    assert_eq!(scene.expect("SIP/2.0 200").header("CSeq"), "2 BYE");
    assert_eq!(scene.expect("SIP/2.0 487").header("CSeq"), "1 INVITE");
    assert_eq!(cause(scene.event()), Cause::Bye);
}

#[test]
fn a_callee_that_hangs_up_before_the_ack_waits_for_it_with_the_bye() {
    let mut scene = Scene::new();
    let mut call = PeerCall::new("impatient");
    let session = scene.incoming(&mut call);
    scene.agent.answer(scene.now, session, sdp(ANSWER), &[]).unwrap();
    let ok = scene.expect("SIP/2.0 200");
    call.take_tag(&ok);
    scene.agent.hangup(scene.now, session, &[]).unwrap();
    scene.silence();
    let ack = call.ack(scene.branch());
    scene.receive(ack);
    scene.expect("BYE ");
}

/// RFC 5407 §3.2.3.
#[test]
fn byes_that_cross_are_both_answered_and_the_call_ends_once() {
    let mut scene = Scene::new();
    let (mut call, session) = scene.established_from_peer();
    scene.agent.hangup(scene.now, session, &[]).unwrap();
    let ours = scene.expect("BYE ");
    let theirs = call.bye(scene.branch());
    scene.receive(theirs);
    scene.expect("SIP/2.0 200");
    assert_eq!(cause(scene.event()), Cause::Hangup);
    assert_eq!(scene.agent.snapshot().lingering, 1);
    let answer = Response::to(ours.request(), status(481)).build();
    scene.receive(String::from_utf8(answer.to_bytes().to_vec()).unwrap());
    scene.no_event();
    scene.assert_idle();
}

#[test]
fn an_invite_without_an_offer_gets_it_in_the_200_and_the_ack_answers() {
    let mut scene = Scene::new();
    let mut call = PeerCall::new("delayed");
    call.offer = None;
    let text = call.invite(scene.branch(), "");
    scene.receive(text);
    let Event::Incoming { session, sdp: None, .. } = scene.event() else { panic!("an offer out of nothing") };
    scene.agent.answer(scene.now, session, sdp(OFFER), &[]).unwrap();
    let ok = scene.expect("SIP/2.0 200");
    assert!(ok.text.ends_with(OFFER));
    call.take_tag(&ok);
    let ack = call.ack_with(scene.branch(), ANSWER);
    scene.receive(ack);
    match scene.event() {
        Event::Acknowledged { sdp: Some(answer), .. } => assert_eq!(answer, ANSWER),
        other => panic!("{other:?}"),
    }
}

#[test]
fn hold_and_resume_by_re_invite_are_offers_and_their_2xx_is_repeated_too() {
    let mut scene = Scene::new();
    let (mut call, session) = scene.established_from_peer();
    for _ in 0..2 {
        let reinvite = call.invite(scene.branch(), "");
        scene.receive(reinvite);
        match scene.event() {
            Event::Offer { session: other, sdp: Some(offer), .. } => {
                assert_eq!(other, session);
                assert_eq!(offer, OFFER);
            }
            other => panic!("{other:?}"),
        }
        scene.agent.answer_offer(scene.now, session, sdp(ANSWER), &[]).unwrap();
        let ok = scene.expect("SIP/2.0 200");
        assert!(ok.text.ends_with(ANSWER));
        scene.wait(ms(500));
        assert_eq!(scene.expect("SIP/2.0 200").text, ok.text);
        let ack = call.ack(scene.branch());
        scene.receive(ack);
        assert!(matches!(scene.event(), Event::Acknowledged { .. }));
    }
    scene.wait(Duration::from_secs(60));
    scene.silence();
    assert_eq!(scene.agent.answer_offer(scene.now, session, None, &[]), Err(SessionError::State));
}

#[test]
fn a_re_invite_whose_ack_never_comes_ends_the_call() {
    let mut scene = Scene::new();
    let (mut call, session) = scene.established_from_peer();
    let reinvite = call.invite(scene.branch(), "");
    scene.receive(reinvite);
    scene.event();
    scene.agent.answer_offer(scene.now, session, sdp(ANSWER), &[]).unwrap();
    scene.wait(Duration::from_secs(32));
    assert!(scene.sent.iter().any(|wire| wire.text.starts_with("BYE ")));
    scene.wait(Duration::from_secs(33));
    assert_eq!(cause(scene.event()), Cause::NotAcknowledged);
    scene.assert_idle();
}

#[test]
fn a_refused_offer_leaves_the_call_as_it_was() {
    let mut scene = Scene::new();
    let (mut call, session) = scene.established_from_peer();
    let reinvite = call.invite(scene.branch(), "");
    scene.receive(reinvite);
    scene.event();
    scene.agent.reject_offer(scene.now, session, status(488), &[]).unwrap();
    scene.expect("SIP/2.0 488");
    let ack = call.message("ACK", call.cseq, &call.invite_branch, "", None);
    scene.receive(ack);
    scene.no_event();
    assert!(scene.agent.is_alive(session));
    let update = call.request("UPDATE", scene.branch(), "", Some(OFFER));
    scene.receive(update);
    assert!(matches!(scene.event(), Event::Offer { .. }), "the next offer is taken");
}

/// RFC 5407 §3.1.4.
#[test]
fn a_re_invite_that_overtakes_the_ack_is_taken_as_the_ack() {
    let mut scene = Scene::new();
    let mut call = PeerCall::new("lost-ack");
    let session = scene.incoming(&mut call);
    scene.agent.answer(scene.now, session, sdp(ANSWER), &[]).unwrap();
    let ok = scene.expect("SIP/2.0 200");
    call.take_tag(&ok);
    let reinvite = call.invite(scene.branch(), "");
    scene.receive(reinvite);
    assert!(matches!(scene.event(), Event::Acknowledged { .. }));
    assert!(matches!(scene.event(), Event::Offer { .. }));
    scene.agent.answer_offer(scene.now, session, sdp(ANSWER), &[]).unwrap();
    let ok = scene.expect("SIP/2.0 200");
    assert_eq!(ok.header("CSeq"), "2 INVITE");
    // The late ACK belongs to the first INVITE.
    let late = call.message("ACK", 1, "z9hG4bKlate", "", None);
    scene.receive(late);
    scene.no_event();
    scene.wait(ms(500));
    assert_eq!(scene.expect("SIP/2.0 200").header("CSeq"), "2 INVITE");
}

/// RFC 5407 §3.1.5.
#[test]
fn a_re_invite_before_an_ack_that_owes_the_answer_is_refused_with_491() {
    let mut scene = Scene::new();
    let mut call = PeerCall::new("owing");
    call.offer = None;
    let session = scene.incoming(&mut call);
    scene.agent.answer(scene.now, session, sdp(OFFER), &[]).unwrap();
    let ok = scene.expect("SIP/2.0 200");
    call.take_tag(&ok);
    let reinvite = call.invite(scene.branch(), "");
    scene.receive(reinvite);
    scene.expect("SIP/2.0 491");
    scene.no_event();
}

#[test]
fn offers_that_cross_are_refused_with_491() {
    let mut scene = Scene::new();
    let (mut call, session) = scene.established_from_peer();
    scene.agent.reinvite(scene.now, session, sdp(OFFER), Vec::new()).unwrap();
    let ours = scene.expect("INVITE ");
    let theirs = call.invite(scene.branch(), "");
    scene.receive(theirs);
    scene.expect("SIP/2.0 491");
    let ack = call.message("ACK", call.cseq, &call.invite_branch, "", None);
    scene.receive(ack);
    let update = call.request("UPDATE", scene.branch(), "", Some(OFFER));
    scene.receive(update);
    scene.expect("SIP/2.0 491");
    // The peer refuses ours likewise. It made the Call-ID, so we wait between 0 and 2 s (RFC 3261 §14.1).
    let refused = Response::to(ours.request(), status(491)).build();
    scene.receive(String::from_utf8(refused.to_bytes().to_vec()).unwrap());
    scene.expect("ACK ");
    let begun = scene.now;
    scene.no_event();
    while scene.sent.is_empty() && scene.now < begun + ms(2100) {
        scene.wait(ms(10));
    }
    let again = scene.expect("INVITE ");
    assert_eq!(again.cseq(), ours.cseq() + 1);
    assert!(scene.now - begun <= ms(2000));
    let ok = Response::to(again.request(), status(200))
        .raw(&HeaderName::CONTACT, "<sip:peer@192.0.2.2:5060>")
        .body("application/sdp", ANSWER)
        .build();
    scene.receive(String::from_utf8(ok.to_bytes().to_vec()).unwrap());
    scene.expect("ACK ");
    assert!(matches!(scene.event(), Event::OfferAnswered { owing: false, .. }));
}

#[test]
fn an_offer_before_the_last_one_is_answered_draws_500_with_retry_after() {
    let mut scene = Scene::new();
    let (mut call, session) = scene.established_from_peer();
    let first = call.request("UPDATE", scene.branch(), "", Some(OFFER));
    scene.receive(first);
    assert!(matches!(scene.event(), Event::Offer { .. }));
    let second = call.request("UPDATE", scene.branch(), "", Some(OFFER));
    scene.receive(second);
    let refused = scene.expect("SIP/2.0 500");
    assert!(refused.header("Retry-After").parse::<u32>().unwrap() <= 10);
    scene.agent.answer_offer(scene.now, session, sdp(ANSWER), &[]).unwrap();
    assert_eq!(scene.expect("SIP/2.0 200").header("CSeq"), "2 UPDATE");
    scene.wait(Duration::from_secs(10));
    scene.silence();
}

#[test]
fn a_re_invite_before_the_first_answer_draws_500() {
    let mut scene = Scene::new();
    let mut call = PeerCall::new("too-early");
    let session = scene.incoming(&mut call);
    scene.agent.provisional(scene.now, session, status(180), None, &[]).unwrap();
    let ringing = scene.expect("SIP/2.0 180");
    call.take_tag(&ringing);
    let reinvite = call.invite(scene.branch(), "");
    scene.receive(reinvite);
    scene.expect("SIP/2.0 500");
    scene.no_event();
}

#[test]
fn a_sequence_number_that_is_not_above_the_last_draws_500() {
    let mut scene = Scene::new();
    let (call, _) = scene.established_from_peer();
    let old = call.message("INFO", 1, "z9hG4bKold", "", None);
    scene.receive(old);
    scene.expect("SIP/2.0 500");
    scene.no_event();
}

#[test]
fn a_cancelled_re_invite_is_answered_487_and_the_call_goes_on() {
    let mut scene = Scene::new();
    let (mut call, session) = scene.established_from_peer();
    let reinvite = call.invite(scene.branch(), "");
    scene.receive(reinvite);
    assert!(matches!(scene.event(), Event::Offer { .. }));
    // This CANCEL has the tag that the re-INVITE had.
    let cancel = call.message("CANCEL", call.cseq, &call.invite_branch, "", None);
    scene.receive(cancel);
    let codes =
        [scene.expect("SIP/2.0 "), scene.expect("SIP/2.0 ")].map(|wire| wire.header("CSeq") + &wire.text[8..11]);
    assert!(codes.contains(&"2 CANCEL200".to_owned()) && codes.contains(&"2 INVITE487".to_owned()), "{codes:?}");
    assert!(matches!(scene.event(), Event::OfferWithdrawn { .. }));
    assert!(scene.agent.is_alive(session));
}

#[test]
fn an_update_without_an_offer_refreshes_the_target_and_is_answered_by_itself() {
    let mut scene = Scene::new();
    let (mut call, session) = scene.established_from_peer();
    call.contact = "<sip:moved@192.0.2.2:5060>".to_owned();
    let update = call.request("UPDATE", scene.branch(), "", None);
    scene.receive(update);
    assert!(scene.expect("SIP/2.0 200").has("Contact"));
    scene.no_event();
    scene.agent.hangup(scene.now, session, &[]).unwrap();
    scene.expect("BYE sip:moved@192.0.2.2:5060 SIP/2.0");
}

#[test]
fn options_inside_a_call_are_answered_by_themselves() {
    let mut scene = Scene::new();
    let (mut call, _) = scene.established_from_peer();
    let options = call.request("OPTIONS", scene.branch(), "", None);
    scene.receive(options);
    let ok = scene.expect("SIP/2.0 200");
    assert_eq!(ok.header("Accept"), "application/sdp");
    assert!(ok.header("Allow").contains("INVITE"));
    scene.no_event();
}

#[test]
fn info_inside_a_call_is_the_applications_and_what_is_unanswered_at_the_end_is_answered() {
    let mut scene = Scene::new();
    let (mut call, _) = scene.established_from_peer();
    let info = call.request("INFO", scene.branch(), "", None);
    scene.receive(info);
    let Event::InDialog { id, request, .. } = scene.event() else { panic!("no INFO") };
    assert_eq!(*request.method(), Method::Info);
    scene.agent.respond(scene.now, id, Response::to(&request, status(200)).build()).unwrap();
    scene.expect("SIP/2.0 200");

    let info = call.request("INFO", scene.branch(), "", None);
    scene.receive(info);
    assert!(matches!(scene.event(), Event::InDialog { .. }));
    let bye = call.bye(scene.branch());
    scene.receive(bye);
    assert_eq!(scene.expect("SIP/2.0 200").header("CSeq"), "4 BYE");
    assert_eq!(scene.expect("SIP/2.0 487").header("CSeq"), "3 INFO");
    assert_eq!(cause(scene.event()), Cause::Bye);
    scene.assert_idle();
}

#[test]
fn too_many_unanswered_requests_in_one_call_draw_503() {
    let mut scene = Scene::with(Config { waiting: 2, ..Config::default() });
    let (mut call, _) = scene.established_from_peer();
    for _ in 0..2 {
        let info = call.request("INFO", scene.branch(), "", None);
        scene.receive(info);
        assert!(matches!(scene.event(), Event::InDialog { .. }));
    }
    let info = call.request("INFO", scene.branch(), "", None);
    scene.receive(info);
    assert!(scene.expect("SIP/2.0 503").has("Retry-After"));
    scene.no_event();
}

#[test]
fn requests_in_dialogs_that_do_not_exist_draw_481() {
    let mut scene = Scene::new();
    for method in ["BYE", "INVITE", "UPDATE", "INFO", "OPTIONS", "NOTIFY", "PRACK"] {
        let mut call = PeerCall::new("nowhere");
        call.our_tag = Some("never".to_owned());
        let text = call.request(method, scene.branch(), "", None);
        scene.receive(text);
        scene.expect("SIP/2.0 481");
        scene.no_event();
    }
    for method in ["BYE", "UPDATE", "INFO", "PRACK"] {
        let text = PeerCall::new("untagged").request(method, scene.branch(), "", None);
        scene.receive(text);
        scene.expect("SIP/2.0 481");
    }
    let mut stray = PeerCall::new("stray");
    stray.our_tag = Some("never".to_owned());
    let ack = stray.ack(scene.branch());
    scene.receive(ack);
    scene.silence();
    scene.no_event();
    scene.assert_idle();
}

#[test]
fn a_required_extension_that_is_not_supported_draws_420_and_is_named() {
    let mut scene = Scene::new();
    let mut call = PeerCall::new("100rel");
    let text = call.invite(scene.branch(), "Require: 100rel, timer\r\nRequire: replaces\r\n");
    scene.receive(text);
    assert_eq!(scene.expect("SIP/2.0 420").header("Unsupported"), "100rel, timer, replaces");
    scene.no_event();

    let mut scene = Scene::with(Config { supported: vec!["timer".to_owned()], ..Config::default() });
    let mut call = PeerCall::new("timer");
    let text = call.invite(scene.branch(), "Require: Timer\r\n");
    scene.receive(text);
    assert!(matches!(scene.event(), Event::Incoming { .. }));
}

#[test]
fn a_body_that_is_no_session_description_draws_415() {
    let mut scene = Scene::new();
    let mut call = PeerCall::new("body");
    let text = call.invite(scene.branch(), "").replace("application/sdp", "application/xml");
    scene.receive(text);
    assert_eq!(scene.expect("SIP/2.0 415").header("Accept"), "application/sdp");
    let (mut call, session) = scene.established_from_peer();
    let text = call.invite(scene.branch(), "").replace("application/sdp", "application/xml");
    scene.receive(text);
    scene.expect("SIP/2.0 415");
    scene.no_event();
    assert!(scene.agent.is_alive(session));
}

#[test]
fn an_invite_without_a_contact_draws_400() {
    let mut scene = Scene::new();
    let mut call = PeerCall::new("contactless");
    let text = call.invite(scene.branch(), "").replace("Contact: <sip:peer@192.0.2.2:5060>\r\n", "");
    scene.receive(text);
    scene.expect("SIP/2.0 400");
    scene.no_event();
}

#[test]
fn the_same_invite_by_another_path_draws_482() {
    let mut scene = Scene::new();
    let mut call = PeerCall::new("merged");
    let session = scene.incoming(&mut call);
    let copy = call.invite(scene.branch(), "");
    scene.receive(copy);
    scene.expect("SIP/2.0 482");
    scene.no_event();
    // Another call with the same Call-ID and tag but a new number is one: the INVITE with credentials.
    scene.agent.reject(scene.now, session, status(401), &[]).unwrap();
    scene.expect("SIP/2.0 401");
    scene.event();
    call.cseq += 1;
    let again = call.invite(scene.branch(), "");
    scene.receive(again);
    assert!(matches!(scene.event(), Event::Incoming { .. }));
}

#[test]
fn calls_past_the_limit_draw_503_with_retry_after() {
    let mut scene = Scene::with(Config { sessions: 1, ..Config::default() });
    scene.incoming(&mut PeerCall::new("first"));
    let text = PeerCall::new("second").invite(scene.branch(), "");
    scene.receive(text);
    assert!(scene.expect("SIP/2.0 503").has("Retry-After"));
    scene.no_event();
    assert!(scene.agent.invite(scene.now, invite()).is_err());
}

#[test]
fn the_route_set_of_a_recorded_call_is_followed_and_a_strict_router_too() {
    for (uri, request_line, route) in [
        (
            "<sip:192.0.2.2:5060;lr>,<sip:far.example.com;lr>",
            "BYE sip:peer@192.0.2.9 SIP/2.0",
            "<sip:192.0.2.2:5060;lr>",
        ),
        ("<sip:192.0.2.2:5060>,<sip:far.example.com;lr>", "BYE sip:192.0.2.2:5060 SIP/2.0", "<sip:far.example.com;lr>"),
    ] {
        let mut scene = Scene::new();
        let mut call = PeerCall::new("routed");
        call.contact = "<sip:peer@192.0.2.9>".to_owned();
        let text = call.invite(scene.branch(), &format!("Record-Route: {uri}\r\n"));
        scene.receive(text);
        let Event::Incoming { session, .. } = scene.event() else { panic!("no call") };
        scene.agent.answer(scene.now, session, sdp(ANSWER), &[]).unwrap();
        let ok = scene.expect("SIP/2.0 200");
        assert!(ok.has("Record-Route"), "the caller learns the route set from the 200");
        call.take_tag(&ok);
        let ack = call.ack(scene.branch());
        scene.receive(ack);
        scene.event();
        scene.agent.hangup(scene.now, session, &[]).unwrap();
        let bye = scene.expect("BYE ");
        assert_eq!(bye.start_line(), request_line);
        assert_eq!(bye.header("Route"), route);
        assert_eq!(bye.to, Some("192.0.2.2:5060".parse().unwrap()));
        if request_line.contains("192.0.2.2") {
            assert!(bye.text.contains("Route: <sip:peer@192.0.2.9>\r\n"), "the target goes last");
        }
    }
}

#[test]
fn a_request_outside_of_dialogs_is_the_applications() {
    let mut scene = Scene::new();
    let text = PeerCall::new("options").request("OPTIONS", scene.branch(), "", None);
    scene.receive(text);
    let Event::Request { id, request, .. } = scene.event() else { panic!("no request") };
    scene.agent.respond(scene.now, id, Response::to(&request, status(200)).to_tag(b"t").build()).unwrap();
    scene.expect("SIP/2.0 200");
    scene.wait(Duration::from_secs(40));
    assert!(matches!(scene.event(), Event::RequestEnded { .. }));
    scene.assert_idle();
}
