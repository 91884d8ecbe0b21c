//! Two-leg calls: flows as in RFC 3665, with a B2BUA in the middle, and what must not cross it.

mod b2bua_support;

use std::time::Duration;

use b2bua_support::*;
use bytes::Bytes;
use sip_core::header::HeaderName;
use sip_core::{Method, Response};
use sip_proxy::b2bua::{self, CallError, Config, Leg, Plan, Role};
use sip_transaction::agent::{Cause, Credentials, Event};

#[test]
fn a_call_rings_is_answered_and_ended_by_the_caller() {
    let mut stage = Stage::new();
    let alice = stage.call("bob");
    let (bob, request, offer) = stage.bob.incoming();
    assert_eq!(offer, Some(relayed("alice")));
    assert_eq!(request.headers().get(&HeaderName::MAX_FORWARDS).unwrap(), "69");
    stage.bob.agent.provisional(stage.simulation.now(), bob, status(180), None, &[]).unwrap();
    stage.settle();
    match stage.alice.event() {
        Event::Progress { response, sdp: None, .. } => assert_eq!(response.status(), status(180)),
        other => panic!("{other:?}"),
    }
    stage.bob.agent.answer(stage.simulation.now(), bob, Some(sdp("bob")), &[]).unwrap();
    stage.settle();
    match stage.alice.event() {
        Event::Answered { sdp: answer, owing: false, .. } => assert_eq!(answer, Some(relayed("bob"))),
        other => panic!("{other:?}"),
    }
    assert!(matches!(stage.bob.event(), Event::Acknowledged { .. }));
    stage.alice.agent.hangup(stage.simulation.now(), alice, &[]).unwrap();
    stage.settle();
    assert_eq!(stage.alice.ended(), Cause::Hangup);
    assert_eq!(stage.bob.ended(), Cause::Bye);
    assert_eq!(stage.pbx.end(), (Some(Leg::A), Cause::Bye, None));
    stage.assert_idle();
}

#[test]
fn the_callee_ends_the_call_and_its_reason_crosses() {
    let mut stage = Stage::new();
    let (_, bob) = stage.talk();
    let reason = [(HeaderName::REASON, Bytes::from_static(b"Q.850;cause=16"))];
    stage.bob.agent.hangup(stage.simulation.now(), bob, &reason).unwrap();
    stage.settle();
    assert_eq!(stage.bob.ended(), Cause::Hangup);
    match stage.alice.event() {
        Event::Ended { cause: Cause::Bye, reason, .. } => assert_eq!(reason.as_deref(), Some(&b"Q.850;cause=16"[..])),
        other => panic!("{other:?}"),
    }
    assert_eq!(stage.pbx.end(), (Some(Leg::B(0)), Cause::Bye, None));
    stage.assert_idle();
}

#[test]
fn nothing_that_belongs_to_one_side_reaches_the_other() {
    let mut stage = Stage::new();
    let mut invite = stage.alice.invite("bob");
    invite.headers = vec![
        (HeaderName::SUBJECT, Bytes::from_static(b"lunch")),
        (HeaderName::USER_AGENT, Bytes::from_static(b"secret-phone")),
        (HeaderName::from_static("P-Asserted-Identity"), Bytes::from_static(b"<sip:boss@192.0.2.1>")),
        (HeaderName::from_static("X-Secret"), Bytes::from_static(b"1")),
    ];
    let alice = stage.call_with(invite);
    let (bob, request, _) = stage.bob.incoming();
    assert_eq!(request.headers().get(&HeaderName::SUBJECT).unwrap(), "lunch");
    let now = stage.now();
    stage
        .bob
        .agent
        .answer(now, bob, Some(sdp("bob")), &[(HeaderName::SERVER, Bytes::from_static(b"secret-desk"))])
        .unwrap();
    stage.settle();
    let alices = stage.alice.agent.dialog(alice).unwrap().id().clone();
    let bobs = stage.bob.agent.dialog(bob).unwrap().id().clone();
    stage.alice.agent.hangup(stage.simulation.now(), alice, &[]).unwrap();
    stage.settle();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let of_alice = [
        text(alices.call_id()),
        text(alices.local_tag()),
        text(alices.remote_tag()),
        "192.0.2.2".to_owned(),
        "secret".to_owned(),
        "Secret".to_owned(),
        "boss".to_owned(),
    ];
    let of_bob = [
        text(bobs.call_id()),
        text(bobs.local_tag()),
        text(bobs.remote_tag()),
        "192.0.2.3".to_owned(),
        "secret".to_owned(),
    ];
    for (to, secrets) in [(BOB, &of_alice[..]), (ALICE, &of_bob[..])] {
        let sent = stage.sent_to(to);
        assert!(sent.len() >= 2);
        for message in sent {
            for secret in secrets {
                assert!(!message.contains(secret.as_str()), "{secret} reached {to}:\n{message}");
            }
        }
    }
}

