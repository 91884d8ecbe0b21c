//! Two PBXs with a trunk between them, a balancer in front, and phones that call across: all in one program.
#![warn(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice
)]

pub mod cli;
pub mod cluster;
pub mod control;
pub mod demo;
pub mod files;
pub mod greeting;
pub mod haproxy;
pub mod http;
pub mod journal;
pub mod node;
pub mod phone;
pub mod picture;
pub mod place;
pub mod rate;
pub mod records;
pub mod setup;
