//! What is read over borrowed bytes is what is read from shared ones, and what one refuses the other refuses at the same
//! byte.

#[path = "views/compare.rs"]
mod compare;

use std::fs;
use std::path::Path;

use compare::compare;
use proptest::prelude::*;
use sip_core::{Limits, Message, view};

fn torture() -> Vec<Vec<u8>> {
    let mut messages = Vec::new();
    for folder in ["rfc4475", "rfc5118"] {
        let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/torture")).join(folder);
        let files = fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
        messages.extend(files.filter(|path| path.is_file()).map(|path| fs::read(path).unwrap()));
    }
    assert!(messages.len() >= 61);
    messages
}

#[test]
fn the_torture_messages_are_read_alike() {
    torture().iter().for_each(|message| compare(message));
}

#[test]
fn a_value_of_an_owned_message_is_seen_without_being_shared() {
    let text = "INVITE sip:a SIP/2.0\r\nf: \"A \\\"B\\\"\" <sip:a@b;lr>;tag=1\r\nv: SIP / 2.0 / UDP h : 5\r\n ;branch=z, SIP/2.0/TCP i\r\n\r\n";
    let message = Message::parse(text.into(), &Limits::default()).unwrap();
    let from = message.headers().require_view::<view::From>().unwrap();
    assert_eq!(from.0.display_text().as_deref(), Some(&b"A \"B\""[..]));
    assert!(from.0.is_loose());
    let via = message.headers().view::<view::Via>().unwrap().unwrap();
    assert_eq!((via.branch(), via.sent_by.port), (Some(&b"z"[..]), Some(5)));
    assert!(message.headers().view::<view::To>().unwrap().is_none());
    assert!(message.headers().require_view::<view::To>().is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_500))]

    #[test]
    fn mutated_messages_are_read_alike(
        which in any::<prop::sample::Index>(),
        mutations in proptest::collection::vec((any::<prop::sample::Index>(), prop_oneof![Just(b'\r'), Just(b'\n'), Just(b' '), Just(b';'), Just(b','), Just(b'"'), Just(b'<'), Just(b'>'), Just(b'@'), Just(b':'), Just(b'.'), any::<u8>()], any::<bool>()), 1..6),
    ) {
        let messages = torture();
        let mut message = messages[which.index(messages.len())].clone();
        for (at, byte, insert) in mutations {
            let at = at.index(message.len());
            if insert { message.insert(at, byte) } else { message[at] = byte }
        }
        compare(&message);
    }
}
