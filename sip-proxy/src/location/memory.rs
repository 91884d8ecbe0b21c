//! A location store in memory: bounded, ordered by expiry, and indexed by connection.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Instant;

use bytes::Bytes;
use sip_transaction::ConnectionId;

use super::{Binding, Reachability};

/// Bounds on a [`Memory`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Addresses of record.
    pub addresses: usize,
    /// Bindings of one address of record.
    pub bindings_per_address: usize,
    /// Changes that wait for [`Memory::poll_output`]. Past it the oldest are dropped and counted.
    pub outputs: usize,
}

impl Default for Config {
    /// 100,000 addresses of record with 10 bindings each, 4,096 changes.
    fn default() -> Self {
        Self { addresses: 100_000, bindings_per_address: 10, outputs: 4_096 }
    }
}

/// A bound of one address of record, instead of [`Config::bindings_per_address`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Limit {
    /// Bindings that it has at most.
    pub bindings: usize,
    /// One too many takes the place of the one that was refreshed longest ago, also of one that can be reached.
    pub displace: bool,
}

/// A change of what is known, for logs, pages and presence.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// The address of record.
    pub address: Bytes,
    /// The contact's URI as it was registered.
    pub contact: Bytes,
    /// What happened to it.
    pub kind: ChangeKind,
}

/// What happened to a binding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ChangeKind {
    /// It is new.
    Added,
    /// It was registered again.
    Refreshed,
    /// It was removed by a request.
    Removed,
    /// Its time is over.
    Expired,
    /// Its connection was closed.
    ConnectionClosed,
}

/// Why bindings cannot be stored. Nothing was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// There are as many addresses of record as are allowed.
    #[error("too many addresses of record")]
    Addresses,
    /// The address of record has as many bindings as are allowed.
    #[error("too many bindings of an address of record")]
    Bindings,
}

/// Sizes and counters at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Snapshot {
    /// Addresses of record with bindings.
    pub addresses: usize,
    /// All bindings.
    pub bindings: usize,
    /// Those of them whose connection was closed.
    pub unreachable: usize,
    /// Connections that bindings depend on.
    pub connections: usize,
    /// Changes that nobody took in time.
    pub dropped_changes: u64,
}

/// The store. It has the shape of a machine: `handle_*` for what happened, `poll_*` for what follows.
#[derive(Debug)]
pub struct Memory {
    config: Config,
    /// Never an empty list.
    addresses: BTreeMap<Bytes, Vec<Binding>>,
    /// Those that have bounds of their own.
    limits: BTreeMap<Bytes, Limit>,
    /// The next expiry of each address of record.
    expiries: BTreeSet<(Instant, Bytes)>,
    /// The addresses of record that have a binding down a connection.
    connections: BTreeMap<ConnectionId, BTreeSet<Bytes>>,
    bindings: usize,
    unreachable: usize,
    outputs: VecDeque<Change>,
    dropped_changes: u64,
}

impl Memory {
    /// An empty store.
    #[must_use]
    pub const fn new(config: Config) -> Self {
        Self {
            config,
            addresses: BTreeMap::new(),
            limits: BTreeMap::new(),
            expiries: BTreeSet::new(),
            connections: BTreeMap::new(),
            bindings: 0,
            unreachable: 0,
            outputs: VecDeque::new(),
            dropped_changes: 0,
        }
    }

    /// Gives an address of record a bound of its own.
    pub fn set_limit(&mut self, address: Bytes, limit: Limit) {
        self.limits.insert(address, limit);
    }

    /// The bound of an address of record.
    #[must_use]
    pub fn limit(&self, address: &[u8]) -> Limit {
        let common = Limit { bindings: self.config.bindings_per_address, displace: false };
        self.limits.get(address).copied().unwrap_or(common)
    }

    /// Replaces all bindings of an address of record at once; with none it is removed.
    ///
    /// When there are too many, bindings whose connection was closed make room, the oldest first: some phones register a
    /// new contact with each connection. Then others do when [`Limit::displace`] says so.
    ///
    /// # Errors
    /// When there would still be too many. Then nothing changes.
    pub fn replace(&mut self, address: &Bytes, mut bindings: Vec<Binding>) -> Result<(), StoreError> {
        let limit = self.limit(address);
        while bindings.len() > limit.bindings {
            let oldest = |may_go: fn(&Binding) -> bool| {
                let candidates = bindings.iter().enumerate().filter(|(_, binding)| may_go(binding));
                candidates.min_by_key(|(_, binding)| binding.refreshed_at).map(|(index, _)| index)
            };
            let gone = oldest(|binding| binding.reachability != Reachability::Reachable);
            let gone = gone.or_else(|| oldest(|_| true).filter(|_| limit.displace));
            bindings.remove(gone.ok_or(StoreError::Bindings)?);
        }
        let is_new = !bindings.is_empty() && !self.addresses.contains_key(address);
        if is_new && self.addresses.len() >= self.config.addresses {
            return Err(StoreError::Addresses);
        }
        let before = self.take(address);
        for old in &before {
            if !bindings.iter().any(|new| is_same(new, old)) {
                self.report(address, old, ChangeKind::Removed);
            }
        }
        for new in &bindings {
            match before.iter().find(|old| is_same(new, old)) {
                None => self.report(address, new, ChangeKind::Added),
                Some(old) if old.refreshed_at != new.refreshed_at || old.cseq != new.cseq => {
                    self.report(address, new, ChangeKind::Refreshed);
                }
                Some(_) => {}
            }
        }
        self.put(address, bindings);
        Ok(())
    }

