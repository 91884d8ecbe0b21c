//! The connections: found by id, and by the address that they lead to (RFC 3261 §18, RFC 5923).

use std::collections::{BTreeSet, HashMap};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use sip_core::Limits;
use sip_core::framing::Stream;

use super::{ConnectionId, ListenerId, Source, Transport};
use crate::arena::{Arena, Slot};
use crate::config::Config;
use crate::transaction::key::Secret;
use crate::wheel::Handle;

/// How far a connection is.
#[derive(Debug)]
pub(crate) enum Phase {
    /// It is being opened; this waits for it.
    Opening { waiting: Vec<Bytes>, bytes: usize },
    /// It is open.
    Open,
}

/// One connection.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) transport: Transport,
    pub(crate) listener: ListenerId,
    pub(crate) local: SocketAddr,
    pub(crate) remote: SocketAddr,
    pub(crate) phase: Phase,
    /// Whether the other side opened it.
    pub(crate) is_inbound: bool,
    /// The name that the other side had to prove, where we opened it.
    pub(crate) name: Option<Arc<str>>,
    /// The names that the other side proved with its certificate, where it opened it.
    pub(crate) proven: Vec<Arc<str>>,
    /// `None` while its frames are being handled.
    pub(crate) stream: Option<Stream>,
    pub(crate) since: Instant,
    pub(crate) heard: Instant,
    /// Whether a message has come.
    pub(crate) has_spoken: bool,
    /// Since when a message is incomplete.
    pub(crate) incomplete_since: Option<Instant>,
    pub(crate) timer: Option<(Instant, Handle)>,
    /// Client transactions that wait for an answer down this connection.
    pub(crate) clients: BTreeSet<Slot>,
}

impl Connection {
    /// When the connection is to be closed if nothing happens.
    pub(crate) fn deadline(&self, config: &Config) -> Instant {
        if matches!(self.phase, Phase::Opening { .. }) {
            return self.since + config.connect_within;
        }
        let mut deadline = self.heard + config.idle;
        if self.is_inbound && !self.has_spoken {
            deadline = deadline.min(self.since + config.first_message_within);
        }
        if let Some(since) = self.incomplete_since {
            deadline = deadline.min(since + config.whole_message_within);
        }
        deadline
    }

    /// The source of messages that come down it.
    pub(crate) const fn source(&self, id: ConnectionId) -> Source {
        Source {
            transport: self.transport,
            listener: self.listener,
            remote: self.remote,
            local: self.local,
            connection: Some(id),
            received: None,
        }
    }
}

/// What a new connection is.
#[derive(Debug, Clone)]
pub(crate) struct Opening {
    pub(crate) transport: Transport,
    pub(crate) listener: ListenerId,
    pub(crate) local: SocketAddr,
    pub(crate) remote: SocketAddr,
    pub(crate) is_inbound: bool,
    pub(crate) name: Option<Arc<str>>,
}

/// What a connection is found by: those to one address under two names are two.
type Place = (Transport, SocketAddr, Option<Arc<str>>);

/// All connections.
#[derive(Debug)]
pub(crate) struct Connections {
    arena: Arena<Connection>,
    by_remote: HashMap<Place, Slot, Secret>,
    /// How many connections each address has opened to us.
    inbound: HashMap<IpAddr, usize, Secret>,
}

impl Connections {
    pub(crate) fn new(secret: Secret) -> Self {
        Self { arena: Arena::new(), by_remote: HashMap::with_hasher(secret), inbound: HashMap::with_hasher(secret) }
    }

    /// Adds a connection. The newest one to an address is the one that is found by it, but what others opened to us
    /// does not take the place of what we opened ourselves.
    pub(crate) fn insert(&mut self, now: Instant, opening: Opening, limits: Limits) -> Option<ConnectionId> {
        let Opening { transport, listener, local, remote, is_inbound, name } = opening;
        let phase = if is_inbound { Phase::Open } else { Phase::Opening { waiting: Vec::new(), bytes: 0 } };
        let slot = self.arena.insert(Connection {
            transport,
            listener,
            local,
            remote,
            phase,
            is_inbound,
            name: name.clone(),
            proven: Vec::new(),
            stream: Some(Stream::new(limits)),
            since: now,
            heard: now,
            has_spoken: false,
            incomplete_since: None,
            timer: None,
            clients: BTreeSet::new(),
        })?;
        let is_ours = |slot: &Slot| self.arena.get(*slot).is_some_and(|connection| !connection.is_inbound);
        let place = (transport, remote, None);
        if !is_inbound || !self.by_remote.get(&place).is_some_and(is_ours) {
            self.by_remote.insert(place, slot);
        }
        if name.is_some() {
            self.by_remote.insert((transport, remote, name), slot);
        }
        if is_inbound {
            *self.inbound.entry(remote.ip()).or_default() += 1;
        }
        Some(ConnectionId(slot))
    }

    /// Takes a connection out.
    pub(crate) fn remove(&mut self, id: ConnectionId) -> Option<Connection> {
        let connection = self.arena.remove(id.0)?;
        for name in [None, connection.name.clone()] {
            let place = (connection.transport, connection.remote, name);
            if self.by_remote.get(&place) == Some(&id.0) {
                self.by_remote.remove(&place);
            }
        }
        if connection.is_inbound {
            let address = connection.remote.ip();
            if let Some(count) = self.inbound.get_mut(&address) {
                *count -= 1;
                if *count == 0 {
                    self.inbound.remove(&address);
                }
            }
        }
        Some(connection)
    }

    pub(crate) fn get(&self, id: ConnectionId) -> Option<&Connection> {
        self.arena.get(id.0)
    }

    pub(crate) fn get_mut(&mut self, id: ConnectionId) -> Option<&mut Connection> {
        self.arena.get_mut(id.0)
    }

    /// A connection that leads to an address, whoever opened it; with a name, one on which that name was proven to us.
    pub(crate) fn find(
        &self,
        transport: Transport,
        remote: SocketAddr,
        name: Option<&Arc<str>>,
    ) -> Option<ConnectionId> {
        self.by_remote.get(&(transport, remote, name.cloned())).copied().map(ConnectionId)
    }

    /// How many connections an address has opened to us.
    pub(crate) fn inbound_from(&self, address: IpAddr) -> usize {
        self.inbound.get(&address).copied().unwrap_or(0)
    }

    pub(crate) fn len(&self) -> usize {
        self.arena.len()
    }
}
