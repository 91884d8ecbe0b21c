//! An endpoint as a node of the simulated network, and messages to send through it.
#![allow(dead_code, unreachable_pub, reason = "every test file uses a part of it")]

use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use netsim::{Arrival, Network, Node, StreamId};
use sip_core::{Limits, Message, Method, Request, Response, StatusCode};
use sip_transaction::{
    ClientId, CloseReason, Config, ConnectionId, Ended, Endpoint, Event, Input, ListenerConfig, ListenerId, Output,
    ServerId, Target, Transport,
};

pub const MS: fn(u64) -> Duration = Duration::from_millis;

pub fn alice() -> SocketAddr {
    "192.0.2.1:5060".parse().unwrap()
}

pub fn bob() -> SocketAddr {
    "192.0.2.2:5060".parse().unwrap()
}

/// What sits on top of an endpoint.
pub trait User {
    fn on_event(&mut self, endpoint: &mut Endpoint, now: Instant, event: &Event);

    fn next_timeout(&self) -> Option<Instant> {
        None
    }

    fn on_timeout(&mut self, _: &mut Endpoint, _: Instant) {}
}

/// Does nothing.
pub struct Nobody;

impl User for Nobody {
    fn on_event(&mut self, _: &mut Endpoint, _: Instant, _: &Event) {}
}

impl<F: FnMut(&mut Endpoint, Instant, &Event)> User for F {
    fn on_event(&mut self, endpoint: &mut Endpoint, now: Instant, event: &Event) {
        self(endpoint, now, event);
    }
}

/// An endpoint with a UDP and a TCP listener at one address.
pub struct Peer<U> {
    pub endpoint: Endpoint,
    pub user: U,
    pub events: Vec<Event>,
    /// Whether to keep events.
    pub is_recording: bool,
    pub udp: ListenerId,
    pub tcp: ListenerId,
    address: SocketAddr,
    streams: HashMap<ConnectionId, (StreamId, SocketAddr)>,
    names: HashMap<StreamId, ConnectionId>,
    unwanted: Vec<StreamId>,
    next_port: u16,
}

impl<U: User> Peer<U> {
    pub fn new(address: SocketAddr, config: Config, user: U) -> Self {
        let mut seed = [0; 32];
        seed[0] = address.to_string().bytes().fold(7, u8::wrapping_add);
        let mut endpoint = Endpoint::new(config, seed);
        let udp = endpoint.add_listener(ListenerConfig::new(Transport::Udp, address));
        let tcp = endpoint.add_listener(ListenerConfig::new(Transport::Tcp, address));
        Self {
            endpoint,
            user,
            events: Vec::new(),
            is_recording: true,
            udp,
            tcp,
            address,
            streams: HashMap::new(),
            names: HashMap::new(),
            unwanted: Vec::new(),
            next_port: 40_000,
        }
    }

    pub fn stream(&self, connection: ConnectionId) -> Option<StreamId> {
        self.streams.get(&connection).map(|(stream, _)| *stream)
    }

    pub fn requests(&self) -> Vec<(ServerId, Request)> {
        self.events
            .iter()
            .filter_map(|event| match event {
                Event::Request { id, request, .. } => Some((*id, request.clone())),
                _ => None,
            })
            .collect()
    }

    pub fn statuses(&self) -> Vec<u16> {
        self.events
            .iter()
            .filter_map(|event| match event {
                Event::Response { response, .. } => Some(response.status().as_u16()),
                _ => None,
            })
            .collect()
    }
}

impl<U: User> Node for Peer<U> {
    fn owns(&self, address: SocketAddr) -> bool {
        address.ip() == self.address.ip()
    }

