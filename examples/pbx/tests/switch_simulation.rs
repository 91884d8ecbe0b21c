//! The switch over a bad network: every call ends on every side, every record is written, and every table is empty in the
//! end.

mod support;

use std::{
    collections::{BTreeMap, HashSet},
    net::SocketAddr,
    time::Duration,
};

use bytes::Bytes;
use netsim::{Conditions, Simulation};
use pbx::{cdr::Disposition, media, switch::Output};
use sip_core::{StatusCode, header::RetryAfter, sdp};
use sip_transaction::{Input, agent::Cause};
use support::scene::{CLEAN, Exchange, Scene, rejected};

#[test]
fn each_way_that_a_call_can_go_ends_with_the_status_that_the_rfc_names() {
    let mut scene = Scene::new(1, CLEAN, |_| {});
    assert_eq!(scene.call("1002", 1), rejected(StatusCode::TEMPORARILY_UNAVAILABLE), "nobody is registered yet");
    assert_eq!(scene.last_record().disposition, Disposition::Failed);
    scene.register_all();

    assert_eq!(scene.call("600", 3), (true, Cause::Hangup));
    let record = scene.last_record();
    assert_eq!((record.src.as_str(), record.dst.as_str()), ("1001", "600"));
    assert_eq!((record.lastapp.as_str(), record.lastdata.as_str()), ("Echo", ""));
    assert_eq!(record.clid, "\"Alice\" <1001>");
    assert_eq!(
        (record.disposition, record.duration.as_secs(), record.billsec.as_secs()),
        (Disposition::Answered, 2, 2)
    );

    assert_eq!(scene.call("601", 2), (true, Cause::Hangup));
    assert_eq!(scene.last_record().lastapp, "Milliwatt");

    assert_eq!(scene.call("1002", 5), (true, Cause::Hangup));
    let record = scene.last_record();
    assert_eq!((record.lastapp.as_str(), record.lastdata.as_str()), ("Dial", "SIP/1002,8"));
    assert!(record.channel.starts_with("SIP/1001-") && record.dstchannel.starts_with("SIP/1002-"));
    assert_eq!((record.duration.as_secs(), record.billsec.as_secs()), (4, 4), "it rang for 0.7 s");

    assert_eq!(scene.call("1003", 5), rejected(StatusCode::BUSY_HERE));
    assert_eq!(scene.last_record().disposition, Disposition::Busy);

    assert_eq!(scene.call("1004", 60), rejected(StatusCode::TEMPORARILY_UNAVAILABLE), "nobody answers in 8 s");
    assert_eq!((scene.last_record().disposition, scene.last_record().duration.as_secs()), (Disposition::NoAnswer, 8));

    assert_eq!(scene.call("1004", 3), (false, Cause::Cancelled));
    assert_eq!(scene.last_record().disposition, Disposition::NoAnswer);

    assert_eq!(scene.call("999", 3), rejected(StatusCode::NOT_FOUND));
    assert_eq!(scene.last_record().disposition, Disposition::Failed);

    let now = scene.now();
    let refusals = scene.exchange.status(now).totals.refusals;
    assert_eq!(refusals, BTreeMap::from([("not_registered", 1), ("unknown_extension", 1)]));
    scene.exchange.assert_empty(now);
}

#[test]
fn a_wrong_password_and_an_unknown_user_look_the_same() {
    let mut scene = Scene::new(2, CLEAN, |_| {});
    let mut seen = Vec::new();
    for (user, secret) in [("1001", "wrong"), ("4711", "1234")] {
        let caller = scene.caller();
        caller.user = user.to_owned();
        caller.secret = secret.to_owned();
        let now = scene.now();
        scene.caller().register(now);
        let call = scene.call("600", 3);
        seen.push((scene.caller().register_status, call));
    }
    assert_eq!(seen[0], (Some(401), rejected(StatusCode::UNAUTHORIZED)));
    assert_eq!(seen[0], seen[1]);
    assert!(scene.exchange.records.is_empty(), "strangers leave no records");
    let now = scene.now();
    let refusals = scene.exchange.status(now).totals.refusals;
    assert!(refusals.get("wrong_password") >= Some(&4), "two registrations and two calls: {refusals:?}");
    scene.exchange.assert_empty(now);
}

