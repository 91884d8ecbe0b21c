//! This workspace's parser.

use std::hint::black_box;

use bytes::Bytes;
use sip_core::header::{CSeq, From, HeaderName, MaxForwards, To, Via};
use sip_core::uri::{Host, HostPort};
use sip_core::view::{self, NewVia};
use sip_core::{Limits, Message};

fn parse(bytes: &Bytes) -> Message {
    Message::parse(bytes.clone(), &Limits::default()).expect("a message")
}

/// A plain copy of the bytes: what writing cannot be faster than.
pub fn copy(bytes: &Bytes) {
    black_box(bytes.to_vec());
}

/// The index alone.
pub fn index(bytes: &Bytes) {
    let message = Message::parse(bytes.clone(), &Limits::default());
    black_box(&message);
}

/// The index, and a plain copy.
pub fn index_and_copy(bytes: &Bytes) {
    black_box(&parse(bytes));
    black_box(bytes.to_vec());
}

/// The index, then From, To, the topmost Via and CSeq.
pub fn typed(bytes: &Bytes) {
    let message = parse(bytes);
    let headers = message.headers();
    black_box(&headers.require::<From>());
    black_box(&headers.require::<To>());
    black_box(&headers.require::<Via>());
    black_box(&headers.require::<CSeq>());
}

/// The index alone, over borrowed bytes.
pub fn index_borrowed(bytes: &Bytes) {
    let message = view::Message::parse(bytes, &Limits::default());
    black_box(&message);
}

/// The index, then From, To, the topmost Via and CSeq, over borrowed bytes.
pub fn typed_borrowed(bytes: &Bytes) {
    let message = view::Message::parse(bytes, &Limits::default()).expect("a message");
    let headers = message.headers();
    black_box(&headers.require::<view::From>());
    black_box(&headers.require::<view::To>());
    black_box(&headers.require::<view::Via>());
    black_box(&headers.require::<view::CSeq>());
}

/// What a proxy does: a request gets a Via, one hop less and loses its topmost Route; a response loses its topmost
/// Via. Then it is written.
pub fn forward(bytes: &Bytes) {
    match parse(bytes) {
        Message::Request(request) => {
            let hops = request.headers().view::<view::MaxForwards>().ok().flatten().map_or(70, |hops| hops.0);
            let here = HostPort { host: Host::V4([192, 0, 2, 1].into()), port: Some(5060) };
            let mut edit = request.into_edit();
            edit.push_front(&NewVia::new("UDP", &here, b"z9hG4bKa7c6a8dlze.1"));
            edit.replace(&MaxForwards(hops.saturating_sub(1)));
            edit.pop_front(&HeaderName::ROUTE);
            black_box(&edit.to_bytes());
        }
        Message::Response(response) => {
            let mut edit = response.into_edit();
            edit.pop_front(&HeaderName::VIA);
            black_box(&edit.to_bytes());
        }
    }
}

/// How many allocations forwarding a message of up to 32 headers may make: the buffer that it is written to.
pub const FORWARD_BUDGET: u64 = 1;
