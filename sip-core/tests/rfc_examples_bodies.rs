//! Every multipart body and fragment of the complete messages that RFCs print.

mod rfc;

use bytes::Bytes;
use sip_core::body::{Bounds, Multipart, SipFragment};
use sip_core::header::ContentType;
use sip_core::{Limits, Message};

/// Bodies that are not what their header says, as they are printed: what is misprinted, in which message, how it is
/// printed and what was meant. The empty print is the end of the body.
const MISPRINTS: &[(&str, &str, &str, &str)] = &[
    (
        "no empty line between headers and content, and a fold without its space",
        "rfc3204/001",
        "\r\nbase=etsi121\r\nContent-Disposition: signal; handling=optional\r\n",
        "\r\n base=etsi121\r\nContent-Disposition: signal; handling=optional\r\n\r\n",
    ),
    ("no empty line between headers and content", "rfc4662/013", "\"UTF-8\"\r\n<?xml", "\"UTF-8\"\r\n\r\n<?xml"),
    ("no empty line between headers and content", "rfc6086/008", "59\r\nI am", "59\r\n\r\nI am"),
    ("three points for further headers", "rfc6086/007", "\r\n...\r\n", "\r\n"),
    ("marks of the print", "rfc6216/003", "allOneLine>\r\n", ""),
    ("marks of the print", "rfc6216/005", "allOneLine>\r\n", ""),
    ("all content and the last delimiter are missing", "rfc3261/014", "", "\r\n\r\n--boundary42--"),
    ("all content and the last delimiter are missing", "rfc3261/016", "", "\r\n\r\n--boundary42--"),
    ("the last delimiter is missing", "rfc7866/001", "", "\r\n--foobar--"),
    ("the last delimiter is missing", "rfc8876/001", "", "\r\n--boundary1--"),
    ("the last delimiter is missing", "rfc8876/002", "", "\r\n--boundary1--"),
    ("the last delimiter has another name", "rfc5589/037", "--unique_boundary-1", "--unique-boundary-1--"),
    ("three points for a number", "rfc5359/101", "Content-Length: ...", "Content-Length: 0"),
];

#[derive(Debug, Default, PartialEq, Eq)]
struct Read {
    multiparts: usize,
    parts: usize,
    fragments: usize,
}

/// Reads what a body is, and writes multipart bodies again.
fn read(kind: &ContentType, body: &Bytes, read: &mut Read) -> Result<(), String> {
    if kind.is("message", "sipfrag") {
        SipFragment::parse(body, &Limits::default()).map_err(|error| error.to_string())?;
        read.fragments += 1;
    }
    let Some(multipart) = Multipart::of(kind, body, &Bounds::default()).map_err(|error| error.to_string())? else {
        return Ok(());
    };
    for part in multipart.parts() {
        multipart.nested(part).map_err(|error| format!("nested: {error}"))?;
    }
    read.multiparts += 1;
    read.parts += multipart.parts().len();
    let boundary = kind.boundary().unwrap();
    let written = Multipart::write(multipart.parts(), &boundary).unwrap();
    let again = Multipart::parse(&written, &boundary, &Bounds::default()).unwrap();
    let bytes =
        |multipart: &Multipart| multipart.parts().iter().map(|part| part.as_bytes().clone()).collect::<Vec<_>>();
    assert_eq!(bytes(&multipart), bytes(&again));
    Ok(())
}

/// The type of a message's body, and the body, where there is one.
fn body((_, bytes): &rfc::Example) -> Option<(ContentType, Bytes)> {
    let message = Message::parse(bytes.clone(), &Limits::default()).ok()?;
    let kind = message.headers().typed::<ContentType>().ok()??;
    Some((kind, message.body().clone())).filter(|(_, body)| !body.is_empty())
}

#[test]
fn every_multipart_body_and_fragment_that_is_carried_here_is_read_and_written_back() {
    let mut counts = Read::default();
    for example in rfc::carried() {
        if let Some((kind, body)) = body(&example) {
            read(&kind, &body, &mut counts).unwrap_or_else(|error| panic!("{}: {error}", example.0));
        }
    }
    assert_eq!(counts, Read { multiparts: 3, parts: 6, fragments: 1 });
}

#[test]
fn every_multipart_body_and_fragment_in_rfcs_is_read_and_written_back() {
    let Some(messages) = rfc::shared() else { return };
    let mut counts = Read::default();
    let mut wrong = Vec::new();
    for example in messages {
        let Some((kind, body)) = body(&example) else { continue };
        let outcome = read(&kind, &body, &mut counts);
        match (MISPRINTS.iter().find(|(_, message, ..)| *message == example.0), outcome) {
            (None, Ok(())) => {}
            (None, Err(error)) => wrong.push(format!("{}: {error}", example.0)),
            (Some((why, ..)), Ok(())) => wrong.push(format!("{} is read although: {why}", example.0)),
            (Some((_, _, printed, meant)), Err(error)) => {
                let body = String::from_utf8(body.to_vec()).unwrap();
                assert!(body.contains(printed), "{}: {printed}", example.0);
                let mended = match *printed {
                    "" => body + meant,
                    "allOneLine>\r\n" => body.replace("</allOneLine>\r\n", "").replace("<allOneLine>\r\n", ""),
                    printed => body.replace(printed, meant),
                };
                // Nothing else is wrong with it.
                if let Err(other) = read(&kind, &mended.into(), &mut Read::default()) {
                    wrong.push(format!("{}: {error}, and when that is mended {other}", example.0));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(counts, Read { multiparts: 10, parts: 19, fragments: 17 });
}