#[test]
fn a_source_that_guesses_is_banned_and_forgotten_in_time() {
    let mut scene = Scene::new(10, CLEAN, |_| {});
    scene.register_all();
    scene.caller().secret = "guess".to_owned();
    for _ in 0..9 {
        assert_eq!(scene.call("600", 1), rejected(StatusCode::UNAUTHORIZED));
    }
    scene.caller().secret = "1234".to_owned();
    assert_eq!(scene.call("600", 1), (true, Cause::Hangup), "nine in nine minutes are nothing");
    scene.caller().secret = "guess".to_owned();
    let now = scene.now();
    for _ in 0..10 {
        scene.caller().call(now, "600", true, Duration::from_secs(1));
    }
    scene.run(Duration::from_secs(40));
    scene.caller().outcomes.clear();
    scene.caller().secret = "1234".to_owned();
    assert_eq!(scene.call("600", 1), rejected(StatusCode::FORBIDDEN));
    scene.run(Duration::from_secs(300));
    assert_eq!(scene.call("600", 1), (true, Cause::Hangup), "the ban is over");
}

#[test]
fn a_call_without_an_offer_gets_ours_and_answers_it_in_the_ack() {
    let mut scene = Scene::new(3, CLEAN, |_| {});
    scene.register_all();
    for number in ["600", "601", "1002"] {
        let now = scene.now();
        scene.caller().call(now, number, false, Duration::from_secs(5));
        scene.run(Duration::from_secs(4));
        let remote = scene.caller().remote.values().next().expect("a description").clone();
        assert_eq!(remote.address_of(&remote.media[0]).unwrap().ip(), scene.exchange.address.ip(), "media through us");
        let call = *scene.exchange.open.keys().next().unwrap();
        let sides: HashSet<_> = scene.exchange.orders[&call]
            .iter()
            .filter_map(|order| match order {
                media::Order::Expect { side, expected, .. } => Some((*side, expected.media().port())),
                _ => None,
            })
            .collect();
        let expected = if number == "1002" { 2 } else { 1 };
        assert_eq!(sides.len(), expected, "{number}: {sides:?}");
        scene.run(Duration::from_secs(40));
        assert!(scene.caller().outcomes.pop().unwrap().answered);
    }
    let now = scene.now();
    scene.exchange.assert_empty(now);
}

#[test]
fn ports_of_another_program_are_passed_over() {
    let mut scene = Scene::new(4, CLEAN, |config| config.rtp.ports = 20_000..=20_019);
    scene.register_all();
    scene.exchange.taken = (20_000..20_010).collect();
    for _ in 0..5 {
        assert_eq!(scene.call("600", 1), (true, Cause::Hangup));
    }
    scene.exchange.taken = (20_000..20_020).collect();
    assert_eq!(scene.call("600", 1), rejected(StatusCode::SERVICE_UNAVAILABLE));
    let refusal = scene.caller().refusal.take().unwrap();
    assert_eq!(refusal.headers().typed::<RetryAfter>().unwrap().unwrap().seconds, 10);
    let now = scene.now();
    scene.exchange.assert_empty(now);
}

#[test]
fn limits_are_told_with_a_time_to_come_back() {
    let mut scene = Scene::new(5, CLEAN, |config| config.limits.calls_per_account = 2);
    let now = scene.now();
    for _ in 0..3 {
        scene.caller().call(now, "600", true, Duration::from_secs(5));
    }
    scene.run(Duration::from_secs(60));
    let answered = scene.caller().outcomes.iter().filter(|outcome| outcome.answered).count();
    assert_eq!(answered, 2);
    let now = scene.now();
    assert_eq!(scene.exchange.status(now).totals.refusals, BTreeMap::from([("calls_per_account", 1)]));
}

