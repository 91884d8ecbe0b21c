//! Every SIP message that is printed in an RFC.

use std::path::Path;

use bytes::Bytes;
use sip_core::{Limits, Message};

/// A Content-Length that a page break follows, which makes a fold of the page's next line: whoever guessed the body's
/// length there could be led to guess wrong. What else is misprinted matters only to who reads those headers.
const MISPRINTED: &str = "rfc4916/006.sip";

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
    let (mut complete, mut refused) = (0, Vec::new());
    for line in lines {
        let fields = line.split('\t').collect::<Vec<_>>();
        if fields[status] != "complete" {
            continue;
        }
        complete += 1;
        let bytes = Bytes::from(std::fs::read(folder.join(fields[0])).unwrap());
        let Ok(message) = Message::parse(bytes.clone(), &Limits::default()) else {
            refused.push(fields[0].to_owned());
            continue;
        };
        assert_eq!(message.to_bytes(), bytes, "{}", fields[0]);
        let finished = match &message {
            Message::Request(request) => request.edit().finish().to_bytes(),
            Message::Response(response) => response.edit().finish().to_bytes(),
        };
        assert_eq!(finished, bytes, "{}", fields[0]);
    }
    assert_eq!(complete, 1_334);
    assert_eq!(refused, [MISPRINTED]);
}
