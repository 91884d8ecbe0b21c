//! Which server gets which call: sets of destinations, weighted rendezvous hashing, draining, probing, and why.
//!
//! [`Dispatcher`] is a machine without sockets. Whoever forwards requests asks [`Dispatcher::route`] where each goes and tells it
//! what came back; [`stateless::Proxy`](crate::stateless::Proxy) does that for SIP. Lists are loaded whole ([`Dispatcher::load`])
//! and keep the state, the calls and the counts of the destinations that stay.
//!
//! What belongs to a call begun before (CANCEL, ACK, a retransmission, a request within the dialog) goes where the call is as long as that
//! destination lives: it may drain, be disabled, lose its weight or leave the list. It is found by a cookie in the route, by the
//! record of calls begun, and else by the hash.
//!
//! ```
//! use std::time::Instant;
//! use sip_proxy::dispatcher::{Asked, Config, Destination, Dispatcher, List, Secret, Set};
//! use sip_transaction::Transport;
//!
//! let now = Instant::now();
//! let server = |name: &'static str, port| Destination::new(name, Transport::Udp, ([127, 0, 0, 1], port).into());
//! let list = List::new(vec![Set::new("pbx", vec![server("a", 5070), server("b", 5080).with_weight(200)])]).unwrap();
//! let mut dispatcher = Dispatcher::new(now, Config::default(), Secret::from_seed([7; 32]), [8; 32]);
//! dispatcher.load(now, list);
//!
//! let call = dispatcher.call_key(b"a84b4c76e66710");
//! let choice = dispatcher.route(now, call, Asked::Invite, 0, b"a84b4c76e66710", None).unwrap();
//! let explained = dispatcher.explain(now, "pbx", b"a84b4c76e66710").unwrap();
//! assert_eq!(explained.chosen.as_deref(), dispatcher.name(choice.node));
//! ```

mod choose;
mod config;
mod event;
mod explain;
mod hash;
mod health;
mod list;
mod node;
mod probe;
mod record;
mod secret;
mod share;
mod snapshot;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasherDefault, Hasher};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng;
use sip_core::StatusCode;
use sip_transaction::Transport;
use siphasher::sip128::SipHasher13;

pub use config::{Config, ProbeConfig};
pub use event::{Event, Why};
pub use explain::{Candidate, Explanation};
pub use hash::Rendezvous;
pub use health::State;
pub use list::{Algorithm, Destination, Key, List, ListError, Set};
pub use node::NodeId;
pub use probe::Probe;
pub use record::{CallKey, Phase, RecordConfig};
pub use secret::{Secret, TooShort};
pub use share::{PeerConfig, Share, ShareConfig, ShareCounters, Shared};
pub use snapshot::{DrainProgress, NodeSnapshot, Snapshot};

use health::Thresholds;
use node::{Drain, Node};
use record::Record;

/// What kind of request asks for its destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Asked {
    /// It may begin a call: an INVITE, or another request that makes a dialog, without a tag in To.
    Invite,
    /// It stands alone and begins nothing.
    Alone,
    /// It belongs to something begun before: CANCEL, ACK, or a request with a tag in To.
    Belongs,
    /// It ends a call: BYE.
    Ends,
}

/// Where a request goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Choice {
    /// The destination.
    pub node: NodeId,
    /// Why it.
    pub reason: Reason,
}

/// Why a request goes where it goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reason {
    /// The cookie in its route names the destination.
    Cookie,
    /// The record knows its call.
    Record,
    /// The set's algorithm chose.
    Algorithm(Algorithm),
    /// It belongs to a call that nothing is known of: the hash says where it would have gone.
    Hash,
    /// The destination of its call is dead: it goes elsewhere.
    Moved,
}

impl Reason {
    /// Its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Cookie => "cookie",
            Self::Record => "record",
            Self::Algorithm(algorithm) => algorithm.as_str(),
            Self::Hash => "hash of a call unknown",
            Self::Moved => "moved",
        }
    }
}

/// Why a request goes nowhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Nowhere {
    /// No destination of the set takes new calls.
    #[error("no destination is up")]
    NoneUp,
    /// Those that take new calls have as many as they may.
    #[error("all destinations are full")]
    AllFull,
    /// There is no such set.
    #[error("no set serves this")]
    NoSet,
}