#[test]
fn a_drain_refuses_new_calls_and_hangs_up_running_ones_only_at_its_deadline() {
    let mut scene = Scene::new(6, CLEAN, |config| config.calls.drain_time = Duration::from_secs(20));
    scene.register_all();
    let now = scene.now();
    scene.caller().call(now, "1002", true, Duration::from_secs(600));
    scene.caller().call(now, "600", true, Duration::from_secs(10));
    scene.run(Duration::from_secs(3));
    let now = scene.now();
    scene.exchange.switch.drain(now);
    scene.caller().call(now, "600", true, Duration::from_secs(5));
    scene.run(Duration::from_secs(15));
    assert!(!scene.exchange.drained, "a call runs");
    let outcomes = std::mem::take(&mut scene.caller().outcomes);
    assert_eq!(outcomes[0].cause, Cause::Rejected(StatusCode::SERVICE_UNAVAILABLE), "the new one");
    assert_eq!((outcomes[1].number.as_str(), outcomes[1].cause), ("600", Cause::Hangup), "ended by itself");
    assert_eq!(scene.caller().busy_with(), 1);
    scene.run(Duration::from_secs(4));
    assert_eq!(scene.caller().busy_with(), 1, "not cut before the deadline");
    scene.run(Duration::from_secs(4));
    assert!(scene.exchange.drained);
    assert_eq!(scene.caller().outcomes.pop().unwrap().cause, Cause::Bye);
    let now = scene.now();
    let registered = scene.exchange.status(now).registrations();
    assert_eq!(registered, 4, "a drain deregisters nobody");
}

#[test]
fn a_call_whose_answer_is_never_acknowledged_leaves_its_record_when_the_program_ends() {
    let now = Simulation::new(8, CLEAN).now();
    let caller: SocketAddr = "192.0.2.55:5060".parse().unwrap();
    let mut exchange = Exchange::new(now, |config| config.sip.trusted.push(caller.ip()));
    let payload = Bytes::from_static(
        b"INVITE sip:600@192.0.2.100 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.55;branch=z9hG4bK1\r\nMax-Forwards: 70\r\n\
          From: <sip:1001@192.0.2.100>;tag=1\r\nTo: <sip:600@192.0.2.100>\r\nCall-ID: never\r\nCSeq: 1 INVITE\r\n\
          Contact: <sip:1001@192.0.2.55>\r\nContent-Type: application/sdp\r\nContent-Length: 101\r\n\r\n\
          v=0\r\no=- 1 1 IN IP4 192.0.2.55\r\ns=-\r\nc=IN IP4 192.0.2.55\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n\
          a=sendrecv\r\n",
    );
    exchange
        .switch
        .handle_input(now, Input::Datagram { listener: exchange.listener, source: caller, payload, received: None });
    let mut answered = false;
    let mut turn = |exchange: &mut Exchange, now| {
        while let Some(output) = exchange.switch.poll_output() {
            match output {
                Output::Event(event) => exchange.on_event(now, event),
                Output::Datagram { payload, .. } => answered |= payload.starts_with(b"SIP/2.0 200"),
                _ => {}
            }
        }
    };
    turn(&mut exchange, now);
    exchange.switch.drain(now);
    exchange.switch.stop(now);
    for second in 1..=3 {
        let now = now + Duration::from_secs(second);
        exchange.switch.handle_timeout(now);
        turn(&mut exchange, now);
    }
    assert!(answered && exchange.drained);
    assert_eq!(exchange.records.len(), 1);
    assert!(exchange.open.is_empty());
}

#[test]
fn the_longest_call_is_ended_and_so_is_one_without_media() {
    let mut scene = Scene::new(7, CLEAN, |config| config.calls.max_time = Duration::from_secs(30));
    assert_eq!(scene.call("600", 100), (true, Cause::Bye));
    assert_eq!(scene.last_record().billsec.as_secs(), 30);
    let now = scene.now();
    scene.caller().call(now, "600", true, Duration::from_secs(100));
    scene.run(Duration::from_secs(5));
    let (now, call) = (scene.now(), *scene.exchange.open.keys().next().unwrap());
    scene.exchange.switch.handle_media(now, media::Event::Silent { call });
    scene.run(Duration::from_secs(1));
    assert_eq!(scene.caller().outcomes.pop().unwrap().cause, Cause::Bye);
}

#[test]
fn a_hang_up_from_the_page_ends_both_sides() {
    let mut scene = Scene::new(8, CLEAN, |_| {});
    scene.register_all();
    let now = scene.now();
    scene.caller().call(now, "1002", true, Duration::from_secs(600));
    scene.run(Duration::from_secs(3));
    let now = scene.now();
    let call = scene.exchange.status(now).calls[0].clone();
    assert_eq!((call.state, call.codec.as_deref()), (pbx::status::State::Up, Some("PCMA")));
    assert!(scene.exchange.switch.hangup(now, call.id));
    assert!(!scene.exchange.switch.hangup(now, 4711));
    scene.run(Duration::from_secs(40));
    assert_eq!(scene.caller().outcomes.pop().unwrap().cause, Cause::Bye);
    assert_eq!(scene.phones[1].0.busy_with(), 0);
    let now = scene.now();
    scene.exchange.assert_empty(now);
}

