//! SIP over WebSocket (RFC 7118) over real sockets on loopback, with and without TLS, and peers that mean ill.
#![cfg(all(feature = "ws", feature = "tls"))]

mod support;
mod wire_support;

use std::net::SocketAddr;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use sip_core::header::Via;
use sip_core::{Response, StatusCode};
use sip_transaction::driver::{self, Events, Handle, SocketConfig, Sockets, WebSocketConfig};
use sip_transaction::{
    CloseReason, Config, Destination, Endpoint, Event, Failure, ListenerConfig, Snapshot, Target, Transport,
};
use support::{request, request_with, response};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::ClientRequestBuilder;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};
use wire_support::{Authority, Outcome, PATIENCE, answer, any, next, outcome};

fn serve(config: Config, websocket: WebSocketConfig) -> (Handle, Events, SocketAddr) {
    let mut sockets = Sockets::new(SocketConfig::default());
    sockets.set_websocket(websocket);
    let mut endpoint = Endpoint::new(config, driver::seed().unwrap());
    let bound = sockets.bind(Transport::Ws, any()).unwrap();
    let address = bound.local;
    endpoint.add_listener(bound);
    let (handle, events) = driver::spawn(endpoint, sockets);
    (handle, events, address)
}

fn client() -> (Handle, Events) {
    let mut endpoint = Endpoint::new(Config::default(), driver::seed().unwrap());
    endpoint.add_listener(ListenerConfig {
        advertised: "df7jal23ls0d.invalid".parse().unwrap(),
        ..ListenerConfig::new(Transport::Ws, any())
    });
    driver::spawn(endpoint, Sockets::new(SocketConfig::default()))
}

/// A client of another make, as a browser would be.
async fn browser(address: SocketAddr, protocols: &[&str], origin: Option<&str>) -> Result<Browser, Error> {
    let mut builder = ClientRequestBuilder::new(format!("ws://{address}/phones?a=b").parse().unwrap());
    for protocol in protocols {
        builder = builder.with_sub_protocol(*protocol);
    }
    if let Some(origin) = origin {
        builder = builder.with_header("Origin", origin);
    }
    let stream = TcpStream::connect(address).await.unwrap();
    client_async(builder, stream).await.map(|(socket, _)| socket)
}

type Browser = WebSocketStream<TcpStream>;

async fn heard(browser: &mut Browser) -> Message {
    timeout(PATIENCE, browser.next()).await.expect("nothing came").expect("it ended").unwrap()
}

async fn status_of_refusal(address: SocketAddr, protocols: &[&str], origin: Option<&str>) -> u16 {
    match browser(address, protocols, origin).await {
        Err(Error::Http(response)) => response.status().as_u16(),
        other => panic!("not refused: {other:?}"),
    }
}

