//! A stream gives the same messages wherever its bytes were split.

use proptest::prelude::*;
use sip_core::framing::{Frame, FrameView, Stream};
use sip_core::{Limits, Message};

/// What came out, comparable.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Got {
    Message(Vec<u8>),
    Ping,
    Pong,
    Bad(String, bool),
    Lost(String),
}

fn drain(stream: &mut Stream, got: &mut Vec<Got>) {
    loop {
        match stream.next() {
            Ok(None) => return,
            Ok(Some(Frame::Message(message))) => got.push(Got::Message(message.to_bytes().to_vec())),
            Ok(Some(Frame::Ping)) => got.push(Got::Ping),
            Ok(Some(Frame::Pong)) => got.push(Got::Pong),
            Ok(Some(Frame::Bad { error, answerable })) => got.push(Got::Bad(error.to_string(), answerable.is_some())),
            Err(lost) => {
                if !matches!(got.last(), Some(Got::Lost(_))) {
                    got.push(Got::Lost(lost.error.to_string()));
                }
                return;
            }
        }
    }
}

/// The same, seen without being taken out.
fn drain_views(stream: &mut Stream, got: &mut Vec<Got>) {
    loop {
        match stream.next_view() {
            Ok(None) => return,
            Ok(Some(FrameView::Message(message))) => got.push(Got::Message(message.as_bytes().to_vec())),
            Ok(Some(FrameView::Ping)) => got.push(Got::Ping),
            Ok(Some(FrameView::Pong)) => got.push(Got::Pong),
            Ok(Some(FrameView::Bad { error, answerable })) => {
                got.push(Got::Bad(error.to_string(), answerable.is_some()));
            }
            Err(lost) => {
                if !matches!(got.last(), Some(Got::Lost(_))) {
                    got.push(Got::Lost(lost.error.to_string()));
                }
                return;
            }
        }
    }
}

fn whole(bytes: &[u8]) -> Vec<Got> {
    let (mut stream, mut got) = (Stream::new(Limits::default()), Vec::new());
    stream.push(bytes);
    drain(&mut stream, &mut got);
    got
}

fn split(bytes: &[u8], cuts: &[usize]) -> Vec<Got> {
    let (mut stream, mut got) = (Stream::new(Limits::default()), Vec::new());
    let mut from = 0;
    for cut in cuts {
        let to = (from + cut).min(bytes.len());
        stream.push(&bytes[from..to]);
        drain_views(&mut stream, &mut got);
        from = to;
    }
    stream.push(&bytes[from..]);
    drain_views(&mut stream, &mut got);
    got
}

const HEADERS: &str = "Via: SIP/2.0/TCP h;branch=z9hG4bK1\r\nf: <sip:a>;tag=1\r\nTo: <sip:b>\r\nCall-ID: c\r\n\
                       CSeq: 1 INFO\r\n";

fn body() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        Just(Vec::new()),
        Just(b"\r\n\r\nINFO sip:b SIP/2.0\r\n\r\n".to_vec()),
        proptest::collection::vec(any::<u8>(), 0..60),
    ]
}

/// A piece of a stream, and whether it is one message.
fn piece() -> impl Strategy<Value = Vec<u8>> {
    let message = (body(), 0..4_usize).prop_map(|(body, style)| {
        let length = ["Content-Length: ", "l:", "CONTENT-LENGTH \t:\r\n  ", "L : 000"][style];
        let head = format!("INFO sip:b SIP/2.0\r\n{HEADERS}{length}{}\r\n\r\n", body.len());
        [head.as_bytes(), &body].concat()
    });
    let bad = body().prop_map(|body| {
        let head = format!("INFO sip:b SIP/3.0\r\n{HEADERS}l: {}\r\n\r\n", body.len());
        [head.as_bytes(), &body].concat()
    });
    prop_oneof![8 => message, 1 => bad, 1 => Just(b"\r\n".to_vec()), 1 => Just(b"\r\n\r\n".to_vec())]
}

proptest! {
    #[test]
    fn the_same_frames_come_whatever_the_split(
        pieces in proptest::collection::vec(piece(), 0..6),
        cuts in proptest::collection::vec(0..80_usize, 0..40),
    ) {
        let bytes = pieces.concat();
        let expected = whole(&bytes);
        let messages = pieces.iter().filter(|piece| piece.starts_with(b"INFO sip:b SIP/2.0")).cloned();
        let got = expected.iter().filter_map(|got| match got {
            Got::Message(message) => Some(message.clone()),
            _ => None,
        });
        prop_assert_eq!(got.collect::<Vec<_>>(), messages.collect::<Vec<_>>());
        prop_assert_eq!(split(&bytes, &cuts), expected);
    }

    #[test]
    fn mutated_streams_fail_alike_whatever_the_split_and_never_panic(
        pieces in proptest::collection::vec(piece(), 1..4),
        mutations in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        cuts in proptest::collection::vec(0..80_usize, 0..40),
    ) {
        let mut bytes = pieces.concat();
        for (index, byte) in mutations {
            let at = index.index(bytes.len());
            bytes[at] = byte;
        }
        prop_assert_eq!(split(&bytes, &cuts), whole(&bytes));
    }

    #[test]
    fn any_bytes_are_read_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = whole(&bytes);
        let bytes = bytes::Bytes::from(bytes);
        let _ = Message::salvage(&bytes, &Limits::default());
        if let Ok(message) = Message::parse(bytes.clone(), &Limits::default()) {
            prop_assert!(bytes.ends_with(&message.to_bytes()) || bytes.len() > message.len());
        }
    }
}

#[test]
fn one_byte_at_a_time_gives_the_same_frames() {
    let one = format!("INFO sip:b SIP/2.0\r\n{HEADERS}Content-Length: 4\r\n\r\nbody");
    let bytes = format!("\r\n\r\n{one}\r\n{one}{one}\r\n\r\n\r\n");
    let expected = whole(bytes.as_bytes());
    assert_eq!(split(bytes.as_bytes(), &vec![1; bytes.len()]), expected);
    let message = Got::Message(one.into_bytes());
    let expect =
        [Got::Pong, Got::Ping, message.clone(), Got::Pong, message.clone(), message, Got::Pong, Got::Ping, Got::Pong];
    assert_eq!(expected, expect);
}
