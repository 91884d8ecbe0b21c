//! Properties of URIs and typed headers: what is written is read again, whatever it holds.

use std::net::IpAddr;

use bytes::Bytes;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use sip_core::Method;
use sip_core::header::*;
use sip_core::uri::{AbsoluteUri, Host, HostPort, Params, SipUri, TelUri, Uri, UriHeaders, decode};

const TOKEN: &str = "[A-Za-z0-9.!%*_+`'~-]{1,12}";

fn token() -> impl Strategy<Value = Bytes> {
    TOKEN.prop_map(Bytes::from)
}

fn host() -> impl Strategy<Value = Host> {
    prop_oneof![
        "[a-zA-Z][a-zA-Z0-9-]{0,8}(\\.[a-zA-Z][a-zA-Z0-9_-]{0,8}){0,3}".prop_map(|name| Host::Name(name.into())),
        any::<IpAddr>().prop_map(Host::from),
    ]
}

fn params() -> impl Strategy<Value = Params> {
    vec(("[a-z+.-]{1,8}", option::of(vec(any::<u8>(), 0..12))), 0..5).prop_map(|list| {
        let mut params = Params::new();
        for (name, value) in list {
            params.set(&name, value.as_deref());
        }
        params
    })
}

fn sip_uri() -> impl Strategy<Value = SipUri> {
    let params = vec(("[a-z-]{1,8}", option::of(vec(any::<u8>(), 0..8))), 0..4);
    let headers = vec(("[A-Za-z-]{1,8}", vec(any::<u8>(), 0..8)), 0..3);
    let user = option::of((vec(any::<u8>(), 1..12), option::of("[a-z0-9&=+$,]{0,8}")));
    (any::<bool>(), user, host(), any::<Option<u16>>(), params, headers).prop_map(
        |(secure, user, host, port, params, headers)| {
            let mut uri = SipUri { secure, port, ..SipUri::new(host) };
            if let Some((user, password)) = user {
                uri = uri.with_user(&user);
                uri.password = password.map(Bytes::from);
            }
            for (name, value) in params {
                uri.set_param(&name, value.as_deref());
            }
            uri.headers = headers.iter().fold(UriHeaders::default(), |list, (name, value)| list.with(name, value));
            uri
        },
    )
}

fn uri() -> impl Strategy<Value = Uri> {
    let tel = ("\\+[0-9][0-9().-]{0,12}", option::of("[a-z0-9.-]{1,8}")).prop_map(|(number, context)| {
        let mut uri = TelUri::new(&number).unwrap();
        if let Some(context) = context {
            uri.params.set("phone-context", Some(context.as_bytes()));
        }
        Uri::Tel(uri)
    });
    let other = ("(urn|http|im|cid|x-y\\.z)", "[!#-;=?-~]{1,20}")
        .prop_map(|(scheme, rest)| Uri::Other(AbsoluteUri { scheme: scheme.into(), opaque: rest.into() }));
    prop_oneof![3 => sip_uri().prop_map(Uri::Sip), 1 => tel, 1 => other]
}

fn name_addr() -> impl Strategy<Value = NameAddr> {
    // Line breaks cannot be written, and become spaces.
    let display = option::of(prop_oneof![
        "[a-zA-Z ]{0,12}".prop_map(Bytes::from),
        vec(any::<u8>().prop_filter("no line break", |byte| !b"\r\n".contains(byte)), 0..12).prop_map(Bytes::from),
    ]);
    (display, uri(), params()).prop_map(|(display, uri, params)| NameAddr { display, uri, params })
}

fn written<H: TypedHeader>(value: &H) -> Bytes {
    let mut out = Vec::new();
    value.encode(&mut out);
    out.into()
}

