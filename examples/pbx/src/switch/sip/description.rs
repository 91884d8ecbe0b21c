//! Session descriptions: one audio stream of RTP/AVP, negotiated with each side by itself.

use std::net::{IpAddr, SocketAddr};

use bytes::Bytes;
use rtp::{g711::Law, relay::Expected};
use sip_core::sdp::{self, Capabilities, Direction, Media, Origin, RtpMap, Session, Stream};

use crate::{
    config::Codec,
    media::{self, Format},
};

/// What passes between two sides besides G.711: what has 8,000 timestamps a second, so that the relay's jitter is right.
const PASSED: [&[u8]; 5] = [b"G722", b"GSM", b"iLBC", b"G729", b"G726-32"];

/// The events of RFC 4733 that are understood.
const EVENTS: &str = "0-16";

/// Our descriptions towards one side: the same origin throughout, its version counted (RFC 3264 §8).
#[derive(Debug, Clone)]
pub(in crate::switch) struct Voice {
    id: u64,
    version: u64,
    last: Option<Bytes>,
}

impl Voice {
    pub(in crate::switch) fn new(id: u64) -> Self {
        Self { id, version: 1, last: None }
    }

    pub(in crate::switch) fn origin(&self, address: IpAddr) -> Origin {
        Origin::new("-", self.id, self.version, address)
    }

