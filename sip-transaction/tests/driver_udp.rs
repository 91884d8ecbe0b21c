//! Datagrams over real sockets on loopback: batches, times, classes, listeners and the addresses that they advertise.
#![cfg(feature = "tokio")]
#![expect(clippy::disallowed_methods, reason = "the driver owns the clock")]

mod support;

use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use bytes::Bytes;
use sip_core::header::Via;
use sip_transaction::driver::{self, Arrival, SocketConfig, Sockets};
use sip_transaction::{Config, Endpoint, Event, Input, ListenerConfig, ListenerId, Output, Target, Transport};
use support::{arriving, drain, parse_request, parse_response, request, response};
use tokio::time::timeout;

/// Far more than anything here takes.
const PATIENCE: Duration = Duration::from_secs(30);

fn any() -> SocketAddr {
    ([127, 0, 0, 1], 0).into()
}

fn peer() -> UdpSocket {
    let socket = UdpSocket::bind(any()).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket
}

fn read(socket: &UdpSocket) -> (Bytes, SocketAddr) {
    let mut buffer = [0; 4_096];
    let (length, source) = socket.recv_from(&mut buffer).unwrap();
    (Bytes::copy_from_slice(&buffer[..length]), source)
}

async fn recv(sockets: &mut Sockets) -> Input {
    match timeout(PATIENCE, sockets.recv()).await.expect("nothing came") {
        Arrival::Input(input) => input,
        Arrival::Connection(_) => panic!("nobody connects"),
    }
}

#[tokio::test]
async fn an_event_tells_how_long_its_datagram_waited_for_us() {
    let mut sockets = Sockets::new(SocketConfig::default());
    let mut endpoint = Endpoint::new(Config::default(), driver::seed().unwrap());
    let bound = sockets.bind(Transport::Udp, any()).unwrap();
    let address = bound.local;
    endpoint.add_listener(bound);
    let peer = peer();
    // The system begins to stamp a moment after the first socket of the machine asks for it.
    for call in 0..100 {
        let sent_by = peer.local_addr().unwrap().to_string();
        peer.send_to(&arriving("OPTIONS", call, &sent_by, "1"), address).unwrap();
        let sent = Instant::now();
        tokio::time::sleep(Duration::from_millis(100)).await;
        let input = recv(&mut sockets).await;
        endpoint.handle_input(Instant::now(), input);
        let source = drain(&mut endpoint).0.into_iter().find_map(|event| match event {
            Event::Request { source, .. } => Some(source),
            _ => None,
        });
        let received = source.unwrap().received.expect("a time");
        assert!(received <= Instant::now());
        if received <= sent + Duration::from_millis(50) {
            return;
        }
    }
    panic!("always told when it was read");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_listener_answers_for_itself_and_is_known_by_the_address_that_it_advertises() {
    let mut sockets = Sockets::new(SocketConfig::default());
    let mut endpoint = Endpoint::new(Config::default(), driver::seed().unwrap());
    let mut addresses = Vec::new();
    let mut listeners = Vec::new();
    for name in ["one.example.com:5070", "two.example.com"] {
        let bound = sockets.bind(Transport::Udp, any()).unwrap();
        addresses.push(bound.local);
        listeners.push(endpoint.add_listener(ListenerConfig { advertised: name.parse().unwrap(), ..bound }));
    }
    let (handle, mut events) = driver::spawn(endpoint, sockets);
    let answering = handle.clone();
    tokio::spawn(async move {
        while let Some(event) = events.recv().await {
            if let Event::Request { id, request, .. } = event {
                let _ = answering.respond(id, response(&request, 200)).await;
            }
        }
    });
    let peer = peer();
    let sent_by = peer.local_addr().unwrap();
    for (number, address) in addresses.iter().enumerate() {
        peer.send_to(&arriving("OPTIONS", 1, &sent_by.to_string(), &number.to_string()), address).unwrap();
        let (answer, source) = tokio::task::block_in_place(|| read(&peer));
        assert_eq!((parse_response(&answer).status().as_u16(), source), (200, *address));
    }
    for (listener, (name, address)) in
        listeners.into_iter().zip(["one.example.com:5070", "two.example.com"].into_iter().zip(addresses))
    {
        let target = Target::udp(sent_by).from_listener(listener);
        handle.send_request(request("OPTIONS", 9), target).await.unwrap().unwrap();
        let (asked, source) = tokio::task::block_in_place(|| read(&peer));
        assert_eq!(source, address);
        assert_eq!(parse_request(&asked).headers().require::<Via>().unwrap().sent_by.to_string(), name);
    }
}

#[tokio::test]
async fn what_is_sent_leaves_before_anybody_waits_and_at_the_latest_with_the_sockets() {
    let mut sockets = Sockets::new(SocketConfig::default());
    let bound = sockets.bind(Transport::Udp, any()).unwrap();
    assert_eq!(bound.transport, Transport::Udp);
    let peer = peer();
    let destination = peer.local_addr().unwrap();
    let listener = listener_of(bound);
    let send = |sockets: &mut Sockets, payload: &'static [u8]| {
        let payload = Bytes::from_static(payload);
        sockets.transmit(Output::<Event>::Datagram { listener, destination, payload });
    };
    send(&mut sockets, b"1");
    assert!(sockets.try_recv().is_none());
    assert_eq!(read(&peer).0, "1");
    send(&mut sockets, b"2");
    assert!(sockets.recv_until(Some(Instant::now())).await.is_none());
    assert_eq!(read(&peer).0, "2");
    send(&mut sockets, b"3");
    sockets.flush();
    assert_eq!(read(&peer).0, "3");
    // A batch that is full does not wait.
    for _ in 0..100 {
        send(&mut sockets, b"4");
    }
    assert_eq!(read(&peer).0, "4");
    send(&mut sockets, b"5");
    drop(sockets);
    for _ in 1..100 {
        assert_eq!(read(&peer).0, "4");
    }
    assert_eq!(read(&peer).0, "5");
}

fn listener_of(bound: ListenerConfig) -> ListenerId {
    Endpoint::new(Config::default(), [0; 32]).add_listener(bound)
}

#[tokio::test]
async fn timeouts_come_between_batches_however_much_is_sent_and_not_before_they_are_due() {
    let mut sockets = Sockets::new(SocketConfig::default());
    let address = sockets.bind(Transport::Udp, any()).unwrap().local;
    let peer = peer();
    let start = Instant::now();
    let due = start + Duration::from_millis(80);
    assert!(sockets.recv_until(Some(due)).await.is_none());
    assert!(start.elapsed() >= Duration::from_millis(80));
    // An earlier one than the alarm is set for, and a later one.
    let later = Instant::now() + Duration::from_secs(60);
    assert!(timeout(Duration::from_millis(20), sockets.recv_until(Some(later))).await.is_err());
    let soon = Instant::now() + Duration::from_millis(20);
    assert!(timeout(PATIENCE, sockets.recv_until(Some(soon))).await.unwrap().is_none());
    let later = Instant::now() + Duration::from_millis(40);
    assert!(timeout(PATIENCE, sockets.recv_until(Some(later))).await.unwrap().is_none());
    assert!(Instant::now() >= later);
    // Due already, with a thousand datagrams waiting: at most a batch comes first.
    for _ in 0..1_000 {
        peer.send_to(b"x", address).unwrap();
    }
    let mut before = 0;
    while sockets.recv_until(Some(due)).await.is_some() {
        before += 1;
    }
    assert!(before <= driver::udp::BATCH, "{before} datagrams before the timeout");
}
