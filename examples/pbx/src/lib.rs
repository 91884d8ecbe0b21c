//! A PBX on the Tandem crates: phones register, call each other, and hear themselves at 600.
//!
//! The switch is sans-IO; the sockets, the clock and the runtime are at the edges.
#![warn(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice
)]

pub mod application;
pub mod asterisk;
pub mod cdr;
pub mod cli;
pub mod config;
pub mod console;
pub mod control;
pub mod dialplan;
pub mod greeting;
pub mod http;
pub mod limits;
pub mod log;
pub mod media;
pub mod recorder;
mod refusals;
pub mod server;
pub mod status;
pub mod switch;
mod trunk_sockets;
