//! Dialplans over a simulated network: what Dial does with its targets and options, and what callers hear of it.

mod support;

use std::time::Duration;

use pbx::{
    cdr::Disposition,
    config::{Config, Qualify},
    media::{self, Order, Press, Source},
};
use rtp::relay::Side;
use sip_core::{
    StatusCode,
    sdp::{Codec, Direction},
};
use sip_transaction::agent::Cause;
use support::{
    phone::Manner,
    scene::{CLEAN, Scene, rejected, set_dialplan},
};

/// A scene with a dialplan; all phones are registered. 1001 calls, 1002 answers, 1003 is busy, 1004 rings for ever.
fn scene(dialplan: &str) -> Scene {
    scene_with(dialplan, |_| {})
}

fn scene_with(dialplan: &str, change: impl FnOnce(&mut Config)) -> Scene {
    let mut scene = Scene::new(3, CLEAN, |config| {
        set_dialplan(config, dialplan);
        change(config);
    });
    scene.register_all();
    scene
}

fn status(code: u16) -> (bool, Cause) {
    rejected(StatusCode::new(code).unwrap())
}

/// Starts a call of 1001 and lets it run for a time.
fn begin(scene: &mut Scene, number: &str, seconds: u64) -> u64 {
    let now = scene.now();
    scene.caller().call(now, number, true, Duration::from_secs(600));
    scene.run(Duration::from_secs(seconds));
    *scene.exchange.open.keys().max().expect("media is open")
}

/// A key pressed in the media of a call.
fn press(scene: &mut Scene, call: u64, side: Side, keys: &str) {
    for digit in keys.chars() {
        let now = scene.now();
        let press = Press::End(Duration::from_millis(100));
        scene.exchange.switch.handle_media(now, media::Event::Digit { call, side, digit, press, passed: false });
        scene.run(Duration::from_millis(200));
    }
}

fn finish(scene: &mut Scene) {
    let now = scene.now();
    for phone in &mut scene.phones {
        phone.0.hang_up(now);
    }
    scene.run(Duration::from_secs(60));
    let now = scene.now();
    scene.exchange.assert_empty(now);
}

/// What a side hears instead of the other, as the media was told last.
fn source(scene: &Scene, call: u64, side: Side) -> Option<Source> {
    let told = scene.exchange.orders[&call].iter().rev().find_map(|order| match order {
        Order::Source { side: whose, source } if *whose == side => Some(source.clone()),
        _ => None,
    });
    told.flatten()
}

fn bridged(scene: &Scene, call: u64) -> bool {
    let mut orders = scene.exchange.orders[&call].iter().rev();
    orders.find_map(|order| if let Order::Bridge(on) = order { Some(*on) } else { None }) == Some(true)
}

#[test]
fn dialstatus_is_what_asterisk_sets() {
    // Each status becomes a cause that is told apart on the wire.
    let mut text = String::from("[default]\n");
    let cases = [
        ("SIP/1003", 501),
        ("SIP/9999", 404),
        ("SIP/1003&SIP/9999", 501),
        ("SIP/1004,2", 410),
        ("SIP/1004&SIP/1003,2", 410),
        ("SIP/1004&SIP/9999,2", 410),
        ("Foo/1", 404),
        ("IAX2/nobody/1", 404),
        ("Local/busy@others", 501),
        ("Local/congested@others", 484),
        ("Local/none@others", 404),
        ("Local/1003@others", 501),
        ("Local/rings@others,2", 410),
        ("Local/rings@others&Local/busy@others,2", 410),
        ("Local/busy@others&Local/congested@others", 501),
        // What falls through with CHANUNAVAIL congests the one above.
        ("Local/deep@others", 484),
    ];
    for (number, (targets, _)) in cases.iter().enumerate() {
        text += &format!("exten => 2{number:02},1,Dial({targets})\n same => n,Goto(s-${{DIALSTATUS}},1)\n");
    }
    text += "exten => s-BUSY,1,Hangup(29)\nexten => s-NOANSWER,1,Hangup(22)\nexten => s-CONGESTION,1,Hangup(28)\n\
             exten => s-CHANUNAVAIL,1,Hangup(1)\n\
             [others]\nexten => busy,1,Busy()\nexten => congested,1,Congestion()\n\
             exten => 1003,1,Dial(SIP/1003)\nexten => rings,1,Dial(SIP/1004)\nexten => deep,1,Dial(Local/deep@others)\n";
    let mut scene = scene(&text);
    for (number, (targets, code)) in cases.iter().enumerate() {
        if number % 5 == 0 {
            scene.register_again();
        }
        assert_eq!(scene.call(&format!("2{number:02}"), 10), status(*code), "{targets}");
    }
    scene.register_again();
    for (refused, code) in [(486, 501), (600, 501), (603, 501), (404, 484), (480, 484), (503, 484), (488, 484)] {
        scene.phones[2].0.manner = Manner::Refuses(refused);
        assert_eq!(scene.call("200", 10), status(code), "{refused}");
    }
    finish(&mut scene);
}

