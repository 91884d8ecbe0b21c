//! The machine that a driver drives: calls, registrations, peers and trunks on one UDP socket.

mod calls;
mod receive;
mod relay;
mod snapshot;
mod table;

pub use calls::DialError;
pub use snapshot::{Counters, Snapshot};

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

use crate::call::{Call, Profile};
use crate::config::{Config, PeerAddress, PeerConfig};
use crate::element::{DateTime, MessageCount};
use crate::event::{CallId, Event, Input, Output, RegistrationId};
use crate::link::{Cx, Link};
use crate::peer::{Peer, Poke};
use crate::registrar::Registrar;
use crate::registration::{Registrant, Registration, Tomb};
use crate::token::TokenMint;
use crate::trunk::{Trunk, TrunkStatistics};

/// Why a peer or registration cannot be configured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// There is such a peer already.
    #[error("a peer of this name is there")]
    Duplicate,
    /// The limit of peers is reached.
    #[error("too many peers")]
    TooMany,
    /// There is no such peer.
    #[error("no such peer")]
    UnknownPeer,
    /// The peer has no fixed address.
    #[error("the peer has no fixed address")]
    NoAddress,
    /// Encryption needs a secret that both sides know, and so does the MD5 or plaintext method.
    #[error("the peer's settings need a secret")]
    NoSecret,
    /// A name or secret that fits no element: empty, or more than 255 bytes.
    #[error("a name or secret of this length cannot be sent")]
    Length,
}

/// One exchange of full frames.
#[derive(Debug)]
enum Leg {
    Call(Box<Call>),
    Registrant(Box<Registrant>),
    Registrar(Box<Registrar>),
    Poke(Box<Poke>),
}

impl Leg {
    fn link(&self) -> &Link {
        match self {
            Self::Call(leg) => &leg.link,
            Self::Registrant(leg) => &leg.link,
            Self::Registrar(leg) => &leg.link,
            Self::Poke(leg) => &leg.link,
        }
    }

    fn closed(&self) -> Option<bool> {
        match self {
            Self::Call(leg) => leg.closed,
            Self::Registrant(leg) => leg.closed,
            Self::Registrar(leg) => leg.closed,
            Self::Poke(leg) => leg.closed,
        }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        match self {
            Self::Call(leg) => leg.poll_timeout(),
            Self::Registrant(leg) => leg.poll_timeout(),
            Self::Registrar(leg) => leg.poll_timeout(),
            Self::Poke(leg) => leg.poll_timeout(),
        }
    }

    fn on_timeout(&mut self, cx: &mut Cx<'_>) {
        match self {
            Self::Call(leg) => leg.on_timeout(cx),
            Self::Registrant(leg) => leg.on_timeout(cx),
            Self::Registrar(leg) => leg.on_timeout(cx),
            Self::Poke(leg) => leg.on_timeout(cx),
        }
    }
}

