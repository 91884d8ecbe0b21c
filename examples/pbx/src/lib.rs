//! A PBX on the Tandem crates: phones register, call each other, and hear themselves at 600.
//!
//! The switch is sans-IO; the sockets, the clock and the runtime are at the edges.
#![warn(missing_docs)]

pub mod cdr;
pub mod config;