/// Waits until the server's numbers say so.
async fn until(handle: &Handle, holds: impl Fn(&Snapshot) -> bool) -> Snapshot {
    let watching = async {
        loop {
            let snapshot = handle.snapshot().await.unwrap();
            if holds(&snapshot) {
                return snapshot;
            }
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, watching).await.expect("it never came to that")
}

const OPTIONS: &str = "OPTIONS sip:bob@192.0.2.2 SIP/2.0\r\nVia: SIP/2.0/WS df7jal23ls0d.invalid;branch=z9hG4bK56sdasks\r\n\
                       From: sip:alice@example.com;tag=asdyka899\r\nTo: sip:bob@example.com\r\nCall-ID: asidkj3ss\r\n\
                       CSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\n\r\n";

#[tokio::test]
async fn requests_go_both_ways_over_a_websocket_in_one_message_each() {
    let (server, mut requests, address) = serve(Config::default(), WebSocketConfig::default());
    let (client, mut events) = client();
    let long = request_with("MESSAGE", 1, "Content-Type: application/octet-stream\r\n", &[0xff; 60_000]);
    let id = client.send_request(long, Target::new(Transport::Ws, address)).await.unwrap().unwrap();
    let Event::Request { id: asked, request: message, source, .. } = next(&mut requests).await else {
        panic!("no request")
    };
    assert_eq!((source.transport, message.body().len()), (Transport::Ws, 60_000));
    let via = message.headers().require::<Via>().unwrap();
    assert_eq!((&via.transport[..], via.sent_by.to_string().as_str()), (&b"WS"[..], "df7jal23ls0d.invalid"));
    server.respond(asked, response(&message, 200)).await.unwrap().unwrap();
    assert_eq!(outcome(&mut events, id).await, Outcome::Status(200));
    let back = server.send_request(request("OPTIONS", 2), Target::from(&source)).await.unwrap().unwrap();
    loop {
        if let Event::Request { id, request, .. } = next(&mut events).await {
            client.respond(id, response(&request, 200)).await.unwrap().unwrap();
            break;
        }
    }
    assert_eq!(outcome(&mut requests, back).await, Outcome::Status(200));
    assert_eq!(server.snapshot().await.unwrap().connections, 1);
}

#[tokio::test]
async fn a_secure_websocket_proves_its_name_first() {
    let authority = Authority::new();
    let mut sockets = Sockets::new(SocketConfig::default());
    let mut endpoint = Endpoint::new(Config::default(), driver::seed().unwrap());
    let bound = sockets.bind_tls(Transport::Wss, any(), authority.server(&["example.com"])).unwrap();
    let target = Target::new(Transport::Wss, bound.local);
    endpoint.add_listener(bound);
    let (server, requests) = driver::spawn(endpoint, sockets);
    answer(server, requests);
    for (name, expected) in [
        ("example.com", Outcome::Status(200)),
        ("other.example", Outcome::Failed(Failure::Transport, Some(CloseReason::Handshake))),
    ] {
        let mut sockets = Sockets::new(SocketConfig::default());
        sockets.set_client_tls(authority.client());
        let mut endpoint = Endpoint::new(Config::default(), driver::seed().unwrap());
        endpoint.add_listener(ListenerConfig::new(Transport::Wss, any()));
        let (client, mut events) = driver::spawn(endpoint, sockets);
        let destination = Destination::from(target).named(name);
        let id = client.send_request(request("OPTIONS", 1), destination).await.unwrap().unwrap();
        assert_eq!(outcome(&mut events, id).await, expected);
    }
}

#[tokio::test]
async fn a_browser_is_answered_in_text_without_a_content_length_and_is_called_back() {
    let (server, mut requests, address) = serve(Config::default(), WebSocketConfig::default());
    let mut browser = browser(address, &["chat", "sip"], Some("https://phone.example")).await.unwrap();
    browser.send(Message::text(OPTIONS)).await.unwrap();
    let Event::Request { id, request: options, source, .. } = next(&mut requests).await else { panic!("no request") };
    server.respond(id, response(&options, 200)).await.unwrap().unwrap();
    let Message::Text(answer) = heard(&mut browser).await else { panic!("no text") };
    assert!(answer.starts_with("SIP/2.0 200 OK\r\n"), "{answer}");
    // A body that is no text goes as a binary message.
    let picture = request_with("MESSAGE", 2, "Content-Type: image/png\r\n", b"\x89PNG\xff");
    server.send_request(picture, Target::from(&source)).await.unwrap().unwrap();
    let Message::Binary(message) = heard(&mut browser).await else { panic!("no binary message") };
    assert!(message.ends_with(b"\x89PNG\xff"));
    // Keep-alives of both kinds (RFC 7118 §6).
    browser.send(Message::text("\r\n\r\n")).await.unwrap();
    assert_eq!(heard(&mut browser).await, Message::text("\r\n"));
    browser.send(Message::Ping("life".into())).await.unwrap();
    assert_eq!(heard(&mut browser).await, Message::Pong("life".into()));
    // And a farewell.
    browser.close(None).await.unwrap();
    loop {
        if let Event::ConnectionClosed { connection, reason } = next(&mut requests).await {
            assert_eq!((Some(connection), reason), (source.connection, CloseReason::Remote));
            break;
        }
    }
}

#[tokio::test]
async fn two_messages_in_one_and_half_a_message_are_refused_and_the_next_is_read() {
    let (server, requests, address) = serve(Config::default(), WebSocketConfig::default());
    answer(server.clone(), requests);
    let mut browser = browser(address, &["sip"], None).await.unwrap();
    let sized = OPTIONS.replace("\r\n\r\n", "\r\nContent-Length: 0\r\n\r\n");
    for (broken, status) in [(format!("{sized}{sized}"), "400"), (OPTIONS.replace("\r\n\r\n", "\r\n"), "400")] {
        browser.send(Message::text(broken)).await.unwrap();
        let Message::Text(answer) = heard(&mut browser).await else { panic!("no text") };
        assert!(answer.starts_with(&format!("SIP/2.0 {status}")), "{answer}");
    }
    browser.send(Message::binary(OPTIONS)).await.unwrap();
    let Message::Text(answer) = heard(&mut browser).await else { panic!("no text") };
    assert!(answer.starts_with("SIP/2.0 200 OK\r\n"), "{answer}");
}

#[tokio::test]
async fn a_client_that_does_not_speak_sip_or_comes_from_a_page_of_others_is_refused() {
    let websocket = WebSocketConfig::default().from_origins(["https://phone.example"]);
    let (server, _requests, address) = serve(Config::default(), websocket);
    assert_eq!(status_of_refusal(address, &[], None).await, 400);
    assert_eq!(status_of_refusal(address, &["chat", "sipx"], None).await, 400);
    assert_eq!(status_of_refusal(address, &["sip"], Some("https://evil.example")).await, 403);
    assert_eq!(status_of_refusal(address, &["sip"], Some("null")).await, 403);
    assert!(browser(address, &["sip"], Some("https://phone.example")).await.is_ok());
    assert!(browser(address, &["sip"], None).await.is_ok());
    until(&server, |snapshot| snapshot.connections == 0).await;
}

#[tokio::test]
async fn whoever_is_to_be_let_in_may_be_told_by_path_host_and_cookie() {
    let websocket = WebSocketConfig {
        check: Some(std::sync::Arc::new(|upgrade| {
            upgrade.path == "/phones?a=b" && upgrade.host.is_some() && upgrade.cookie.is_none()
        })),
        ..WebSocketConfig::default()
    };
    let (_server, _requests, address) = serve(Config::default(), websocket);
    assert!(browser(address, &["sip"], None).await.is_ok());
    let builder = ClientRequestBuilder::new(format!("ws://{address}/other").parse().unwrap()).with_sub_protocol("sip");
    let stream = TcpStream::connect(address).await.unwrap();
    assert!(matches!(client_async(builder, stream).await, Err(Error::Http(response)) if response.status() == 403));
}

#[tokio::test]
async fn a_server_that_does_not_choose_the_subprotocol_is_not_spoken_to() {
    let listener = tokio::net::TcpListener::bind(any()).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let _ = tokio_tungstenite::accept_async(stream).await;
    });
    let (client, mut events) = client();
    let target = Target::new(Transport::Ws, address);
    let id = client.send_request(request("OPTIONS", 1), target).await.unwrap().unwrap();
    assert_eq!(outcome(&mut events, id).await, Outcome::Failed(Failure::Transport, Some(CloseReason::Handshake)));
}

