//! What is done with a call, step by step.

use pbx::dialplan::{Gosub, Outcome, Thread, World};

use crate::stage::{NOW, Stage, dialled, facts, plan, read};

/// The dialplan of a trunked pair of PBXs: the other one first, then the phone here.
const TRUNKED: &str =
    "[admin]\n\nexten=>_1XXX,1,Dial(IAX2/zone2/${EXTEN}@admin,30,r)\nsame=> n,Dial(SIP/${EXTEN},15,r)\n";

#[test]
fn the_other_exchange_is_tried_and_then_the_phone() {
    let mut stage = Stage::new(TRUNKED, "admin", "1002");
    stage.script(&[("begin", "Dial IAX2/zone2/1002@admin 30s r"), ("dialled CHANUNAVAIL 20", "Dial SIP/1002 15s r")]);
    assert_eq!((stage.thread.application(), stage.thread.data()), ("Dial", "SIP/1002,15,r"));
    assert_eq!(stage.variable("DIALSTATUS"), "CHANUNAVAIL");
    // The callee hung up.
    stage.script(&[("dialled ANSWER 16", "Hangup 16"), ("done", "End Finished")]);
    assert_eq!(stage.variable("DIALSTATUS"), "ANSWER");
    assert_eq!((stage.variable("ANSWEREDTIME"), stage.variable("DIALEDTIME")), ("7".to_owned(), "12".to_owned()));
    assert_eq!(stage.variable("DIALEDPEERNAME"), "SIP/1002-00000002");
    assert_eq!(stage.variable("DIALEDPEERNUMBER"), "1002");
    assert!(stage.thread.facts().answered);
}

#[test]
fn without_further_steps_the_caller_hears_why() {
    for (status, heard) in [
        ("dialled BUSY 17", "Busy Some(10s)"),
        ("dialled CONGESTION 34", "Congestion Some(10s)"),
        ("dialled CHANUNAVAIL 20", "Congestion Some(10s)"),
    ] {
        let mut stage = Stage::new("[c]\nexten => 5,1,Dial(SIP/1002,20)\n", "c", "5");
        stage.script(&[("begin", "Dial SIP/1002 20s"), (status, heard), ("timeout", "Hangup")]);
        assert_eq!(stage.variable("ANSWEREDTIME"), "");
    }
    let mut stage = Stage::new("[c]\nexten => 5,1,Dial(SIP/1002,20)\n", "c", "5");
    stage.script(&[("begin", "Dial SIP/1002 20s"), ("dialled NOANSWER 19", "End Finished")]);
    assert_eq!(stage.variable("HANGUPCAUSE"), "19");
}

#[test]
fn with_option_g_the_caller_goes_on() {
    let text = "[c]\nexten => 5,1,Dial(SIP/1002&PJSIP/1003,,g)\nsame => n,Playback(goodbye)\nsame => n,Hangup()\n";
    let mut stage = Stage::new(text, "c", "5");
    stage.script(&[
        ("begin", "Dial SIP/1002&PJSIP/1003 g"),
        ("dialled ANSWER 16", "Playback goodbye"),
        ("done", "Hangup"),
    ]);
}

#[test]
fn calls_go_on_by_the_status_of_dial() {
    let text = "[c]\nexten => _2XXX,1,Dial(SIP/${EXTEN},20)\nsame => n,Goto(s-${DIALSTATUS},1)\n\
                exten => s-BUSY,1,Playback(busy)\nsame => n,Hangup(17)\n\
                exten => _s-.,1,Playback(away)\nsame => n,Hangup()\n";
    let mut stage = Stage::new(text, "c", "2001");
    stage.script(&[
        ("begin", "Dial SIP/2001 20s"),
        ("dialled BUSY 17", "Answer"),
        ("done", "Playback busy"),
        ("done", "Hangup 17"),
    ]);
    let mut stage = Stage::new(text, "c", "2001");
    stage.script(&[("begin", "Dial SIP/2001 20s"), ("dialled NOANSWER 19", "Answer"), ("done", "Playback away")]);
}

