//! Making offers and answers: RFC 3264 as pure functions.

use bytes::Bytes;

use super::{
    Attribute, Capabilities, Codec, Connection, Direction, Fmtp, Media, Preference, RtpMap, Session, Stream, Time,
    TypedAttribute,
};

/// The first dynamic payload type, for events in offers; RFC 3551 §3 gives 96 to 127.
const DYNAMIC: core::ops::RangeInclusive<u8> = 96..=127;

/// Why an offer cannot be answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum AnswerError {
    /// None of the streams is one that we can open. The request is answered with 488.
    #[error("no stream of the offer is acceptable")]
    NothingAcceptable,
}

/// Answers an offer (RFC 3264 §6).
///
/// The answer has as many streams as the offer, in its order. A stream that we cannot open (of another kind or
/// transport, without a common codec, without an address) is rejected with port 0, and so are those that the offer
/// closes. Codecs keep the offer's payload types; telephone events come with the codec of their clock rate only. The
/// direction is what the offer leaves us of our own: `sendonly` is answered with `recvonly`, `inactive` with
/// `inactive`; the null address of RFC 2543 with a normal description (RFC 4317 §5.2), although nothing may be sent
/// there, as [`flow`](super::flow()) tells. Groups, ICE, RTCP multiplexing and keys are not answered, which declines
/// them.
///
/// # Errors
/// When the offer has streams and none of them is acceptable.
pub fn answer(offer: &Session, capabilities: &Capabilities) -> Result<Session, AnswerError> {
    let mut free: Vec<&Stream> = capabilities.streams.iter().collect();
    let mut accepted = false;
    let mut offered = false;
    let mut answer = Session::new(capabilities.origin.clone());
    answer.name = capabilities.name.clone();
    answer.connection = Some(capabilities.connection.clone());
    // The answer takes place when the offer does (RFC 3264 §6).
    answer.times.clone_from(&offer.times);

    for (index, media) in offer.media.iter().enumerate() {
        let is_open = media.port != 0;
        offered |= is_open;
        let mut found = None;
        if is_open && offer.connection_of(media).is_some() {
            for (place, stream) in free.iter().enumerate() {
                let matching = matching(media, stream, index, capabilities.preference);
                if !matching.is_empty() {
                    found = Some((place, matching));
                    break;
                }
            }
        }
        answer.media.push(match found {
            Some((place, formats)) => {
                accepted = true;
                let stream = free.remove(place);
                accept(offer, media, stream, &formats)
            }
            None => reject(media),
        });
    }
    if offered && !accepted {
        return Err(AnswerError::NothingAcceptable);
    }
    Ok(answer)
}

/// Makes an offer of all streams (RFC 3264 §5).
///
/// Events get a payload type that no codec has, one for each clock rate.
#[must_use]
pub fn offer(capabilities: &Capabilities) -> Session {
    let mut offer = Session::new(capabilities.origin.clone());
    offer.name = capabilities.name.clone();
    offer.connection = Some(capabilities.connection.clone());
    offer.times = vec![Time::unbounded()];
    for stream in &capabilities.streams {
        let proto = stream.protos.first().cloned().unwrap_or_else(|| Bytes::from_static(b"RTP/AVP"));
        let mut media = Media::new(stream.kind.clone(), stream.port, proto);
        let mut formats: Vec<Format> = Vec::new();
        for codec in &stream.codecs {
            formats.push(Format { map: codec.rtpmap(codec.payload), fmtp: codec.fmtp.clone() });
        }
        if let Some(events) = &stream.telephone_event {
            let mut rates: Vec<u32> = Vec::new();
            for codec in stream.codecs.iter().filter(|codec| !codec.rtpmap(codec.payload).is_auxiliary()) {
                if !rates.contains(&codec.clock_rate) {
                    rates.push(codec.clock_rate);
                }
            }
            for rate in rates {
                // By custom 101; some phones know no other.
                let used = |payload: &u8| formats.iter().any(|format| format.map.payload == *payload);
                let Some(payload) = core::iter::once(101).chain(DYNAMIC).find(|payload| !used(payload)) else { break };
                formats.push(Format { map: telephone_event(payload, rate), fmtp: said(events) });
            }
        }
        describe(&mut media, stream, &formats);
        if let Some(ptime) = stream.ptime {
            media.attributes.push(Attribute::new("ptime", ptime.to_string()));
        }
        if stream.direction != Direction::SendRecv {
            media.attributes.push(Attribute::flag(stream.direction.as_str()));
        }
        media.attributes.extend(stream.attributes.iter().cloned());
        offer.media.push(media);
    }
    offer
}

