//! The messages that RFCs print: the few dozen that are carried here, and all of them where the shared data is.
#![allow(dead_code)]

use std::fs;
use std::path::Path;

use bytes::Bytes;

const SHARED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data/sip/rfc-examples");

/// One message by its name: `rfc3261/001` is the first that RFC 3261 prints.
pub(crate) type Example = (String, Bytes);

/// A transcription of what RFCs print, and three messages of our own with the headers that they print nowhere.
pub(crate) fn carried() -> Vec<Example> {
    [
        include_str!("../data/messages_to_rfc4999.txt"),
        include_str!("../data/messages_from_rfc5000.txt"),
        include_str!("../data/messages_own.txt"),
    ]
    .into_iter()
    .flat_map(sections)
    .map(|(name, text)| (name.to_owned(), Bytes::from(text.replace('\n', "\r\n"))))
    .collect()
}

/// The sections of a file of ours: each begins with a line of `== ` and its name, and is ended by a line
/// end of its own, which is not part of it.
pub(crate) fn sections(file: &'static str) -> impl Iterator<Item = (&'static str, &'static str)> {
    assert!(!file.contains('\r'), "the line ends are those of a text file");
    let sections = file.strip_prefix("== ").and_then(|file| file.strip_suffix('\n')).unwrap().split("\n== ");
    sections.map(|section| section.split_once('\n').unwrap())
}

/// All messages that are printed completely; nothing, said aloud, where the shared data is not there.
pub(crate) fn shared() -> Option<Vec<Example>> {
    let folder = Path::new(SHARED);
    let Ok(index) = fs::read_to_string(folder.join("index.tsv")) else {
        eprintln!("SKIPPED for want of {SHARED}; the messages that are carried here are tested all the same");
        return None;
    };
    let complete = index.lines().skip(1).filter(|line| line.split('\t').any(|field| field == "complete"));
    let messages: Vec<_> = complete
        .map(|line| line.split('\t').next().unwrap())
        .map(|file| (file.trim_end_matches(".sip").to_owned(), fs::read(folder.join(file)).unwrap().into()))
        .collect();
    assert_eq!(messages.len(), 1_334);
    Some(messages)
}
