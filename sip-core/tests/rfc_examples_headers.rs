//! Every header of every complete message that an RFC prints, read as its type.

use std::fs;
use std::path::Path;

use bytes::Bytes;
use sip_core::header::canonical;
use sip_core::{Limits, Message, ParseError, Part};

const EXAMPLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data/sip/rfc-examples");

/// Headers that are not what their grammar allows, as they are printed: what is wrong, in which header, where.
///
/// None of them is read, because a reader would have to guess:
/// - a URI without a scheme: `bob@biloxi.com` may be `sip`, `sips` or `im` (RFC 3261 §25.1: `absoluteURI` has a scheme);
/// - brackets that close twice or not at all, two lines on one, half of an address, prose, three points: what the header
///   ends with cannot be known;
/// - `tag:1` for `tag=1`: a tag that one element sees and the other does not makes two dialogs of one;
/// - a route without brackets: its `lr` would be the header's parameter, and the hop a strict router (RFC 3261 §20.34);
/// - a semicolon, comma, quote or scheme that is missing, an empty parameter: RFC 4475 §3.1.2.1 has the latter as invalid;
/// - a user or a scheme in sent-by: the response would go where no grammar says;
/// - white space within the brackets of a URI or within a name: RFC 4475 §3.1.2.14 has it as invalid.
const MISPRINTS: &[(&str, &str, &[&str])] = &[
    (
        "a URI without a scheme",
        "Contact",
        &[
            "rfc5806/005",
            "rfc5806/006",
            "rfc5806/007",
            "rfc5806/008",
            "rfc5806/012",
            "rfc5806/016",
            "rfc5806/017",
            "rfc5806/018",
            "rfc5806/023",
            "rfc5806/025",
            "rfc5806/027",
            "rfc5806/030",
        ],
    ),
    ("a URI without a scheme", "From", &["rfc3261/015", "rfc6873/002"]),
    ("a URI without a scheme", "Referred-By", &["rfc5359/091", "rfc5359/097"]),
    ("a URI without a scheme", "Route", &["rfc3666/038", "rfc3666/040"]),
    ("a URI without a scheme", "To", &["rfc3261/015", "rfc5626/002", "rfc6873/002", "rfc8876/002"]),
    ("a bracket that closes twice", "History-Info", &["rfc4244/023", "rfc4244/024"]),
    ("a bracket that closes twice", "To", &["rfc3666/032"]),
    ("a bracket that does not close", "To", &["rfc7058/012"]),
    (
        "a colon where an equals sign belongs",
        "From",
        &["rfc4660/001", "rfc4660/002", "rfc4660/003", "rfc4660/004", "rfc4660/005", "rfc4660/006", "rfc4660/007"],
    ),
    (
        "a colon where an equals sign belongs",
        "To",
        &["rfc4660/001", "rfc4660/003", "rfc4660/004", "rfc4660/005", "rfc4660/006", "rfc4660/007"],
    ),
    ("a comma is missing", "Authorization", &["rfc3665/003"]),
    ("a paragraph of the RFC as a folded line", "Content-Length", &["rfc4916/006"]),
    ("a route without the brackets that it must have", "Record-Route", &["rfc4028/005"]),
    ("a route without the brackets that it must have", "Route", &["rfc4028/006", "rfc8876/002"]),
    ("a semicolon is missing", "Content-Disposition", &["rfc3261/013"]),
    ("a text without its quotes", "Reason", &["rfc4542/005"]),
    (
        "a user or a scheme in sent-by",
        "Via",
        &["rfc4964/019", "rfc4964/023", "rfc7315/008", "rfc7315/009", "rfc7315/011", "rfc7315/013", "rfc8876/002"],
    ),
    ("an empty parameter", "Contact", &["rfc5626/001"]),
    ("an empty parameter", "From", &["rfc3428/004"]),
    ("an empty parameter", "Via", &["rfc3428/003"]),
    ("credentials without their scheme", "Proxy-Authorization", &["rfc6050/003"]),
    ("half of an address", "Contact", &["rfc3455/012"]),
    ("prose in place of a value", "Refer-To", &["rfc3515/001"]),
    ("prose in place of a value", "Subscription-State", &["rfc3515/003"]),
    ("three points for what is left out", "Contact", &["rfc3608/001", "rfc3608/002", "rfc3608/003"]),
    (
        "three points for what is left out",
        "Path",
        &["rfc3327/002", "rfc3327/003", "rfc3327/004", "rfc3327/005", "rfc3327/006", "rfc3327/007", "rfc3327/008"],
    ),
    ("three points for what is left out", "Record-Route", &["rfc3608/010"]),
    ("three points for what is left out", "Route", &["rfc3608/007", "rfc3608/008", "rfc3608/009"]),
    ("three points for what is left out", "Service-Route", &["rfc3608/004", "rfc3608/005", "rfc3608/006"]),
    ("three points for what is left out", "Supported", &["rfc3327/001"]),
    ("two header lines on one", "Contact", &["rfc7131/055"]),
    ("two header lines on one", "Route", &["rfc5630/051"]),
    ("two header lines on one", "Via", &["rfc4244/002", "rfc4244/012"]),
    (
        "white space inside of a URI",
        "Contact",
        &[
            "rfc4458/004",
            "rfc4542/004",
            "rfc5049/001",
            "rfc6314/001",
            "rfc6314/002",
            "rfc7118/003",
            "rfc7118/005",
            "rfc8599/001",
            "rfc8599/002",
            "rfc8599/003",
        ],
    ),
    ("white space inside of a URI", "History-Info", &["rfc4458/006"]),
    ("white space inside of a name", "Replaces", &["rfc5589/038"]),
];

