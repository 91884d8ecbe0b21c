//! This workspace's parser.

use std::hint::black_box;

use bytes::Bytes;
use sip_core::header::{CSeq, From, HeaderName, MaxForwards, To, Via};
use sip_core::uri::{Host, HostPort};
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

/// What a proxy does: a request gets a Via, one hop less and loses its topmost Route; a response loses its topmost
/// Via. Then it is written.
pub fn forward(bytes: &Bytes) {
    match parse(bytes) {
        Message::Request(request) => {
            let hops = request.headers().typed::<MaxForwards>().ok().flatten().map_or(70, |hops| hops.0);
            let host = Host::V4([192, 0, 2, 1].into());
            let via = Via::new(Bytes::from_static(b"UDP"), HostPort { host, port: Some(5060) }, b"z9hG4bKa7c6a8dlze.1");
            let mut edit = request.edit();
            edit.push_front(&via);
            edit.replace(&MaxForwards(hops.saturating_sub(1)));
            edit.pop_front(&HeaderName::ROUTE);
            let mut out = Vec::with_capacity(edit.encoded_len());
            edit.write(&mut out);
            black_box(&out);
        }
        Message::Response(response) => {
            let mut edit = response.edit();
            edit.pop_front(&HeaderName::VIA);
            let mut out = Vec::with_capacity(edit.encoded_len());
            edit.write(&mut out);
            black_box(&out);
        }
    }
}

/// How many allocations forwarding a message of up to 32 headers may make: two for the parameters of the new Via, and the buffer that
/// it is written to.
pub const FORWARD_BUDGET: u64 = 3;