/// One set of the list, with what its turns need.
#[derive(Debug)]
struct Members {
    set: Set,
    nodes: Vec<NodeId>,
    turn: usize,
}

/// Decides which destination gets which request. A machine: see the [module](self).
#[derive(Debug)]
pub struct Dispatcher {
    config: Config,
    call_keys: SipHasher13,
    rendezvous: Rendezvous,
    random: ChaCha8Rng,
    epoch: Instant,
    version: u64,
    sets: Vec<Members>,
    domains: HashMap<Arc<str>, usize>,
    nodes: Vec<Option<Node>>,
    generation: u32,
    by_tag: HashMap<u64, NodeId>,
    by_address: HashMap<(Transport, SocketAddr), NodeId, BuildHasherDefault<Fold>>,
    record: Record,
    /// What other dispatchers are to be told.
    untold: VecDeque<Shared>,
    events: VecDeque<Event>,
    events_lost: u64,
    next_probe: u64,
    window: Instant,
}

/// Hashes the addresses of destinations: whoever asks from elsewhere puts nothing into the table, so it needs no key.
#[derive(Debug, Default, Clone, Copy)]
struct Fold(u64);

impl Hasher for Fold {
    fn finish(&self) -> u64 {
        self.0 ^ self.0 >> 32
    }

    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        words.iter().for_each(|word| self.write_u64(u64::from_le_bytes(*word)));
        rest.iter().for_each(|byte| self.write_u64(u64::from(*byte)));
    }

    fn write_u8(&mut self, number: u8) {
        self.write_u64(u64::from(number));
    }

    fn write_u16(&mut self, number: u16) {
        self.write_u64(u64::from(number));
    }

    fn write_u32(&mut self, number: u32) {
        self.write_u64(u64::from(number));
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = (self.0.rotate_left(5) ^ number).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }

    fn write_isize(&mut self, number: isize) {
        self.write_u64(number as u64);
    }
}

/// How long a window of recent calls is; shares are told of the last one to two.
const WINDOW: Duration = Duration::from_secs(5);

impl Dispatcher {
    /// A dispatcher without destinations.
    #[must_use]
    pub fn new(now: Instant, config: Config, secret: Secret, seed: [u8; 32]) -> Self {
        Self {
            call_keys: SipHasher13::new_with_key(&secret.derive_short("call")),
            rendezvous: Rendezvous::new(secret.derive_short("hash")),
            random: ChaCha8Rng::from_seed(seed),
            epoch: now,
            version: 0,
            sets: Vec::new(),
            domains: HashMap::new(),
            nodes: Vec::new(),
            generation: 0,
            by_tag: HashMap::new(),
            by_address: HashMap::default(),
            record: Record::new(config.record),
            untold: VecDeque::new(),
            events: VecDeque::new(),
            events_lost: 0,
            next_probe: 0,
            window: now,
            config,
        }
    }

    /// Puts a list in the place of the one that served, at once and whole. Destinations that stay keep their state and their calls;
    /// those that go keep what belongs to their calls until these are over.
    pub fn load(&mut self, now: Instant, list: List) {
        let before = self.sample();
        let mut placed: Vec<Vec<NodeId>> = vec![Vec::new(); list.sets().len()];
        let mut kept = std::collections::HashSet::new();
        let (mut added, mut stayed) = (0, 0);
        for (number, destination) in list.destinations() {
            let known = self.by_tag.get(&self.rendezvous.point(destination.name.as_bytes())).copied().filter(|id| {
                self.node(*id).is_some_and(|node| {
                    node.destination.address == destination.address
                        && node.destination.transport == destination.transport
                })
            });
            let id = match known {
                Some(id) => {
                    if let Some(node) = self.node_mut(id) {
                        if kept.contains(&id) {
                            // In several sets with other weights: the first counts.
                        } else {
                            stayed += 1;
                            node.destination = destination.clone();
                            node.is_listed = true;
                        }
                    }
                    id
                }
                None => {
                    added += 1;
                    self.add(now, destination.clone())
                }
            };
            kept.insert(id);
            if let Some(nodes) = placed.get_mut(number) {
                nodes.push(id);
            }
        }
        let mut removed = 0;
        for node in self.nodes.iter_mut().enumerate().filter_map(|(index, node)| Some((index as u32, node.as_mut()?))) {
            let (index, node) = node;
            let id = NodeId { index, generation: node.generation };
            if !kept.contains(&id) && node.is_listed {
                node.is_listed = false;
                removed += 1;
            }
        }
        let turns: HashMap<Arc<str>, usize> =
            self.sets.iter().map(|members| (members.set.name.clone(), members.turn)).collect();
        self.domains.clear();
        let mut sets = Vec::new();
        for (number, (set, nodes)) in list.sets().iter().zip(placed).enumerate() {
            for domain in &set.domains {
                self.domains.insert(domain.clone(), number);
            }
            let turn = turns.get(&set.name).copied().unwrap_or(0);
            sets.push(Members { set: set.clone(), nodes, turn });
        }
        self.sets = sets;
        self.version += 1;
        self.free();
        let moved = self.moved_since(&before);
        self.tell(Event::Loaded { version: self.version, added, removed, stayed, moved });
    }

