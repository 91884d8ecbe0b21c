#![doc = include_str!("../README.md")]
#![warn(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice
)]

pub mod dtmf;
mod error;
pub mod extension;
pub mod g711;
mod header;
mod packet;
pub mod ports;
pub mod relay;
pub mod rtcp;
pub mod score;
pub mod statistics;
pub mod tone;

pub use error::{ErrorKind, ParseError, Part};
pub use header::{Csrcs, Extension, Header};
pub use packet::Packet;
