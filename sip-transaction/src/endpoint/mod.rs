//! The endpoint: the transport layer and the transaction table as one machine.

mod answer;
mod attempt;
mod client;
mod error;
mod event;
mod inbound;
mod keep_alive;
mod queue;
mod server;
mod snapshot;
mod wire;

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

pub use error::{CancelError, Refused, RespondError, SendError};
pub use event::{ClientId, CloseReason, Ended, Event, Failure, FlowFailure, Input, Output, ServerId};
use rand_chacha::ChaCha12Rng;
use rand_core::{RngCore, SeedableRng};
pub use snapshot::{Counters, Snapshot};

use crate::arena::{Arena, Slot};
use crate::config::Config;
use crate::names::Names;
use crate::recent::Recent;
use crate::resolve::{LookupId, Resolver};
use crate::transaction::Timer;
use crate::transaction::key::{BuildAsIs, Key, Secret};
use crate::transport::connection::Connections;
use crate::transport::{ConnectionId, ListenerConfig, ListenerId, Source, Transport};
use crate::wheel::Wheel;
use attempt::Seeker;
use client::Client;
use keep_alive::{Budget, Keepers};
use queue::Queue;
use server::Server;

/// Whose timer it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Owner {
    Client(Slot, Timer),
    /// The wait for a word of a target, when there are others.
    Impatient(Slot),
    /// The wait for the final response to a cancelled INVITE.
    Cancelled(Slot),
    Server(Slot, Timer),
    Connection(ConnectionId),
    /// The next keep-alive of a flow, or the wait for the answer to the last.
    Keeper(Slot),
}

/// SIP transactions over datagrams and connections, without sockets or a clock (RFC 3261 §17 and §18).
///
/// After every call, drain [`poll_output`](Self::poll_output), then wait for news or
/// [`poll_timeout`](Self::poll_timeout):
///
/// ```
/// use std::time::Instant;
///
/// use bytes::Bytes;
/// use sip_core::{Response, StatusCode};
/// use sip_transaction::{Config, Endpoint, Event, Input, ListenerConfig, Output, Transport};
///
/// let mut endpoint = Endpoint::new(Config::default(), [7; 32]);
/// let listener = endpoint.add_listener(ListenerConfig::new(Transport::Udp, "192.0.2.1:5060".parse()?));
/// let now = Instant::now();
/// let payload = Bytes::from_static(
///     b"OPTIONS sip:192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.2;branch=z9hG4bK1\r\nMax-Forwards: 70\r\n\
///       From: <sip:a@192.0.2.2>;tag=1\r\nTo: <sip:192.0.2.1>\r\nCall-ID: 1\r\nCSeq: 1 OPTIONS\r\n\r\n",
/// );
/// endpoint.handle_input(now, Input::Datagram { listener, source: "192.0.2.2:5060".parse()?, payload, received: None });
/// let mut sent = Vec::new();
/// while let Some(output) = endpoint.poll_output() {
///     match output {
///         Output::Event(Event::Request { id, request, .. }) => {
///             let response = Response::to(&request, StatusCode::OK).to_tag(b"tag").build();
///             endpoint.respond(now, id, response)?;
///         }
///         Output::Datagram { payload, .. } => sent.push(payload),
///         _ => {}
///     }
/// }
/// assert!(sent[0].starts_with(b"SIP/2.0 200 OK\r\n"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Endpoint {
    config: Config,
    listeners: Vec<ListenerConfig>,
    random: ChaCha12Rng,
    secret: Secret,
    /// The latest time that was ever said: time does not run backwards.
    latest: Option<Instant>,
    wheel: Wheel<Owner>,
    clients: Arena<Client>,
    client_keys: HashMap<Key, Slot, BuildAsIs>,
    servers: Arena<Server>,
    server_keys: HashMap<Key, Slot, BuildAsIs>,
    connections: Connections,
    /// Addresses that are not strangers'.
    trusted: Recent<IpAddr, Secret>,
    /// Addresses that many peers share.
    shared: Vec<IpAddr>,
    /// Addresses that did not take TCP, each with the [era](Self::era) in which it did not.
    without_tcp: Recent<(SocketAddr, u64), Secret>,
    /// Targets that failed, each with the [era](Self::avoidance_era) in which it did.
    avoided: Recent<(Transport, SocketAddr, u64), Secret>,
    /// Flows that are kept alive.
    keepers: Keepers,
    /// How many binding requests were answered in this second.
    bindings: Budget,
    resolver: Resolver,
    /// Who waits for which lookup.
    seekers: HashMap<LookupId, Seeker, Secret>,
    /// Under which names addresses were reached over encrypted connections.
    names: Names,
    /// The first time that was ever said.
    origin: Option<Instant>,
    /// How many server transactions each address holds that nobody vouches for, and all of them together.
    strangers: HashMap<IpAddr, usize, Secret>,
    counted: usize,
    unanswered: usize,
    queue: Queue,
    counters: Counters,
}

impl Endpoint {
    /// An endpoint without listeners. Branches, tags and the keys of its tables come from the seed, which drivers take
    /// from the system's randomness.
    #[must_use]
    pub fn new(config: Config, seed: [u8; 32]) -> Self {
        let mut random = ChaCha12Rng::from_seed(seed);
        let secret = Secret::new(random.next_u64(), random.next_u64());
        let mut resolver_seed = [0; 32];
        random.fill_bytes(&mut resolver_seed);
        Self {
            config,
            listeners: Vec::new(),
            random,
            secret,
            latest: None,
            origin: None,
            wheel: Wheel::new(),
            clients: Arena::new(),
            client_keys: HashMap::default(),
            servers: Arena::new(),
            server_keys: HashMap::default(),
            connections: Connections::new(secret),
            trusted: Recent::new(config.trusted_addresses, secret),
            shared: Vec::new(),
            without_tcp: Recent::new(1_024, secret),
            avoided: Recent::new(1_024, secret),
            keepers: Keepers::new(secret),
            bindings: Budget::default(),
            resolver: Resolver::new(config.resolve, resolver_seed),
            seekers: HashMap::with_hasher(secret),
            names: Names::new(config.connections, secret),
            strangers: HashMap::with_hasher(secret),
            counted: 0,
            unanswered: 0,
            queue: Queue::default(),
            counters: Counters::default(),
        }
    }

