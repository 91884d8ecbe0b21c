//! What went wrong in other stacks when they read the values of headers.

use bytes::Bytes;
use sip_core::header::{
    CallId, Contact, ContentLength, Diversion, From, HeaderName, HistoryInfo, NameAddr, RecordRoute, ReferTo,
    ReferredBy, Replaces, Route, ServiceRoute, To, TypedHeader, Via,
};
use sip_core::uri::{Host, Uri};
use sip_core::{Limits, Message, Request};

fn request(lines: impl AsRef<[u8]>) -> Request {
    let bytes = [b"INVITE sip:b@h SIP/2.0\r\n", lines.as_ref(), b"\r\n"].concat();
    match Message::parse(bytes.into(), &Limits::default()).unwrap() {
        Message::Request(request) => request,
        Message::Response(_) => panic!("a response"),
    }
}

#[test]
fn a_closing_bracket_before_an_opening_one_is_refused_without_a_panic() {
    fn refuse<H: TypedHeader>() {
        for value in
            [">a<", "a> <sip:b", "> <", "\"a\" >sip:b@c<", "<>", "<", ">", "\"", "\"\\", "<sip:b@c", "sip:b@c>"]
        {
            let value = Bytes::from_static(value.as_bytes());
            assert!(H::parse(&value).is_err(), "{} {value:?}", H::NAME);
        }
    }
    refuse::<From>();
    refuse::<To>();
    refuse::<Contact>();
    refuse::<Route>();
    refuse::<RecordRoute>();
    refuse::<ServiceRoute>();
    refuse::<ReferTo>();
    refuse::<ReferredBy>();
    refuse::<Diversion>();
    refuse::<HistoryInfo>();
}

#[test]
fn one_byte_that_is_not_utf8_stays_in_its_header() {
    let lines = b"From: \"\xff\xfe\" <sip:a@h>;tag=1\r\nTo: <sip:b@h>\r\nCall-ID: c\r\nCSeq: 1 INVITE\r\nVia: SIP/2.0/UDP h\r\n";
    let mandatory = request(lines).mandatory().unwrap();
    assert_eq!(mandatory.from.tag(), Some(&b"1"[..]));
    assert_eq!(mandatory.from.name_addr.display.as_deref(), Some(&b"\xff\xfe"[..]));
}

#[test]
fn folding_is_read_within_any_value() {
    let request = request(
        "v:\r\n SIP / 2.0\r\n / UDP\r\n h\r\n ;branch\r\n =\r\n z9hG4bK1\r\n ,\r\n SIP/2.0/TCP i\r\nf:\r\n \"a\r\n b\"\r\n <sip:a@h>\r\n ;\r\n tag=1\r\n\
         To: <sip:b@h>\r\nCall-ID:\r\n c\r\nCSeq: 1\r\n  INVITE\r\nContent-Length:\r\n\t0\r\n",
    );
    let mandatory = request.mandatory().unwrap();
    assert_eq!(mandatory.via.branch(), Some(&b"z9hG4bK1"[..]));
    assert_eq!(mandatory.from.tag(), Some(&b"1"[..]));
    assert_eq!(mandatory.from.name_addr.display.as_deref(), Some(&b"a b"[..]));
    assert_eq!(request.headers().all::<Via>().map(Result::unwrap).count(), 2);
    assert_eq!(request.headers().require::<ContentLength>().unwrap(), ContentLength(0));
}

#[test]
fn compact_long_repeated_and_joined_headers_are_read_alike() {
    let request = request(
        "Contact: <sip:a,b@h>, \"x, y\" <sip:c@h>\r\nm: *\r\nM : sip:d@h;q=0.5\r\nCONTACT:<sip:e@h>;p=\"<,>\"\r\n",
    );
    let contacts = request.headers().all::<Contact>().map(Result::unwrap).collect::<Vec<_>>();
    assert_eq!(contacts.len(), 5);
    assert!(matches!(contacts[2], Contact::Star));
}

#[test]
fn a_semicolon_in_the_user_part_begins_no_parameter() {
    let uri: Uri = "sip:user;par=u%40example.net@example.com;transport=tcp".parse().unwrap();
    let uri = uri.as_sip().unwrap();
    assert_eq!(uri.user.as_deref(), Some(&b"user;par=u%40example.net"[..]));
    assert_eq!(uri.user_text().as_deref(), Some(&b"user;par=u@example.net"[..]));
    assert_eq!(uri.transport(), Some(&b"tcp"[..]));
    assert_eq!(uri.params.iter().count(), 1);
}

