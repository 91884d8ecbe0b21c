//! Multipart bodies and fragments: parts lie in the body in order and do not overlap; what is read is written back.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use sip_core::Limits;
use sip_core::body::{Bounds, Multipart, SipFragment};

/// A second, slow reading: lines that are a delimiter, by splitting at every line break.
fn naive(body: &[u8], boundary: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut lines = Vec::new();
    let mut rest = body;
    while let Some(at) = rest.windows(2).position(|pair| pair == b"\r\n") {
        lines.push((&rest[..at], true));
        rest = &rest[at + 2..];
    }
    lines.push((rest, false));
    let mut parts: Vec<Vec<u8>> = Vec::new();
    let mut open = false;
    let mut pieces: Vec<&[u8]> = Vec::new();
    for (line, broken) in lines {
        let mark = line.strip_prefix(b"--").and_then(|line| line.strip_prefix(boundary)).map(|tail| {
            let (last, tail) = tail.strip_prefix(b"--").map_or((false, tail), |tail| (true, tail));
            (last, tail.iter().all(|byte| matches!(byte, b' ' | b'\t')))
        });
        match mark {
            Some((last, true)) if broken || last => {
                if open {
                    parts.push(pieces.join(&b"\r\n"[..]));
                }
                if last {
                    return (!parts.is_empty()).then_some(parts);
                }
                open = true;
                pieces.clear();
            }
            _ => pieces.push(line),
        }
    }
    None
}

fuzz_target!(|data: &[u8]| {
    let mut pieces = data.splitn(2, |&byte| byte == b'\n');
    let boundary = pieces.next().unwrap_or_default();
    let body = Bytes::copy_from_slice(pieces.next().unwrap_or_default());
    let bounds = Bounds { parts: 16, depth: 3, ..Bounds::default() };
    let parsed = Multipart::parse(&body, boundary, &bounds);
    if parsed.is_err() && matches!(boundary, [.., b'!'..=b'~']) && boundary.len() <= 70 && !boundary.contains(&b'\r') {
        // Whatever the slow reading finds is read, unless there is too much of it or a part has headers, which may be none.
        let parts = naive(&body, boundary).unwrap_or_default();
        let plain = parts.iter().all(|part| part.starts_with(b"\r\n"));
        assert!(parts.is_empty() || parts.len() > bounds.parts || !plain, "refused: {parsed:?}");
    }
    if let Ok(multipart) = parsed {
        let mut end = 0;
        for part in multipart.parts() {
            let start = part.as_bytes().as_ptr() as usize - body.as_ptr() as usize;
            assert!(part.as_bytes().is_empty() || (start >= end && start + part.as_bytes().len() <= body.len()));
            end = end.max(start + part.as_bytes().len());
            assert!(part.as_bytes().ends_with(part.body()));
            let _ = multipart.nested(part);
        }
        let naive = naive(&body, boundary).expect("the slow reading finds the parts too");
        let read: Vec<_> = multipart.parts().iter().map(|part| part.as_bytes().to_vec()).collect();
        assert_eq!(read, naive);
        let written = Multipart::write(multipart.parts(), boundary).expect("what was read has no delimiter in it");
        let again = Multipart::parse(&written, boundary, &bounds).expect("what was written is read");
        assert_eq!(again.parts().iter().map(|part| part.as_bytes().to_vec()).collect::<Vec<_>>(), read);
        if let Some(sdp) = multipart.find("application", "sdp") {
            assert!(sdp.content_type().is_ok_and(|kind| kind.is("application", "sdp")));
        }
        let fresh = Multipart::boundary(multipart.parts(), "fuzz");
        assert!(Multipart::write(multipart.parts(), fresh.as_bytes()).is_ok());
    }
    if let Ok(fragment) = SipFragment::parse(&body, &Limits::default()) {
        if let Some(content) = fragment.body() {
            assert!(body.ends_with(content));
        }
        assert!(fragment.start().is_some() || !fragment.headers().is_empty() || fragment.body().is_some());
    }
});
