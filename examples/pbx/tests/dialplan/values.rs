//! Variables, substrings, expressions and functions.

use crate::stage::{Stage, plan};

/// The value of a text in a channel that has some variables.
fn value(text: &str) -> String {
    let escaped = text.replace(';', "\\;");
    let source = format!(
        "[globals]\nTRUNK=IAX2/zone2\n[c]\nexten => 5551234,1,Set(NAME=VALUE)\n\
         same => n,Set(VALUE=deep)\nsame => n,Set(FIVE=5)\nsame => n,Set(LIST=a-b-c-d)\nsame => n,Set(ZERO=0)\n\
         same => n,Set(TEXT=hello world)\nsame => n,Set(RESULT={escaped})\nsame => n,Wait(1)\n"
    );
    let (plan, _) = crate::stage::read(&source);
    let mut stage = Stage::with(&plan, "c", "5551234", crate::stage::facts());
    assert_eq!(stage.after("begin"), "Wait 1s", "{text}");
    stage.variable("RESULT")
}

#[test]
fn variables_and_their_parts() {
    let cases = [
        ("${EXTEN}", "5551234"),
        ("${EXTEN:1}", "551234"),
        ("${EXTEN:0:3}", "555"),
        ("${EXTEN:3:2}", "12"),
        ("${EXTEN:-4}", "1234"),
        ("${EXTEN:-4:2}", "12"),
        ("${EXTEN:0:-4}", "555"),
        ("${EXTEN:2:-2}", "512"),
        ("${EXTEN:-20}", "5551234"),
        ("${EXTEN:20}", ""),
        ("${EXTEN:5:20}", "34"),
        ("${EXTEN:4:-5}", ""),
        ("${EXTEN:x}", "5551234"),
        ("a${FIVE}b${FIVE}c", "a5b5c"),
        ("${${NAME}}", "deep"),
        ("${${NAME}:1:2}", "ee"),
        ("${EXTEN:${FIVE}}", "34"),
        ("${NOTHING}", ""),
        ("${NOTHING:1}", ""),
        ("$5 and $", "$5 and $"),
        ("${TRUNK}/1", "IAX2/zone2/1"),
        ("${CONTEXT} ${PRIORITY} ${CHANNEL}", "c 7 SIP/1001-00000001"),
        ("${UNIQUEID}", "tandem-1700000000.1"),
        ("${EPOCH}", "1700000000"),
        ("${HANGUPCAUSE}", "0"),
        // What a value holds is not replaced again.
        ("${SET(X=\\${FIVE})}", "\\5"),
    ];
    for (text, expected) in cases {
        assert_eq!(value(text), expected, "{text}");
    }
}

#[test]
fn a_value_is_not_replaced_again() {
    let mut facts = crate::stage::facts();
    facts.caller.name = "${EXTEN}$[1+1]".to_owned();
    let plan = plan("[c]\nexten => 5,1,Set(R=${CALLERID(name)})\nsame => n,Wait(1)\n");
    let mut stage = Stage::with(&plan, "c", "5", facts);
    stage.after("begin");
    assert_eq!(stage.variable("R"), "${EXTEN}$[1+1]");
}

