//! Answers that no state is kept of (RFC 3261 §8.2.7).

use std::net::SocketAddr;

use bytes::BufMut;
use memchr::memchr;
use sip_core::header::HeaderName;
use sip_core::{ErrorKind, ParseError, Part, StatusCode, view, write};

use crate::transaction::key::Secret;
use crate::transport::Transport;

/// Answers requests that came as datagrams, and forgets them: for servers whose answer is the same whenever the request
/// comes again. Nothing is allocated but what is written.
///
/// ```
/// use sip_core::{Limits, StatusCode, view};
/// use sip_transaction::Stateless;
///
/// let request = b"OPTIONS sip:192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.2;rport;branch=z9hG4bK1\r\nMax-Forwards: 70\r\n\
///     From: <sip:a@192.0.2.2>;tag=1\r\nTo: <sip:192.0.2.1>\r\nCall-ID: 1\r\nCSeq: 1 OPTIONS\r\n\r\n";
/// let request = view::Message::parse(request, &Limits::default())?;
/// let remote = "192.0.2.2:49152".parse()?;
/// let mut answer = Vec::new();
/// let destination = Stateless::new([7; 16]).answer(&request, remote, StatusCode::OK, &mut answer)?;
/// assert_eq!(destination, Some(remote));
/// assert!(answer.starts_with(b"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 192.0.2.2;rport=49152;branch=z9hG4bK1;received=192.0.2.2\r\n"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Stateless {
    secret: Secret,
}

impl Stateless {
    /// Tags are made from this seed: with the same one, the same request gets the same tag.
    #[must_use]
    pub fn new(seed: [u8; 16]) -> Self {
        let seed = u128::from_le_bytes(seed);
        Self { secret: Secret::new(seed as u64, (seed >> 64) as u64) }
    }

    /// Writes the answer to a request that came from `remote`, with a tag in To unless it has one, and says where it
    /// goes (RFC 3261 §18.2.2, RFC 3581 §4). `None`, and nothing written, for what is not answered: responses and ACK.
    ///
    /// # Errors
    /// When a header that an answer needs is missing or malformed. Nothing is written.
    pub fn answer(
        &self,
        request: &view::Message<'_>,
        remote: SocketAddr,
        status: StatusCode,
        out: &mut impl BufMut,
    ) -> Result<Option<SocketAddr>, ParseError> {
        if request.method().is_none_or(|method| method == b"ACK") {
            return Ok(None);
        }
        let headers = request.headers();
        let raw = |name: HeaderName| {
            let missing = || ParseError::new(ErrorKind::Missing, Part::Header(name.clone()), 0);
            headers.get(&name).ok_or_else(missing)
        };
        let (top, via) = (headers.require::<view::Via<'_>>()?, raw(HeaderName::VIA)?);
        let (from, to) = (raw(HeaderName::FROM)?, raw(HeaderName::TO)?);
        let (call_id, cseq) = (raw(HeaderName::CALL_ID)?, raw(HeaderName::CSEQ)?);
        // Most have no parameters.
        let has_tag = !to.ends_with(b">") && headers.require::<view::To<'_>>()?.tag().is_some();

        let code = status.as_u16();
        let digit = |divisor: u16| b'0' + (code / divisor % 10) as u8;
        out.put_slice(&[b'S', b'I', b'P', b'/', b'2', b'.', b'0', b' ', digit(100), digit(10), digit(1), b' ']);
        out.put_slice(status.reason().as_bytes());
        let asks = put_vias(out, headers, &via, &top, remote);
        out.put_slice(b"\r\nFrom: ");
        out.put_slice(&from);
        out.put_slice(b"\r\nTo: ");
        out.put_slice(&to);
        if !has_tag {
            out.put_slice(b";tag=");
            out.put_slice(&self.secret.tag(&[&call_id]));
        }
        out.put_slice(b"\r\nCall-ID: ");
        out.put_slice(&call_id);
        out.put_slice(b"\r\nCSeq: ");
        out.put_slice(&cseq);
        out.put_slice(b"\r\nContent-Length: 0\r\n\r\n");

        let port = || top.sent_by.port.unwrap_or(Transport::Udp.default_port());
        Ok(Some(if asks { remote } else { SocketAddr::new(remote.ip(), port()) }))
    }
}

/// All Vias, the topmost one with where the request came from (RFC 3261 §18.2.1, RFC 3581 §4). Says whether that asks for
/// the port.
fn put_vias(
    out: &mut impl BufMut,
    headers: &view::Headers<'_>,
    first_line: &[u8],
    top: &view::Via<'_>,
    remote: SocketAddr,
) -> bool {
    // In front of the parameters there is neither a semicolon nor a comma.
    let params = top.params.as_bytes();
    let end = if params.is_empty() { memchr(b',', first_line) } else { memchr(b';', first_line) };
    let (front, rest) = first_line.split_at_checked(end.unwrap_or(first_line.len())).unwrap_or_default();
    let Some(rest) = rest.strip_prefix(params) else {
        // Folded: the values are not as they stand in the line.
        let mut asks = false;
        for (number, via) in headers.all::<view::Via<'_>>().enumerate() {
            let Ok(via) = via else { continue };
            out.put_slice(b"\r\nVia: ");
            put_front(out, &via);
            if number == 0 {
                asks = put_params(out, &via, remote);
            } else {
                out.put_slice(via.params.to_owned().to_string().as_bytes());
            }
        }
        return asks;
    };
    out.put_slice(b"\r\nVia: ");
    out.put_slice(front);
    let asks = put_params(out, top, remote);
    out.put_slice(rest);
    for line in headers.get_all(&HeaderName::VIA).skip(1) {
        out.put_slice(b"\r\nVia: ");
        out.put_slice(&line);
    }
    asks
}

