//! STUN as far as SIP needs it (RFC 8489, RFC 5389): binding requests and their answers, which share the port of SIP over
//! datagrams as keep-alives (RFC 5626 §3.5.2, §8).
//!
//! An [`Endpoint`](crate::Endpoint) answers binding requests by itself, and sends them where it
//! [keeps a flow alive](crate::Endpoint::keep_alive). Who wants to ask a STUN server something else has the messages here:
//!
//! ```
//! use sip_transaction::stun::{Attribute, BINDING, Class, Message, TransactionId, is_stun};
//!
//! let request = Message::new(Class::Request, BINDING, TransactionId([7; 12]));
//! let mut sent = Vec::new();
//! request.encode(&mut sent);
//! assert!(is_stun(&sent));
//!
//! // The other side answers with the address that it sees.
//! let seen = "192.0.2.1:32853".parse()?;
//! let answer = Message::parse(&sent)?.answer().with(Attribute::XorMappedAddress(seen));
//! assert_eq!((answer.class, answer.mapped()), (Class::Success, Some(seen)));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! What is not here: authentication, TURN, ICE, streams, indications that we would send, and the first STUN (RFC 3489).

mod attribute;
mod fingerprint;
mod message;

use std::time::Duration;

pub use attribute::{Attribute, ErrorCode};
pub use message::{Class, Message, ParseError, TransactionId};

/// The method of a binding (RFC 8489 §18.2).
pub const BINDING: u16 = 0x001;

/// What stands in every message after its length (RFC 8489 §5).
pub const MAGIC_COOKIE: u32 = 0x2112_A442;

/// How many requests are sent in all: Rc (RFC 8489 §6.2.1).
pub(crate) const REQUESTS: u8 = 7;

/// Whether a datagram is of STUN and not of SIP: its first two bits are zero and the magic cookie is in its place
/// (RFC 8489 §5). SIP begins with a letter.
#[must_use]
pub fn is_stun(datagram: &[u8]) -> bool {
    match datagram {
        [first, _, _, _, cookie @ ..] => *first < 0x40 && cookie.first_chunk() == Some(&MAGIC_COOKIE.to_be_bytes()),
        _ => false,
    }
}

/// How long to wait for an answer after the `sent`th request before the next one, or, after the last, before the
/// transaction has failed (RFC 8489 §6.2.1): RTO doubled each time, and Rm, 16, times RTO at last.
pub(crate) fn patience(sent: u8, rto: Duration) -> Duration {
    match sent {
        0 => Duration::ZERO,
        sent if sent < REQUESTS => rto.saturating_mul(1 << (sent - 1)),
        _ => rto.saturating_mul(16),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_go_out_at_the_times_of_rfc_5389_section_7_2_1() {
        let rto = Duration::from_millis(500);
        let mut at = 0;
        let mut times = vec![0];
        for sent in 1..=REQUESTS {
            at += patience(sent, rto).as_millis();
            times.push(at);
        }
        assert_eq!(times, [0, 500, 1_500, 3_500, 7_500, 15_500, 31_500, 39_500]);
    }

    #[test]
    fn sip_and_keep_alives_are_not_stun() {
        for datagram in
            [&b""[..], b"\r\n\r\n", b"\0\0\0\0", b"OPTIONS sip:a@b SIP/2.0\r\n", b"\0\x01\0\0\x21\x12\xa4", &[0; 20]]
        {
            assert!(!is_stun(datagram), "{datagram:?}");
        }
        assert!(is_stun(b"\0\x01\0\0\x21\x12\xa4\x42"));
        assert!(!is_stun(b"\x80\x01\0\0\x21\x12\xa4\x42"));
    }
}
