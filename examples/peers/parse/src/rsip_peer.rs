//! The `rsip` crate.

use std::hint::black_box;

use bytes::Bytes;
use rsip::SipMessage;
use rsip::message::HeadersExt;
use rsip::prelude::ToTypedHeader;

fn parse(bytes: &Bytes) -> SipMessage {
    SipMessage::try_from(&bytes[..]).expect("a message")
}

/// Reading alone.
pub fn index(bytes: &Bytes) {
    black_box(&SipMessage::try_from(&bytes[..]));
}

/// Reading, then From, To, Via and CSeq.
pub fn typed(bytes: &Bytes) {
    fn four(message: &impl HeadersExt) {
        black_box(&message.from_header().expect("From").typed());
        black_box(&message.to_header().expect("To").typed());
        black_box(&message.via_header().expect("Via").typed());
        black_box(&message.cseq_header().expect("CSeq").typed());
    }
    match &parse(bytes) {
        SipMessage::Request(request) => four(request),
        SipMessage::Response(response) => four(response),
    }
}

/// Reading and writing, nothing changed.
pub fn write(bytes: &Bytes) {
    black_box(&Vec::<u8>::from(parse(bytes)));
}