#[test]
fn identities_cross_only_from_a_trusted_caller() {
    for trusted in [false, true] {
        let mut stage = Stage::new();
        stage.pbx.trusted = trusted;
        let mut invite = stage.alice.invite("bob");
        let name = HeaderName::from_static("P-Asserted-Identity");
        invite.headers = vec![(name.clone(), Bytes::from_static(b"<sip:boss@192.0.2.1>"))];
        stage.call_with(invite);
        let (_, request, _) = stage.bob.incoming();
        assert_eq!(request.headers().contains(&name), trusted);
    }
}

#[test]
fn early_media_is_heard_before_the_answer() {
    let mut stage = Stage::new();
    stage.call("bob");
    let (bob, ..) = stage.bob.incoming();
    stage.bob.agent.provisional(stage.simulation.now(), bob, status(183), Some(sdp("early")), &[]).unwrap();
    stage.settle();
    match stage.alice.event() {
        Event::Progress { response, sdp: early, .. } => {
            assert_eq!(response.status(), status(183));
            assert_eq!(early, Some(relayed("early")));
        }
        other => panic!("{other:?}"),
    }
    assert!(stage.pbx.has(|event| matches!(event, b2bua::Event::Description { role: Role::Early, .. })));
}

#[test]
fn early_media_that_the_relay_cannot_use_is_left_out() {
    let mut stage = Stage::new();
    stage.pbx.refuse = Some((Role::Early, status(488)));
    stage.call("bob");
    let (bob, ..) = stage.bob.incoming();
    stage.bob.agent.provisional(stage.simulation.now(), bob, status(183), Some(sdp("early")), &[]).unwrap();
    stage.settle();
    assert!(matches!(stage.alice.event(), Event::Progress { sdp: None, .. }));
}

#[test]
fn refusals_reach_the_caller_as_what_they_mean_to_him() {
    for (code, told) in [(486, 486), (603, 603), (404, 404), (488, 488), (302, 480), (401, 500), (503, 500), (480, 480)]
    {
        let mut stage = Stage::new();
        stage.call("bob");
        let (bob, ..) = stage.bob.incoming();
        stage.bob.agent.reject(stage.simulation.now(), bob, status(code), &[]).unwrap();
        stage.settle();
        assert!(matches!(stage.alice.event(), Event::Rejected { .. }));
        assert_eq!(stage.alice.ended(), Cause::Rejected(status(told)), "for {code}");
        assert!(stage.pbx.has(
            |event| matches!(event, b2bua::Event::BranchFailed { status: got, response: Some(_), .. } if *got == status(code))
        ));
        assert_eq!(stage.pbx.end(), (None, Cause::Rejected(status(told)), Some(told)));
        stage.assert_idle();
    }
}

#[test]
fn a_caller_who_cancels_is_told_487_and_the_callee_is_cancelled() {
    let mut stage = Stage::new();
    let alice = stage.call("bob");
    let (bob, ..) = stage.bob.incoming();
    stage.bob.agent.provisional(stage.simulation.now(), bob, status(180), None, &[]).unwrap();
    stage.settle();
    stage.alice.events.clear();
    stage.alice.agent.hangup(stage.simulation.now(), alice, &[]).unwrap();
    stage.settle();
    assert_eq!(stage.alice.ended(), Cause::Cancelled);
    assert_eq!(stage.bob.ended(), Cause::Cancelled);
    assert_eq!(stage.pbx.end(), (Some(Leg::A), Cause::Cancelled, Some(487)));
    stage.assert_idle();
}