#[test]
fn answering_comes_before_playing_unless_it_is_early_media() {
    let text = "[c]\nexten => 1,1,Playback(a&b)\nsame => n,Playback(c)\nexten => 2,1,Progress()\n\
                same => n,Playback(a,noanswer)\nsame => n,Set(R=${PLAYBACKSTATUS})\nsame => n,Answer(500)\n\
                same => n,Answer()\nsame => n,Echo()\nexten => 3,1,Playback(a,skip)\nsame => n,Milliwatt()\n\
                exten => 4,1,Ringing()\nsame => n,Wait(2.5)\nsame => n,MusicOnHold(jazz,30)\nsame => n,Congestion()\n";
    Stage::new(text, "c", "1").script(&[("begin", "Answer"), ("done", "Playback a+b"), ("done", "Playback c")]);
    let mut stage = Stage::new(text, "c", "2");
    stage.script(&[
        ("begin", "Progress"),
        ("done", "Playback a early"),
        ("failed", "Answer"),
        ("done", "Wait 500ms"),
        ("timeout", "Echo"),
    ]);
    assert_eq!(stage.variable("R"), "FAILED");
    Stage::new(text, "c", "3").script(&[("begin", "Milliwatt")]);
    Stage::new(text, "c", "4").script(&[
        ("begin", "Ringing"),
        ("done", "Wait 2.5s"),
        ("timeout", "Music Some(\"jazz\") Some(30s)"),
        ("timeout", "Congestion None"),
        ("timeout", "Hangup"),
    ]);
}

const MENU: &str = "[menu]\nexten => s,1,Answer()\nsame => n,Background(welcome)\nsame => n,WaitExten(4)\n\
                    exten => 1,1,Playback(one)\nexten => _2XX,1,Playback(two)\nexten => 3,1,Playback(three)\n\
                    exten => 33,1,Playback(more)\nexten => i,1,Playback(invalid-${INVALID_EXTEN})\nsame => n,Goto(s,2)\n\
                    exten => t,1,Playback(bye)\nsame => n,Hangup()\n";

#[test]
fn digits_choose_an_extension() {
    let start = [("begin", "Answer"), ("done", "Playback welcome until a digit")];
    let mut stage = Stage::new(MENU, "menu", "");
    stage.script(&start);
    // Nothing longer begins with 1.
    stage.script(&[("digit 1", "Playback one")]);

    let mut stage = Stage::new(MENU, "menu", "s");
    stage.script(&start);
    stage.script(&[
        ("done", "WaitExten 4s"),
        ("digit 2", "WaitExten 5s"),
        ("digit 0", "WaitExten 5s"),
        ("digit 7", "Playback two"),
    ]);
    assert_eq!(stage.thread.extension(), "207");

    // 3 may be 33: after a while it is not.
    let mut stage = Stage::new(MENU, "menu", "s");
    stage.script(&start);
    stage.script(&[("digit 3", "WaitExten 5s"), ("timeout", "Playback three")]);
    let mut stage = Stage::new(MENU, "menu", "s");
    stage.script(&start);
    stage.script(&[("digit 3", "WaitExten 5s"), ("digit 3", "Playback more")]);
}

#[test]
fn digits_are_read_into_a_variable() {
    let text = "[c]\nexten => 1,1,Read(PIN,enter-pin,4,,2,6)\nsame => n,NoOp(${PIN})\nsame => n,Read(AMOUNT)\n\
                same => n,Playback(${PIN}-${AMOUNT}-${READSTATUS})\n";
    let start = [("begin", "Answer"), ("done", "Playback enter-pin until a digit")];
    let mut stage = Stage::new(text, "c", "1");
    stage.script(&start);
    stage.script(&[
        ("digit 4", "WaitExten 6s"),
        ("digit 7", "WaitExten 6s"),
        ("digit 1", "WaitExten 6s"),
        // Four are enough.
        ("digit 1", "WaitExten 10s"),
        ("digit 5", "WaitExten 5s"),
        ("digit #", "Playback 4711-5-OK"),
    ]);
    // Nothing is pressed: once more, then no more.
    let mut stage = Stage::new(text, "c", "1");
    stage.script(&start);
    stage.script(&[
        ("done", "WaitExten 6s"),
        ("timeout", "Playback enter-pin until a digit"),
        ("done", "WaitExten 6s"),
        ("timeout", "WaitExten 10s"),
        ("digit 5", "WaitExten 5s"),
        ("timeout", "Playback -5-TIMEOUT"),
    ]);
    Stage::new("[c]\nexten => 1,1,Read(A,x,,s)\nsame => n,Playback(${READSTATUS},noanswer)\n", "c", "1")
        .script(&[("begin", "Playback SKIPPED early")]);
    Stage::new("[c]\nexten => 1,1,Read(A,x,,n)\n", "c", "1").script(&[("begin", "Playback x early until a digit")]);
}

