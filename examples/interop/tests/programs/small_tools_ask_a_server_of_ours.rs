//! sipsak and the tools of Sofia-SIP against a server of ours, over UDP and TCP. (Sofia-SIP's are built without TLS.)

use interop::capture::Capture;
use interop::folder::Folder;
use interop::ours::{Ours, Setup};
use interop::ports::Ports;
use sip_core::header::{Date, TypedHeader};
use sip_transaction::Transport;
use std::net::SocketAddr;
use std::process::{Command, Output, Stdio};

struct Server {
    ours: Ours,
    plain: SocketAddr,
}

fn serve(ports: &Ports) -> Server {
    let plain = ports.address();
    let listen = vec![(Transport::Udp, plain), (Transport::Tcp, plain)];
    Server { ours: Ours::start(Setup { listen, ..Setup::default() }), plain }
}

/// Runs a program to its end, which it must find within half a minute.
fn run(program: &str, arguments: &[&str]) -> Output {
    let mut command = Command::new("timeout");
    let output = command.arg("30").arg(program).args(arguments).stdin(Stdio::null()).output().expect("timeout");
    assert!(output.status.code() != Some(127), "{program} is not installed");
    assert!(output.status.code() != Some(124), "{program} {arguments:?} does not end: {output:?}");
    output
}

/// What it says when it is content.
fn content(program: &str, arguments: &[&str]) -> String {
    let output = run(program, arguments);
    let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    assert!(output.status.success(), "{program} {arguments:?} ended with {}:\n{said}", output.status);
    said
}

#[test]
fn sipsak_asks_registers_traces_and_floods_over_udp_and_tcp() {
    let (ports, folder) = (Ports::claim(), Folder::new("sipsak"));
    let server = serve(&ports);
    let capture = Capture::of_sip(&folder, &[server.plain], &[]);
    let uri = format!("sip:bob@{}", server.plain);
    for transport in ["udp", "tcp"] {
        let transport = ["-E", transport];
        // OPTIONS.
        let said = content("sipsak", &[&transport[..], &["-vvv", "-s", &uri]].concat());
        assert!(said.contains("SIP/2.0 200 OK"), "{said}");
        // REGISTER with a contact, and taken back.
        let registered = content("sipsak", &[&transport[..], &["-vvv", "-U", "-x", "300", "-s", &uri]].concat());
        assert!(registered.contains("SIP/2.0 200 OK") && registered.contains("CSeq: 1 REGISTER"), "{registered}");
        // A trace ends at the first hop, which is the last.
        let trace = content("sipsak", &[&transport[..], &["-T", "-s", &uri]].concat());
        assert!(trace.contains("200 OK"), "{trace}");
    }
    // It does not wait for answers: what the system has no room for is lost, and what arrives is answered.
    content("sipsak", &["-F", "-e", "3000", "-s", &uri]);
    let said = content("sipsak", &["-vvv", "-s", &uri]);
    assert!(said.contains("SIP/2.0 200 OK"), "{said}");
    let counters = server.ours.snapshot().endpoint.counters;
    eprintln!("{} of 3,000 of the flood arrived", counters.requests);
    assert!(counters.requests > 200 && counters.messages_sent >= counters.requests, "{counters:?}");
    let end = server.ours.finish();
    assert_eq!(end.endpoint.counters.malformed + end.endpoint.counters.malformed_answered, 0, "{end:#?}");
    assert!(capture.finish().sip > 200);
}

#[test]
fn sipsak_sends_broken_requests_and_the_server_goes_on() {
    let ports = Ports::claim();
    let server = serve(&ports);
    let uri = format!("sip:bob@{}", server.plain);
    for _ in 0..5 {
        // It ends when something is not answered as it hopes.
        let _ = run("sipsak", &["-R", "-t", "40", "-D", "2", "-Z", "20", "-s", &uri]);
    }
    let said = content("sipsak", &["-vvv", "-s", &uri]);
    assert!(said.contains("SIP/2.0 200 OK"), "{said}");
    let end = server.ours.finish();
    let counters = end.endpoint.counters;
    assert!(counters.malformed + counters.malformed_answered > 5, "too little was broken: {counters:?}");
}

#[test]
fn tools_of_sofia_ask_and_agree_on_dates() {
    let (ports, folder) = (Ports::claim(), Folder::new("sofia"));
    let server = serve(&ports);
    let capture = Capture::of_sip(&folder, &[server.plain], &[]);
    for transport in ["udp", "tcp"] {
        let said = content("sip-options", &["--all", &format!("sip:bob@{};transport={transport}", server.plain)]);
        assert!(said.contains("SIP/2.0 200 OK"), "{said}");
    }
    let requests = server.ours.snapshot().endpoint.counters.requests;
    assert_eq!(requests, 2);
    // RFC 3261 §20.17: both read and write the same. (In leap years Sofia is a day late after February.)
    for seconds in [0_u64, 951_782_399, 791_011_200, 1_795_860_000] {
        let said = content("sip-date", &[&(seconds + 2_208_988_800).to_string()]);
        let said = said.trim();
        let value = said.strip_prefix("Date:").unwrap_or(said).trim().to_owned();
        let read = Date::parse(&value.clone().into()).unwrap_or_else(|error| panic!("{value}: {error}"));
        assert_eq!(read.0, seconds, "{value}");
        let mut written = Vec::new();
        read.encode(&mut written);
        assert_eq!(String::from_utf8_lossy(&written), value);
    }
    let end = server.ours.finish();
    assert_eq!(end.endpoint.counters.malformed + end.endpoint.counters.malformed_answered, 0, "{end:#?}");
    assert!(capture.finish().sip >= 4);
}