#[test]
fn a_cancel_that_crosses_the_callees_answer_ends_both_sides() {
    let mut stage = Stage::new();
    let alice = stage.call("bob");
    let (bob, ..) = stage.bob.incoming();
    // At the same moment: the CANCEL and the 200 meet in the B2BUA.
    let now = stage.now();
    stage.alice.agent.hangup(now, alice, &[]).unwrap();
    stage.bob.agent.answer(now, bob, Some(sdp("bob")), &[]).unwrap();
    stage.run(Duration::from_secs(5));
    stage.alice.events.clear();
    assert!(!stage.alice.agent.is_alive(alice));
    assert!(!stage.bob.agent.is_alive(bob));
    stage.pbx.end();
    stage.assert_idle();
}

#[test]
fn nobody_answers_in_the_ring_time() {
    let mut stage = Stage::new();
    stage.pbx.ring = Duration::from_secs(15);
    stage.call("bob");
    let (bob, ..) = stage.bob.incoming();
    stage.bob.agent.provisional(stage.simulation.now(), bob, status(180), None, &[]).unwrap();
    stage.run(Duration::from_secs(14));
    stage.alice.event();
    stage.alice.no_event();
    stage.run(Duration::from_secs(2));
    assert!(matches!(stage.alice.event(), Event::Rejected { .. }));
    assert_eq!(stage.alice.ended(), Cause::Rejected(status(480)));
    assert_eq!(stage.bob.ended(), Cause::Cancelled);
    assert_eq!(stage.pbx.end(), (None, Cause::Timeout, Some(480)));
    assert_eq!(stage.pbx.b2bua.snapshot().counters.no_answer, 1);
    stage.assert_idle();
}

#[test]
fn a_callee_that_cannot_be_reached_is_a_408_after_32_seconds() {
    let mut stage = Stage::new();
    stage.pbx.ring = Duration::from_secs(60);
    stage.simulation.network.take_down(BOB.parse().unwrap());
    stage.call("bob");
    stage.run(Duration::from_secs(33));
    assert!(matches!(stage.alice.event(), Event::Rejected { .. }));
    assert_eq!(stage.alice.ended(), Cause::Rejected(status(408)));
    stage.assert_idle();
}

#[test]
fn a_call_to_nobody_is_refused_at_once() {
    let mut stage = Stage::new();
    stage.call("nobody");
    assert!(matches!(stage.alice.event(), Event::Rejected { .. }));
    assert_eq!(stage.alice.ended(), Cause::Rejected(status(480)));
    assert_eq!(stage.pbx.end(), (None, Cause::Rejected(status(480)), Some(480)));
    stage.assert_idle();
}

#[test]
fn of_several_phones_the_first_to_answer_wins_and_the_others_are_cancelled() {
    let mut stage = Stage::new();
    let alice = stage.call("both");
    let (bob, ..) = stage.bob.incoming();
    let (carol, _, offer) = stage.carol.incoming();
    assert_eq!(offer, Some(relayed("alice")));
    stage.bob.agent.provisional(stage.simulation.now(), bob, status(183), Some(sdp("bob")), &[]).unwrap();
    stage.settle();
    stage.carol.agent.provisional(stage.simulation.now(), carol, status(183), Some(sdp("carol")), &[]).unwrap();
    stage.settle();
    assert!(matches!(stage.alice.event(), Event::Progress { sdp: Some(_), .. }), "the first early media is heard");
    assert!(matches!(stage.alice.event(), Event::Progress { sdp: None, .. }), "the second is not");
    stage.carol.agent.answer(stage.simulation.now(), carol, Some(sdp("carol")), &[]).unwrap();
    stage.settle();
    match stage.alice.event() {
        Event::Answered { sdp: answer, .. } => assert_eq!(answer, Some(relayed("carol"))),
        other => panic!("{other:?}"),
    }
    assert_eq!(stage.bob.ended(), Cause::Cancelled);
    assert!(matches!(stage.carol.event(), Event::Acknowledged { .. }));
    assert_eq!(stage.pbx.b2bua.chosen(stage.pbx.calls[0]), Some(1));
    stage.alice.agent.hangup(stage.simulation.now(), alice, &[]).unwrap();
    stage.settle();
    assert_eq!(stage.carol.ended(), Cause::Bye);
    stage.assert_idle();
}