#[test]
fn a_wrong_digit_goes_to_i_and_none_to_t() {
    let mut stage = Stage::new(MENU, "menu", "s");
    stage.script(&[
        ("begin", "Answer"),
        ("done", "Playback welcome until a digit"),
        ("digit 9", "Playback invalid-9"),
        ("done", "Playback welcome until a digit"),
        ("done", "WaitExten 4s"),
        ("digit 2", "WaitExten 5s"),
        ("timeout", "Playback invalid-2"),
        ("done", "Playback welcome until a digit"),
        ("done", "WaitExten 4s"),
        ("timeout", "Playback bye"),
        ("done", "Hangup"),
    ]);
}

#[test]
fn the_operators_extension_is_loaded_and_shown_and_only_a_jump_leads_there() {
    let text = "[menu]\nexten => s,1,Answer()\nsame => n,Background(welcome)\nexten => 9,1,Goto(o,1)\n\
                exten => 5,1,GotoIf($[1]?menu,o,1)\nexten => o,1,Dial(SIP/operator)\nexten => i,1,Playback(invalid-${INVALID_EXTEN})\n";
    let start = [("begin", "Answer"), ("done", "Playback welcome until a digit")];
    for key in ["digit 9", "digit 5"] {
        let mut stage = Stage::new(text, "menu", "s");
        stage.script(&start);
        stage.script(&[(key, "Dial SIP/operator")]);
        assert_eq!(stage.thread.extension(), "o");
    }
    // A zero in a menu is the extension 0, in Asterisk too: only VoiceMail and Directory make it `o`.
    let mut stage = Stage::new(text, "menu", "s");
    stage.script(&start);
    stage.script(&[("digit 0", "Playback invalid-0")]);
    let lines = plan(text).lines(Some("menu")).join("\n");
    assert!(
        lines.contains("  'o' =>            1. Dial(SIP/operator)                         [extensions.conf:6]"),
        "{lines}"
    );
}

#[test]
fn without_autofallthrough_digits_are_waited_for_at_the_end() {
    let text = "[general]\nautofallthrough=no\n[c]\nexten => s,1,Answer()\nexten => 1,1,Playback(one)\n";
    Stage::new(text, "c", "s").script(&[("begin", "Answer"), ("done", "WaitExten 10s"), ("digit 1", "Playback one")]);
    Stage::new(text, "c", "s").script(&[("begin", "Answer"), ("done", "WaitExten 10s"), ("timeout", "End Finished")]);
}

#[test]
fn a_priority_that_is_missing_is_looked_for_in_a_less_specific_extension() {
    let text = "[c]\nexten => 6410,1,Playback(a,noanswer)\nexten => _641X,1,Playback(b,noanswer)\n\
                exten => _641X,n,Playback(c,noanswer)\n";
    Stage::new(text, "c", "6410").script(&[
        ("begin", "Playback a early"),
        ("done", "Playback c early"),
        ("done", "End Finished"),
    ]);
}

