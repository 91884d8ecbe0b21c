//! Which extension a number leads to, worked out by hand from the rules of Asterisk's documentation:
//!
//! 1. a dash is nothing, but for a range in brackets;
//! 2. extensions that are no patterns come before patterns, in ASCII order;
//! 3. patterns are compared place by place: the place with fewer possible characters comes first (N has 8, Z 9, X 10);
//! 4. equally many are compared by the characters, so `[0-4]` comes before `[4-8]`;
//! 5. `.` comes after all sets;
//! 6. `!` comes after `.`.
//!
//! The first of that order which matches is taken; a context comes before what it includes.

use crate::stage::plan;

/// Extensions, a number, and the extension that it leads to.
type Case = (&'static [&'static str], &'static str, Option<&'static str>);

const CASES: &[Case] = &[
    // What single places match.
    (&["1001"], "1001", Some("1001")),
    (&["1001"], "1002", None),
    (&["1001"], "10011", None),
    (&["1001"], "100", None),
    (&["_X"], "0", Some("_X")),
    (&["_X"], "9", Some("_X")),
    (&["_X"], "a", None),
    (&["_X"], "*", None),
    (&["_X"], "12", None),
    (&["_Z"], "0", None),
    (&["_Z"], "1", Some("_Z")),
    (&["_N"], "1", None),
    (&["_N"], "2", Some("_N")),
    (&["_N"], "9", Some("_N")),
    // Small letters mean the same.
    (&["_xzn"], "012", Some("_xzn")),
    (&["_xzn"], "011", None),
    (&["_[1237-9]"], "2", Some("_[1237-9]")),
    (&["_[1237-9]"], "8", Some("_[1237-9]")),
    (&["_[1237-9]"], "4", None),
    // In brackets X, N, Z and wildcards are themselves.
    (&["_[XN.]"], "X", Some("_[XN.]")),
    (&["_[XN.]"], ".", Some("_[XN.]")),
    (&["_[XN.]"], "5", None),
    // Letters in brackets, and a dash before the bracket is itself.
    (&["_[a-c]1"], "b1", Some("_[a-c]1")),
    (&["_[a-c]1"], "d1", None),
    (&["_[*#]21"], "*21", Some("_[*#]21")),
    (&["_*21*X."], "*21*77", Some("_*21*X.")),
    // `.` is one or more, `!` none or more, of anything.
    (&["_9."], "9", None),
    (&["_9."], "91", Some("_9.")),
    (&["_9."], "9abc#", Some("_9.")),
    (&["_9!"], "9", Some("_9!")),
    (&["_9!"], "9123", Some("_9!")),
    (&["_9!"], "8", None),
    (&["_."], "s", Some("_.")),
    // An extension that is no pattern: X is a letter.
    (&["1XXX"], "1234", None),
    (&["1XXX"], "1XXX", Some("1XXX")),
    // Case counts.
    (&["alice"], "Alice", None),
    // Rule 1: dashes are nothing, in the pattern and in the number.
    (&["_NXX-XXXX"], "5551234", Some("_NXX-XXXX")),
    (&["_NXXXXXX"], "555-1234", Some("_NXXXXXX")),
    (&["555-1234"], "5551234", Some("555-1234")),
    (&["5551234"], "555-12-34", Some("5551234")),
    (&["_[1-3]-[46]"], "24", Some("_[1-3]-[46]")),
    (&["_[1-3]-[46]"], "25", None),
    // Rule 2: what is no pattern comes first, wherever it stands.
    (&["_1001", "1001"], "1001", Some("1001")),
    (&["_X.", "_100X", "1001"], "1001", Some("1001")),
    (&["_100X", "1002"], "1001", Some("_100X")),
    // Rule 3, at the first place.
    (&["_X", "_Z", "_N"], "5", Some("_N")),
    (&["_X", "_Z", "_N"], "1", Some("_Z")),
    (&["_X", "_Z", "_N"], "0", Some("_X")),
    (&["_X", "_5"], "5", Some("_5")),
    (&["_N", "_[2-8]"], "5", Some("_[2-8]")),
    // The documentation's example: C E B G F A D is the order.
    (DOCUMENTED, "6421", Some("_64NX")),
    (DOCUMENTED, "6401", Some("_640X")),
    (DOCUMENTED, "6411", Some("_64XX")),
    (DOCUMENTED, "6321", Some("_6[34]NX")),
    (DOCUMENTED, "6521", Some("_6[45]NX")),
    (DOCUMENTED, "6111", Some("_6XX1")),
    (DOCUMENTED, "6112", Some("_6.")),
    (DOCUMENTED, "642", Some("_6.")),
    // The first place that differs decides, however specific the rest is.
    (&["_XX34", "_1XXX"], "1234", Some("_1XXX")),
    (&["_1X34", "_12XX"], "1234", Some("_12XX")),
    (&["_[12]234", "_1XXX"], "1234", Some("_1XXX")),
    // A set of two comes before one of three, whatever they hold.
    (&["_[123]X", "_[39]X"], "35", Some("_[39]X")),
    // A range of one character is that character.
    (&["_[5-5]", "_[56]"], "5", Some("_[5-5]")),
    // A character written twice counts once: [115] has two, [125] has three.
    (&["_[125]", "_[115]"], "5", Some("_[115]")),
    // Rule 4: equally many are in the order of their characters.
    (&["_[4-8]", "_[0-4]"], "4", Some("_[0-4]")),
    (&["_[45]NX", "_[34]NX"], "421", Some("_[34]NX")),
    (&["_[a-j]", "_X"], "5", Some("_X")),
    // 1,2,9 is before 1,3,4: the second character decides.
    (&["_[1349]", "_[1299]"], "9", Some("_[1299]")),
    (&["_[134]", "_[129]"], "1", Some("_[129]")),
    // Rule 5: `.` after all sets, also larger ones than X.
    (&["_1.", "_1X"], "15", Some("_1X")),
    (&["_1.", "_1[0-9a-z]"], "15", Some("_1[0-9a-z]")),
    (&["_1.", "_1X"], "155", Some("_1.")),
    (&["_X.", "_1."], "15", Some("_1.")),
    (&["_X.", "_XX."], "155", Some("_XX.")),
    (&["_X.", "_XX."], "15", Some("_X.")),
    // Rule 6: `!` after `.`.
    (&["_1!", "_1."], "15", Some("_1.")),
    (&["_1!", "_1."], "1", Some("_1!")),
    // The end of a pattern comes last: where both match, the one that goes on is asked first.
    (&["_1", "_1!"], "1", Some("_1!")),
    (&["_12", "_1!"], "12", Some("_12")),
    // International numbers, as people write them.
    (&["_9011.", "_9NXXXXXX", "_91NXXNXXXXXX", "_9X."], "90114930123456", Some("_9011.")),
    (&["_9011.", "_9NXXXXXX", "_91NXXNXXXXXX", "_9X."], "95551234", Some("_9NXXXXXX")),
    (&["_9011.", "_9NXXXXXX", "_91NXXNXXXXXX", "_9X."], "918005551234", Some("_91NXXNXXXXXX")),
    (&["_9011.", "_9NXXXXXX", "_91NXXNXXXXXX", "_9X."], "9110", Some("_9X.")),
    (&["_+X.", "_00X."], "+4930", Some("_+X.")),
];