/// A leg with what the tables know of it.
#[derive(Debug)]
struct Slot {
    leg: Leg,
    generation: u32,
    ip: IpAddr,
    validated: bool,
    indexed: Option<(SocketAddr, u16)>,
    media_indexed: Option<(SocketAddr, u16)>,
    scheduled: Option<Instant>,
    peer: Option<Arc<str>>,
    trunk: Option<SocketAddr>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Timer {
    Leg(u16),
    Registration(RegistrationId),
    Peer(Arc<str>),
    Trunk(SocketAddr),
}

/// An IAX2 endpoint: server and client at once.
///
/// It does no I/O. A driver gives it datagrams with [`handle_input`](Self::handle_input), calls
/// [`handle_timeout`](Self::handle_timeout) no later than [`poll_timeout`](Self::poll_timeout), and after each of these
/// and after every command drains [`poll_output`](Self::poll_output).
#[derive(Debug)]
pub struct Endpoint {
    config: Config,
    rng: ChaCha20Rng,
    mint: TokenMint,
    now: Instant,
    wall: Option<(Instant, u64)>,
    out: VecDeque<Output>,
    slots: Vec<Option<Slot>>,
    legs: usize,
    unvalidated: usize,
    generation: u32,
    by_remote: HashMap<(SocketAddr, u16), u16>,
    by_ip: HashMap<IpAddr, u32>,
    tombs: HashMap<u16, Tomb>,
    burials: VecDeque<(Instant, u16)>,
    peers: HashMap<Arc<str>, Peer>,
    /// Most secrets that any peer has: the work of judging any answer.
    work: usize,
    registrations: HashMap<RegistrationId, Registration>,
    next_registration: u32,
    trunks: HashMap<SocketAddr, Trunk>,
    timers: BTreeSet<(Instant, Timer)>,
    counters: Counters,
}

/// Takes an endpoint apart into what a leg needs and the leg.
macro_rules! with_leg {
    ($self:ident, $number:expr, |$leg:ident, $cx:ident| $body:expr) => {{
        let Self { slots, rng, out, config, wall, now, .. } = &mut *$self;
        let wall = wall.map(|(at, unix)| DateTime::from_unix(unix + now.saturating_duration_since(at).as_secs()));
        let mut cx = Cx { now: *now, rng, out, config, wall };
        match slots.get_mut(usize::from($number)).and_then(Option::as_mut) {
            Some(slot) => {
                let ($leg, $cx) = (&mut slot.leg, &mut cx);
                Some($body)
            }
            None => None,
        }
    }};
}
use with_leg;

impl Endpoint {
    /// An endpoint whose randomness comes from a seed: from the system in a driver, from the test in a test.
    pub fn new(now: Instant, config: Config, seed: [u8; 32]) -> Self {
        let mut rng = ChaCha20Rng::from_seed(seed);
        let mint = TokenMint::new(now, &mut rng);
        Self {
            config,
            rng,
            mint,
            now,
            wall: None,
            out: VecDeque::new(),
            slots: Vec::new(),
            legs: 0,
            unvalidated: 0,
            generation: 0,
            by_remote: HashMap::new(),
            by_ip: HashMap::new(),
            tombs: HashMap::new(),
            burials: VecDeque::new(),
            peers: HashMap::new(),
            work: 1,
            registrations: HashMap::new(),
            next_registration: 0,
            trunks: HashMap::new(),
            timers: BTreeSet::new(),
            counters: Counters::default(),
        }
    }

    fn tick(&mut self, now: Instant) {
        // The clock never goes back.
        self.now = self.now.max(now);
    }

    fn cx(&mut self) -> Cx<'_> {
        let wall =
            self.wall.map(|(at, unix)| DateTime::from_unix(unix + self.now.saturating_duration_since(at).as_secs()));
        Cx { now: self.now, rng: &mut self.rng, out: &mut self.out, config: &self.config, wall }
    }

    /// Tells the time of day, in seconds since 1970, for DATETIME elements. It may be told again.
    pub fn set_wall_clock(&mut self, now: Instant, unix: u64) {
        self.tick(now);
        self.wall = Some((self.now, unix));
    }

    /// Adds a peer.
    ///
    /// # Errors
    /// The name is taken, or the settings contradict each other.
    pub fn add_peer(&mut self, now: Instant, config: PeerConfig) -> Result<(), ConfigError> {
        self.tick(now);
        if self.peers.contains_key(config.name.as_str()) {
            return Err(ConfigError::Duplicate);
        }
        if self.peers.len() >= self.config.max_peers {
            return Err(ConfigError::TooMany);
        }
        let fits = |len: usize| (1..=255).contains(&len);
        let username = config.credentials.username.as_ref().is_none_or(|name| fits(name.len()));
        let secrets = config.secrets.iter().chain(&config.credentials.secret);
        if !fits(config.name.len()) || !username || secrets.clone().any(|secret| !fits(secret.as_bytes().len())) {
            return Err(ConfigError::Length);
        }
        let encrypts = config.encryption != crate::config::Encryption::Off;
        let calls_us = config.may_call && config.secrets.is_empty() && config.credentials.secret.is_none();
        let methods = config.methods.unwrap_or(crate::element::AuthMethods::empty());
        let needs = methods.intersects(crate::element::AuthMethods::MD5 | crate::element::AuthMethods::PLAINTEXT);
        if (encrypts && calls_us) || (needs && config.secrets.is_empty()) {
            return Err(ConfigError::NoSecret);
        }
        self.work = self.work.max(config.secrets.len());
        let name: Arc<str> = Arc::from(config.name.as_str());
        let profile = Profile { name: name.clone(), demand: config.demand(), config };
        self.peers.insert(name.clone(), Peer::new(self.now, Arc::new(profile)));
        self.reschedule_peer(&name);
        Ok(())
    }

