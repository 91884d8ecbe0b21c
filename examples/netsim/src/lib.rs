//! A simulated network on a virtual clock: datagrams and streams between socket addresses, with loss, delay,
//! duplication and reordering from a seed. Nothing sleeps, and every run replays from its seed.
//!
//! A machine under test becomes a [`Node`]; [`Simulation::run`] moves the clock from event to event.
//!
//! ```
//! use std::time::{Duration, Instant};
//! use netsim::{Arrival, Conditions, Network, Node, Simulation};
//!
//! /// Sends back what comes.
//! struct Echo(std::net::SocketAddr, Vec<(std::net::SocketAddr, Vec<u8>)>);
//!
//! impl Node for Echo {
//!     fn owns(&self, address: std::net::SocketAddr) -> bool { address == self.0 }
//!     fn arrive(&mut self, _: Instant, arrival: Arrival) {
//!         if let Arrival::Datagram { from, payload, .. } = arrival { self.1.push((from, payload)); }
//!     }
//!     fn timeout(&mut self, _: Instant) {}
//!     fn next_timeout(&self) -> Option<Instant> { None }
//!     fn flush(&mut self, now: Instant, network: &mut Network) {
//!         for (to, payload) in self.1.drain(..) { network.send(now, self.0, to, payload); }
//!     }
//! }
//!
//! let (alice, bob) = ("192.0.2.1:5060".parse()?, "192.0.2.2:5060".parse()?);
//! let mut simulation = Simulation::new(1, Conditions { delay: Duration::from_millis(10), ..Conditions::PERFECT });
//! let mut echo = Echo(bob, Vec::new());
//! simulation.network.send(simulation.now(), alice, bob, b"hello".to_vec());
//! let end = simulation.now() + Duration::from_secs(1);
//! simulation.run(&mut [&mut echo], end);
//! // One packet there and one back, which nobody was there to take.
//! assert_eq!(simulation.network.counters().delivered, 1);
//! assert_eq!(simulation.network.counters().nobody, 1);
//! # Ok::<(), std::net::AddrParseError>(())
//! ```
#![warn(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice
)]

mod conditions;
mod dice;
mod network;
mod simulation;
mod stream;

pub use conditions::Conditions;
pub use network::{Arrival, Counters, Fate, Network, Sent};
pub use simulation::{Node, Simulation};
pub use stream::StreamId;
