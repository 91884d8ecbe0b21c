//! Answers a request with the renamed crate alone.
use mine::sip_core::{Response, StatusCode};
use mine::{Config, Endpoint, Event, Input, ListenerConfig, Output, Transport};
use std::time::Instant;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut endpoint = Endpoint::new(Config::default(), [7; 32]);
    let listener = endpoint.add_listener(ListenerConfig::new(Transport::Udp, "192.0.2.1:5060".parse()?));
    let payload = b"OPTIONS sip:192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.2;branch=z9hG4bK1\r\nMax-Forwards: 70\r\n\
        From: <sip:a@192.0.2.2>;tag=1\r\nTo: <sip:192.0.2.1>\r\nCall-ID: 1\r\nCSeq: 1 OPTIONS\r\n\r\n";
    let now = Instant::now();
    endpoint.handle_input(now, Input::Datagram { listener, source: "192.0.2.2:5060".parse()?, payload: payload[..].into(), received: None });
    let mut answered = false;
    while let Some(output) = endpoint.poll_output() {
        match output {
            Output::Event(Event::Request { id, request, .. }) => {
                endpoint.respond(now, id, Response::to(&request, StatusCode::OK).to_tag(b"tag").build())?;
            }
            Output::Datagram { payload, .. } => answered |= payload.starts_with(b"SIP/2.0 200 OK\r\n"),
            _ => {}
        }
    }
    assert!(answered);
    Ok(())
}