    fn arrive(&mut self, now: Instant, arrival: Arrival) {
        let input = match arrival {
            Arrival::Datagram { from, payload, .. } => {
                Input::Datagram { listener: self.udp, source: from, payload: payload.into(), received: None }
            }
            Arrival::Incoming { stream, from, to } => {
                match self.endpoint.accept(now, self.tcp, to, from) {
                    Ok(id) => {
                        self.streams.insert(id, (stream, to));
                        self.names.insert(stream, id);
                    }
                    Err(_) => self.unwanted.push(stream),
                }
                return;
            }
            Arrival::Connected { stream, to } => match self.names.get(&stream) {
                Some(connection) => Input::Connected { connection: *connection, local: to },
                None => return,
            },
            Arrival::Refused { stream, .. } => match self.names.remove(&stream) {
                Some(connection) => Input::Closed { connection, reason: CloseReason::Unreachable },
                None => return,
            },
            Arrival::Bytes { stream, payload, .. } => match self.names.get(&stream) {
                Some(connection) => Input::Received { connection: *connection, payload: payload.into() },
                None => return,
            },
            Arrival::Closed { stream, .. } => match self.names.remove(&stream) {
                Some(connection) => Input::Closed { connection, reason: CloseReason::Remote },
                None => return,
            },
        };
        self.endpoint.handle_input(now, input);
    }

    fn timeout(&mut self, now: Instant) {
        self.endpoint.handle_timeout(now);
        if self.user.next_timeout().is_some_and(|at| at <= now) {
            self.user.on_timeout(&mut self.endpoint, now);
        }
    }

    fn next_timeout(&self) -> Option<Instant> {
        self.endpoint.poll_timeout().into_iter().chain(self.user.next_timeout()).min()
    }

    fn flush(&mut self, now: Instant, network: &mut Network) {
        for stream in self.unwanted.drain(..) {
            network.refuse(now, stream);
        }
        while let Some(output) = self.endpoint.poll_output() {
            match output {
                Output::Datagram { destination, payload, .. } => {
                    network.send(now, self.address, destination, payload.to_vec());
                }
                Output::Connect { connection, destination, .. } => {
                    self.next_port += 1;
                    let local = SocketAddr::new(self.address.ip(), self.next_port);
                    let stream = network.connect(now, local, destination);
                    self.streams.insert(connection, (stream, local));
                    self.names.insert(stream, connection);
                }
                Output::Write { connection, payload } => {
                    if let Some((stream, local)) = self.streams.get(&connection) {
                        network.write(now, *stream, *local, &payload);
                    }
                }
                Output::Close { connection } => {
                    if let Some((stream, local)) = self.streams.remove(&connection) {
                        self.names.remove(&stream);
                        network.close(now, stream, local);
                    }
                }
                Output::Query { .. } => {}
                Output::Event(event) => {
                    self.user.on_event(&mut self.endpoint, now, &event);
                    if self.is_recording {
                        self.events.push(event);
                    }
                }
            }
        }
    }
}

/// A request without Via.
pub fn request(method: &str, call: u64) -> Request {
    request_with(method, call, "", b"")
}

/// A request without Via, with more header lines and a body.
pub fn request_with(method: &str, call: u64, lines: &str, body: &[u8]) -> Request {
    let head = format!(
        "{method} sip:bob@192.0.2.2 SIP/2.0\r\nMax-Forwards: 70\r\nFrom: <sip:alice@192.0.2.1>;tag=a{call}\r\n\
         To: <sip:bob@192.0.2.2>\r\nCall-ID: call-{call}\r\nCSeq: 1 {method}\r\n{lines}Content-Length: {}\r\n\r\n",
        body.len()
    );
    parse_request(&[head.as_bytes(), body].concat())
}

/// A request as it arrives, from a sender with this sent-by and branch.
pub fn arriving(method: &str, call: u64, sent_by: &str, branch: &str) -> Bytes {
    Bytes::from(format!(
        "{method} sip:bob@192.0.2.2 SIP/2.0\r\nVia: SIP/2.0/UDP {sent_by};branch={branch}\r\nMax-Forwards: 70\r\n\
         From: <sip:alice@192.0.2.1>;tag=a{call}\r\nTo: <sip:bob@192.0.2.2>\r\nCall-ID: call-{call}\r\n\
         CSeq: 1 {method}\r\nContent-Length: 0\r\n\r\n"
    ))
}

pub fn parse_request(bytes: &[u8]) -> Request {
    match Message::parse(Bytes::copy_from_slice(bytes), &Limits::default()) {
        Ok(Message::Request(request)) => request,
        other => panic!("not a request: {other:?}"),
    }
}