    /// Tells of a listening socket. There may be 65,535; what comes after is not remembered.
    pub fn add_listener(&mut self, listener: ListenerConfig) -> ListenerId {
        let id = u16::try_from(self.listeners.len()).unwrap_or(u16::MAX);
        if id < u16::MAX {
            self.listeners.push(listener);
        }
        ListenerId(id)
    }

    /// Says that an address is not a stranger's: it authenticated itself, or the user knows it. Strangers hold fewer
    /// transactions, are shed in silence, and get no retransmissions and no more than three bytes for each of theirs
    /// until the user takes their request up with a provisional response or a 2xx.
    ///
    /// The table of such addresses is bounded; those that nothing was heard of for longest are forgotten first.
    pub fn trust(&mut self, address: IpAddr) {
        self.trusted.insert(address);
    }

    /// Says that many peers come from an address, as from a balancer: the limit of connections by address does not count
    /// there.
    pub fn share(&mut self, address: IpAddr) {
        self.shared.push(address.to_canonical());
    }

    /// Takes back [`trust`](Self::trust).
    pub fn distrust(&mut self, address: IpAddr) {
        self.trusted.remove(&address);
    }

    /// What happened outside.
    pub fn handle_input(&mut self, now: Instant, input: Input) {
        let now = self.clamp(now);
        match input {
            Input::Datagram { listener, source, payload, received } => {
                self.on_datagram(now, listener, source, payload, received);
            }
            Input::Connected { connection, local } => self.on_connected(now, connection, local),
            Input::Authenticated { connection, names } => self.on_authenticated(connection, names),
            Input::Received { connection, payload } => self.on_received(now, connection, payload),
            Input::Closed { connection, reason } => self.on_closed(now, connection, reason),
            Input::Answer { query, answer } => {
                self.resolver.handle_answer(now, query, answer);
                self.pump_resolver(now);
            }
        }
    }

    /// Time passed. Early or twice is harmless.
    pub fn handle_timeout(&mut self, now: Instant) {
        let now = self.clamp(now);
        while let Some(owner) = self.wheel.expire(now) {
            match owner {
                Owner::Client(slot, timer) => self.on_client_timer(now, slot, timer),
                Owner::Impatient(slot) => self.on_impatience(now, slot),
                Owner::Cancelled(slot) => self.on_cancel_timer(slot),
                Owner::Server(slot, timer) => self.on_server_timer(now, slot, timer),
                Owner::Connection(id) => self.on_connection_timer(now, id),
                Owner::Keeper(slot) => self.on_keeper_timer(now, slot),
            }
        }
        self.resolver.handle_timeout(now);
        self.pump_resolver(now);
    }

    /// What to do next; call until `None` after every other call.
    #[must_use]
    pub fn poll_output(&mut self) -> Option<Output> {
        self.queue.pop()
    }

    /// When to call [`handle_timeout`](Self::handle_timeout).
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.wheel.next().into_iter().chain(self.resolver.poll_timeout()).min()
    }

    /// What was said of a listener.
    #[must_use]
    pub fn listener(&self, id: ListenerId) -> Option<&ListenerConfig> {
        self.listeners.get(usize::from(id.0))
    }

    /// The source that messages of a connection have; `None` when it is closed.
    #[must_use]
    pub fn connection(&self, id: ConnectionId) -> Option<Source> {
        self.connections.get(id).map(|connection| connection.source(id))
    }

    /// The SIP domains that the other side of a connection has proven to be: for those that came in what its certificate
    /// says, for those that we opened the name that was asked for (RFC 5922).
    #[must_use]
    pub fn proven_names(&self, id: ConnectionId) -> &[Arc<str>] {
        match self.connections.get(id) {
            Some(connection) if connection.is_inbound => &connection.proven,
            Some(connection) if connection.transport.is_secure() => connection.name.as_slice(),
            _ => &[],
        }
    }

    /// Table sizes and counters.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        Snapshot {
            client_transactions: self.clients.len(),
            server_transactions: self.servers.len(),
            unanswered: self.unanswered,
            connections: self.connections.len(),
            lookups: self.resolver.sizes().0,
            answers: self.resolver.sizes().2,
            timers: self.wheel.len(),
            kept_flows: self.keepers.len(),
            strangers: self.strangers.len(),
            outputs: self.queue.len(),
            counters: self.counters,
        }
    }

    /// Times and limits, as given.
    #[must_use]
    pub const fn config(&self) -> &Config {
        &self.config
    }

    fn clamp(&mut self, now: Instant) -> Instant {
        self.origin.get_or_insert(now);
        let latest = self.latest.map_or(now, |latest| latest.max(now));
        self.latest = Some(latest);
        latest
    }

    /// The number of the ten minutes that it is in: what an address did not take is tried again in the next.
    fn era(&self, now: Instant) -> u64 {
        self.origin.map_or(0, |origin| now.saturating_duration_since(origin).as_secs() / 600)
    }

    #[inline(always)]
    fn tell(&mut self, event: Event) {
        self.queue.push(Output::Event(event));
    }
}
