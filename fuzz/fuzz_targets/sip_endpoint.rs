//! Random steps of an endpoint: hostile datagrams, mutated true messages, connections, commands and time. Nothing
//! panics, every id ends once, outputs are drained, and when the user has answered everything and time has passed, no
//! transaction is left.
#![no_main]

use std::collections::HashSet;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use arbitrary::Arbitrary;
use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use sip_core::{Limits, Message, Request, Response, StatusCode};
use sip_transaction::{
    ClientId, CloseReason, Config, ConnectionId, Endpoint, Event, Input, ListenerConfig, ListenerId, Output, ServerId,
    Target, Transport,
};

#[derive(Arbitrary, Debug)]
enum Step {
    /// Bytes from anywhere.
    Datagram {
        from: u8,
        payload: Vec<u8>,
    },
    /// A well-formed request of one of a few transactions.
    Request {
        from: u8,
        method: u8,
        branch: u8,
        old: bool,
        change: Option<(u16, u8)>,
    },
    /// A response to something that was sent.
    Response {
        choice: u8,
        status: u16,
        change: Option<(u16, u8)>,
    },
    /// Something that was sent comes back as it is.
    Echo {
        choice: u8,
    },
    Accept {
        from: u8,
    },
    Received {
        choice: u8,
        payload: Vec<u8>,
    },
    Connected {
        choice: u8,
    },
    Closed {
        choice: u8,
    },
    Close {
        choice: u8,
    },
    Send {
        method: u8,
        to: u8,
        by_tcp: bool,
        large: bool,
    },
    Ack {
        to: u8,
    },
    Cancel {
        choice: u8,
    },
    Respond {
        choice: u8,
        status: u16,
    },
    Trust {
        address: u8,
    },
    Pass {
        millis: u16,
    },
}

const METHODS: [&str; 8] = ["INVITE", "ACK", "CANCEL", "OPTIONS", "BYE", "REGISTER", "PRACK", "FOO"];

fn address(number: u8) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, number % 4], 5060 + u16::from(number / 128)))
}

fn text(method: &str, number: u8, via: &str) -> Vec<u8> {
    format!(
        "{method} sip:b@192.0.2.2 SIP/2.0\r\n{via}Max-Forwards: 70\r\nFrom: <sip:a@a>;tag=a\r\nTo: <sip:b@b>\r\n\
         Call-ID: {number}\r\nCSeq: 1 {method}\r\nContent-Length: 0\r\n\r\n"
    )
    .into_bytes()
}

fn changed(mut bytes: Vec<u8>, change: Option<(u16, u8)>) -> Vec<u8> {
    if let Some((at, byte)) = change {
        let length = bytes.len().max(1);
        if let Some(place) = bytes.get_mut(usize::from(at) % length) {
            *place = byte;
        }
    }
    bytes
}

#[derive(Default)]
struct World {
    sent: Vec<Bytes>,
    connections: Vec<ConnectionId>,
    clients: Vec<ClientId>,
    open_clients: HashSet<ClientId>,
    servers: Vec<(ServerId, Request)>,
    open_servers: HashSet<ServerId>,
}

impl World {
    fn drain(&mut self, endpoint: &mut Endpoint) {
        while let Some(output) = endpoint.poll_output() {
            match output {
                Output::Datagram { payload, .. } | Output::Write { payload, .. } => {
                    assert!(!payload.is_empty());
                    self.sent.push(payload);
                }
                Output::Connect { connection, .. } => self.connections.push(connection),
                Output::Close { .. } | Output::Query { .. } => {}
                Output::Event(event) => self.on_event(event),
            }
        }
    }

    fn on_event(&mut self, event: Event) {
        match event {
            Event::Request { id, request, .. } => {
                assert!(self.open_servers.insert(id), "an id was given twice");
                self.servers.push((id, request));
            }
            Event::Cancelled { invite, .. } => assert!(self.open_servers.contains(&invite)),
            Event::Response { id, .. } => assert!(self.open_clients.contains(&id), "a response after the end"),
            Event::ClientFailed { id, .. } | Event::ClientEnded { id } => {
                assert!(self.open_clients.remove(&id), "ended twice, or never begun");
            }
            Event::ServerEnded { id, .. } => assert!(self.open_servers.remove(&id), "ended twice, or never begun"),
            _ => {}
        }
    }
}

fn pick<T: Clone>(list: &[T], choice: u8) -> Option<T> {
    list.get(usize::from(choice) % list.len().max(1)).cloned()
}

