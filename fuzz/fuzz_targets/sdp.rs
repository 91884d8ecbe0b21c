//! Session descriptions: what is parsed is written with as many lines and parsed the same, views never panic, and a relay
//! leaves no address behind.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use sip_core::sdp::{Limits, Session, TypedAttribute};

fuzz_target!(|data: &[u8]| {
    // Half of the inputs begin with what every description begins with.
    let text = match data.split_first() {
        Some((byte, rest)) if byte % 2 == 0 => [b"v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\n", rest].concat(),
        _ => data.to_vec(),
    };
    let bytes = Bytes::from(text);
    let Ok(session) = Session::parse_with(&bytes, &Limits::default()) else { return };
    let written = session.to_bytes();
    let again = Session::parse_with(&written, &Limits { bytes: usize::MAX, ..Limits::default() }).unwrap();
    assert_eq!(again, session);
    assert_eq!(again.to_bytes(), written);

    // Nothing is lost: as many lines of each kind as came in.
    let kinds = |bytes: &[u8]| {
        let mut kinds: Vec<u8> = bytes
            .split(|byte| *byte == b'\n')
            .filter(|line| line.iter().any(|byte| *byte != b'\r'))
            .map(|line| line[0])
            .collect();
        kinds.sort_unstable();
        kinds
    };
    assert_eq!(kinds(&bytes), kinds(&written));

    for media in &session.media {
        let _ = (session.address_of(media), session.rtcp_address_of(media), session.direction_of(media));
        let _ = (session.holds(media), media.ptime(), media.max_ptime(), media.is_rtp());
        for map in media.codecs() {
            let value = map.to_attribute().value.unwrap();
            assert_eq!(sip_core::sdp::RtpMap::parse(&value).as_ref(), Some(&map));
        }
        for format in &media.formats {
            let _ = media.fmtp(format).map(|fmtp| fmtp.get("mode").map(<[u8]>::len));
        }
    }

    let mut relayed = session.clone();
    let relay = "198.51.100.1:20000".parse().unwrap();
    relayed.set_relay_address("198.51.100.1".parse().unwrap());
    for index in 0..relayed.media.len() {
        assert!(relayed.set_relay(index, relay));
    }
    for (before, after) in session.media.iter().zip(&relayed.media) {
        assert_eq!(before.is_rejected(), after.is_rejected());
        assert_eq!(session.holds(before), relayed.holds(after));
        if let Some(address) =
            relayed.address_of(after).filter(|_| after.port != 0 && !address_is_null(&relayed, after))
        {
            assert_eq!(address, relay);
        }
    }
    assert_eq!(
        Session::parse_with(&relayed.to_bytes(), &Limits { bytes: usize::MAX, lines: usize::MAX, ..Limits::default() })
            .unwrap(),
        relayed
    );
});

fn address_is_null(session: &Session, media: &sip_core::sdp::Media) -> bool {
    session.connection_of(media).is_some_and(sip_core::sdp::Connection::is_null)
}
