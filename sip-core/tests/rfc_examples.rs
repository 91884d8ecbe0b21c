//! Every SIP message that is printed in an RFC.

use std::collections::BTreeSet;
use std::path::Path;

use bytes::Bytes;
use sip_core::{Limits, Message, ParseError, Part};

/// Headers that the RFCs print against their own grammar: message, header, what is wrong.
const MISPRINTS: &str = include_str!("misprints.tsv");

#[test]
fn every_complete_message_printed_in_an_rfc_is_read_and_written_as_it_came() {
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data/sip/rfc-examples"));
    let Ok(index) = std::fs::read_to_string(folder.join("index.tsv")) else {
        eprintln!("SKIPPED for want of {}", folder.display());
        return;
    };
    let mut lines = index.lines();
    let columns = lines.next().unwrap().split('\t').collect::<Vec<_>>();
    let status = columns.iter().position(|column| *column == "status").unwrap();
    let (mut complete, mut malformed) = (0, BTreeSet::new());
    for line in lines {
        let fields = line.split('\t').collect::<Vec<_>>();
        if fields[status] != "complete" {
            continue;
        }
        complete += 1;
        let bytes = Bytes::from(std::fs::read(folder.join(fields[0])).unwrap());
        let mut note = |error: ParseError| {
            let Part::Header(name) = error.part else { panic!("{}: {error}", fields[0]) };
            malformed.insert((fields[0].to_owned(), name.to_string()));
        };
        let message = match Message::parse(bytes.clone(), &Limits::default()) {
            Ok(message) => message,
            Err(error) => {
                note(error);
                continue;
            }
        };
        assert_eq!(message.to_bytes(), bytes, "{}", fields[0]);
        let finished = match &message {
            Message::Request(request) => request.edit().finish().to_bytes(),
            Message::Response(response) => response.edit().finish().to_bytes(),
        };
        assert_eq!(finished, bytes, "{}", fields[0]);
        message.headers().malformed().into_iter().for_each(note);
    }
    assert_eq!(complete, 1_334);
    let misprinted = MISPRINTS.lines().map(|line| {
        let fields = line.split('\t').collect::<Vec<_>>();
        (fields[0].to_owned(), fields[1].to_owned())
    });
    let misprinted = misprinted.collect::<BTreeSet<_>>();
    let unread = malformed.difference(&misprinted).collect::<Vec<_>>();
    assert!(unread.is_empty(), "legal headers that are refused: {unread:#?}");
    let accepted = misprinted.difference(&malformed).collect::<Vec<_>>();
    assert!(accepted.is_empty(), "misprints that are accepted: {accepted:#?}");
}