/// A Via up to its parameters.
fn put_front(out: &mut impl BufMut, via: &view::Via<'_>) {
    out.put_slice(via.protocol);
    out.put_u8(b'/');
    out.put_slice(via.version);
    out.put_u8(b'/');
    out.put_slice(via.transport);
    out.put_u8(b' ');
    match via.sent_by.host {
        view::Host::Name(name) => out.put_slice(name),
        view::Host::V4(address) => write::address(address.into(), out),
        view::Host::V6(address) => {
            out.put_u8(b'[');
            write::address(address.into(), out);
            out.put_u8(b']');
        }
    }
    if let Some(port) = via.sent_by.port {
        out.put_u8(b':');
        write::number(port.into(), out);
    }
}

/// The parameters of the topmost Via, with what is to be noted there. Says whether it asks for the port.
fn put_params(out: &mut impl BufMut, via: &view::Via<'_>, remote: SocketAddr) -> bool {
    let address = remote.ip().to_canonical();
    let (mut asks, mut claims) = (false, false);
    for (name, value) in via.params.iter() {
        if name.eq_ignore_ascii_case(b"received") {
            claims = true;
            continue;
        }
        out.put_u8(b';');
        out.put_slice(name);
        if name.eq_ignore_ascii_case(b"rport") {
            asks = true;
            out.put_u8(b'=');
            write::number(remote.port().into(), out);
        } else if let Some(value) = value {
            out.put_u8(b'=');
            out.put_slice(value);
        }
    }
    if asks || claims || via.sent_by.host.ip() != Some(address) {
        out.put_slice(b";received=");
        write::address(address, out);
    }
    asks
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use sip_core::header::Via;
    use sip_core::{Limits, Message, Response};

    use super::*;

    fn answer(text: &str, remote: &str) -> (String, Option<SocketAddr>) {
        let text = text.replace('\n', "\r\n");
        let request = view::Message::parse(text.as_bytes(), &Limits::default()).unwrap();
        let mut out = Vec::new();
        let to = Stateless::new([1; 16]).answer(&request, remote.parse().unwrap(), StatusCode::OK, &mut out).unwrap();
        (String::from_utf8(out).unwrap(), to)
    }

    const REQUEST: &str = "OPTIONS sip:bob@192.0.2.1 SIP/2.0\nVia: SIP/2.0/UDP 192.0.2.2:5062;branch=z9hG4bK1\n\
        v: SIP / 2.0 / TCP [2001:db8::9]:5061;branch=z9hG4bK0;x=\"a, b\" , SIP/2.0/UDP first.example;received=192.0.2.9\n\
        Max-Forwards: 70\nf: \"A\" <sip:a@192.0.2.2>;tag=1\nTo: sip:bob@192.0.2.1\nSubject: x\ni: 1@x\nCSeq: 7 OPTIONS\n\n";

    #[test]
    fn an_answer_has_what_the_answers_of_a_transaction_have() {
        let (answer, destination) = answer(REQUEST, "192.0.2.2:40000");
        assert_eq!(destination, Some("192.0.2.2:5062".parse().unwrap()));
        let Message::Response(ours) = Message::parse(answer.into(), &Limits::default()).unwrap() else { panic!() };
        let request = Message::parse(Bytes::from(REQUEST.replace('\n', "\r\n")), &Limits::default()).unwrap();
        let Message::Request(request) = request else { panic!() };
        let theirs = Response::to(&request, StatusCode::OK).to_tag(b"t").build();
        let (a, b) = (ours.mandatory().unwrap(), theirs.mandatory().unwrap());
        assert_eq!((a.via, a.from, a.call_id, a.cseq), (b.via, b.from, b.call_id, b.cseq));
        assert_eq!(a.to.name_addr.uri, b.to.name_addr.uri);
        assert_eq!(a.to.tag().map(<[u8]>::len), Some(16));
        let vias = |response: &Response| response.headers().all::<Via>().map(Result::unwrap).collect::<Vec<_>>();
        assert_eq!(vias(&ours), vias(&theirs));
        assert_eq!(ours.headers().iter().count(), 7);
    }

    #[test]
    fn the_topmost_via_tells_where_the_request_came_from() {
        let with = |params: &str| REQUEST.replace(";branch=z9hG4bK1", params);
        for (params, remote, noted, destination) in [
            (";rport;branch=1", "192.0.2.2:9", ";rport=9;branch=1;received=192.0.2.2", "192.0.2.2:9"),
            (";branch=1;RPORT=4", "192.0.2.7:65535", ";branch=1;RPORT=65535;received=192.0.2.7", "192.0.2.7:65535"),
            (";branch=1", "192.0.2.7:9", ";branch=1;received=192.0.2.7", "192.0.2.7:5062"),
            (";received=9.9.9.9;branch=1", "192.0.2.2:9", ";branch=1;received=192.0.2.2", "192.0.2.2:5062"),
            (";branch=1", "[2001:db8::1]:9", ";branch=1;received=2001:db8::1", "[2001:db8::1]:5062"),
            (";branch=1", "[::ffff:192.0.2.2]:9", ";branch=1", "[::ffff:192.0.2.2]:5062"),
        ] {
            let (answer, to) = answer(&with(params), remote);
            let line = answer.lines().nth(1).unwrap();
            assert_eq!(line, format!("Via: SIP/2.0/UDP 192.0.2.2:5062{noted}"));
            assert_eq!(to, Some(destination.parse().unwrap()));
        }
    }

    #[test]
    fn a_folded_via_is_written_in_one_line() {
        let folded = REQUEST.replace(";branch=z9hG4bK1", "\n ;rport\n ;branch=1 , SIP/2.0/TCP x:1\n ;a=\"b\n c\"");
        let answer = answer(&folded, "192.0.2.2:9").0;
        let lines: Vec<&str> = answer.lines().collect();
        assert_eq!(lines[1], "Via: SIP/2.0/UDP 192.0.2.2:5062;rport=9;branch=1;received=192.0.2.2");
        assert!(lines[2].starts_with("Via: SIP/2.0/TCP x:1;a=\"b"), "{}", lines[2]);
        assert!(lines[3].starts_with("Via: SIP/2.0/TCP [2001:db8::9]:5061;branch=z9hG4bK0"), "{}", lines[3]);
        assert_eq!(lines[4], "Via: SIP/2.0/UDP first.example;received=192.0.2.9");
        assert!(lines[5].starts_with("From: "));
        assert!(Message::parse(answer.into(), &Limits::default()).is_ok());
    }

    #[test]
    fn the_same_request_gets_the_same_tag_and_a_tag_that_is_there_stays() {
        let first = answer(REQUEST, "192.0.2.2:1").0;
        assert_eq!(first, answer(REQUEST, "192.0.2.2:1").0);
        assert_ne!(first, answer(&REQUEST.replace("i: 1@x", "i: 2@x"), "192.0.2.2:1").0.replace("2@x", "1@x"));
        let inside = answer(&REQUEST.replace("To: sip:bob@192.0.2.1", "To: <sip:b@x>;tag=9"), "192.0.2.2:1").0;
        assert!(inside.contains("\r\nTo: <sip:b@x>;tag=9\r\n"));
    }

    #[test]
    fn an_ack_a_response_and_what_lacks_a_header_draw_nothing() {
        assert_eq!(answer(&REQUEST.replace("OPTIONS", "ACK"), "192.0.2.2:1"), (String::new(), None));
        assert_eq!(answer(&answer(REQUEST, "192.0.2.2:1").0.replace('\r', ""), "192.0.2.2:1"), (String::new(), None));
        for name in ["Via: SIP/2.0/UDP", "f:", "To:", "i:", "CSeq:"] {
            let text = REQUEST.replace(name, "x:").replace("\nv:", "\ny:").replace('\n', "\r\n");
            let request = view::Message::parse(text.as_bytes(), &Limits::default()).unwrap();
            let mut out = Vec::new();
            let remote = "192.0.2.2:1".parse().unwrap();
            assert!(Stateless::new([1; 16]).answer(&request, remote, StatusCode::OK, &mut out).is_err(), "{name}");
            assert!(out.is_empty());
        }
    }
}
