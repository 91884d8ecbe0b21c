//! An edited message is what a plain model of its lines says, byte for byte.

use bytes::{BufMut, Bytes};
use proptest::prelude::*;
use sip_core::header::{HeaderName, TypedHeader};
use sip_core::{Limits, Message, ParseError, Request};

/// A header whose lines may hold several values.
#[derive(Debug, Clone)]
struct Listed(String);

impl TypedHeader for Listed {
    const NAME: HeaderName = HeaderName::ROUTE;
    const LIST: bool = true;

    fn parse(value: &Bytes) -> Result<Self, ParseError> {
        Ok(Self(String::from_utf8_lossy(value).into_owned()))
    }

    fn encode(&self, out: &mut impl BufMut) {
        out.put_slice(self.0.as_bytes());
    }
}

/// A header of one's own, whose commas mean nothing.
#[derive(Debug, Clone)]
struct Own(String);

impl TypedHeader for Own {
    const NAME: HeaderName = HeaderName::from_static("X-Own");
    const LIST: bool = false;

    fn parse(value: &Bytes) -> Result<Self, ParseError> {
        Ok(Self(String::from_utf8_lossy(value).into_owned()))
    }

    fn encode(&self, out: &mut impl BufMut) {
        out.put_slice(self.0.as_bytes());
    }
}

#[derive(Debug, Clone)]
enum Step {
    PushFront(bool, String),
    PushBack(bool, String),
    PushRaw(bool, String),
    Replace(bool, String),
    ReplaceFirst(bool, String),
    PopFront(bool),
    Remove(bool),
    Body(Option<String>, Vec<u8>),
    EnsureLength,
    Uri(String),
}

/// A line of the model: its name, its raw value and everything that is written for it.
#[derive(Debug, Clone)]
struct Line {
    name: HeaderName,
    value: String,
    raw: String,
}

#[derive(Debug, Clone)]
struct Model {
    uri: String,
    lines: Vec<Line>,
    body: Vec<u8>,
}

/// The first comma outside of quotes and brackets, counted the slow way.
fn first_comma(value: &str) -> Option<usize> {
    (0..value.len()).filter(|at| value.as_bytes()[*at] == b',').find(|at| {
        let (mut quoted, mut bracketed, mut skip) = (false, false, false);
        for byte in value[..*at].bytes() {
            if skip {
                skip = false;
            } else if quoted {
                skip = byte == b'\\';
                quoted = byte != b'"';
            } else if bracketed {
                bracketed = byte != b'>';
            } else {
                quoted = byte == b'"';
                bracketed = byte == b'<';
            }
        }
        !quoted && !bracketed
    })
}

impl Model {
    fn line(name: &HeaderName, value: &str) -> Line {
        let value = value.replace(['\r', '\n'], " ").trim_end_matches([' ', '\t']).to_owned();
        let raw = format!("{name}: {value}\r\n");
        Line { name: name.clone(), value: value.trim_matches([' ', '\t']).to_owned(), raw }
    }

    fn position(&self, name: &HeaderName) -> Option<usize> {
        self.lines.iter().position(|line| line.name == *name)
    }

    fn replace(&mut self, name: &HeaderName, value: &str) {
        let line = Self::line(name, value);
        match self.position(name) {
            Some(at) => {
                self.lines.retain({
                    let mut number = 0;
                    move |line| {
                        number += 1;
                        line.name != *name || number - 1 == at
                    }
                });
                self.lines[at] = line;
            }
            None => self.lines.push(line),
        }
    }

    /// What stays of a line without its first value.
    fn rest(&self, at: usize) -> Option<String> {
        let line = &self.lines[at];
        if line.name != HeaderName::ROUTE {
            return None;
        }
        let rest = line.value[first_comma(&line.value)? + 1..].trim_ascii().to_owned();
        if rest.is_empty() { None } else { Some(rest) }
    }

    fn apply(&mut self, step: &Step) {
        match step {
            Step::PushFront(listed, value) => {
                let at = self.position(&name(*listed)).unwrap_or(0);
                self.lines.insert(at, Self::line(&name(*listed), value));
            }
            Step::PushBack(listed, value) => {
                let last = self.lines.iter().rposition(|line| line.name == name(*listed));
                let at = last.map_or(self.lines.len(), |last| last + 1);
                self.lines.insert(at, Self::line(&name(*listed), value));
            }
            Step::PushRaw(listed, value) => self.lines.push(Self::line(&name(*listed), value)),
            Step::Replace(listed, value) => self.replace(&name(*listed), value),
            Step::ReplaceFirst(listed, value) => match self.position(&name(*listed)) {
                Some(at) => {
                    let value = self.rest(at).map_or(value.clone(), |rest| format!("{value}, {rest}"));
                    self.lines[at] = Self::line(&name(*listed), &value);
                }
                None => self.lines.push(Self::line(&name(*listed), value)),
            },
            Step::PopFront(listed) => {
                if let Some(at) = self.position(&name(*listed)) {
                    match self.rest(at) {
                        Some(rest) => self.lines[at] = Self::line(&name(*listed), &rest),
                        None => {
                            self.lines.remove(at);
                        }
                    }
                }
            }
            Step::Remove(listed) => self.lines.retain(|line| line.name != name(*listed)),
            Step::Body(content_type, body) => {
                match content_type {
                    Some(content_type) => self.replace(&HeaderName::CONTENT_TYPE, content_type),
                    None if body.is_empty() => self.lines.retain(|line| line.name != HeaderName::CONTENT_TYPE),
                    None => {}
                }
                self.body = body.clone();
                self.replace(&HeaderName::CONTENT_LENGTH, &body.len().to_string());
            }
            Step::EnsureLength => {
                if self.position(&HeaderName::CONTENT_LENGTH).is_none() {
                    self.lines.push(Self::line(&HeaderName::CONTENT_LENGTH, &self.body.len().to_string()));
                }
            }
            Step::Uri(uri) => self.uri = uri.replace(' ', "%20").replace('\r', "%0D").replace('\n', "%0A"),
        }
    }

