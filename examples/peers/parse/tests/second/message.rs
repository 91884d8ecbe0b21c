//! What other parsers make of the same bytes.

use super::quiet::quietly;
use bytes::Bytes;
use sip_core::header::{CSeq, From, HeaderName, NameAddr, To, Via};
use sip_core::uri::Uri;
use sip_core::{Limits, Message, ParseError};

/// Where another parser may differ from ours when both read a message, and who is right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// `rsip` takes for the body whatever follows the headers, and has no look at Content-Length. RFC 3261 §18.3: what
    /// is beyond it is discarded.
    BodyTooLong,
    /// `rsipstack` finds no body when there is no Content-Length. RFC 3261 §18.3: it is the rest of the datagram.
    NoLength,
    /// White space on either side of `;`, `=` or `:` (RFC 3261 §7.3.1 and §25.1, SEMI, EQUAL and COLON): they keep it in the value
    /// or do not find the parameter.
    WhiteSpace,
    /// A character in the user part that is not a letter or a digit, such as `.` or `;` (RFC 3261 §25.1, `user`): they
    /// take the user for a part of the host, or what follows for a parameter.
    User,
    /// A byte in a parameter's value that no token has (RFC 3261 §25.1, `gen-value`): they cut the value there or take it
    /// for something else, ours keeps it whole, so that a tag or branch that is compared is the one that was sent.
    Value,
    /// A quoted display name that holds `<` (RFC 3261 §25.1, `quoted-string`): they take it for the bracket of the URI.
    Quoted,
    /// A comma outside of quotes, which ends the value (RFC 3261 §7.3.1): they read on.
    List,
    /// They read methods in any case. RFC 3261 §7.1: they are case-sensitive.
    Method,
}

/// What a parser finds in a message, as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The method, or the status code.
    pub start: String,
    /// Long names in lower case, and values as they are written.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// Parts of typed headers, where they can be read: user, host with port and tag of From and To; sequence and method
    /// of CSeq; transport, sent-by and branch of the topmost Via.
    pub typed: [Option<Vec<String>>; 4],
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

pub fn ours(bytes: &[u8]) -> Result<Found, ParseError> {
    let message = Message::parse(Bytes::copy_from_slice(bytes), &Limits::default())?;
    let start = match &message {
        Message::Request(request) => request.method().to_string(),
        Message::Response(response) => response.status().as_u16().to_string(),
    };
    let headers = message.headers();
    let address = |address: &NameAddr, tag: Option<&[u8]>| match &address.uri {
        Uri::Sip(uri) => {
            let user = uri.user.as_deref().map(text).unwrap_or_default();
            let port = uri.port.map(|port| format!(":{port}")).unwrap_or_default();
            Some(vec![user, format!("{}{port}", uri.host), tag.map(text).unwrap_or_default()])
        }
        _ => None,
    };
    let typed =
        [
            headers.typed::<From>().ok().flatten().and_then(|from| address(&from.name_addr, from.tag())),
            headers.typed::<To>().ok().flatten().and_then(|to| address(&to.name_addr, to.tag())),
            headers.typed::<CSeq>().ok().flatten().map(|cseq| vec![cseq.sequence.to_string(), cseq.method.to_string()]),
            headers.typed::<Via>().ok().flatten().map(|via| {
                vec![text(&via.transport), via.sent_by.to_string(), via.branch().map(text).unwrap_or_default()]
            }),
        ];
    let headers = headers.iter().map(|header| (header.name.as_str().to_ascii_lowercase(), text(&header.value)));
    Ok(Found { start, headers: headers.collect(), body: message.body().to_vec(), typed })
}