#[test]
fn expressions() {
    let cases = [
        // Arithmetic and its precedence.
        ("$[1+1]", "2"),
        ("$[ 2 + 8 / 2 ]", "6"),
        ("$[(2+8)/2]", "5"),
        ("$[(3+8)/2]", "5.5"),
        ("$[7 % 4]", "3"),
        ("$[2*3-4*5]", "-14"),
        ("$[10-2-3]", "5"),
        ("$[100/10/5]", "2"),
        ("$[3+ -4]", "-1"),
        ("$[- -4]", "4"),
        ("$[-(1+2)]", "-3"),
        ("$[0.1 + 0.2]", "0.3"),
        ("$[1/3]", "0.333333333333333"),
        ("$[9007199254740993 + 1]", "9007199254740994"),
        // What cannot be calculated.
        ("$[5/0]", "2147483647"),
        ("$[5%0]", "0"),
        ("$[5 + abc]", "5"),
        ("$[abc * 5]", "0"),
        ("$[abc - 5]", "-5"),
        // Comparison: numbers when both are, strings otherwise.
        ("$[10 > 9]", "1"),
        ("$[\"10\" > \"9\"]", "0"),
        ("$[007 = 7]", "1"),
        ("$[5 = 5.0]", "1"),
        ("$[abc = abc]", "1"),
        ("$[abc = \"abc\"]", "0"),
        ("$[\"a b\" = \"a b\"]", "1"),
        ("$[abc < abd]", "1"),
        ("$[abc != abd]", "1"),
        ("$[1 >= 1]", "1"),
        ("$[1 <= 0]", "0"),
        ("$[1 == 1]", "1"),
        ("$[${FIVE} > 3 & ${FIVE} < 9]", "1"),
        ("$[\"${NOTHING}\" = \"\"]", "1"),
        // And, or: values, not truths.
        ("$[3 | 4]", "3"),
        ("$[0 | 4]", "4"),
        ("$[0 | abc]", "abc"),
        ("$[3 & 4]", "3"),
        ("$[3 & 0]", "0"),
        ("$[0 || 1 && 0]", "0"),
        ("$[1 | 0 & 0]", "1"),
        // Not.
        ("$[!0]", "1"),
        ("$[!5]", "0"),
        ("$[!!5]", "1"),
        ("$[! abc]", "0"),
        ("$[!1 + 1]", "1"),
        // Choice.
        ("$[1 ? yes :: no]", "yes"),
        ("$[0 ? yes :: no]", "no"),
        ("$[${FIVE} > 3 ? 10 + 1 :: 20]", "11"),
        ("$[\"\" ? yes :: no]", "no"),
        ("$[1 ? 0 :: 5 ? a :: b]", "b"),
        // Regular expressions, from the documentation.
        ("$[\"One Thousand Five Hundred\" =~ \"(T[^ ]+)\"]", "Thousand"),
        ("$[\"One Thousand Five Hundred\" =~ \"T[^ ]+\"]", "8"),
        ("$[\"One Thousand Five Hundred\" : \"T[^ ]+\"]", "0"),
        ("$[\"8015551212\" : \"(...)\"]", "801"),
        ("$[\"3075551212\":\"...(...)\"]", "555"),
        ("$[! \"One Thousand Five Hundred\" =~ \"T[^ ]+\"]", "0"),
        ("$[!( \"One Thousand Five Hundred\" : \"T[^ ]+\" )]", "1"),
        ("$[\"abc\" : \"(x)\"]", ""),
        ("$[\"abc\" =~ \"(\"]", ""),
        ("$[\"abc\" ~~ \"def\"]", "abcdef"),
        ("$[12 ~~ 34]", "1234"),
        // Functions.
        ("$[TRUNC((3+8)/2)]", "5"),
        ("$[FLOOR(-2.5)]", "-3"),
        ("$[CEIL(2.5)]", "3"),
        ("$[ROUND(-2.5)]", "-3"),
        ("$[RINT(2.5)]", "2"),
        ("$[RINT(-3.5)]", "-4"),
        ("$[POW(2,10) + ABS(-4)]", "1028"),
        ("$[LEN(abcd) + 1]", "5"),
        // Nothing, and what is not understood.
        ("$[]", ""),
        ("$[ ]", ""),
        ("$[1 +]", "0"),
        ("$[1 2]", "0"),
        ("$[(1]", "0"),
        ("$[\"abc]", "0"),
        ("$[ = 1]", "0"),
        ("$[1 ? 2]", "0"),
        // In each other.
        ("$[$[1+1]*$[2+2]]", "8"),
        ("${EXTEN:$[1+2]}", "1234"),
        ("x$[${LEN(${TEXT})} - 1]y", "x10y"),
    ];
    for (text, expected) in cases {
        assert_eq!(value(text), expected, "{text}");
    }
}

#[test]
fn deep_expressions_end() {
    let deep = format!("$[{}1{}]", "(".repeat(3_000), ")".repeat(3_000));
    assert_eq!(value(&deep), "0");
    assert_eq!(value(&format!("$[{}1]", "!".repeat(4_000))), "0");
    let nested = format!("{}EXTEN{}", "${".repeat(500), "}".repeat(500));
    assert_eq!(value(&nested), "");
    assert_eq!(value(&format!("$[\"{}\" =~ \"(a*)*b\"]", "a".repeat(3_000))), "");
}