const DOCUMENTED: &[&str] = &["_6XX1", "_64XX", "_640X", "_6.", "_64NX", "_6[45]NX", "_6[34]NX"];

fn context(extensions: &[&str]) -> String {
    let lines = extensions.iter().map(|extension| format!("exten => {extension},1,NoOp()\n"));
    format!("[c]\n{}", lines.collect::<String>())
}

#[test]
fn a_number_leads_to_the_most_specific_extension() {
    assert!(CASES.len() >= 60);
    for (extensions, number, expected) in CASES {
        // The order in the file does not matter.
        let backwards: Vec<&str> = extensions.iter().rev().copied().collect();
        for extensions in [*extensions, &backwards] {
            let (plan, _) = crate::stage::read(&context(extensions));
            let found = plan.find("c", number, "").map(|found| found.extension);
            assert_eq!(found, *expected, "{number} in {extensions:?}");
        }
    }
}

#[test]
fn the_whole_order_is_the_documented_one() {
    let plan = plan(&context(DOCUMENTED));
    let order = ["_640X", "_64NX", "_64XX", "_6[34]NX", "_6[45]NX", "_6XX1", "_6."];
    let shown = plan.lines(Some("c"));
    let names: Vec<&str> = shown.iter().filter_map(|line| line.trim().strip_prefix('\'')?.split('\'').next()).collect();
    assert_eq!(names, order);
    let all: Vec<&str> = plan.all("c", "6421", "").iter().map(|found| found.extension).collect();
    // Both sets hold the 4 of 6421.
    assert_eq!(all, ["_64NX", "_64XX", "_6[34]NX", "_6[45]NX", "_6XX1", "_6."]);
}

