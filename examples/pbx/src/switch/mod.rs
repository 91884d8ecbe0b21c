//! The switch: who may register and call, whom a number means, and what becomes of each call. Sans-IO.
//!
//! It joins the agent and the IAX2 endpoint (legs), the authenticator and the registrar (who is who, and where) and the
//! dialplan (what is done with a call). Every call goes one way: whoever calls runs a thread of the dialplan; its Dial makes
//! further legs, and the first that answers is joined with who called. A driver owns sockets and clock, hands it inputs, and carries out its outputs; [`Event`]s among these are the
//! duties of this program alone: media, records.

mod alarms;
mod bridge;
mod call;
mod cause;
mod dial;
mod drain;
mod ends;
mod horizon;
mod iax;
mod keep_alive;
mod leg;
mod local;
mod picture;
mod registration;
mod runner;
mod sip;
mod transfer;

pub(crate) use keep_alive::EVERY as KEEP_ALIVE;

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use rtp::{ports::Allocator, relay::Side};
use sip_proxy::registrar::Registrar;
use sip_transaction::{
    ConnectionId, Input, ListenerConfig, ListenerId, Refused,
    agent::{self, Agent, SessionId},
};

use crate::{
    cdr::Record,
    config::Config,
    dialplan::{Dialplan, World},
    media,
};
use alarms::{Alarm, Alarms};
use call::Call;
use cause::Cause;
use dial::Ringing;
use drain::Drain;
use horizon::Horizon;
use keep_alive::KeepAlive;
use leg::{LegKey, Told};
use sip::{Gate, Watch};

/// What a driver must do for the switch.
pub type Output = sip_transaction::Output<Event>;

