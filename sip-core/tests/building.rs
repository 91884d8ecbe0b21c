//! Requests and responses made from nothing and from a request.

use bytes::Bytes;
use sip_core::header::{CallId, Contact, From, HeaderName, MaxForwards, To, Via};
use sip_core::uri::{HostPort, Uri};
use sip_core::{Limits, Message, Method, Request, Response, StatusCode};

fn uri(text: &str) -> Uri {
    text.parse().unwrap()
}

fn request() -> Request {
    let from = From::new(uri("sip:alice@atlanta.example.com")).with_tag(b"88sja8x");
    let to = To::new(uri("sip:bob@biloxi.example.com"));
    let call_id = CallId(Bytes::from_static(b"987asjd97y7atg"));
    let contact: Contact = "<sip:alice@192.0.2.4>".parse().unwrap();
    Request::builder(Method::Invite, &uri("sip:bob@biloxi.example.com"), &from, &to, &call_id, 986759)
        .header(&contact)
        .raw(&HeaderName::SUBJECT, "lunch\r\nX-Smuggled: yes")
        .body("application/sdp", "v=0\r\n")
        .build()
}

#[test]
fn a_request_is_built_with_what_every_request_must_have() {
    let built = request();
    let expected = "INVITE sip:bob@biloxi.example.com SIP/2.0\r\n\
         Max-Forwards: 70\r\n\
         From: <sip:alice@atlanta.example.com>;tag=88sja8x\r\n\
         To: <sip:bob@biloxi.example.com>\r\n\
         Call-ID: 987asjd97y7atg\r\n\
         CSeq: 986759 INVITE\r\n\
         Contact: <sip:alice@192.0.2.4>\r\n\
         Subject: lunch  X-Smuggled: yes\r\n\
         Content-Type: application/sdp\r\n\
         Content-Length: 5\r\n\r\nv=0\r\n";
    assert_eq!(String::from_utf8_lossy(&built.to_bytes()), expected);
    let Message::Request(parsed) = Message::parse(built.to_bytes(), &Limits::default()).unwrap() else {
        panic!("a response")
    };
    assert_eq!(parsed.uri().unwrap(), built.uri().unwrap());
    assert_eq!(parsed.headers().iter().collect::<Vec<_>>(), built.headers().iter().collect::<Vec<_>>());
}

#[test]
fn a_built_request_becomes_complete_with_a_via() {
    let built = request();
    assert!(built.mandatory().is_err());
    let mut edit = built.edit();
    edit.push_front(&Via::new("UDP", "192.0.2.4:5060".parse::<HostPort>().unwrap(), b"z9hG4bK776"));
    let sent = edit.finish();
    assert_eq!(sent.headers().iter().next().unwrap().name, HeaderName::VIA);
    assert_eq!(sent.mandatory().unwrap().via.branch(), Some(&b"z9hG4bK776"[..]));
}

#[test]
fn what_may_be_there_once_is_replaced_and_content_length_is_never_written_twice() {
    let from = From::new(uri("sip:a@h")).with_tag(b"1");
    let to = To::new(uri("sip:b@h"));
    let built = Request::builder(Method::Options, &uri("sip:b@h"), &from, &to, &CallId("c".into()), 1)
        .header(&MaxForwards(3))
        .raw(&HeaderName::CONTENT_LENGTH, "999")
        .raw(&HeaderName::CALL_ID, "other")
        .build();
    assert_eq!(built.headers().get_all(&HeaderName::MAX_FORWARDS).collect::<Vec<_>>(), ["3"]);
    assert_eq!(built.headers().get_all(&HeaderName::CONTENT_LENGTH).collect::<Vec<_>>(), ["0"]);
    assert_eq!(built.headers().get_all(&HeaderName::CALL_ID).collect::<Vec<_>>(), ["other"]);
}

const RECEIVED: &str = "INVITE sip:bob@h SIP/2.0\r\n\
     v : SIP/2.0/UDP one;branch=z9hG4bK1 ,\r\n SIP/2.0/UDP two;branch=z9hG4bK2\r\n\
     Record-Route: <sip:p1;lr>\r\n\
     Subject: not copied\r\n\
     Via: SIP/2.0/TCP three;branch=z9hG4bK3\r\n\
     t: \"Bob;tag=no\" <sip:bob@h;tag=no>\r\n\
     From:   <sip:a@h>;tag=1\r\n\
     Timestamp: 54\r\n\
     CSEQ: 1 INVITE\r\n\
     i: c\r\n\
     record-route: <sip:p2;lr>\r\n\
     Content-Length: 4\r\n\r\nbody";

fn received() -> Request {
    match Message::parse(RECEIVED.into(), &Limits::default()).unwrap() {
        Message::Request(request) => request,
        Message::Response(_) => panic!("a response"),
    }
}