#[test]
fn a_caller_hears_what_his_callee_said_when_the_dialplan_says_nothing_else() {
    let mut scene = scene("[default]\nexten => 1003,1,Dial(SIP/1003,5)\n");
    for code in [486, 480, 404, 603, 500, 503] {
        scene.phones[2].0.manner = Manner::Refuses(code);
        assert_eq!(scene.call("1003", 10), status(code));
        let expected = if matches!(code, 486 | 603) { Disposition::Busy } else { Disposition::Failed };
        assert_eq!(scene.last_record().disposition, expected, "{code}");
    }
    finish(&mut scene);
}

#[test]
fn the_first_to_answer_wins_and_the_others_are_called_off() {
    let mut scene =
        scene("[default]\nexten => 5,1,Dial(SIP/1004&SIP/1002&Local/6@default,20)\nexten => 6,1,Dial(SIP/1003)\n");
    begin(&mut scene, "5", 5);
    assert_eq!(scene.caller().busy_with(), 1);
    assert_eq!((scene.phones[1].0.busy_with(), scene.phones[3].0.busy_with()), (1, 0));
    let now = scene.now();
    let call = scene.exchange.status(now).calls[0].clone();
    assert!(call.callee.unwrap().channel.starts_with("SIP/1002-") && call.others.is_empty());
    finish(&mut scene);
    assert!(scene.last_record().dstchannel.starts_with("SIP/1002-"));
}

#[test]
fn a_caller_rings_at_once_with_r_and_hears_music_with_m() {
    let mut scene = scene(
        "[default]\nexten => 1,1,Dial(SIP/1004,10,r)\nexten => 2,1,Dial(SIP/1004,10,m)\nexten => 3,1,Answer()\n \
         same => n,Dial(SIP/1004,10)\nexten => 4,1,Dial(SIP/1002,10,r)\nexten => 5,1,Dial(SIP/1002,10)\n",
    );
    scene.phones[3].0.manner = Manner::Rings;
    begin(&mut scene, "1", 1);
    assert_eq!(scene.caller().progress, [(180, false)], "once, whatever the callee says");
    finish(&mut scene);
    scene.caller().progress.clear();
    let call = begin(&mut scene, "2", 1);
    assert_eq!(scene.caller().progress, [(183, true)]);
    assert_eq!(source(&scene, call, Side::Caller), Some(Source::Music(None)));
    finish(&mut scene);
    let call = begin(&mut scene, "3", 1);
    assert_eq!(source(&scene, call, Side::Caller), Some(Source::Ringback), "who is answered hears a tone");
    finish(&mut scene);
    // Early media is heard, but not with r.
    for (number, heard) in [("4", false), ("5", true)] {
        scene.caller().progress.clear();
        scene.phones[1].0.manner = Manner::Early(Duration::from_secs(2));
        let call = begin(&mut scene, number, 1);
        let said = scene.caller().progress.last().copied();
        assert_eq!((said, bridged(&scene, call)), (Some((if heard { 183 } else { 180 }, heard)), heard));
        scene.run(Duration::from_secs(3));
        assert!(bridged(&scene, call));
        finish(&mut scene);
    }
}

#[test]
fn the_dialplan_goes_on_after_the_callee_hung_up_with_g_alone() {
    let mut scene = scene(
        "[default]\nexten => 1,1,Dial(SIP/1002,10,g)\n same => n,Echo()\nexten => 2,1,Dial(SIP/1002,10)\n same => n,Echo()\n",
    );
    for (number, stays) in [("1", 1), ("2", 0)] {
        let call = begin(&mut scene, number, 3);
        let now = scene.now();
        scene.phones[1].0.hang_up(now);
        scene.run(Duration::from_secs(2));
        assert_eq!(scene.caller().busy_with(), stays);
        if stays == 1 {
            assert_eq!((source(&scene, call, Side::Caller), bridged(&scene, call)), (Some(Source::Echo), false));
        }
        finish(&mut scene);
    }
}

