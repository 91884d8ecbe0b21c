//! Every description printed in an RFC: a few dozen that are carried here, and all of them where the shared data is.

mod rfc;

use std::path::Path;

use sip_core::sdp::Session;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data/sdp/rfc-examples");

/// Whether a description is written byte for byte as it is read; the same value it always is.
fn read(name: &str, text: &[u8]) -> Result<bool, String> {
    let session = Session::parse(text).map_err(|error| format!("{name}: {error}"))?;
    assert_eq!(Session::parse(&session.to_bytes()).as_ref(), Ok(&session), "{name}");
    let lines = String::from_utf8_lossy(text).replace("\r\n", "\n").replace('\n', "\r\n");
    Ok(lines.trim_end() == session.to_string().trim_end())
}

#[test]
fn every_description_that_is_carried_here_is_read_and_written_the_same() {
    let (mut all, mut exact, mut attributes) = (0, 0, std::collections::BTreeSet::new());
    for (name, text) in rfc::sections(include_str!("data/descriptions.txt")) {
        exact += usize::from(read(name, text.replace('\n', "\r\n").as_bytes()).unwrap());
        // A line end alone is read, too (RFC 8866 §5).
        assert_eq!(Session::parse(text.as_bytes()), Session::parse(text.replace('\n', "\r\n").as_bytes()), "{name}");
        all += 1;
        let lines = text.lines().filter_map(|line| line.strip_prefix("a="));
        attributes.extend(lines.map(|line| line.split(':').next().unwrap()));
    }
    assert_eq!((all, exact), (33, 30));
    assert_eq!(attributes.len(), 73);
}

#[test]
fn every_valid_description_of_the_rfcs_is_read_and_written_the_same() {
    let Ok(index) = std::fs::read_to_string(Path::new(FOLDER).join("index.tsv")) else {
        eprintln!("SKIPPED for want of {FOLDER}; the descriptions that are carried here are tested all the same");
        return;
    };
    let (mut valid, mut exact, mut refused) = (0, 0, Vec::new());
    for row in index.lines().skip(1) {
        let columns: Vec<&str> = row.split('\t').collect();
        let bytes = std::fs::read(Path::new(FOLDER).join(columns[0])).unwrap();
        let outcome = read(row, &bytes);
        if columns[4] == "yes" {
            valid += 1;
            match outcome {
                Ok(same) => exact += usize::from(same),
                Err(error) => refused.push(error),
            }
        }
    }
    assert!(refused.is_empty(), "{} refused:\n{}", refused.len(), refused.join("\n"));
    // The others have white space that the grammar does not allow, and are written without.
    assert_eq!((valid, exact), (905, 877));
}
