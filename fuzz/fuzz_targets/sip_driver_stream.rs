//! A connection's bytes, cut anywhere: whatever the pieces, an endpoint finds the same requests, writes the same
//! answers and closes for the same reason.
#![no_main]

use std::time::Instant;

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use sip_core::{Response, StatusCode};
use sip_transaction::{CloseReason, Config, Endpoint, Event, Input, ListenerConfig, Output, Transport};

/// What came out of a connection: requests, all that was written, and why it was closed.
type Outcome = (Vec<Bytes>, Vec<u8>, Option<CloseReason>);

fn run(now: Instant, pieces: &[&[u8]]) -> Outcome {
    let mut endpoint = Endpoint::new(Config::default(), [9; 32]);
    let local = ([192, 0, 2, 2], 5060).into();
    let tcp = endpoint.add_listener(ListenerConfig::new(Transport::Tcp, local));
    let connection = endpoint.accept(now, tcp, local, ([192, 0, 2, 1], 40_000).into()).expect("a first connection");
    let (mut requests, mut written, mut closed) = (Vec::new(), Vec::new(), None);
    for piece in pieces {
        endpoint.handle_input(now, Input::Received { connection, payload: Bytes::copy_from_slice(piece) });
        while let Some(output) = endpoint.poll_output() {
            match output {
                Output::Event(Event::Request { id, request, .. }) => {
                    requests.push(request.to_bytes());
                    let _ = endpoint.respond(now, id, Response::to(&request, StatusCode::OK).to_tag(b"t").build());
                }
                Output::Event(Event::ConnectionClosed { reason, .. }) => closed = Some(reason),
                Output::Write { payload, .. } => written.extend_from_slice(&payload),
                Output::Event(_)
                | Output::Close { .. }
                | Output::Datagram { .. }
                | Output::Connect { .. }
                | Output::Query { .. } => {}
            }
        }
    }
    (requests, written, closed)
}

fuzz_target!(|input: (Vec<u8>, Vec<u8>)| {
    let (bytes, cuts) = input;
    let now = Instant::now();
    let mut rest = &bytes[..];
    let mut pieces = Vec::new();
    for cut in cuts {
        let (piece, after) = rest.split_at(usize::from(cut).min(rest.len()));
        pieces.push(piece);
        rest = after;
    }
    pieces.push(rest);
    let whole = run(now, &[&bytes]);
    let cut = run(now, &pieces);
    // The answers are the same requests' in the same order; between them, the user's may come earlier or later than the
    // endpoint's own. What was asked and how it ended may not differ.
    assert_eq!(whole.0, cut.0);
    assert_eq!(whole.2, cut.2);
    assert_eq!(whole.1.len(), cut.1.len());
});
