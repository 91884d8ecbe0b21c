//! What goes to the network: datagrams, and connections from their opening to their end.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;

use super::{CloseReason, Endpoint, Event, Output, Owner, Refused, SendError};
use crate::transport::connection::{Opening, Phase};
use crate::transport::via::{Path, Reply};
use crate::transport::{ConnectionId, ListenerId, Target, Transport};

impl Endpoint {
    /// Tells that a connection came in, and gives it a name. Bytes that come down it are [`Input::Received`].
    ///
    /// [`Input::Received`]: crate::Input::Received
    ///
    /// # Errors
    /// When a limit says no; the driver then closes the connection.
    pub fn accept(
        &mut self,
        now: Instant,
        listener: ListenerId,
        local: SocketAddr,
        remote: SocketAddr,
    ) -> Result<ConnectionId, Refused> {
        let now = self.clamp(now);
        let transport = self
            .listener(listener)
            .map(|config| config.transport)
            .filter(|transport| transport.is_reliable())
            .ok_or(Refused::Listener)?;
        let refused = if self.connections.len() >= self.config.connections {
            Some(Refused::Total)
        } else if !self.shared.contains(&remote.ip().to_canonical())
            && self.connections.inbound_from(remote.ip()) >= self.config.connections_per_address
        {
            Some(Refused::Address)
        } else {
            None
        };
        if let Some(refused) = refused {
            self.counters.connections_refused += 1;
            return Err(refused);
        }
        let opening = Opening { transport, listener, local, remote, is_inbound: true, name: None };
        let id = self.connections.insert(now, opening, self.config.limits).ok_or(Refused::Total)?;
        self.counters.connections_accepted += 1;
        self.watch(now, id);
        Ok(id)
    }

    /// Closes a connection, after what was written to it is sent.
    pub fn close(&mut self, now: Instant, connection: ConnectionId) {
        let now = self.clamp(now);
        self.close_because(now, connection, CloseReason::Local);
    }

    pub(super) fn on_connected(&mut self, now: Instant, id: ConnectionId, local: SocketAddr) {
        let Some(connection) = self.connections.get_mut(id) else { return };
        let Phase::Opening { waiting, .. } = std::mem::replace(&mut connection.phase, Phase::Open) else { return };
        connection.local = local;
        connection.heard = now;
        let source = connection.source(id);
        self.counters.connections_opened += 1;
        self.tell(Event::ConnectionOpened { source });
        for payload in waiting {
            self.queue.push_write(id, payload);
        }
        self.watch(now, id);
    }

    pub(super) fn on_authenticated(&mut self, id: ConnectionId, names: Vec<Arc<str>>) {
        let Some(connection) = self.connections.get_mut(id).filter(|connection| connection.is_inbound) else { return };
        connection.proven.clone_from(&names);
        let source = connection.source(id);
        self.tell(Event::ConnectionAuthenticated { source, names });
    }

    pub(super) fn on_closed(&mut self, now: Instant, id: ConnectionId, reason: CloseReason) {
        let Some(connection) = self.connections.remove(id) else { return };
        if let Some((_, handle)) = connection.timer {
            self.wheel.stop(handle);
        }
        match reason {
            CloseReason::SlowReader => self.counters.slow_readers += 1,
            CloseReason::Deadline => self.counters.deadlines += 1,
            _ => {}
        }
        if matches!(connection.phase, Phase::Opening { .. }) && connection.transport == Transport::Tcp {
            // Large requests need not try it again, nor the ACKs that waited here.
            let era = self.era(now);
            self.without_tcp.insert((connection.remote, era));
        }
        self.let_go(id);
        self.tell(Event::ConnectionClosed { connection: id, reason });
        for slot in connection.clients {
            self.on_client_unreachable(now, slot);
        }
    }

    pub(super) fn on_connection_timer(&mut self, now: Instant, id: ConnectionId) {
        let Some(connection) = self.connections.get_mut(id) else { return };
        connection.timer = None;
        if connection.deadline(&self.config) <= now {
            self.close_because(now, id, CloseReason::Deadline);
        } else {
            self.watch(now, id);
        }
    }

    /// Closes a connection from our side.
    pub(super) fn close_because(&mut self, now: Instant, id: ConnectionId, reason: CloseReason) {
        if self.connections.get(id).is_some() {
            self.queue.push(Output::Close { connection: id });
            self.on_closed(now, id, reason);
        }
    }

