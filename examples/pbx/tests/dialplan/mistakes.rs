//! Mistakes in a dialplan are told with file, line and what was expected.

use crate::stage::read;

fn problems(text: &str) -> Vec<String> {
    read(text).1
}

#[test]
fn errors_say_what_was_expected() {
    let cases = [
        ("exten => 1", "expected extension,priority,application(arguments), found `1`"),
        ("exten => 1,1", "expected an application after the priority"),
        ("exten => ,1,NoOp()", "extension ``: expected a number or a pattern"),
        ("exten => _,1,NoOp()", "extension `_`: expected a pattern after `_`"),
        ("exten => _[12,1,NoOp()", "extension `_[12`: expected `]` at the end of the characters in brackets"),
        ("exten => _[]1,1,NoOp()", "extension `_[]1`: expected characters between `[` and `]`"),
        (
            "exten => _[9-1],1,NoOp()",
            "extension `_[9-1]`: a range in brackets runs backwards: expected the lower character first",
        ),
        (
            "exten => _1.5,1,NoOp()",
            "extension `_1.5`: expected nothing after `.` or `!`, which end a pattern; as an ordinary character write [.] or [!]",
        ),
        ("exten => 1,x,NoOp()", "expected a priority such as 1, n, n(label) or hint, found `x`"),
        ("exten => 1,0,NoOp()", "expected a priority such as 1, n, n(label) or hint, found `0`"),
        ("exten => 1,n,NoOp()", "`n` follows another priority, and there is none above: expected 1"),
        ("exten => 1,1(a,NoOp()", "expected `)` after the label in `1(a`"),
        ("exten => 1,1(2),NoOp()", "expected a label that is no number in `1(2)`"),
        ("exten => 1,1,NoOp(", "expected `)` at the end of `NoOp(`"),
        ("exten => 1,1,Dial,SIP/1", "expected Dial(arguments), found `Dial,SIP/1`"),
        ("exten => 1,1,(x)", "expected an application before `(`, found `(x)`"),
        ("exten => 1,1,Dail(SIP/1)", "unknown application `Dail`: did you mean Dial?"),
        ("same => n,NoOp()", "`same` goes on with the extension above, but there is none: expected exten =>"),
        ("extern => 1,1,NoOp()", "unknown key `extern`: expected exten, same, include, switch or ignorepat"),
        ("include =>", "expected the name of a context"),
        ("include => c,25:00-26:00,*,*,*", "expected times such as 9:00-17:00 or *, found `c,25:00-26:00,*,*,*`"),
        ("exten => 1,1,NoOp(${EXTEN)", "NoOp: expected `}` in `${EXTEN`"),
        ("exten => 1,1,NoOp($[1+1)", "NoOp: expected `]` in `$[1+1`"),
        ("exten => 1,1,Dial()", "Dial: expected technology/resource, such as SIP/1001"),
        ("exten => 1,1,Dial(1001)", "Dial: expected technology/resource, such as SIP/1001, found `1001`"),
        ("exten => 1,1,Dial(SIP/1,soon)", "Dial: expected seconds after the first comma, found `soon`"),
        ("exten => 1,1,Dial(SIP/1,10,Y)", "Dial: unknown option `Y`: expected some of r m t T h H g U L S f"),
        ("exten => 1,1,Dial(SIP/1,10,m(x)", "Dial: expected `)` after the argument of option `m`"),
        ("exten => 1,1,Dial(SIP/1,10,U)", "Dial: option U: expected U(context[^argument…])"),
        ("exten => 1,1,Dial(SIP/1,10,L(x))", "Dial: option L: expected milliseconds in parentheses, found `x`"),
        ("exten => 1,1,Dial(SIP/1,10,S)", "Dial: option S: expected seconds in parentheses, found ``"),
        ("exten => 1,1,Wait(long)", "Wait: expected seconds, found `long`"),
        ("exten => 1,1,Wait()", "Wait: expected seconds"),
        ("exten => 1,1,Playback()", "Playback: expected the names of files with & between them"),
        ("exten => 1,1,Playback(a,loud)", "Playback: unknown option `loud`: expected skip or noanswer"),
        ("exten => 1,1,Background(a,x)", "Background: unknown option `x`: expected s or n"),
        ("exten => 1,1,Set(a)", "Set: expected name=value, found `a`"),
        ("exten => 1,1,Hangup(never)", "Hangup: expected a hangup cause such as 16 or USER_BUSY, found `never`"),
        ("exten => 1,1,GotoIf(1)", "GotoIf: expected condition?place:place, found `1`"),
        ("exten => 1,1,Goto(a,b,c,d)", "Goto: expected [[context,]extension,]priority, found `a,b,c,d`"),
        ("exten => 1,1,ExecIf(1?Dail(x))", "unknown application `Dail`: did you mean Dial?"),
        ("exten => 1,1,While(1)", "While: expected EndWhile further down in the extension"),
        ("exten => 1,1,GotoIfTime(x,*,*,*?1)", "GotoIfTime: expected times such as 9:00-17:00 or *, found `x,*,*,*`"),
        (
            "exten => 1,1,GotoIfTime(*,someday,*,*?1)",
            "GotoIfTime: expected days of the week such as mon-fri or *, found `*,someday,*,*`",
        ),
        ("exten => 1,1,Read()", "Read: expected the name of a variable"),
        ("exten => 1,1,Read(A,b,few)", "Read: expected a number of digits, found `few`"),
        ("exten => 1,1,Read(A,b,4,x)", "Read: unknown option `x`: expected s or n"),
        ("exten => 1,1,Answer(x)", "Answer: expected milliseconds, found `x`"),
    ];
    for (line, message) in cases {
        let found = problems(&format!("[a]\nexten => 9,1,NoOp()\n[c]\n; a comment\n{line}\n"));
        assert_eq!(found.first().map(String::as_str), Some(&*format!("extensions.conf:5: error: {message}")), "{line}");
    }
}

