//! Random steps of two users on two endpoints that are connected by a hostile hand: nothing panics, every id ends exactly
//! once, and when everything is answered and time has passed, every table is empty.

mod support;

use std::collections::HashSet;
use std::net::SocketAddr;
use std::time::Instant;

use bytes::Bytes;
use proptest::prelude::*;
use proptest::sample::Index;
use sip_core::{Limits, Message, Request};
use sip_transaction::{
    ClientId, CloseReason, Config, ConnectionId, Endpoint, Event, Input, ListenerId, Output, ServerId, Target,
};
use support::{MS, alice, arriving, bob, endpoint, request_with, response};

#[derive(Debug, Clone)]
enum Step {
    /// A request of one of a few transactions, from one of two addresses.
    Arrive {
        method: usize,
        call: u64,
        known: bool,
        old: bool,
    },
    /// One byte of something that was sent is changed, and it comes back.
    Echo {
        which: Index,
        at: Index,
        byte: Option<u8>,
    },
    /// An answer to something that was sent.
    Answer {
        which: Index,
        status: u16,
    },
    Accept {
        port: u16,
    },
    Receive {
        which: Index,
        call: u64,
        cut: Index,
    },
    Connected {
        which: Index,
    },
    Closed {
        which: Index,
    },
    Close {
        which: Index,
    },
    Send {
        method: usize,
        call: u64,
        by_tcp: bool,
        large: bool,
    },
    Cancel {
        which: Index,
    },
    Respond {
        which: Index,
        status: u16,
    },
    Trust,
    Pass {
        millis: u64,
    },
}

const METHODS: [&str; 6] = ["INVITE", "ACK", "CANCEL", "OPTIONS", "BYE", "PRACK"];

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let index = any::<Index>;
    let status =
        prop_oneof![Just(100_u16), Just(180), Just(200), Just(202), Just(404), Just(408), Just(487), Just(603)];
    let step = prop_oneof![
        6 => (0..6_usize, 0..6_u64, any::<bool>(), prop::bool::weighted(0.1))
            .prop_map(|(method, call, known, old)| Step::Arrive { method, call, known, old }),
        2 => (index(), index(), any::<Option<u8>>()).prop_map(|(which, at, byte)| Step::Echo { which, at, byte }),
        5 => (index(), status.clone()).prop_map(|(which, status)| Step::Answer { which, status }),
        1 => (1..5_u16).prop_map(|port| Step::Accept { port }),
        2 => (index(), 0..6_u64, index()).prop_map(|(which, call, cut)| Step::Receive { which, call, cut }),
        2 => index().prop_map(|which| Step::Connected { which }),
        1 => index().prop_map(|which| Step::Closed { which }),
        1 => index().prop_map(|which| Step::Close { which }),
        4 => (0..6_usize, 0..6_u64, any::<bool>(), prop::bool::weighted(0.2))
            .prop_map(|(method, call, by_tcp, large)| Step::Send { method, call, by_tcp, large }),
        2 => index().prop_map(|which| Step::Cancel { which }),
        4 => (index(), status).prop_map(|(which, status)| Step::Respond { which, status }),
        1 => Just(Step::Trust),
        3 => (0..10_000_u64).prop_map(|millis| Step::Pass { millis }),
    ];
    prop::collection::vec(step, 1..120)
}

struct World {
    endpoint: Endpoint,
    udp: ListenerId,
    tcp: ListenerId,
    now: Instant,
    sent: Vec<Bytes>,
    connections: Vec<ConnectionId>,
    clients: Vec<ClientId>,
    open_clients: HashSet<ClientId>,
    servers: Vec<(ServerId, Request)>,
    open_servers: HashSet<ServerId>,
}

impl World {
    fn new() -> Self {
        let config = Config { server_transactions: 24, stranger_transactions: 5, connections: 6, ..Config::default() };
        let (endpoint, udp, tcp) = endpoint(config);
        Self {
            endpoint,
            udp,
            tcp,
            now: support::origin(),
            sent: Vec::new(),
            connections: Vec::new(),
            clients: Vec::new(),
            open_clients: HashSet::new(),
            servers: Vec::new(),
            open_servers: HashSet::new(),
        }
    }

    fn datagram(&mut self, source: SocketAddr, payload: impl Into<Bytes>) {
        let input = Input::Datagram { listener: self.udp, source, payload: payload.into(), received: None };
        self.endpoint.handle_input(self.now, input);
    }

