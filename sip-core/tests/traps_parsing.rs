//! What went wrong in other stacks when they read messages and framed them.

use bytes::Bytes;
use sip_core::framing::{self, Frame, Stream};
use sip_core::header::HeaderName;
use sip_core::{ErrorKind, Limits, Message, ParseError, Part, Request};

const HEAD: &str = "INVITE sip:bob@example.com SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: <sip:a@h>;tag=1\r\n\
                    To: <sip:bob@example.com>\r\nCall-ID: c@h\r\nCSeq: 1 INVITE\r\n";

fn parse(bytes: impl Into<Bytes>) -> Result<Message, ParseError> {
    Message::parse(bytes.into(), &Limits::default())
}

fn with(headers_and_body: impl AsRef<[u8]>) -> Vec<u8> {
    [HEAD.as_bytes(), headers_and_body.as_ref()].concat()
}

fn request(headers_and_body: impl AsRef<[u8]>) -> Request {
    match parse(with(headers_and_body)).unwrap() {
        Message::Request(request) => request,
        Message::Response(_) => panic!("a response"),
    }
}

/// The error of a datagram, and that of the same bytes on a stream, which must be told that framing is lost.
fn refused_everywhere(headers_and_body: impl AsRef<[u8]>) -> ErrorKind {
    let bytes = with(headers_and_body);
    let mut stream = Stream::new(Limits::default());
    stream.push(&bytes);
    let lost = stream.next().unwrap_err();
    let error = parse(bytes).unwrap_err();
    assert_eq!(error.kind, lost.error.kind);
    assert_eq!(error.part, Part::Header(HeaderName::CONTENT_LENGTH));
    assert!(lost.answerable.is_some());
    stream.push(HEAD.as_bytes());
    assert!(stream.next().is_err(), "a stream whose framing is lost gives nothing more");
    error.kind
}

#[test]
fn a_space_before_the_colon_of_content_length_changes_nothing() {
    for written in ["Content-Length : 5", "l \t: 5", "CONTENT-LENGTH:5", "Content-Length:\r\n 5", "L :\t\r\n\t5 \r\n "]
    {
        let bytes = with(format!("{written}\r\n\r\nhello"));
        assert_eq!(&parse(bytes.clone()).unwrap().body()[..], b"hello", "{written}");
        let mut stream = Stream::new(Limits::default());
        stream.push(&bytes);
        stream.push(&bytes);
        for _ in 0..2 {
            let Some(Frame::Message(message)) = stream.next().unwrap() else { panic!("no message") };
            assert_eq!(&message.body()[..], b"hello");
        }
        assert_eq!(stream.buffered(), 0);
    }
}

#[test]
fn a_content_length_that_overflows_is_out_of_range() {
    for length in ["18446744073709551615", "18446744073709551616", "4294967296", "99999999999999999999999999"] {
        assert_eq!(refused_everywhere(format!("Content-Length: {length}\r\n\r\n")), ErrorKind::OutOfRange);
    }
}

#[test]
fn a_content_length_that_is_no_number_is_refused() {
    for length in ["-1", "-999", "+5", "5 5", "5,5", "0x5", "5;a=b", "", "\u{665}", "5\r\n 5"] {
        assert_eq!(refused_everywhere(format!("Content-Length: {length}\r\n\r\nhello")), ErrorKind::Syntax, "{length}");
    }
}

#[test]
fn two_content_lengths_are_refused_whether_they_agree_or_not() {
    for pair in ["Content-Length: 5\r\nContent-Length: 4", "l: 5\r\nContent-Length: 5", "Content-Length: 0\r\nl : 5"] {
        assert_eq!(refused_everywhere(format!("{pair}\r\n\r\nhello")), ErrorKind::Repeated);
    }
}

#[test]
fn a_content_length_larger_than_the_datagram_is_refused_and_on_a_stream_waited_for() {
    let bytes = with("Content-Length: 6\r\n\r\nhello");
    let error = parse(bytes.clone()).unwrap_err();
    assert_eq!((error.kind, error.part), (ErrorKind::Truncated, Part::Body));
    let mut stream = Stream::new(Limits::default());
    stream.push(&bytes);
    assert!(stream.next().unwrap().is_none());
    stream.push(b"!");
    assert!(matches!(stream.next().unwrap(), Some(Frame::Message(message)) if &message.body()[..] == b"hello!"));
}