    /// Starts the timer of the connection's next deadline. One that is early is left: it looks again when it fires, so
    /// that traffic does not touch the wheel.
    pub(super) fn watch(&mut self, now: Instant, id: ConnectionId) {
        let Some(connection) = self.connections.get_mut(id) else { return };
        let deadline = connection.deadline(&self.config);
        match connection.timer {
            Some((at, _)) if at <= deadline => return,
            Some((_, handle)) => self.wheel.stop(handle),
            None => {}
        }
        let handle = self.wheel.start(now, deadline, Owner::Connection(id));
        if let Some(connection) = self.connections.get_mut(id) {
            connection.timer = Some((deadline, handle));
        }
    }

    /// The listener that a request leaves by, or whose address stands in its Via.
    pub(super) fn listener_for(&self, target: &Target) -> Option<ListenerId> {
        let fits_family = |local: SocketAddr| {
            // A dual-stack socket has an IPv6 address and reaches both.
            local.is_ipv6() == target.remote.is_ipv6() || (local.is_ipv6() && local.ip().is_unspecified())
        };
        let fits = |transport: Option<_>| {
            self.listeners
                .iter()
                .position(|listener| {
                    transport.is_none_or(|transport| listener.transport == transport) && fits_family(listener.local)
                })
                .and_then(|index| u16::try_from(index).ok())
                .map(ListenerId)
        };
        match target.listener {
            Some(id) => {
                let config = self.listener(id)?;
                // A stream may stand under the name of any listener; a datagram leaves by a socket of its own kind.
                (config.transport == target.transport || target.transport.is_reliable()).then_some(id)
            }
            None if target.transport.is_reliable() => fits(Some(target.transport)).or_else(|| fits(None)),
            None => fits(Some(target.transport)),
        }
    }

    /// A connection to a target: the one that it names, another one to the same address, or a new one.
    pub(super) fn connection_for(
        &mut self,
        now: Instant,
        target: &Target,
        name: Option<&Arc<str>>,
        listener: ListenerId,
    ) -> Result<(ConnectionId, ListenerId), SendError> {
        let named = target.connection.filter(|id| self.connections.get(*id).is_some());
        if named.is_none() && target.reuse_only {
            return Err(SendError::ConnectionClosed);
        }
        let remembered = match name {
            None if target.transport.is_secure() => self.names.get(target.transport, target.remote),
            _ => None,
        };
        let found = named.or_else(|| self.connections.find(target.transport, target.remote, name));
        if let Some(id) = found
            && let Some(connection) = self.connections.get(id)
        {
            return Ok((id, connection.listener));
        }
        if self.connections.len() >= self.config.connections {
            return Err(SendError::Limit);
        }
        let local = self.listener(listener).ok_or(SendError::NoListener)?.local;
        let transport = target.transport;
        let name = name.cloned().or(remembered);
        let opening =
            Opening { transport, listener, local, remote: target.remote, is_inbound: false, name: name.clone() };
        let id = self.connections.insert(now, opening, self.config.limits).ok_or(SendError::Limit)?;
        self.queue.push(Output::Connect { connection: id, transport, destination: target.remote, name: name.clone() });
        if let Some(name) = name.filter(|_| transport.is_secure()) {
            self.names.insert(transport, target.remote, name);
        }
        self.watch(now, id);
        Ok((id, listener))
    }

    /// Sends a message on its way. `false` when the connection is gone, or too much waits for it to open.
    pub(super) fn transmit(&mut self, path: Path, payload: Bytes) -> bool {
        match path {
            Path::Datagram { listener, destination } => {
                self.queue.push_datagram(listener, destination, payload);
            }
            Path::Connection(id) => {
                let Some(connection) = self.connections.get_mut(id) else { return false };
                match &mut connection.phase {
                    Phase::Open => self.queue.push_write(id, payload),
                    Phase::Opening { waiting, bytes } => {
                        if bytes.saturating_add(payload.len()) > self.config.connect_queue {
                            return false;
                        }
                        *bytes += payload.len();
                        waiting.push(payload);
                    }
                }
            }
        }
        self.counters.messages_sent += 1;
        true
    }

    /// Sends a response: down its connection, or down a new one when that is gone (RFC 3261 §18.2.2). Returns the path
    /// that it took.
    pub(super) fn send_reply(&mut self, now: Instant, reply: Reply, message: Bytes) -> Option<Path> {
        if let Path::Connection(id) = reply.path
            && self.connections.get(id).is_none()
        {
            let target = Target::new(reply.transport, reply.fallback);
            let (id, _) = self.connection_for(now, &target, None, reply.listener).ok()?;
            let path = Path::Connection(id);
            return self.transmit(path, message).then_some(path);
        }
        self.transmit(reply.path, message).then_some(reply.path)
    }
}
