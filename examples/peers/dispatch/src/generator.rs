//! The generator: a window of transactions kept open, or a rate.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

use bytes::Bytes;
use sip_core::framing::{Frame, Stream};
use sip_core::header::HeaderName;
use sip_core::{Limits, Message};

/// What came of a run.
pub struct Measured {
    pub answered: u64,
    pub lost: u64,
    pub p99: Duration,
    pub took: Duration,
}

/// After this a transaction is lost, and its place in the window free.
const PATIENCE: Duration = Duration::from_millis(500);

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
        let mut note = |message: &Message| {
            let id = message.headers().get(&HeaderName::CALL_ID).unwrap_or_default();
            let number = std::str::from_utf8(&id).ok().and_then(|id| id.split_once('-')?.0.parse().ok());
            if let (Message::Response(response), Some(number)) = (message, number)
                && response.status().is_final()
            {
                answered.push(number);
            }
        };
        match self {
            Self::Udp(socket) => {
                while let Ok(length) = socket.recv(buffer) {
                    let bytes = Bytes::copy_from_slice(&buffer[..length]);
                    if let Ok(message) = Message::parse(bytes, &Limits::default()) {
                        note(&message);
                    }
                }
            }
            Self::Tcp(stream, frames) => {
                while let Ok(length) = stream.read(buffer) {
                    assert!(length > 0, "the connection was closed");
                    frames.push(&buffer[..length]);
                }
                while let Ok(Some(frame)) = frames.next() {
                    if let Frame::Message(message) = frame {
                        note(&message);
                    }
                }
            }
        }
    }
}

/// Runs for a while: as fast as the window allows, or at a rate of transactions a second.
pub fn measure(front: SocketAddr, tcp: bool, window: usize, rate: Option<f64>, span: Duration) -> Measured {
    // Four sources: what spreads by source is spread.
    let mut wires: Vec<Wire> = (0..if tcp { 1 } else { 4 }).map(|_| Wire::open(front, tcp)).collect();
    let locals: Vec<SocketAddr> = wires.iter().map(Wire::local).collect();
    let transport = if tcp { "TCP" } else { "UDP" };
    let mut open: std::collections::HashMap<u64, Instant> = std::collections::HashMap::new();
    let mut buffer = vec![0; 262_144];
    let (mut next, mut answered, mut lost) = (0_u64, 0, 0);
    let mut latencies = Vec::new();
    let mut numbers = Vec::new();
    let start = Instant::now();
    let run = start.elapsed().subsec_nanos() ^ std::process::id();
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
            let local = locals[which];
            let text = request(next, run, local, front, transport);
            wires[which].send(text.as_bytes());
            open.insert(next, Instant::now());
            next += 1;
            did = true;
            if rate.is_some() && next % 8 == 0 {
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

/// A request with what an INVITE of a phone has.
fn request(number: u64, run: u32, local: SocketAddr, front: SocketAddr, transport: &str) -> String {
    let body = "v=0\r\no=alice 53655765 2353687637 IN IP4 192.0.2.101\r\ns=-\r\nc=IN IP4 192.0.2.101\r\nt=0 0\r\n\
                m=audio 49172 RTP/AVP 0 8 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:101 telephone-event/8000\r\n";
    format!(
        "INVITE sip:bob@{front} SIP/2.0\r\nVia: SIP/2.0/{transport} {local};branch=z9hG4bK{run}-{number};rport\r\nMax-Forwards: 70\r\n\
         From: \"Alice\" <sip:alice@example.com>;tag=9fxced76sl{number}\r\nTo: \"Bob\" <sip:bob@example.com>\r\n\
         Call-ID: {number}-{run}-3848276298220188511@example.com\r\nCSeq: 1 INVITE\r\nContact: <sip:alice@{local}>\r\n\
         User-Agent: peers\r\nAllow: INVITE, ACK, BYE, CANCEL, OPTIONS\r\nContent-Type: application/sdp\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
}