#[test]
fn a_missing_content_length_is_the_rest_of_a_datagram_and_an_error_on_a_stream() {
    let bytes = with("\r\nhello");
    assert_eq!(&parse(bytes.clone()).unwrap().body()[..], b"hello");
    let mut stream = Stream::new(Limits::default());
    stream.push(&bytes);
    let lost = stream.next().unwrap_err();
    assert_eq!(lost.error.kind, ErrorKind::Missing);
    assert_eq!(lost.answerable.unwrap().headers().get(&HeaderName::CALL_ID).unwrap(), "c@h");
}

#[test]
fn one_byte_that_is_not_utf8_harms_no_other_header() {
    let request = request(b"Subject: \xff\xfe\x80 \xc3\r\nX-After: seen\r\nReason: \x01\x7f\r\n\r\n\xff\xff");
    let headers = request.headers();
    assert_eq!(&headers.get(&HeaderName::SUBJECT).unwrap()[..], b"\xff\xfe\x80 \xc3");
    assert_eq!(headers.get(&HeaderName::from_static("X-After")).unwrap(), "seen");
    assert_eq!(&headers.get(&HeaderName::REASON).unwrap()[..], b"\x01\x7f");
    assert_eq!(headers.get(&HeaderName::CALL_ID).unwrap(), "c@h");
    assert_eq!(&request.body()[..], b"\xff\xff");
}

#[test]
fn folding_is_read_anywhere() {
    let request = request(
        "Subject:\r\n I know you're\r\n \tthere,\r\n\t pick up \r\n \r\nX-Empty:\r\n \r\nRoute: <sip:a;lr>,\r\n <sip:b;lr>\r\n\r\n",
    );
    let headers = request.headers();
    assert_eq!(headers.get(&HeaderName::SUBJECT).unwrap(), "I know you're there, pick up");
    assert_eq!(headers.get(&HeaderName::from_static("x-empty")).unwrap(), "");
    assert_eq!(headers.get(&HeaderName::ROUTE).unwrap(), "<sip:a;lr>, <sip:b;lr>");
    assert_eq!(headers.len(), 8);
}

#[test]
fn only_space_and_tab_are_white_space() {
    let request = request("Subject: \x0c a\x0b\r\n \x0cb\x0c \r\nRoute:\r\n \x0c<sip:a>\x0c,\x0c<sip:b>\r\n\r\n");
    assert_eq!(request.headers().get(&HeaderName::SUBJECT).unwrap(), "\x0c a\x0b \x0cb\x0c");
    let mut edit = request.edit();
    edit.pop_front(&HeaderName::ROUTE);
    assert_eq!(edit.finish().headers().get(&HeaderName::ROUTE).unwrap(), "\x0c<sip:b>");
}

#[test]
fn compact_and_long_forms_are_one_name() {
    let request = request("v: SIP/2.0/TCP second\r\nVIA : SIP/2.0/TCP third\r\nm: <sip:c>\r\nContact: *\r\n\r\n");
    assert_eq!(request.headers().get_all(&HeaderName::VIA).count(), 3);
    assert_eq!(request.headers().get_all(&HeaderName::CONTACT).count(), 2);
}

#[test]
fn a_binary_body_survives_reading_and_writing() {
    let body = (0..=255_u8).chain(*b"\r\n\r\nINVITE").collect::<Vec<_>>();
    let bytes = with([format!("Content-Length: {}\r\n\r\n", body.len()).as_bytes(), &body].concat());
    let message = parse(bytes.clone()).unwrap();
    assert_eq!(message.body(), &body);
    assert_eq!(message.to_bytes(), bytes);
    let Message::Request(request) = message else { panic!("a response") };
    let mut edit = request.edit();
    edit.push_raw(&HeaderName::SUBJECT, b"x");
    assert_eq!(edit.finish().body(), &body);
}

#[test]
fn unknown_headers_survive_forwarding_byte_exact() {
    let odd = "X-Odd  :\t a ,b;;\"\\\"\"  \r\n\t<folded>  \r\nx-ODD:\r\nNewFangledHeader: \u{fffd}%00\0\r\n";
    let request = request(format!("{odd}Max-Forwards: 70\r\n\r\n"));
    let mut edit = request.edit();
    edit.replace_raw(&HeaderName::MAX_FORWARDS, b"69");
    edit.pop_front(&HeaderName::VIA);
    let out = edit.finish().to_bytes();
    let text = String::from_utf8(out.to_vec()).unwrap();
    assert!(text.contains(odd), "{text}");
    assert!(text.ends_with("Max-Forwards: 69\r\n\r\n"));
}

