//! The tokio driver over real sockets on loopback.
#![cfg(feature = "tokio")]

mod support;

use std::net::SocketAddr;
use std::time::Duration;

use sip_core::{Response, StatusCode};
use sip_transaction::driver::{self, Arrival, Events, Handle, SocketConfig, Sockets};
use sip_transaction::{
    CloseReason, Config, Endpoint, Event, Failure, Input, ListenerConfig, Output, Target, Transport,
};
use support::{request, request_with, response};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

/// Far more than anything here takes.
const PATIENCE: Duration = Duration::from_secs(30);

fn any() -> SocketAddr {
    ([127, 0, 0, 1], 0).into()
}

/// An endpoint with UDP and TCP at one port.
fn start(config: Config, sockets: SocketConfig) -> (Handle, Events, SocketAddr) {
    loop {
        let mut bound = Sockets::new(sockets);
        let mut endpoint = Endpoint::new(config, driver::seed().unwrap());
        let udp = bound.bind(Transport::Udp, any()).unwrap();
        let address = udp.local;
        // The port may be taken for TCP.
        let Ok(tcp) = bound.bind(Transport::Tcp, address) else { continue };
        endpoint.add_listener(udp);
        endpoint.add_listener(tcp);
        let (handle, events) = driver::spawn(endpoint, bound);
        return (handle, events, address);
    }
}

/// Answers everything with 200 in the background.
fn answer(handle: Handle, mut events: Events) {
    tokio::spawn(async move {
        while let Some(event) = events.recv().await {
            if let Event::Request { id, request, .. } = event {
                let _ = handle.respond(id, response(&request, 200)).await;
            }
        }
    });
}

async fn next(events: &mut Events) -> Event {
    timeout(PATIENCE, events.recv()).await.expect("nothing happened").expect("the loop ended")
}

/// The next final response and the transport that it came by.
async fn next_response(events: &mut Events) -> (u16, Transport) {
    loop {
        match next(events).await {
            // A busy machine may take so long that a 100 comes first.
            Event::Response { response, .. } if response.status().is_provisional() => {}
            Event::Response { response, source, .. } => return (response.status().as_u16(), source.transport),
            Event::ClientFailed { reason, .. } => panic!("failed: {reason}"),
            _ => {}
        }
    }
}

#[tokio::test]
async fn options_is_answered_over_udp_and_over_tcp() {
    let (server, requests, address) = start(Config::default(), SocketConfig::default());
    answer(server, requests);
    let (client, mut events, _) = start(Config::default(), SocketConfig::default());
    client.send_request(request("OPTIONS", 1), Target::udp(address)).await.unwrap().unwrap();
    assert_eq!(next_response(&mut events).await, (200, Transport::Udp));
    client.send_request(request("OPTIONS", 2), Target::tcp(address)).await.unwrap().unwrap();
    assert_eq!(next_response(&mut events).await, (200, Transport::Tcp));
    // The second one goes down the same connection.
    client.send_request(request("OPTIONS", 3), Target::tcp(address)).await.unwrap().unwrap();
    assert_eq!(next_response(&mut events).await, (200, Transport::Tcp));
    let snapshot = client.snapshot().await.unwrap();
    assert_eq!(snapshot.counters.connections_opened, 1);
    assert_eq!(snapshot.connections, 1);
}

#[tokio::test]
async fn a_server_reaches_a_phone_down_the_connection_that_the_phone_opened() {
    let (server, mut requests, address) = start(Config::default(), SocketConfig::default());
    let (phone, mut events, _) = start(Config::default(), SocketConfig::default());
    phone.send_request(request("REGISTER", 1), Target::tcp(address)).await.unwrap().unwrap();
    let Event::Request { id, request: register, source, .. } = next(&mut requests).await else { panic!("no request") };
    server.respond(id, response(&register, 200)).await.unwrap().unwrap();
    assert_eq!(next_response(&mut events).await, (200, Transport::Tcp));
    server.send_request(request("OPTIONS", 2), Target::from(&source)).await.unwrap().unwrap();
    loop {
        if let Event::Request { id, request, source, .. } = next(&mut events).await {
            assert_eq!(source.remote, address);
            phone.respond(id, response(&request, 200)).await.unwrap().unwrap();
            break;
        }
    }
    assert_eq!(next_response(&mut requests).await, (200, Transport::Tcp));
    assert_eq!(server.snapshot().await.unwrap().connections, 1);
}

