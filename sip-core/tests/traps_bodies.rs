//! What went wrong in other stacks when they read bodies: multipart, SDP, and lists that a peer makes as long as it likes.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

use bytes::Bytes;
use sip_core::body::{Bounds, Multipart};
use sip_core::header::{ContentType, ServiceRoute};
use sip_core::sdp::{self, Candidate, Crypto, IcePwd, Session};
use sip_core::{ErrorKind, Limits, Message};

const SDP: &str = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n";

fn session(lines: &str) -> Session {
    Session::parse(format!("{SDP}{lines}").as_bytes()).unwrap()
}

#[test]
fn a_boundary_of_a_multipart_body_is_as_long_as_the_rfc_allows_and_no_longer() {
    for (len, expected) in [(0, false), (1, true), (70, true), (71, false), (5_000, false)] {
        let boundary = "b".repeat(len);
        let body = Bytes::from(format!("--{boundary}\r\n\r\nx\r\n--{boundary}--\r\n"));
        assert_eq!(Multipart::parse(&body, boundary.as_bytes(), &Bounds::default()).is_ok(), expected, "{len}");
        let of: ContentType = format!("multipart/mixed;boundary=\"{boundary}\"").parse().unwrap();
        assert_eq!(Multipart::of(&of, &body, &Bounds::default()).is_ok(), expected, "{len}");
    }
}

#[test]
fn delimiters_of_a_multipart_body_in_any_order_end_the_reading_and_no_length_goes_below_zero() {
    const PIECES: [&str; 7] = ["--b", "--b--", "--b\r\n", "\r\n", "--", "b", " "];
    let mut read = 0;
    for number in 0..PIECES.len().pow(5) {
        let pieces = (0..5).map(|place| PIECES[number / PIECES.len().pow(place) % PIECES.len()]);
        let body = Bytes::from(pieces.collect::<String>());
        let Ok(multipart) = Multipart::parse(&body, b"b", &Bounds::default()) else { continue };
        let inside: usize = multipart.parts().iter().map(|part| part.as_bytes().len()).sum();
        assert!(inside < body.len(), "{body:?}");
        read += 1;
    }
    assert!(read > 10, "{read}");
}

#[test]
fn a_multipart_body_that_is_its_own_part_again_and_again_is_not_followed_for_ever() {
    // Each part announces another body with the same boundary, thousands deep.
    let part = "--b\r\nContent-Type: multipart/mixed;boundary=b\r\n\r\n\r\n";
    let body = Bytes::from(format!("{}--b--\r\n", part.repeat(1_000)));
    assert_eq!(Multipart::parse(&body, b"b", &Bounds::default()).unwrap_err().kind, ErrorKind::TooLarge);
    let body = Bytes::from(format!("{}--b--\r\n", part.repeat(60)));
    let multipart = Multipart::parse(&body, b"b", &Bounds::default()).unwrap();
    assert!(multipart.find("application", "sdp").is_none());
}

#[test]
fn payload_types_beyond_seven_bits_are_no_index_into_anything() {
    let formats = ["0", "127", "128", "255", "256", "65536", "4294967296", "18446744073709551616", "-1", "+1", "0x8"];
    let mut lines = format!("m=audio 4000 RTP/AVP {}\r\n", formats.join(" "));
    for format in formats {
        lines.push_str(&format!("a=rtpmap:{format} L16/8000\r\na=fmtp:{format} a=b\r\n"));
    }
    let session = session(&lines);
    let media = &session.media[0];
    assert_eq!(media.formats, formats);
    let payloads: Vec<u8> = media.codecs().map(|codec| codec.payload).collect();
    assert_eq!(payloads, [0, 127]);
    for format in &formats[2..] {
        assert_eq!(media.rtpmap(format), None, "{format}");
    }
}

#[test]
fn as_many_payload_types_as_the_limits_allow_are_read_and_one_more_is_refused() {
    let most = sdp::Limits::default().formats;
    let line = |count: usize| format!("{SDP}m=audio 4000 RTP/AVP{}\r\n", " 0".repeat(count));
    assert_eq!(Session::parse(line(most).as_bytes()).unwrap().media[0].codecs().count(), most);
    assert_eq!(Session::parse(line(most + 1).as_bytes()).unwrap_err().kind, ErrorKind::TooLarge);
}