#[test]
fn two_phones_that_answer_at_once_leave_one_call() {
    let mut stage = Stage::new();
    let alice = stage.call("both");
    let ((bob, ..), (carol, ..)) = (stage.bob.incoming(), stage.carol.incoming());
    let now = stage.now();
    stage.bob.agent.answer(now, bob, Some(sdp("bob")), &[]).unwrap();
    stage.carol.agent.answer(now, carol, Some(sdp("carol")), &[]).unwrap();
    stage.settle();
    assert!(matches!(stage.alice.event(), Event::Answered { .. }));
    assert!(stage.bob.agent.is_alive(bob) != stage.carol.agent.is_alive(carol), "one of them was hung up");
    stage.alice.agent.hangup(stage.simulation.now(), alice, &[]).unwrap();
    stage.settle();
    assert!(!stage.bob.agent.is_alive(bob) && !stage.carol.agent.is_alive(carol));
    stage.pbx.end();
    stage.assert_idle();
}

#[test]
fn one_busy_phone_does_not_end_the_ringing_of_the_other_but_a_decline_does() {
    for (code, told) in [(486, None), (603, Some(603))] {
        let mut stage = Stage::new();
        stage.call("both");
        let ((bob, ..), (carol, ..)) = (stage.bob.incoming(), stage.carol.incoming());
        stage.run(ms(300));
        stage.bob.agent.reject(stage.simulation.now(), bob, status(code), &[]).unwrap();
        stage.settle();
        match told {
            None => {
                stage.alice.no_event();
                stage.carol.agent.reject(stage.simulation.now(), carol, status(480), &[]).unwrap();
                stage.settle();
                stage.alice.event();
                assert_eq!(stage.alice.ended(), Cause::Rejected(status(486)), "the better of 486 and 480");
            }
            Some(told) => {
                stage.alice.event();
                assert_eq!(stage.alice.ended(), Cause::Rejected(status(told)));
                assert_eq!(stage.carol.ended(), Cause::Cancelled);
            }
        }
        stage.assert_idle();
    }
}

#[test]
fn one_more_phone_can_be_rung_while_the_call_rings() {
    let mut stage = Stage::new();
    stage.call("bob");
    stage.bob.incoming();
    let call = stage.pbx.calls[0];
    let now = stage.now();
    let target = CAROL.parse().unwrap();
    let invite = sip_transaction::agent::Invite::new(
        sip_transaction::Target::udp(target),
        "sip:carol@192.0.2.4".parse().unwrap(),
        address("sip:caller@192.0.2.1"),
        address("sip:carol@192.0.2.4"),
    );
    assert_eq!(stage.pbx.b2bua.fork(now, &mut stage.pbx.agent, call, invite.clone()), Ok(1));
    stage.settle();
    let (carol, _, offer) = stage.carol.incoming();
    assert_eq!(offer, Some(relayed("alice")));
    stage.carol.agent.answer(stage.simulation.now(), carol, Some(sdp("carol")), &[]).unwrap();
    stage.settle();
    let now = stage.now();
    assert_eq!(stage.pbx.b2bua.fork(now, &mut stage.pbx.agent, call, invite), Err(CallError::State));
}

