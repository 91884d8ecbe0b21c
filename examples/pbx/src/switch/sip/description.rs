//! Session descriptions on their way through: one audio stream of RTP/AVP, led through our relay.

use std::net::{IpAddr, SocketAddr};

use bytes::Bytes;
use rtp::{g711::Law, relay::Expected};
use sip_core::sdp::{Capabilities, Codec, Direction, Media, Origin, RtpMap, Session, Stream};

/// Codecs that pass between phones: what has 8,000 timestamps a second, so that the relay's jitter is right.
const CODECS: [&[u8]; 9] = [b"PCMU", b"PCMA", b"G722", b"GSM", b"iLBC", b"G729", b"telephone-event", b"CN", b"G726-32"];

/// What leads around the relay, or needs keys or ports that it does not have.
const REMOVED: [&str; 9] =
    ["rtcp-mux", "rtcp-mux-only", "rtcp", "crypto", "fingerprint", "setup", "tls-id", "extmap", "rtcp-rsize"];

/// Our descriptions towards one side: the same origin throughout, its version counted (RFC 3264 §8).
#[derive(Debug, Clone)]
pub(super) struct Voice {
    id: u64,
    version: u64,
    last: Option<Bytes>,
}

impl Voice {
    pub(super) fn new(id: u64) -> Self {
        Self { id, version: 1, last: None }
    }

    pub(super) fn origin(&self, address: IpAddr) -> Origin {
        Origin::new("-", self.id, self.version, address)
    }

    /// Writes a description under our origin; its version goes up when it differs from the last one.
    pub(super) fn say(&mut self, mut session: Session, address: IpAddr) -> Bytes {
        session.origin = self.origin(address);
        let text = session.to_bytes();
        if self.last.as_ref().is_some_and(|last| *last != text) {
            self.version += 1;
            session.origin = self.origin(address);
        }
        let text = session.to_bytes();
        self.last = Some(text.clone());
        text
    }
}

/// What a side's description means for its media.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Heard {
    pub(super) expected: Expected,
    pub(super) direction: Direction,
    pub(super) holds: bool,
    /// The codec it prefers.
    pub(super) codec: Option<String>,
}

/// The stream that is the call: the first open one of audio over RTP/AVP.
pub(super) fn audio(session: &Session) -> Option<usize> {
    session.media.iter().position(|media| {
        media.kind.eq_ignore_ascii_case(b"audio")
            && media.proto.eq_ignore_ascii_case(b"RTP/AVP")
            && !media.is_rejected()
            && session.connection_of(media).is_some()
    })
}

/// Reads where a side is. A host name in `c=` is not looked up: the side is then where its signalling comes from.
pub(super) fn heard(session: &Session, signalling: IpAddr) -> Option<Heard> {
    let media = session.media.get(audio(session)?)?;
    let address = session.address_of(media).unwrap_or(SocketAddr::new(signalling, media.port));
    let mut expected = Expected::signalled(address, signalling);
    if let Some(control) = media.rtcp().and_then(|_| session.rtcp_address_of(media)) {
        expected = expected.with_control(control);
    }
    let codec = formats(media).find(|(_, map)| !map.is_auxiliary()).map(|(_, map)| map.encoding);
    Some(Heard {
        expected,
        direction: session.direction_of(media),
        holds: session.holds(media),
        codec: codec.map(|name| super::call::text(&name).to_ascii_uppercase()),
    })
}

/// The description as the other side is to see it: the stream at our address, and nothing that leads around it. `None`
/// when no stream or no codec is left.
pub(super) fn relayed(mut session: Session, relay: SocketAddr) -> Option<Session> {
    let index = audio(&session)?;
    session.set_relay_address(relay.ip());
    session.set_relay(index, relay);
    forget_person(&mut session);
    session.attributes.retain(|attribute| !REMOVED.iter().any(|name| attribute.name == *name));
    // Groups speak of streams that are no longer there.
    session.attributes.retain(|attribute| attribute.name != "group" && attribute.name != "msid-semantic");
    for (place, media) in session.media.iter_mut().enumerate() {
        if place == index {
            media.attributes.retain(|attribute| !REMOVED.iter().any(|name| attribute.name == *name));
            keep_known(media);
        } else {
            *media = rejected(media);
        }
    }
    let usable = session.media.get(index).is_some_and(|media| formats(media).any(|(_, map)| !map.is_auxiliary()));
    usable.then_some(session)
}

