//! Sockets, the clock and the runtime for the machines of this crate, on tokio.
//!
//! [`Sockets`] turns what the network brings into [`Input`]s and carries out [`Output`]s. With it, the loop around any
//! machine that takes the one and gives the other is short:
//!
//! ```no_run
//! # use std::time::Instant;
//! # use sip_transaction::driver::{self, Arrival, Sockets, SocketConfig};
//! # use sip_transaction::{Config, Endpoint, Event, Transport};
//! # fn handle(endpoint: &mut Endpoint, event: Event) {}
//! # async fn example() -> std::io::Result<()> {
//! let mut sockets = Sockets::new(SocketConfig::default());
//! let mut machine = Endpoint::new(Config::default(), driver::seed()?);
//! for transport in [Transport::Udp, Transport::Tcp] {
//!     machine.add_listener(sockets.bind(transport, ([127, 0, 0, 1], 5060).into())?);
//! }
//! loop {
//!     while let Some(output) = machine.poll_output() {
//!         if let Some(event) = sockets.transmit(output) {
//!             handle(&mut machine, event);
//!         }
//!     }
//!     match sockets.recv_until(machine.poll_timeout()).await {
//!         Some(Arrival::Input(input)) => machine.handle_input(Instant::now(), input),
//!         Some(Arrival::Connection(incoming)) => {
//!             let accepted = machine.accept(Instant::now(), incoming.listener(), incoming.local(), incoming.remote());
//!             sockets.attach(incoming, accepted.ok());
//!         }
//!         None => machine.handle_timeout(Instant::now()),
//!     }
//! }
//! # }
//! ```
//!
//! Who wants no loop of his own [spawns](spawn) one around an [`Endpoint`](crate::Endpoint) and gives it commands.
#![expect(clippy::disallowed_methods, reason = "the driver owns the clock")]

mod connection;
#[cfg(feature = "dns")]
mod dns;
mod handle;
mod queue;
mod shards;
mod sockets;
#[cfg(feature = "tls")]
pub mod tls;
pub mod udp;
#[cfg(feature = "ws")]
mod websocket;

use std::time::Instant;

#[cfg(feature = "dns")]
pub use dns::ask;
#[cfg(feature = "dns")]
pub use hickory_resolver;
#[cfg(feature = "tls")]
pub use rustls;
#[cfg(feature = "ws")]
pub use websocket::{Check, Upgrade, WebSocketConfig};

pub use handle::{Events, Handle, Stopped, spawn};
pub use shards::shards;
pub use sockets::{Arrival, Incoming, SocketConfig, SocketCounters, Sockets};

#[cfg(doc)]
use crate::{Input, Output};

/// A seed for a machine, from the system's randomness.
///
/// # Errors
/// When the system has none to give.
pub fn seed() -> std::io::Result<[u8; 32]> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(std::io::Error::from)?;
    Ok(seed)
}

/// Sleeps until a machine's timeout; for ever when it has none.
pub async fn sleep_until(timeout: Option<Instant>) {
    match timeout {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}

fn now() -> Instant {
    Instant::now()
}