#[test]
fn hold_and_resume_pass_both_ways_with_their_answers() {
    let mut stage = Stage::new();
    let (alice, bob) = stage.talk();
    for round in 0..2 {
        let now = stage.now();
        stage.alice.agent.reinvite(now, alice, Some(sdp("alice-hold")), Vec::new()).unwrap();
        stage.settle();
        match stage.bob.event() {
            Event::Offer { sdp: offer, .. } => assert_eq!(offer, Some(relayed("alice-hold"))),
            other => panic!("{other:?}"),
        }
        let now = stage.now();
        stage.bob.agent.answer_offer(now, bob, Some(sdp("bob-held")), &[]).unwrap();
        stage.settle();
        match stage.alice.event() {
            Event::OfferAnswered { sdp: answer, .. } => assert_eq!(answer, Some(relayed("bob-held")), "round {round}"),
            other => panic!("{other:?}"),
        }
        assert!(matches!(stage.bob.event(), Event::Acknowledged { .. }));
        // And the other way, by UPDATE.
        let now = stage.now();
        stage.bob.agent.update(now, bob, sdp("bob-update"), Vec::new()).unwrap();
        stage.settle();
        match stage.alice.event() {
            Event::Offer { sdp: offer, .. } => assert_eq!(offer, Some(relayed("bob-update"))),
            other => panic!("{other:?}"),
        }
        let now = stage.now();
        stage.alice.agent.answer_offer(now, alice, Some(sdp("alice-update")), &[]).unwrap();
        stage.settle();
        match stage.bob.event() {
            Event::OfferAnswered { sdp: answer, .. } => assert_eq!(answer, Some(relayed("alice-update"))),
            other => panic!("{other:?}"),
        }
        assert!(matches!(stage.alice.event(), Event::Acknowledged { .. }));
    }
    assert_eq!(stage.pbx.b2bua.snapshot().counters.renegotiations, 4);
}

#[test]
fn an_offer_that_one_side_refuses_is_refused_to_the_other_and_the_call_goes_on() {
    let mut stage = Stage::new();
    let (alice, bob) = stage.talk();
    let now = stage.now();
    stage.alice.agent.reinvite(now, alice, Some(sdp("alice-video")), Vec::new()).unwrap();
    stage.settle();
    stage.bob.event();
    stage.bob.agent.reject_offer(stage.simulation.now(), bob, status(488), &[]).unwrap();
    stage.settle();
    match stage.alice.event() {
        Event::OfferRejected { status: told, .. } => assert_eq!(told, status(488)),
        other => panic!("{other:?}"),
    }
    // The relay itself may refuse as well.
    stage.pbx.refuse = Some((Role::Offer, status(488)));
    let now = stage.now();
    stage.alice.agent.reinvite(now, alice, Some(sdp("alice-video")), Vec::new()).unwrap();
    stage.settle();
    assert!(matches!(stage.alice.event(), Event::OfferRejected { .. }));
    stage.bob.no_event();
    stage.pbx.refuse = None;
    let now = stage.now();
    stage.bob.agent.reinvite(now, bob, Some(sdp("bob-hold")), Vec::new()).unwrap();
    stage.settle();
    assert!(matches!(stage.alice.event(), Event::Offer { .. }), "the next one passes");
}

#[test]
fn offers_of_both_sides_at_once_are_both_refused_and_tried_again_until_both_have_passed() {
    let mut stage = Stage::new();
    let (alice, bob) = stage.talk();
    let now = stage.now();
    stage.alice.agent.reinvite(now, alice, Some(sdp("alice-hold")), Vec::new()).unwrap();
    stage.bob.agent.reinvite(now, bob, Some(sdp("bob-hold")), Vec::new()).unwrap();
    let (mut alices, mut bobs) = (false, false);
    for _ in 0..600 {
        stage.settle();
        while let Some(event) = stage.alice.events.pop_front() {
            match event {
                Event::Offer { .. } => {
                    let now = stage.simulation.now();
                    stage.alice.agent.answer_offer(now, alice, Some(sdp("alice")), &[]).unwrap();
                }
                Event::OfferAnswered { .. } => alices = true,
                Event::OfferRejected { .. } => panic!("given up"),
                _ => {}
            }
        }
        while let Some(event) = stage.bob.events.pop_front() {
            match event {
                Event::Offer { .. } => {
                    let now = stage.simulation.now();
                    stage.bob.agent.answer_offer(now, bob, Some(sdp("bob")), &[]).unwrap();
                }
                Event::OfferAnswered { .. } => bobs = true,
                Event::OfferRejected { .. } => panic!("given up"),
                _ => {}
            }
        }
    }
    assert!(alices && bobs);
    assert!(stage.pbx.agent.snapshot().counters.glare + stage.alice.agent.snapshot().counters.glare > 0);
}

