//! Answers whatever comes over UDP, without a runtime: `blocking 127.0.0.1:5070`.
//!
//! The endpoint knows nothing of sockets, so a plain `std::net` one with a read timeout drives it.
#![expect(clippy::disallowed_methods, reason = "a program owns the clock")]

use std::error::Error;
use std::io::ErrorKind;
use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use bytes::Bytes;
use sip_core::{Method, Response, StatusCode};
use sip_transaction::resolve::Answer;
use sip_transaction::{CloseReason, Config, Endpoint, Event, Input, ListenerConfig, Output, Transport};

fn main() -> Result<(), Box<dyn Error>> {
    let address: SocketAddr = std::env::args().nth(1).as_deref().unwrap_or("127.0.0.1:5070").parse()?;
    let socket = UdpSocket::bind(address)?;
    let local = socket.local_addr()?;
    println!("listening on {local}");

    let mut seed = [0; 32];
    getrandom::fill(&mut seed)?;
    let mut endpoint = Endpoint::new(Config::default(), seed);
    let listener = endpoint.add_listener(ListenerConfig::new(Transport::Udp, local));
    let mut buffer = vec![0; 65_535];
    loop {
        // 1. Do what is to be done.
        while let Some(output) = endpoint.poll_output() {
            match output {
                // A datagram that is not taken is like one that is lost.
                Output::Datagram { destination, payload, .. } => drop(socket.send_to(&payload, destination)),
                // There is no TCP here; whoever wanted a connection hears so at once.
                Output::Connect { connection, .. } => endpoint
                    .handle_input(Instant::now(), Input::Closed { connection, reason: CloseReason::Unreachable }),
                // Nor does it ask for names.
                Output::Query { query, .. } => {
                    endpoint.handle_input(Instant::now(), Input::Answer { query, answer: Answer::Failed });
                }
                Output::Write { .. } | Output::Close { .. } => {}
                Output::Event(event) => answer(&mut endpoint, event),
            }
        }
        // 2. Wait for a datagram or for the time.
        let wait = endpoint.poll_timeout().map(|at| at.saturating_duration_since(Instant::now()));
        // Zero would mean to wait for ever.
        socket.set_read_timeout(wait.map(|wait| wait.max(Duration::from_millis(1))))?;
        match socket.recv_from(&mut buffer) {
            Ok((length, source)) => {
                let payload = Bytes::copy_from_slice(buffer.get(..length).unwrap_or_default());
                endpoint.handle_input(Instant::now(), Input::Datagram { listener, source, payload, received: None });
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            // Some systems report here that an earlier datagram did not arrive.
            Err(error) => eprintln!("not received: {error}"),
        }
        endpoint.handle_timeout(Instant::now());
    }
}

/// All the policy that there is.
fn answer(endpoint: &mut Endpoint, event: Event) {
    if let Event::Request { id, request, source, .. } = event {
        let status = if *request.method() == Method::Invite { StatusCode::BUSY_HERE } else { StatusCode::OK };
        println!("{} from {}: {}", request.method(), source.remote, status.as_u16());
        let response = Response::to(&request, status).to_tag(b"blocking").build();
        // Nothing that others send may stop the program.
        if let Err(error) = endpoint.respond(Instant::now(), id, response) {
            eprintln!("not answered: {error}");
        }
    }
}
