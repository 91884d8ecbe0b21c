//! Second opinions: what `rsip`, `rsipstack` and `sdp-types` find in messages and descriptions, in those that RFCs print and
//! in thousands that differ from them by a few bytes, is what ours finds, but for what `Class` lists.
//!
//! What only one of two reads is not compared: they do not know folding (`rsip`), IPv6, other methods or transports, and
//! they read lone CRs and LFs, lines without a colon and addresses without a scheme, which RFC 3261 §25.1 does not have.

mod second;

use std::collections::BTreeMap;

use peers_parse::MESSAGES;
use second::message::Found;
use second::{Random, description, message, rsipstack};

/// The messages that sip-core's own tests carry.
const CARRIED: [&str; 3] = [
    include_str!("../../../../sip-core/tests/data/messages_to_rfc4999.txt"),
    include_str!("../../../../sip-core/tests/data/messages_from_rfc5000.txt"),
    include_str!("../../../../sip-core/tests/data/messages_own.txt"),
];

/// The descriptions that they carry.
const DESCRIPTIONS: [&str; 2] = [
    include_str!("../../../../sip-core/tests/data/descriptions.txt"),
    include_str!("../../../../sip-core/tests/data/rfc4317.txt"),
];

fn sections(file: &str) -> impl Iterator<Item = Vec<u8>> {
    let sections = file.get(file.find("== ").unwrap_or_default() + 3..).unwrap_or_default();
    sections
        .split("\n== ")
        .map(|section| section.split_once('\n').expect("a name and a text").1.replace('\n', "\r\n").into_bytes())
}

/// Each seed as it is, then mutations of them.
fn inputs(seeds: &[Vec<u8>], count: usize) -> impl Iterator<Item = Vec<u8>> {
    let mut random = Random(0x1234_5678_9abc_def1);
    (0..count).map(move |round| {
        let mut bytes = seeds[round % seeds.len()].clone();
        if round >= seeds.len() {
            random.mutate(&mut bytes);
        }
        bytes
    })
}

/// How many both read, and how often each class of disagreement was met.
fn judge(other: fn(&[u8]) -> Option<Found>) -> (usize, BTreeMap<message::Class, usize>) {
    const ODD: &[u8] = b"ACK sip:b@a.example SIP/2.0\r\nFrom: \"a<b\" <sip:a@a.example>;tag=1\r\nCSeq: 1 ack\r\n\r\n";
    let seeds: Vec<_> = [ODD.to_vec()]
        .into_iter()
        .chain(MESSAGES.iter().map(|(_, bytes)| bytes.to_vec()).chain(CARRIED.into_iter().flat_map(sections)))
        .collect();
    let (mut both, mut classes) = (0, BTreeMap::new());
    for bytes in inputs(&seeds, 10_000) {
        let (Ok(ours), Some(theirs)) = (message::ours(&bytes), other(&bytes)) else { continue };
        both += 1;
        let known = message::compare(&ours, &theirs)
            .unwrap_or_else(|different| panic!("{different}\n{}", String::from_utf8_lossy(&bytes)));
        known.into_iter().for_each(|class| *classes.entry(class).or_default() += 1);
    }
    (both, classes)
}

#[test]
fn rsip_finds_in_messages_what_ours_finds() {
    use message::Class::{BodyTooLong, List, Method, Quoted, User, Value, WhiteSpace};
    let (both, classes) = judge(message::rsip);
    println!("{both} messages, {classes:?}");
    assert!(both > 2_000, "{both}");
    assert!(classes.keys().eq(&[BodyTooLong, WhiteSpace, User, Value, Quoted, List, Method]), "{classes:?}");
}

#[test]
fn rsipstack_finds_in_messages_what_ours_finds() {
    use message::Class::{List, Method, NoLength, Quoted, User, WhiteSpace};
    let (both, classes) = judge(rsipstack::read);
    println!("{both} messages, {classes:?}");
    assert!(both > 5_000, "{both}");
    assert!(classes.keys().eq(&[NoLength, WhiteSpace, User, Quoted, List, Method]), "{classes:?}");
}

#[test]
fn sdp_types_finds_in_descriptions_what_ours_finds() {
    use description::Class::{Origin, WhiteSpace};
    let seeds: Vec<_> = DESCRIPTIONS.into_iter().flat_map(sections).collect();
    let (mut both, mut classes) = (0, BTreeMap::new());
    for bytes in inputs(&seeds, 10_000) {
        let (Some(ours), Some(theirs)) = (description::ours(&bytes), description::theirs(&bytes)) else { continue };
        both += 1;
        let known = description::compare(&ours, &theirs)
            .unwrap_or_else(|different| panic!("{different}\n{}", String::from_utf8_lossy(&bytes)));
        known.into_iter().for_each(|class| *classes.entry(class).or_insert(0) += 1);
    }
    println!("{both} descriptions, {classes:?}");
    assert!(both > 5_000, "{both}");
    assert!(classes.keys().eq(&[WhiteSpace, Origin]), "{classes:?}");
}
