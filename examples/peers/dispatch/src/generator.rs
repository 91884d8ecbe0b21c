//! The generator: a window of transactions kept open, or a rate.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, poll};
use sip_core::header::HeaderName;
use sip_core::{Limits, view};

use crate::batch::{Batch, socket};

/// What came of a run.
pub struct Measured {
    pub answered: u64,
    pub lost: u64,
    pub p99: Duration,
    pub took: Duration,
}

/// How it is driven.
#[derive(Clone, Copy)]
pub enum Load {
    /// So many transactions are open at any time.
    Window(usize),
    /// So many begin a second.
    Rate(f64),
}

/// After this a transaction is lost, and its place in the window free.
const PATIENCE: Duration = Duration::from_millis(500);
/// How long a wait for answers is at most, and how long a rate sleeps between its steps.
const WAIT: u16 = 2;
const STEP: Duration = Duration::from_micros(100);
/// From how many ports datagrams come.
const SOURCES: usize = 32;
/// What a rate may have open at most.
const OPEN: usize = 4_096;

enum Wire {
    Udp(UdpSocket, Box<Batch>),
    Tcp { stream: TcpStream, waiting: Vec<u8>, buffer: Vec<u8>, held: usize },
}

impl Wire {
    fn open(front: SocketAddr, tcp: bool) -> Self {
        if tcp {
            let stream = TcpStream::connect(front).expect("a connection");
            stream.set_nodelay(true).expect("a connection");
            return Self::Tcp { stream, waiting: Vec::new(), buffer: vec![0; 262_144], held: 0 };
        }
        let socket = socket();
        socket.connect(front).expect("a socket");
        Self::Udp(socket, Box::new(Batch::new()))
    }

    fn local(&self) -> SocketAddr {
        match self {
            Self::Udp(socket, _) => socket.local_addr(),
            Self::Tcp { stream, .. } => stream.local_addr(),
        }
        .expect("an address")
    }

    fn push(&mut self, message: &[u8]) {
        match self {
            Self::Udp(_, batch) => batch.push(None, |out| out.extend_from_slice(message)),
            Self::Tcp { waiting, .. } => waiting.extend_from_slice(message),
        }
    }

    fn send(&mut self) {
        match self {
            Self::Udp(socket, batch) => batch.send(socket),
            Self::Tcp { stream, waiting, .. } => {
                stream.write_all(waiting).expect("the connection holds");
                waiting.clear();
            }
        }
    }

    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Udp(socket, _) => socket.as_fd(),
            Self::Tcp { stream, .. } => stream.as_fd(),
        }
    }

    /// The numbers of the transactions that were answered, once there is something.
    fn receive(&mut self, answered: &mut Vec<u64>) {
        match self {
            Self::Udp(socket, batch) => {
                while batch.receive(socket) > 0 {
                    answered.extend(batch.received().filter_map(|(bytes, _)| number(bytes)));
                }
            }
            Self::Tcp { stream, buffer, held, .. } => {
                let length = stream.read(&mut buffer[*held..]).expect("the connection holds");
                assert!(length > 0, "the connection was closed");
                *held += length;
                let mut done = 0;
                while let Some(length) = message(&buffer[done..*held]) {
                    answered.extend(number(&buffer[done..done + length]));
                    done += length;
                }
                buffer.copy_within(done..*held, 0);
                *held -= done;
            }
        }
    }
}

/// Which of them have something to receive; waits for so many milliseconds at most.
fn ready(wires: &[Wire], wait: u16) -> Vec<bool> {
    let mut polled: Vec<PollFd<'_>> = wires.iter().map(|wire| PollFd::new(wire.as_fd(), PollFlags::POLLIN)).collect();
    // An interrupted wait is a short one.
    let _ = poll(&mut polled, wait);
    polled.iter().map(|it| it.any().unwrap_or(false)).collect()
}

/// How long the message is that these bytes begin with, if it is there as a whole.
pub fn message(bytes: &[u8]) -> Option<usize> {
    let head = memchr::memmem::find(bytes, b"\r\n\r\n")? + 4;
    let at = memchr::memmem::find(&bytes[..head], b"Content-Length: ")? + 16;
    let body = bytes[at..].iter().take_while(|byte| byte.is_ascii_digit());
    let length = head + body.fold(0, |sum, digit| sum * 10 + usize::from(digit - b'0'));
    (length <= bytes.len()).then_some(length)
}

/// The number of the transaction that a final answer is to.
fn number(bytes: &[u8]) -> Option<u64> {
    let message = view::Message::parse(bytes, &Limits::default()).ok()?;
    if message.status()?.is_provisional() {
        return None;
    }
    let id = message.headers().get(&HeaderName::CALL_ID)?;
    std::str::from_utf8(id.get(..DIGITS)?).ok()?.parse().ok()
}

