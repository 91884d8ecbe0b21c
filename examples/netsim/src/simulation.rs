//! The clock, and the loop that moves it from event to event.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::conditions::Conditions;
use crate::network::{Arrival, Network};

/// Something at one or more addresses: a machine under test with a little glue.
pub trait Node {
    /// Whether this address is ours.
    fn owns(&self, address: SocketAddr) -> bool;

    /// Something arrived. An [`Arrival::Incoming`] that is not wanted is [refused](Network::refuse) in
    /// [`flush`](Self::flush).
    fn arrive(&mut self, now: Instant, arrival: Arrival);

    /// Time passed.
    fn timeout(&mut self, now: Instant);

    /// When to call [`timeout`](Self::timeout).
    fn next_timeout(&self) -> Option<Instant>;

    /// Hands everything that is to be sent to the network.
    fn flush(&mut self, now: Instant, network: &mut Network);
}

/// A network and its clock.
#[derive(Debug)]
pub struct Simulation {
    /// The network.
    pub network: Network,
    start: Instant,
    now: Instant,
}

impl Simulation {
    /// A network in which these conditions hold everywhere, at time zero.
    #[must_use]
    pub fn new(seed: u64, conditions: Conditions) -> Self {
        let now = origin();
        Self { network: Network::new(seed, conditions), start: now, now }
    }

    /// The virtual time.
    #[must_use]
    pub const fn now(&self) -> Instant {
        self.now
    }

    /// How long it is since the beginning.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.now.saturating_duration_since(self.start)
    }

    /// Moves the clock without looking at events that are due: for tests in which a machine was not driven in time.
    pub fn skip(&mut self, span: Duration) {
        self.now += span;
    }

    /// Handles everything up to `until`, and leaves the clock there. Returns the number of steps.
    ///
    /// # Panics
    /// When a node asks for a timeout in the past a million times in a row: its machine does not make progress.
    pub fn run(&mut self, nodes: &mut [&mut dyn Node], until: Instant) -> u64 {
        let mut steps = 0;
        while self.step(nodes, until) {
            steps += 1;
        }
        self.now = self.now.max(until);
        steps
    }

    /// Like [`run`](Self::run), for a span from now.
    pub fn run_for(&mut self, nodes: &mut [&mut dyn Node], span: Duration) -> u64 {
        self.run(nodes, self.now + span)
    }

    /// Handles everything until nothing is underway and no timer runs, or `limit` has passed. Returns whether it
    /// became quiet.
    pub fn run_until_quiet(&mut self, nodes: &mut [&mut dyn Node], limit: Duration) -> bool {
        let until = self.now + limit;
        while self.step(nodes, until) {}
        self.next_event(nodes).is_none()
    }

    /// Handles the next event up to `until`: all that arrives at one instant, then the timers due at it. Returns
    /// whether there was one.
    ///
    /// # Panics
    /// As [`run`](Self::run).
    #[expect(clippy::panic, reason = "a machine that spins must fail its test")]
    pub fn step(&mut self, nodes: &mut [&mut dyn Node], until: Instant) -> bool {
        self.flush(nodes);
        let Some(at) = self.next_event(nodes) else { return false };
        if at > until {
            return false;
        }
        self.now = self.now.max(at);
        let mut rounds = 0_u32;
        while let Some(arrival) = self.network.poll_arrival(self.now) {
            let to = arrival.to();
            match nodes.iter_mut().find(|node| node.owns(to)) {
                Some(node) => {
                    self.network.counters.delivered += 1;
                    node.arrive(self.now, arrival);
                    node.flush(self.now, &mut self.network);
                }
                None => {
                    self.network.counters.nobody += 1;
                    if let Arrival::Incoming { stream, .. } = arrival {
                        self.network.refuse(self.now, stream);
                    }
                }
            }
        }
        for node in nodes.iter_mut() {
            while node.next_timeout().is_some_and(|due| due <= self.now) {
                node.timeout(self.now);
                node.flush(self.now, &mut self.network);
                rounds += 1;
                if rounds > 1_000_000 {
                    panic!("a node asks for a timeout that has passed, again and again");
                }
            }
        }
        true
    }

    fn flush(&mut self, nodes: &mut [&mut dyn Node]) {
        for node in nodes.iter_mut() {
            node.flush(self.now, &mut self.network);
        }
    }

    fn next_event(&self, nodes: &[&mut dyn Node]) -> Option<Instant> {
        let timers = nodes.iter().filter_map(|node| node.next_timeout());
        timers.chain(self.network.next_arrival()).min()
    }
}

/// Some instant to begin at: all others are made from it, and the clock is not looked at again.
#[expect(clippy::disallowed_methods, reason = "an instant can only be had from the clock")]
pub(crate) fn origin() -> Instant {
    Instant::now()
}