    /// Takes new calls from it again.
    ///
    /// Says whether there is such a destination, as the other commands do.
    pub fn enable(&mut self, name: &str) -> bool {
        self.command(name, health::Event::Enable, Why::Enabled, |node| node.drain = None)
    }

    /// Gives it no new calls and probes it no longer.
    pub fn disable(&mut self, name: &str) -> bool {
        self.command(name, health::Event::Disable, Why::Disabled, |node| node.drain = None)
    }

    /// Gives it no new calls while those begun before go on. It is disabled when they are over, or at the deadline.
    pub fn drain(&mut self, now: Instant, name: &str, within: Option<Duration>) -> bool {
        self.command(name, health::Event::Drain, Why::Drained, |node| {
            let calls = node.calls();
            node.drain = Some(Drain {
                since: now,
                deadline: within.map(|within| now + within),
                calls,
                is_over: false,
                took: Duration::ZERO,
            });
        })
    }

    /// Tells that a destination lives or not, found by somebody else's probes.
    pub fn set_alive(&mut self, name: &str, lives: bool) -> bool {
        let why = if lives { Why::ProbeAnswered } else { Why::ProbeFailed };
        self.command(name, health::Event::Told { lives }, why, |_| {})
    }

    /// Tells that a request could not be sent to a destination: it counts like a probe that failed.
    pub fn note_failure(&mut self, id: NodeId) {
        self.on_health(id, health::Event::Failure, Why::Unreachable);
    }

    /// Where a request goes: by its cookie, by the record, by the set's algorithm over `key`, in this order.
    ///
    /// `cookie` is the tag of the destination that the request's route names, already verified. What begins a call is recorded.
    ///
    /// # Errors
    /// When nobody takes it.
    pub fn route(
        &mut self,
        now: Instant,
        call: CallKey,
        asked: Asked,
        set: usize,
        key: &[u8],
        cookie: Option<u64>,
    ) -> Result<Choice, Nowhere> {
        let at = self.micros(now);
        let known = self.record.get(call).map(|entry| (entry.node, entry.phase));
        let from_cookie = cookie.and_then(|tag| self.by_tag.get(&tag)).copied();
        for (node, reason) in [(from_cookie, Reason::Cookie), (known.map(|(node, _)| node), Reason::Record)] {
            if let Some(node) = node.filter(|node| self.node(*node).is_some_and(|node| node.health.is_alive())) {
                // A registration that is refreshed under one Call-ID begins again with each: it may move when nothing of it is
                // under way.
                if let Some((_, phase)) = known {
                    self.go_on(at, call, node, asked, phase);
                }
                return Ok(Choice { node, reason });
            }
        }
        let is_orphan = from_cookie.is_some() || known.is_some();
        let choice = match asked {
            Asked::Invite | Asked::Alone => self.choose(set, key)?,
            Asked::Belongs | Asked::Ends if is_orphan => Choice { reason: Reason::Moved, ..self.choose(set, key)? },
            Asked::Belongs | Asked::Ends => self.hashed(set, key)?,
        };
        if is_orphan {
            let from = known.map(|(node, _)| node).or(from_cookie);
            self.tell_moved(call, from, choice.node);
        }
        match asked {
            Asked::Invite => self.begin(at, call, choice.node, Phase::Setup),
            Asked::Alone if self.config.record_others => self.begin(at, call, choice.node, Phase::Alone),
            _ if known.is_some() => {
                let phase = known.map_or(Phase::Over, |(_, phase)| phase);
                self.begin(at, call, choice.node, phase);
            }
            _ => {}
        }
        Ok(choice)
    }

