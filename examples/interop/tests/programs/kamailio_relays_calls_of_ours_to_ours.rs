//! Kamailio between a client and a server of ours, on every transport in front and behind: what it writes into messages we
//! must understand, and what we write it must.

use interop::authority::Authority;
use interop::capture::Capture;
use interop::folder::Folder;
use interop::kamailio::{Kamailio, NAME};
use interop::ours::{Ours, Setup};
use interop::ports::Ports;
use interop::wait::{PATIENCE, until};
use sip_core::{Method, StatusCode};
use sip_transaction::agent::{Cause, Event, SessionId};
use sip_transaction::{CloseReason, Destination, Failure, Target, Transport};
use std::net::SocketAddr;

const ALL: [Transport; 4] = [Transport::Udp, Transport::Tcp, Transport::Tls, Transport::Ws];

/// One side of ours: plain at one address, TLS and WebSockets at two others.
struct Side {
    ours: Ours,
    plain: SocketAddr,
    tls: SocketAddr,
    websocket: SocketAddr,
}

impl Side {
    fn start(ports: &Ports, authority: &Authority, believes: &Authority) -> Self {
        let (plain, tls, websocket) = (ports.address(), ports.address(), ports.address());
        let ours = Ours::start(Setup {
            listen: vec![
                (Transport::Udp, plain),
                (Transport::Tcp, plain),
                (Transport::Tls, tls),
                (Transport::Ws, websocket),
            ],
            server: Some(authority.server(&["127.0.0.1", "ours.example"])),
            client: Some(believes.client()),
        });
        Self { ours, plain, tls, websocket }
    }

    /// Who answers there, as a Request-URI over a transport.
    fn uri(&self, user: &str, transport: Transport) -> String {
        match transport {
            Transport::Udp => format!("sip:{user}@{}", self.plain),
            Transport::Tls => format!("sip:{user}@{};transport=tls", self.tls),
            _ => format!("sip:{user}@{};transport=tcp", self.plain),
        }
    }

    fn cause(&mut self, call: SessionId) -> Cause {
        self.ours.wait("the end of a call", |event| match event {
            Event::Ended { session, cause, .. } if *session == call => Some(*cause),
            _ => None,
        })
    }

    fn progress(&mut self, call: SessionId) {
        self.ours.wait("ringing", |event| match event {
            Event::Progress { session, response, .. } if *session == call && response.status().as_u16() == 180 => {
                Some(())
            }
            _ => None,
        });
    }

    fn answered(&mut self, call: SessionId) {
        self.ours.wait("an answer", |event| match event {
            Event::Answered { session, .. } if *session == call => Some(()),
            _ => None,
        });
    }

    /// The next call that came in and was acknowledged.
    fn acknowledged(&mut self) -> SessionId {
        self.ours.wait("an ACK", |event| match event {
            Event::Acknowledged { session, .. } => Some(*session),
            _ => None,
        })
    }
}

fn proxy(kamailio: &Kamailio, transport: Transport) -> Destination {
    let remote = match transport {
        Transport::Tls => kamailio.tls,
        Transport::Ws => kamailio.websocket,
        _ => kamailio.plain,
    };
    Destination::from(Target::new(transport, remote)).named(NAME)
}

/// Every kind of conversation, from the client by Kamailio to the server.
fn converse(client: &mut Side, server: &mut Side, way: &Destination, uri: impl Fn(&str) -> String) {
    let response = client.ours.request(Method::Options, &uri("bob"), None, way.clone()).expect("an answer to OPTIONS");
    assert_eq!(response.status(), StatusCode::OK);
    // INVITE, 180, 200, ACK, a re-INVITE, BYE from the caller.
    let call = client.ours.call(&uri("bob"), way.clone());
    client.progress(call);
    client.answered(call);
    server.acknowledged();
    let offer = Some(interop::ours::SDP.as_bytes().into());
    client.ours.ask(move |agent, now| agent.reinvite(now, call, offer, Vec::new())).expect("a re-INVITE");
    client.ours.wait("an answer to the re-INVITE", |event| match event {
        Event::OfferAnswered { session, .. } if *session == call => Some(()),
        _ => None,
    });
    let there = server.acknowledged();
    client.ours.hangup(call);
    assert_eq!((client.cause(call), server.cause(there)), (Cause::Hangup, Cause::Bye));
    // BYE from the callee.
    let call = client.ours.call(&uri("bob"), way.clone());
    client.answered(call);
    let there = server.acknowledged();
    server.ours.hangup(there);
    assert_eq!((client.cause(call), server.cause(there)), (Cause::Bye, Cause::Hangup));
    // Refused: the ACK is for each hop.
    let call = client.ours.call(&uri("busy"), way.clone());
    assert_eq!(client.cause(call), Cause::Rejected(StatusCode::BUSY_HERE));
    // Cancelled while it rings.
    let call = client.ours.call(&uri("ringing"), way.clone());
    client.progress(call);
    client.ours.hangup(call);
    assert_eq!(client.cause(call), Cause::Cancelled);
}

