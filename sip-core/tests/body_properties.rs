//! Properties of multipart bodies: read as a slow second reading does, written back as they were read.

use bytes::Bytes;
use proptest::collection::vec;
use proptest::prelude::*;
use sip_core::Limits;
use sip_core::body::{BodyPart, Bounds, Multipart, SipFragment};
use sip_core::header::{ContentType, HeaderName, MediaType};

/// A second reading: splits at every line break, and looks at every line.
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
        let tail = line.strip_prefix(b"--").and_then(|line| line.strip_prefix(boundary));
        let mark = tail.map(|tail| tail.strip_prefix(b"--").map_or((false, tail), |tail| (true, tail)));
        match mark {
            Some((last, space)) if (broken || last) && space.iter().all(|byte| b" \t".contains(byte)) => {
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

const PIECES: &[&str] = &[
    "--b",
    "--b",
    "--b\r\n",
    "--b--",
    "--b--\r\n",
    "\r\n",
    "\r\n",
    "\r\n\r\n",
    "-",
    "--",
    "b",
    "c",
    " ",
    "\t",
    "\r",
    "\n",
    "X: y\r\n",
    "--b\r\n\r\n",
    "Content-Type: multipart/mixed;boundary=b\r\n\r\n",
    "SIP/2.0 200 OK\r\n",
    "\0",
    "INVITE sip:a@b SIP/2.0\r\n",
];

fn read(multipart: &Multipart) -> Vec<Vec<u8>> {
    multipart.parts().iter().map(|part| part.as_bytes().to_vec()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn bodies_are_read_as_by_a_second_reading_and_written_back(pieces in vec(proptest::sample::select(PIECES), 0..16)) {
        let body = Bytes::from(pieces.concat());
        let bounds = Bounds { parts: 16, depth: 3, ..Bounds::default() };
        match Multipart::parse(&body, b"b", &bounds) {
            Ok(multipart) => {
                let parts = read(&multipart);
                prop_assert_eq!(Some(parts.clone()), naive(&body, b"b"));
                let written = Multipart::write(multipart.parts(), b"b").unwrap();
                prop_assert_eq!(&parts, &read(&Multipart::parse(&written, b"b", &bounds).unwrap()));
                for part in multipart.parts() {
                    prop_assert!(part.as_bytes().ends_with(part.body()));
                    let _ = multipart.nested(part);
                }
            }
            // Parts that the second reading finds have headers that are none.
            Err(_) => {
                let parts = naive(&body, b"b");
                let all_begin_empty = parts.is_some_and(|parts| parts.iter().all(|part| part.starts_with(b"\r\n")));
                prop_assert!(!all_begin_empty, "refused");
            }
        }
    }

    #[test]
    fn parts_of_any_bytes_survive_within_a_fresh_boundary(contents in vec(vec(any::<u8>(), 0..60), 1..6), seed in "[a-z]{0,5}") {
        let parts: Vec<_> = contents
            .iter()
            .map(|content| {
                let kind = ContentType(MediaType::from_static("application", "octet-stream"));
                BodyPart::new(&kind, &[(HeaderName::CONTENT_ID, content)], content)
            })
            .collect();
        let boundary = Multipart::boundary(&parts, &seed);
        let body = Multipart::write(&parts, boundary.as_bytes()).unwrap();
        let again = Multipart::parse(&body, boundary.as_bytes(), &Bounds::default()).unwrap();
        prop_assert_eq!(again.parts().iter().map(|part| part.body().to_vec()).collect::<Vec<_>>(), contents);
        prop_assert!(again.parts().iter().all(|part| part.headers().len() == 2));
    }

    #[test]
    fn fragments_of_any_pieces_are_read_or_refused(pieces in vec(proptest::sample::select(PIECES), 0..8)) {
        let body = Bytes::from(pieces.concat());
        if let Ok(fragment) = SipFragment::parse(&body, &Limits::default()) {
            prop_assert!(fragment.body().is_none_or(|content| body.ends_with(content)));
            prop_assert!(fragment.start().is_some() || !fragment.headers().is_empty() || fragment.body().is_some());
        }
    }
}