    /// Notes a response that passes on its way back: how long its destination took, whether its call was answered or refused.
    pub fn note_response(&mut self, now: Instant, call: CallKey, is_invite: bool, is_bye: bool, status: StatusCode) {
        let at = self.micros(now);
        let Some(entry) = self.record.get_mut(call) else { return };
        let (node, phase) = (entry.node, entry.phase);
        if !entry.heard {
            entry.heard = true;
            let sample = Duration::from_micros(at.saturating_sub(entry.begun));
            let share = self.config.latency_share;
            if let Some(node) = self.node_mut(node) {
                node.note_latency(sample, share);
            }
        }
        let next = match phase {
            Phase::Setup if is_invite && status.is_success() => {
                if self.config.follow_calls {
                    Phase::Talking
                } else {
                    Phase::Over
                }
            }
            Phase::Setup if is_invite && status.is_final() => Phase::Over,
            Phase::Talking if is_bye && status.is_final() => Phase::Over,
            _ => return,
        };
        self.begin(at, call, node, next);
    }

    /// Takes in what another dispatcher began or saw end.
    pub fn learn(&mut self, now: Instant, shared: Shared) {
        let Some(node) = self.by_tag.get(&shared.tag).copied() else { return };
        let at = self.micros(now);
        match self.record.get(shared.call).map(|entry| (entry.node, entry.phase)) {
            // Ours stays: its first request is there already. But if that one is dead, theirs is as good.
            Some((own, _)) if own != node && self.node(own).is_some_and(|node| node.health.is_alive()) => {}
            // A Setup that comes late says nothing new.
            Some((own, phase)) if own == node && shared.phase <= phase && shared.phase != Phase::Setup => {}
            Some((own, Phase::Talking | Phase::Over)) if own == node && shared.phase == Phase::Setup => {}
            _ => {
                self.record.put(at, shared.call, node, shared.phase);
                if let Some(entry) = self.record.get_mut(shared.call) {
                    entry.heard = true;
                }
                self.settle();
            }
        }
    }

    /// What other dispatchers are to be told.
    #[must_use]
    pub fn poll_shared(&mut self) -> Option<Shared> {
        self.untold.pop_front()
    }

    /// How much there is to tell other dispatchers.
    #[must_use]
    pub fn untold(&self) -> usize {
        self.untold.len()
    }

    /// All calls that are recorded, for a dispatcher that begins.
    #[must_use]
    pub fn calls(&self) -> Vec<Shared> {
        let shared = self
            .record
            .calls()
            .filter_map(|(call, entry)| Some(Shared { call, tag: self.node(entry.node)?.tag, phase: entry.phase }));
        shared.collect()
    }

    /// Does what is due: probes, ends of drains, forgetting.
    pub fn handle_timeout(&mut self, now: Instant) {
        let at = self.micros(now);
        self.record.expire(at, 4_096);
        self.settle();
        self.expire_probes(now);
        self.end_drains(now);
        if now >= self.window + WINDOW {
            let gone = now >= self.window + WINDOW * 2;
            self.window = now;
            for node in self.nodes.iter_mut().flatten() {
                let [current, last] = &mut node.recent;
                *last = if gone { 0 } else { *current };
                *current = 0;
            }
        }
        self.free();
    }

