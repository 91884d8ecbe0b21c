//! TLS over real sockets on loopback: names, mutual authentication, renewal, and peers that mean ill.
#![cfg(feature = "tls")]

mod support;
mod wire_support;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use sip_core::header::Via;
use sip_transaction::driver::rustls::{ClientConfig, ServerConfig};
use sip_transaction::driver::tls::{self, ClientCertificates};
use sip_transaction::driver::{self, Events, Handle, SocketConfig, Sockets};
use sip_transaction::{
    CloseReason, Config, Destination, Endpoint, Event, Failure, Input, ListenerConfig, ListenerId, Output, Target,
    Transport,
};
use support::{alice, drain, request, response};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use wire_support::{Authority, Outcome, PATIENCE, answer, any, next, outcome};

struct Server {
    handle: Handle,
    events: Events,
    address: SocketAddr,
    listener: ListenerId,
}

fn serve(config: Config, tls: Arc<ServerConfig>) -> Server {
    let mut sockets = Sockets::new(SocketConfig::default());
    let mut endpoint = Endpoint::new(config, driver::seed().unwrap());
    let bound = sockets.bind_tls(Transport::Tls, any(), tls).unwrap();
    let address = bound.local;
    let listener = endpoint.add_listener(bound);
    let (handle, events) = driver::spawn(endpoint, sockets);
    Server { handle, events, address, listener }
}

fn client(tls: Arc<ClientConfig>) -> (Handle, Events) {
    let mut sockets = Sockets::new(SocketConfig::default());
    sockets.set_client_tls(tls);
    let mut endpoint = Endpoint::new(Config::default(), driver::seed().unwrap());
    endpoint.add_listener(ListenerConfig::new(Transport::Tls, any()));
    driver::spawn(endpoint, sockets)
}

fn at(address: SocketAddr, name: &str) -> Destination {
    Destination::from(Target::new(Transport::Tls, address)).named(name)
}

/// How an OPTIONS ends that is sent to a server with this certificate, for a destination of this name.
async fn ask(authority: &Authority, names: &[&str], name: Option<&str>) -> Outcome {
    let server = serve(Config::default(), authority.server(names));
    answer(server.handle, server.events);
    let (client, mut events) = client(authority.client());
    let target = Target::new(Transport::Tls, server.address);
    let destination = name.map_or(target.into(), |name| at(server.address, name));
    let id = client.send_request(request("OPTIONS", 1), destination).await.unwrap().unwrap();
    outcome(&mut events, id).await
}

const REFUSED: Outcome = Outcome::Failed(Failure::Transport, Some(CloseReason::Handshake));

#[tokio::test]
async fn requests_go_both_ways_over_one_connection_whose_via_says_tls() {
    let authority = Authority::new();
    let mut server = serve(Config::default(), authority.server(&["example.com"]));
    let (client, mut events) = client(authority.client());
    let id = client.send_request(request("OPTIONS", 1), at(server.address, "example.com")).await.unwrap().unwrap();
    let Event::Request { id: asked, request: options, source, .. } = next(&mut server.events).await else {
        panic!("no request")
    };
    assert_eq!(source.transport, Transport::Tls);
    let via = options.headers().require::<Via>().unwrap();
    assert_eq!(&via.transport[..], b"TLS");
    server.handle.respond(asked, response(&options, 200)).await.unwrap().unwrap();
    assert_eq!(outcome(&mut events, id).await, Outcome::Status(200));
    // Back down the same connection.
    let back = server.handle.send_request(request("OPTIONS", 2), Target::from(&source)).await.unwrap().unwrap();
    loop {
        if let Event::Request { id, request, .. } = next(&mut events).await {
            client.respond(id, response(&request, 200)).await.unwrap().unwrap();
            break;
        }
    }
    assert_eq!(outcome(&mut server.events, back).await, Outcome::Status(200));
    assert_eq!(server.handle.snapshot().await.unwrap().connections, 1);
}