#[test]
fn a_call_without_an_offer_gets_the_callees_and_the_ack_answers_it_end_to_end() {
    let mut stage = Stage::new();
    let mut invite = stage.alice.invite("bob");
    invite.offer = None;
    let alice = stage.call_with(invite);
    let (bob, _, offer) = stage.bob.incoming();
    assert_eq!(offer, None);
    stage.bob.agent.answer(stage.simulation.now(), bob, Some(sdp("bob")), &[]).unwrap();
    stage.settle();
    match stage.alice.event() {
        Event::Answered { sdp: offer, owing: true, .. } => assert_eq!(offer, Some(relayed("bob"))),
        other => panic!("{other:?}"),
    }
    stage.alice.agent.acknowledge(stage.simulation.now(), alice, Some(sdp("alice"))).unwrap();
    stage.settle();
    match stage.bob.event() {
        Event::Acknowledged { sdp: answer, .. } => assert_eq!(answer, Some(relayed("alice"))),
        other => panic!("{other:?}"),
    }
    // The same in a re-INVITE.
    let now = stage.now();
    stage.bob.agent.reinvite(now, bob, None, Vec::new()).unwrap();
    stage.settle();
    assert!(matches!(stage.alice.event(), Event::Offer { sdp: None, .. }));
    let now = stage.now();
    stage.alice.agent.answer_offer(now, alice, Some(sdp("alice-2")), &[]).unwrap();
    stage.settle();
    match stage.bob.event() {
        Event::OfferAnswered { sdp: offer, owing: true, .. } => assert_eq!(offer, Some(relayed("alice-2"))),
        other => panic!("{other:?}"),
    }
    stage.bob.agent.acknowledge(stage.simulation.now(), bob, Some(sdp("bob-2"))).unwrap();
    stage.settle();
    match stage.alice.event() {
        Event::Acknowledged { sdp: answer, .. } => assert_eq!(answer, Some(relayed("bob-2"))),
        other => panic!("{other:?}"),
    }
    stage.alice.agent.hangup(stage.simulation.now(), alice, &[]).unwrap();
    stage.settle();
    assert_eq!(stage.bob.ended(), Cause::Bye);
    stage.assert_idle();
}

#[test]
fn a_withdrawn_re_invite_is_withdrawn_on_the_other_side_too() {
    let mut stage = Stage::new();
    let (alice, bob) = stage.talk();
    let now = stage.now();
    stage.alice.agent.reinvite(now, alice, Some(sdp("alice-hold")), Vec::new()).unwrap();
    // Long enough for the 100 of both sides.
    stage.run(ms(500));
    assert!(matches!(stage.bob.event(), Event::Offer { .. }));
    stage.alice.agent.withdraw_offer(stage.simulation.now(), alice).unwrap();
    stage.settle();
    assert!(matches!(stage.bob.event(), Event::OfferWithdrawn { .. }));
    assert!(matches!(stage.alice.event(), Event::OfferRejected { .. }));
    assert!(stage.alice.agent.is_alive(alice) && stage.bob.agent.is_alive(bob));
    let now = stage.now();
    stage.bob.agent.reinvite(now, bob, Some(sdp("bob-hold")), Vec::new()).unwrap();
    stage.settle();
    assert!(matches!(stage.alice.event(), Event::Offer { .. }), "the next one passes");
}