#[test]
fn jumps_go_to_labels_extensions_and_contexts() {
    let text = "[c]\nexten => 1,1,GotoIf($[${CALLERID(num)} = 1001]?yes:no)\nsame => n,Playback(never)\n\
                same => n(no),Hangup(21)\nsame => n(yes),Goto(d,2,start)\n\
                [d]\nexten => 2,1,Hangup()\nsame => n(start),GotoIf(0?1:+2)\nsame => n,Hangup()\n\
                same => n,GotoIf(0?1)\nsame => n,GotoIfTime(22:00-22:30,tue,14,nov?c,9,1)\n[c](+)\nexten => 9,1,Busy(5)\n";
    let mut stage = Stage::new(text, "c", "1");
    stage.script(&[("begin", "Busy Some(5s)"), ("timeout", "Hangup")]);
    assert_eq!((stage.thread.context(), stage.thread.extension(), stage.thread.priority()), ("c", "9", 1));
    assert_eq!(stage.variable("HANGUPCAUSE"), "17");
    let mut other = facts();
    other.caller.number = "7".to_owned();
    Stage::with(&plan(text), "c", "1", other).script(&[("begin", "Hangup 21"), ("done", "End Finished")]);
}

#[test]
fn a_jump_to_nowhere_ends_the_call() {
    for step in ["Goto(9,1)", "Goto(nolabel)", "Goto(nowhere,1,1)", "Gosub(nowhere,s,1)", "Return()"] {
        let (plan, _) = read(&format!("[c]\nexten => 1,1,{step}\n"));
        let mut stage = Stage::with(&plan, "c", "1", facts());
        let end = if step == "Return()" { "End Error" } else { "End NoExtension" };
        assert_eq!(stage.after("begin"), end, "{step}");
    }
    let (plan, _) = read("[c]\nexten => 1,1,Goto(9,1)\nexten => i,1,Playback(no-${INVALID_EXTEN},noanswer)\n");
    Stage::with(&plan, "c", "1", facts()).script(&[("begin", "Playback no-9 early")]);
}

#[test]
fn subroutines_have_arguments_and_return() {
    let text = "[c]\nexten => 1,1,Gosub(sub,s,1(SIP/1002,20))\nsame => n,Playback(${GOSUB_RETVAL}${ARG1},noanswer)\n\
                same => n,GosubIf(1?sub,s,inner(x):sub,s,1)\nsame => n,Wait(${GOSUB_RETVAL})\n\
                [sub]\nexten => s,1,Set(LOCAL(me)=${ARGC})\nsame => n,Dial(${ARG1},${ARG2})\n\
                same => n,Gosub(inner(deep))\nsame => n,Return(${me}-${ARG1:0:3}-${GOSUB_RETVAL})\n\
                same => n(inner),Return(${LEN(${ARG1})})\n";
    let mut stage = Stage::new(text, "c", "1");
    stage.script(&[
        ("begin", "Dial SIP/1002 20s"),
        ("dialled NOANSWER 19", "Playback 2-SIP-4 early"),
        ("done", "Wait 1s"),
    ]);
    assert_eq!(stage.variable("me"), "");
}

#[test]
fn a_callees_subroutine_ends_when_it_returns() {
    let text = "[screen]\nexten => s,1,Playback(${ARG1})\nsame => n,Set(GOSUB_RESULT=BUSY)\nsame => n,Return()\n";
    let plan = plan(text);
    let gosub = Gosub {
        context: "screen".to_owned(),
        extension: "s".to_owned(),
        priority: "1".to_owned(),
        arguments: vec!["hello".to_owned()],
    };
    let mut callee = facts();
    callee.answered = true;
    let mut world = World::new(&plan, [0; 32], jiff::tz::TimeZone::UTC);
    let thread = Thread::gosub(plan.clone(), &gosub, callee).unwrap();
    let mut stage = Stage { thread, world: world.clone() };
    stage.script(&[("begin", "Playback hello"), ("done", "End Finished")]);
    assert_eq!(stage.variable("GOSUB_RESULT"), "BUSY");
    let nowhere = Gosub { context: "nowhere".to_owned(), ..gosub };
    assert!(Thread::gosub(plan, &nowhere, facts()).is_err());
    world.set_clock(0);
}