/// The description as the other side is to see it when no stream is open: all are closed, and nothing tells where the
/// side is.
pub(super) fn closed(mut session: Session, address: IpAddr) -> Session {
    session.set_relay_address(address);
    session.attributes.clear();
    forget_person(&mut session);
    for media in &mut session.media {
        *media = rejected(media);
    }
    session
}

/// Takes out the lines that tell of the side itself, not of its media: `i=`, `u=`, `e=`, `p=`, `k=` and those that are not
/// defined.
fn forget_person(session: &mut Session) {
    session.information = None;
    session.uri = None;
    session.emails.clear();
    session.phones.clear();
    session.key = None;
    session.unknown.clear();
    for media in &mut session.media {
        media.information = None;
        media.key = None;
        media.unknown.clear();
    }
}

/// What we speak ourselves.
pub(super) fn capabilities(origin: Origin, address: SocketAddr) -> Capabilities {
    let stream =
        Stream::audio(address.port()).with_codec(Codec::pcmu()).with_codec(Codec::pcma()).with_telephone_event("0-16");
    Capabilities::new(origin).with_address(address.ip()).with_stream(stream)
}

/// The first codec of a description that a tone can be played in.
pub(super) fn law(session: &Session) -> Option<(Law, u8)> {
    let media = session.media.get(audio(session)?)?;
    formats(media).find_map(|(payload, map)| {
        [Law::Mu, Law::A]
            .into_iter()
            .find(|law| map.encoding.eq_ignore_ascii_case(law.name().as_bytes()) && map.clock_rate == 8_000)
            .map(|law| (law, payload))
    })
}

/// The formats of a stream in their order, with what they mean.
fn formats(media: &Media) -> impl Iterator<Item = (u8, RtpMap)> + '_ {
    media.formats.iter().filter_map(|format| {
        let payload = std::str::from_utf8(format).ok()?.parse().ok()?;
        Some((payload, media.rtpmap(format).or_else(|| RtpMap::from_static(payload))?))
    })
}

fn is_known(map: &RtpMap) -> bool {
    map.clock_rate == 8_000 && CODECS.iter().any(|name| map.encoding.eq_ignore_ascii_case(name))
}

/// Leaves out the formats that do not pass, and what is said of them.
fn keep_known(media: &mut Media) {
    let known: Vec<_> =
        formats(media).filter(|(_, map)| is_known(map)).map(|(payload, _)| payload.to_string()).collect();
    media.formats.retain(|format| known.iter().any(|payload| payload.as_bytes() == format));
    media.attributes.retain(|attribute| {
        if !["rtpmap", "fmtp", "rtcp-fb"].iter().any(|name| attribute.name == *name) {
            return true;
        }
        let value = attribute.value.as_deref().unwrap_or_default();
        let payload = value.split(|byte| *byte == b' ').next().unwrap_or_default();
        known.iter().any(|known| known.as_bytes() == payload)
    });
}

/// A stream that is not opened (RFC 3264 §5.1).
fn rejected(media: &Media) -> Media {
    let mut closed = Media::new(media.kind.clone(), 0, media.proto.clone());
    closed.formats.extend(media.formats.first().cloned());
    closed
}

#[cfg(test)]
mod tests {
    use super::*;

    const OFFER: &str = "v=0\r\no=alice 11 22 IN IP4 10.0.0.5\r\ns=call\r\n\
        i=secretly\r\nu=http://secretly/\r\ne=secretly@10.0.0.5\r\np=+1 555\r\nc=IN IP4 10.0.0.5\r\nt=0 0\r\n\
        a=group:BUNDLE 0 1\r\n\
        m=video 4002 RTP/AVP 31\r\n\
        m=audio 4000 RTP/AVP 111 0 9 101\r\na=rtpmap:111 opus/48000/2\r\na=fmtp:111 useinbandfec=1\r\n\
        a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-16\r\na=rtcp-mux\r\na=rtcp:4007\r\na=ptime:20\r\n\
        a=candidate:1 1 UDP 1 10.0.0.5 4000 typ host\r\na=sendrecv\r\n";

    fn offer() -> Session {
        OFFER.parse().unwrap()
    }

    fn signalling() -> IpAddr {
        "203.0.113.9".parse().unwrap()
    }

