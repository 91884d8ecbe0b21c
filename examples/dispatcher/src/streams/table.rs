//! The connections by number, and by the address that they lead to.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

use sip_core::Limits;
use sip_core::framing::Stream;
use sip_transaction::Transport;

use super::link::Link;

#[derive(Debug)]
pub(super) struct Connection {
    pub(super) transport: Transport,
    pub(super) listener: u16,
    pub(super) remote: SocketAddr,
    pub(super) is_inbound: bool,
    pub(super) link: Link,
    pub(super) stream: Stream,
    pub(super) since: Instant,
    pub(super) heard: Instant,
    /// Whether it was open already.
    pub(super) was_ready: bool,
    pub(super) has_spoken: bool,
    pub(super) incomplete: Option<Instant>,
    /// Whether it is among those that are to be written.
    pub(super) is_dirty: bool,
    /// Since when it only waits for the other side to close.
    pub(super) closing: Option<Instant>,
}

impl Connection {
    /// One that began now, once it has its socket.
    pub(super) fn new(
        now: Instant,
        transport: Transport,
        listener: u16,
        remote: SocketAddr,
        is_inbound: bool,
        limits: Limits,
    ) -> impl FnOnce(Link) -> Self {
        move |link| Self {
            transport,
            listener,
            remote,
            is_inbound,
            was_ready: link.is_ready(),
            link,
            stream: Stream::new(limits),
            since: now,
            heard: now,
            // Whoever we open a connection to may listen first.
            has_spoken: !is_inbound,
            incomplete: None,
            is_dirty: false,
            closing: None,
        }
    }
}

/// Numbers are ours, one after the other: they spread by themselves.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Number(u64);

impl Hasher for Number {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.0 = self.0 << 8 | u64::from(*byte));
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}

#[derive(Debug, Default)]
pub(super) struct Table {
    pub(super) connections: HashMap<u64, Connection, BuildHasherDefault<Number>>,
    pub(super) by_remote: HashMap<(Transport, SocketAddr), u64>,
    of_one: HashMap<IpAddr, usize>,
    next: u64,
}

impl Table {
    /// The number that the next connection gets.
    pub(super) const fn next(&self) -> u64 {
        self.next + 1
    }

    pub(super) fn insert(&mut self, connection: Connection) -> u64 {
        self.next += 1;
        let key = (connection.transport, connection.remote);
        if connection.is_inbound {
            *self.of_one.entry(connection.remote.ip()).or_default() += 1;
        }
        self.by_remote.insert(key, self.next);
        self.connections.insert(self.next, connection);
        self.next
    }

    pub(super) fn remove(&mut self, number: u64) -> Option<Connection> {
        let connection = self.connections.remove(&number)?;
        self.forget(number, connection.transport, connection.remote);
        let ip = connection.remote.ip();
        if connection.is_inbound
            && let Some(count) = self.of_one.get_mut(&ip)
        {
            *count -= 1;
            if *count == 0 {
                self.of_one.remove(&ip);
            }
        }
        Some(connection)
    }

    /// A connection is found by its address no longer.
    pub(super) fn forget(&mut self, number: u64, transport: Transport, remote: SocketAddr) {
        if self.by_remote.get(&(transport, remote)) == Some(&number) {
            self.by_remote.remove(&(transport, remote));
        }
    }

    /// How many connections came from an address.
    pub(super) fn of_one(&self, ip: IpAddr) -> usize {
        self.of_one.get(&ip).copied().unwrap_or(0)
    }

    /// The connection to an address.
    pub(super) fn to(&self, transport: Transport, remote: SocketAddr) -> Option<u64> {
        self.by_remote.get(&(transport, remote)).copied()
    }

    /// One that messages can be sent down.
    pub(super) fn serves(&self, number: u64) -> bool {
        self.connections.get(&number).is_some_and(|connection| connection.closing.is_none())
    }
}