#[test]
fn warnings_say_what_is_not_done() {
    let cases = [
        ("include => nowhere", "there is no context `nowhere` that could be included"),
        ("exten => 1,1,VoiceMail(1@home)", "application `VoiceMail` is not supported: a call that comes to it ends"),
        ("switch => IAX2/x", "`switch` is not supported: IAX2/x is not asked"),
        ("exten => _.,1,NoOp()", "`_.` also takes the special extensions i, t, h and s: better write _X."),
        (
            "exten => o,1,NoOp()",
            "`o` is reached by Goto, or by who dials it, and not by itself: no application here lets a caller leave for the operator, as VoiceMail and Directory do",
        ),
        (
            "exten => T,1,NoOp()",
            "`T` is reached by Goto, or by who dials it, and not by itself: TIMEOUT(absolute) is not supported",
        ),
        ("exten => 1,2,NoOp()", "`1` begins with priority 2: nobody gets there without priority 1"),
        ("exten => 1,1,Goto(2,1)", "Goto: there is no extension `2` in context `c`"),
        ("exten => 1,1,Goto(d,2,1)", "Goto: there is no context `d`"),
        ("exten => 1,1,Goto(there)", "Goto: there is no label `there` in extension `1`"),
        ("exten => 1,1,Gosub(sub,s,1(a))", "Gosub: there is no context `sub`"),
        (
            "exten => 1,1,Dial(DAHDI/g1/5)",
            "Dial: there is no technology `DAHDI` here, `DAHDI/g1/5` is never reached: expected SIP, PJSIP, IAX2 or Local",
        ),
        ("exten => 1,1,Dial(SIP/1|20|r)", "Dial: arguments are separated by `,`: the `|` is part of what is dialled"),
        ("exten => 1,1,Dial(SIP/1,20,k)", "Dial: option `k` is not supported and left out"),
        ("exten => 1,1,Dial(Local/1@d)", "Dial: there is no context `d` for `Local/1@d`"),
        ("exten => 1,1,Dial(SIP/1,20,U(d))", "Dial: there is no extension `s` in context `d` for option U"),
        ("exten => 1,1,NoOp($[1 +])", "NoOp: the expression $[1 +] is not understood: expected a value"),
        ("exten => 1,1,Set(NOSUCH(x)=1)", "Set: there is no function `NOSUCH` that can be set"),
        ("exten => 1,1,Set(TIMEOUT(absolute)=60)", "Set: TIMEOUT(absolute) is not supported: the call is not limited"),
        ("exten => 1,1,ResetCDR()", "ResetCDR: has no effect here"),
    ];
    for (line, message) in cases {
        let found = problems(&format!("[c]\n{line}\n"));
        assert_eq!(found, [format!("extensions.conf:2: warning: {message}")], "{line}");
    }
    let found = problems("[c]\nexten => 1,1,NoOp(${DB(a/b)})\n");
    assert!(found[0].starts_with(
        "extensions.conf:2: warning: NoOp: unknown function `DB`, it is always empty: expected one of CALLERID "
    ));
    let twice = "[c]\nexten => 1,1,NoOp(a)\nexten => 1,1,NoOp(b)\nexten => 1,n(x),NoOp()\nexten => 1,n(x),NoOp()\n";
    assert_eq!(
        problems(twice),
        [
            "extensions.conf:3: warning: priority 1 of `1` is written already, at extensions.conf:2: the first one counts",
            "extensions.conf:5: warning: the label is used already, at extensions.conf:4: the first one counts",
        ]
    );
    let found = problems("[c]\nexten => 1,1,Teleport(home)\n");
    assert!(found[0].starts_with("extensions.conf:2: error: unknown application `Teleport`: expected one of Answer "));
    let general = "[general]\nstatic=yes\npriorityjumping=yes\ncolour=red\nwriteprotect=no\nclearglobalvars=yes\n\
                   userscontext=default\nautofallthrough=perhaps\npriorityjumping=no\n[c]\nautohints=yes\nautohints=no\n";
    assert_eq!(
        problems(general),
        [
            "extensions.conf:3: warning: `priorityjumping=yes` is left out: read DIALSTATUS instead",
            "extensions.conf:4: warning: unknown key `colour` in [general]",
            "extensions.conf:5: warning: `writeprotect=no` is left out: this file is never written here",
            "extensions.conf:6: warning: `clearglobalvars=yes` is left out: this file is read once, when the program starts",
            "extensions.conf:7: warning: `userscontext` is left out: users.conf is not read here",
            "extensions.conf:8: error: autofallthrough: expected yes or no, found `perhaps`",
            "extensions.conf:11: warning: `autohints` is left out: lines are not watched here",
        ]
    );
}