pub fn parse_response(bytes: &[u8]) -> Response {
    match Message::parse(Bytes::copy_from_slice(bytes), &Limits::default()) {
        Ok(Message::Response(response)) => response,
        other => panic!("not a response: {other:?}"),
    }
}

pub fn status(code: u16) -> StatusCode {
    StatusCode::new(code).unwrap()
}

pub fn response(request: &Request, code: u16) -> Response {
    Response::to(request, status(code)).to_tag(b"bob").build()
}

/// The ACK to a 2xx.
pub fn ack(call: u64) -> Request {
    let mut ack = request("ACK", call).edit();
    ack.replace_raw(&sip_core::header::HeaderName::TO, b"<sip:bob@192.0.2.2>;tag=bob");
    ack.finish()
}

/// Drains an endpoint that is not in a network.
pub fn drain(endpoint: &mut Endpoint) -> (Vec<Event>, Vec<Output>) {
    let mut events = Vec::new();
    let mut duties = Vec::new();
    while let Some(output) = endpoint.poll_output() {
        match output.into_event() {
            Ok(event) => events.push(event),
            Err(duty) => duties.push(duty),
        }
    }
    (events, duties)
}

/// The payloads of datagrams and writes.
pub fn payloads(duties: &[Output]) -> Vec<Bytes> {
    duties
        .iter()
        .filter_map(|duty| match duty {
            Output::Datagram { payload, .. } | Output::Write { payload, .. } => Some(payload.clone()),
            _ => None,
        })
        .collect()
}

/// An instant to begin at.
#[expect(clippy::disallowed_methods, reason = "an instant can only be had from the clock")]
pub fn origin() -> Instant {
    Instant::now()
}

/// An endpoint with one UDP and one TCP listener, outside of any network.
pub fn endpoint(config: Config) -> (Endpoint, ListenerId, ListenerId) {
    let mut endpoint = Endpoint::new(config, [1; 32]);
    let udp = endpoint.add_listener(ListenerConfig::new(Transport::Udp, bob()));
    let tcp = endpoint.add_listener(ListenerConfig::new(Transport::Tcp, bob()));
    (endpoint, udp, tcp)
}

/// Answers every request: INVITE with 180 and then 200 or 486, others with 200. Repeats its 2xx until the ACK comes,
/// as a user agent must.
#[derive(Default)]
pub struct Callee {
    pub ended: Vec<(ServerId, Ended)>,
    pub asked: HashSet<ServerId>,
    invites: HashMap<ServerId, Request>,
    /// 2xx that wait for their ACK, by Call-ID.
    accepted: HashMap<Bytes, (ServerId, Response)>,
    timers: BTreeMap<(Instant, ServerId), (Bytes, Duration)>,
    /// When to stop ringing: a CANCEL is never sent when no provisional response arrived.
    ringing: BTreeMap<(Instant, ServerId), ()>,
}

impl User for Callee {
    fn on_event(&mut self, endpoint: &mut Endpoint, now: Instant, event: &Event) {
        match event {
            Event::Request { id, request, mandatory, .. } => {
                assert!(self.asked.insert(*id), "a request was told twice");
                if *request.method() != Method::Invite {
                    endpoint.respond(now, *id, response(request, 200)).unwrap();
                    return;
                }
                let call_id = mandatory.call_id.as_bytes().to_vec();
                let number = call_id.iter().fold(0_u32, |sum, byte| sum * 31 % 1_000 + u32::from(*byte));
                endpoint.respond(now, *id, response(request, 180)).unwrap();
                match number % 4 {
                    // Rings until it is cancelled.
                    0 if request.headers().contains(&sip_core::header::HeaderName::SUBJECT) => {
                        self.invites.insert(*id, request.clone());
                        self.ringing.insert((now + MS(60_000), *id), ());
                    }
                    1 => endpoint.respond(now, *id, response(request, 486)).unwrap(),
                    _ => {
                        let answer = response(request, 200);
                        endpoint.respond(now, *id, answer.clone()).unwrap();
                        let call_id = Bytes::from(call_id);
                        self.accepted.insert(call_id.clone(), (*id, answer));
                        self.timers.insert((now + MS(500), *id), (call_id, MS(1_000)));
                    }
                }
            }
            Event::Cancelled { invite, .. } => {
                if let Some(request) = self.invites.remove(invite) {
                    endpoint.respond(now, *invite, response(&request, 487)).unwrap();
                }
            }
            Event::Ack { mandatory, .. } => {
                self.accepted.remove(mandatory.call_id.as_bytes());
            }
            Event::ServerEnded { id, ended } => {
                self.ended.push((*id, *ended));
                self.accepted.retain(|_, (other, _)| other != id);
            }
            _ => {}
        }
    }