#[test]
fn what_removing_takes_away_is_what_reading_sees() {
    let name = HeaderName::from_static("X-Hdr");
    for written in ["X-Hdr :", "x-hdr\t:", "X-HDR:", "X-Hdr  \t :", "X-Hdr :\r\n "] {
        let request = request(format!("{written} secret\r\nX-Hdr2: stays\r\n\r\n"));
        assert_eq!(request.headers().get(&name).unwrap(), "secret", "{written}");
        let mut edit = request.edit();
        assert!(edit.remove(&name));
        assert!(!edit.contains(&name));
        let edited = edit.finish();
        assert!(!edited.headers().contains(&name));
        let text = String::from_utf8(edited.to_bytes().to_vec()).unwrap();
        assert!(!text.contains("secret") && text.contains("X-Hdr2: stays"), "{text}");
    }
    // What looks like a fold of the name is no header at all, so nobody may see one there.
    for written in ["X-Hdr\r\n :", "X-Hdr\0:", "X Hdr:", ":"] {
        assert!(parse(with(format!("{written} secret\r\n\r\n"))).is_err(), "{written:?}");
    }
}

#[test]
fn a_lone_cr_or_lf_ends_no_line_and_is_refused() {
    for rest in [
        "Subject: a\nX: b\r\n\r\n",
        "Subject: a\rX: b\r\n\r\n",
        "Subject: a\r\n\nbody",
        "Subject: a\r\n\rbody",
        "\n\r\n",
    ] {
        assert_eq!(parse(with(rest)).unwrap_err().kind, ErrorKind::Syntax, "{rest:?}");
    }
    let bare = HEAD.replace("\r\n", "\n");
    assert!(parse(format!("{bare}\n")).is_err());
}

#[test]
fn a_header_section_that_does_not_end_is_refused() {
    for rest in ["", "\r", "Subject: a", "Subject: a\r", "Subject: a\r\n", "Subject: a\r\n b", "S"] {
        assert!(parse(with(rest)).is_err(), "{rest:?}");
    }
}

#[test]
fn every_limit_holds_for_datagrams_streams_and_websocket_messages_alike() {
    let long = |bytes: Vec<u8>, limits: Limits, error: (ErrorKind, Part)| {
        let datagram = Message::parse(bytes.clone().into(), &limits).unwrap_err();
        assert_eq!((datagram.kind, datagram.part), error);
        let mut stream = Stream::new(limits);
        stream.push(&bytes);
        match stream.next() {
            Err(lost) => assert_eq!(lost.error.kind, error.0),
            Ok(Some(Frame::Bad { error: bad, .. })) => assert_eq!(bad.kind, error.0),
            other => panic!("{other:?}"),
        }
        match framing::websocket(bytes.into(), &limits) {
            Frame::Bad { error: bad, .. } => assert_eq!((bad.kind, bad.part), error),
            other => panic!("{other:?}"),
        }
    };
    let limits = Limits::default();
    let rest = "Content-Length: 5\r\nSubject: so long a line is only here\r\n\r\nhello";
    long(with(rest), Limits { message: 100, ..limits }, (ErrorKind::TooLarge, Part::Message));
    long(with(rest), Limits { headers: 5, ..limits }, (ErrorKind::TooLarge, Part::Message));
    long(with(rest), Limits { line: 35, ..limits }, (ErrorKind::TooLarge, Part::HeaderLine));
    long(with(rest), Limits { line: 16, ..limits }, (ErrorKind::TooLarge, Part::StartLine));
    long(with(rest), Limits { uri: 10, ..limits }, (ErrorKind::TooLarge, Part::RequestUri));
    long(with(rest), Limits { body: 4, ..limits }, (ErrorKind::TooLarge, Part::Body));
    let exact = Limits { message: with(rest).len(), headers: 7, line: 36, uri: 19, body: 5 };
    assert!(Message::parse(with(rest).into(), &exact).is_ok());
    assert!(matches!(framing::websocket(with(rest).into(), &exact), Frame::Message(_)));
    let mut stream = Stream::new(exact);
    stream.push(&with(rest));
    assert!(matches!(stream.next(), Ok(Some(Frame::Message(_)))));
    // One less of any of them is too little for each.
    long(with(rest), Limits { message: exact.message - 1, ..exact }, (ErrorKind::TooLarge, Part::Message));
    long(with(rest), Limits { headers: exact.headers - 1, ..exact }, (ErrorKind::TooLarge, Part::Message));
    long(with(rest), Limits { line: exact.line - 1, ..exact }, (ErrorKind::TooLarge, Part::HeaderLine));
    long(with(rest), Limits { uri: exact.uri - 1, ..exact }, (ErrorKind::TooLarge, Part::RequestUri));
    long(with(rest), Limits { body: exact.body - 1, ..exact }, (ErrorKind::TooLarge, Part::Body));
    let line = format!("Subject: {}\r\nContent-Length: 0\r\n\r\n", "a".repeat(65_000));
    long(with(line), Limits { message: 1 << 20, ..limits }, (ErrorKind::TooLarge, Part::HeaderLine));
}

