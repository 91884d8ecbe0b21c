//! Connections by which phones registered are kept open: a double CRLF down each (RFC 5626 §3.5.1, the other way round),
//! before a balancer in between cuts them.

use std::{
    collections::{BTreeSet, HashMap},
    time::{Duration, Instant},
};

use sip_transaction::{ConnectionId, Source};

use super::Switch;

/// How long nothing may go down a connection. HAProxy's usual limit is 50 s.
pub(crate) const EVERY: Duration = Duration::from_secs(25);

/// The connections.
#[derive(Debug, Default)]
pub(super) struct KeepAlive {
    order: BTreeSet<(Instant, ConnectionId)>,
    times: HashMap<ConnectionId, Instant>,
}

impl KeepAlive {
    fn set(&mut self, connection: ConnectionId, at: Instant) {
        self.forget(connection);
        self.order.insert((at, connection));
        self.times.insert(connection, at);
    }

    pub(super) fn forget(&mut self, connection: ConnectionId) {
        if let Some(at) = self.times.remove(&connection) {
            self.order.remove(&(at, connection));
        }
    }

    pub(super) fn next(&self) -> Option<Instant> {
        self.order.first().map(|(at, _)| *at)
    }

    pub(super) fn len(&self) -> usize {
        self.order.len()
    }
}

impl Switch {
    /// A phone registered; the connection that it came by is kept open.
    pub(super) fn keep_alive(&mut self, now: Instant, source: &Source) {
        if let (Some(connection), Some(at)) = (source.connection, now.checked_add(EVERY)) {
            self.keep_alives.set(connection, at);
        }
    }

    pub(super) fn on_keep_alive_timeout(&mut self, now: Instant) {
        while let Some(&(at, connection)) = self.keep_alives.order.first()
            && at <= now
        {
            self.keep_alives.forget(connection);
            // Phones that have gone elsewhere leave their connection to end by itself.
            if self.registrar.location().has_connection(connection)
                && self.agent.keep_alive(now, connection)
                && let Some(next) = now.checked_add(EVERY)
            {
                self.keep_alives.set(connection, next);
            }
        }
    }
}
