//! Dialplans as people have them.

use crate::stage::{Stage, facts, read};

const OFFICE: &str = include_str!("samples/office.conf");

/// The office's dialplan, of which nothing is told but what has no meaning here.
fn office() -> std::sync::Arc<pbx::dialplan::Dialplan> {
    let (plan, problems) = read(OFFICE);
    let told = [
        "extensions.conf:8: warning: `clearglobalvars=yes` is left out: this file is read once, when the program starts",
        "extensions.conf:56: warning: hints are shown and nothing else, here and below: lines are not watched here",
    ];
    assert_eq!(problems, told);
    plan
}

#[test]
fn an_office_has_no_problems_and_callers_from_outside_get_through() {
    let plan = office();
    // 22:13 on a Tuesday: closed.
    let mut stage = Stage::with(&plan, "from-carrier", "49305550", facts());
    stage.script(&[("begin", "Answer"), ("done", "Wait 500ms"), ("timeout", "Playback closed+call-again")]);
    // In office hours.
    let mut stage = Stage::with(&plan, "from-carrier", "49305550", facts());
    stage.world.set_clock(1_700_038_800 * 1_000_000);
    stage.script(&[
        ("begin", "Answer"),
        ("done", "Playback welcome+press-one-for-sales until a digit"),
        ("digit 1", "WaitExten 3s"),
        ("timeout", "Dial SIP/1010&SIP/1011 30s r"),
        ("dialled NOANSWER 19", "Hangup"),
    ]);
    let mut stage = Stage::with(&plan, "from-carrier", "49305551234", facts());
    stage.script(&[("begin", "Dial SIP/1234 20s r"), ("dialled BUSY 17", "Busy Some(10s)"), ("timeout", "Hangup")]);
    assert_eq!(stage.variable("CALLERID"), "\"Alice\" <01001>");
}

#[test]
fn who_tries_too_often_is_let_go() {
    let mut stage = Stage::with(&office(), "menu", "s", facts());
    stage.after("begin");
    for _ in 0..3 {
        stage
            .script(&[("done", "Playback welcome+press-one-for-sales until a digit"), ("digit 7", "Playback invalid")]);
    }
    stage.script(&[("done", "Playback goodbye"), ("done", "Hangup")]);
}

#[test]
fn classes_of_service_hold() {
    let plan = office();
    let found = |context: &str, number: &str, caller: &str| {
        plan.find(context, number, caller).map(|found| format!("{}@{}", found.extension, found.context))
    };
    assert_eq!(found("internal", "600", "1001").as_deref(), Some("600@features"));
    assert_eq!(found("internal", "95551234", "1001"), None);
    assert_eq!(found("local-calls", "95551234", "1001").as_deref(), Some("_9NXXXXXX@local-calls"));
    assert_eq!(found("local-calls", "90049301234", "1001"), None);
    assert_eq!(found("international", "90049301234", "1001").as_deref(), Some("_900X.@international"));
    assert_eq!(found("international", "*60", "1001").as_deref(), Some("*60@features"));
    let mut stage = Stage::with(&plan, "international", "90049301234", facts());
    stage.script(&[
        ("begin", "Dial IAX2/carrier/0049301234@out 60s g"),
        ("dialled CHANUNAVAIL 20", "Playback no-trunk early"),
        ("done", "Hangup"),
    ]);
    assert_eq!(stage.thread.inherited(), [("__ACCOUNT".to_owned(), "1001".to_owned())]);
    // The chief.
    Stage::with(&plan, "internal", "1099", facts()).script(&[("begin", "Congestion None")]);
    let mut operator = facts();
    operator.caller.number = "1000".to_owned();
    Stage::with(&plan, "internal", "1099", operator).script(&[("begin", "Dial SIP/1099 30s")]);
}

#[test]
fn mistakes_in_an_office_are_told_with_their_lines() {
    let spoilt = OFFICE
        .replace("Playback(closed&call-again)", "Playbak(closed)")
        .replace("Goto(s,again)", "Goto(x,1)")
        .replace("include => features", "include => feature")
        .replace("${OPERATOR},${RING_TIME},t)", "${OPERATOR},${RING_TIME},tY)");
    let line = |text: &str| spoilt.lines().position(|line| line.contains(text)).unwrap() + 1;
    let expected = [
        format!("extensions.conf:{}: error: unknown application `Playbak`: did you mean Playback?", line("Playbak")),
        format!("extensions.conf:{}: warning: Goto: there is no extension `x` in context `menu`", line("Goto(x,1)")),
        format!(
            "extensions.conf:{}: warning: there is no context `feature` that could be included",
            line("include => feature")
        ),
        format!(
            "extensions.conf:{}: error: Dial: unknown option `Y`: expected some of r m t T h H g U L S f",
            line("tY)")
        ),
    ];
    let (_, mut told) = read(&spoilt);
    told.retain(|line| !line.contains("clearglobalvars") && !line.contains("hints are shown"));
    assert_eq!(told, expected);
}
