//! Where a message begins and ends: in a datagram, on a stream, in a WebSocket message.

mod stream;

use bytes::Bytes;

pub use stream::{FrameError, FrameView, Stream};

use crate::error::{ErrorKind, ParseError, Part};
use crate::message::{Answerable, Limits, Message};

/// One thing that a peer sent.
#[derive(Debug, Clone)]
pub enum Frame {
    /// A message.
    Message(Message),
    /// A double CRLF: the keep-alive that asks for a [`PONG`] (RFC 5626 §4.4.1).
    Ping,
    /// A single CRLF: the answer to a ping, or a stray line end (RFC 3261 §7.5).
    Pong,
    /// Bytes that are no message, while the next one can still be found.
    Bad {
        /// What was wrong.
        error: ParseError,
        /// What an answer needs, if there is enough for one.
        answerable: Option<Answerable>,
    },
}

/// The keep-alive that a client sends on a stream (RFC 5626 §4.4.1).
pub const PING: &[u8] = b"\r\n\r\n";

/// The answer to [`PING`].
pub const PONG: &[u8] = b"\r\n";

/// What one datagram holds (RFC 3261 §18.3): a missing Content-Length means the rest of it, and what follows the
/// body is ignored. Only CRLFs, or zeros as some phones send to keep a mapping open, are a keep-alive.
#[must_use]
pub fn datagram(bytes: Bytes, limits: &Limits) -> Frame {
    match keep_alive(&bytes) {
        Some(frame) => frame,
        None => parsed(&bytes, limits, Message::parse(bytes.clone(), limits)),
    }
}

/// What one WebSocket message holds: exactly one SIP message, text or binary, whose Content-Length may be missing
/// (RFC 7118 §5.1), or a keep-alive (§6).
#[must_use]
pub fn websocket(bytes: Bytes, limits: &Limits) -> Frame {
    if let Some(frame) = keep_alive(&bytes) {
        return frame;
    }
    let result = Message::parse(bytes.clone(), limits).and_then(|message| {
        let start = bytes.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
        let end = start + message.len();
        if end == bytes.len() { Ok(message) } else { Err(ParseError::new(ErrorKind::Mismatch, Part::Body, end)) }
    });
    parsed(&bytes, limits, result)
}

fn parsed(bytes: &Bytes, limits: &Limits, result: Result<Message, ParseError>) -> Frame {
    match result {
        Ok(message) => Frame::Message(message),
        Err(error) => Frame::Bad { error, answerable: Message::salvage(bytes, limits) },
    }
}

fn keep_alive(bytes: &[u8]) -> Option<Frame> {
    match bytes {
        b"\r\n\r\n" => Some(Frame::Ping),
        _ if bytes.iter().all(|byte| matches!(byte, b'\r' | b'\n' | 0)) => Some(Frame::Pong),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPTIONS: &str = "OPTIONS sip:a SIP/2.0\r\nVia: SIP/2.0/UDP h\r\nFrom: <sip:f>;tag=1\r\nTo: <sip:t>\r\n\
                           Call-ID: c\r\nCSeq: 1 OPTIONS\r\n";

    fn bytes(rest: &str) -> Bytes {
        Bytes::from(format!("{OPTIONS}{rest}"))
    }

    #[test]
    fn a_datagram_ignores_what_follows_the_body() {
        let Frame::Message(message) = datagram(bytes("Content-Length: 2\r\n\r\nabcd"), &Limits::default()) else {
            panic!("no message")
        };
        assert_eq!(&message.body()[..], b"ab");
        assert!(message.to_bytes().ends_with(b"ab"));
    }

    #[test]
    fn a_websocket_message_holds_exactly_one_sip_message() {
        let limits = Limits::default();
        assert!(
            matches!(websocket(bytes("\r\nabcd"), &limits), Frame::Message(message) if &message.body()[..] == b"abcd")
        );
        assert!(matches!(websocket(bytes("Content-Length: 4\r\n\r\nabcd"), &limits), Frame::Message(_)));
        let Frame::Bad { error, answerable } = websocket(bytes("Content-Length: 2\r\n\r\nabcd"), &limits) else {
            panic!("two bytes too many")
        };
        assert_eq!(error.kind, ErrorKind::Mismatch);
        assert!(answerable.is_some());
    }

    #[test]
    fn keep_alives_are_told_from_messages() {
        let limits = Limits::default();
        for (bytes, ping) in [(&b"\r\n\r\n"[..], true), (b"\r\n", false), (b"", false), (b"\0\0\0\0", false)] {
            let frame = datagram(Bytes::from_static(bytes), &limits);
            assert!(matches!((frame, ping), (Frame::Ping, true) | (Frame::Pong, false)), "{bytes:?}");
        }
    }
}