    /// Whether bindings that can be reached depend on a connection.
    #[must_use]
    pub fn has_connection(&self, connection: ConnectionId) -> bool {
        self.connections.contains_key(&connection)
    }

    /// Notes that a connection was closed: bindings that depend on it cannot be reached until they are registered again.
    pub fn handle_connection_closed(&mut self, connection: ConnectionId) {
        for address in self.connections.remove(&connection).unwrap_or_default() {
            let mut bindings = self.take(&address);
            for binding in &mut bindings {
                if binding.source.connection == Some(connection) && binding.reachability == Reachability::Reachable {
                    binding.reachability = Reachability::ConnectionClosed;
                    self.report(&address, binding, ChangeKind::ConnectionClosed);
                }
            }
            self.put(&address, bindings);
        }
    }

    /// Removes bindings whose time is over.
    pub fn handle_timeout(&mut self, now: Instant) {
        while let Some((at, address)) = self.expiries.first().cloned() {
            if at > now {
                break;
            }
            let (kept, ended): (Vec<_>, Vec<_>) =
                self.take(&address).into_iter().partition(|binding| binding.expires_at > now);
            for binding in &ended {
                self.report(&address, binding, ChangeKind::Expired);
            }
            self.put(&address, kept);
        }
    }

    /// The next change, oldest first.
    #[must_use]
    pub fn poll_output(&mut self) -> Option<Change> {
        self.outputs.pop_front()
    }

    /// When the next binding ends.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.expiries.first().map(|(at, _)| *at)
    }

    /// The bindings of an address of record that have not ended, reachable or not, in the order in which they came.
    pub fn bindings(&self, now: Instant, address: &[u8]) -> impl Iterator<Item = &Binding> {
        let bindings = self.addresses.get(address).map(Vec::as_slice).unwrap_or_default();
        bindings.iter().filter(move |binding| binding.expires_at > now)
    }

    /// The bindings to try for a request, the preferred ones first, and of equally preferred ones the latest
    /// (RFC 3261 §16.6).
    #[must_use]
    pub fn targets(&self, now: Instant, address: &[u8]) -> Vec<&Binding> {
        let mut targets: Vec<&Binding> = self.bindings(now, address).filter(|binding| binding.is_usable(now)).collect();
        let preference = |binding: &Binding| binding.q.map_or(1_000, |q| q.thousandths());
        targets.sort_by_key(|binding| std::cmp::Reverse((preference(binding), binding.refreshed_at)));
        targets
    }

    /// All bindings that have not ended, in the order of their addresses of record.
    pub fn iter(&self, now: Instant) -> impl Iterator<Item = (&Bytes, &Binding)> {
        self.addresses
            .iter()
            .flat_map(|(address, bindings)| bindings.iter().map(move |binding| (address, binding)))
            .filter(move |(_, binding)| binding.expires_at > now)
    }

    /// Sizes and counters now.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        Snapshot {
            addresses: self.addresses.len(),
            bindings: self.bindings,
            unreachable: self.unreachable,
            connections: self.connections.len(),
            dropped_changes: self.dropped_changes,
        }
    }

    /// Takes the bindings of an address of record out of all tables.
    fn take(&mut self, address: &Bytes) -> Vec<Binding> {
        let Some(bindings) = self.addresses.remove(address) else { return Vec::new() };
        if let Some(next) = next_expiry(&bindings) {
            self.expiries.remove(&(next, address.clone()));
        }
        for binding in &bindings {
            self.bindings -= 1;
            match connection(binding) {
                Some(connection) => {
                    if let Some(addresses) = self.connections.get_mut(&connection) {
                        addresses.remove(address);
                        if addresses.is_empty() {
                            self.connections.remove(&connection);
                        }
                    }
                }
                None => self.unreachable -= usize::from(binding.reachability != Reachability::Reachable),
            }
        }
        bindings
    }

    /// Puts the bindings of an address of record, which has none, into all tables.
    fn put(&mut self, address: &Bytes, bindings: Vec<Binding>) {
        let Some(next) = next_expiry(&bindings) else { return };
        self.expiries.insert((next, address.clone()));
        for binding in &bindings {
            self.bindings += 1;
            match connection(binding) {
                Some(connection) => {
                    self.connections.entry(connection).or_default().insert(address.clone());
                }
                None => self.unreachable += usize::from(binding.reachability != Reachability::Reachable),
            }
        }
        self.addresses.insert(address.clone(), bindings);
    }

    fn report(&mut self, address: &Bytes, binding: &Binding, kind: ChangeKind) {
        if self.outputs.len() >= self.config.outputs {
            self.outputs.pop_front();
            self.dropped_changes += 1;
        }
        if self.config.outputs > 0 {
            let contact = binding.contact.uri.to_string().into();
            self.outputs.push_back(Change { address: address.clone(), contact, kind });
        }
    }
}

fn next_expiry(bindings: &[Binding]) -> Option<Instant> {
    bindings.iter().map(|binding| binding.expires_at).min()
}

/// The connection that a binding depends on, while it exists.
fn connection(binding: &Binding) -> Option<ConnectionId> {
    binding.source.connection.filter(|_| binding.reachability == Reachability::Reachable)
}

/// Whether both are bindings to the same contact.
fn is_same(one: &Binding, other: &Binding) -> bool {
    one.contact.uri.equivalent(&other.contact.uri)
}