#[tokio::test]
async fn half_an_upgrade_is_closed_in_time_while_others_are_served() {
    let config = Config { first_message_within: Duration::from_millis(600), ..Config::default() };
    let (server, requests, address) = serve(config, WebSocketConfig::default());
    answer(server.clone(), requests);
    let mut slow = Vec::new();
    let whole = "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
                 Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: sip\r\n\r\n";
    // Nothing, half an upgrade, an upgrade after which nothing comes, and one that does not wait for its answer, which is
    // refused at once.
    for bytes in [String::new(), whole[..60].to_owned(), whole.to_owned(), format!("{whole}\u{1}")] {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(bytes.as_bytes()).await.unwrap();
        slow.push(stream);
    }
    let mut honest = browser(address, &["sip"], None).await.unwrap();
    honest.send(Message::text(OPTIONS)).await.unwrap();
    assert!(matches!(heard(&mut honest).await, Message::Text(_)));
    for mut stream in slow {
        let mut rest = Vec::new();
        let _ = timeout(PATIENCE, stream.read_to_end(&mut rest)).await.expect("not closed");
    }
    let snapshot = server.snapshot().await.unwrap();
    assert_eq!((snapshot.counters.deadlines, snapshot.connections), (3, 1));
}

#[tokio::test]
async fn what_is_larger_than_the_limit_closes_the_websocket_without_being_read() {
    let websocket = WebSocketConfig { largest_message: 4_000, ..WebSocketConfig::default() };
    let (server, mut requests, address) = serve(Config::default(), websocket);
    // A frame that says it is 2^40 bytes long, and a message of many frames that never ends.
    let mut giant = browser(address, &["sip"], None).await.unwrap();
    giant.get_mut().write_all(&[0x81, 0xff, 0, 0, 1, 0, 0, 0, 0, 0, 1, 2, 3, 4]).await.unwrap();
    let mut many = browser(address, &["sip"], None).await.unwrap();
    let frame = [&[0x01, 0xfe, 0x03, 0xe8, 0, 0, 0, 0][..], &[b'x'; 1_000]].concat();
    let rest = [&[0x00, 0xfe, 0x03, 0xe8, 0, 0, 0, 0][..], &[b'x'; 1_000]].concat();
    let _ = many.get_mut().write_all(&[frame, rest.repeat(10)].concat()).await;
    for _ in 0..2 {
        loop {
            if let Event::ConnectionClosed { reason, .. } = next(&mut requests).await {
                assert_eq!(reason, CloseReason::Framing);
                break;
            }
        }
    }
    assert_eq!(server.snapshot().await.unwrap().connections, 0);
}

