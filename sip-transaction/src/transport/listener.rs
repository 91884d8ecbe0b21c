//! The sockets that a machine is told of, and the address that they are known by.

use std::net::SocketAddr;

use sip_core::uri::HostPort;

use super::Transport;

/// A listening socket of an [`Endpoint`](crate::Endpoint): numbered in the order of
/// [`add_listener`](crate::Endpoint::add_listener), from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ListenerId(pub(crate) u16);

impl ListenerId {
    /// The number of the listener.
    #[must_use]
    pub const fn as_u16(self) -> u16 {
        self.0
    }
}

/// A listening socket, and the address that others reach it by.
#[derive(Debug, Clone, PartialEq)]
pub struct ListenerConfig {
    /// How messages travel through it.
    pub transport: Transport,
    /// The address that it is bound to.
    pub local: SocketAddr,
    /// What stands for us in Via and Contact.
    pub advertised: HostPort,
}

impl ListenerConfig {
    /// A listener that is known by the address that it is bound to.
    #[must_use]
    pub fn new(transport: Transport, local: SocketAddr) -> Self {
        Self { transport, local, advertised: HostPort::from(local) }
    }
}
