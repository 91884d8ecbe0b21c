//! The generator: a window of transactions kept open, or a rate.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

use memchr::memmem;
use sip_core::framing::{Frame, Stream};
use sip_core::{Limits, Message};

/// What is asked.
#[derive(Clone, Copy)]
pub enum Kind {
    /// An INVITE with what a phone puts there, SDP too.
    Invite,
    /// An OPTIONS as a phone or a balancer sends it.
    Options,
}

/// What a run is to do.
#[derive(Clone, Copy)]
pub struct Load {
    /// Whom to ask.
    pub front: SocketAddr,
    /// Down one connection, or in datagrams.
    pub tcp: bool,
    /// What to ask.
    pub kind: Kind,
    /// How many transactions are open at most when there is no rate.
    pub window: usize,
    /// Transactions a second.
    pub rate: Option<f64>,
    /// How long.
    pub span: Duration,
}

/// What came of a run.
pub struct Measured {
    /// Transactions with a final answer.
    pub answered: u64,
    /// Transactions without one.
    pub lost: u64,
    /// What 99 of 100 transactions are within.
    pub p99: Duration,
    /// How long the run was.
    pub took: Duration,
}

/// After this a transaction is lost, and its place in the window free.
const PATIENCE: Duration = Duration::from_millis(500);

/// Stands in a template for the number of the transaction.
const NUMBER: &str = "##########";

enum Wire {
    Udp(UdpSocket),
    Tcp(TcpStream, Stream),
}

impl Wire {
    fn open(front: SocketAddr, tcp: bool) -> Self {
        if tcp {
            let stream = TcpStream::connect(front).expect("a connection");
            stream.set_nodelay(true).expect("a connection");
            stream.set_nonblocking(true).expect("a connection");
            return Self::Tcp(stream, Stream::new(Limits::default()));
        }
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
        socket.connect(front).expect("a socket");
        socket.set_nonblocking(true).expect("a socket");
        Self::Udp(socket)
    }

    fn local(&self) -> SocketAddr {
        match self {
            Self::Udp(socket) => socket.local_addr(),
            Self::Tcp(stream, _) => stream.local_addr(),
        }
        .expect("an address")
    }

    fn send(&mut self, payload: &[u8]) {
        match self {
            Self::Udp(socket) => drop(socket.send(payload)),
            Self::Tcp(stream, _) => {
                let mut rest = payload;
                while !rest.is_empty() {
                    match stream.write(rest) {
                        Ok(length) => rest = &rest[length..],
                        Err(error) if error.kind() == ErrorKind::WouldBlock => std::thread::yield_now(),
                        Err(error) => panic!("the connection broke: {error}"),
                    }
                }
            }
        }
    }

    /// The numbers of the transactions that were answered.
    fn receive(&mut self, buffer: &mut [u8], answered: &mut Vec<u64>) {
        match self {
            Self::Udp(socket) => {
                while let Ok(length) = socket.recv(buffer) {
                    answered.extend(number(&buffer[..length]));
                }
            }
            Self::Tcp(stream, frames) => {
                while let Ok(length) = stream.read(buffer) {
                    assert!(length > 0, "the connection was closed");
                    frames.push(&buffer[..length]);
                }
                while let Ok(Some(frame)) = frames.next() {
                    if let Frame::Message(Message::Response(response)) = frame {
                        answered.extend(number(&response.to_bytes()));
                    }
                }
            }
        }
    }
}

/// The number of a transaction by its answer, unless that is provisional. What a bare echo sends is an answer too.
fn number(message: &[u8]) -> Option<u64> {
    if message.starts_with(b"SIP/2.0 1") {
        return None;
    }
    let start = memmem::find(message, b"Call-ID: ")? + 9;
    std::str::from_utf8(message.get(start..start + NUMBER.len())?).ok()?.parse().ok()
}

/// A request of one wire, and the places in it where the number goes.
struct Template {
    text: Vec<u8>,
    places: Vec<usize>,
}

impl Template {
    fn new(text: String) -> Self {
        let places = memmem::find_iter(text.as_bytes(), NUMBER).collect();
        Self { text: text.into_bytes(), places }
    }