#[test]
fn loops_and_conditional_steps() {
    let text = "[c]\nexten => 1,1,Set(I=0)\nsame => n,While($[${I} < 5])\nsame => n,Set(I=$[${I} + 1])\n\
                same => n,ExecIf($[${I} = 2]?ContinueWhile())\nsame => n,Set(SEEN=${SEEN}${I})\n\
                same => n,ExecIf($[${I} = 4]?ExitWhile():NoOp(x))\nsame => n,EndWhile()\n\
                same => n,While(0)\nsame => n,Playback(never)\nsame => n,While(1)\nsame => n,EndWhile()\n\
                same => n,EndWhile()\nsame => n,ExecIf(1?Wait(3):Wait(4))\n";
    let mut stage = Stage::new(text, "c", "1");
    stage.script(&[("begin", "Wait 3s")]);
    assert_eq!((stage.variable("SEEN"), stage.variable("I")), ("134".to_owned(), "4".to_owned()));
    assert_eq!((stage.thread.application(), stage.thread.data()), ("Wait", "3"));
}

#[test]
fn a_value_in_a_branch_of_exec_if_is_no_more_than_a_value() {
    let mut facts = facts();
    facts.caller.name = "a):Dial(IAX2/carrier/00".to_owned();
    let text = "[c]\nexten => 1,1,ExecIf(0?Set(X=${CALLERID(name)}))\nsame => n,ExecIf(1?Set(Y=${CALLERID(name)}):Set(Z=1))\n\
                same => n,Set(CASE=1)\nsame => n,Set(DOES=Wait)\nsame => n,Set(WHOLE=Wait(5))\n\
                same => n,ExecIf(${CASE}?${DOES}(${CASE}))\nsame => n,ExecIf(${CASE}?${WHOLE})\n\
                same => n,ExecIf($[\"${CALLERID(name)}\" = \"b\"]?Wait(1):${IF($[1]?Wait(7):Wait(8))})\nsame => n,Wait(9)\n";
    let mut stage = Stage::with(&plan(text), "c", "1", facts);
    stage.script(&[("begin", "Wait 1s"), ("done", "Wait 5s"), ("done", "Wait 7s"), ("done", "Wait 9s")]);
    assert_eq!((stage.variable("X"), stage.variable("Y")), (String::new(), "a):Dial(IAX2/carrier/00".to_owned()));
    assert_eq!(stage.variable("Z"), "");
}

#[test]
fn circles_are_left() {
    let mut stage = Stage::new("[c]\nexten => 1,1,NoOp()\nsame => n,Goto(1)\n", "c", "1");
    stage.script(&[("begin", "End Runaway"), ("done", "End Finished")]);
    let mut stage = Stage::new("[c]\nexten => 1,1,Gosub(1)\n", "c", "1");
    stage.script(&[("begin", "End Runaway")]);
    // Nobody can be reached, and at once, over and over.
    let mut stage = Stage::new("[c]\nexten => 1,1,Dial(SIP/1)\nsame => n,Goto(1)\n", "c", "1");
    let mut action = stage.after("begin");
    for _ in 0..2_000 {
        action = stage.after("dialled CHANUNAVAIL 20");
        if action == "End Runaway" {
            break;
        }
    }
    assert_eq!(action, "End Runaway");
    // With time between, it may go on.
    let mut stage = Stage::new("[c]\nexten => 1,1,Dial(SIP/1)\nsame => n,Goto(1)\n", "c", "1");
    stage.after("begin");
    for second in 0..3_000 {
        stage.world.set_clock((NOW + second / 500) * 1_000_000);
        assert_eq!(stage.after("dialled CHANUNAVAIL 20"), "Dial SIP/1");
    }
    // Every way of going in circles without a step of its own.
    for text in ["Set(A=${EVAL(${QUOTE(${A})})}${A}x)", "ExecIf(1?Goto(1))", "Set(A=$[\"${A}aaaa\" =~ \"(a*)*b\"])"] {
        let (plan, _) = read(&format!("[c]\nexten => 1,1,{text}\nsame => n,Goto(1)\n"));
        assert_eq!(Stage::with(&plan, "c", "1", facts()).after("begin"), "End Runaway", "{text}");
    }
}