/// A format to answer with.
#[derive(Clone)]
struct Format {
    map: RtpMap,
    fmtp: Option<Bytes>,
}

/// The formats that both sides have, in the order that decides. Empty: the stream does not fit.
fn matching(media: &Media, stream: &Stream, index: usize, preference: Preference) -> Vec<Format> {
    let fits = stream.index.is_none_or(|wanted| wanted == index)
        && media.kind.eq_ignore_ascii_case(&stream.kind)
        && stream.protos.iter().any(|proto| proto.eq_ignore_ascii_case(&media.proto))
        && media.is_rtp();
    if !fits {
        return Vec::new();
    }
    let maps: Vec<RtpMap> = rtpmaps(media);
    let codec_of = |map: &RtpMap| stream.codecs.iter().position(|codec| codec.matches(map));
    let mut common: Vec<(usize, &RtpMap, &Codec)> = Vec::new();
    for map in &maps {
        // The same codec twice, with other parameters perhaps, is answered once: the first is preferred.
        let Some(place) = codec_of(map).filter(|place| !common.iter().any(|(other, ..)| other == place)) else {
            continue;
        };
        common.extend(stream.codecs.get(place).map(|codec| (place, map, codec)));
    }
    if preference == Preference::Own {
        common.sort_by_key(|(place, ..)| *place);
    }

    let mut chosen: Vec<Format> = Vec::new();
    let mut rates: Vec<u32> = Vec::new();
    for (_, map, codec) in common.iter().filter(|(_, map, _)| !map.is_auxiliary()) {
        let format = format(map, codec, stream);
        // Our own payload types may be the same for two codecs: the second one could not be told from the first.
        if is_taken(&chosen, format.map.payload) {
            continue;
        }
        chosen.push(format);
        rates.push(map.clock_rate);
        if stream.single_codec {
            break;
        }
    }
    if chosen.is_empty() && maps.iter().any(|map| !map.is_auxiliary()) {
        // Events and noise alone do not make a call when there were codecs to choose from.
        return Vec::new();
    }
    // A stream of events alone (RFC 4317 §2.4) has no codec whose clock rate it must share.
    let goes_along = |map: &RtpMap| rates.is_empty() || rates.contains(&map.clock_rate);
    for (_, map, codec) in common.iter().filter(|(_, map, _)| map.is_auxiliary() && goes_along(map)) {
        let format = format(map, codec, stream);
        if !is_taken(&chosen, format.map.payload) {
            chosen.push(format);
        }
    }
    if let Some(events) = &stream.telephone_event {
        let mut answered: Vec<u32> = Vec::new();
        for map in maps.iter().filter(|map| map.is_telephone_event() && goes_along(map)) {
            if !answered.contains(&map.clock_rate) && !is_taken(&chosen, map.payload) {
                answered.push(map.clock_rate);
                chosen.push(Format { map: map.clone(), fmtp: said(events) });
            }
        }
    }
    chosen
}

/// Whether a payload type means something already.
fn is_taken(chosen: &[Format], payload: u8) -> bool {
    chosen.iter().any(|format| format.map.payload == payload)
}

/// The meanings of the formats of a stream, in their order.
fn rtpmaps(media: &Media) -> Vec<RtpMap> {
    let mut stated: [Option<RtpMap>; 128] = [const { None }; 128];
    for map in media.rtpmaps() {
        if let Some(place @ None) = stated.get_mut(usize::from(map.payload)) {
            *place = Some(map);
        }
    }
    let meaning = |format: &Bytes| {
        let payload = super::codec::payload_type(format)?;
        stated.get(usize::from(payload)).cloned().flatten().or_else(|| RtpMap::from_static(payload))
    };
    media.formats.iter().filter_map(meaning).collect()
}