    #[test]
    fn nothing_of_one_sides_addresses_reaches_the_other() {
        let relay: SocketAddr = "192.0.2.1:20000".parse().unwrap();
        let session = relayed(offer(), relay).unwrap();
        let text = String::from_utf8(Voice::new(7).say(session, relay.ip()).to_vec()).unwrap();
        for word in
            ["10.0.0.5", "alice", "secretly", "555", "candidate", "4000", "4002", "4007", "rtcp-mux", "opus", "BUNDLE"]
        {
            assert!(!text.contains(word), "{word} crossed:\n{text}");
        }
        for word in [
            "o=- 7 1 IN IP4 192.0.2.1",
            "m=video 0 RTP/AVP 31",
            "m=audio 20000 RTP/AVP 0 9 101",
            "a=rtpmap:101 telephone-event/8000",
            "a=fmtp:101 0-16",
            "a=ptime:20",
        ] {
            assert!(text.contains(word), "lacks {word}:\n{text}");
        }
    }

    #[test]
    fn nothing_of_one_sides_addresses_reaches_the_other_when_it_closes_its_streams() {
        let ours: IpAddr = "192.0.2.1".parse().unwrap();
        let offer: Session = OFFER.replace("m=audio 4000", "m=audio 0").replace("4002", "0").parse().unwrap();
        let text = String::from_utf8(Voice::new(7).say(closed(offer, ours), ours).to_vec()).unwrap();
        for word in ["10.0.0.5", "alice", "secretly", "555", "candidate", "4007", "BUNDLE"] {
            assert!(!text.contains(word), "{word} crossed:\n{text}");
        }
        for word in ["o=- 7 1 IN IP4 192.0.2.1", "c=IN IP4 192.0.2.1", "m=video 0 RTP/AVP 31", "m=audio 0 RTP/AVP 111"]
        {
            assert!(text.contains(word), "lacks {word}:\n{text}");
        }
    }

    #[test]
    fn an_offer_without_a_codec_that_passes_is_refused() {
        let relay = "192.0.2.1:20000".parse().unwrap();
        for (from, to) in [("111 0 9 101", "111 101"), ("RTP/AVP 111", "RTP/SAVP 111"), ("m=audio 4000", "m=audio 0")] {
            let session: Session = OFFER.replace(from, to).parse().unwrap();
            assert_eq!(relayed(session, relay), None, "{to}");
        }
    }

    #[test]
    fn a_phone_behind_nat_may_be_learned_from_where_its_signalling_comes() {
        let heard = heard(&offer(), signalling()).unwrap();
        assert_eq!(heard.expected.media(), "10.0.0.5:4000".parse().unwrap());
        assert_eq!(heard.expected.control(), "10.0.0.5:4007".parse().unwrap());
        assert_eq!(heard.expected.learned_host(), Some(signalling()));
        assert_eq!((heard.codec.as_deref(), heard.holds), (Some("OPUS"), false));
    }

    #[test]
    fn a_host_name_in_a_description_stands_for_the_signalling_address() {
        let session: Session = OFFER.replace("c=IN IP4 10.0.0.5", "c=IN IP4 phone.example").parse().unwrap();
        assert_eq!(heard(&session, signalling()).unwrap().expected.media(), "203.0.113.9:4000".parse().unwrap());
    }

    #[test]
    fn a_hold_is_told_in_every_style() {
        for hold in ["a=sendonly", "a=inactive"] {
            let session: Session = OFFER.replace("a=sendrecv", hold).parse().unwrap();
            assert!(heard(&session, signalling()).unwrap().holds, "{hold}");
        }
        let session: Session = OFFER.replace("c=IN IP4 10.0.0.5", "c=IN IP4 0.0.0.0").parse().unwrap();
        let heard = heard(&session, signalling()).unwrap();
        assert!(heard.holds && heard.expected.is_nowhere());
    }

    #[test]
    fn the_version_goes_up_only_when_a_description_changes() {
        let address = "192.0.2.1".parse().unwrap();
        let mut voice = Voice::new(7);
        let first = voice.say(offer(), address);
        assert_eq!(voice.say(offer(), address), first);
        let held: Session = OFFER.replace("a=sendrecv", "a=sendonly").parse().unwrap();
        let second: Session = Session::parse(&voice.say(held, address)).unwrap();
        assert_eq!(second.origin.version(), Some(2));
    }

    #[test]
    fn the_tone_takes_the_payload_type_that_was_agreed() {
        assert_eq!(law(&offer()), Some((Law::Mu, 0)));
        let dynamic: Session = OFFER
            .replace("111 0 9 101", "96")
            .replace("a=rtpmap:111 opus/48000/2", "a=rtpmap:96 pcma/8000")
            .parse()
            .unwrap();
        assert_eq!(law(&dynamic), Some((Law::A, 96)));
    }
}
