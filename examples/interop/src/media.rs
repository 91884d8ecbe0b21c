//! Talking and listening in RTP: as many lines as are wanted, each sending fifty packets a second.

use crate::audio::Audio;
use rtp::g711::Law;
use rtp::tone::Tone;
use rtp::{Header, Packet};
use std::collections::HashSet;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{JoinHandle, sleep};
use std::time::{Duration, Instant};

const PACKET: Duration = Duration::from_millis(20);

/// One line: a socket that says a tone and counts what it hears.
#[derive(Debug)]
pub struct Line {
    /// Where it is.
    pub address: SocketAddr,
    /// Where it sends to; nowhere for a listener.
    pub remote: Option<SocketAddr>,
    /// Packets sent.
    pub sent: u32,
    /// Packets that came.
    pub received: u32,
    /// The numbers that came.
    pub numbers: HashSet<u16>,
    /// The streams that came.
    pub streams: HashSet<u32>,
    /// Where packets came from.
    pub sources: HashSet<SocketAddr>,
    /// What was heard.
    pub heard: Audio,
    socket: UdpSocket,
    header: Header,
    payload: Vec<u8>,
    tone: Tone,
    record: bool,
}

impl Line {
    /// A line at an address that says a tone of -10 dBm0.
    ///
    /// # Panics
    ///
    /// When the address is taken.
    pub fn new(address: SocketAddr, hertz: f64) -> Self {
        let socket = UdpSocket::bind(address).expect("a media socket");
        socket.set_nonblocking(true).expect("a socket that does not wait");
        let ssrc = u32::from(address.port()) << 16 | std::process::id() & 0xffff;
        Self {
            address: socket.local_addr().expect("an address"),
            remote: None,
            sent: 0,
            received: 0,
            numbers: HashSet::new(),
            streams: HashSet::new(),
            sources: HashSet::new(),
            heard: Audio { rate: 8_000, samples: Vec::new() },
            socket,
            header: Header { ssrc, marker: true, ..Default::default() },
            payload: Vec::new(),
            tone: Tone::new(hertz, -10.0, 8_000),
            record: true,
        }
    }

    /// Counts only: does not keep what it hears, and says the same packet over and over.
    #[must_use]
    pub fn counting(mut self) -> Self {
        self.record = false;
        self
    }

    /// The stream that it sends.
    pub fn stream(&self) -> u32 {
        self.header.ssrc
    }

    /// Numbers of another line's packets that never came here.
    pub fn missing_from(&self, other: &Self) -> u32 {
        other.sent - u32::try_from(self.numbers.len()).unwrap_or(0).min(other.sent)
    }

    fn say(&mut self) {
        let Some(remote) = self.remote else { return };
        if self.record || self.payload.is_empty() {
            self.payload.clear();
            self.tone.encode(Law::Mu, 160, &mut self.payload);
        }
        let mut packet = Vec::with_capacity(172);
        self.header.encode_packet(&self.payload, 0, &mut packet);
        if self.socket.send_to(&packet, remote).is_ok() {
            self.sent += 1;
        }
        self.header.marker = false;
        self.header.sequence = self.header.sequence.wrapping_add(1);
        self.header.timestamp = self.header.timestamp.wrapping_add(160);
    }

    fn listen(&mut self) {
        let mut bytes = [0; 2_048];
        while let Ok((length, source)) = self.socket.recv_from(&mut bytes) {
            let Ok(packet) = Packet::parse(&bytes[..length]) else { continue };
            self.received += 1;
            self.numbers.insert(packet.sequence());
            self.streams.insert(packet.ssrc());
            self.sources.insert(source);
            if self.record && packet.payload_type() == 0 {
                self.heard.samples.extend(Law::Mu.decode(packet.payload()));
            }
        }
    }
}

/// Lines that talk in the background.
#[derive(Debug)]
pub struct Talk {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Vec<Line>>,
}

impl Talk {
    /// Lets the lines talk until [`stop`](Self::stop).
    pub fn start(lines: Vec<Line>) -> Self {
        Self::start_paced(lines, Duration::MAX)
    }

    /// Lets the lines talk for so long, then only listen.
    pub fn start_paced(mut lines: Vec<Line>, length: Duration) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let start = Instant::now();
            let groups = if lines.len() > 40 { 10 } else { 1 };
            let size = lines.len().div_ceil(groups).max(1);
            for step in 0.. {
                let (tick, group) = (step / groups, step % groups);
                let due = PACKET * tick as u32 + PACKET * group as u32 / groups as u32;
                if let Some(early) = due.checked_sub(start.elapsed()) {
                    sleep(early);
                }
                let talking = due < length;
                for line in lines.chunks_mut(size).nth(group).unwrap_or(&mut []) {
                    line.listen();
                    if talking {
                        line.say();
                    }
                }
                // What was promised is sent, also by a machine that is late.
                let kept = length == Duration::MAX || !talking;
                if group == groups - 1 && kept && told.load(Ordering::Relaxed) {
                    break;
                }
            }
            // What is still on its way.
            sleep(Duration::from_millis(300));
            lines.iter_mut().for_each(Line::listen);
            lines
        });
        Self { stop, thread }
    }

    /// Ends the talk and returns the lines with what they heard.
    ///
    /// # Panics
    ///
    /// When a line panicked.
    pub fn stop(self) -> Vec<Line> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().expect("the lines")
    }
}

/// Lets lines talk for so long, and returns them.
pub fn talk_for(lines: Vec<Line>, length: Duration) -> Vec<Line> {
    let talk = Talk::start_paced(lines, length);
    sleep(length);
    talk.stop()
}