fn format(map: &RtpMap, codec: &Codec, stream: &Stream) -> Format {
    let payload = if stream.own_payloads { codec.payload } else { map.payload };
    Format { map: RtpMap { payload, ..map.clone() }, fmtp: codec.fmtp.clone() }
}

fn telephone_event(payload: u8, clock_rate: u32) -> RtpMap {
    RtpMap { payload, encoding: Bytes::from_static(b"telephone-event"), clock_rate, channels: 1 }
}

fn said(events: &Bytes) -> Option<Bytes> {
    (!events.is_empty()).then(|| events.clone())
}

/// Writes formats and their attributes into a stream.
fn describe(media: &mut Media, stream: &Stream, formats: &[Format]) {
    media.connection.clone_from(&stream.connection);
    for format in formats {
        media.formats.push(format.map.payload.to_string().into());
        media.attributes.push(format.map.to_attribute());
        if let Some(parameters) = &format.fmtp {
            let mut value = format!("{} ", format.map.payload).into_bytes();
            value.extend_from_slice(parameters);
            media.attributes.push(Attribute::new("fmtp", value));
        }
    }
}

/// Our side of a stream that we open.
fn accept(offer: &Session, offered: &Media, stream: &Stream, formats: &[Format]) -> Media {
    let mut media = Media::new(offered.kind.clone(), stream.port, offered.proto.clone());
    describe(&mut media, stream, formats);
    let limit = offered.max_ptime().unwrap_or(u32::MAX);
    if let Some(ptime) = stream.ptime.or(offered.ptime()).filter(|ptime| *ptime > 0 && *ptime <= limit) {
        media.attributes.push(Attribute::new("ptime", ptime.to_string()));
    }
    let direction = offer.direction_of(offered).reversed().and(stream.direction);
    if direction != Direction::SendRecv {
        media.attributes.push(Attribute::flag(direction.as_str()));
    }
    media.attributes.extend(stream.attributes.iter().cloned());
    media
}

/// The answer to a stream that we do not open: its line with port 0, and one format because the grammar wants one
/// (RFC 3264 §6).
fn reject(offered: &Media) -> Media {
    let mut media = Media::new(offered.kind.clone(), 0, offered.proto.clone());
    let Some(format) = offered.formats.first() else { return media };
    media.formats.push(format.clone());
    let is_of_format = |attribute: &&Attribute| {
        attribute.name == "rtpmap"
            && attribute.value.as_ref().and_then(Fmtp::parse).is_some_and(|value| value.format == *format)
    };
    media.attributes.extend(offered.attributes.iter().find(is_of_format).cloned());
    media
}

