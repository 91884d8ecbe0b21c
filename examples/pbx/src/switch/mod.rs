//! The switch: who may register and call, whom a number means, and what becomes of each call. Sans-IO.
//!
//! It joins the agent (calls), the authenticator and the registrar (who is who, and where) and the B2BUA (two phones, one
//! call). A driver owns sockets and clock, hands it inputs, and carries out its outputs; [`Event`]s among these are the
//! duties of this program alone: media, records.

mod answer;
mod bridge;
mod call;
mod description;
mod drain;
mod gate;
mod incoming;
mod outside;
mod picture;
mod register;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, VecDeque},
    net::{IpAddr, SocketAddr},
    time::{Duration, Instant, SystemTime},
};

use rtp::ports::{Allocator, Pair};
use sip_core::{StatusCode, header::HeaderName};
use sip_proxy::{
    b2bua::{self, B2bua},
    registrar::Registrar,
};
use sip_transaction::{
    ConnectionId, Input, ListenerConfig, ListenerId, Refused,
    agent::{self, Agent, SessionId},
};

use crate::{
    cdr::Record,
    config::{Application, Config},
    media,
};
use call::Call;
use drain::Drain;
use gate::Gate;

/// What a driver must do for the switch.
pub type Output = sip_transaction::Output<Event>;

/// What only this program can do.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// Bind the sockets of a call, then say [`Switch::media_ready`] or [`Switch::media_failed`].
    Open {
        /// The call.
        call: u64,
        /// What is done with its media.
        plan: media::Plan,
        /// The ports: the caller's, then the callee's when two phones talk.
        pairs: Vec<Pair>,
    },
    /// Tell a call's media something.
    Order {
        /// The call.
        call: u64,
        /// What.
        order: media::Order,
    },
    /// End a call's media.
    Close {
        /// The call.
        call: u64,
    },
    /// Write a record.
    Record(Box<Record>),
    /// The picture changed in a way that people wait for.
    Changed,
    /// Draining is done: the program may end.
    Drained,
}

/// How long a pair of ports rests before another call has it.
const REST: Duration = Duration::from_secs(5);

/// The switch.
#[derive(Debug)]
pub struct Switch {
    config: Config,
    agent: Agent,
    b2bua: B2bua,
    gate: Gate,
    registrar: Registrar,
    ports: Allocator,
    media_address: IpAddr,
    now: Option<Instant>,
    /// A reading of both clocks at one moment.
    clock: (Instant, SystemTime),
    started: SystemTime,
    calls: BTreeMap<u64, Call>,
    /// Calls of the switch itself (echo, tone) and those that wait for their media, by session.
    sessions: HashMap<SessionId, u64>,
    bridges: HashMap<b2bua::CallId, u64>,
    deadlines: BTreeSet<(Instant, u64)>,
    next_call: u64,
    next_channel: u32,
    drain: Option<Drain>,
    refusals: BTreeMap<&'static str, u64>,
    ended: BTreeMap<&'static str, u64>,
    outputs: VecDeque<Output>,
}

impl Switch {
    /// A switch without listeners. The seed makes tags, nonces and port orders: take it from the system's randomness.
    /// `media_address` is what SDP names.
    #[must_use]
    pub fn new(config: Config, media_address: IpAddr, seed: [u8; 32], now: Instant, wall: SystemTime) -> Self {
        let [agent_seed, gate_seed, registrar_seed, port_seed] = seeds(seed);
        let limits = &config.limits;
        let endpoint = sip_transaction::Config {
            server_transactions: limits.transactions,
            stranger_transactions: limits.transactions.div_ceil(2),
            client_transactions: limits.transactions,
            connections: limits.connections,
            connections_per_address: limits.connections_per_address,
            ..sip_transaction::Config::default()
        };
        let agent = Agent::new(
            agent::Config {
                endpoint,
                // Two sides a call, and those that are only asked for their password.
                sessions: limits.calls.saturating_mul(2).saturating_add(limits.transactions),
                // Longer than the ring time, so that what the caller hears is decided here.
                ring: config.calls.ring_time.saturating_add(Duration::from_secs(180)),
                user_agent: Some(concat!("Tandem PBX/", env!("CARGO_PKG_VERSION")).to_owned()),
                ..agent::Config::default()
            },
            agent_seed,
        );
        let b2bua = B2bua::new(b2bua::Config {
            calls: limits.calls,
            branches: config.registration.per_account,
            ring: config.calls.ring_time,
            ..b2bua::Config::default()
        });
        Self {
            gate: Gate::new(&config, gate_seed, now),
            registrar: register::registrar(&config, registrar_seed),
            ports: Allocator::new(config.rtp.ports.clone(), REST, port_seed),
            config,
            agent,
            b2bua,
            media_address,
            now: None,
            clock: (now, wall),
            started: wall,
            calls: BTreeMap::new(),
            sessions: HashMap::new(),
            bridges: HashMap::new(),
            deadlines: BTreeSet::new(),
            next_call: 1,
            next_channel: 0,
            drain: None,
            refusals: BTreeMap::new(),
            ended: BTreeMap::new(),
            outputs: VecDeque::new(),
        }
    }

