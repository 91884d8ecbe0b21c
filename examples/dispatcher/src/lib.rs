//! A SIP load balancer: `sip_proxy::dispatcher` and `sip_proxy::stateless` with sockets, HTTP and a page.
//!
//! A thread for each shard reads UDP in batches; one more has the connections. They share nothing: what one begins, the others learn.
#![warn(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice
)]
#![expect(clippy::disallowed_methods, reason = "a program owns the clock")]

pub mod cli;
pub mod config;
pub mod control;
pub mod demo;
pub mod http;
pub mod l4;
pub mod meters;
mod persist;
pub mod server;
mod shard;
mod sharing;
mod socket;
mod srv;
mod streams;
mod worker;

pub use config::Config;
pub use server::Server;