impl Stream {
    /// With another host than the rest.
    #[must_use]
    pub fn with_connection(mut self, connection: Connection) -> Self {
        self.connection = Some(connection);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sdp::{Origin, check_answer, flow};
    use proptest::prelude::*;

    fn offered(lines: &str) -> Session {
        format!("v=0\r\no=a 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=3034423619 0\r\n{lines}")
            .parse()
            .unwrap()
    }

    fn capabilities(stream: Stream) -> Capabilities {
        Capabilities::new(Origin::new("-", 5, 1, "198.51.100.7".parse().unwrap())).with_stream(stream)
    }

    fn g711() -> Stream {
        Stream::audio(10_000).with_codec(Codec::pcmu()).with_codec(Codec::pcma()).with_telephone_event("0-16")
    }

    /// The lines of the answer's streams.
    fn lines(offer: &str, capabilities: &Capabilities) -> Result<Vec<String>, AnswerError> {
        let offer = offered(offer);
        let answer = answer(&offer, capabilities)?;
        check_answer(&offer, &answer).unwrap();
        assert_eq!(Session::parse(&answer.to_bytes()).unwrap(), answer);
        let text = answer.to_string();
        Ok(text.lines().skip_while(|line| !line.starts_with("m=")).map(str::to_owned).collect())
    }

    #[test]
    fn an_answer_has_the_offers_times_and_our_origin_and_address() {
        let answer = answer(&offered("m=audio 1 RTP/AVP 0\r\n"), &capabilities(g711())).unwrap();
        let expected = "v=0\r\no=- 5 1 IN IP4 198.51.100.7\r\ns=-\r\nc=IN IP4 198.51.100.7\r\nt=3034423619 0\r\n\
                        m=audio 10000 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n";
        assert_eq!(answer.to_string(), expected);
    }

    #[test]
    fn the_offers_order_of_codecs_decides_unless_ours_shall() {
        let mut capabilities = capabilities(g711());
        let offer = "m=audio 1 RTP/AVP 18 8 0\r\n";
        assert_eq!(lines(offer, &capabilities).unwrap()[0], "m=audio 10000 RTP/AVP 8 0");
        capabilities.streams[0].single_codec = true;
        assert_eq!(lines(offer, &capabilities).unwrap()[0], "m=audio 10000 RTP/AVP 8");
        capabilities.preference = Preference::Own;
        assert_eq!(lines(offer, &capabilities).unwrap()[0], "m=audio 10000 RTP/AVP 0");
    }

    #[test]
    fn dynamic_payload_types_are_those_of_the_offer() {
        let stream = Stream::audio(1).with_codec(Codec::new("iLBC", 8_000, 97).with_fmtp("mode=30"));
        let offer = "m=audio 1 RTP/AVP 0 121\r\na=rtpmap:121 ILBC/8000\r\n";
        assert_eq!(
            lines(offer, &capabilities(stream)).unwrap(),
            ["m=audio 1 RTP/AVP 121", "a=rtpmap:121 ILBC/8000", "a=fmtp:121 mode=30"]
        );
    }

    #[test]
    fn telephone_events_are_answered_at_the_clock_rate_of_the_codec() {
        let offer = "m=audio 1 RTP/AVP 111 0 101 102\r\na=rtpmap:111 opus/48000/2\r\na=rtpmap:101 telephone-event/48000\r\n\
                     a=rtpmap:102 telephone-event/8000\r\n";
        let answered = lines(offer, &capabilities(g711())).unwrap();
        assert_eq!(
            answered,
            [
                "m=audio 10000 RTP/AVP 0 102",
                "a=rtpmap:0 PCMU/8000",
                "a=rtpmap:102 telephone-event/8000",
                "a=fmtp:102 0-16"
            ]
        );
        let only_wide = offer.replace(" 102\r\n", "\r\n");
        assert_eq!(lines(&only_wide, &capabilities(g711())).unwrap()[0], "m=audio 10000 RTP/AVP 0");
        let both = g711().with_codec(Codec::new("opus", 48_000, 96).with_channels(2));
        assert_eq!(lines(offer, &capabilities(both)).unwrap()[0], "m=audio 10000 RTP/AVP 111 0 101 102");
    }

    #[test]
    fn a_payload_type_of_our_own_means_one_thing_only() {
        let offer = "m=audio 1 RTP/AVP 96 97 101\r\na=rtpmap:96 opus/48000/2\r\na=rtpmap:97 iLBC/8000\r\n\
                     a=rtpmap:101 telephone-event/8000\r\n";
        let opus = Codec::new("opus", 48_000, 101).with_channels(2);
        let mut stream = Stream::audio(10_000).with_codec(opus).with_codec(Codec::new("iLBC", 8_000, 101));
        stream.own_payloads = true;
        let answered = lines(offer, &capabilities(stream.with_telephone_event("0-16"))).unwrap();
        assert_eq!(answered, ["m=audio 10000 RTP/AVP 101", "a=rtpmap:101 opus/48000/2"]);
    }

    #[test]
    fn telephone_events_without_a_common_codec_are_no_call() {
        let offer = "m=audio 1 RTP/AVP 18 101\r\na=rtpmap:101 telephone-event/8000\r\n";
        assert_eq!(lines(offer, &capabilities(g711())), Err(AnswerError::NothingAcceptable));
    }

    #[test]
    fn streams_of_other_kinds_and_transports_are_rejected_where_they_stand() {
        let offer = "m=video 5 RTP/AVP 31 34\r\na=rtpmap:31 H261/90000\r\nm=audio 6 RTP/SAVP 0\r\n\
                     m=audio 7 UDP/TLS/RTP/SAVPF 0\r\nm=image 8 udptl t38\r\nm=message 9 TCP/MSRP *\r\nm=audio 10 RTP/AVP 0\r\n\
                     m=audio 11 RTP/AVP 0\r\nm=audio 0 RTP/AVP 0\r\nm=application 12 UDP/BFCP\r\n";
        assert_eq!(
            lines(offer, &capabilities(g711())).unwrap(),
            [
                "m=video 0 RTP/AVP 31",
                "a=rtpmap:31 H261/90000",
                "m=audio 0 RTP/SAVP 0",
                "m=audio 0 UDP/TLS/RTP/SAVPF 0",
                "m=image 0 udptl t38",
                "m=message 0 TCP/MSRP *",
                "m=audio 10000 RTP/AVP 0",
                "a=rtpmap:0 PCMU/8000",
                "m=audio 0 RTP/AVP 0",
                "m=audio 0 RTP/AVP 0",
                "m=application 0 UDP/BFCP",
            ]
        );
    }

    #[test]
    fn the_direction_of_the_answer_is_the_inverse_of_the_offers() {
        for (style, expected) in [
            ("", None),
            ("a=sendrecv\r\n", None),
            ("a=sendonly\r\n", Some("a=recvonly")),
            ("a=recvonly\r\n", Some("a=sendonly")),
            ("a=inactive\r\n", Some("a=inactive")),
            ("c=IN IP4 0.0.0.0\r\n", None),
        ] {
            let offer = format!("m=audio 1 RTP/AVP 0\r\n{style}");
            let answered = lines(&offer, &capabilities(g711())).unwrap();
            assert_eq!(answered.get(2).map(String::as_str), expected, "{style}");
        }
        let session_level = "a=sendonly\r\nm=audio 1 RTP/AVP 0\r\n";
        assert_eq!(lines(session_level, &capabilities(g711())).unwrap()[2], "a=recvonly");
    }

    #[test]
    fn our_own_direction_narrows_the_answer() {
        let held = capabilities(g711().with_direction(Direction::SendOnly));
        assert_eq!(lines("m=audio 1 RTP/AVP 0\r\n", &held).unwrap()[2], "a=sendonly");
        assert_eq!(lines("m=audio 1 RTP/AVP 0\r\na=sendonly\r\n", &held).unwrap()[2], "a=inactive");
    }

    #[test]
    fn on_hold_by_the_null_address_we_must_not_send() {
        let offer = offered("m=audio 1 RTP/AVP 0\r\nc=IN IP4 0.0.0.0\r\n");
        let answer = answer(&offer, &capabilities(g711())).unwrap();
        let flow = flow(&answer, &offer, 0).unwrap();
        assert!(!flow.sends && flow.receives);
    }

    #[test]
    fn the_packet_time_is_ours_or_the_offers() {
        let ptime = |offer: &str, stream: Stream| {
            let answer = answer(&offered(&format!("m=audio 1 RTP/AVP 0\r\n{offer}")), &capabilities(stream)).unwrap();
            answer.media[0].ptime()
        };
        assert_eq!(ptime("", g711()), None);
        assert_eq!(ptime("a=ptime:30\r\n", g711()), Some(30));
        assert_eq!(ptime("a=ptime:0\r\n", g711()), None);
        assert_eq!(ptime("a=ptime:30\r\n", g711().with_ptime(20)), Some(20));
        assert_eq!(ptime("a=ptime:30\r\na=maxptime:10\r\n", g711()), None);
    }

    #[test]
    fn a_port_stays_with_its_stream_through_later_offers() {
        let capabilities = capabilities(g711().at(1));
        let first = "m=audio 1 RTP/AVP 0\r\nm=audio 2 RTP/AVP 0\r\n";
        assert_eq!(lines(first, &capabilities).unwrap()[..2], ["m=audio 0 RTP/AVP 0", "m=audio 10000 RTP/AVP 0"]);
    }

    #[test]
    fn an_offer_without_open_streams_is_answered_in_kind() {
        assert!(lines("", &capabilities(g711())).unwrap().is_empty());
        assert_eq!(lines("m=audio 0 RTP/AVP 0\r\n", &capabilities(g711())).unwrap(), ["m=audio 0 RTP/AVP 0"]);
        assert_eq!(lines("m=video 1 RTP/AVP 31\r\n", &capabilities(g711())), Err(AnswerError::NothingAcceptable));
    }

    #[test]
    fn a_stream_without_an_address_is_rejected() {
        let text = "v=0\r\no=a 1 1 IN IP4 192.0.2.1\r\ns=-\r\nt=0 0\r\nm=audio 1 RTP/AVP 0\r\n";
        assert_eq!(answer(&text.parse().unwrap(), &capabilities(g711())), Err(AnswerError::NothingAcceptable));
    }

    #[test]
    fn what_we_offer_can_be_answered_by_ourselves() {
        let stream = g711().with_codec(Codec::new("opus", 48_000, 101).with_channels(2)).with_ptime(20);
        let capabilities = capabilities(stream);
        let offer = offer(&capabilities);
        let expected = ["0", "8", "101", "96", "97"];
        assert_eq!(offer.media[0].formats, expected);
        let maps: Vec<_> = offer.media[0].codecs().map(|map| (map.encoding, map.clock_rate)).collect();
        assert_eq!(maps[3], (Bytes::from("telephone-event"), 8_000));
        assert_eq!(maps[4], (Bytes::from("telephone-event"), 48_000));
        let answer = answer(&offer, &capabilities).unwrap();
        assert_eq!(answer.media[0].formats, expected);
        check_answer(&offer, &answer).unwrap();
    }

    proptest! {
        #[test]
        fn an_answer_always_fits_its_offer(
            streams in proptest::collection::vec(
                ("(audio|video|image)", 0u16..3, "(RTP/AVP|RTP/SAVPF|udptl)", proptest::collection::vec(0u8..130, 0..6),
                 proptest::option::of("(sendonly|recvonly|inactive|sendrecv)")), 0..6),
            own in any::<bool>(), single in any::<bool>(), payloads in any::<bool>(),
        ) {
            let mut text = String::new();
            for (kind, port, proto, formats, direction) in streams {
                text.push_str(&format!("m={kind} {port} {proto}"));
                for format in &formats {
                    text.push_str(&format!(" {format}"));
                }
                text.push_str("\r\na=rtpmap:97 telephone-event/8000\r\na=rtpmap:98 L16/16000\r\n");
                if let Some(direction) = direction {
                    text.push_str(&format!("a={direction}\r\n"));
                }
            }
            let offer = offered(&text);
            let mut capabilities = capabilities(g711().with_codec(Codec::new("L16", 16_000, 118)));
            capabilities.streams[0].single_codec = single;
            capabilities.streams[0].own_payloads = payloads;
            if own {
                capabilities.preference = Preference::Own;
            }
            if let Ok(answer) = answer(&offer, &capabilities) {
                prop_assert_eq!(check_answer(&offer, &answer), Ok(()));
                prop_assert_eq!(&Session::parse(&answer.to_bytes()).unwrap(), &answer);
                for index in 0..offer.media.len() {
                    let ours = flow(&answer, &offer, index);
                    let theirs = flow(&offer, &answer, index);
                    prop_assert_eq!(ours.map(|flow| (flow.sends, flow.receives)),
                        theirs.map(|flow| (flow.receives, flow.sends)));
                }
            }
        }
    }
}
