//! Stands for what sip-core is about to bring, so that others can compile against this crate.

use std::net::SocketAddr;

/// To become `sip_core::message::Mandatory`.
#[derive(Debug, Clone)]
pub struct Mandatory {}

/// To become `sip_core::uri::HostPort`.
#[derive(Debug, Clone, PartialEq)]
pub struct HostPort(SocketAddr);

impl From<SocketAddr> for HostPort {
    fn from(address: SocketAddr) -> Self {
        Self(address)
    }
}