#[test]
fn a_context_comes_before_what_it_includes_and_those_in_their_order() {
    let text = "[a]\nexten => _1.,1,NoOp()\ninclude => b\ninclude => c\n\
                [b]\nexten => 15,1,NoOp()\nexten => _2X,1,NoOp()\n\
                [c]\nexten => 25,1,NoOp()\nexten => 35,1,NoOp()\ninclude => a\n";
    let plan = plan(text);
    let found = |number| plan.find("a", number, "").map(|found| (found.context, found.extension));
    // Less specific, but in the context itself.
    assert_eq!(found("15"), Some(("a", "_1.")));
    // b is included before c.
    assert_eq!(found("25"), Some(("b", "_2X")));
    assert_eq!(found("35"), Some(("c", "35")));
    // Contexts that include each other end.
    assert_eq!(found("45"), None);
    assert_eq!(plan.find("c", "15", "").map(|found| found.context), Some("a"));
    // Nothing else is reachable.
    assert_eq!(plan.find("b", "35", ""), None);
    assert_eq!(plan.find("nowhere", "15", ""), None);
}

#[test]
fn an_extension_for_a_caller_comes_before_that_for_all() {
    let text = "[c]\nexten => 306,1,NoOp()\nexten => 306/_10X,1,NoOp()\nexten => 306/101,1,NoOp()\n\
                exten => 306/,1,NoOp()\nexten => _3XX/200,1,NoOp()\n";
    let plan = plan(text);
    let count = |caller: &str| plan.all("c", "306", caller).len();
    assert_eq!(count("999"), 1, "306");
    assert_eq!(count("101"), 3, "306/101, 306/_10X and 306");
    assert_eq!(count("105"), 2, "306/_10X and 306");
    assert_eq!(count(""), 2, "306/ and 306");
    // A pattern comes after all numbers, also for its caller.
    assert_eq!(count("200"), 2);
    assert_eq!(plan.find("c", "306", "200").map(|found| found.extension), Some("306"));
    // Which of them it is shows in what is played.
    let text =
        "[c]\nexten => 306,1,Playback(all)\nexten => 306/_10X,1,Playback(some)\nexten => 306/101,1,Playback(one)\n";
    for (caller, file) in [("999", "all"), ("105", "some"), ("101", "one")] {
        let mut facts = crate::stage::facts();
        facts.caller.number = caller.to_owned();
        facts.answered = true;
        let mut stage = crate::stage::Stage::with(&crate::stage::plan(text), "c", "306", facts);
        assert_eq!(stage.after("begin"), format!("Playback {file}"), "{caller}");
    }
}

#[test]
fn the_lines_are_asterisks() {
    let text = "[globals]\nTRUNK=IAX2/zone2\n[home]\nexten => 1001,hint,SIP/1001\nexten => 1001,1,Answer()\n\
                same => n(again),Dial(SIP/1001,30,r)\nexten => 7/1002,1,NoOp()\ninclude => away\nignorepat => 9\n\
                [away]\nexten => _9X.,1,Dial(${TRUNK}/${EXTEN:1})\n";
    let expected = "\
[ Context 'home' created by 'pbx_config' ]
  '1001' =>         hint: SIP/1001                                [extensions.conf:4]
                    1. Answer()                                   [extensions.conf:5]
     [again]        2. Dial(SIP/1001,30,r)                        [extensions.conf:6]
  '7' (CID match '1002') => 1. NoOp()                                     [extensions.conf:7]
  Include =>        'away'                                        [extensions.conf:8]
  Ignore pattern => '9'                                           [pbx_config]

[ Context 'away' created by 'pbx_config' ]
  '_9X.' =>         1. Dial(${TRUNK}/${EXTEN:1})                  [extensions.conf:11]

-= 3 extensions (5 priorities) in 2 contexts. =-";
    let (plan, problems) = crate::stage::read(text);
    let told = "hints are shown and nothing else, here and below: lines are not watched here";
    assert_eq!(problems, [format!("extensions.conf:4: warning: {told}")]);
    assert_eq!(plan.lines(None).join("\n"), expected);
    assert_eq!(plan.lines(Some("away")).last().unwrap(), "-= 1 extension (1 priority) in 1 context. =-");
    assert_eq!(plan.lines(Some("nowhere")), ["There is no existence of 'nowhere' context"]);
}