#[test]
fn h_is_run_when_the_channel_is_gone_and_is_not_the_last_application() {
    let text = "[c]\nexten => 1,1,Dial(SIP/1002)\nexten => h,1,Set(GLOBAL(LAST)=${DIALSTATUS}-${HANGUPCAUSE}-${EXTEN})\n\
                same => n,Wait(1)\nsame => n,Set(GLOBAL(LAST)=not reached)\n";
    let mut stage = Stage::new(text, "c", "1");
    stage.script(&[("begin", "Dial SIP/1002")]);
    stage.thread.hang_up(16, None, &mut stage.world);
    assert_eq!(stage.world.global("LAST"), Some("CANCEL-16-h"));
    assert_eq!((stage.thread.application(), stage.thread.data()), ("Dial", "SIP/1002"));
    stage.world.set_global("LAST", "");
    stage.thread.hang_up(16, None, &mut stage.world);
    assert_eq!(stage.world.global("LAST"), None);
    stage.script(&[("done", "End Finished")]);

    // The caller hung up in the middle of the talk.
    let mut stage = Stage::new(text, "c", "1");
    stage.script(&[("begin", "Dial SIP/1002")]);
    stage.thread.hang_up(16, Some(&dialled("ANSWER", 16)), &mut stage.world);
    assert_eq!(stage.world.global("LAST"), Some("ANSWER-16-h"));
    assert_eq!(stage.variable("ANSWEREDTIME"), "7");

    // After the callee hung up.
    let mut stage = Stage::new(text, "c", "1");
    stage.script(&[("begin", "Dial SIP/1002"), ("dialled ANSWER 16", "Hangup 16")]);
    stage.thread.hang_up(16, None, &mut stage.world);
    assert_eq!(stage.world.global("LAST"), Some("ANSWER-16-h"));
}

#[test]
fn contexts_are_boundaries() {
    let text =
        "[guests]\nexten => 600,1,Echo()\n[staff]\ninclude => guests\nexten => _9X.,1,Dial(IAX2/out/${EXTEN:1})\n";
    let plan = plan(text);
    assert!(Thread::start(plan.clone(), "guests", "600", facts()).is_ok());
    assert!(Thread::start(plan.clone(), "guests", "9123", facts()).is_err());
    assert!(Thread::start(plan.clone(), "staff", "600", facts()).is_ok());
    Stage::with(&plan, "staff", "9123", facts()).script(&[("begin", "Dial IAX2/out/123@-")]);
    // A number cannot choose what is dialled, whatever the pattern takes.
    for number in ["91&SIP/1002", "91@other", "91/x", "91,60,g", "9 1", "91\n", "9${EXTEN}", &"9".repeat(81)] {
        assert!(Thread::start(plan.clone(), "staff", number, facts()).is_err(), "{number}");
    }
}

#[test]
fn a_context_is_included_at_its_times() {
    let text = "[c]\ninclude => day,9:00-17:00,mon-fri,*,*\ninclude => night\n[day]\nexten => 0,1,Dial(SIP/desk)\n\
                exten => 1,1,Echo()\n[night]\nexten => 0,1,Dial(SIP/guard)\n";
    let plan = plan(text);
    let noon = 1_700_049_600;
    for (time, target) in [(NOW, "Dial SIP/guard"), (noon, "Dial SIP/desk")] {
        let mut stage = Stage::with(&plan, "c", "0", facts());
        stage.world.set_clock(time * 1_000_000);
        stage.script(&[("begin", target)]);
    }
    // At night it is as if it were not there.
    Stage::with(&plan, "c", "1", facts()).script(&[("begin", "End NoExtension")]);
}

#[test]
fn a_thread_takes_any_outcome_at_any_time() {
    let outcomes = ["begin", "done", "failed", "timeout", "digit 7", "dialled BUSY 17"];
    let text = format!("{MENU}[c]\nexten => 1,1,Dial(SIP/2)\nsame => n,Goto(menu,s,1)\n");
    let plan = plan(&text);
    // Every sequence of four.
    for number in 0..outcomes.len().pow(4) {
        let mut stage = Stage::with(&plan, "c", "1", facts());
        stage.thread.resume(Outcome::Begin, &mut stage.world);
        for place in 0..4 {
            stage.after(outcomes[number / outcomes.len().pow(place) % outcomes.len()]);
        }
        stage.thread.hang_up(16, None, &mut stage.world);
        assert_eq!(stage.after("done"), "End Finished");
    }
}
