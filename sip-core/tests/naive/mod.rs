//! A second reading of a message, as plain as can be, to compare the index to.

/// A message: its first line, its headers by lower-case long name with unfolded values, its body.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Naive {
    pub(crate) first: Vec<u8>,
    pub(crate) headers: Vec<(String, Vec<u8>)>,
    pub(crate) body: Vec<u8>,
    /// How many bytes were read, CRLFs before the first line included.
    pub(crate) read: usize,
}

const COMPACT: [(&str, &str); 21] = [
    ("a", "accept-contact"),
    ("u", "allow-events"),
    ("i", "call-id"),
    ("m", "contact"),
    ("e", "content-encoding"),
    ("l", "content-length"),
    ("c", "content-type"),
    ("o", "event"),
    ("f", "from"),
    ("y", "identity"),
    ("n", "identity-info"),
    ("r", "refer-to"),
    ("b", "referred-by"),
    ("j", "reject-contact"),
    ("d", "request-disposition"),
    ("x", "session-expires"),
    ("s", "subject"),
    ("k", "supported"),
    ("t", "to"),
    ("v", "via"),
    ("", ""),
];

fn token(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-.!%*_+`'~".contains(byte)
}

fn trim(bytes: &[u8]) -> &[u8] {
    let white = |byte: &u8| b" \t".contains(byte);
    let start = bytes.iter().position(|byte| !white(byte)).unwrap_or(bytes.len());
    let end = bytes.iter().rposition(|byte| !white(byte)).map_or(start, |last| last + 1);
    &bytes[start..end]
}

/// A request or status line that is well-formed.
fn first_line(line: &[u8]) -> bool {
    let parts = line.split(|byte| *byte == b' ').collect::<Vec<_>>();
    let version = |part: &[u8]| part.eq_ignore_ascii_case(b"SIP/2.0");
    if line.len() >= 4 && line[..4].eq_ignore_ascii_case(b"SIP/") {
        let code = parts.get(1).copied().unwrap_or_default();
        let number =
            std::str::from_utf8(code).ok().filter(|code| code.len() == 3 && code.bytes().all(|b| b.is_ascii_digit()));
        return version(parts[0]) && number.is_some_and(|code| (100..700).contains(&code.parse::<u16>().unwrap()));
    }
    parts.len() == 3
        && !parts[0].is_empty()
        && parts[0].iter().all(token)
        && !parts[1].is_empty()
        && parts[1].iter().all(|byte| *byte > b' ')
        && version(parts[2])
}

/// Reads a datagram; `None` when it is no message.
pub(crate) fn read(datagram: &[u8]) -> Option<Naive> {
    let mut start = 0;
    while datagram[start..].starts_with(b"\r\n") {
        start += 2;
    }
    // Line ends: CR and LF together, nowhere alone until the empty line.
    let mut lines: Vec<Vec<u8>> = Vec::new();
    let mut at = start;
    loop {
        let line_start = at;
        let end = loop {
            match (datagram.get(at)?, datagram.get(at + 1)) {
                (b'\r', Some(b'\n')) => break at,
                (b'\r' | b'\n', _) => return None,
                _ => at += 1,
            }
        };
        at = end + 2;
        let line = &datagram[line_start..end];
        if lines.is_empty() {
            lines.push(line.to_vec());
        } else if line.is_empty() {
            break;
        } else if b" \t".contains(&line[0]) {
            if lines.len() == 1 {
                return None;
            }
            let last = lines.last_mut()?;
            let head = last.len() - last.iter().rev().take_while(|byte| b" \t".contains(byte)).count();
            last.truncate(head);
            last.push(b' ');
            last.extend_from_slice(trim(line));
        } else {
            lines.push(line.to_vec());
        }
    }
    let first = lines.remove(0);
    if !first_line(&first) {
        return None;
    }
    let mut headers = Vec::new();
    for line in lines {
        let colon = line.iter().position(|byte| *byte == b':')?;
        let end = line[..colon].iter().rposition(|byte| !b" \t".contains(byte))? + 1;
        let name = &line[..end];
        if !name.iter().all(token) {
            return None;
        }
        let mut name = String::from_utf8(name.to_vec()).ok()?.to_ascii_lowercase();
        if let Some((_, long)) = COMPACT.iter().find(|(compact, _)| *compact == name) {
            name = (*long).to_owned();
        }
        headers.push((name, trim(&line[colon + 1..]).to_vec()));
    }
    let rest = &datagram[at..];
    let lengths = headers.iter().filter(|(name, _)| name == "content-length").collect::<Vec<_>>();
    let length = match lengths[..] {
        [] => rest.len(),
        [(_, value)] => {
            let digits = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
            let text = std::str::from_utf8(value).ok().filter(|_| digits)?;
            usize::try_from(text.parse::<u32>().ok()?).ok()?
        }
        _ => return None,
    };
    Some(Naive { first, headers, body: rest.get(..length)?.to_vec(), read: at + length })
}