    fn next_timeout(&self) -> Option<Instant> {
        self.timers.keys().chain(self.ringing.keys()).map(|(at, _)| *at).min()
    }

    fn on_timeout(&mut self, endpoint: &mut Endpoint, now: Instant) {
        while let Some(entry) = self.ringing.first_entry().filter(|entry| entry.key().0 <= now) {
            let ((_, id), ()) = entry.remove_entry();
            if let Some(request) = self.invites.remove(&id) {
                endpoint.respond(now, id, response(&request, 480)).unwrap();
            }
        }
        while let Some(entry) = self.timers.first_entry().filter(|entry| entry.key().0 <= now) {
            let ((_, id), (call_id, interval)) = entry.remove_entry();
            if let Some((_, answer)) = self.accepted.get(&call_id) {
                endpoint.respond(now, id, answer.clone()).unwrap();
                self.timers.insert((now + interval, id), (call_id, (interval * 2).min(MS(4_000))));
            }
        }
    }
}

/// Sends requests at intervals, acknowledges every 2xx to an INVITE, and notes how each request ended.
pub struct Caller {
    pub interval: Duration,
    pub left: u64,
    pub target: Target,
    pub method: fn(u64) -> &'static str,
    /// Cancels INVITEs of these numbers as soon as they were sent.
    pub cancels: fn(u64) -> bool,
    pub next: Instant,
    pub sent: HashMap<ClientId, u64>,
    pub finals: HashMap<ClientId, u16>,
    pub over: HashMap<ClientId, &'static str>,
}

impl Caller {
    pub fn new(now: Instant, count: u64, method: fn(u64) -> &'static str) -> Self {
        Self {
            interval: MS(1),
            left: count,
            target: Target::udp(bob()),
            method,
            cancels: |_| false,
            next: now,
            sent: HashMap::new(),
            finals: HashMap::new(),
            over: HashMap::new(),
        }
    }
}

impl User for Caller {
    fn on_event(&mut self, endpoint: &mut Endpoint, now: Instant, event: &Event) {
        match event {
            Event::Response { id, response, mandatory, .. } => {
                assert!(!self.over.contains_key(id), "a response after the end");
                let code = response.status().as_u16();
                if code >= 200 {
                    self.finals.insert(*id, code);
                }
                if (200..300).contains(&code) && mandatory.cseq.method == Method::Invite {
                    endpoint.send_ack(now, ack(self.sent[id]), self.target).unwrap();
                }
            }
            Event::ClientFailed { id, .. } => {
                assert!(self.over.insert(*id, "failed").is_none(), "ended twice");
            }
            Event::ClientEnded { id } => {
                assert!(self.finals.contains_key(id), "ended without a final response");
                assert!(self.over.insert(*id, "ended").is_none(), "ended twice");
            }
            _ => {}
        }
    }

    fn next_timeout(&self) -> Option<Instant> {
        (self.left > 0).then_some(self.next)
    }

    fn on_timeout(&mut self, endpoint: &mut Endpoint, now: Instant) {
        while self.left > 0 && self.next <= now {
            self.left -= 1;
            self.next += self.interval;
            let number = self.left;
            let lines = if (self.cancels)(number) { "Subject: cancelled\r\n" } else { "" };
            let request = request_with((self.method)(number), number, lines, b"");
            let id = endpoint.send_request(now, request, self.target).unwrap();
            self.sent.insert(id, number);
            if (self.cancels)(number) && (self.method)(number) == "INVITE" {
                endpoint.cancel(now, id).unwrap();
            }
        }
    }
}
