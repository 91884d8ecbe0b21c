//! The index against a plain second reading, borrowed values against shared ones, and everything that a message can be asked.
#![no_main]

#[path = "../../sip-core/tests/naive/mod.rs"]
mod naive;

#[path = "../../sip-core/tests/views/compare.rs"]
mod views;

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use sip_core::{Limits, Message, StatusCode};

fuzz_target!(|data: &[u8]| {
    let limits = Limits { headers: usize::MAX, line: usize::MAX, uri: usize::MAX, ..Limits::default() };
    views::compare(data);
    let bytes = Bytes::copy_from_slice(data);
    let naive = if data.len() <= limits.message { naive::read(data) } else { None };
    let salvaged = Message::salvage(&bytes, &limits);
    let parsed = Message::parse(bytes.clone(), &limits);
    let _ = Message::parse(bytes, &Limits { headers: 3, line: 40, uri: 20, body: 10, message: 300 });
    if let Some(salvaged) = salvaged {
        let response = salvaged.respond(StatusCode::BAD_REQUEST).to_tag(b"1").build();
        Message::parse(response.to_bytes(), &Limits { message: usize::MAX, line: usize::MAX, ..limits }).unwrap();
    }
    match (naive, parsed) {
        (None, Err(error)) => assert!(error.offset <= data.len()),
        (Some(naive), Ok(message)) => {
            let written = message.to_bytes();
            assert_eq!(written.len(), message.len());
            assert!(data[..naive.read].ends_with(&written));
            assert!(written.starts_with(&naive.first));
            let read = message
                .headers()
                .iter()
                .map(|header| (header.name.as_str().to_ascii_lowercase(), header.value.to_vec()));
            assert_eq!(read.collect::<Vec<_>>(), naive.headers);
            assert_eq!(message.body(), &naive.body);
            for (name, _) in &naive.headers {
                let wanted = naive.headers.iter().filter(|(other, _)| other == name).map(|(_, value)| value);
                let name = name.parse().unwrap();
                assert!(message.headers().get_all(&name).eq(wanted.cloned()));
            }
            let _ = message.headers().malformed();
            match &message {
                Message::Request(request) => {
                    let _ = (request.uri(), request.mandatory());
                    assert_eq!(request.edit().finish().to_bytes(), written);
                }
                Message::Response(response) => {
                    let _ = response.mandatory();
                    assert_eq!(response.edit().finish().to_bytes(), written);
                }
            }
        }
        (naive, parsed) => panic!("one reads it, the other does not: {naive:?} {parsed:?}"),
    }
});