/// Both crates have one interface: one is a copy of the other that went its own way.
macro_rules! found {
    ($other:ident, $headers:path, $typed:path, $bytes:expr) => {{
        use $headers as _;
        use $typed as _;
        let message = $other::SipMessage::try_from($bytes).ok()?;
        macro_rules! typed {
            ($message:expr) => {{
                macro_rules! address {
                    ($header:expr) => {
                        $header.ok().and_then(|header| header.typed().ok()).map(|header| {
                            let user = header.uri.auth.as_ref().map(|auth| auth.user.clone()).unwrap_or_default();
                            let place = header.uri.host_with_port.to_string();
                            vec![user, place, header.tag().map(|tag| tag.value().to_string()).unwrap_or_default()]
                        })
                    };
                }
                [
                    address!($message.from_header()),
                    address!($message.to_header()),
                    $message
                        .cseq_header()
                        .ok()
                        .and_then(|header| header.typed().ok())
                        .map(|cseq| vec![cseq.seq.to_string(), cseq.method.to_string()]),
                    $message.via_header().ok().and_then(|header| header.typed().ok()).map(|via| {
                        let branch = via.branch().map(|branch| branch.value().to_string()).unwrap_or_default();
                        vec![via.transport.to_string(), via.uri.host_with_port.to_string(), branch]
                    }),
                ]
            }};
        }
        let (start, typed, headers, body) = match message {
            $other::SipMessage::Request(request) => {
                (request.method.to_string(), typed!(request), request.headers, request.body)
            }
            $other::SipMessage::Response(response) => (
                response.status_code.to_string().chars().take(3).collect(),
                typed!(response),
                response.headers,
                response.body,
            ),
        };
        let headers = headers.iter().map(|header| {
            let line = header.to_string();
            let (name, value) = line.split_once(':').unwrap_or((&line, ""));
            let long = HeaderName::parse(name.trim().as_bytes());
            let name = long.map_or_else(|_| name.to_owned(), |long| long.as_str().to_ascii_lowercase());
            (name, value.trim_matches([' ', '\t']).to_owned())
        });
        Some(Found { start, headers: headers.collect(), body, typed })
    }};
}
pub(crate) use found;

pub fn rsip(bytes: &[u8]) -> Option<Found> {
    quietly(|| found!(rsip, ::rsip::message::HeadersExt, ::rsip::prelude::ToTypedHeader, bytes))
}

/// Compares what both found: the classes of what differs, or what differs for no known reason.
pub fn compare(ours: &Found, theirs: &Found) -> Result<Vec<Class>, String> {
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"-.!%*_+`'~".contains(&byte);
    let mut classes = Vec::new();
    if ours.start != theirs.start && ours.start.eq_ignore_ascii_case(&theirs.start) {
        classes.push(Class::Method);
    } else if ours.start != theirs.start || ours.headers != theirs.headers {
        let different = ours.headers.iter().zip(&theirs.headers).find(|(ours, theirs)| ours != theirs);
        return Err(format!("{} {}: {different:?}", ours.start, theirs.start));
    }
    if ours.body != theirs.body {
        let has_length = ours.headers.iter().any(|(name, _)| name == "content-length");
        match (has_length, theirs.body.is_empty()) {
            (true, false) if theirs.body.starts_with(&ours.body) => classes.push(Class::BodyTooLong),
            (false, true) => classes.push(Class::NoLength),
            _ => return Err(format!("bodies {:?}\n{:?}", ours.body, theirs.body)),
        }
    }
    for (name, (ours_typed, theirs_typed)) in
        ["from", "to", "cseq", "via"].iter().zip(ours.typed.iter().zip(&theirs.typed))
    {
        let (Some(mine), Some(other)) = (ours_typed, theirs_typed) else { continue };
        if mine == other {
            continue;
        }
        let value = ours.headers.iter().find(|(other, _)| other == name).map_or("", |(_, value)| value);
        let spaced = [" ;", "; ", " =", "= ", " :", ": ", "\t", "\r\n"].iter().any(|pattern| value.contains(pattern));
        let odd = |text: &str| text.bytes().any(|byte| !byte.is_ascii_alphanumeric());
        let last = |found: &[String]| found.last().cloned().unwrap_or_default();
        let class = match *name {
            "cseq" if mine[1].eq_ignore_ascii_case(&other[1]) => Class::Method,
            _ if spaced => Class::WhiteSpace,
            "from" | "to"
                if value.trim_start().starts_with('"')
                    && value.split('"').nth(1).is_some_and(|name| name.contains('<')) =>
            {
                Class::Quoted
            }
            "via" if value.contains(',') => Class::List,
            "from" | "to" if odd(&mine[0]) => Class::User,
            _ if last(mine).bytes().any(|byte| !is_token(byte)) => Class::Value,
            _ => return Err(format!("{value:?}: {mine:?} {other:?}")),
        };
        classes.push(class);
    }
    Ok(classes)
}
