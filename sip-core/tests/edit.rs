//! An edited message is what a plain model of its lines says, byte for byte.

#[path = "edit/model.rs"]
mod model;

use model::{Line, Model, Step};
use proptest::prelude::*;
use sip_core::header::HeaderName;

/// Values with everything that may confuse: commas, quotes, brackets, and line ends that must not survive.
fn value() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z<>\",;\\\\ \u{c}\u{b}]{0,12}",
        Just("<sip:a;lr>".to_owned()),
        Just("<sip:a,b>, \"x, y\" <sip:c>".to_owned()),
        Just("x\r\nVia: smuggled\r\n\r\n".to_owned()),
        "[a-z]{200,300}",
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (any::<bool>(), value()).prop_map(|(listed, value)| Step::PushFront(listed, value)),
        (any::<bool>(), value()).prop_map(|(listed, value)| Step::PushBack(listed, value)),
        (any::<bool>(), value()).prop_map(|(listed, value)| Step::PushRaw(listed, value)),
        (any::<bool>(), value()).prop_map(|(listed, value)| Step::Replace(listed, value)),
        (any::<bool>(), value()).prop_map(|(listed, value)| Step::ReplaceFirst(listed, value)),
        any::<bool>().prop_map(Step::PopFront),
        any::<bool>().prop_map(Step::PopFront),
        any::<bool>().prop_map(Step::Remove),
        (proptest::option::of("[a-z]{1,4}/[a-z]{1,4}"), proptest::collection::vec(any::<u8>(), 0..40))
            .prop_map(|(content_type, body)| Step::Body(content_type, body)),
        Just(Step::EnsureLength),
        "sip:[a-z \r\n]{1,9}".prop_map(Step::Uri),
    ]
}

/// An original line: its name, how it is written before the value, and the value.
fn original() -> impl Strategy<Value = Line> {
    let names = prop_oneof![
        Just("Route"),
        Just("ROUTE"),
        Just("X-Own"),
        Just("x-oWN"),
        Just("Subject"),
        Just("s"),
        Just("X-Other")
    ];
    let values = prop_oneof![
        "[a-z<>\",;\\\\ \u{c}\u{b}]{0,12}",
        Just("<sip:a;lr>,<sip:b;lr> , <sip:c>".to_owned()),
        Just("<sip:a>,\r\n <sip:b>,\r\n\t<sip:c>".to_owned()),
    ];
    (names, "[ \t]{0,2}:[ \t]{0,2}", values, "[ \t]{0,2}").prop_map(|(name, colon, value, end)| {
        let raw = format!("{name}{colon}{value}{end}\r\n");
        let value = value.trim_matches([' ', '\t', '\r', '\n']).to_owned();
        Line { name: HeaderName::parse(name.as_bytes()).unwrap(), value, raw }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn an_edited_message_is_what_the_model_says(
        lines in proptest::collection::vec(original(), 0..8),
        body in proptest::option::of("[a-z]{0,9}"),
        steps in proptest::collection::vec(step(), 0..10),
    ) {
        let mut model = Model { uri: "sip:b".to_owned(), lines, body: body.clone().unwrap_or_default().into_bytes() };
        if let Some(body) = &body {
            let raw = format!("l :{}\r\n", body.len());
            model.lines.push(Line { name: HeaderName::CONTENT_LENGTH, value: body.len().to_string(), raw });
        }
        model::check(model, &steps);
    }
}
