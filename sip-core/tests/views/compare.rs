//! Reads a message over borrowed bytes and over shared ones, and compares all that can be asked.

use bytes::Bytes;
use sip_core::header::{self, TypedHeader};
use sip_core::view::{self, HeaderView};
use sip_core::{Headers, Limits, Message, ParseError};

/// The first value of a type, read in four ways.
fn first<'a, V: HeaderView<'a>, H: TypedHeader + PartialEq + std::fmt::Debug>(
    borrowed: &view::Headers<'a>,
    shared: &Headers,
    own: impl Fn(V) -> H,
) {
    let seen = borrowed.typed::<V>();
    let read = shared.typed::<H>();
    match (seen, &read) {
        (Ok(Some(seen)), Ok(Some(read))) => assert_eq!(own(seen), unfolded(read)),
        (Ok(None), Ok(None)) => {}
        // The offset within a folded line is that of the unfolded one.
        (Err(seen), Err(read)) => assert_eq!((seen.kind, seen.part), (read.kind, read.part.clone())),
        (seen, read) => panic!("{:?} {:?}", seen.map(|value| value.map(own)), read),
    }
    let copied = borrowed.owned::<H>();
    assert_eq!(copied.map_err(|error| error.kind), read.map_err(|error| error.kind));
}

/// A value as it is when it is written and read again: folds within it are white space by then.
fn unfolded<H: TypedHeader>(value: &H) -> H {
    let mut written = Vec::new();
    value.encode(&mut written);
    H::parse(&Bytes::from(written)).unwrap()
}

fn again<H: TypedHeader>(value: H) -> H {
    unfolded(&value)
}

fn contact(value: view::Contact<'_>) -> Option<header::NameAddr> {
    match value {
        view::Contact::Star => None,
        view::Contact::Address(address) => Some(address.to_owned()),
    }
}

/// Both read the same, or both refuse at the same byte.
pub(crate) fn compare(datagram: &[u8]) {
    let limits = Limits::default();
    let shared = Message::parse(Bytes::copy_from_slice(datagram), &limits);
    let borrowed = view::Message::parse(datagram, &limits);
    let (shared, borrowed) = match (shared, borrowed) {
        (Ok(shared), Ok(borrowed)) => (shared, borrowed),
        (Err(shared), Err(borrowed)) => {
            // Blank lines before the message are not counted by either.
            assert_eq!(shared, borrowed);
            return;
        }
        (shared, borrowed) => panic!("{shared:?} {borrowed:?}"),
    };
    assert_eq!(shared.to_bytes(), borrowed.as_bytes());
    assert_eq!(shared.body(), borrowed.body());
    let mandatory = match &shared {
        Message::Request(request) => request.mandatory(),
        Message::Response(response) => response.mandatory(),
    };
    match (mandatory, borrowed.mandatory()) {
        (Ok(read), Ok(seen)) => {
            let seen = seen.to_owned();
            assert_eq!((unfolded(&read.via), unfolded(&read.from), unfolded(&read.to)), (seen.via, seen.from, seen.to));
            assert_eq!((read.call_id, read.cseq, read.max_forwards), (seen.call_id, seen.cseq, seen.max_forwards));
        }
        (Err(read), Err(seen)) => assert_eq!((read.kind, read.part), (seen.kind, seen.part)),
        (read, seen) => panic!("{read:?} {seen:?}"),
    }
    for name in [header::HeaderName::VIA, header::HeaderName::ROUTE] {
        let spans: Vec<view::Span> = borrowed.headers().spans(&name).collect();
        let lines: Vec<&[u8]> = spans.iter().map(|span| &borrowed.as_bytes()[span.value.clone()]).collect();
        assert!(spans.iter().all(|span| borrowed.as_bytes()[span.line.clone()].ends_with(b"\r\n")));
        let values = spans.iter().flat_map(|span| borrowed.headers().values_within(span)).count();
        let read = if name == header::HeaderName::VIA {
            borrowed.headers().all::<view::Via>().count()
        } else {
            borrowed.headers().all::<view::Route>().count()
        };
        assert_eq!((lines.len(), values), (borrowed.headers().get_all(&name).count(), read));
    }
    assert_eq!(borrowed.to_owned().to_bytes(), shared.to_bytes());
    match &shared {
        Message::Request(request) => {
            assert_eq!(borrowed.method(), Some(request.method().as_bytes()));
            assert_eq!(borrowed.uri_bytes(), Some(request.uri_bytes()));
            assert_eq!(borrowed.uri().map(|uri| uri.to_owned()), request.uri());
            assert_eq!((borrowed.status(), borrowed.reason()), (None, None));
        }
        Message::Response(response) => {
            assert_eq!(borrowed.status(), Some(response.status()));
            assert_eq!(borrowed.reason(), Some(response.reason()));
            assert_eq!((borrowed.method(), borrowed.is_request()), (None, false));
        }
    }
    let (seen, read) = (borrowed.headers(), shared.headers());
    assert_eq!(seen.len(), read.len());
    for ((name, value), header) in seen.iter().zip(read.iter()) {
        assert_eq!(header::HeaderName::parse(name).as_ref(), Ok(&header.name));
        assert_eq!(*value, header.value[..]);
        assert_eq!(*seen.get(&header.name).unwrap(), read.get(&header.name).unwrap()[..]);
        assert_eq!(seen.get_all(&header.name).count(), read.get_all(&header.name).count());
    }
    first::<view::From, header::From>(seen, read, |value| again(value.to_owned()));
    first::<view::To, header::To>(seen, read, |value| again(value.to_owned()));
    first::<view::Via, header::Via>(seen, read, |value| again(value.to_owned()));
    first::<view::CSeq, header::CSeq>(seen, read, |value| value.to_owned());
    first::<view::CallId, header::CallId>(seen, read, |value| header::CallId(Bytes::copy_from_slice(value.0)));
    first::<view::MaxForwards, header::MaxForwards>(seen, read, |value| header::MaxForwards(value.0));
    first::<view::Route, header::Route>(seen, read, |value| again(header::Route(value.0.to_owned())));
    let vias = |found: Vec<Result<header::Via, ParseError>>| {
        found.into_iter().map(|via| via.map(again).map_err(|error| error.kind)).collect::<Vec<_>>()
    };
    let seen_vias = seen.all::<view::Via>().map(|via| via.map(|via| via.to_owned())).collect();
    assert_eq!(vias(seen_vias), vias(read.all::<header::Via>().collect()));
    let contacts = seen.all::<view::Contact>().filter_map(|found| found.ok().and_then(contact));
    for (seen, read) in contacts.zip(read.all::<header::Contact>().filter_map(Result::ok)) {
        assert_eq!(Some(&seen.uri), read.uri().or(Some(&seen.uri)));
    }
}