#[tokio::test]
async fn a_server_must_prove_the_name_that_was_asked_for() {
    let authority = Authority::new();
    assert_eq!(ask(&authority, &["example.com"], Some("example.com")).await, Outcome::Status(200));
    assert_eq!(ask(&authority, &["sip:example.com"], Some("EXAMPLE.com.")).await, Outcome::Status(200));
    assert_eq!(ask(&authority, &["other.example", "example.com"], Some("example.com")).await, Outcome::Status(200));
    assert_eq!(ask(&authority, &["127.0.0.1"], None).await, Outcome::Status(200));
    assert_eq!(ask(&authority, &["other.example"], Some("example.com")).await, REFUSED);
    // A wildcard matches nothing, and DNS names count only where no sip URI does (RFC 5922 §7.1 and §7.2).
    assert_eq!(ask(&authority, &["*.example.com"], Some("sip.example.com")).await, REFUSED);
    assert_eq!(ask(&authority, &["sip:other.example", "example.com"], Some("example.com")).await, REFUSED);
    assert_eq!(ask(&authority, &["example.com"], None).await, REFUSED);
}

#[tokio::test]
async fn an_authority_that_is_not_known_vouches_for_nobody() {
    let server = serve(Config::default(), Authority::new().server(&["example.com"]));
    let (client, mut events) = client(Authority::new().client());
    let id = client.send_request(request("OPTIONS", 1), at(server.address, "example.com")).await.unwrap().unwrap();
    assert_eq!(outcome(&mut events, id).await, REFUSED);
}

#[tokio::test]
async fn mutual_tls_tells_the_domains_of_the_client_and_turns_away_who_has_no_certificate() {
    let authority = Authority::new();
    let (chain, key) = authority.certify(&["example.com"]);
    let required = ClientCertificates::Required(authority.roots());
    let mut server = serve(Config::default(), tls::server_config(chain, key, required).unwrap());
    let peer = tls::client_config(authority.roots(), Some(authority.certify(&["sip:peer.example", "peer.example"])));
    let (peer, mut told) = client(peer.unwrap());
    let id = peer.send_request(request("OPTIONS", 1), at(server.address, "example.com")).await.unwrap().unwrap();
    let Event::ConnectionAuthenticated { source, names } = next(&mut server.events).await else {
        panic!("not authenticated")
    };
    assert_eq!(names.iter().map(|name| &**name).collect::<Vec<_>>(), ["peer.example"]);
    let Event::Request { id: asked, request: options, source: from, .. } = next(&mut server.events).await else {
        panic!("no request")
    };
    assert_eq!(source, from);
    server.handle.respond(asked, response(&options, 200)).await.unwrap().unwrap();
    assert_eq!(outcome(&mut told, id).await, Outcome::Status(200));
    // One without a certificate, and one with that of another authority.
    let stranger = tls::client_config(authority.roots(), Some(Authority::new().certify(&["peer.example"])));
    for config in [authority.client(), stranger.unwrap()] {
        let (client, mut events) = client(config);
        let id = client.send_request(request("OPTIONS", 2), at(server.address, "example.com")).await.unwrap().unwrap();
        assert!(matches!(outcome(&mut events, id).await, Outcome::Failed(Failure::Transport, Some(_))));
    }
    let requests = server.handle.snapshot().await.unwrap().counters.requests;
    assert_eq!(requests, 1);
}

#[tokio::test]
async fn a_certificate_is_renewed_without_a_connection_being_cut() {
    let authority = Authority::new();
    let server = serve(Config::default(), authority.server(&["old.example"]));
    answer(server.handle.clone(), server.events);
    let (client, mut events) = client(authority.client());
    let mut ask = async |number, name| {
        let id = client.send_request(request("OPTIONS", number), at(server.address, name)).await.unwrap().unwrap();
        outcome(&mut events, id).await
    };
    assert_eq!(ask(1, "old.example").await, Outcome::Status(200));
    server.handle.set_server_tls(server.listener, authority.server(&["new.example"])).await.unwrap();
    server.handle.snapshot().await.unwrap();
    assert_eq!(ask(2, "new.example").await, Outcome::Status(200));
    assert_eq!(ask(3, "old.example").await, Outcome::Status(200));
    assert_eq!(ask(4, "new.example").await, Outcome::Status(200));
    let snapshot = client.snapshot().await.unwrap();
    // Nobody is sent down a connection on which another name was proven.
    assert_eq!((snapshot.connections, snapshot.counters.connections_opened), (2, 2));
    assert_eq!(server.handle.snapshot().await.unwrap().connections, 2);
}