fn survives<H: TypedHeader + PartialEq + std::fmt::Debug>(value: &H) -> Result<(), TestCaseError> {
    let bytes = written(value);
    prop_assert!(!bytes.contains(&b'\r') && !bytes.contains(&b'\n'), "{bytes:?}");
    let read: Vec<_> = Values::of::<H>(bytes.clone()).map(|(_, value)| H::parse(&value)).collect();
    prop_assert_eq!(read.len(), 1, "{:?}", bytes);
    prop_assert_eq!(read[0].as_ref(), Ok(value), "{:?}", bytes);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn uris_survive_being_written(uri in uri()) {
        let mut out = Vec::new();
        uri.encode(&mut out);
        let read = Uri::parse(&out.into()).unwrap();
        prop_assert_eq!(&read, &uri);
        prop_assert!(read.equivalent(&uri) && uri.equivalent(&read));
        let aor = Uri::parse(&uri.address_of_record()).unwrap();
        prop_assert_eq!(aor.address_of_record(), uri.address_of_record());
    }

    #[test]
    fn text_put_into_a_sip_uri_comes_out_again(user in vec(any::<u8>(), 1..20), value in vec(any::<u8>(), 0..20)) {
        let mut uri = SipUri::new(Host::Name("a".into())).with_user(&user);
        uri.set_param("x", Some(&value));
        uri.headers = uri.headers.with("y", &value);
        let read: SipUri = uri.to_string().parse().unwrap();
        prop_assert!(read.user_text().as_deref() == Some(&user[..]));
        prop_assert_eq!(decode(read.params.value("x").unwrap()), &value[..]);
        prop_assert!(read.headers.get("y").as_deref() == Some(&value[..]));
    }

    #[test]
    fn text_put_into_a_parameter_comes_out_again(value in vec(any::<u8>(), 0..20)) {
        // What is quoted already is taken as it is.
        prop_assume!(value.first() != Some(&b'"') && value.first() != Some(&b'<'));
        let params = Params::new().with("a", Some(b"1")).with("x", Some(&value)).with("b", None);
        let read = Params::parse(params.as_bytes()).unwrap();
        let expected: Vec<u8> = value.iter().map(|&byte| if b"\r\n".contains(&byte) { b' ' } else { byte }).collect();
        prop_assert!(read.text("x").as_deref() == Some(&expected[..]));
        prop_assert_eq!(read.iter().count(), 3);
    }

    #[test]
    fn parameters_are_a_map_in_the_order_of_writing(steps in vec((0usize..4, option::of(TOKEN), any::<bool>()), 0..20)) {
        const NAMES: [&str; 4] = ["tag", "Lr", "x-y", "q"];
        let (mut params, mut model) = (Params::new(), Vec::<(&str, Option<String>)>::new());
        for (name, value, remove) in steps {
            let name = NAMES[name];
            let at = model.iter().position(|(found, _)| *found == name);
            if remove {
                prop_assert_eq!(params.remove(&name.to_uppercase()), at.is_some());
                if let Some(at) = at { model.remove(at); }
            } else {
                params.set(name, value.as_ref().map(String::as_bytes));
                match at { Some(at) => model[at].1 = value, None => model.push((name, value)) }
            }
            let read: Vec<_> = params.iter().collect();
            let expected: Vec<_> = model.iter().map(|(name, value)| (name.as_bytes(), value.as_ref().map(String::as_bytes))).collect();
            prop_assert_eq!(read, expected);
        }
    }

    #[test]
    fn addresses_survive_being_written(name_addr in name_addr(), tag in TOKEN) {
        survives(&From { name_addr: name_addr.clone() })?;
        let to = To { name_addr: name_addr.clone() }.with_tag(tag.as_bytes());
        prop_assert_eq!(to.tag(), Some(tag.as_bytes()));
        survives(&to)?;
        survives(&Route(name_addr.clone()))?;
        survives(&HistoryInfo(name_addr.clone()))?;
        survives(&ReferTo(name_addr.clone()))?;
        survives(&PAssertedIdentity(name_addr.clone()))?;
        survives(&CallInfo { uri: name_addr.uri.clone(), params: name_addr.params.clone() })?;
    }

    #[test]
    fn contacts_survive_being_written(name_addr in name_addr(), expires in any::<Option<u32>>(), q in option::of(0u16..=1000)) {
        let mut name_addr = name_addr;
        name_addr.params.remove("q");
        name_addr.params.remove("expires");
        survives(&Contact::Address { name_addr, expires, q: q.and_then(QValue::new) })?;
    }

    #[test]
    fn vias_survive_being_written(
        transport in token(), host in host(), port in any::<Option<u16>>(), params in params(), branch in TOKEN,
        received in any::<IpAddr>(), rport in any::<u16>(),
    ) {
        let mut via = Via::new(transport, HostPort::new(host, port), branch.as_bytes());
        via.params = params;
        survives(&via)?;
        via.set_received(received);
        via.set_rport(rport);
        prop_assert_eq!((via.received(), via.rport()), (Some(received), Some(Some(rport))));
        survives(&via)?;
    }

    #[test]
    fn numbers_and_words_survive_being_written(a in any::<u32>(), b in any::<u32>(), token in TOKEN, word in "[!-+--:<-~]{1,30}") {
        let method: Method = token.parse().unwrap();
        survives(&CSeq::new(a, method.clone()))?;
        survives(&RAck { response: a, sequence: b, method: method.clone() })?;
        survives(&Allow(method))?;
        survives(&Expires(a))?;
        survives(&RSeq(b))?;
        survives(&SessionExpires::new(a).with_refresher(Refresher::Uas))?;
        survives(&RetryAfter::new(a))?;
        survives(&CallId(word.clone().into()))?;
        survives(&Replaces::new(CallId(word.clone().into()), token.as_bytes(), b"1"))?;
        survives(&InReplyTo(CallId(word.into())))?;
        survives(&Date(u64::from(a) * 50))?;
    }

    #[test]
    fn values_with_parameters_survive_being_written(token in token(), text in vec(any::<u8>(), 0..20), params in params()) {
        let text: Bytes = text.iter().map(|&byte| if b"\r\n".contains(&byte) { b' ' } else { byte }).collect();
        survives(&Event { package: token.clone(), params: params.clone() })?;
        survives(&Reason { protocol: token.clone(), params: params.clone() })?;
        survives(&ContentType(MediaType { kind: token.clone(), subtype: token.clone(), params: params.clone() }))?;
        survives(&FeatureCaps { params: params.clone() })?;
        survives(&UserToUser { data: text.clone(), params: params.clone() })?;
        survives(&Warning { code: 399, agent: token.clone(), text })?;
        survives(&Supported(token.clone()))?;
        survives(&Privacy(vec![token.clone(), token]))?;
        if !params.is_empty() {
            survives(&PChargingVector { params })?;
        }
    }

    #[test]
    fn bytes_of_a_program_cannot_break_a_message(bytes in vec(any::<u8>(), 0..30)) {
        let bytes = Bytes::from(bytes);
        let host = Host::Name(bytes.clone());
        let uri = SipUri { user: Some(bytes.clone()), password: Some(bytes.clone()), ..SipUri::new(host.clone()) };
        let other = AbsoluteUri { scheme: bytes.clone(), opaque: bytes.clone() };
        let mut out = Vec::new();
        From { name_addr: NameAddr::new(uri.into()).with_display(bytes.clone()).with_param("x", Some(&bytes)) }.encode(&mut out);
        Route(NameAddr::new(other.into())).encode(&mut out);
        Via { version: bytes.clone(), ..Via::new(bytes.clone(), HostPort::new(host, None), &bytes) }.encode(&mut out);
        CallId(bytes.clone()).encode(&mut out);
        Subject(bytes.clone()).encode(&mut out);
        Supported(bytes.clone()).encode(&mut out);
        Event { package: bytes.clone(), params: Params::new() }.encode(&mut out);
        Warning { code: 1, agent: bytes.clone(), text: bytes.clone() }.encode(&mut out);
        Identity { digest: bytes.clone(), params: Params::new() }.encode(&mut out);
        Timestamp { time: bytes.clone(), delay: Some(bytes.clone()) }.encode(&mut out);
        RetryAfter { comment: Some(bytes), ..RetryAfter::new(1) }.encode(&mut out);
        prop_assert!(!out.contains(&b'\r') && !out.contains(&b'\n'));
    }

    #[test]
    fn any_bytes_are_read_or_refused_and_then_written_alike(line in vec(prop_oneof![
        4 => proptest::sample::select(&b"<>\";,=:@?*/.() \t\\%&[]"[..]),
        4 => proptest::sample::select(&b"abzSIP0129-+"[..]),
        1 => any::<u8>(),
    ], 0..40)) {
        check(&line.into())?;
    }

    #[test]
    fn pieces_of_headers_are_read_or_refused_and_then_written_alike(pieces in vec(proptest::sample::select(PIECES), 0..10)) {
        check(&pieces.concat().into())?;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn comparison_of_uris_is_symmetric(
        one in vec(proptest::sample::select(URI_PIECES), 0..7), other in vec(proptest::sample::select(URI_PIECES), 0..7),
    ) {
        for scheme in ["sip:a", "sips:a", "tel:+1", "urn:a"] {
            let one = Uri::parse(&format!("{scheme}{}", one.concat()).into());
            let other = Uri::parse(&format!("{scheme}{}", other.concat()).into());
            if let (Ok(one), Ok(other)) = (one, other) {
                prop_assert_eq!(one.equivalent(&other), other.equivalent(&one), "{} {}", one, other);
                check(&one.to_string().into())?;
            }
        }
    }

    #[test]
    fn pieces_of_parameters_are_read_or_refused_and_then_written_alike(pieces in vec(proptest::sample::select(PARAM_PIECES), 0..10)) {
        check(&pieces.concat().into())?;
    }
}

const URI_PIECES: &[&str] = &[
    "@b", ":", "1", ";a", ";A=1", ";a=2", ";ttl=1", ";user=ip", ";ext=1-1", "?x=1", "&X=2", "%41", "%3b", ";maddr=c",
    ";isub", "-",
];

const PARAM_PIECES: &[&str] =
    &[";", ";a", "=", "\"x;y\"", "<u:v;w>", "<", ">", "\"", "\\", " ", "b", ";b=1", "%", ",", ";a=\"\\\"\"", "é"];

const PIECES: &[&str] = &[
    "sip:",
    "sips:",
    "tel:",
    "urn:",
    "a",
    "b.c",
    "@",
    "<",
    ">",
    "\"",
    "\\\"",
    ";",
    ",",
    "=",
    " ",
    "*",
    "/",
    "?",
    "&",
    "%00",
    "%4",
    "[2001:db8::1]",
    "192.0.2.1",
    ":5060",
    "SIP/2.0/UDP ",
    "INVITE",
    "1",
    "0.5",
    "70",
    ";tag=",
    ";q=",
    ";expires=",
    ";branch=z9hG4bK",
    "\"x;y,z>\"",
    "(c)",
    "GMT",
    "Sat, 13 Nov 2010 23:29:00 ",
    ";info=<https://a;b>",
    ";to-tag=1;from-tag=2",
    "text/plain",
    "é",
    "#",
];

/// For every type: the line is refused, or what is written for it is read and written to the same bytes.
fn check(line: &Bytes) -> Result<(), TestCaseError> {
    for name in &TYPED {
        if let Some(Ok(once)) = canonical(name, line) {
            prop_assert_eq!(canonical(name, &once), Some(Ok(once.clone())), "{} {:?} {:?}", name, line, once);
        }
    }
    if let Ok(uri) = Uri::parse(line) {
        let mut out = Vec::new();
        uri.encode(&mut out);
        prop_assert_eq!(Uri::parse(&out.clone().into()), Ok(uri.clone()));
        prop_assert!(uri.equivalent(&uri), "{}", uri);
        let name = uri.address_of_record();
        let short = Uri::parse(&name);
        prop_assert_eq!(short.map(|uri| uri.address_of_record()), Ok(name), "{}", uri);
        let bracketed = Bytes::from([b"<", &*out, b">"].concat());
        prop_assert_eq!(NameAddr::parse(&bracketed).map(|address| address.uri), Ok(uri));
    }
    if let Ok(host) = HostPort::parse(line) {
        prop_assert_eq!(host.to_string().parse(), Ok(host));
    }
    if let Ok(params) = Params::parse(line) {
        for (name, _) in &params {
            let mut set = params.clone();
            set.set(std::str::from_utf8(name).unwrap(), Some(line));
            set.remove("a");
            prop_assert_eq!(Params::parse(set.as_bytes()), Ok(set));
        }
    }
    Ok(())
}