#[test]
fn functions() {
    let cases = [
        ("${CALLERID(num)}", "1001"),
        ("${CALLERID(number)}", "1001"),
        ("${CALLERID(name)}", "Alice"),
        ("${CALLERID(all)}", "\"Alice\" <1001>"),
        ("${CALLERID(num):-2}", "01"),
        ("${CALLERID(dnid)}", "5551234"),
        ("${CHANNEL(channeltype)}", "SIP"),
        ("${CHANNEL(peername)}", "1001"),
        ("${CHANNEL(name):0:3}", "SIP"),
        ("${CHANNEL(state)}", "Ring"),
        ("${LEN(${TEXT})}", "11"),
        ("${LEN()}", "0"),
        ("${IF($[${FIVE} > 3]?big:small)}", "big"),
        ("${IF(${ZERO}?big:small)}", "small"),
        ("${IF(1?\"a:b\":c)}", "a:b"),
        ("${IF(0?x)}", ""),
        ("${ISNULL(${NOTHING})}", "1"),
        ("${ISNULL(${FIVE})}", "0"),
        ("${EXISTS(${NOTHING})}", "0"),
        ("${EXISTS(${FIVE})}", "1"),
        ("${CUT(LIST,-,2)}", "b"),
        ("${CUT(LIST,,3)}", "c"),
        ("${CUT(LIST,-,2-)}", "b-c-d"),
        ("${CUT(LIST,-,-2)}", "a-b"),
        ("${CUT(LIST,-,1&3)}", "a-c"),
        ("${CUT(LIST,-,2-3)}", "b-c"),
        ("${CUT(LIST,-,9)}", ""),
        ("${CUT(CHANNEL,/,1)}", "SIP"),
        ("${FIELDQTY(LIST,-)}", "4"),
        ("${FIELDQTY(NOTHING,-)}", ""),
        ("${FIELDNUM(LIST,-,c)}", "3"),
        ("${REGEX(\"^5[0-9]+$\" ${EXTEN})}", "1"),
        ("${REGEX(\"[[:alpha:]]\" ${EXTEN})}", "0"),
        ("${TOUPPER(aBc1)}", "ABC1"),
        ("${TOLOWER(aBc1)}", "abc1"),
        ("${STRFTIME(1700000000,UTC,%Y-%m-%d %H:%M:%S)}", "2023-11-14 22:13:20"),
        ("${STRFTIME(,,%H:%M)}", "22:13"),
        ("${STRFTIME(${EPOCH},America/New_York,%H)}", "17"),
        ("${IFTIME(22:00-23:00,tue,*,*?in:out)}", "in"),
        ("${IFTIME(9:00-17:00,mon-fri,*,*?in:out)}", "out"),
        ("${RAND(4,4)}", "4"),
        ("${GLOBAL(TRUNK)}", "IAX2/zone2"),
        ("${SET(NEW=3)}${NEW}", "33"),
        ("${EVAL(${QUOTE(x)})}", "\"x\""),
        ("${FILTER(0-9,+49 (30) 12)}", "493012"),
        ("${FILTER(a-c,abcdef)}", "abc"),
        ("${REPLACE(LIST,-,_)}", "a_b_c_d"),
        ("${REPLACE(LIST,ab)}", "--c-d"),
        ("${STRREPLACE(TEXT,world,all)}", "hello all"),
        ("${MATH(5+3,int)}", "8"),
        ("${MATH(7/2)}", "3.500000"),
        ("${MATH(3>2)}", "TRUE"),
        ("${MIN(3,2)}${MAX(3,2)}", "23"),
        ("${TIMEOUT(digit)}", "5.000"),
        ("${DIALPLAN_EXISTS(c,5551234,1)}${DIALPLAN_EXISTS(c,7)}${DIALPLAN_EXISTS(d)}", "100"),
        ("${NOSUCH(1)}", ""),
        // Time zones exist where the machine has them.
        ("${STRFTIME(x,UTC,%Y)}", ""),
        ("${STRFTIME(0,UTC,%99999999d)}", ""),
    ];
    for (text, expected) in cases {
        assert_eq!(value(text), expected, "{text}");
    }
    let drawn: i64 = value("${RAND(10,19)}").parse().unwrap();
    assert!((10..20).contains(&drawn));
}

#[test]
fn callers_channels_and_globals_are_set_by_functions() {
    let text = "[c]\nexten => 5,1,Set(CALLERID(num)=2000)\nsame => n,Set(CALLERID(name)=Bob)\n\
                same => n,Set(GLOBAL(COUNT)=$[0${GLOBAL(COUNT)} + 1])\nsame => n,Set(CHANNEL(language)=de)\n\
                same => n,Set(TIMEOUT(response)=3.5)\nsame => n,MSet(A=1,B=2)\nsame => n,Set(A=)\n\
                same => n,Set(_DOWN=1)\nsame => n,Set(__ALL=2)\nsame => n,Wait(1)\nsame => n,Set(CALLERID(all)=\"Eve\" <7>)\n";
    let mut stage = Stage::new(text, "c", "5");
    assert_eq!(stage.after("begin"), "Wait 1s");
    let caller = &stage.thread.facts().caller;
    assert_eq!((caller.number.as_str(), caller.name.as_str()), ("2000", "Bob"));
    assert_eq!(stage.thread.facts().language, "de");
    assert_eq!(stage.world.global("COUNT"), Some("1"));
    assert_eq!((stage.variable("A"), stage.variable("B")), (String::new(), "2".to_owned()));
    let inherited = stage.thread.inherited();
    assert_eq!(inherited, [("__ALL".to_owned(), "2".to_owned()), ("DOWN".to_owned(), "1".to_owned())]);
    stage.after("timeout");
    assert_eq!(stage.thread.facts().caller.to_string(), "\"Eve\" <7>");
}

#[test]
fn a_channel_cannot_have_variables_without_end() {
    let text = "[c]\nexten => 5,1,Set(N=0)\nsame => n(next),Set(N=$[${N} + 1])\nsame => n,Set(V${N}=x)\n\
                same => n,GotoIf($[${N} < 1500]?next)\nsame => n,Wait(1)\n";
    let mut stage = Stage::new(text, "c", "5");
    assert_eq!(stage.after("begin"), "Wait 1s");
    assert_eq!((stage.variable("V900"), stage.variable("V1400")), ("x".to_owned(), String::new()));
}