/// No call failed for want of an answer, and nothing is left.
fn finish(client: Side, server: Side, calls: u64) {
    let (client, server) = (client.ours.finish(), server.ours.finish());
    assert_eq!((client.counters.outgoing, server.counters.incoming), (calls, calls));
    for end in [client, server] {
        let below = end.endpoint.counters;
        assert_eq!((below.client_failures, below.server_timeouts, below.malformed), (0, 0, 0), "{end:#?}");
        assert_eq!((below.stray_responses, below.stray_cancels, end.counters.not_acknowledged), (0, 0, 0), "{end:#?}");
    }
}

#[test]
fn kamailio_relays_between_every_transport_in_front_and_behind() {
    let (ports, folder, authority) = (Ports::claim(), Folder::new("kamailio"), Authority::new());
    let mut kamailio = Kamailio::start(&folder, &ports, &authority);
    let (mut client, mut server) =
        (Side::start(&ports, &authority, &authority), Side::start(&ports, &authority, &authority));
    let plain = [kamailio.plain, server.plain];
    let capture = Capture::of_sip(&folder, &plain, &[kamailio.websocket]);
    for front in ALL {
        for behind in [Transport::Udp, Transport::Tcp, Transport::Tls] {
            eprintln!("{front} in front, {behind} behind");
            let way = proxy(&kamailio, front);
            let uri = |user: &str| server.uri(user, behind);
            let uris = [uri("bob"), uri("busy"), uri("ringing")];
            let pick = |user: &str| uris.iter().find(|uri| uri.contains(user)).cloned().unwrap_or_default();
            converse(&mut client, &mut server, &way, pick);
        }
    }
    kamailio.must_be_content();
    finish(client, server, 4 * 3 * 4);
    assert!(capture.finish().sip > 12 * 30);
}

#[test]
fn kamailio_calls_a_server_of_ours_down_the_connection_that_it_registered_by() {
    let (ports, folder, authority) = (Ports::claim(), Folder::new("kamailio-flows"), Authority::new());
    let mut kamailio = Kamailio::start(&folder, &ports, &authority);
    let (mut client, mut server) =
        (Side::start(&ports, &authority, &authority), Side::start(&ports, &authority, &authority));
    let capture = Capture::of_sip(&folder, &[kamailio.plain], &[kamailio.websocket]);
    for behind in ALL {
        let token = behind.token().to_ascii_lowercase();
        let at = match behind {
            Transport::Tls => server.tls,
            Transport::Ws => server.websocket,
            _ => server.plain,
        };
        let contact = format!("<sip:alice@{at};transport={token}>");
        let registrar = format!("sip:{}", kamailio.plain);
        let way = proxy(&kamailio, behind);
        // It takes the place of the one before.
        let registered = server.ours.request(Method::Register, &registrar, Some(&contact), way);
        assert_eq!(registered.expect("an answer to REGISTER").status(), StatusCode::OK);
        let way = proxy(&kamailio, Transport::Ws);
        for _ in 0..3 {
            let call = client.ours.call(&format!("sip:alice@{}", kamailio.plain), way.clone());
            client.answered(call);
            let there = server.acknowledged();
            client.ours.hangup(call);
            assert_eq!((client.cause(call), server.cause(there)), (Cause::Hangup, Cause::Bye), "{behind}");
        }
    }
    kamailio.must_be_content();
    finish(client, server, 12);
    assert!(capture.finish().sip > 50);
}

#[test]
fn a_wrong_name_and_an_unknown_authority_are_refused_on_both_sides_of_kamailio() {
    let (ports, folder, authority, unknown) =
        (Ports::claim(), Folder::new("kamailio-names"), Authority::new(), Authority::new());
    let kamailio = Kamailio::start(&folder, &ports, &authority);
    let mut client = Side::start(&ports, &authority, &authority);
    let uri = format!("sip:{}", kamailio.plain);
    let target = Target::new(Transport::Tls, kamailio.tls);
    let ask = |side: &mut Side, destination| side.ours.request(Method::Options, &uri, None, destination);
    let answer = ask(&mut client, Destination::from(target).named(NAME)).expect("an answer");
    assert_eq!(answer.status(), StatusCode::OK);
    // Another name, a subdomain, and the address, which does not stand in the certificate (RFC 5922 §7.2).
    for wrong in [
        Destination::from(target).named("other.example"),
        Destination::from(target).named("a.proxy.example"),
        target.into(),
    ] {
        assert_eq!(ask(&mut client, wrong).expect_err("refused"), Failure::Transport);
        client.ours.wait("a handshake that failed", |event| match event {
            Event::ConnectionClosed { reason: CloseReason::Handshake, .. } => Some(()),
            _ => None,
        });
    }
    // A client that does not know the authority.
    let mut stranger = Side::start(&ports, &unknown, &unknown);
    let refused = ask(&mut stranger, Destination::from(target).named(NAME));
    assert_eq!(refused.expect_err("refused"), Failure::Transport);
    // A server whose authority Kamailio does not know: it says so to our client.
    let uri = stranger.uri("bob", Transport::Tls);
    let answer = client.ours.request(Method::Options, &uri, None, proxy(&kamailio, Transport::Tcp)).expect("an answer");
    assert!(answer.status().class() >= 4, "{answer:?}");
    until("Kamailio's word of it", PATIENCE, || kamailio.output().contains("certificate verify failed").then_some(()));
    assert_eq!(stranger.ours.finish().endpoint.counters.messages_received, 0);
    let end = client.ours.finish();
    assert_eq!(end.endpoint.counters.client_failures, 3, "{end:#?}");
}