#[test]
fn dtmf_in_info_passes_with_its_answer_and_other_requests_are_the_applications() {
    let mut stage = Stage::new();
    let (alice, _) = stage.talk();
    let now = stage.now();
    let body = Some(("application/dtmf-relay", Bytes::from_static(b"Signal=5\r\nDuration=160\r\n")));
    stage.alice.agent.request(now, alice, Method::Info, &[], body).unwrap();
    stage.settle();
    let Event::InDialog { id, request, .. } = stage.bob.event() else { panic!("no INFO") };
    assert_eq!(request.body().as_ref(), b"Signal=5\r\nDuration=160\r\n");
    assert_eq!(request.headers().get(&HeaderName::CONTENT_TYPE).unwrap(), "application/dtmf-relay");
    stage.bob.agent.respond(stage.simulation.now(), id, Response::to(&request, status(415)).build()).unwrap();
    stage.settle();
    match stage.alice.event() {
        Event::InDialogAnswered { result: Ok(response), .. } => assert_eq!(response.status(), status(415)),
        other => panic!("{other:?}"),
    }
    let refer = [(HeaderName::from_static("Refer-To"), Bytes::from_static(b"<sip:carol@192.0.2.1>"))];
    stage.alice.agent.request(stage.simulation.now(), alice, Method::Refer, &refer, None).unwrap();
    stage.settle();
    stage.bob.no_event();
    match stage.alice.event() {
        Event::InDialogAnswered { result: Ok(response), .. } => assert_eq!(response.status(), status(501)),
        other => panic!("{other:?}"),
    }
}

#[test]
fn byes_of_both_sides_at_once_end_the_call_once() {
    let mut stage = Stage::new();
    let (alice, bob) = stage.talk();
    let now = stage.now();
    stage.alice.agent.hangup(now, alice, &[]).unwrap();
    stage.bob.agent.hangup(now, bob, &[]).unwrap();
    stage.settle();
    assert_eq!(stage.alice.ended(), Cause::Hangup);
    assert_eq!(stage.bob.ended(), Cause::Hangup);
    stage.pbx.end();
    stage.assert_idle();
}

#[test]
fn the_application_hangs_up_ringing_and_answered_calls() {
    for answered in [false, true] {
        let mut stage = Stage::new();
        if answered {
            stage.talk();
        } else {
            stage.call("bob");
            stage.bob.incoming();
            stage.run(ms(300));
        }
        let call = stage.pbx.calls[0];
        let now = stage.now();
        stage.pbx.b2bua.hangup(now, &mut stage.pbx.agent, call).unwrap();
        stage.pbx.take_events(now);
        stage.settle();
        if answered {
            assert_eq!(stage.alice.ended(), Cause::Bye);
            assert_eq!(stage.bob.ended(), Cause::Bye);
            assert_eq!(stage.pbx.end(), (None, Cause::Hangup, None));
        } else {
            stage.alice.event();
            assert_eq!(stage.alice.ended(), Cause::Rejected(status(480)));
            assert_eq!(stage.bob.ended(), Cause::Cancelled);
            assert_eq!(stage.pbx.end(), (None, Cause::Hangup, Some(480)));
        }
        let now = stage.now();
        assert_eq!(stage.pbx.b2bua.hangup(now, &mut stage.pbx.agent, call), Err(CallError::Unknown));
        stage.assert_idle();
    }
}

#[test]
fn an_answer_that_the_relay_cannot_use_ends_the_call_on_both_sides() {
    let mut stage = Stage::new();
    stage.pbx.refuse = Some((Role::Answer, status(488)));
    stage.call("bob");
    let (bob, ..) = stage.bob.incoming();
    stage.bob.agent.answer(stage.simulation.now(), bob, Some(sdp("bob")), &[]).unwrap();
    stage.settle();
    stage.alice.event();
    assert_eq!(stage.alice.ended(), Cause::Rejected(status(488)));
    stage.bob.event();
    assert_eq!(stage.bob.ended(), Cause::Bye);
    stage.assert_idle();
}