/// Runs for a while.
pub fn measure(front: SocketAddr, tcp: bool, load: Load, span: Duration) -> Measured {
    // Many sources: what spreads by source is spread.
    let mut wires: Vec<Wire> = (0..if tcp { 1 } else { SOURCES }).map(|_| Wire::open(front, tcp)).collect();
    let run = u64::from(std::process::id()) << 32 | u64::from(Instant::now().elapsed().subsec_nanos());
    let transport = if tcp { "TCP" } else { "UDP" };
    let mut templates: Vec<Template> = wires
        .iter()
        .map(|wire| Template::new(run ^ u64::from(wire.local().port()), wire.local(), front, transport))
        .collect();
    // When each of the last transactions began, by its number: a ring.
    let mut began: Vec<Option<(u64, Instant)>> = vec![None; 65_536];
    let mut open = 0_usize;
    let (mut next, mut oldest, mut answered, mut lost) = (0_u64, 0_u64, 0, 0);
    let mut latencies = Vec::new();
    let mut numbers = Vec::new();
    let start = Instant::now();
    loop {
        let now = Instant::now();
        let since = now - start;
        if since >= span {
            break;
        }
        let (limit, allowed) = match load {
            Load::Window(limit) => (limit, u64::MAX),
            Load::Rate(rate) => (OPEN, (since.as_secs_f64() * rate) as u64),
        };
        let first = next;
        while open < limit && next < allowed && next - first < 64 {
            let which = (next % wires.len() as u64) as usize;
            wires[which].push(templates[which].request(next));
            began[(next % 65_536) as usize] = Some((next, now));
            next += 1;
            open += 1;
        }
        let did = next > first;
        if did {
            wires.iter_mut().for_each(Wire::send);
        }
        // A window waits for answers, a rate for its next step.
        let is_window = matches!(load, Load::Window(_));
        if !did && !is_window {
            std::thread::sleep(STEP);
        }
        let is_ready = ready(&wires, if !did && is_window { WAIT } else { 0 });
        for (wire, _) in wires.iter_mut().zip(is_ready).filter(|(_, is_ready)| *is_ready) {
            wire.receive(&mut numbers);
        }
        let now = Instant::now();
        for number in numbers.drain(..) {
            let place = &mut began[(number % 65_536) as usize];
            if let Some((_, sent)) = place.filter(|(open, _)| *open == number) {
                *place = None;
                latencies.push(now - sent);
                answered += 1;
                open -= 1;
            }
        }
        // What is too old is lost.
        while oldest < next {
            let place = &mut began[(oldest % 65_536) as usize];
            match *place {
                Some((number, sent)) if number == oldest && now - sent < PATIENCE => break,
                Some((number, _)) if number == oldest => {
                    *place = None;
                    lost += 1;
                    open -= 1;
                }
                _ => {}
            }
            oldest += 1;
        }
    }
    let took = start.elapsed();
    latencies.sort_unstable();
    let p99 = latencies.get(latencies.len() * 99 / 100).copied().unwrap_or_default();
    Measured { answered, lost, p99, took }
}

/// How many digits a transaction's number is written with.
const DIGITS: usize = 10;

/// A request with what an INVITE of a phone has, and the places of its number in it.
struct Template {
    bytes: Vec<u8>,
    places: Vec<usize>,
}

impl Template {
    fn new(run: u64, local: SocketAddr, front: SocketAddr, transport: &str) -> Self {
        let body = "v=0\r\no=alice 53655765 2353687637 IN IP4 192.0.2.101\r\ns=-\r\nc=IN IP4 192.0.2.101\r\nt=0 0\r\n\
                    m=audio 49172 RTP/AVP 0 8 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:101 telephone-event/8000\r\n";
        let mark = "@".repeat(DIGITS);
        let text = format!(
            "INVITE sip:bob@{front} SIP/2.0\r\nVia: SIP/2.0/{transport} {local};branch=z9hG4bK{run}-{mark};rport\r\nMax-Forwards: 70\r\n\
             From: \"Alice\" <sip:alice@example.com>;tag=9fxced76sl{mark}\r\nTo: \"Bob\" <sip:bob@example.com>\r\n\
             Call-ID: {mark}-{run}-3848276298@example.com\r\nCSeq: 1 INVITE\r\nContact: <sip:alice@{local}>\r\n\
             User-Agent: peers\r\nAllow: INVITE, ACK, BYE, CANCEL, OPTIONS\r\nContent-Type: application/sdp\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let places = text.match_indices(&mark).map(|(place, _)| place).collect();
        Self { bytes: text.into_bytes(), places }
    }

    fn request(&mut self, number: u64) -> &[u8] {
        let digits = format!("{number:0DIGITS$}");
        for place in &self.places {
            self.bytes[*place..place + DIGITS].copy_from_slice(digits.as_bytes());
        }
        &self.bytes
    }
}
