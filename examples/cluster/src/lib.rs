//! Two PBXs with a trunk between them, a balancer in front, and phones that call across: all in one program.
#![warn(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice
)]

pub mod balancer;
pub mod phone;
