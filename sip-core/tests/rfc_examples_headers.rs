//! Every header of every complete message that an RFC prints, read as its type.

mod rfc;

use std::collections::{BTreeSet, HashSet};

use bytes::Bytes;
use sip_core::header::{HeaderName, TYPED, canonical};
use sip_core::{Limits, Message, ParseError};

/// What is misprinted in RFCs, each with what was meant.
///
/// None of it is read, because a reader would have to guess:
/// - a URI without a scheme: `bob@biloxi.com` may be `sip`, `sips` or `im` (RFC 3261 §25.1: `absoluteURI` has a scheme);
/// - brackets that close twice or not at all, two lines on one, half of an address, prose, three points: what the header
///   ends with cannot be known;
/// - `tag:1` for `tag=1`: a tag that one element sees and the other does not makes two dialogs of one;
/// - a route without brackets: its `lr` would be the header's parameter, and the hop a strict router (RFC 3261 §20.34);
/// - a semicolon, comma or quote that is missing, an empty parameter: RFC 4475 §3.1.2.1 has the latter as invalid;
/// - a user or a scheme in sent-by: the response would go where no grammar says;
/// - white space within the brackets of a URI or within a name: RFC 4475 §3.1.2.14 has it as invalid.
const MISPRINTS: &str = include_str!("data/misprints.tsv");

struct Misprint {
    messages: Vec<&'static str>,
    name: HeaderName,
    /// What a reader says of it, and where.
    error: String,
    printed: &'static str,
    meant: &'static str,
}

fn misprints() -> Vec<Misprint> {
    let lines = MISPRINTS.lines().filter(|line| !line.starts_with('#')).skip(1);
    lines
        .map(|line| {
            let [messages, name, error, offset, printed, meant, why] = line.split('\t').collect::<Vec<_>>()[..] else {
                panic!("seven columns: {line}")
            };
            assert!(!why.is_empty(), "{line}");
            Misprint {
                messages: messages.split(' ').collect(),
                name: name.parse().unwrap(),
                error: format!("{error} at {offset}"),
                printed,
                meant,
            }
        })
        .collect()
}

fn said(error: &ParseError) -> String {
    format!("{} at {}", error.kind, error.offset)
}

/// Reads all typed headers and writes them: the names of those read, and the values refused with what was said.
fn read(example: &rfc::Example) -> (BTreeSet<String>, Vec<(HeaderName, Bytes, String)>) {
    let (name, bytes) = example;
    let (mut read, mut refused) = (BTreeSet::new(), Vec::new());
    let message = Message::parse(bytes.clone(), &Limits::default()).unwrap_or_else(|error| panic!("{name}: {error}"));
    for header in message.headers().iter() {
        match canonical(&header.name, &header.value) {
            None => {}
            Some(Ok(written)) => {
                read.insert(header.name.to_string());
                assert_eq!(canonical(&header.name, &written), Some(Ok(written)), "{name} {}", header.name);
            }
            Some(Err(error)) => refused.push((header.name.clone(), header.value.clone(), said(&error))),
        }
    }
    (read, refused)
}

#[test]
fn every_misprint_is_refused_for_what_is_misprinted_and_read_as_it_was_meant() {
    for Misprint { name, error, printed, meant, .. } in misprints() {
        let refused = canonical(&name, &Bytes::from_static(printed.as_bytes())).unwrap().unwrap_err();
        assert_eq!(said(&refused), error, "{name}: {printed}");
        let read = canonical(&name, &Bytes::from_static(meant.as_bytes())).unwrap();
        assert!(read.is_ok(), "{name}: {meant}: {read:?}");
    }
}

#[test]
fn every_header_that_has_a_type_is_read_in_the_messages_that_are_carried_here() {
    let mut all = BTreeSet::new();
    for example in rfc::carried() {
        let (read, refused) = read(&example);
        assert_eq!(refused, [], "{}", example.0);
        all.extend(read);
    }
    let typed: BTreeSet<_> = TYPED.iter().map(ToString::to_string).collect();
    assert_eq!(typed.difference(&all).collect::<Vec<_>>(), [] as [&String; 0]);
}

#[test]
fn every_header_of_the_messages_in_rfcs_is_read_as_its_type_and_written_alike() {
    let Some(messages) = rfc::shared() else { return };
    let misprints = misprints();
    let listed = |message: &str, name: &HeaderName, value: &[u8]| {
        misprints.iter().position(|misprint| {
            misprint.messages.contains(&message) && misprint.name == *name && misprint.printed.as_bytes() == value
        })
    };
    let (mut found, mut wrong) = (HashSet::new(), Vec::new());
    for (message, bytes) in messages {
        // Without a body length there is no message to look into.
        if let Err(error) = Message::parse(bytes.clone(), &Limits::default()) {
            let text = String::from_utf8_lossy(&bytes).split_whitespace().collect::<Vec<_>>().join(" ");
            let misprint = misprints.iter().position(|misprint| misprint.messages == [message.as_str()]).unwrap();
            let Misprint { name, printed, .. } = &misprints[misprint];
            assert!(text.contains(&format!("{name}: {printed}")), "{message}: {error}");
            found.insert((message, misprint));
            continue;
        }
        for (name, value, error) in read(&(message.clone(), join_broken_lines(&bytes))).1 {
            match listed(&message, &name, &value) {
                Some(misprint) => {
                    assert_eq!(error, misprints[misprint].error, "{message} {name}");
                    found.insert((message.clone(), misprint));
                }
                None => wrong.push(format!("{message} {name}: {error}: {}", String::from_utf8_lossy(&value))),
            }
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
    // A misprint that is listed and not found is no misprint.
    for (index, misprint) in misprints.iter().enumerate() {
        for message in &misprint.messages {
            assert!(found.contains(&((*message).to_owned(), index)), "{message}: {}", misprint.printed);
        }
    }
}

/// RFCs 4244, 4458, 7058, 7131 and 7701 end a printed line with a backslash where they break what is one word.
fn join_broken_lines(message: &[u8]) -> Bytes {
    let head = message.windows(4).position(|window| window == b"\r\n\r\n").unwrap_or(message.len());
    let mut joined = Vec::with_capacity(message.len());
    let mut at = 0;
    while at < message.len() {
        if at < head && message[at..].starts_with(b"\\\r\n") && matches!(message[at + 3], b' ' | b'\t') {
            at += 3;
            at += message[at..].iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
        } else {
            joined.push(message[at]);
            at += 1;
        }
    }
    joined.into()
}