    /// Tells of a listening socket. `None` when there are too many.
    pub fn add_listener(&mut self, listener: ListenerConfig) -> Option<ListenerId> {
        Some(self.agent.add_listener(listener))
    }

    /// Tells that a connection came in, and gives it a name.
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
        let accepted = self.agent.accept(now, listener, local, remote);
        if accepted.is_err() {
            self.count_refusal("connections");
        }
        self.pump(now);
        accepted
    }

    /// Both clocks at one moment; again whenever the wall clock may have been set.
    pub fn set_clock(&mut self, now: Instant, wall: SystemTime) {
        self.clock = (now, wall);
        let since = wall.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        self.registrar.handle_wall_clock(now, since);
    }

    /// What happened outside.
    pub fn handle_input(&mut self, now: Instant, input: Input) {
        let now = self.clamp(now);
        self.agent.handle_input(now, input);
        self.pump(now);
    }

    /// Time passed. Early or twice is harmless.
    pub fn handle_timeout(&mut self, now: Instant) {
        let now = self.clamp(now);
        self.agent.handle_timeout(now);
        self.b2bua.handle_timeout(now, &mut self.agent);
        self.gate.handle_timeout(now);
        self.on_registrar_timeout(now);
        while let Some(&(at, id)) = self.deadlines.first()
            && at <= now
        {
            self.deadlines.remove(&(at, id));
            tracing::info!(call = id, "call ended: it reached the longest time");
            self.end(now, id);
        }
        self.on_drain_timeout(now);
        self.pump(now);
    }

    /// What to do next; call until `None` after every other call.
    #[must_use]
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When to call [`handle_timeout`](Self::handle_timeout).
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let own = self.deadlines.first().map(|(at, _)| *at);
        let parts = [
            self.agent.poll_timeout(),
            self.b2bua.poll_timeout(),
            self.gate.poll_timeout(),
            self.registrar.poll_timeout(),
            own,
            self.drain.as_ref().and_then(Drain::timeout),
        ];
        parts.into_iter().flatten().min()
    }

    /// The sockets of a call are bound.
    pub fn media_ready(&mut self, now: Instant, call: u64) {
        let now = self.clamp(now);
        self.on_media_ready(now, call);
        self.pump(now);
    }

    /// The sockets of a call could not be bound: another program has one of the ports.
    pub fn media_failed(&mut self, now: Instant, call: u64) {
        let now = self.clamp(now);
        self.on_media_failed(now, call);
        self.pump(now);
    }

    /// A call's media is silent on both sides: they are gone.
    pub fn media_silent(&mut self, now: Instant, call: u64) {
        let now = self.clamp(now);
        if self.calls.contains_key(&call) {
            tracing::info!(call, "call ended: neither side sends media");
        }
        self.end(now, call);
        self.pump(now);
    }

    /// Hangs up a call; tells whether there was one.
    pub fn hangup(&mut self, now: Instant, call: u64) -> bool {
        let now = self.clamp(now);
        let known = self.calls.contains_key(&call);
        self.end(now, call);
        self.pump(now);
        known
    }

    /// Time never goes back.
    fn clamp(&mut self, now: Instant) -> Instant {
        let now = self.now.map_or(now, |last| last.max(now));
        self.now = Some(now);
        now
    }

    fn tell(&mut self, event: Event) {
        self.outputs.push_back(Output::Event(event));
    }

    fn order(&mut self, call: u64, order: media::Order) {
        self.tell(Event::Order { call, order });
    }

    fn count_refusal(&mut self, reason: &'static str) {
        *self.refusals.entry(reason).or_default() += 1;
    }

    /// The wall clock at a moment.
    fn wall(&self, at: Instant) -> SystemTime {
        let (now, wall) = self.clock;
        match at.checked_duration_since(now) {
            Some(later) => wall.checked_add(later),
            None => wall.checked_sub(now.duration_since(at)),
        }
        .unwrap_or(wall)
    }

    /// The address by which a listener is known, as the host of our own URIs.
    fn own_host(&self, listener: ListenerId) -> sip_core::uri::HostPort {
        match self.agent.endpoint().listener(listener) {
            Some(listener) => listener.advertised.clone(),
            None => SocketAddr::new(self.media_address, 5060).into(),
        }
    }

    /// Takes what the machines below have to say until they are silent.
    fn pump(&mut self, now: Instant) {
        loop {
            let mut silent = true;
            while let Some(output) = self.agent.poll_output() {
                silent = false;
                match output.into_event() {
                    Ok(event) => {
                        if let Some(event) = self.b2bua.handle_event(now, &mut self.agent, event) {
                            self.on_event(now, event);
                        }
                    }
                    Err(duty) => self.outputs.extend(without_event(duty)),
                }
                // In order: what the B2BUA makes of an event comes before the next one.
                self.pump_bridges(now);
            }
            silent &= !self.pump_bridges(now);
            if silent {
                break;
            }
        }
        self.on_drain_progress(now);
    }

    fn pump_bridges(&mut self, now: Instant) -> bool {
        let mut spoke = false;
        while let Some(event) = self.b2bua.poll_event() {
            spoke = true;
            self.on_bridge_event(now, event);
        }
        spoke
    }

    fn on_event(&mut self, now: Instant, event: agent::Event) {
        use agent::Event as Told;
        match event {
            Told::Incoming { session, request, mandatory, source, sdp } => {
                self.on_incoming(now, session, request, &mandatory, source, sdp);
            }
            Told::Acknowledged { session, sdp } => self.on_acknowledged(now, session, sdp),
            Told::Offer { session, sdp, .. } => self.on_offer(now, session, sdp),
            Told::InDialog { session, id, request } => self.on_inside(now, session, id, &request),
            Told::Ended { session, cause, .. } => self.on_session_ended(now, session, cause),
            Told::Request { id, request, mandatory, source } => {
                self.on_outside(now, id, &request, &mandatory, source);
            }
            Told::ConnectionClosed { connection, .. } => self.on_connection_closed(connection),
            // Calls of the switch's own are never outgoing, and it sends no requests of its own.
            _ => {}
        }
    }

    /// Refuses a call, and counts why.
    fn refuse(
        &mut self,
        now: Instant,
        session: SessionId,
        status: StatusCode,
        reason: &'static str,
        headers: &[(HeaderName, bytes::Bytes)],
    ) {
        self.count_refusal(reason);
        // The caller may have gone meanwhile.
        let _ = self.agent.reject(now, session, status, headers);
    }

    /// The application of a number, or the account.
    fn destination(&self, number: &str) -> Option<Destination> {
        if let Some(application) = self.config.extensions.get(number) {
            return Some(Destination::Application(*application));
        }
        self.config.account(number).map(|account| Destination::Account(account.name.clone()))
    }
}

/// Whom a number means.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Destination {
    Application(Application),
    Account(String),
}

fn without_event(duty: agent::Output) -> Option<Output> {
    duty.into_duty().ok()
}

/// Four seeds from one.
fn seeds(seed: [u8; 32]) -> [[u8; 32]; 4] {
    use rand_chacha::rand_core::{RngCore, SeedableRng};
    let mut random = rand_chacha::ChaCha20Rng::from_seed(seed);
    let mut seeds = [[0; 32]; 4];
    for part in &mut seeds {
        random.fill_bytes(part);
    }
    seeds
}