#[tokio::test]
async fn a_large_request_goes_by_tcp_and_without_tcp_as_one_large_datagram() {
    let (server, requests, address) = start(Config::default(), SocketConfig::default());
    answer(server.clone(), requests);
    let (client, mut events, _) = start(Config::default(), SocketConfig::default());
    let large = request_with("MESSAGE", 1, "Content-Type: text/plain\r\n", &[b'x'; 60_000]);
    client.send_request(large.clone(), Target::udp(address)).await.unwrap().unwrap();
    assert_eq!(next_response(&mut events).await, (200, Transport::Tcp));

    // A server that has UDP only.
    let mut sockets = Sockets::new(SocketConfig::default());
    let mut endpoint = Endpoint::new(Config::default(), driver::seed().unwrap());
    let udp = sockets.bind(Transport::Udp, any()).unwrap();
    let address = udp.local;
    endpoint.add_listener(udp);
    let (server, requests) = driver::spawn(endpoint, sockets);
    answer(server, requests);
    client.send_request(large, Target::udp(address)).await.unwrap().unwrap();
    assert_eq!(next_response(&mut events).await, (200, Transport::Udp));
    assert_eq!(client.snapshot().await.unwrap().counters.fallbacks, 1);
}

#[tokio::test]
async fn a_connection_that_is_refused_fails_its_request_at_once() {
    let closed = {
        let listener = std::net::TcpListener::bind(any()).unwrap();
        listener.local_addr().unwrap()
    };
    let (client, mut events, _) = start(Config::default(), SocketConfig::default());
    let id = client.send_request(request("OPTIONS", 1), Target::tcp(closed)).await.unwrap().unwrap();
    loop {
        match next(&mut events).await {
            Event::ConnectionClosed { reason, .. } => assert_eq!(reason, CloseReason::Unreachable),
            Event::ClientFailed { id: failed, reason } => {
                assert_eq!((failed, reason), (id, Failure::Transport));
                break;
            }
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_reader_that_never_reads_is_closed_and_counted_while_others_are_served() {
    let sockets = SocketConfig { write_queue: 64 * 1_024, ..SocketConfig::default() };
    let (server, mut requests, address) = start(Config::default(), sockets);
    let answering = server.clone();
    tokio::spawn(async move {
        while let Some(event) = requests.recv().await {
            if let Event::Request { id, request, .. } = event {
                let long = Response::to(&request, StatusCode::OK).body("text/plain", vec![b'x'; 8_000]).build();
                let _ = answering.respond(id, long).await;
            }
        }
    });
    let greedy = TcpSocket::new_v4().unwrap();
    greedy.set_recv_buffer_size(4_096).unwrap();
    let mut greedy = greedy.connect(address).await.unwrap();
    let mut flood = Vec::new();
    for number in 0..200 {
        flood.extend_from_slice(&support::arriving("OPTIONS", number, "192.0.2.1", &format!("z9hG4bK{number}")));
    }
    // Writes until the server has had enough. Requests that come again are new ones: over TCP nothing is remembered.
    let greed = async {
        loop {
            if greedy.write_all(&flood).await.is_err() {
                return;
            }
        }
    };
    let (client, mut events, _) = start(Config::default(), SocketConfig::default());
    let honest = async {
        for number in 0..20 {
            client.send_request(request("OPTIONS", number), Target::udp(address)).await.unwrap().unwrap();
            assert_eq!(next_response(&mut events).await, (200, Transport::Udp));
        }
    };
    timeout(PATIENCE, async { tokio::join!(greed, honest) }).await.expect("the greedy one was not closed");
    let snapshot = server.snapshot().await.unwrap();
    assert_eq!(snapshot.counters.slow_readers, 1);
    assert_eq!(snapshot.connections, 0);
}

#[tokio::test]
async fn a_ping_on_a_connection_is_answered_with_a_pong() {
    let (_server, _events, address) = start(Config::default(), SocketConfig::default());
    let mut phone = TcpStream::connect(address).await.unwrap();
    phone.write_all(b"\r\n\r\n").await.unwrap();
    let mut pong = [0; 2];
    timeout(PATIENCE, phone.read_exact(&mut pong)).await.unwrap().unwrap();
    assert_eq!(&pong, b"\r\n");
}

#[tokio::test]
async fn what_waits_for_a_connection_is_written_before_it_is_closed() {
    let listener = tokio::net::TcpListener::bind(any()).await.unwrap();
    let mut sockets = Sockets::new(SocketConfig::default());
    let mut endpoint = Endpoint::new(Config::default(), [3; 32]);
    endpoint.add_listener(sockets.bind(Transport::Tcp, any()).unwrap());
    let now = support::origin();
    let target = Target::tcp(listener.local_addr().unwrap());
    endpoint.send_request(now, request_with("MESSAGE", 1, "", &[b'x'; 60_000]), target).unwrap();
    let (mut accepted, _) = listener.accept_or_drive(&mut endpoint, &mut sockets).await;
    // Once open, it is closed at once.
    loop {
        let Arrival::Input(input) = sockets.recv().await else { panic!("nobody connects") };
        let is_connected = matches!(input, Input::Connected { .. });
        endpoint.handle_input(now, input);
        let mut connection = None;
        while let Some(output) = endpoint.poll_output() {
            if let Output::Write { connection: id, .. } = &output {
                connection = Some(*id);
            }
            sockets.transmit(output);
        }
        if let Some(id) = connection.filter(|_| is_connected) {
            endpoint.close(now, id);
            while let Some(output) = endpoint.poll_output() {
                sockets.transmit(output);
            }
            break;
        }
    }
    let mut everything = Vec::new();
    timeout(PATIENCE, accepted.read_to_end(&mut everything)).await.unwrap().unwrap();
    assert!(everything.len() > 60_000, "{} bytes", everything.len());
    assert!(everything.ends_with(b"xxx"));
}

/// Carries out what the endpoint wants, then takes the connection that it opens.
trait AcceptOrDrive {
    async fn accept_or_drive(&self, endpoint: &mut Endpoint, sockets: &mut Sockets) -> (TcpStream, SocketAddr);
}

impl AcceptOrDrive for tokio::net::TcpListener {
    async fn accept_or_drive(&self, endpoint: &mut Endpoint, sockets: &mut Sockets) -> (TcpStream, SocketAddr) {
        while let Some(output) = endpoint.poll_output() {
            sockets.transmit(output);
        }
        self.accept().await.unwrap()
    }
}

#[tokio::test]
async fn a_dual_stack_listener_serves_both_families() {
    let mut sockets = Sockets::new(SocketConfig::default());
    let Ok(bound) = sockets.bind(Transport::Udp, "[::]:0".parse().unwrap()) else {
        eprintln!("skipped: this machine has no IPv6");
        return;
    };
    let port = bound.local.port();
    let mut endpoint = Endpoint::new(Config::default(), driver::seed().unwrap());
    endpoint.add_listener(ListenerConfig { advertised: "localhost".parse().unwrap(), ..bound });
    let (server, requests) = driver::spawn(endpoint, sockets);
    answer(server, requests);
    for bind in ["127.0.0.1:0", "[::1]:0"] {
        let mut sockets = Sockets::new(SocketConfig::default());
        let mut endpoint = Endpoint::new(Config::default(), driver::seed().unwrap());
        let Ok(bound) = sockets.bind(Transport::Udp, bind.parse().unwrap()) else {
            eprintln!("skipped {bind}: this machine does not have it");
            continue;
        };
        let target = Target::udp(SocketAddr::new(bound.local.ip(), port));
        endpoint.add_listener(bound);
        let (client, mut events) = driver::spawn(endpoint, sockets);
        client.send_request(request("OPTIONS", 1), target).await.unwrap().unwrap();
        assert_eq!(next_response(&mut events).await, (200, Transport::Udp));
    }
}

#[tokio::test]
async fn transports_that_need_a_certificate_are_refused_without_one() {
    let mut sockets = Sockets::new(SocketConfig::default());
    for transport in [Transport::Tls, Transport::Wss] {
        assert_eq!(sockets.bind(transport, any()).unwrap_err().kind(), std::io::ErrorKind::Unsupported);
    }
}
