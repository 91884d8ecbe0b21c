//! Every exchange of RFC 4317, answered from plain capabilities and compared line by line.

use std::collections::BTreeMap;

use sip_core::sdp::{self, Capabilities, Codec, Connection, Direction, Session, Stream};

const EXCHANGES: &str = include_str!("data/rfc4317.txt");

fn descriptions() -> BTreeMap<&'static str, Session> {
    EXCHANGES
        .split("== ")
        .skip(1)
        .map(|section| {
            let (title, text) = section.split_once('\n').unwrap();
            (title, text.parse().unwrap_or_else(|error| panic!("{title}: {error}")))
        })
        .collect()
}

/// A stream with codecs by name, in our order.
fn stream(kind: &'static str, port: u16, codecs: &[&str]) -> Stream {
    let mut stream = Stream::new(kind, port);
    for name in codecs {
        stream = match *name {
            "PCMU" => stream.with_codec(Codec::pcmu()),
            "PCMA" => stream.with_codec(Codec::pcma()),
            "iLBC" => stream.with_codec(Codec::new("iLBC", 8_000, 99)),
            "H261" => stream.with_codec(Codec::new("H261", 90_000, 31)),
            "MPV" => stream.with_codec(Codec::new("MPV", 90_000, 32)),
            "events" => stream.with_telephone_event(""),
            other => panic!("{other}"),
        };
    }
    stream
}

fn audio(port: u16, codecs: &[&str]) -> Stream {
    stream("audio", port, codecs)
}

fn video(port: u16, codecs: &[&str]) -> Stream {
    stream("video", port, codecs)
}

/// What the answerer of each exchange can do.
fn exchanges() -> Vec<(&'static str, Vec<Stream>)> {
    let ilbc_with_own_type = Stream { own_payloads: true, ..audio(49172, &["iLBC"]) };
    vec![
        ("2.1", vec![audio(49174, &["PCMU"]), video(49170, &["MPV"])]),
        ("2.2", vec![audio(49172, &["PCMU", "PCMA"])]),
        ("2.2 second", vec![audio(49172, &["PCMU", "PCMA"])]),
        ("2.3", vec![ilbc_with_own_type, video(51374, &["H261"])]),
        ("2.4", vec![audio(49172, &["iLBC"]), audio(49174, &["events"])]),
        ("2.5", vec![audio(49174, &["iLBC"]), video(49170, &["H261"])]),
        ("2.5 second", vec![audio(49170, &["iLBC"]), video(51372, &["H261"])]),
        ("2.6", vec![audio(49170, &["iLBC", "events"])]),
        ("2.7", vec![audio(49172, &["iLBC"]), video(51374, &["H261", "MPV"])]),
        ("2.7 second", vec![audio(49172, &["iLBC"]), video(51374, &["H261", "MPV"])]),
        (
            "2.8",
            vec![
                audio(49174, &["PCMU"]),
                video(49172, &["MPV"]).with_connection(Connection::name("otherhost.biloxi.example.com")),
            ],
        ),
        ("3.1", vec![audio(49172, &["iLBC"]).with_direction(Direction::SendOnly)]),
        ("3.1 second", vec![audio(49178, &["iLBC"])]),
        ("3.2", vec![audio(49172, &["iLBC"]), audio(49174, &["events"])]),
        ("3.2 second", vec![audio(49170, &["PCMU", "iLBC"]), audio(49172, &["events"])]),
        ("4.1", vec![audio(49170, &["iLBC"])]),
        (
            "4.1 second",
            vec![
                audio(49170, &["iLBC"]),
                audio(49172, &["events"]).with_connection(Connection::name("host.atlanta.example.com")),
            ],
        ),
        ("4.2", vec![audio(49172, &["PCMU"])]),
        ("4.2 second", vec![audio(49172, &["PCMU"]), video(49168, &["H261"])]),
        ("4.3", vec![audio(49174, &["iLBC"]), video(49170, &["H261"])]),
        ("4.3 second", vec![audio(49170, &["iLBC"]), video(49170, &["H261"])]),
        ("5.1", vec![audio(49172, &["iLBC"])]),
        ("5.1 second", vec![audio(49172, &["iLBC"])]),
        ("5.2", vec![audio(49170, &["iLBC"])]),
        ("5.2 second", vec![audio(49170, &["iLBC"])]),
        ("5.3", vec![audio(9322, &["iLBC"])]),
        ("5.3 second", vec![audio(49170, &["iLBC"])]),
    ]
}

#[test]
fn every_exchange_of_rfc_4317_is_reproduced() {
    let descriptions = descriptions();
    let exchanges = exchanges();
    assert_eq!(descriptions.len(), 2 * exchanges.len());
    for (title, streams) in exchanges {
        let offer = &descriptions[format!("{title} offer").as_str()];
        let printed = &descriptions[format!("{title} answer").as_str()];
        let capabilities = Capabilities {
            name: printed.name.clone(),
            connection: printed.connection.clone().unwrap(),
            streams,
            ..Capabilities::new(printed.origin.clone())
        };
        let mut answer = sdp::answer(offer, &capabilities).unwrap_or_else(|error| panic!("{title}: {error}"));
        sdp::check_answer(offer, &answer).unwrap_or_else(|error| panic!("{title}: {error}"));
        if title == "3.2 second" {
            // The RFC prints an answer that RFC 3264 §6.1 forbids: sendrecv to an offer of sendonly. It also lists a
            // codec that was not offered, which is allowed and which we do not do.
            sdp::check_answer(offer, printed).unwrap_err();
            assert_eq!(answer.media[0].direction(), Some(Direction::RecvOnly));
            assert_eq!(answer.media[0].formats, ["97"]);
            answer.media[0] = printed.media[0].clone();
        }
        assert_eq!(answer.to_string(), printed.to_string(), "{title}");
    }
}
