//! The servers, each a process of its own.

use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use bytes::BytesMut;
use sip_core::{Limits, Response, StatusCode, view};
use sip_transaction::driver::{self, Arrival, SocketConfig, Sockets};
use sip_transaction::{Config, Endpoint, Event, Input, Output, Stateless, Timers, Transport};

/// Serves for ever.
pub fn run(how: &str, front: SocketAddr) {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    match how {
        "echo" => echo(front),
        "batches" => batches(front, true, true),
        "receive" => batches(front, true, false),
        "send" => batches(front, false, true),
        "driver" => runtime().block_on(plain(front)),
        "stateless" => runtime().block_on(stateless(front)),
        "stateful" => runtime().block_on(stateful(front, &[Transport::Udp], None)),
        "tcp" => runtime().block_on(stateful(front, &[Transport::Tcp], None)),
        "tls" => runtime().block_on(stateful(front, &[Transport::Tls], Some(crate::memory::certificate()))),
        _ => eprintln!("no such server"),
    }
}

/// One datagram by one call.
fn echo(front: SocketAddr) {
    let socket = UdpSocket::bind(front).expect("the front");
    let mut buffer = vec![0; 65_535];
    loop {
        if let Ok((length, source)) = socket.recv_from(&mut buffer) {
            let _ = socket.send_to(&buffer[..length], source);
        }
    }
}

/// As many as there are by one call, or only one way so.
fn batches(front: SocketAddr, receives: bool, sends: bool) {
    use std::os::fd::AsFd;
    let udp = driver::udp::Udp::bind(front, &driver::udp::UdpConfig::default()).expect("the front");
    let mut came = Vec::new();
    let mut answers = Vec::new();
    let mut buffer = vec![0; 65_535];
    loop {
        if receives {
            let _ = udp.receive(&mut came);
        } else {
            while came.len() < driver::udp::BATCH
                && let Ok((length, source)) = udp.socket().recv_from(&mut buffer)
            {
                let payload = bytes::Bytes::copy_from_slice(&buffer[..length]);
                came.push(driver::udp::Datagram { source, payload, received: Instant::now() });
            }
        }
        if came.is_empty() {
            let mut waiting = [nix::poll::PollFd::new(udp.socket().as_fd(), nix::poll::PollFlags::POLLIN)];
            let _ = nix::poll::poll(&mut waiting, nix::poll::PollTimeout::NONE);
        }
        answers.extend(came.drain(..).map(|it: driver::udp::Datagram| (it.source, it.payload)));
        if sends {
            udp.send(&answers);
        } else {
            for (destination, payload) in &answers {
                let _ = udp.send_one(*destination, payload);
            }
        }
        answers.clear();
    }
}

/// The driver alone.
async fn plain(front: SocketAddr) {
    let mut sockets = Sockets::new(SocketConfig::default());
    sockets.bind(Transport::Udp, front).expect("the front");
    loop {
        if let Some(Arrival::Input(Input::Datagram { listener, source, payload, .. })) = sockets.recv_until(None).await
        {
            sockets.transmit(Output::<Event>::Datagram { listener, destination: source, payload });
        }
    }
}

/// What `sl_reply` does.
async fn stateless(front: SocketAddr) {
    let mut sockets = Sockets::new(SocketConfig::default());
    sockets.bind(Transport::Udp, front).expect("the front");
    let answerer = Stateless::new([7; 16]);
    let limits = Limits::default();
    // Answers share a piece of memory, of which the next is taken when it is used up.
    let mut out = BytesMut::with_capacity(1 << 16);
    loop {
        let Some(Arrival::Input(Input::Datagram { listener, source, payload, .. })) = sockets.recv_until(None).await
        else {
            continue;
        };
        let Ok(request) = view::Message::parse(&payload, &limits) else { continue };
        out.reserve(payload.len() + 128);
        if let Ok(Some(destination)) = answerer.answer(&request, source, StatusCode::OK, &mut out) {
            let payload = out.split().freeze();
            sockets.transmit(Output::<Event>::Datagram { listener, destination, payload });
        }
    }
}

/// A server transaction each. Timer J, for which each is kept, is 640 ms in place of 32 s: what a minute of this holds otherwise is
/// more than the machine has.
pub async fn stateful(
    front: SocketAddr,
    transports: &[Transport],
    tls: Option<std::sync::Arc<driver::rustls::ServerConfig>>,
) {
    let config = Config {
        timers: Timers { t1: Duration::from_millis(10), ..Timers::default() },
        server_transactions: 1_000_000,
        ..Config::default()
    };
    let mut sockets = Sockets::new(SocketConfig::default());
    let mut endpoint = Endpoint::new(config, [7; 32]);
    endpoint.trust(front.ip());
    endpoint.share(front.ip());
    for transport in transports {
        let bound = match &tls {
            Some(config) => sockets.bind_tls(*transport, front, config.clone()),
            None => sockets.bind(*transport, front),
        };
        endpoint.add_listener(bound.expect("the front"));
    }
    let mut now = Instant::now();
    loop {
        while let Some(output) = endpoint.poll_output() {
            if let Some(Event::Request { id, request, .. }) = sockets.transmit(output) {
                let response = Response::to(&request, StatusCode::OK).to_tag(b"peers").build();
                let _ = endpoint.respond(now, id, response);
            }
        }
        let arrival = sockets.recv_until(endpoint.poll_timeout()).await;
        now = Instant::now();
        match arrival {
            Some(Arrival::Input(input)) => endpoint.handle_input(now, input),
            Some(Arrival::Connection(incoming)) => {
                let id = endpoint.accept(now, incoming.listener(), incoming.local(), incoming.remote());
                sockets.attach(incoming, id.ok());
            }
            None => endpoint.handle_timeout(now),
        }
    }
}