    fn number(&mut self, mut number: u64) -> &[u8] {
        let mut digits = [b'0'; NUMBER.len()];
        for digit in digits.iter_mut().rev() {
            *digit = b'0' + (number % 10) as u8;
            number /= 10;
        }
        for place in &self.places {
            self.text[*place..*place + digits.len()].copy_from_slice(&digits);
        }
        &self.text
    }
}

/// Runs for a while: as fast as the window allows, or at a rate of transactions a second.
pub fn measure(load: &Load) -> Measured {
    let Load { front, tcp, kind, window, rate, span } = *load;
    // Four sources: what spreads by source is spread.
    let mut wires: Vec<Wire> = (0..if tcp { 1 } else { 4 }).map(|_| Wire::open(front, tcp)).collect();
    let start = Instant::now();
    let run = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |it| it.as_nanos() as u64);
    let template = |wire: &Wire| Template::new(request(kind, run, wire.local(), front, tcp));
    let mut templates: Vec<Template> = wires.iter().map(template).collect();
    let mut open: std::collections::HashMap<u64, Instant> = std::collections::HashMap::new();
    let mut buffer = vec![0; 262_144];
    let (mut next, mut answered, mut lost) = (0_u64, 0, 0);
    let mut latencies = Vec::new();
    let mut numbers = Vec::new();
    loop {
        let now = Instant::now();
        let since = now - start;
        if since >= span {
            break;
        }
        let allowed = rate.map_or(u64::MAX, |rate| (since.as_secs_f64() * rate) as u64);
        let mut did = false;
        while open.len() < if rate.is_some() { 4_096 } else { window } && next < allowed {
            let which = (next % wires.len() as u64) as usize;
            wires[which].send(templates[which].number(next));
            open.insert(next, Instant::now());
            next += 1;
            did = true;
            if rate.is_some() && next.is_multiple_of(8) {
                break;
            }
        }
        for wire in &mut wires {
            wire.receive(&mut buffer, &mut numbers);
        }
        for number in numbers.drain(..) {
            if let Some(sent) = open.remove(&number) {
                latencies.push(sent.elapsed());
                answered += 1;
                did = true;
            }
        }
        if !did {
            let before = open.len();
            open.retain(|_, sent| sent.elapsed() < PATIENCE);
            lost += (before - open.len()) as u64;
            std::thread::yield_now();
        }
    }
    let took = start.elapsed();
    latencies.sort();
    let p99 = latencies.get(latencies.len() * 99 / 100).copied().unwrap_or_default();
    Measured { answered, lost, p99, took }
}

/// A request as a phone writes it.
fn request(kind: Kind, run: u64, local: SocketAddr, front: SocketAddr, tcp: bool) -> String {
    let transport = if tcp { "TCP" } else { "UDP" };
    let method = match kind {
        Kind::Invite => "INVITE",
        Kind::Options => "OPTIONS",
    };
    let start = format!(
        "{method} sip:bob@{front} SIP/2.0\r\nVia: SIP/2.0/{transport} {local};branch=z9hG4bK{run}-{NUMBER};rport\r\nMax-Forwards: 70\r\n\
         From: \"Alice\" <sip:alice@example.com>;tag=9fxced76sl{NUMBER}\r\nTo: \"Bob\" <sip:bob@example.com>\r\n\
         Call-ID: {NUMBER}-{run}-3848276298220188511@example.com\r\nCSeq: 1 {method}\r\nContact: <sip:alice@{local}>\r\n\
         User-Agent: peers\r\nAllow: INVITE, ACK, BYE, CANCEL, OPTIONS\r\n"
    );
    match kind {
        Kind::Options => format!("{start}Accept: application/sdp\r\nContent-Length: 0\r\n\r\n"),
        Kind::Invite => {
            let body = "v=0\r\no=alice 53655765 2353687637 IN IP4 192.0.2.101\r\ns=-\r\nc=IN IP4 192.0.2.101\r\nt=0 0\r\n\
                        m=audio 49172 RTP/AVP 0 8 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:101 telephone-event/8000\r\n";
            let length = body.len();
            format!("{start}Content-Type: application/sdp\r\nContent-Length: {length}\r\n\r\n{body}")
        }
    }
}