#[test]
fn every_header_of_the_messages_in_rfcs_is_read_as_its_type_and_written_alike() {
    let Ok(index) = fs::read_to_string(Path::new(EXAMPLES).join("index.tsv")) else {
        eprintln!("skipped: the RFCs' example messages are not there ({EXAMPLES})");
        return;
    };
    let (mut messages, mut headers, mut misprints) = (0, 0, 0);
    let mut wrong = Vec::new();
    for line in index.lines().skip(1) {
        let mut fields = line.split('\t');
        let file = fields.next().unwrap();
        if !fields.any(|field| field == "complete") {
            continue;
        }
        messages += 1;
        let bytes = join_broken_lines(&fs::read(Path::new(EXAMPLES).join(file)).unwrap());
        let message = match Message::parse(bytes, &Limits::default()) {
            Ok(message) => message,
            // Without a body length there is no message to look into.
            Err(ParseError { part: Part::Header(name), .. }) if is_misprint(file, name.as_str()) => {
                misprints += 1;
                continue;
            }
            Err(error) => {
                wrong.push(format!("{file}: {error}"));
                continue;
            }
        };
        for header in message.headers().iter() {
            let Some(read) = canonical(&header.name, &header.value) else { continue };
            headers += 1;
            let misprint = is_misprint(file, header.name.as_str());
            match read {
                Ok(written) => {
                    assert_eq!(canonical(&header.name, &written), Some(Ok(written)), "{file} {}", header.name);
                }
                Err(_) if misprint => misprints += 1,
                Err(error) => {
                    wrong.push(format!("{file} {}: {error}: {}", header.name, String::from_utf8_lossy(&header.value)));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
    assert_eq!(messages, 1334);
    let listed: usize = MISPRINTS.iter().map(|(_, _, examples)| examples.len()).sum();
    assert!(misprints >= listed, "{listed} are listed, {misprints} found");
    println!("{headers} typed headers in {messages} messages, {misprints} of them misprinted");
}

fn is_misprint(file: &str, header: &str) -> bool {
    let example = file.trim_end_matches(".sip");
    MISPRINTS.iter().any(|(_, name, examples)| *name == header && examples.contains(&example))
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