    /// Writes a description under our origin; its version goes up when it differs from the last one.
    pub(in crate::switch) fn say(&mut self, mut session: Session, address: IpAddr) -> Bytes {
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
pub(in crate::switch) struct Heard {
    pub(in crate::switch) expected: Expected,
    pub(in crate::switch) direction: Direction,
    pub(in crate::switch) holds: bool,
}

/// A codec of a description, at its payload type.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::switch) struct Choice(sdp::Codec);

impl Choice {
    /// G.711 at its static payload type.
    pub(in crate::switch) fn g711(law: Law) -> Self {
        Self(match law {
            Law::Mu => sdp::Codec::pcmu(),
            Law::A => sdp::Codec::pcma(),
        })
    }

    pub(in crate::switch) fn law(&self) -> Option<Law> {
        let named =
            |law: &Law| self.0.encoding.eq_ignore_ascii_case(law.name().as_bytes()) && self.0.clock_rate == 8_000;
        [Law::Mu, Law::A].into_iter().find(named)
    }

    /// Its name in capitals, `PCMU`.
    pub(in crate::switch) fn name(&self) -> String {
        crate::switch::call::text(&self.0.encoding).to_ascii_uppercase()
    }

    /// Whether an account that may have these codecs may have this one.
    pub(in crate::switch) fn is_among(&self, allowed: Option<&[Codec]>) -> bool {
        let is = |codec: &Codec| {
            self.0.encoding.eq_ignore_ascii_case(codec.encoding().as_bytes()) && self.0.clock_rate == codec.clock()
        };
        allowed.is_none_or(|allowed| allowed.iter().any(is))
    }

    /// How the media knows it.
    pub(in crate::switch) fn format(&self, dtmf: Option<u8>) -> Format {
        let codec = self.law().map_or(media::Codec::Opaque, media::Codec::G711);
        Format { codec, payload_type: self.0.payload, dtmf }
    }
}

/// The stream that is the call: the first open one of audio over RTP/AVP.
pub(in crate::switch) fn audio(session: &Session) -> Option<usize> {
    session.media.iter().position(|media| {
        media.kind.eq_ignore_ascii_case(b"audio")
            && media.proto.eq_ignore_ascii_case(b"RTP/AVP")
            && !media.is_rejected()
            && session.connection_of(media).is_some()
    })
}

/// Reads where a side is. A host name in `c=` is not looked up: the side is then where its signalling comes from.
pub(in crate::switch) fn heard(session: &Session, signalling: IpAddr) -> Option<Heard> {
    let media = session.media.get(audio(session)?)?;
    let address = session.address_of(media).unwrap_or(SocketAddr::new(signalling, media.port));
    let mut expected = Expected::signalled(address, signalling);
    if let Some(control) = media.rtcp().and_then(|_| session.rtcp_address_of(media)) {
        expected = expected.with_control(control);
    }
    Some(Heard { expected, direction: session.direction_of(media), holds: session.holds(media) })
}

/// The codecs of a description that pass, in its order.
pub(in crate::switch) fn choices(session: &Session) -> Vec<Choice> {
    let Some(media) = audio(session).and_then(|index| session.media.get(index)) else { return Vec::new() };
    formats(media)
        .filter(|(_, map)| is_known(map))
        .map(|(payload, map)| {
            let fmtp = media.fmtp(payload.to_string()).map(|fmtp| fmtp.parameters);
            Choice(sdp::Codec { payload, fmtp, ..sdp::Codec::new(map.encoding, map.clock_rate, payload) })
        })
        .collect()
}

/// The payload type of telephone events in a description.
pub(in crate::switch) fn events(session: &Session) -> Option<u8> {
    let media = session.media.get(audio(session)?)?;
    formats(media).find(|(_, map)| map.is_telephone_event() && map.clock_rate == 8_000).map(|(payload, _)| payload)
}

/// Our side, for an offer or an answer.
#[derive(Debug, Clone)]
pub(in crate::switch) struct Ours {
    /// Where we hear.
    pub(in crate::switch) address: SocketAddr,
    pub(in crate::switch) choices: Vec<Choice>,
    /// Whether digits may come as events, in an offer under which payload type.
    pub(in crate::switch) events: Option<u8>,
    /// Whether we hold the other side.
    pub(in crate::switch) holds: bool,
}

impl Ours {
    fn capabilities(&self, origin: Origin) -> Capabilities {
        let mut stream = Stream::audio(self.address.port());
        for choice in &self.choices {
            stream = stream.with_codec(choice.0.clone());
        }
        if self.holds {
            stream = stream.with_direction(Direction::SendOnly);
        }
        Capabilities::new(origin).with_address(self.address.ip()).with_stream(stream)
    }

    /// The answer to an offer; `None` when nothing fits, or no stream is open.
    pub(in crate::switch) fn answer(&self, offer: &Session, voice: &mut Voice) -> Option<Bytes> {
        let mut capabilities = self.capabilities(voice.origin(self.address.ip()));
        if self.events.is_some() {
            capabilities.streams.iter_mut().for_each(|stream| stream.telephone_event = Some(EVENTS.into()));
        }
        let session = sdp::answer(offer, &capabilities).ok()?;
        Some(voice.say(session, self.address.ip()))
    }

    /// An offer.
    pub(in crate::switch) fn offer(&self, voice: &mut Voice) -> Bytes {
        let mut capabilities = self.capabilities(voice.origin(self.address.ip()));
        if let Some(wanted) = self.events {
            let taken = |payload: &u8| self.choices.iter().any(|choice| choice.0.payload == *payload);
            let free = std::iter::once(wanted).chain(96..=127).find(|payload| !taken(payload));
            if let (Some(payload), Some(stream)) = (free, capabilities.streams.first_mut()) {
                let events = sdp::Codec::new("telephone-event", 8_000, payload).with_fmtp(EVENTS);
                stream.codecs.push(events);
            }
        }
        voice.say(sdp::offer(&capabilities), self.address.ip())
    }
}

/// The formats of a stream in their order, with what they mean.
fn formats(media: &Media) -> impl Iterator<Item = (u8, RtpMap)> + '_ {
    media.formats.iter().filter_map(|format| {
        let payload = std::str::from_utf8(format).ok()?.parse().ok()?;
        Some((payload, media.rtpmap(format).or_else(|| RtpMap::from_static(payload))?))
    })
}

fn is_known(map: &RtpMap) -> bool {
    let g711 = [Law::Mu, Law::A].iter().any(|law| map.encoding.eq_ignore_ascii_case(law.name().as_bytes()));
    map.clock_rate == 8_000 && (g711 || PASSED.iter().any(|name| map.encoding.eq_ignore_ascii_case(name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const OFFER: &str = "v=0\r\no=alice 11 22 IN IP4 10.0.0.5\r\ns=call\r\n\
        i=secretly\r\nu=http://secretly/\r\ne=secretly@10.0.0.5\r\np=+1 555\r\nc=IN IP4 10.0.0.5\r\nt=0 0\r\n\
        a=group:BUNDLE 0 1\r\n\
        m=video 4002 RTP/AVP 31\r\n\
        m=audio 4000 RTP/AVP 111 0 9 100\r\na=rtpmap:111 opus/48000/2\r\na=fmtp:111 useinbandfec=1\r\n\
        a=rtpmap:100 telephone-event/8000\r\na=fmtp:100 0-16\r\na=rtcp-mux\r\na=rtcp:4007\r\na=ptime:20\r\n\
        a=candidate:1 1 UDP 1 10.0.0.5 4000 typ host\r\na=sendrecv\r\n";

    fn offer() -> Session {
        OFFER.parse().unwrap()
    }

    fn signalling() -> IpAddr {
        "203.0.113.9".parse().unwrap()
    }

    fn ours(choices: Vec<Choice>) -> Ours {
        Ours { address: "192.0.2.1:20000".parse().unwrap(), choices, events: Some(101), holds: false }
    }

    #[test]
    fn nothing_of_one_sides_description_reaches_the_other() {
        let ours = Ours { events: events(&offer()), ..ours(choices(&offer())) };
        let text = String::from_utf8(ours.offer(&mut Voice::new(7)).to_vec()).unwrap();
        for word in
            ["10.0.0.5", "alice", "secretly", "555", "candidate", "4000", "4002", "4007", "rtcp-mux", "opus", "BUNDLE"]
        {
            assert!(!text.contains(word), "{word} crossed:\n{text}");
        }
        for word in [
            "o=- 7 1 IN IP4 192.0.2.1",
            "m=audio 20000 RTP/AVP 0 9 100",
            "a=rtpmap:100 telephone-event/8000",
            "a=fmtp:100 0-16",
        ] {
            assert!(text.contains(word), "lacks {word}:\n{text}");
        }
    }

    #[test]
    fn an_answer_closes_what_is_not_the_call_and_keeps_the_offers_payload_types() {
        let text = ours(vec![Choice::g711(Law::Mu)]).answer(&offer(), &mut Voice::new(7)).unwrap();
        let text = String::from_utf8(text.to_vec()).unwrap();
        for word in ["m=video 0 RTP/AVP 31", "m=audio 20000 RTP/AVP 0 100"] {
            assert!(text.contains(word), "lacks {word}:\n{text}");
        }
        assert_eq!(ours(vec![Choice::g711(Law::A)]).answer(&offer(), &mut Voice::new(7)), None, "nothing in common");
    }

    #[test]
    fn events_take_a_payload_type_that_no_codec_has() {
        let taken = Choice(sdp::Codec::new("iLBC", 8_000, 101));
        let offer = Session::parse(&ours(vec![taken]).offer(&mut Voice::new(7))).unwrap();
        assert_eq!(events(&offer), Some(96));
        let without = Ours { events: None, ..ours(vec![Choice::g711(Law::Mu)]) };
        assert_eq!(events(&Session::parse(&without.offer(&mut Voice::new(7))).unwrap()), None);
    }

    #[test]
    fn what_does_not_pass_is_left_out() {
        let names: Vec<_> = choices(&offer()).iter().map(Choice::name).collect();
        assert_eq!(names, ["PCMU", "G722"]);
        for (from, to) in [("111 0 9 100", "111 100"), ("RTP/AVP 111", "RTP/SAVP 111"), ("m=audio 4000", "m=audio 0")] {
            let session: Session = OFFER.replace(from, to).parse().unwrap();
            assert_eq!(choices(&session), [], "{to}");
        }
        let allowed: Vec<_> =
            choices(&offer()).into_iter().filter(|choice| choice.is_among(Some(&[Codec::G722]))).collect();
        assert_eq!(allowed.iter().map(Choice::name).collect::<Vec<_>>(), ["G722"]);
    }

    #[test]
    fn a_phone_behind_nat_may_be_learned_from_where_its_signalling_comes() {
        let heard = heard(&offer(), signalling()).unwrap();
        assert_eq!(heard.expected.media(), "10.0.0.5:4000".parse().unwrap());
        assert_eq!(heard.expected.control(), "10.0.0.5:4007".parse().unwrap());
        assert_eq!(heard.expected.learned_host(), Some(signalling()));
        assert!(!heard.holds);
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
        let mut voice = Voice::new(7);
        let mut ours = ours(vec![Choice::g711(Law::Mu)]);
        let first = ours.offer(&mut voice);
        assert_eq!(ours.offer(&mut voice), first);
        ours.holds = true;
        let second: Session = Session::parse(&ours.offer(&mut voice)).unwrap();
        assert_eq!(second.origin.version(), Some(2));
    }

    #[test]
    fn the_media_is_told_the_payload_type_that_was_agreed() {
        let dynamic: Session = OFFER
            .replace("111 0 9 100", "96")
            .replace("a=rtpmap:111 opus/48000/2", "a=rtpmap:96 pcma/8000")
            .parse()
            .unwrap();
        let [choice] = &choices(&dynamic)[..] else { panic!("one codec") };
        let format = Format { codec: media::Codec::G711(Law::A), payload_type: 96, dtmf: None };
        assert_eq!((choice.format(None), choice.name().as_str()), (format, "PCMA"));
    }
}
