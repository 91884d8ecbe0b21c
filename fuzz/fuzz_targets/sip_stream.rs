//! A stream gives the same frames whatever its split, and every message on it is one alone, too.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sip_core::framing::{Frame, Stream};
use sip_core::{Limits, Message};

#[derive(Debug, PartialEq, Eq)]
enum Got {
    Message(Vec<u8>),
    Ping,
    Pong,
    Bad(String, bool),
    Lost(String, bool),
}

fn drain(stream: &mut Stream, got: &mut Vec<Got>) {
    while !matches!(got.last(), Some(Got::Lost(..))) {
        match stream.next() {
            Ok(None) => return,
            Ok(Some(Frame::Message(message))) => got.push(Got::Message(message.to_bytes().to_vec())),
            Ok(Some(Frame::Ping)) => got.push(Got::Ping),
            Ok(Some(Frame::Pong)) => got.push(Got::Pong),
            Ok(Some(Frame::Bad { error, answerable })) => got.push(Got::Bad(error.to_string(), answerable.is_some())),
            Err(lost) => got.push(Got::Lost(lost.error.to_string(), lost.answerable.is_some())),
        }
    }
}

fuzz_target!(|input: (Vec<u8>, &[u8])| {
    let (cuts, bytes) = input;
    let limits = Limits { message: 4_000, body: 1_000, ..Limits::default() };
    let (mut stream, mut whole) = (Stream::new(limits), Vec::new());
    stream.push(bytes);
    drain(&mut stream, &mut whole);

    let (mut stream, mut split) = (Stream::new(limits), Vec::new());
    let mut rest = bytes;
    for cut in cuts {
        let (piece, left) = rest.split_at(usize::from(cut).min(rest.len()));
        rest = left;
        stream.push(piece);
        drain(&mut stream, &mut split);
        assert!(stream.buffered() <= limits.message + 255);
    }
    stream.push(rest);
    drain(&mut stream, &mut split);
    // What an answer needs may come later than what is wrong.
    let comparable = |got: &mut Vec<Got>| {
        if let Some(Got::Lost(_, answerable)) = got.last_mut() {
            *answerable = false;
        }
    };
    comparable(&mut whole);
    comparable(&mut split);
    assert_eq!(whole, split);

    for got in whole {
        if let Got::Message(message) = got {
            let alone = Message::parse(message.clone().into(), &limits).unwrap();
            assert_eq!(alone.to_bytes(), message);
        }
    }
});
