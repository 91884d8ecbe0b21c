//! Every multipart body and fragment of the complete messages that RFCs print.

use std::fs;
use std::path::Path;

use bytes::Bytes;
use sip_core::body::{Bounds, Multipart, SipFragment};
use sip_core::header::ContentType;
use sip_core::{Limits, Message};

const EXAMPLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data/sip/rfc-examples");

/// Bodies that are not what their header says, as they are printed.
const MISPRINTS: &[(&str, &[&str])] = &[
    ("no empty line between headers and content", &["rfc3204/001.sip", "rfc4662/013.sip", "rfc6086/008.sip"]),
    ("marks of the print within the headers", &["rfc6086/007.sip", "rfc6216/003.sip", "rfc6216/005.sip"]),
    (
        "the last delimiter is missing",
        &["rfc3261/014.sip", "rfc3261/016.sip", "rfc7866/001.sip", "rfc8876/001.sip", "rfc8876/002.sip"],
    ),
    ("the last delimiter has another name", &["rfc5589/037.sip"]),
    ("three points for a number", &["rfc5359/101.sip"]),
];

#[test]
fn every_multipart_body_and_fragment_in_rfcs_is_read_and_written_back() {
    let Ok(index) = fs::read_to_string(Path::new(EXAMPLES).join("index.tsv")) else {
        eprintln!("skipped: the RFCs' example messages are not there ({EXAMPLES})");
        return;
    };
    let (mut multiparts, mut parts, mut fragments) = (0, 0, 0);
    let mut wrong = Vec::new();
    for line in index.lines().skip(1).filter(|line| line.split('\t').any(|field| field == "complete")) {
        let file = line.split('\t').next().unwrap();
        let bytes = Bytes::from(fs::read(Path::new(EXAMPLES).join(file)).unwrap());
        let Ok(message) = Message::parse(bytes, &Limits::default()) else { continue };
        let Ok(Some(kind)) = message.headers().typed::<ContentType>() else { continue };
        if message.body().is_empty() {
            continue;
        }
        if kind.is("message", "sipfrag") {
            match SipFragment::parse(message.body(), &Limits::default()) {
                Ok(_) => fragments += 1,
                Err(error) => wrong.push(format!("{file}: {error}")),
            }
        }
        match Multipart::of(&kind, message.body(), &Bounds::default()) {
            Ok(None) => {}
            Ok(Some(multipart)) => {
                multiparts += 1;
                parts += multipart.parts().len();
                for part in multipart.parts() {
                    if let Err(error) = multipart.nested(part) {
                        wrong.push(format!("{file}: nested: {error}"));
                    }
                }
                let boundary = kind.boundary().unwrap();
                let written = Multipart::write(multipart.parts(), &boundary).unwrap();
                let again = Multipart::parse(&written, &boundary, &Bounds::default()).unwrap();
                assert!(
                    multipart
                        .parts()
                        .iter()
                        .map(|part| part.as_bytes())
                        .eq(again.parts().iter().map(|part| part.as_bytes()))
                );
            }
            Err(error) => wrong.push(format!("{file}: {error}")),
        }
    }
    let listed: Vec<_> = MISPRINTS.iter().flat_map(|(_, files)| files.iter()).collect();
    wrong.retain(|found| !listed.iter().any(|file| found.starts_with(**file)));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    println!("{multiparts} multipart bodies with {parts} parts, {fragments} fragments");
    assert!(multiparts > 0 && fragments > 0);
}