#[tokio::test]
async fn frames_that_break_the_rules_close_the_websocket() {
    let (_server, mut requests, address) = serve(Config::default(), WebSocketConfig::default());
    let long_ping = [&[0x89, 0xfe, 0x01, 0x00, 0, 0, 0, 0][..], &[b'x'; 256]].concat();
    // Not masked; a reserved opcode; text that is not UTF-8; a continuation of nothing; a ping that is too long.
    for frame in [
        &[0x81, 0x01, b'x'][..],
        &[0x83, 0x80, 0, 0, 0, 0],
        &[0x81, 0x81, 0, 0, 0, 0, 0xff],
        &[0x80, 0x80, 0, 0, 0, 0],
        &long_ping,
    ] {
        let mut browser = browser(address, &["sip"], None).await.unwrap();
        browser.get_mut().write_all(frame).await.unwrap();
        loop {
            if let Event::ConnectionClosed { reason, .. } = next(&mut requests).await {
                assert_eq!(reason, CloseReason::Framing, "{frame:?}");
                break;
            }
        }
    }
}

#[tokio::test]
async fn a_websocket_whose_reader_does_not_read_is_closed_and_counted() {
    let mut sockets = Sockets::new(SocketConfig { write_queue: 64 * 1_024, ..SocketConfig::default() });
    let mut endpoint = Endpoint::new(Config::default(), driver::seed().unwrap());
    let bound = sockets.bind(Transport::Ws, any()).unwrap();
    let address = bound.local;
    endpoint.add_listener(bound);
    let (server, mut requests) = driver::spawn(endpoint, sockets);
    let answering = server.clone();
    tokio::spawn(async move {
        while let Some(event) = requests.recv().await {
            if let Event::Request { id, request, .. } = event {
                let long = Response::to(&request, StatusCode::OK).body("text/plain", vec![b'x'; 32_000]).build();
                let _ = answering.respond(id, long).await;
            }
        }
    });
    let mut greedy = browser(address, &["sip"], None).await.unwrap();
    let mut number = 0;
    while greedy.send(Message::text(OPTIONS.replace("z9hG4bK56sdasks", &format!("z9hG4bK{number}")))).await.is_ok() {
        number += 1;
    }
    assert_eq!(until(&server, |snapshot| snapshot.connections == 0).await.counters.slow_readers, 1);
}