    /// Removes a peer. Its calls go on.
    ///
    /// # Errors
    /// There is none of this name.
    pub fn remove_peer(&mut self, name: &str) -> Result<(), ConfigError> {
        let peer = self.peers.remove(name).ok_or(ConfigError::UnknownPeer)?;
        if let Some(at) = peer.scheduled {
            self.timers.remove(&(at, Timer::Peer(peer.profile.name.clone())));
        }
        Ok(())
    }

    /// Where a peer is, if that is known.
    pub fn peer_address(&self, name: &str) -> Option<SocketAddr> {
        self.peers.get(name)?.address()
    }

    /// How a watched peer is reached.
    pub fn reachability(&self, name: &str) -> Option<crate::Reachability> {
        self.peers.get(name).map(|peer| peer.reachability)
    }

    /// How many messages wait for a peer: it is told when it registers.
    ///
    /// # Errors
    /// There is none of this name.
    pub fn set_messages(&mut self, name: &str, count: Option<MessageCount>) -> Result<(), ConfigError> {
        self.peers.get_mut(name).ok_or(ConfigError::UnknownPeer)?.messages = count;
        Ok(())
    }

    /// Pokes a peer now, if it is watched and its address is known.
    ///
    /// # Errors
    /// There is none of this name, or it has no address.
    pub fn poke(&mut self, now: Instant, name: &str) -> Result<(), ConfigError> {
        self.tick(now);
        let peer = self.peers.get_mut(name).ok_or(ConfigError::UnknownPeer)?;
        peer.address().ok_or(ConfigError::NoAddress)?;
        if peer.leg.is_none() {
            let name = peer.profile.name.clone();
            self.begin_poke(&name);
        }
        Ok(())
    }

    /// Registers with a peer of a fixed address, under its credentials, and keeps the registration up.
    ///
    /// # Errors
    /// There is no such peer, or it has no fixed address.
    pub fn register(&mut self, now: Instant, peer: &str, refresh: Duration) -> Result<RegistrationId, ConfigError> {
        self.tick(now);
        let profile = self.peers.get(peer).ok_or(ConfigError::UnknownPeer)?.profile.clone();
        let PeerAddress::Fixed(address) = profile.config.address else { return Err(ConfigError::NoAddress) };
        let id = RegistrationId(self.next_registration);
        self.next_registration = self.next_registration.wrapping_add(1);
        self.registrations.insert(id, Registration::new(self.now, id, profile, address, refresh));
        self.begin_registration(id);
        Ok(id)
    }

    /// Registers again at once, not when it is time: the registrar may have forgotten us. `false`: there is none such.
    pub fn refresh(&mut self, now: Instant, id: RegistrationId) -> bool {
        self.tick(now);
        let Some(registration) = self.registrations.get_mut(&id) else { return false };
        match registration.leg {
            None => {
                registration.next = Some(self.now);
                self.begin_registration(id);
            }
            // It is being tried, perhaps since before the registrar was there.
            Some(number) => {
                let now = self.now;
                if let Some(Slot { leg: Leg::Registrant(leg), .. }) = self.slot_mut(number) {
                    leg.link.reliable.hurry(now);
                }
                self.reschedule_leg(number);
            }
        }
        true
    }

    /// Gives a registration up (REGREL); [`Event::Released`] says when that is done. `false`: there is none such.
    pub fn unregister(&mut self, now: Instant, id: RegistrationId) -> bool {
        self.tick(now);
        let Some(registration) = self.registrations.get_mut(&id) else { return false };
        registration.release(self.now);
        if registration.leg.is_none() {
            self.begin_registration(id);
        }
        true
    }

    fn begin_registration(&mut self, id: RegistrationId) {
        let Some(registration) = self.registrations.get_mut(&id) else { return };
        let address = registration.registrar;
        let begun = registration.begin();
        match begun {
            Some(release) => match self.allocate(false, address.ip(), true) {
                Some(number) => {
                    let now = self.now;
                    let Self { registrations, rng, out, config, .. } = self;
                    if let Some(registration) = registrations.get_mut(&id) {
                        registration.leg = Some(number);
                        let mut cx = Cx { now, rng, out, config, wall: None };
                        let leg = Registrant::new(&mut cx, number, registration, release);
                        self.insert(number, Leg::Registrant(Box::new(leg)), None);
                    }
                }
                None => {
                    if let Some(registration) = self.registrations.get_mut(&id) {
                        registration.next = Some(self.now + Duration::from_secs(1));
                    }
                }
            },
            None => {
                if self.registrations.get(&id).is_some_and(Registration::is_over) {
                    self.cx().event(Event::Released(id));
                }
            }
        }
        self.reschedule_registration(id);
    }

