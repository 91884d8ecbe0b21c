//! SIP conversations without I/O: transactions (RFC 3261 §17, RFC 6026), the transport layer (§18) and their driver.
#![warn(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice
)]

pub mod agent;
mod arena;
mod config;
pub mod dialog;
#[cfg(feature = "tokio")]
pub mod driver;
mod endpoint;
mod names;
mod recent;
pub mod resolve;
mod session;
mod stateless;
pub mod stun;
mod transaction;
mod transport;
mod wheel;

pub use config::{Config, Timers};
pub use endpoint::{
    CancelError, ClientId, CloseReason, Counters, Ended, Endpoint, Event, Failure, FlowFailure, Input, Output, Refused,
    RespondError, SendError, ServerId, Snapshot,
};
/// The messages that are sent and received here, so that one dependency is enough.
pub use sip_core;
pub use stateless::Stateless;
pub use transport::{ConnectionId, Destination, Flow, ListenerConfig, ListenerId, Source, Target, Transport};