    fn step(&mut self, step: Step) {
        let now = self.now;
        match step {
            Step::Arrive { method, call, known, old } => {
                let branch = if old { format!("old{call}") } else { format!("z9hG4bK{call}") };
                let source = if known { alice() } else { "198.51.100.1:5060".parse().unwrap() };
                self.datagram(source, arriving(METHODS[method], call, "192.0.2.1", &branch));
            }
            Step::Echo { which, at, byte } => {
                if !self.sent.is_empty() {
                    let mut payload = which.get(&self.sent).to_vec();
                    if let Some(byte) = byte {
                        let place = at.index(payload.len());
                        payload[place] = byte;
                    }
                    self.datagram(alice(), payload);
                }
            }
            Step::Answer { which, status } => {
                if self.sent.is_empty() {
                    return;
                }
                let sent = which.get(&self.sent).clone();
                if let Ok(Message::Request(request)) = Message::parse(sent, &Limits::default()) {
                    self.datagram(alice(), response(&request, status).to_bytes());
                }
            }
            Step::Accept { port } => {
                let remote = SocketAddr::from(([198, 51, 100, 1], port));
                self.connections.extend(self.endpoint.accept(now, self.tcp, bob(), remote).ok());
            }
            Step::Receive { which, call, cut } => {
                if !self.connections.is_empty() {
                    let connection = *which.get(&self.connections);
                    let whole = arriving("OPTIONS", call, "h", &format!("z9hG4bKtcp{call}"));
                    let payload = whole.slice(cut.index(whole.len())..);
                    self.endpoint.handle_input(now, Input::Received { connection, payload });
                }
            }
            Step::Connected { which } => {
                if !self.connections.is_empty() {
                    let connection = *which.get(&self.connections);
                    self.endpoint.handle_input(now, Input::Connected { connection, local: bob() });
                }
            }
            Step::Closed { which } => {
                if !self.connections.is_empty() {
                    let connection = *which.get(&self.connections);
                    self.endpoint.handle_input(now, Input::Closed { connection, reason: CloseReason::Remote });
                }
            }
            Step::Close { which } => {
                if !self.connections.is_empty() {
                    self.endpoint.close(now, *which.get(&self.connections));
                }
            }
            Step::Send { method, call, by_tcp, large } => {
                let body = if large { vec![b'x'; 1_400] } else { Vec::new() };
                let request = request_with(METHODS[method], call, "", &body);
                let target = if by_tcp { Target::tcp(alice()) } else { Target::udp(alice()) };
                if request.method().is_ack() {
                    let _ = self.endpoint.send_ack(now, request, target);
                } else if let Ok(id) = self.endpoint.send_request(now, request, target) {
                    self.open_clients.insert(id);
                    self.clients.push(id);
                }
            }
            Step::Cancel { which } => {
                if !self.clients.is_empty() {
                    let _ = self.endpoint.cancel(now, *which.get(&self.clients));
                }
            }
            Step::Respond { which, status } => {
                if !self.servers.is_empty() {
                    let (id, request) = which.get(&self.servers).clone();
                    let _ = self.endpoint.respond(now, id, response(&request, status));
                }
            }
            Step::Trust => self.endpoint.trust(alice().ip()),
            Step::Pass { millis } => {
                self.now += MS(millis);
                self.endpoint.handle_timeout(self.now);
            }
        }
    }

    fn drain(&mut self) {
        while let Some(output) = self.endpoint.poll_output() {
            match output {
                Output::Datagram { payload, .. } | Output::Write { payload, .. } => self.sent.push(payload),
                Output::Connect { connection, .. } => self.connections.push(connection),
                Output::Close { .. } | Output::Query { .. } => {}
                Output::Event(event) => match event {
                    Event::Request { id, request, .. } => {
                        assert!(self.open_servers.insert(id), "an id was given twice");
                        self.servers.push((id, request));
                    }
                    Event::Cancelled { invite, .. } => assert!(self.open_servers.contains(&invite)),
                    Event::Response { id, .. } => assert!(self.open_clients.contains(&id), "a response after the end"),
                    Event::ClientFailed { id, .. } | Event::ClientEnded { id } => {
                        assert!(self.open_clients.remove(&id), "ended twice, or never begun");
                    }
                    Event::ServerEnded { id, .. } => {
                        assert!(self.open_servers.remove(&id), "ended twice, or never begun");
                    }
                    _ => {}
                },
            }
        }
        let snapshot = self.endpoint.snapshot();
        assert!(snapshot.server_transactions <= 24 + 24 && snapshot.connections <= 6, "{snapshot:?}");
        assert!(snapshot.unanswered <= snapshot.server_transactions);
    }

    /// Answers and cancels what is open, and lets everything time out.
    fn end(mut self) {
        for (id, request) in std::mem::take(&mut self.servers) {
            let _ = self.endpoint.respond(self.now, id, response(&request, 404));
            self.drain();
        }
        for id in std::mem::take(&mut self.clients) {
            let _ = self.endpoint.cancel(self.now, id);
            self.drain();
        }
        let mut rounds = 0;
        while let Some(at) = self.endpoint.poll_timeout() {
            self.endpoint.handle_timeout(at);
            self.drain();
            rounds += 1;
            assert!(rounds < 100_000, "time goes on for ever");
        }
        let snapshot = self.endpoint.snapshot();
        assert!(self.open_servers.is_empty(), "{:?} never ended", self.open_servers);
        // Requests of ours that ring were cancelled, so that they too have ended.
        assert!(self.open_clients.is_empty(), "{:?} never ended", self.open_clients);
        assert!(snapshot.is_idle(), "{snapshot:?}");
        assert_eq!((snapshot.timers, snapshot.connections, snapshot.unanswered), (0, 0, 0), "{snapshot:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if std::env::var_os("TANDEM_LONG").is_some() { 50_000 } else { 300 }))]

    #[test]
    fn whatever_happens_everything_ends_once_and_the_tables_are_empty(steps in steps()) {
        let mut world = World::new();
        for step in steps {
            world.step(step);
            world.drain();
        }
        world.end();
    }
}