#[test]
fn a_callee_transfers_the_caller_and_a_caller_the_callee_to_what_their_contexts_reach() {
    let text = "[default]\nexten => 1,1,Dial(SIP/1002,10,tT)\nexten => 2,1,Dial(SIP/1002,10)\nexten => 600,1,Echo()\n\
                exten => 1004,1,Dial(SIP/1004,30)\nexten => h,1,NoOp(over)\n";
    // The callee sends the caller to an echo.
    let mut scene = scene(text);
    let call = begin(&mut scene, "1", 3);
    press(&mut scene, call, Side::Callee, "#");
    assert_eq!((source(&scene, call, Side::Caller), bridged(&scene, call)), (Some(Source::Music(None)), false));
    press(&mut scene, call, Side::Callee, "600#");
    scene.run(Duration::from_secs(1));
    assert_eq!((scene.caller().busy_with(), scene.phones[1].0.busy_with()), (1, 0));
    assert_eq!(source(&scene, call, Side::Caller), Some(Source::Echo));
    finish(&mut scene);
    assert_eq!(scene.last_record().lastapp, "Echo");

    // The caller sends the callee to another phone, whose side is then the caller's.
    let call = begin(&mut scene, "1", 3);
    press(&mut scene, call, Side::Caller, "#1004");
    scene.run(Duration::from_secs(4));
    assert_eq!(scene.exchange.records.len(), 2, "the first half has its record");
    assert_eq!((scene.caller().busy_with(), scene.phones[1].0.busy_with(), scene.phones[3].0.busy_with()), (0, 1, 1));
    let now = scene.now();
    let call = scene.exchange.status(now).calls[0].clone();
    assert!(call.caller.channel.starts_with("SIP/1002-") && call.dialled == "1004");
    finish(&mut scene);
    let record = scene.last_record();
    assert!(record.channel.starts_with("SIP/1002-") && record.dstchannel.starts_with("SIP/1004-"), "{record:?}");

    // A number that is not there leads back; without the option the key is the other side's.
    let call = begin(&mut scene, "1", 3);
    press(&mut scene, call, Side::Callee, "#777#");
    assert!(bridged(&scene, call) && source(&scene, call, Side::Caller).is_none());
    finish(&mut scene);
    let call = begin(&mut scene, "2", 3);
    press(&mut scene, call, Side::Callee, "#");
    assert!(bridged(&scene, call));
    assert!(
        scene.exchange.orders[&call].iter().any(|it| matches!(it, Order::Digit { side: Side::Caller, digit: '#', .. }))
    );
    finish(&mut scene);
}

#[test]
fn a_local_that_answers_takes_the_caller_over() {
    let mut scene = scene(
        "[default]\nexten => 1,1,Dial(SIP/1004&Local/600@apps,20)\nexten => 2,1,Dial(Local/600@apps,20,g)\n \
         same => n,Hangup(17)\n[apps]\nexten => 600,1,Wait(1)\n same => n,Answer()\n same => n,Wait(2)\n",
    );
    let now = scene.now();
    scene.caller().call(now, "1", true, Duration::from_secs(30));
    scene.run(Duration::from_secs(2));
    assert_eq!(
        (scene.caller().remote.len(), scene.phones[3].0.busy_with()),
        (1, 0),
        "answered, and the other called off"
    );
    scene.run(Duration::from_secs(3));
    assert_eq!(scene.caller().busy_with(), 0, "its end is the call's");
    scene.caller().outcomes.clear();
    assert_eq!(scene.call("2", 30), (true, Cause::Bye));
    finish(&mut scene);
}

