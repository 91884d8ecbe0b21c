//! Whatever is written, nothing breaks and everything ends.

use pbx::dialplan::{Action, Thread};
use proptest::prelude::*;

use crate::stage::{Stage, facts, read};

/// A word that a dialplan may be made of.
fn word() -> impl Strategy<Value = String> {
    let words = prop::sample::select(vec![
        "exten => ",
        "same => n,",
        "exten => 1,1,",
        "exten => _X.,n,",
        "[c]\n",
        "[d](c)\n",
        "include => d\n",
        "\n",
        "\n",
        "\n",
        "1",
        "n",
        "i",
        "h",
        "_X!",
        "_[1-3]N",
        "/",
        ",",
        ",1,",
        "(",
        ")",
        "?",
        ":",
        "&",
        "^",
        "=",
        "\"",
        "\\",
        "${",
        "}",
        "$[",
        "]",
        "EXTEN",
        "A",
        "Dial(",
        "SIP/1",
        "IAX2/a:b@c/d@e",
        "Local/1@c",
        ",10,rgU(d^x)",
        "Goto(",
        "GotoIf(1?",
        "Gosub(d,1,1(",
        "Return(",
        "Read(A,x,3",
        "Set(A=",
        "Set(GLOBAL(B)=",
        "ExecIf(",
        "While(",
        "EndWhile(",
        "ExitWhile(",
        "Background(a",
        "WaitExten(",
        "Playback(x",
        "Answer(",
        "Hangup(",
        "NoOp(",
        "EVAL(",
        "CUT(A,-,1-",
        "IF(",
        "REGEX(\"a*\" ",
        "LEN(",
        "CALLERID(num)",
        "STRFTIME(,,%",
        "MATH(1+",
        "RAND(",
        "FILTER(0-9,",
        "STRREPLACE(A,x,xx",
        " + ",
        " =~ ",
        " ? ",
        " :: ",
        "!",
        "-1",
        "(a)",
    ]);
    prop_oneof![20 => words.prop_map(str::to_owned), 1 => "\\PC{0,4}"]
}

proptest! {
    #[test]
    fn any_text_is_a_dialplan_that_ends(
        words in prop::collection::vec(word(), 0..80),
        happens in prop::collection::vec(0_usize..8, 0..12),
        number in prop::sample::select(vec!["1", "12", "s", "555"]),
    ) {
        let text = format!("[c]\nexten => 1,1,NoOp()\nexten => _X.,1,NoOp()\nexten => s,1,NoOp()\n{}", words.concat());
        let (plan, problems) = read(&text);
        for problem in problems {
            prop_assert!(problem.starts_with("extensions.conf:"), "{problem}");
        }
        prop_assert!(!plan.lines(None).is_empty());
        prop_assert!(Thread::start(plan.clone(), "c", number, facts()).is_ok());
        let mut stage = Stage::with(&plan, "c", number, facts());
        stage.after("begin");
        let all = ["done", "failed", "timeout", "digit 1", "digit #", "dialled ANSWER 16", "dialled BUSY 17", "begin"];
        for place in happens {
            stage.after(all[place]);
            prop_assert!(stage.thread.data().len() <= 8_191);
        }
        stage.thread.hang_up(16, None, &mut stage.world);
        let over = stage.thread.resume(pbx::dialplan::Outcome::Done, &mut stage.world);
        prop_assert!(matches!(over, Action::End(_)));
    }

    #[test]
    fn any_text_has_a_value(words in prop::collection::vec(word(), 0..60)) {
        let text = words.concat().replace('\n', " ");
        let (plan, _) = read(&format!("[c]\nexten => 1,1,Set(A=5-6)\nexten => 1,2,Set(R={text})\nexten => 1,3,Wait(1)\n"));
        let mut stage = Stage::with(&plan, "c", "1", facts());
        let after = stage.after("begin");
        prop_assert!(["Wait 1s", "End Finished", "End NoExtension", "End Runaway"].contains(&after.as_str()), "{after}");
        prop_assert!(stage.variable("R").len() <= 4_095);
    }
}