    fn bytes(&self) -> Vec<u8> {
        let mut out = format!("MESSAGE {} SIP/2.0\r\n", self.uri);
        self.lines.iter().for_each(|line| out.push_str(&line.raw));
        out.push_str("\r\n");
        [out.as_bytes(), &self.body].concat()
    }
}

fn name(listed: bool) -> HeaderName {
    if listed { Listed::NAME } else { Own::NAME }
}

fn apply(request: &Request, steps: &[Step]) -> sip_core::Edit<Request> {
    let mut edit = request.edit();
    for step in steps {
        macro_rules! both {
            ($method:ident, $listed:expr, $value:expr) => {
                if *$listed { edit.$method(&Listed($value.clone())) } else { edit.$method(&Own($value.clone())) }
            };
        }
        match step {
            Step::PushFront(listed, value) => both!(push_front, listed, value),
            Step::PushBack(listed, value) => both!(push_back, listed, value),
            Step::PushRaw(listed, value) => edit.push_raw(&name(*listed), value.as_bytes()),
            Step::Replace(listed, value) => both!(replace, listed, value),
            Step::ReplaceFirst(listed, value) => both!(replace_first, listed, value),
            Step::PopFront(listed) => {
                let was = edit.contains(&name(*listed));
                assert_eq!(edit.pop_front(&name(*listed)), was);
            }
            Step::Remove(listed) => {
                let was = edit.contains(&name(*listed));
                assert_eq!(edit.remove(&name(*listed)), was);
            }
            Step::Body(content_type, body) => edit.set_body(content_type.as_deref(), body.clone().into()),
            Step::EnsureLength => edit.ensure_content_length(),
            Step::Uri(uri) => edit.set_uri_bytes(uri.as_bytes()),
        }
    }
    edit
}

/// Values with everything that may confuse: commas, quotes, brackets, and line ends that must not survive.
fn value() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z<>\",;\\\\ ]{0,12}",
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
        "[a-z<>\",;\\\\ ]{0,12}",
        Just("<sip:a;lr>,<sip:b;lr> , <sip:c>".to_owned()),
        Just("<sip:a>,\r\n <sip:b>,\r\n\t<sip:c>".to_owned()),
    ];
    (names, "[ \t]{0,2}:[ \t]{0,2}", values, "[ \t]{0,2}").prop_map(|(name, colon, value, end)| {
        let raw = format!("{name}{colon}{value}{end}\r\n");
        let value = value.trim_ascii().to_owned();
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
        let Message::Request(request) = Message::parse(model.bytes().into(), &Limits::default()).unwrap() else {
            panic!("a response")
        };
        let edit = apply(&request, &steps);
        steps.iter().for_each(|step| model.apply(step));

        let mut written = Vec::new();
        edit.write(&mut written);
        let expected = model.bytes();
        prop_assert_eq!(String::from_utf8_lossy(&written), String::from_utf8_lossy(&expected));
        prop_assert_eq!(edit.encoded_len(), written.len());
        let sliced = edit.io_slices().iter().flat_map(|slice| slice.to_vec()).collect::<Vec<_>>();
        prop_assert_eq!(&sliced, &written);

        // The index that is made without parsing is the one that parsing makes.
        let finished = edit.finish();
        prop_assert_eq!(&finished.to_bytes(), &written);
        let limits = Limits { line: usize::MAX, ..Limits::default() };
        let Message::Request(parsed) = Message::parse(written.into(), &limits).unwrap() else { panic!("a response") };
        prop_assert_eq!(finished.uri_bytes(), parsed.uri_bytes());
        prop_assert_eq!(finished.method(), parsed.method());
        prop_assert_eq!(finished.body(), parsed.body());
        prop_assert_eq!(finished.headers().iter().collect::<Vec<_>>(), parsed.headers().iter().collect::<Vec<_>>());
        // And it can be edited again.
        let mut again = finished.edit();
        again.push_front(&Listed("x".to_owned()));
        again.remove(&Listed::NAME);
        let mut expected = model.clone();
        expected.lines.retain(|line| line.name != Listed::NAME);
        prop_assert_eq!(again.finish().to_bytes(), expected.bytes());
    }
}