#[test]
fn a_callees_subroutine_decides_whether_the_two_are_joined() {
    let text = "[default]\nexten => 1,1,Dial(SIP/1002,10,U(screen^take))\nexten => 2,1,Dial(SIP/1002,10,U(screen^BUSY))\n \
                same => n,Hangup(${IF($[\"${DIALSTATUS}\" = \"BUSY\"]?29:1)})\n\
                [screen]\nexten => s,1,Wait(1)\n same => n,Set(GOSUB_RESULT=${ARG1})\n same => n,Return()\n";
    let mut scene = scene(text);
    let now = scene.now();
    scene.caller().call(now, "1", true, Duration::from_secs(30));
    scene.run(Duration::from_millis(1_400));
    assert_eq!((scene.caller().remote.len(), scene.phones[1].0.remote.len()), (0, 1), "the callee is asked first");
    scene.run(Duration::from_secs(1));
    assert_eq!(scene.caller().remote.len(), 1);
    finish(&mut scene);
    scene.caller().outcomes.clear();
    assert_eq!(scene.call("2", 10), status(501));
    assert_eq!(scene.phones[1].0.busy_with(), 0);
    finish(&mut scene);
}

#[test]
fn a_hangup_extension_runs_after_the_end_and_knows_how_it_went() {
    let mut scene = scene(
        "[default]\nexten => 1,1,Dial(SIP/1004,3)\nexten => 2,1,Dial(SIP/1002,30)\nexten => h,1,Set(GLOBAL(LAST)=${DIALSTATUS})\n\
         exten => 9,1,Goto(s-${LAST},1)\nexten => s-CANCEL,1,Hangup(29)\nexten => s-NOANSWER,1,Hangup(22)\n\
         exten => s-ANSWER,1,Hangup(28)\n",
    );
    for (number, seconds, code) in [("1", 1, 501), ("1", 20, 410), ("2", 5, 484)] {
        scene.call(number, seconds);
        assert_eq!(scene.call("9", 5), status(code), "{number} for {seconds} s");
    }
    finish(&mut scene);
}

#[test]
fn an_account_reaches_its_own_context_and_nothing_else() {
    let text = "[default]\nexten => 1,1,Hangup(17)\n[inside]\ninclude => shared\nexten => 2,1,Hangup(29)\n[shared]\nexten => 3,1,Hangup(28)\n";
    let mut scene = scene_with(text, |config| config.accounts[0].context = "inside".to_owned());
    for (number, code) in [("1", 404), ("2", 501), ("3", 484)] {
        assert_eq!(scene.call(number, 5), status(code), "{number}");
    }
    assert_eq!(scene.last_record().dcontext, "inside");
    finish(&mut scene);
}

#[test]
fn applications_are_told_to_a_caller_who_is_not_answered_and_to_one_who_is() {
    let mut scene = scene(
        "[default]\nexten => 1,1,Ringing()\n same => n,Wait(2)\n same => n,Busy()\nexten => 2,1,Progress()\n same => n,Wait(1)\n \
         same => n,Congestion()\nexten => 3,1,Answer()\n same => n,Busy(2)\nexten => 4,1,Playback(nothing,noanswer)\n same => n,Hangup(29)\n\
         exten => 5,1,Dial(SIP/9999)\n same => n,Goto(5,1)\nexten => 6,1,Goto(6,1)\nexten => 7,1,Hangup()\n",
    );
    assert_eq!(scene.call("1", 10), status(486));
    assert_eq!(scene.caller().progress, [(180, false)]);
    assert_eq!(scene.last_record().disposition, Disposition::Busy);
    scene.caller().progress.clear();
    assert_eq!(scene.call("2", 10), status(503));
    assert_eq!(scene.caller().progress, [(183, true)]);
    assert_eq!(scene.call("3", 10), (true, Cause::Bye));
    let now = scene.now();
    scene.caller().call(now, "4", true, Duration::from_secs(30));
    scene.run(Duration::from_secs(1));
    let (now, call) = (scene.now(), *scene.exchange.open.keys().next().unwrap());
    assert_eq!(source(&scene, call, Side::Caller), Some(Source::File("nothing".into())));
    scene.exchange.switch.handle_media(now, media::Event::Played { call, side: Side::Caller, complete: false });
    scene.run(Duration::from_secs(1));
    assert_eq!(scene.caller().outcomes.pop().unwrap().cause, Cause::Rejected(StatusCode::NOT_IMPLEMENTED));
    assert_eq!(scene.call("5", 10), status(503), "round and round in one moment");
    assert_eq!(scene.call("6", 10), status(503));
    assert_eq!(scene.call("7", 10), status(480));
    finish(&mut scene);
}