#[test]
fn a_response_copies_what_it_must_byte_for_byte_and_nothing_else() {
    let response = Response::to(&received(), StatusCode::OK).to_tag(b"8321").record_route().build();
    let expected = "SIP/2.0 200 OK\r\n\
         v : SIP/2.0/UDP one;branch=z9hG4bK1 ,\r\n SIP/2.0/UDP two;branch=z9hG4bK2\r\n\
         Via: SIP/2.0/TCP three;branch=z9hG4bK3\r\n\
         From:   <sip:a@h>;tag=1\r\n\
         t: \"Bob;tag=no\" <sip:bob@h;tag=no>;tag=8321\r\n\
         i: c\r\n\
         CSEQ: 1 INVITE\r\n\
         Record-Route: <sip:p1;lr>\r\n\
         record-route: <sip:p2;lr>\r\n\
         Content-Length: 0\r\n\r\n";
    assert_eq!(String::from_utf8_lossy(&response.to_bytes()), expected);
    let mandatory = response.mandatory().unwrap();
    assert_eq!(mandatory.to.tag(), Some(&b"8321"[..]));
    assert_eq!(response.headers().all::<Via>().count(), 3);
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(response.reason(), b"OK");
}

#[test]
fn a_to_tag_is_given_once() {
    let first = Response::to(&received(), StatusCode::RINGING).to_tag(b"1").to_tag(b"2").build();
    assert_eq!(first.mandatory().unwrap().to.tag(), Some(&b"1"[..]));
    let strange = Response::to(&received(), StatusCode::RINGING).to_tag(b"a\r\nb;c").build();
    assert_eq!(strange.mandatory().unwrap().to.tag(), Some(&b"abc"[..]));
}

#[test]
fn only_a_100_copies_the_timestamp() {
    let trying = Response::to(&received(), StatusCode::TRYING).build();
    assert_eq!(trying.headers().get(&HeaderName::TIMESTAMP).unwrap(), "54");
    let ringing = Response::to(&received(), StatusCode::RINGING).build();
    assert!(!ringing.headers().contains(&HeaderName::TIMESTAMP));
}

#[test]
fn a_response_has_the_reason_and_body_that_it_is_given() {
    let response = Response::to(&received(), StatusCode::SESSION_PROGRESS)
        .reason("Ça va\r\nX: y")
        .body("text/plain", &b"\xff\0"[..])
        .build();
    let Message::Response(parsed) = Message::parse(response.to_bytes(), &Limits::default()).unwrap() else {
        panic!("a request")
    };
    assert_eq!(parsed.reason(), "Ça va  X: y".as_bytes());
    assert_eq!(parsed.reason(), response.reason());
    assert_eq!(&parsed.body()[..], b"\xff\0");
    assert_eq!(parsed.headers().get(&HeaderName::CONTENT_TYPE).unwrap(), "text/plain");
    let mut edit = parsed.edit();
    edit.set_body(None, Bytes::new());
    let emptied = edit.finish();
    assert!(!emptied.headers().contains(&HeaderName::CONTENT_TYPE));
    assert_eq!(emptied.headers().get(&HeaderName::CONTENT_LENGTH).unwrap(), "0");
    assert_eq!(emptied.reason(), parsed.reason());
}

#[test]
fn a_request_uri_with_headers_is_refused() {
    let text = RECEIVED.replacen("sip:bob@h", "sip:bob@h?Route=%3Csip:evil%3E", 1);
    let Message::Request(request) = Message::parse(text.into(), &Limits::default()).unwrap() else {
        panic!("a response")
    };
    assert_eq!(request.uri().unwrap_err().status(), StatusCode::BAD_REQUEST);
    let mut edit = request.edit();
    edit.set_uri(&uri("sip:carol@i;x=y"));
    assert_eq!(edit.finish().uri().unwrap(), uri("sip:carol@i;x=y"));
}

#[test]
fn messages_and_values_can_be_kept_and_sent_to_another_thread() {
    fn kept<T: Clone + Send + Sync + 'static>() {}
    kept::<sip_core::Message>();
    kept::<sip_core::Edit<Request>>();
    kept::<sip_core::Edit<Response>>();
    kept::<sip_core::Mandatory>();
    kept::<sip_core::ParseError>();
    kept::<sip_core::uri::Uri>();
    kept::<sip_core::header::Via>();
    kept::<sip_core::auth::Credentials>();
    kept::<sip_core::body::Multipart>();
    kept::<sip_core::sdp::Session>();
    // What is taken out of a message outlives it.
    let request: Request = {
        let text = "BYE sip:bob@192.0.2.4 SIP/2.0\r\nFrom: <sip:alice@a.example>;tag=1\r\n\r\n";
        let Ok(sip_core::Message::Request(request)) =
            sip_core::Message::parse(text.into(), &sip_core::Limits::default())
        else {
            panic!("no request")
        };
        request
    };
    let from = request.headers().require::<sip_core::header::From>().unwrap();
    drop(request);
    let tag = std::thread::spawn(move || from.tag().map(<[u8]>::to_vec)).join().unwrap();
    assert_eq!(tag.as_deref(), Some(&b"1"[..]));
}
