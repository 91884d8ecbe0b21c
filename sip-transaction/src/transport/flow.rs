//! Where a message came from, and where one goes.

use std::net::SocketAddr;
use std::time::Instant;

use super::{ListenerId, Transport};
use crate::arena::Slot;

/// A connection of an [`Endpoint`](crate::Endpoint).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConnectionId(pub(crate) Slot);

impl ConnectionId {
    /// The id as one number, for logs and for tables of a driver.
    #[must_use]
    pub const fn as_u64(self) -> u64 {
        self.0.as_u64()
    }

    /// The id of a number, for machines of one's own that drive the [`driver`](crate)'s sockets and number their
    /// connections themselves. It means nothing to an [`Endpoint`](crate::Endpoint) that did not give it.
    #[must_use]
    pub const fn from_u64(number: u64) -> Self {
        Self(Slot::from_u64(number))
    }
}

/// Where a message came from: enough to send something back down the same flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Source {
    /// How it came.
    pub transport: Transport,
    /// The listener that it came by, or whose address stands for us on a connection that we opened.
    pub listener: ListenerId,
    /// The other side's address, as the network shows it.
    pub remote: SocketAddr,
    /// Our address, as the network shows it to us.
    pub local: SocketAddr,
    /// The connection, unless it was a datagram.
    pub connection: Option<ConnectionId>,
    /// When the system had the datagram, if the driver knows: what has passed since, it waited for us. It is no part of
    /// the flow.
    pub received: Option<Instant>,
}

/// A way between us and one other, which whatever stands in between keeps open while it is used (RFC 5626 §3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Flow {
    /// A connection.
    Connection(ConnectionId),
    /// Datagrams between a listener and an address.
    Datagram {
        /// The listener.
        listener: ListenerId,
        /// The other side's address.
        remote: SocketAddr,
    },
}

impl From<ConnectionId> for Flow {
    fn from(connection: ConnectionId) -> Self {
        Self::Connection(connection)
    }
}

impl From<&Source> for Flow {
    /// The one that a message came by.
    fn from(source: &Source) -> Self {
        match source.connection {
            Some(connection) => Self::Connection(connection),
            None => Self::Datagram { listener: source.listener, remote: source.remote },
        }
    }
}

/// Where a request goes: an address that is already resolved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Target {
    /// How it travels.
    pub transport: Transport,
    /// The address of the next hop.
    pub remote: SocketAddr,
    /// The listener to send from; the first one of that transport (and address family) when `None`.
    pub listener: Option<ListenerId>,
    /// The connection to send down. When it is gone, another one to `remote` is used or opened, unless `reuse_only`.
    pub connection: Option<ConnectionId>,
    /// Send down `connection` or not at all: a phone behind NAT is reached only down the connection that it opened.
    pub reuse_only: bool,
}

impl Target {
    /// An address, reached over a transport from whichever listener fits.
    #[must_use]
    pub const fn new(transport: Transport, remote: SocketAddr) -> Self {
        Self { transport, remote, listener: None, connection: None, reuse_only: false }
    }

    /// An address, reached by datagrams.
    #[must_use]
    pub const fn udp(remote: SocketAddr) -> Self {
        Self::new(Transport::Udp, remote)
    }

    /// An address, reached over a TCP connection.
    #[must_use]
    pub const fn tcp(remote: SocketAddr) -> Self {
        Self::new(Transport::Tcp, remote)
    }

    /// The same, from a certain listener.
    #[must_use]
    pub const fn from_listener(mut self, listener: ListenerId) -> Self {
        self.listener = Some(listener);
        self
    }
}

impl From<&Source> for Target {
    /// Back down the flow that a message came by (RFC 5626 §5.3).
    fn from(source: &Source) -> Self {
        Self {
            transport: source.transport,
            remote: source.remote,
            listener: Some(source.listener),
            connection: source.connection,
            reuse_only: source.connection.is_some(),
        }
    }
}