#[test]
fn a_host_that_nobody_configured_is_called_only_when_the_dialplan_itself_names_it() {
    let mut scene = scene(
        "[globals]\nHOST=192.0.2.2:5060\n[default]\nexten => _X.,1,Dial(SIP/${EXTEN},5)\nexten => 7,1,Dial(SIP/1002@192.0.2.2,20)\n\
         exten => 8,1,Dial(SIP/1002@${HOST},20)\nexten => 9,1,Set(HERE=192.0.2.2)\n same => n,Dial(SIP/1002@${HERE},20)\n",
    );
    for (number, called) in
        [("192.0.2.2", false), ("192.0.2.2:5060", false), ("9", false), ("7", true), ("8", true), ("1002", true)]
    {
        let taken = scene.phones[1].0.taken;
        let (answered, _) = scene.call(number, 5);
        assert_eq!((answered, scene.phones[1].0.taken - taken), (called, usize::from(called)), "{number}");
    }
    finish(&mut scene);
}

#[test]
fn local_channels_that_dial_each_other_are_not_more_than_a_call_may_have() {
    let (locals, legs) = (["Local/1@default"; 4].join("&"), ["SIP/1004"; 10].join("&"));
    let many = ["Local/4@default"; 10].join("&");
    let mut scene = scene(&format!(
        "[globals]\nN=0\n[default]\nexten => 1,1,Set(GLOBAL(N)=$[${{N}} + 1])\n same => n,Dial({locals})\n\
         exten => 2,1,ExecIf($[${{N}} = 65]?Hangup(29):Hangup(1))\nexten => 3,1,Dial({many},2)\nexten => 4,1,Dial({legs})\n"
    ));
    assert!(!scene.call("1", 5).0);
    assert_eq!(scene.call("2", 5), status(501), "the caller and 64 Local channels");
    scene.call("3", 5);
    assert_eq!(scene.phones[3].0.taken, 64);
    finish(&mut scene);
}

#[test]
fn digits_pass_between_info_and_events_and_a_menu_takes_them() {
    let mut scene = scene(
        "[default]\nexten => 1,1,Dial(SIP/1002,10)\nexten => 2,1,Answer()\n same => n,WaitExten(5)\nexten => 77,1,Echo()\n",
    );
    scene.phones[1].0.events = false;
    let call = begin(&mut scene, "1", 3);
    // The callee knows no events: what the caller presses in his media comes by INFO.
    press(&mut scene, call, Side::Caller, "4*");
    assert_eq!(scene.phones[1].0.pressed, "4*");
    // What it presses comes as events.
    let now = scene.now();
    scene.phones[1].0.press(now, '9');
    scene.run(Duration::from_secs(1));
    assert!(
        scene.exchange.orders[&call].iter().any(|it| matches!(it, Order::Digit { side: Side::Caller, digit: '9', .. }))
    );
    finish(&mut scene);
    let call = begin(&mut scene, "2", 1);
    press(&mut scene, call, Side::Caller, "77");
    scene.run(Duration::from_secs(1));
    assert_eq!(source(&scene, call, Side::Caller), Some(Source::Echo));
    finish(&mut scene);
}

#[test]
fn two_sides_without_a_common_law_are_translated_and_others_keep_one_codec() {
    let mut scene = scene("[default]\nexten => 1,1,Dial(SIP/1002,10)\n");
    let formats = |scene: &Scene, call: u64| {
        let mut formats = [None; 2];
        for order in &scene.exchange.orders[&call] {
            if let Order::Format { side, format } = order {
                formats[usize::from(*side == Side::Callee)] = Some(format.codec);
            }
        }
        formats.map(Option::unwrap)
    };
    let (mu, a) = (media::Codec::G711(rtp::g711::Law::Mu), media::Codec::G711(rtp::g711::Law::A));
    let g722 = || Codec::new("G722", 8_000, 9);
    for (caller, callee, expected) in [
        (vec![Codec::pcmu()], vec![Codec::pcma()], [mu, a]),
        (vec![Codec::pcma(), Codec::pcmu()], vec![Codec::pcmu()], [mu, mu]),
        (vec![g722(), Codec::pcma()], vec![g722()], [media::Codec::Opaque; 2]),
        (vec![g722()], vec![g722(), Codec::pcmu()], [media::Codec::Opaque; 2]),
    ] {
        scene.caller().codecs = caller;
        scene.phones[1].0.codecs = callee;
        let call = begin(&mut scene, "1", 3);
        assert_eq!(formats(&scene, call), expected);
        finish(&mut scene);
    }
    scene.caller().codecs = vec![g722()];
    scene.phones[1].0.codecs = vec![Codec::pcma()];
    scene.caller().outcomes.clear();
    let (answered, _) = scene.call("1", 10);
    assert!(!answered, "nothing can be translated");
    finish(&mut scene);
}