    fn begin_poke(&mut self, name: &Arc<str>) {
        let Some(peer) = self.peers.get(name) else { return };
        let Some(address) = peer.address() else { return };
        let limit = peer.profile.config.qualify.unwrap_or_default().limit;
        match self.allocate(false, address.ip(), true) {
            Some(number) => {
                let poke = Poke::new(&mut self.cx(), number, name.clone(), address, limit);
                if let Some(peer) = self.peers.get_mut(name) {
                    peer.leg = Some(number);
                    peer.next_poke = None;
                }
                self.insert(number, Leg::Poke(Box::new(poke)), None);
            }
            None => {
                if let Some(peer) = self.peers.get_mut(name) {
                    peer.next_poke = Some(self.now + Duration::from_secs(1));
                }
            }
        }
        self.reschedule_peer(name);
    }

    /// Takes what happened outside.
    pub fn handle_input(&mut self, now: Instant, input: Input) {
        self.tick(now);
        self.bury();
        match input {
            Input::Datagram { source, payload } => self.on_datagram(source, &payload),
        }
    }

    /// Does what is due. Early or twice is harmless.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.tick(now);
        self.bury();
        while let Some((at, timer)) = self.timers.first().cloned() {
            if at > self.now {
                break;
            }
            self.timers.pop_first();
            match timer {
                Timer::Leg(number) => {
                    if let Some(slot) = self.slot_mut(number) {
                        slot.scheduled = None;
                    }
                    let before = self.out.len();
                    with_leg!(self, number, |leg, cx| leg.on_timeout(cx));
                    self.settle(number, before, false);
                }
                Timer::Registration(id) => {
                    if let Some(registration) = self.registrations.get_mut(&id) {
                        registration.scheduled = None;
                        if registration.next.is_some_and(|next| next <= self.now) && registration.leg.is_none() {
                            self.begin_registration(id);
                        } else {
                            self.reschedule_registration(id);
                        }
                    }
                }
                Timer::Peer(name) => self.on_peer_timeout(&name),
                Timer::Trunk(address) => {
                    let now = self.now;
                    let Self { trunks, rng, out, config, .. } = self;
                    if let Some(trunk) = trunks.get_mut(&address) {
                        trunk.scheduled = None;
                        trunk.on_timeout(&mut Cx { now, rng, out, config, wall: None });
                    }
                    self.reschedule_trunk(address);
                }
            }
        }
    }

    fn on_peer_timeout(&mut self, name: &Arc<str>) {
        let now = self.now;
        let Some(peer) = self.peers.get_mut(name) else { return };
        peer.scheduled = None;
        if peer.binding.is_some_and(|binding| binding.expires <= now) {
            peer.binding = None;
            peer.unwatch();
            let peer = name.clone();
            self.cx().event(Event::Unbound { peer });
        }
        let due = |peer: &Peer| peer.leg.is_none() && peer.next_poke.is_some_and(|at| at <= now);
        if self.peers.get(name).is_some_and(due) {
            self.begin_poke(name);
        }
        self.reschedule_peer(name);
    }

    /// The next thing to do. Drain until `None`.
    #[must_use]
    pub fn poll_output(&mut self) -> Option<Output> {
        self.out.pop_front()
    }

    /// When [`handle_timeout`](Self::handle_timeout) has something to do at the latest.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let timer = self.timers.first().map(|(at, _)| *at);
        [timer, self.burials.front().map(|(at, _)| *at)].into_iter().flatten().min()
    }

    /// What went over the trunk to an address.
    pub fn trunk_statistics(&self, address: SocketAddr) -> Option<TrunkStatistics> {
        self.trunks.get(&address).map(|trunk| trunk.statistics)
    }

    /// The endpoint's calls.
    pub fn calls(&self) -> impl Iterator<Item = CallId> + '_ {
        self.slots.iter().flatten().filter_map(|slot| match &slot.leg {
            Leg::Call(call) if call.closed.is_none() => Some(call.id),
            _ => None,
        })
    }
}
