//! URIs: what is read is written and read again to the same value; comparison is reflexive and symmetric.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use sip_core::header::NameAddr;
use sip_core::uri::{Host, HostPort, Params, Uri, decode};

fn written(uri: &Uri) -> Bytes {
    let mut out = Vec::new();
    uri.encode(&mut out);
    out.into()
}

fn check(uri: &Uri) {
    let bytes = written(uri);
    assert!(!bytes.contains(&b'\r') && !bytes.contains(&b'\n'), "{bytes:?}");
    assert_eq!(Uri::parse(&bytes).as_ref(), Ok(uri), "{bytes:?}");
    assert!(uri.equivalent(uri), "{bytes:?}");
    let name = uri.address_of_record();
    let short = Uri::parse(&name).unwrap_or_else(|error| panic!("{bytes:?} -> {name:?}: {error}"));
    assert_eq!(short.address_of_record(), name, "{bytes:?}");
    // In brackets the same URI is read.
    let bracketed = Bytes::from([b"<", &*bytes, b">"].concat());
    assert_eq!(NameAddr::parse(&bracketed).map(|address| address.uri).as_ref(), Ok(uri), "{bytes:?}");
    if let Uri::Sip(sip) = uri {
        // Setting what is there already changes nothing but the rest of its doubles.
        let mut again = sip.clone();
        for (name, value) in &sip.params {
            if let Ok(name) = std::str::from_utf8(name) {
                again.set_param(name, value.map(decode).as_deref());
            }
        }
        let again = Uri::Sip(again);
        assert_eq!(Uri::parse(&written(&again)), Ok(again));
    }
}

fuzz_target!(|data: &[u8]| {
    let mut parts = data.splitn(2, |&byte| byte == 0);
    let first = Bytes::copy_from_slice(parts.next().unwrap_or_default());
    let second = Bytes::copy_from_slice(parts.next().unwrap_or_default());
    let first_uri = Uri::parse(&first);
    let second_uri = Uri::parse(&second);
    for uri in first_uri.iter().chain(&second_uri) {
        check(uri);
    }
    if let (Ok(a), Ok(b)) = (&first_uri, &second_uri) {
        assert_eq!(a.equivalent(b), b.equivalent(a), "{first:?} {second:?}");
        assert!(a != b || a.equivalent(b), "{first:?}");
    }
    if let Ok(host) = Host::parse(&first) {
        assert_eq!(host.to_string().parse(), Ok(host));
    }
    if let Ok(place) = HostPort::parse(&first) {
        assert_eq!(place.to_string().parse(), Ok(place));
    }
    if let Ok(params) = Params::parse(&first) {
        let mut out = Vec::new();
        params.encode(&mut out);
        assert_eq!(Params::parse(&out.into()), Ok(params.clone()));
        for (name, value) in &params {
            let name = std::str::from_utf8(name).expect("a token is ASCII");
            assert!(params.contains(name));
            let mut set = params.clone();
            set.set(name, Some(&second));
            set.remove("x");
            assert_eq!(Params::parse(set.as_bytes()).as_ref(), Ok(&set), "{value:?}");
        }
    }
});