#[test]
fn a_header_section_of_a_stream_that_never_ends_is_cut_off_at_the_limit() {
    let mut stream = Stream::new(Limits::default());
    stream.push(HEAD.as_bytes());
    let mut pushed = HEAD.len();
    loop {
        assert!(stream.buffered() <= 65_535 + 1_000);
        match stream.next() {
            Ok(None) => {}
            Ok(Some(_)) => panic!("there is no message"),
            Err(lost) => {
                assert_eq!(lost.error.kind, ErrorKind::TooLarge);
                assert!(lost.answerable.is_some());
                break;
            }
        }
        stream.push(&[b'a'; 1_000]);
        pushed += 1_000;
        assert!(pushed < 70_000);
    }
    assert_eq!(stream.buffered(), 0);
}

#[test]
fn a_stream_that_speaks_another_protocol_is_refused_at_its_first_byte() {
    for first in [&b"\x16\x03\x01"[..], b"\n", b"\0", b" INVITE", b"<xml", b"\xff"] {
        let mut stream = Stream::new(Limits::default());
        stream.push(first);
        assert!(stream.next().is_err(), "{first:?}");
    }
}

#[test]
fn a_bad_message_of_known_length_is_stepped_over_on_a_stream() {
    let mut stream = Stream::new(Limits::default());
    for start in ["INVITE sip:b SIP/7.0", "INVITE  sip:b SIP/2.0", "SIP/2.0 999 x", "rubbish"] {
        let rest = &HEAD[HEAD.find("\r\n").unwrap()..];
        stream.push(format!("{start}{rest}Content-Length: 3\r\n\r\nabc").as_bytes());
        stream.push(&with("Content-Length: 3\r\n\r\nabc"));
        let Some(Frame::Bad { error, answerable }) = stream.next().unwrap() else { panic!("{start} is bad") };
        assert!(matches!(error.part, Part::StartLine | Part::RequestUri));
        assert_eq!(answerable.is_some(), start.starts_with("INVITE"));
        assert!(matches!(stream.next().unwrap(), Some(Frame::Message(_))));
    }
    assert!(stream.next().unwrap().is_none());
}

#[test]
fn unknown_methods_and_other_uris_are_read() {
    for (line, method, uri) in [
        ("NEWMETHOD tel:+1-201-555-0123 SIP/2.0", "NEWMETHOD", "tel:+1-201-555-0123"),
        ("INVITE urn:service:sos SIP/2.0", "INVITE", "urn:service:sos"),
        ("INVITE sip:a%00;b=c;d@[2001:db8::1]:5060 SIP/2.0", "INVITE", "sip:a%00;b=c;d@[2001:db8::1]:5060"),
    ] {
        let Message::Request(request) = parse(format!("{line}\r\n\r\n")).unwrap() else { panic!("a response") };
        assert_eq!(request.method().to_string(), method);
        assert_eq!(request.uri_bytes(), uri.as_bytes());
    }
}

#[test]
fn a_message_too_broken_to_process_gives_what_an_answer_needs() {
    let limits = Limits::default();
    let broken = with("this is no header\r\nVia: SIP/2.0/UDP second\r\n\r\n");
    assert!(parse(broken.clone()).is_err());
    let answerable = Message::salvage(&broken.into(), &limits).unwrap();
    let response = answerable.respond(sip_core::StatusCode::BAD_REQUEST).build();
    assert_eq!(response.headers().get_all(&HeaderName::VIA).count(), 2);
    for name in [HeaderName::FROM, HeaderName::TO, HeaderName::CALL_ID, HeaderName::CSEQ] {
        assert_eq!(response.headers().get_all(&name).count(), 1, "{name}");
    }
    for unanswerable in [
        HEAD.replace("Call-ID", "X-Call-ID").into_bytes(),
        HEAD.replacen("INVITE", "ACK", 1).into_bytes(),
        HEAD.replacen("INVITE sip:bob@example.com SIP/2.0", "SIP/2.0 200 OK", 1).into_bytes(),
        b"".to_vec(),
        b"\r\n\r\n".to_vec(),
    ] {
        assert!(Message::salvage(&unanswerable.into(), &limits).is_none());
    }
}
