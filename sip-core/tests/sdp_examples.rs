//! Every description printed in an RFC, from the shared test data.

use std::path::Path;

use sip_core::sdp::Session;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data/sdp/rfc-examples");

#[test]
fn every_valid_description_of_the_rfcs_is_read_and_written_the_same() {
    let Ok(index) = std::fs::read_to_string(Path::new(FOLDER).join("index.tsv")) else {
        eprintln!("skipped: the shared SDP examples are not there");
        return;
    };
    let (mut valid, mut exact, mut refused) = (0, 0, Vec::new());
    for row in index.lines().skip(1) {
        let columns: Vec<&str> = row.split('\t').collect();
        let bytes = std::fs::read(Path::new(FOLDER).join(columns[0])).unwrap();
        let parsed = Session::parse(&bytes);
        if let Ok(session) = &parsed {
            assert_eq!(Session::parse(&session.to_bytes()).as_ref(), Ok(session), "{row}");
        }
        if columns[4] == "yes" {
            valid += 1;
            match parsed {
                Ok(session) => {
                    let canonical = String::from_utf8_lossy(&bytes).replace("\r\n", "\n").replace('\n', "\r\n");
                    exact += usize::from(canonical.trim_end() == session.to_string().trim_end());
                }
                Err(error) => refused.push(format!("{row}: {error}")),
            }
        }
    }
    eprintln!("{valid} valid descriptions, {exact} written back byte for byte");
    assert!(valid > 0);
    assert!(refused.is_empty(), "{} refused:\n{}", refused.len(), refused.join("\n"));
}
