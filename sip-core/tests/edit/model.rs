//! What editing must come to, said the slow way; also the oracle of the fuzz target.

use bytes::{BufMut, Bytes};
use sip_core::header::{HeaderName, TypedHeader};
use sip_core::{Limits, Message, ParseError, Request};

/// A header whose lines may hold several values.
#[derive(Debug, Clone)]
pub(crate) struct Listed(pub(crate) String);

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
pub(crate) struct Own(pub(crate) String);

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
pub(crate) enum Step {
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
pub(crate) struct Line {
    pub(crate) name: HeaderName,
    pub(crate) value: String,
    pub(crate) raw: String,
}

#[derive(Debug, Clone)]
pub(crate) struct Model {
    pub(crate) uri: String,
    pub(crate) lines: Vec<Line>,
    pub(crate) body: Vec<u8>,
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
        let rest = line.value[first_comma(&line.value)? + 1..].trim_matches([' ', '\t', '\r', '\n']).to_owned();
        if rest.is_empty() { None } else { Some(rest) }
    }

    pub(crate) fn apply(&mut self, step: &Step) {
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

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut out = format!("MESSAGE {} SIP/2.0\r\n", self.uri);
        self.lines.iter().for_each(|line| out.push_str(&line.raw));
        out.push_str("\r\n");
        [out.as_bytes(), &self.body].concat()
    }
}

pub(crate) fn name(listed: bool) -> HeaderName {
    if listed { Listed::NAME } else { Own::NAME }
}

pub(crate) fn apply(request: &Request, steps: &[Step]) -> sip_core::Edit<Request> {
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

/// Applies the steps to the message and to the model, and compares everything that comes out.
pub(crate) fn check(mut model: Model, steps: &[Step]) {
    let Ok(Message::Request(request)) = Message::parse(model.bytes().into(), &Limits::default()) else {
        panic!("the model is no request")
    };
    let edit = apply(&request, steps);
    steps.iter().for_each(|step| model.apply(step));
    let expected = model.bytes();

    let mut written = Vec::new();
    edit.write(&mut written);
    assert_eq!(String::from_utf8_lossy(&written), String::from_utf8_lossy(&expected));
    assert_eq!(edit.encoded_len(), written.len());
    let sliced = edit.io_slices().iter().flat_map(|slice| slice.to_vec()).collect::<Vec<_>>();
    assert_eq!(sliced, written);

    // The index that is made without parsing is the one that parsing makes.
    let finished = edit.finish();
    assert_eq!(finished.to_bytes(), written);
    let limits = Limits { line: usize::MAX, uri: usize::MAX, ..Limits::default() };
    let Ok(Message::Request(parsed)) = Message::parse(written.into(), &limits) else {
        panic!("what was written is no request")
    };
    assert_eq!(finished.uri_bytes(), parsed.uri_bytes());
    assert_eq!(finished.method(), parsed.method());
    assert_eq!(finished.body(), parsed.body());
    assert_eq!(finished.headers().iter().collect::<Vec<_>>(), parsed.headers().iter().collect::<Vec<_>>());

    // And it can be edited again.
    let mut again = finished.edit();
    again.push_front(&Listed("x".to_owned()));
    again.remove(&Listed::NAME);
    model.lines.retain(|line| line.name != Listed::NAME);
    assert_eq!(again.finish().to_bytes(), model.bytes());
}