    /// When to call [`Dispatcher::handle_timeout`] next.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let expiry = self.record.next_expiry().map(|at| self.epoch + Duration::from_micros(at));
        let nodes = self.nodes.iter().flatten().flat_map(|node| {
            let probe = match (self.is_probed(node), node.probe.outstanding) {
                (_, Some(outstanding)) => Some(outstanding.until),
                (true, None) => Some(node.probe.next),
                (false, None) => None,
            };
            let deadline = node.drain.filter(|drain| !drain.is_over).and_then(|drain| drain.deadline);
            [probe, deadline]
        });
        nodes.flatten().chain(expiry).chain([self.window + WINDOW]).min()
    }

    /// What there is to tell.
    #[must_use]
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// The key of a Call-ID.
    #[must_use]
    pub fn call_key(&self, call_id: &[u8]) -> CallKey {
        CallKey(self.call_keys.hash(call_id).as_u128())
    }

    /// The set that serves a host, by its number.
    #[must_use]
    pub fn set_for(&self, host: &[u8]) -> Option<usize> {
        if !self.domains.is_empty()
            && let Ok(host) = std::str::from_utf8(host)
        {
            let found = self.domains.get(host).or_else(|| self.domains.get(host.to_ascii_lowercase().as_str()));
            if let Some(number) = found {
                return Some(*number);
            }
        }
        self.sets.iter().position(|members| members.set.domains.is_empty())
    }

    /// Whether sets are told apart by the host of the Request-URI.
    #[must_use]
    pub fn has_domains(&self) -> bool {
        !self.domains.is_empty()
    }

    /// What a set hashes.
    #[must_use]
    pub fn key_of(&self, set: usize) -> Option<&Key> {
        self.sets.get(set).map(|members| &members.set.key)
    }

    /// Where a destination is reached.
    #[must_use]
    pub fn place(&self, id: NodeId) -> Option<(Transport, SocketAddr)> {
        self.node(id).map(|node| (node.destination.transport, node.destination.address))
    }

    /// What a destination is called.
    #[must_use]
    pub fn name(&self, id: NodeId) -> Option<&str> {
        self.node(id).map(|node| &*node.destination.name)
    }

    /// What stands for a destination in cookies.
    #[must_use]
    pub fn tag(&self, id: NodeId) -> Option<u64> {
        self.node(id).map(|node| node.tag)
    }

    /// The destination at an address.
    #[must_use]
    pub fn at(&self, transport: Transport, address: SocketAddr) -> Option<NodeId> {
        self.by_address.get(&(transport, address)).copied()
    }

    fn command(&mut self, name: &str, event: health::Event, why: Why, more: impl FnOnce(&mut Node)) -> bool {
        let tag = self.rendezvous.point(name.as_bytes());
        let Some(id) = self.by_tag.get(&tag).copied() else { return false };
        if let Some(node) = self.node_mut(id) {
            more(node);
        }
        self.on_health(id, event, why);
        true
    }

    fn on_health(&mut self, id: NodeId, event: health::Event, why: Why) {
        let thresholds = Thresholds { down: self.config.probe.down, up: self.config.probe.up };
        let Some(node) = self.node(id) else { return };
        let mut health = node.health;
        health.on_event(event, thresholds);
        let (from, to) = (node.health.state(), health.state());
        let changes_place = health.is_open() != node.health.is_open();
        let before = if changes_place { self.sample() } else { Vec::new() };
        let Some(node) = self.node_mut(id) else { return };
        let lived = node.health.is_alive();
        node.health = health;
        let name = node.name().clone();
        if from != to || lived != health.is_alive() {
            let moved = self.moved_since(&before);
            self.tell(Event::Changed { name, from, to, is_alive: health.is_alive(), why, moved });
        }
    }

    /// What follows a first request goes on where it is.
    fn go_on(&mut self, at: u64, call: CallKey, node: NodeId, asked: Asked, phase: Phase) {
        match (asked, phase) {
            (Asked::Invite, Phase::Over) => self.begin(at, call, node, Phase::Setup),
            (Asked::Ends, Phase::Talking | Phase::Setup) => self.begin(at, call, node, Phase::Over),
            _ => self.record.touch(at, call),
        }
    }

    /// Records where a call is, and what others are to know of it.
    fn begin(&mut self, at: u64, call: CallKey, node: NodeId, phase: Phase) {
        let is_new = self.record.put(at, call, node, phase);
        self.settle();
        let Some(entry) = self.node_mut(node) else { return };
        if is_new {
            entry.total += 1;
            if let Some(recent) = entry.recent.first_mut() {
                *recent += 1;
            }
        }
        let tag = entry.tag;
        if self.config.share && self.untold.len() < self.config.untold {
            self.untold.push_back(Shared { call, tag, phase });
        }
    }

    /// Counts what changed in the record.
    fn settle(&mut self) {
        while let Some(change) = self.record.take_change() {
            let Some(node) = self.node_mut(change.node) else { continue };
            let count = |node: &mut Node, phase: Phase, add: bool| {
                let step = |count: &mut usize| *count = if add { *count + 1 } else { count.saturating_sub(1) };
                step(&mut node.entries);
                match phase {
                    Phase::Setup => step(&mut node.setup),
                    Phase::Talking => step(&mut node.talking),
                    Phase::Over | Phase::Alone => {}
                }
            };
            if let Some(phase) = change.from {
                count(node, phase, false);
            }
            if let Some(phase) = change.to {
                count(node, phase, true);
            }
        }
    }

    fn end_drains(&mut self, now: Instant) {
        let mut ended = Vec::new();
        for (index, node) in self.nodes.iter_mut().enumerate() {
            let Some(node) = node else { continue };
            let (calls, name) = (node.calls(), node.name().clone());
            let is_empty = calls == 0;
            let Some(drain) = node.drain.as_mut().filter(|drain| !drain.is_over) else { continue };
            let is_late = drain.deadline.is_some_and(|deadline| now >= deadline);
            // Whatever was under way when the drain began has a moment to be noticed.
            if is_late || (is_empty && now >= drain.since + self.config.drain_settles) {
                drain.is_over = true;
                drain.took = now.saturating_duration_since(drain.since);
                let id = NodeId { index: index as u32, generation: node.generation };
                ended.push((id, name, calls, drain.took));
            }
        }
        for (id, name, left, took) in ended {
            self.tell(Event::Emptied { name, left, took });
            self.on_health(id, health::Event::Disable, if left == 0 { Why::Emptied } else { Why::Deadline });
        }
    }

    fn add(&mut self, now: Instant, destination: Destination) -> NodeId {
        let tag = self.rendezvous.point(destination.name.as_bytes());
        let address = (destination.transport, destination.address);
        self.generation += 1;
        let mut node = Node::new(now, self.generation, destination, tag);
        node.probe.next = now + self.stagger();
        let index = match self.nodes.iter().position(Option::is_none) {
            Some(index) => index,
            None => {
                self.nodes.push(None);
                self.nodes.len() - 1
            }
        };
        if let Some(place) = self.nodes.get_mut(index) {
            *place = Some(node);
        }
        let id = NodeId { index: index as u32, generation: self.generation };
        self.by_tag.insert(tag, id);
        self.by_address.insert(address, id);
        id
    }

    /// Drops destinations that the list does not have and that no call needs.
    fn free(&mut self) {
        for (index, place) in self.nodes.iter_mut().enumerate() {
            let Some(node) = place.as_ref().filter(|node| !node.is_listed && node.entries == 0) else { continue };
            let id = NodeId { index: index as u32, generation: node.generation };
            // A destination of the same name at another address may have taken its place there.
            if self.by_tag.get(&node.tag) == Some(&id) {
                self.by_tag.remove(&node.tag);
            }
            let address = (node.destination.transport, node.destination.address);
            if self.by_address.get(&address) == Some(&id) {
                self.by_address.remove(&address);
            }
            *place = None;
        }
    }

    fn tell_moved(&mut self, call: CallKey, from: Option<NodeId>, to: NodeId) {
        let name = |id| self.node(id).map(|node: &Node| node.name().clone());
        let (from, to) = (from.and_then(name), name(to));
        if from != to {
            self.tell(Event::CallMoved { call, from, to });
        }
    }

    fn tell(&mut self, event: Event) {
        if self.events.len() >= self.config.events {
            self.events.pop_front();
            self.events_lost += 1;
        }
        self.events.push_back(event);
    }

    fn node(&self, id: NodeId) -> Option<&Node> {
        self.nodes.get(id.index as usize)?.as_ref().filter(|node| node.generation == id.generation)
    }

    fn node_mut(&mut self, id: NodeId) -> Option<&mut Node> {
        self.nodes.get_mut(id.index as usize)?.as_mut().filter(|node| node.generation == id.generation)
    }

    fn micros(&self, now: Instant) -> u64 {
        u64::try_from(now.saturating_duration_since(self.epoch).as_micros()).unwrap_or(u64::MAX / 4)
    }
}
