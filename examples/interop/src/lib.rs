//! What the tests against real programs share: the PBX as a process, phones, call generators, captures, and ears.
//!
//! A program that is not installed fails the test that needs it; nothing is skipped. Everything is awaited with a deadline;
//! nothing sleeps in the hope that it was long enough.

pub mod audio;
pub mod authority;
pub mod baresip;
pub mod browser;
pub mod capture;
pub mod cluster;
pub mod couple;
pub mod dispatcher;
pub mod folder;
pub mod http;
pub mod kamailio;
pub mod linphone;
pub mod media;
pub mod ours;
pub mod pbx;
pub mod phone;
pub mod ports;
pub mod process;
pub mod records;
pub mod sipp;
pub mod thesis;
pub mod view;
pub mod wait;
pub mod wire;
