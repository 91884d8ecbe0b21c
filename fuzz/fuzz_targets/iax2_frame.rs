//! Any datagram: what parses encodes to itself.
#![no_main]

use iax2::Frame;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if let Ok(frame) = Frame::parse(data) {
        let mut out = Vec::new();
        frame.encode(&mut out);
        assert_eq!(out, data);
        assert_eq!(out.len(), frame.encoded_len());
    }
});