#[test]
fn a_hold_and_a_resume_pass_through_and_are_shown() {
    let mut scene = Scene::new(11, CLEAN, |_| {});
    scene.register_all();
    for (number, phone) in [("1002", Some(1)), ("600", None)] {
        let now = scene.now();
        scene.caller().call(now, number, true, Duration::from_secs(60));
        scene.run(Duration::from_secs(3));
        let call = *scene.exchange.open.keys().next().unwrap();
        assert!(scene.exchange.is_watched(call), "silence means that they are gone");
        let directions = [
            (sdp::Direction::SendOnly, sdp::Direction::RecvOnly),
            (sdp::Direction::SendRecv, sdp::Direction::SendRecv),
        ];
        for (ours, theirs) in directions {
            let now = scene.now();
            scene.caller().set_direction(now, ours);
            scene.run(Duration::from_secs(2));
            let holds = ours == sdp::Direction::SendOnly;
            let answer = scene.caller().remote.values().next().unwrap().clone();
            assert_eq!(answer.direction_of(&answer.media[0]), theirs);
            if let Some(phone) = phone {
                let offer = scene.phones[phone].0.remote.values().next().unwrap().clone();
                assert_eq!(offer.direction_of(&offer.media[0]), ours);
                assert_eq!(offer.address_of(&offer.media[0]).unwrap().ip(), scene.exchange.address.ip(), "through us");
            }
            let now = scene.now();
            let shown = scene.exchange.status(now).calls[0].clone();
            assert_eq!((shown.caller.held, shown.callee.is_some_and(|callee| callee.held)), (holds, false));
            assert_eq!(scene.exchange.is_watched(call), !holds);
        }
        scene.run(Duration::from_secs(100));
        assert_eq!(scene.caller().outcomes.pop().unwrap().cause, Cause::Hangup);
    }
    let now = scene.now();
    scene.exchange.assert_empty(now);
}

#[test]
fn a_thousand_calls_at_ten_percent_loss_all_end_and_leave_nothing() {
    let mut scene = Scene::new(9, Conditions::bad(0.1), |_| {});
    scene.register_all();
    let numbers = ["600", "1002", "601", "1002", "1003", "1002", "1004", "999"];
    for call in 0..1_000u64 {
        let now = scene.now();
        let number = numbers[usize::try_from(call).unwrap() % numbers.len()];
        let seconds = 2 + call * 7 % 12;
        scene.caller().call(now, number, call % 6 != 0, Duration::from_secs(seconds));
        scene.run(Duration::from_millis(50));
    }
    scene.run(Duration::from_secs(300));

    let outcomes = std::mem::take(&mut scene.caller().outcomes);
    assert_eq!((outcomes.len(), scene.caller().busy_with()), (1_000, 0), "every call of the caller ended");
    for phone in &scene.phones {
        assert_eq!(phone.0.busy_with(), 0, "every call of {} ended", phone.0.user);
        assert!(phone.0.agent.snapshot().is_idle(), "{:#?}", phone.0.agent.snapshot());
    }
    let now = scene.now();
    scene.exchange.assert_empty(now);

    // One record for each call that proved its password: all but those given up before that, at this loss.
    let dispositions = scene.exchange.dispositions();
    let total: usize = dispositions.values().sum();
    assert!((980..=1_000).contains(&total), "{dispositions:?}");
    let answered = outcomes.iter().filter(|outcome| outcome.answered).count();
    assert!(answered > 550, "{answered} answered");
    assert!(
        dispositions["BUSY"] > 100 && dispositions["FAILED"] > 100 && dispositions["NO ANSWER"] > 100,
        "{dispositions:?}"
    );
    let unique: HashSet<_> = scene.exchange.records.iter().map(|record| &record.uniqueid).collect();
    assert_eq!(unique.len(), total);
    eprintln!("{answered} of 1000 answered; records {dispositions:?}");
}