#[test]
fn repeated_crypto_lines_candidates_and_ice_credentials_are_all_read_and_bounded() {
    let crypto = "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj\r\n";
    let candidate = "a=candidate:1 1 UDP 2130706431 192.0.2.1 8998 typ host\r\n";
    let password = "a=ice-ufrag:8hhY\r\na=ice-pwd:asd88fgpdd777uzjYhagZg\r\n";
    let lines = [crypto, candidate, password].map(|line| line.repeat(300)).concat();
    let session = session(&format!("m=audio 4000 RTP/SAVP 0\r\n{lines}"));
    let media = &session.media[0];
    assert_eq!(media.all::<Crypto>().count(), 300);
    assert_eq!(media.all::<Candidate>().count(), 300);
    assert_eq!(media.all::<IcePwd>().count(), 300);

    let more = format!("{SDP}m=audio 4000 RTP/SAVP 0\r\n{}", lines.repeat(2));
    assert_eq!(Session::parse(more.as_bytes()).unwrap_err().kind, ErrorKind::TooLarge);
}

#[test]
fn service_routes_repeated_and_joined_are_all_read_and_bounded_by_the_limits() {
    let line = format!("Service-Route: {}<sip:p;lr>\r\n", "<sip:p;lr>, ".repeat(99));
    let message = |lines: usize| {
        let bytes = format!("SIP/2.0 200 OK\r\n{}Content-Length: 0\r\n\r\n", line.repeat(lines));
        Message::parse(bytes.into(), &Limits::default())
    };
    let read = message(40).unwrap();
    assert_eq!(read.headers().all::<ServiceRoute>().map(Result::unwrap).count(), 4_000);
    assert_eq!(message(60).unwrap_err().kind, ErrorKind::TooLarge);
}

#[test]
fn numbers_of_a_description_at_the_ends_of_their_ranges_overflow_nothing() {
    for port in ["0", "65535", "65535/65535", "65535/4294967295", "1/0"] {
        let text = format!("{SDP}m=audio {port} RTP/AVP 0\r\nc=IN IP4 233.252.0.1/255/4294967295\r\na=rtcp:65535\r\n");
        let Ok(mut session) = Session::parse(text.as_bytes()) else { continue };
        assert_eq!(session.to_bytes(), text, "written as it was read");
        let _: Option<SocketAddr> = session.rtcp_address_of(&session.media[0]);
        assert!(session.set_relay(0, (Ipv4Addr::LOCALHOST, 65_535).into()));
        assert!(Session::parse(&session.to_bytes()).is_ok());
    }
    for port in ["65536", "-1", "4294967296"] {
        if let Ok(session) = Session::parse(format!("{SDP}m=audio {port} RTP/AVP 0\r\n").as_bytes()) {
            // Read at all, it opens no stream.
            assert!(session.media[0].is_rejected(), "{port}");
        }
    }
}

#[test]
fn bodies_that_this_crate_does_not_read_pass_through_it_whole() {
    // Presence and watcher information, where other parsers look for a bracket before its counterpart.
    for kind in ["application/pidf+xml", "application/watcherinfo+xml"] {
        let body = "></><presence\0>\r\n\r\n<";
        let text =
            format!("NOTIFY sip:a@h SIP/2.0\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        let message = Message::parse(text.clone().into(), &Limits::default()).unwrap();
        assert_eq!(message.body(), body);
        assert_eq!(message.to_bytes(), text);
    }
}

#[test]
fn the_messages_of_rfc_5118_are_those_with_crlf_and_a_content_length_that_is_right() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/torture/rfc5118");
    let mut seen = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let bytes = std::fs::read(&path).unwrap();
        let lone = (0..bytes.len()).find(|at| bytes[*at] == b'\n' && (*at == 0 || bytes[*at - 1] != b'\r'));
        assert_eq!(lone, None, "{}", path.display());
        let text = String::from_utf8(bytes).unwrap();
        let (headers, body) = text.split_once("\r\n\r\n").unwrap();
        let stated = headers.lines().find_map(|line| line.strip_prefix("Content-Length:")).unwrap();
        assert_eq!(stated.trim().parse::<usize>().unwrap(), body.len(), "{}", path.display());
        seen += 1;
    }
    assert_eq!(seen, 12);
}
