#![doc = include_str!("../README.md")]
#![warn(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice
)]

mod error;
pub mod extension;
pub mod g711;
mod header;
mod packet;
pub mod ports;
pub mod tone;

pub use error::{ErrorKind, ParseError, Part};
pub use header::{Csrcs, Extension, Header};
pub use packet::Packet;