#[test]
fn what_only_a_call_can_tell_is_no_mistake() {
    let lines = [
        "Dial(${DEVICE},${TIME},${OPTIONS})",
        "Dial(SIP/${EXTEN}&IAX2/${PEER}/${EXTEN}@in,20,U(${SUB}))",
        "Goto(${CONTEXT},${EXTEN},$[${PRIORITY} + 1])",
        "GotoIf($[\"${CALLERID(num)}\" =~ \"^(00|\\\\+)\" & ${LEN(${EXTEN})} > 3]?1:1)",
        "ExecIf($[ ${X}0 > ${Y}0 ]?Set(A=b):Set(${NAME}=c))",
        "Set(X=${IF($[${LEN(${A}${B})} = 0]?\"none\":${CUT(A,\\,,2)})})",
        "Gosub(${SUB},s,1(${A},b))",
        "Wait(${SECONDS})",
        "Hangup(${HANGUPCAUSE})",
        "NoOp($[${A} ? ${B} :: (${C} - 1)])",
        "Verbose(2,a $5 {curly} [square] text)",
    ];
    for line in lines {
        assert_eq!(problems(&format!("[c]\nexten => 1,1,{line}\n")), Vec::<String>::new(), "{line}");
    }
}

#[test]
fn one_mistake_is_told_once_and_the_rest_is_read() {
    let text = "[c]\nexten => _[1,1,NoOp()\nsame => n,NoOp()\nsame => n,NoOp()\nexten => 2,1,Echo()\n";
    let (plan, problems) = read(text);
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert!(plan.find("c", "2", "").is_some());
}