#[test]
fn quoted_parameters_hold_what_otherwise_separates() {
    let request = request("Contact: <sip:a@h>;x=\";,>\";y=\"\\\"<\";expires=7, <sip:b@h>\r\n");
    let contacts = request.headers().all::<Contact>().map(Result::unwrap).collect::<Vec<_>>();
    assert_eq!(contacts.len(), 2);
    let Contact::Address { name_addr, expires, .. } = &contacts[0] else { panic!("a star") };
    assert_eq!(*expires, Some(7));
    assert_eq!(name_addr.params.text("x").as_deref(), Some(&b";,>"[..]));
    assert_eq!(name_addr.params.text("y").as_deref(), Some(&b"\"<"[..]));
}

#[test]
fn an_escaped_zero_byte_ends_nothing_and_nothing_is_unescaped_twice() {
    let user = |text: &str| {
        let uri: Uri = text.parse().unwrap();
        uri.as_sip().unwrap().user_text().unwrap().into_owned()
    };
    assert_eq!(user("sip:%00a@h"), b"\0a");
    assert_eq!(user("sip:%2500@h"), b"%00");
    assert_eq!(user("sip:value%25%34%31@h"), b"value%41");
    let uri: Uri = "sip:%2500@h".parse().unwrap();
    assert_eq!(uri.to_string(), "sip:%2500@h");
}

#[test]
fn ipv6_is_read_in_via_with_a_port_and_parameters() {
    let via: Via = "SIP/2.0/UDP [2001:db8::9:1]:5070;received=2001:db8::9:255;branch=z9hG4bKas3".parse().unwrap();
    assert_eq!(via.sent_by.host, Host::V6("2001:db8::9:1".parse().unwrap()));
    assert_eq!(via.sent_by.port, Some(5070));
    assert_eq!(via.received(), Some("2001:db8::9:255".parse().unwrap()));
}

#[test]
fn unknown_transports_methods_and_schemes_are_read() {
    let via: Via = "SIP/2.0/UNKNOWN t1.example.com;branch=z9hG4bK1".parse().unwrap();
    assert!(via.is_transport("unknown"));
    for text in ["tel:+1-201-555-0123;phone-context=x", "urn:service:sos.fire", "nobodyKnowsThisScheme:totallyopaque"] {
        let uri: Uri = text.parse().unwrap();
        assert_eq!(uri.to_string(), text);
    }
}

#[test]
fn header_values_that_are_nearly_right_never_panic() {
    // Every prefix and every single-byte change of values that hold every separator there is.
    let values = [
        "\"a\\\"b\" <sip:u;p:w@[::1]:5060;t=\"x\"?h=%41>;tag=1;q=0.5;expires=3",
        "SIP/2.0/UDP [2001:db8::1]:5060;branch=z9hG4bK1;rport;received=1.2.3.4;ttl=1",
        "98asdh@host;to-tag=1;from-tag=2;early-only",
    ];
    let mut tried = 0;
    for value in values {
        let mut variants = (0..=value.len()).map(|end| value.as_bytes()[..end].to_vec()).collect::<Vec<_>>();
        for at in 0..value.len() {
            for byte in *b"<>\"\\;,=@:[]%?* \t\0\xff" {
                let mut variant = value.as_bytes().to_vec();
                variant[at] = byte;
                variants.push(variant);
            }
        }
        for variant in variants {
            let variant = Bytes::from(variant);
            let _ =
                (NameAddr::parse(&variant), Via::parse(&variant), Contact::parse(&variant), Replaces::parse(&variant));
            let _ =
                (ReferTo::parse(&variant), ReferredBy::parse(&variant), CallId::parse(&variant), Uri::parse(&variant));
            tried += 1;
        }
    }
    assert!(tried > 3_000);
}

#[test]
fn what_a_value_writes_never_begins_another_line() {
    let to = To::new("sip:b@h".parse().unwrap()).with_tag(b"a\r\nX-Smuggled: 1");
    let mut edit = request("To: <sip:b@h>\r\n").edit();
    edit.replace(&to);
    let edited = edit.finish();
    assert!(!edited.headers().contains(&HeaderName::from_static("X-Smuggled")));
    assert_eq!(edited.headers().len(), 1);
}
