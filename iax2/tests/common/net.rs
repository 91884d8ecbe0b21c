//! A simulated network of endpoints on a virtual clock: loss, duplication, delay and reordering from a seed.
#![allow(dead_code, unreachable_pub, reason = "each test binary uses a part")]

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use iax2::{Config, Endpoint, Event, Input, Output};

/// How bad the network is.
#[derive(Debug, Clone, Copy)]
pub struct Weather {
    /// Share of datagrams lost, in percent.
    pub loss: u32,
    /// Share delivered twice, in percent.
    pub duplicate: u32,
    /// Least delay.
    pub delay: Duration,
    /// Most that is added to it, at random: datagrams overtake each other.
    pub jitter: Duration,
}

impl Weather {
    pub const FINE: Self = Self { loss: 0, duplicate: 0, delay: Duration::from_millis(1), jitter: Duration::ZERO };
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Flight {
    at: Instant,
    order: u64,
    source: SocketAddr,
    destination: SocketAddr,
    payload: Vec<u8>,
}

/// When, from, to, and what.
pub type Sent = (Instant, SocketAddr, SocketAddr, Vec<u8>);

/// The network, its endpoints and its clock.
pub struct Net {
    pub now: Instant,
    pub start: Instant,
    pub weather: Weather,
    pub endpoints: HashMap<SocketAddr, Endpoint>,
    pub events: Vec<(SocketAddr, Event)>,
    pub sent: u64,
    pub sent_bytes: u64,
    /// Every datagram as sent, when asked for.
    pub trace: Option<Vec<Sent>>,
    flights: BinaryHeap<Reverse<Flight>>,
    random: u64,
    order: u64,
}

pub fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

impl Net {
    pub fn new(seed: u64, weather: Weather) -> Self {
        #[expect(clippy::disallowed_methods, reason = "a virtual clock begins somewhere")]
        let now = Instant::now();
        Self {
            now,
            start: now,
            weather,
            endpoints: HashMap::new(),
            events: Vec::new(),
            sent: 0,
            sent_bytes: 0,
            trace: None,
            flights: BinaryHeap::new(),
            random: seed.wrapping_mul(2).wrapping_add(0x9e37_79b9_7f4a_7c15) | 1,
            order: 0,
        }
    }

    pub fn add(&mut self, at: SocketAddr, config: Config) {
        let mut seed = [0; 32];
        seed[..8].copy_from_slice(&self.random().to_le_bytes());
        self.endpoints.insert(at, Endpoint::new(self.now, config, seed));
    }

    pub fn random(&mut self) -> u64 {
        // xorshift64*
        self.random ^= self.random >> 12;
        self.random ^= self.random << 25;
        self.random ^= self.random >> 27;
        self.random.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn percent(&mut self, share: u32) -> bool {
        share > 0 && (self.random() >> 33) % 100 < u64::from(share)
    }

    /// Runs a command of an endpoint and takes its output.
    pub fn at<T>(&mut self, at: SocketAddr, run: impl FnOnce(&mut Endpoint, Instant) -> T) -> T {
        let now = self.now;
        let result = run(self.endpoints.get_mut(&at).unwrap(), now);
        self.drain(at);
        result
    }

    /// Puts a datagram on the network as if somebody at `source` had sent it.
    pub fn inject(&mut self, source: SocketAddr, destination: SocketAddr, payload: &[u8]) {
        let at = self.now;
        self.order += 1;
        self.flights.push(Reverse(Flight { at, order: self.order, source, destination, payload: payload.to_vec() }));
    }

    fn drain(&mut self, at: SocketAddr) {
        while let Some(output) = self.endpoints.get_mut(&at).unwrap().poll_output() {
            match output {
                Output::Event(event) => self.events.push((at, event)),
                Output::Datagram { destination, payload } => self.send(at, destination, &payload),
            }
        }
    }

    fn send(&mut self, source: SocketAddr, destination: SocketAddr, payload: &[u8]) {
        self.sent += 1;
        self.sent_bytes += payload.len() as u64;
        if let Some(trace) = &mut self.trace {
            trace.push((self.now, source, destination, payload.to_vec()));
        }
        if self.percent(self.weather.loss) {
            return;
        }
        let copies = 1 + u32::from(self.percent(self.weather.duplicate));
        for _ in 0..copies {
            let jitter = self.weather.jitter.as_micros() as u64;
            let jitter = if jitter == 0 { 0 } else { self.random() % jitter };
            let at = self.now + self.weather.delay + Duration::from_micros(jitter);
            self.order += 1;
            let order = self.order;
            self.flights.push(Reverse(Flight { at, order, source, destination, payload: payload.to_vec() }));
        }
    }

    /// The next moment at which something happens.
    pub fn next(&self) -> Option<Instant> {
        let timers = self.endpoints.values().filter_map(Endpoint::poll_timeout).min();
        let flights = self.flights.peek().map(|Reverse(flight)| flight.at);
        [timers, flights].into_iter().flatten().min()
    }

    /// Lets everything happen that is due now.
    pub fn step(&mut self) {
        while let Some(Reverse(flight)) = self.flights.peek() {
            if flight.at > self.now {
                break;
            }
            let Some(Reverse(flight)) = self.flights.pop() else { break };
            if let Some(endpoint) = self.endpoints.get_mut(&flight.destination) {
                let input = Input::Datagram { source: flight.source, payload: Bytes::from(flight.payload) };
                endpoint.handle_input(self.now, input);
                self.drain(flight.destination);
            }
        }
        let mut due = Vec::new();
        for (at, endpoint) in &self.endpoints {
            if endpoint.poll_timeout().is_some_and(|timeout| timeout <= self.now) {
                due.push(*at);
            }
        }
        due.sort();
        for at in due {
            let now = self.now;
            self.endpoints.get_mut(&at).unwrap().handle_timeout(now);
            self.drain(at);
        }
    }

    /// Lets time pass.
    pub fn run(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(next) = self.next().filter(|next| *next <= end) {
            self.now = self.now.max(next);
            self.step();
        }
        self.now = end;
    }

    /// Takes the events of one endpoint.
    pub fn take(&mut self, at: SocketAddr) -> Vec<Event> {
        let mut taken = Vec::new();
        self.events.retain(|(whose, event)| {
            if *whose == at {
                taken.push(event.clone());
            }
            *whose != at
        });
        taken
    }
}
