//! Peers that mean ill, over real sockets on loopback: what they hold is given back in time, and others are served.
#![cfg(feature = "tokio")]

mod support;

use std::net::SocketAddr;
use std::time::Duration;

use sip_transaction::driver::{self, Handle, SocketConfig, Sockets};
use sip_transaction::{Config, Endpoint, Event, Snapshot, Transport};
use support::{arriving, parse_response, response};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::timeout;

/// Far more than anything here takes.
const PATIENCE: Duration = Duration::from_secs(30);

fn any() -> SocketAddr {
    ([127, 0, 0, 1], 0).into()
}

/// A server that answers everything with 200: at UDP, and at TCP.
fn start(config: Config) -> (Handle, SocketAddr, SocketAddr) {
    let mut sockets = Sockets::new(SocketConfig::default());
    let mut endpoint = Endpoint::new(config, driver::seed().unwrap());
    let [udp, tcp] = [Transport::Udp, Transport::Tcp].map(|transport| {
        let bound = sockets.bind(transport, any()).unwrap();
        let local = bound.local;
        endpoint.add_listener(bound);
        local
    });
    let (handle, mut events) = driver::spawn(endpoint, sockets);
    let answering = handle.clone();
    tokio::spawn(async move {
        while let Some(event) = events.recv().await {
            if let Event::Request { id, request, .. } = event {
                let _ = answering.respond(id, response(&request, 200)).await;
            }
        }
    });
    (handle, udp, tcp)
}

/// Waits until the other side has closed.
async fn closed(stream: &mut TcpStream) {
    let mut rest = Vec::new();
    // With an end or with a reset, as it likes.
    let _ = timeout(PATIENCE, stream.read_to_end(&mut rest)).await.expect("it was not closed");
}

async fn until(handle: &Handle, holds: impl Fn(&Snapshot) -> bool) {
    timeout(PATIENCE, async {
        while !holds(&handle.snapshot().await.unwrap()) {
            tokio::task::yield_now().await;
        }
    })
    .await
    .expect("it never holds");
}

/// Somebody who means well is answered.
async fn is_served(udp: SocketAddr, tcp: SocketAddr, call: u64) {
    let phone = UdpSocket::bind(any()).await.unwrap();
    let sent_by = phone.local_addr().unwrap().to_string();
    let mut buffer = [0; 2_048];
    phone.send_to(&arriving("OPTIONS", call, &sent_by, &format!("u{call}")), udp).await.unwrap();
    let length = timeout(PATIENCE, phone.recv(&mut buffer)).await.expect("no answer").unwrap();
    assert_eq!(parse_response(&buffer[..length]).status().as_u16(), 200);
    let mut phone = TcpStream::connect(tcp).await.unwrap();
    let request = arriving("OPTIONS", call, "192.0.2.1", &format!("t{call}"));
    phone.write_all(&request).await.unwrap();
    let length = timeout(PATIENCE, phone.read(&mut buffer)).await.expect("no answer").unwrap();
    assert!(buffer[..length].starts_with(b"SIP/2.0 200"));
}

#[tokio::test]
async fn connections_with_half_a_message_or_none_are_closed_in_time_while_others_are_served() {
    let config = Config {
        first_message_within: Duration::from_millis(300),
        whole_message_within: Duration::from_millis(300),
        ..Config::default()
    };
    let (handle, udp, tcp) = start(config);
    let message = arriving("OPTIONS", 1, "192.0.2.1", "1");
    let mut attackers = Vec::new();
    for number in 0..60 {
        let mut attacker = TcpStream::connect(tcp).await.unwrap();
        // Nothing, pings, half of the headers, and half of a second message.
        match number % 4 {
            0 => {}
            1 => attacker.write_all(b"\r\n\r\n").await.unwrap(),
            2 => attacker.write_all(&message[..message.len() / 2]).await.unwrap(),
            _ => attacker.write_all(&[&message[..], b"OPTIONS sip:x SIP/2.0\r\nVia: "].concat()).await.unwrap(),
        }
        attackers.push(attacker);
    }
    is_served(udp, tcp, 2).await;
    for attacker in &mut attackers {
        closed(attacker).await;
    }
    until(&handle, |snapshot| snapshot.connections == 0).await;
    is_served(udp, tcp, 3).await;
}

#[tokio::test]
async fn a_message_that_trickles_is_closed_although_it_always_goes_on() {
    let config = Config { whole_message_within: Duration::from_millis(300), ..Config::default() };
    let (handle, udp, tcp) = start(config);
    let (mut reading, mut writing) = TcpStream::connect(tcp).await.unwrap().into_split();
    let trickle = tokio::spawn(async move {
        writing.write_all(b"OPTIONS sip:x SIP/2.0\r\nSubject: ").await.unwrap();
        while writing.write_all(b"x").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    let mut rest = Vec::new();
    let _ = timeout(PATIENCE, reading.read_to_end(&mut rest)).await.expect("it was not closed");
    timeout(PATIENCE, trickle).await.expect("it was not closed").unwrap();
    until(&handle, |snapshot| snapshot.connections == 0).await;
    is_served(udp, tcp, 2).await;
}

#[tokio::test]
async fn connections_past_the_limits_are_closed_at_once_and_room_that_is_given_back_is_used_again() {
    let (handle, udp, tcp) = start(Config { connections_per_address: 8, ..Config::default() });
    let mut kept = Vec::new();
    for _ in 0..8 {
        kept.push(TcpStream::connect(tcp).await.unwrap());
    }
    until(&handle, |snapshot| snapshot.connections == 8).await;
    for _ in 0..50 {
        closed(&mut TcpStream::connect(tcp).await.unwrap()).await;
    }
    assert_eq!(handle.snapshot().await.unwrap().connections, 8);
    kept.truncate(4);
    until(&handle, |snapshot| snapshot.connections == 4).await;
    is_served(udp, tcp, 2).await;
}

#[tokio::test]
async fn a_flood_of_datagrams_that_are_no_sip_and_of_requests_leaves_no_more_than_its_budget() {
    let (handle, udp, tcp) = start(Config { stranger_transactions: 50, ..Config::default() });
    let attacker = UdpSocket::bind("127.0.0.2:0").await.unwrap();
    for call in 0..2_000_u64 {
        let request = arriving("OPTIONS", call, "127.0.0.2", &format!("f{call}"));
        attacker.send_to(&request, udp).await.unwrap();
        attacker.send_to(&request[..request.len() / 3], udp).await.unwrap();
        attacker.send_to(b"\x00\xff\xfe", udp).await.unwrap();
        attacker.send_to(b"", udp).await.unwrap();
        if call % 16 == 0 {
            tokio::task::yield_now().await;
        }
    }
    is_served(udp, tcp, 5_000).await;
    until(&handle, |snapshot| snapshot.counters.shed_dropped > 0).await;
    let snapshot = handle.snapshot().await.unwrap();
    assert!(snapshot.server_transactions <= 50 + 2, "{snapshot:?}");
    assert!(snapshot.counters.malformed > 0);
}