#[tokio::test]
async fn a_handshake_that_is_never_finished_is_closed_in_time_while_others_are_served() {
    let authority = Authority::new();
    let config =
        Config { first_message_within: Duration::from_millis(600), connections_per_address: 5, ..Config::default() };
    let server = serve(config, authority.server(&["example.com"]));
    answer(server.handle.clone(), server.events);
    // One says nothing, one half a ClientHello, one speaks SIP where TLS is spoken, one sends a record that never ends.
    let hello: &[&[u8]] =
        &[b"", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"OPTIONS sip:a SIP/2.0\r\n", b"\x16\x03\x01"];
    let mut slow = Vec::new();
    for bytes in hello {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        slow.push(stream);
    }
    let (client, mut events) = client(authority.client());
    let id = client.send_request(request("OPTIONS", 1), at(server.address, "example.com")).await.unwrap().unwrap();
    assert_eq!(outcome(&mut events, id).await, Outcome::Status(200));
    for mut stream in slow {
        let mut rest = Vec::new();
        // An alert, nothing, or a reset: but an end.
        let _ = timeout(PATIENCE, stream.read_to_end(&mut rest)).await.expect("not closed");
    }
    let snapshot = server.handle.snapshot().await.unwrap();
    assert_eq!(snapshot.counters.deadlines, 3);
    assert_eq!(snapshot.connections, 1);
}

#[tokio::test]
async fn half_open_handshakes_count_against_their_address() {
    let authority = Authority::new();
    let config = Config { connections_per_address: 3, ..Config::default() };
    let server = serve(config, authority.server(&["example.com"]));
    let mut held = Vec::new();
    for _ in 0..3 {
        held.push(TcpStream::connect(server.address).await.unwrap());
    }
    let mut refused = TcpStream::connect(server.address).await.unwrap();
    let mut rest = Vec::new();
    let _ = timeout(PATIENCE, refused.read_to_end(&mut rest)).await.expect("not closed");
    let snapshot = server.handle.snapshot().await.unwrap();
    assert_eq!((snapshot.connections, snapshot.counters.connections_refused), (3, 1));
}

#[test]
fn a_connection_is_opened_again_under_the_name_that_its_address_had() {
    let mut endpoint = Endpoint::new(Config::default(), [1; 32]);
    endpoint.add_listener(ListenerConfig::new(Transport::Tls, any()));
    let now = support::origin();
    endpoint.send_request(now, request("INVITE", 1), at(alice(), "example.com")).unwrap();
    let (_, duties) = drain(&mut endpoint);
    let [Output::Connect { connection, name, .. }] = &duties[..] else { panic!("{duties:?}") };
    assert_eq!(name.as_deref(), Some("example.com"));
    endpoint.handle_input(now, Input::Closed { connection: *connection, reason: CloseReason::Remote });
    let _ = drain(&mut endpoint);
    // A request inside a dialog knows only the address.
    endpoint.send_request(now, request("BYE", 1), Target::new(Transport::Tls, alice())).unwrap();
    let (_, duties) = drain(&mut endpoint);
    let [Output::Connect { name, .. }] = &duties[..] else { panic!("{duties:?}") };
    assert_eq!(name.as_deref(), Some("example.com"));
}

#[test]
fn what_is_opened_to_one_name_is_not_used_for_another() {
    let mut endpoint = Endpoint::new(Config::default(), [1; 32]);
    endpoint.add_listener(ListenerConfig::new(Transport::Tls, any()));
    let now = support::origin();
    let mut connects = |destination: Destination| {
        endpoint.send_request(now, request("OPTIONS", 1), destination).unwrap();
        drain(&mut endpoint).1.iter().filter(|duty| matches!(duty, Output::Connect { .. })).count()
    };
    assert_eq!(connects(at(alice(), "a.example")), 1);
    assert_eq!(connects(at(alice(), "b.example")), 1);
    assert_eq!(connects(at(alice(), "A.example")), 0);
    assert_eq!(connects(at(alice(), "b.example")), 0);
    assert_eq!(connects(Target::new(Transport::Tls, alice()).into()), 0);
}
