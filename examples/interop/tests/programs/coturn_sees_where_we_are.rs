//! STUN on the ports of SIP (RFC 5626 §4.4.2) with coturn: its client asks a server of ours, and a client of ours asks its
//! server.

use interop::folder::Folder;
use interop::ours::{Ours, Setup};
use interop::ports::Ports;
use interop::process::Process;
use sip_transaction::agent::Event;
use sip_transaction::{Config, Endpoint, Flow, ListenerConfig, Transport};
use std::net::SocketAddr;
use std::process::Command;

fn ours(ports: &Ports) -> (Ours, SocketAddr) {
    let address = ports.address();
    (Ours::start(Setup { listen: vec![(Transport::Udp, address)], ..Setup::default() }), address)
}

/// The flow from the only listener to an address. Listeners are numbered alike everywhere.
fn flow(remote: SocketAddr) -> Flow {
    let mut another = Endpoint::new(Config::default(), [0; 32]);
    let listener = another.add_listener(ListenerConfig::new(Transport::Udp, remote));
    Flow::Datagram { listener, remote }
}

#[test]
fn its_client_is_told_its_address_by_a_server_of_ours() {
    let ports = Ports::claim();
    let (server, address) = ours(&ports);
    let port = address.port().to_string();
    let mut client = Command::new("timeout");
    client.args(["20", "turnutils_stunclient", "-p", &port, &address.ip().to_string()]);
    let output = client.output().expect("timeout");
    let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    assert!(output.status.success(), "turnutils_stunclient of coturn ended with {}: {said}", output.status);
    assert!(said.contains("UDP reflexive addr: 127."), "{said}");
    let counters = server.finish().endpoint.counters;
    assert!(counters.bindings_answered >= 1, "{counters:?}");
    assert_eq!((counters.bindings_stray, counters.malformed), (0, 0));
}

#[test]
fn its_server_tells_a_client_of_ours_its_address() {
    let (ports, folder) = (Ports::claim(), Folder::new("coturn"));
    let at = ports.address();
    let mut command = Command::new("turnserver");
    command
        .args(["-n", "--stun-only", "--no-tls", "--no-dtls", "--no-cli", "--log-file", "stdout", "--simple-log"])
        .args(["--listening-ip", &at.ip().to_string(), "--listening-port", &at.port().to_string()])
        .arg("--pidfile")
        .arg(folder.file("turnserver.pid"))
        .arg("--userdb")
        .arg(folder.file("turndb"));
    let server = Process::start(&mut command, &folder.file("turnserver.log"));
    let (mut client, address) = ours(&ports);
    // Requests go out again until it listens.
    assert!(client.ask(move |agent, now| agent.keep_alive_every(now, flow(at), None)));
    let mapped = client.wait("an answer of turnserver", |event| match event {
        Event::FlowAlive { mapped, .. } => Some(*mapped),
        _ => None,
    });
    assert_eq!(mapped, address);
    drop(server);
    assert!(client.ask(move |agent, _| agent.let_go(flow(at))));
    let counters = client.finish().endpoint.counters;
    assert!(counters.bindings_sent >= 1);
    assert_eq!(counters.bindings_stray, 0);
}
