//! Offer and answer: an answer always fits its offer, both sides see the same flows, and no stream opens that the
//! capabilities do not have.
#![no_main]

use arbitrary::{Arbitrary, Unstructured};
use libfuzzer_sys::fuzz_target;
use sip_core::sdp::{self, Capabilities, Codec, Direction, Origin, Preference, Session, Stream};

#[derive(Debug, Arbitrary)]
struct OurStream {
    is_video: bool,
    index: Option<u8>,
    codecs: Vec<(u8, u8)>,
    single: bool,
    own: bool,
    events: bool,
    sends: bool,
    receives: bool,
    ptime: Option<u8>,
}

fn capabilities(ours: &[OurStream], prefer_own: bool) -> Capabilities {
    let mut capabilities = Capabilities::new(Origin::new("-", 1, 1, "198.51.100.7".parse().unwrap()));
    if prefer_own {
        capabilities.preference = Preference::Own;
    }
    for (number, our) in ours.iter().take(4).enumerate() {
        let mut stream = Stream::new(if our.is_video { "video" } else { "audio" }, 10_000 + 2 * number as u16);
        for (which, payload) in our.codecs.iter().take(5) {
            let payload = payload % 128;
            stream = stream.with_codec(match which % 6 {
                0 => Codec::pcmu(),
                1 => Codec::pcma(),
                2 => Codec::new("iLBC", 8_000, payload).with_fmtp("mode=30"),
                3 => Codec::new("opus", 48_000, payload).with_channels(2),
                4 => Codec::new("CN", 8_000, 13),
                _ => Codec::new("H261", 90_000, 31),
            });
        }
        if our.events {
            stream = stream.with_telephone_event("0-16");
        }
        stream.index = our.index.map(|index| usize::from(index % 4));
        stream.single_codec = our.single;
        stream.own_payloads = our.own;
        stream.direction = Direction::new(our.sends, our.receives);
        stream.ptime = our.ptime.map(u32::from);
        capabilities = capabilities.with_stream(stream);
    }
    capabilities
}

fuzz_target!(|data: &[u8]| {
    let mut input = Unstructured::new(data);
    let Ok((ours, prefer_own)) = <(Vec<OurStream>, bool)>::arbitrary(&mut input) else { return };
    let capabilities = capabilities(&ours, prefer_own);

    // Our own offer is a description that we can read and answer.
    let own = sdp::offer(&capabilities);
    assert_eq!(Session::parse(&own.to_bytes()).unwrap(), own);
    let mut text = b"v=0\r\no=a 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n".to_vec();
    text.extend_from_slice(input.take_rest());
    let offers = [Some(own), Session::parse(&text).ok()];

    for offer in offers.into_iter().flatten() {
        let Ok(answer) = sdp::answer(&offer, &capabilities) else { continue };
        assert_eq!(sdp::check_answer(&offer, &answer), Ok(()));
        assert_eq!(Session::parse(&answer.to_bytes()).unwrap(), answer);
        let open: Vec<u16> = answer.media.iter().map(|media| media.port).filter(|port| *port != 0).collect();
        let mut ports = open.clone();
        ports.sort_unstable();
        ports.dedup();
        assert_eq!(ports.len(), open.len(), "a port serves one stream");
        for (index, (offered, answered)) in offer.media.iter().zip(&answer.media).enumerate() {
            let there = sdp::flow(&answer, &offer, index);
            let back = sdp::flow(&offer, &answer, index);
            assert_eq!(
                there.as_ref().map(|flow| (flow.sends, flow.receives)),
                back.as_ref().map(|flow| (flow.receives, flow.sends))
            );
            if answered.port == 0 {
                continue;
            }
            assert!(!answered.formats.is_empty());
            let stream = capabilities.streams.iter().find(|stream| stream.port == answered.port).unwrap();
            assert!(stream.index.is_none_or(|wanted| wanted == index));
            let primaries: Vec<_> = answered.codecs().filter(|map| !map.is_auxiliary()).collect();
            for map in &primaries {
                assert!(stream.codecs.iter().any(|codec| codec.matches(map)));
                assert!(offered.codecs().any(|other| {
                    other.encoding.eq_ignore_ascii_case(&map.encoding) && other.clock_rate == map.clock_rate
                }));
            }
            assert!(!stream.single_codec || primaries.len() <= 1);
            for event in answered.codecs().filter(|map| map.is_telephone_event()) {
                assert!(primaries.is_empty() || primaries.iter().any(|map| map.clock_rate == event.clock_rate));
            }
        }
    }
});