#[test]
fn one_callee_who_never_answers_does_not_take_up_all_calls() {
    let text = "[default]\nexten => 1004,1,Dial(SIP/1004,600)\nexten => 1002,1,Dial(SIP/1002,30)\n";
    let mut scene = scene_with(text, |config| {
        config.limits.calls = 30;
        config.accounts[3].max_calls = Some(10);
    });
    let now = scene.now();
    for _ in 0..25 {
        scene.caller().call(now, "1004", true, Duration::from_secs(120));
    }
    scene.run(Duration::from_secs(3));
    let busy = scene.caller().outcomes.iter().filter(|it| it.cause == Cause::Rejected(StatusCode::BUSY_HERE)).count();
    assert_eq!((busy, scene.phones[3].0.busy_with()), (15, 10));
    scene.caller().outcomes.clear();
    assert_eq!(scene.call("1002", 5), (true, Cause::Hangup));
    finish(&mut scene);
}

#[test]
fn both_sides_hold_and_resume_also_at_once() {
    let mut scene = scene("[default]\nexten => 1,1,Dial(SIP/1002,10)\n");
    let held = |scene: &Scene| {
        let call = scene.exchange.status(scene.now()).calls[0].clone();
        (call.caller.held, call.callee.unwrap().held)
    };
    let heard = |scene: &Scene, phone: usize| {
        let remote = scene.phones[phone].0.remote.values().next().unwrap();
        remote.direction_of(&remote.media[0])
    };
    begin(&mut scene, "1", 3);
    for (phone, told) in [(1, (false, true)), (0, (true, false))] {
        let now = scene.now();
        scene.phones[phone].0.set_direction(now, Direction::SendOnly);
        scene.run(Duration::from_secs(2));
        assert_eq!((held(&scene), heard(&scene, 1 - phone)), (told, Direction::SendOnly));
        let now = scene.now();
        scene.phones[phone].0.set_direction(now, Direction::SendRecv);
        scene.run(Duration::from_secs(2));
        assert_eq!((held(&scene), heard(&scene, 1 - phone)), ((false, false), Direction::SendRecv));
    }
    // Offers cross: each side is refused once with 491 and tries again in its time.
    for (direction, told) in [(Direction::SendOnly, (true, true)), (Direction::SendRecv, (false, false))] {
        let now = scene.now();
        for phone in 0..2 {
            scene.phones[phone].0.set_direction(now, direction);
        }
        scene.run(Duration::from_secs(15));
        assert_eq!(held(&scene), told);
    }
    assert_eq!((heard(&scene, 0), heard(&scene, 1)), (Direction::SendRecv, Direction::SendRecv));
    finish(&mut scene);
}

#[test]
fn a_watched_account_that_does_not_answer_is_unavailable_at_once() {
    let text = "[default]\nexten => 1002,1,Dial(SIP/1002,30)\n same => n,Goto(s-${DIALSTATUS},1)\nexten => s-CHANUNAVAIL,1,Hangup(22)\n";
    let mut scene = scene_with(text, |config| {
        let every = Duration::from_secs(20);
        config.accounts[1].qualify = Some(Qualify { limit: Duration::from_millis(500), every });
    });
    scene.run(Duration::from_secs(30));
    let watched = |scene: &Scene| scene.exchange.status(scene.now()).accounts[1].qualify.unwrap();
    assert_eq!(watched(&scene).milliseconds, Some(10));
    assert_eq!(scene.call("1002", 3), (true, Cause::Hangup));
    scene.phones[1].0.is_silent = true;
    scene.run(Duration::from_secs(25));
    assert!(!watched(&scene).reachable);
    assert_eq!(scene.call("1002", 20), status(410));
    scene.phones[1].0.is_silent = false;
    scene.run(Duration::from_secs(12));
    assert!(watched(&scene).reachable);
    assert_eq!(scene.call("1002", 3), (true, Cause::Hangup));
    finish(&mut scene);
}