#[test]
fn a_description_whose_call_ended_while_it_waited_cannot_be_forwarded() {
    let mut stage = Stage::new();
    stage.pbx.hold = true;
    let alice = stage.call("bob");
    let (bob, ..) = stage.bob.incoming();
    stage.bob.agent.answer(stage.simulation.now(), bob, Some(sdp("bob")), &[]).unwrap();
    stage.settle();
    let held = stage.pbx.events.iter().find_map(|event| match event {
        b2bua::Event::Description { call, id, .. } => Some((*call, *id)),
        _ => None,
    });
    let (call, id) = held.expect("the answer is held up");
    // CANCEL waits for a provisional response: the 100 after 200 ms.
    stage.run(ms(300));
    stage.alice.no_event();
    stage.alice.agent.hangup(stage.simulation.now(), alice, &[]).unwrap();
    stage.settle();
    let now = stage.now();
    let late = stage.pbx.b2bua.forward(now, &mut stage.pbx.agent, call, id, sdp("bob"));
    assert_eq!(late, Err(CallError::Unknown));
    assert_eq!(stage.alice.ended(), Cause::Cancelled);
    stage.bob.event();
    assert_eq!(stage.bob.ended(), Cause::Bye);
    assert_eq!(stage.pbx.end(), (Some(Leg::A), Cause::Cancelled, Some(487)));
    stage.assert_idle();
}

#[test]
fn a_trunk_that_asks_for_credentials_gets_them() {
    let mut stage = Stage::new();
    stage.pbx.credentials = Some(Credentials::new("trunk", "secret"));
    stage.call("bob");
    let (bob, ..) = stage.bob.incoming();
    let challenge =
        [(HeaderName::WWW_AUTHENTICATE, Bytes::from_static(b"Digest realm=\"r\", nonce=\"n\", qop=\"auth\""))];
    stage.bob.agent.reject(stage.simulation.now(), bob, status(401), &challenge).unwrap();
    stage.settle();
    assert!(matches!(stage.bob.event(), Event::Ended { .. }));
    let (bob, request, _) = stage.bob.incoming();
    assert!(request.headers().contains(&HeaderName::AUTHORIZATION));
    stage.bob.agent.answer(stage.simulation.now(), bob, Some(sdp("bob")), &[]).unwrap();
    stage.settle();
    assert!(matches!(stage.alice.event(), Event::Answered { .. }));
}

#[test]
fn a_request_that_may_take_no_further_hop_draws_483() {
    let mut stage = Stage::new();
    let mut invite = stage.alice.invite("bob");
    invite.max_forwards = Some(0);
    stage.call_with(invite);
    assert!(matches!(stage.alice.event(), Event::Rejected { .. }));
    assert_eq!(stage.alice.ended(), Cause::Rejected(status(483)));
    stage.bob.no_event();
    stage.assert_idle();
}

#[test]
fn calls_past_the_limit_are_refused_and_a_session_is_connected_once() {
    let mut stage = Stage::with(Config { calls: 1, ..Config::default() });
    let first = stage.call("bob");
    let (_, request, _) = stage.bob.incoming();
    stage.call("bob");
    stage.alice.event();
    assert_eq!(stage.alice.ended(), Cause::Rejected(status(503)));
    let caller = stage.pbx.b2bua.session_of(stage.pbx.calls[0], Leg::A).unwrap();
    let mut stage_two = Stage::new();
    stage_two.call("bob");
    let plan = Plan { branches: Vec::new(), offer: None, ring: None, trusted: false };
    let now = stage.now();
    stage.alice.agent.hangup(now, first, &[]).unwrap();
    let again = stage.pbx.b2bua.connect(now, &mut stage.pbx.agent, caller, &request, plan);
    assert!(again.is_err());
}

#[test]
fn a_caller_whose_ack_never_comes_is_ended_with_the_callee() {
    let mut stage = Stage::new();
    let _ = stage.call("bob");
    let (bob, ..) = stage.bob.incoming();
    stage.simulation.network.take_down(ALICE.parse().unwrap());
    stage.bob.agent.answer(stage.simulation.now(), bob, Some(sdp("bob")), &[]).unwrap();
    stage.run(Duration::from_secs(40));
    assert!(!stage.bob.agent.is_alive(bob));
    stage.run(Duration::from_secs(40));
    let (by, cause, _) = stage.pbx.end();
    assert_eq!((by, cause), (Some(Leg::A), Cause::NotAcknowledged));
}