fuzz_target!(|steps: Vec<Step>| {
    let config = Config { server_transactions: 20, stranger_transactions: 8, connections: 6, ..Config::default() };
    let mut endpoint = Endpoint::new(config, [9; 32]);
    let udp = endpoint.add_listener(ListenerConfig::new(Transport::Udp, address(2)));
    let tcp = endpoint.add_listener(ListenerConfig::new(Transport::Tcp, address(2)));
    let mut world = World::default();
    let mut now = Instant::now();
    for step in steps {
        run(step, &mut endpoint, &mut world, &mut now, udp, tcp);
        world.drain(&mut endpoint);
        let snapshot = endpoint.snapshot();
        assert!(snapshot.server_transactions <= 20 && snapshot.connections <= 6);
        assert_eq!(snapshot.outputs, 0);
    }
    // Answer what is open, then let everything time out.
    for (id, request) in std::mem::take(&mut world.servers) {
        let _ = endpoint.respond(now, id, Response::to(&request, StatusCode::NOT_FOUND).to_tag(b"t").build());
        world.drain(&mut endpoint);
    }
    for id in std::mem::take(&mut world.clients) {
        let _ = endpoint.cancel(now, id);
        world.drain(&mut endpoint);
    }
    let mut rounds = 0;
    while let Some(at) = endpoint.poll_timeout() {
        endpoint.handle_timeout(at);
        world.drain(&mut endpoint);
        // Whoever rings for ever is the user's to give up.
        rounds += 1;
        assert!(rounds < 100_000, "time goes on for ever");
    }
    assert_eq!(endpoint.snapshot().server_transactions, 0, "{:?}", endpoint.snapshot());
    assert!(world.open_servers.is_empty());
    assert_eq!(endpoint.snapshot().timers, 0);
});

fn run(step: Step, endpoint: &mut Endpoint, world: &mut World, now: &mut Instant, udp: ListenerId, tcp: ListenerId) {
    let datagram = |from, payload: Vec<u8>| Input::Datagram {
        listener: udp,
        source: address(from),
        payload: payload.into(),
        received: None,
    };
    match step {
        Step::Datagram { from, payload } => endpoint.handle_input(*now, datagram(from, payload)),
        Step::Request { from, method, branch, old, change } => {
            let method = METHODS[usize::from(method) % METHODS.len()];
            let cookie = if old { "" } else { "z9hG4bK" };
            let via = format!("Via: SIP/2.0/UDP 192.0.2.{};branch={cookie}{}\r\n", from % 4, branch % 8);
            let payload = changed(text(method, branch % 8, &via), change);
            endpoint.handle_input(*now, datagram(from, payload));
        }
        Step::Response { choice, status, change } => {
            let Some(sent) = pick(&world.sent, choice) else { return };
            let Ok(Message::Request(request)) = Message::parse(sent, &Limits::default()) else { return };
            let Some(status) = StatusCode::new(100 + status % 600) else { return };
            let response = Response::to(&request, status).to_tag(b"r").build().to_bytes();
            endpoint.handle_input(*now, datagram(1, changed(response.to_vec(), change)));
        }
        Step::Echo { choice } => {
            if let Some(sent) = pick(&world.sent, choice) {
                endpoint.handle_input(*now, datagram(choice, sent.to_vec()));
            }
        }
        Step::Accept { from } => {
            world.connections.extend(endpoint.accept(*now, tcp, address(2), address(from)).ok());
        }
        Step::Received { choice, payload } => {
            if let Some(connection) = pick(&world.connections, choice) {
                endpoint.handle_input(*now, Input::Received { connection, payload: payload.into() });
            }
        }
        Step::Connected { choice } => {
            if let Some(connection) = pick(&world.connections, choice) {
                endpoint.handle_input(*now, Input::Connected { connection, local: address(2) });
            }
        }
        Step::Closed { choice } => {
            if let Some(connection) = pick(&world.connections, choice) {
                endpoint.handle_input(*now, Input::Closed { connection, reason: CloseReason::Remote });
            }
        }
        Step::Close { choice } => {
            if let Some(connection) = pick(&world.connections, choice) {
                endpoint.close(*now, connection);
            }
        }
        Step::Send { method, to, by_tcp, large } => {
            let method = METHODS[usize::from(method) % METHODS.len()];
            let lines = if large { format!("Subject: {}\r\n", "x".repeat(1_400)) } else { String::new() };
            let Ok(Message::Request(request)) = Message::parse(text(method, to, &lines).into(), &Limits::default())
            else {
                return;
            };
            let transport = if by_tcp { Transport::Tcp } else { Transport::Udp };
            if let Ok(id) = endpoint.send_request(*now, request, Target::new(transport, address(to))) {
                world.open_clients.insert(id);
                world.clients.push(id);
            }
        }
        Step::Ack { to } => {
            if let Ok(Message::Request(ack)) = Message::parse(text("ACK", to, "").into(), &Limits::default()) {
                let _ = endpoint.send_ack(*now, ack, Target::udp(address(to)));
            }
        }
        Step::Cancel { choice } => {
            if let Some(id) = pick(&world.clients, choice) {
                let _ = endpoint.cancel(*now, id);
            }
        }
        Step::Respond { choice, status } => {
            if let (Some((id, request)), Some(status)) =
                (pick(&world.servers, choice), StatusCode::new(100 + status % 600))
            {
                let _ = endpoint.respond(*now, id, Response::to(&request, status).to_tag(b"t").build());
            }
        }
        Step::Trust { address: number } => endpoint.trust(address(number).ip()),
        Step::Pass { millis } => {
            *now += Duration::from_millis(u64::from(millis));
            endpoint.handle_timeout(*now);
        }
    }
}
