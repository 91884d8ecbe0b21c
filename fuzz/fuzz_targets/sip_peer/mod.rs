//! A peer that says anything: requests of a few calls, and responses to whatever was sent, whole or broken.

use std::net::SocketAddr;

use arbitrary::Arbitrary;
use bytes::Bytes;
use sip_core::header::{From, HeaderName, To};
use sip_core::{Limits, Message, Response, StatusCode};

pub const SDP: &str =
    "v=0\r\no=- 1 1 IN IP4 192.0.2.2\r\ns=-\r\nc=IN IP4 192.0.2.2\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n";

const METHODS: [&str; 12] =
    ["INVITE", "INVITE", "ACK", "CANCEL", "BYE", "UPDATE", "INFO", "OPTIONS", "PRACK", "REFER", "NOTIFY", "FOO"];

#[derive(Arbitrary, Debug)]
pub enum Say {
    /// A request of one of a few calls, inside the dialog of something that was sent when `inside`.
    Request {
        from: u8,
        method: u8,
        call: u8,
        branch: u8,
        cseq: u8,
        inside: bool,
        sdp: bool,
        extra: u8,
        change: Option<(u16, u8)>,
    },
    /// A response to a request that was sent.
    Response { choice: u8, status: u16, tag: u8, sdp: bool, extra: u8, change: Option<(u16, u8)> },
    /// Bytes.
    Noise { from: u8, payload: Vec<u8> },
}

pub fn address(number: u8) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, 2 + number % 3], 5060))
}

/// What was sent, to be answered.
#[derive(Default)]
pub struct Peer {
    pub sent: Vec<(SocketAddr, Bytes)>,
}

impl Peer {
    pub fn remember(&mut self, to: SocketAddr, payload: Bytes) {
        if self.sent.len() < 512 {
            self.sent.push((to, payload));
        }
    }

    /// The datagram, and who sends it.
    pub fn say(&self, say: Say) -> Option<(SocketAddr, Bytes)> {
        match say {
            Say::Noise { from, payload } => Some((address(from), payload.into())),
            Say::Request { from, method, call, branch, cseq, inside, sdp, extra, change } => {
                let method = METHODS[usize::from(method) % METHODS.len()];
                let text = self.request(method, call, branch, cseq, inside, sdp, extra);
                Some((address(from), changed(text.into_bytes(), change)))
            }
            Say::Response { choice, status, tag, sdp, extra, change } => {
                let (to, bytes) = self.pick(choice)?;
                let Ok(Message::Request(request)) = Message::parse(bytes, &Limits::default()) else { return None };
                let status = StatusCode::new(100 + status % 600)?;
                let mut builder = Response::to(&request, status);
                if status != StatusCode::TRYING {
                    builder = builder.to_tag(format!("t{}", tag % 3).as_bytes());
                }
                if extra & 1 != 0 {
                    builder = builder.raw(&HeaderName::CONTACT, format!("<sip:b@{to}>"));
                }
                if extra & 2 != 0 {
                    builder = builder.raw(&HeaderName::RECORD_ROUTE, "<sip:192.0.2.9;lr>, <sip:192.0.2.8>");
                }
                if extra & 4 != 0 {
                    builder = builder.raw(
                        &HeaderName::WWW_AUTHENTICATE,
                        format!("Digest realm=\"r\", nonce=\"n{}\", qop=\"auth\"", extra >> 5),
                    );
                }
                if sdp {
                    builder = builder.body("application/sdp", SDP);
                }
                Some((to, changed(builder.build().to_bytes().to_vec(), change)))
            }
        }
    }

    fn pick(&self, choice: u8) -> Option<(SocketAddr, Bytes)> {
        // The latest ones are the interesting ones.
        let back = usize::from(choice) % self.sent.len().clamp(1, 64);
        self.sent.iter().rev().nth(back).cloned()
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of a message")]
    fn request(&self, method: &str, call: u8, branch: u8, cseq: u8, inside: bool, sdp: bool, extra: u8) -> String {
        let mut call_id = format!("call{}", call % 4);
        let mut from = "<sip:p@192.0.2.2>;tag=p".to_owned();
        let mut to = "<sip:600@192.0.2.1>".to_owned();
        if inside
            && let Some((_, bytes)) = self.pick(call)
            && let Ok(message) = Message::parse(bytes, &Limits::default())
        {
            let headers = message.headers();
            let text = |name| headers.get(&name).map(|value| String::from_utf8_lossy(&value).into_owned());
            let ours = |message: &Message| matches!(message, Message::Request(_));
            let (near, far) = (text(HeaderName::FROM), text(HeaderName::TO));
            let tagged = headers.require::<To>().is_ok_and(|to| to.tag().is_some())
                && headers.require::<From>().is_ok_and(|from| from.tag().is_some());
            if let (Some(near), Some(far), Some(id)) = (near, far, text(HeaderName::CALL_ID)) {
                call_id = id;
                // A request of the agent's has the agent in From, a response of the agent's has it in To.
                (from, to) = if ours(&message) { (far, near) } else { (near, far) };
                if !tagged && ours(&message) {
                    from.push_str(";tag=t0");
                }
            }
        }
        let body = if sdp { SDP } else { "" };
        let mut lines = String::new();
        if sdp {
            lines.push_str("Content-Type: application/sdp\r\n");
        }
        if extra & 1 == 0 {
            lines.push_str("Contact: <sip:p@192.0.2.2:5060>\r\n");
        }
        if extra & 2 != 0 {
            lines.push_str("Record-Route: <sip:192.0.2.9>, <sip:192.0.2.8;lr>\r\n");
        }
        if extra & 4 != 0 {
            lines.push_str("Require: 100rel\r\n");
        }
        format!(
            "{method} sip:600@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.2:5060;rport;branch=z9hG4bK{}\r\n\
             Max-Forwards: {}\r\nFrom: {from}\r\nTo: {to}\r\nCall-ID: {call_id}\r\nCSeq: {cseq} {method}\r\n\
             {lines}Content-Length: {}\r\n\r\n{body}",
            branch % 16,
            extra >> 4,
            body.len()
        )
    }
}

fn changed(mut bytes: Vec<u8>, change: Option<(u16, u8)>) -> Bytes {
    if let Some((at, byte)) = change {
        let length = bytes.len().max(1);
        if let Some(place) = bytes.get_mut(usize::from(at) % length) {
            *place = byte;
        }
    }
    bytes.into()
}
