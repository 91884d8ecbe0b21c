//! Typed headers: a line is refused, or what is written for it is read and written to the same bytes.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use sip_core::header::{HeaderName, TYPED, canonical};
use sip_core::{Limits, Message};

fn check(name: &HeaderName, line: &Bytes) {
    let Some(Ok(once)) = canonical(name, line) else { return };
    assert!(!once.contains(&b'\r') && !once.contains(&b'\n'), "{name} {line:?} -> {once:?}");
    assert_eq!(canonical(name, &once), Some(Ok(once.clone())), "{name} {line:?}");
    // The same line within a message is the same value.
    if line.iter().any(|&byte| matches!(byte, b'\r' | b'\n')) || *name == HeaderName::CONTENT_LENGTH {
        return;
    }
    let head = format!("OPTIONS sip:a@b SIP/2.0\r\n{name}: ");
    let bytes = [head.as_bytes(), line, b"\r\nContent-Length: 0\r\n\r\n"].concat();
    if let Ok(message) = Message::parse(bytes.into(), &Limits::default()) {
        let value = message.headers().get(name).expect("the line is there");
        assert_eq!(canonical(name, &value), Some(Ok(once)), "{name} {line:?}");
    }
}

fuzz_target!(|data: &[u8]| {
    let Some((&number, line)) = data.split_first() else { return };
    let line = Bytes::copy_from_slice(line);
    match TYPED.get(usize::from(number)) {
        Some(name) => check(name, &line),
        None => TYPED.iter().for_each(|name| check(name, &line)),
    }
});