/// What only this program can do.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// Give a side of a call's media an end, or another one, then say [`Switch::media_ready`] or
    /// [`Switch::media_failed`]. The first one of a call begins its media.
    Open {
        /// The call.
        call: u64,
        /// The side.
        side: Side,
        /// Its end.
        end: media::End,
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
    /// Send a datagram from the socket of IAX2.
    Trunk {
        /// Where to.
        destination: SocketAddr,
        /// Its bytes.
        payload: bytes::Bytes,
    },
    /// Give voice that came by a trunk to a call's media.
    Voice {
        /// The call.
        call: u64,
        /// The side that it came from.
        side: Side,
        /// The sender's milliseconds.
        timestamp: u32,
        /// The voice.
        payload: bytes::Bytes,
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
    gate: Gate,
    registrar: Registrar,
    keep_alives: KeepAlive,
    watch: Watch,
    ports: Allocator,
    media_address: IpAddr,
    now: Option<Instant>,
    /// A reading of both clocks at one moment.
    clock: (Instant, SystemTime),
    started: SystemTime,
    /// What all threads of the dialplan share.
    world: World,
    calls: BTreeMap<u64, Call>,
    /// The legs on SIP, by their sessions.
    sessions: HashMap<SessionId, LegKey>,
    alarms: Alarms,
    ringing: Ringing,
    horizon: Horizon,
    trunks: iax::Trunks,
    registrations: sip::Registrations,
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
        let [agent_seed, gate_seed, registrar_seed, port_seed, world_seed, node_seed, trunk_seed, registration_seed] =
            seeds(seed);
        let limits = &config.limits;
        let endpoint = sip_transaction::Config {
            server_transactions: limits.transactions,
            stranger_transactions: limits.transactions.div_ceil(2),
            client_transactions: limits.transactions,
            connections: limits.connections,
            connections_per_address: limits.connections_per_address,
            ..sip_transaction::Config::default()
        };
        let mut agent = Agent::new(
            agent::Config {
                endpoint,
                // Two sides a call, and those that are only asked for their password.
                sessions: limits.calls.saturating_mul(2).saturating_add(limits.transactions),
                // Longer than the dialplan lets anything ring, so that what the caller hears is decided there.
                ring: config.calls.max_time,
                user_agent: Some(concat!("Tandem PBX/", env!("CARGO_PKG_VERSION")).to_owned()),
                ..agent::Config::default()
            },
            agent_seed,
        );
        config.sip.balancers.iter().for_each(|address| agent.share(*address));
        let [a, b, c, d, e, f, g, h, ..] = node_seed;
        let mut switch = Self {
            trunks: iax::Trunks::new(&config, trunk_seed, now, wall),
            registrations: sip::Registrations::new(&config, registration_seed, now),
            gate: Gate::new(&config, gate_seed, now),
            registrar: sip::registrar(&config, registrar_seed),
            keep_alives: KeepAlive::default(),
            watch: Watch::new(&config.accounts, now),
            ports: Allocator::new(config.rtp.ports.clone(), REST, port_seed),
            world: World::new(&config.dialplan, world_seed, jiff::tz::TimeZone::system()),
            config,
            agent,
            media_address,
            now: None,
            clock: (now, wall),
            started: wall,
            calls: BTreeMap::new(),
            sessions: HashMap::new(),
            alarms: Alarms::default(),
            ringing: Ringing::default(),
            horizon: Horizon::new(u64::from_be_bytes([a, b, c, d, e, f, g, h])),
            next_call: 1,
            next_channel: 0,
            drain: None,
            refusals: BTreeMap::new(),
            ended: BTreeMap::new(),
            outputs: VecDeque::new(),
        };
        // Registrations at other exchanges have begun.
        switch.pump(now);
        switch
    }

    /// Tells of a listening socket. `None` when there are too many.
    pub fn add_listener(&mut self, listener: ListenerConfig) -> Option<ListenerId> {
        let (transport, is_ipv4) = (listener.transport, listener.local.is_ipv4());
        let id = self.agent.add_listener(listener);
        self.registrations.add_listener(id, transport, is_ipv4);
        Some(id)
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
        self.trunks.set_clock(now, since, &self.config);
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
        self.gate.handle_timeout(now);
        self.on_registrar_timeout(now);
        self.on_keep_alive_timeout(now);
        self.on_watch_timeout(now);
        self.on_registrations_timeout(now);
        self.set_world_clock(now);
        while let Some((id, alarm)) = self.alarms.pop(now) {
            self.on_alarm(now, id, alarm);
        }
        self.on_trunk_timeout(now);
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
        let parts = [
            self.agent.poll_timeout(),
            self.gate.poll_timeout(),
            self.registrar.poll_timeout(),
            self.keep_alives.next(),
            self.watch.next(),
            self.alarms.next(),
            self.trunks.poll_timeout(),
            self.registrations.poll_timeout(),
            self.drain.as_ref().and_then(Drain::timeout),
        ];
        parts.into_iter().flatten().min()
    }

    /// The end that [`Event::Open`] asked for is there.
    pub fn media_ready(&mut self, now: Instant, call: u64, side: Side) {
        let now = self.clamp(now);
        self.on_media_ready(now, call, side);
        self.pump(now);
    }

    /// The sockets of an end could not be bound: another program has one of the ports.
    pub fn media_failed(&mut self, now: Instant, call: u64, side: Side) {
        let now = self.clamp(now);
        self.on_media_failed(now, call, side);
        self.pump(now);
    }

    /// What a call's media tells.
    pub fn handle_media(&mut self, now: Instant, event: media::Event) {
        let now = self.clamp(now);
        match event {
            media::Event::Silent { call } => {
                if self.calls.contains_key(&call) {
                    tracing::info!(call, "call ended: neither side sends media");
                }
                self.end(now, call, Cause::NORMAL.into());
            }
            media::Event::Played { call, side, complete } => self.on_played(now, call, side, complete),
            media::Event::Digit { call, side, digit, press: media::Press::End(duration), passed } => {
                let leg = self.calls.get(&call).and_then(|call| call.leg_at(side));
                if let Some(leg) = leg {
                    self.on_leg(now, LegKey { call, leg }, Told::Digit { digit, duration, passed });
                }
            }
            media::Event::Digit { .. } => {}
        }
        self.pump(now);
    }

    /// Hangs up a call; tells whether there was one.
    pub fn hangup(&mut self, now: Instant, call: u64) -> bool {
        let now = self.clamp(now);
        let known = self.calls.contains_key(&call);
        self.end(now, call, Cause::NORMAL.into());
        self.pump(now);
        known
    }

    fn on_alarm(&mut self, now: Instant, id: u64, alarm: Alarm) {
        match alarm {
            Alarm::Limit => {
                tracing::info!(call = id, "call ended: it reached the longest time");
                self.end(now, id, Cause::NORMAL.into());
            }
            Alarm::Wait(runner) => self.on_wait_over(now, id, runner),
            Alarm::Ring(runner) => self.on_ring_over(now, id, runner),
            Alarm::Talk => self.on_talk_over(now, id),
            Alarm::Transfer => self.transfer(now, id),
        }
    }

    fn dialplan(&self) -> Arc<Dialplan> {
        Arc::clone(&self.config.dialplan)
    }

    fn set_world_clock(&mut self, now: Instant) {
        let since = self.wall(now).duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        self.world.set_clock(i64::try_from(since.as_micros()).unwrap_or(i64::MAX));
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
        self.set_world_clock(now);
        loop {
            while let Some(output) = self.agent.poll_output() {
                match output.into_duty() {
                    Ok(duty) => self.outputs.push_back(duty),
                    Err(event) => self.on_event(now, event),
                }
            }
            // What one says may make the other speak.
            if !self.pump_trunks(now) {
                break;
            }
        }
        self.on_drain_progress(now);
    }

    fn on_event(&mut self, now: Instant, event: agent::Event) {
        use agent::Event as Told;
        match self.on_session(now, event) {
            Some(Told::Incoming { session, request, mandatory, source, sdp }) => {
                self.on_incoming(now, session, &request, &mandatory, source, sdp);
            }
            Some(Told::Request { id, request, mandatory, source }) => {
                self.on_outside(now, id, &request, &mandatory, source);
            }
            Some(Told::Response { id, response, .. }) if response.status().is_final() => {
                self.on_asked(now, id, true);
                self.on_registration_response(now, id, &response);
            }
            Some(Told::Failed { id, .. }) => {
                self.on_asked(now, id, false);
                self.on_registration_silence(now, id);
            }
            Some(Told::ConnectionClosed { connection, .. }) => self.on_connection_closed(connection),
            // What is left is of sessions that we are done with.
            _ => {}
        }
    }
}

/// Seeds from one.
fn seeds<const N: usize>(seed: [u8; 32]) -> [[u8; 32]; N] {
    use rand_chacha::rand_core::{RngCore, SeedableRng};
    let mut random = rand_chacha::ChaCha20Rng::from_seed(seed);
    let mut seeds = [[0; 32]; N];
    for part in &mut seeds {
        random.fill_bytes(part);
    }
    seeds
}
