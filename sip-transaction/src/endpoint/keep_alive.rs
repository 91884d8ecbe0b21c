//! Keep-alives (RFC 5626 §4.4): a double CRLF down connections, binding requests of STUN between datagrams, and the
//! answers to those of others (§8).

use std::collections::HashMap;
use std::hash::BuildHasher;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use rand_core::RngCore;
use sip_core::framing::PING;

use super::{CloseReason, Endpoint, Event, FlowFailure, Owner};
use crate::arena::{Arena, Slot};
use crate::stun::{self, Attribute, Class, Message, TransactionId};
use crate::transaction::key::Secret;
use crate::transport::connection::Phase;
use crate::transport::{Flow, Source, Transport};
use crate::wheel::Handle;

/// Between keep-alives of datagrams, where the other side does not say (§4.4.2): less than the 30 s after which many a
/// NAT forgets.
const DATAGRAMS: (Duration, Duration) = (Duration::from_secs(24), Duration::from_secs(29));

/// Between keep-alives of connections, where the other side does not say (§4.4.1).
const CONNECTIONS: (Duration, Duration) = (Duration::from_secs(95), Duration::from_secs(120));

/// How soon something must come after a double CRLF (§4.4.1).
const PONG_WITHIN: Duration = Duration::from_secs(10);

/// The largest message of STUN that is looked at. A keep-alive has 20 bytes, or a few more.
const LARGEST: usize = 548;

/// What was last done for a flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// The next keep-alive is waited for.
    Resting,
    /// A binding request was sent this many times.
    Asked { transaction: TransactionId, sent: u8 },
    /// A double CRLF was sent.
    Pinged { at: Instant },
}

/// A flow that is kept alive.
#[derive(Debug)]
struct Keeper {
    flow: Flow,
    /// Between keep-alives: at least and at most. `None` when there is only one.
    every: Option<(Duration, Duration)>,
    state: State,
    mapped: Option<SocketAddr>,
    timer: Option<Handle>,
}

/// All flows that are kept alive.
#[derive(Debug)]
pub(super) struct Keepers {
    arena: Arena<Keeper>,
    by_flow: HashMap<Flow, Slot, Secret>,
}

impl Keepers {
    pub(super) fn new(secret: Secret) -> Self {
        Self { arena: Arena::new(), by_flow: HashMap::with_hasher(secret) }
    }

    pub(super) fn len(&self) -> usize {
        self.arena.len()
    }
}

/// How many binding requests are answered: of each address, and of all strangers. The table is small and of fixed size:
/// addresses that share a place share what it allows.
#[derive(Debug, Default)]
pub(super) struct Budget {
    second: u64,
    all: u32,
    places: Vec<u32>,
}

impl Budget {
    /// Whether one more is answered.
    fn admit(&mut self, second: u64, hash: u64, is_stranger: bool, limits: (u32, u32)) -> bool {
        if self.second != second || self.places.is_empty() {
            self.second = second;
            self.all = 0;
            self.places.clear();
            self.places.resize(1_024, 0);
        }
        let (by_address, all) = limits;
        let Some(place) = self.places.get_mut((hash % 1_024) as usize) else { return false };
        if *place >= by_address || (is_stranger && self.all >= all) {
            return false;
        }
        *place += 1;
        self.all += u32::from(is_stranger);
        true
    }
}

/// IPv4 addresses are what they are, also on sockets of both families.
fn canonical(flow: Flow) -> Flow {
    match flow {
        Flow::Datagram { listener, remote } => {
            Flow::Datagram { listener, remote: SocketAddr::new(remote.ip().to_canonical(), remote.port()) }
        }
        connection @ Flow::Connection(_) => connection,
    }
}

impl Endpoint {
    /// Sends one keep-alive along a flow, so that what is between us and its other end sees that it lives. `false` when
    /// that cannot be: the connection is not open, the listener is not for datagrams, or too many flows are kept alive.
    ///
    /// Down a connection goes a double CRLF (RFC 5626 §3.5.1). As a datagram goes a binding request of STUN (§3.5.2), sent
    /// again as RFC 8489 §6.2.1 says with T1 as RTO; what became of it is told by [`Event::FlowAlive`] or
    /// [`Event::FlowFailed`]. Only who is known to take them may be sent such requests (§8).
    pub fn keep_alive(&mut self, now: Instant, flow: impl Into<Flow>) -> bool {
        let now = self.clamp(now);
        match flow.into() {
            Flow::Connection(id) => self.ping(id),
            flow @ Flow::Datagram { .. } => self.keep(now, flow, None),
        }
    }

    /// Sends keep-alives along a flow from now on, at intervals of 80 to 100 % of the Flow-Timer that the other side gave
    /// (RFC 5626 §4.4), or without one of 24 to 29 s for datagrams and of 95 to 120 s for connections. `false` when that
    /// cannot be, as for [`keep_alive`](Self::keep_alive).
    ///
    /// It ends when the flow has failed. Of datagrams that is told by [`Event::FlowFailed`]: when no answer came, or our
    /// address as the other side sees it has changed. A connection down which nothing comes within 10 s of a keep-alive
    /// is closed.
    pub fn keep_alive_every(&mut self, now: Instant, flow: impl Into<Flow>, flow_timer: Option<Duration>) -> bool {
        let now = self.clamp(now);
        let flow = flow.into();
        let every = match (flow_timer, flow) {
            (Some(most), _) => {
                let most = most.max(Duration::from_secs(1));
                (most.mul_f64(0.8), most)
            }
            (None, Flow::Datagram { .. }) => DATAGRAMS,
            (None, Flow::Connection(_)) => CONNECTIONS,
        };
        self.keep(now, flow, Some(every))
    }

    /// Sends no more keep-alives along a flow, and tells nothing more of it. Whether it was kept alive.
    pub fn let_go(&mut self, flow: impl Into<Flow>) -> bool {
        let slot = self.keepers.by_flow.get(&canonical(flow.into())).copied();
        slot.is_some_and(|slot| self.remove_keeper(slot).is_some())
    }

    /// Begins, or does at once what would come later.
    fn keep(&mut self, now: Instant, flow: Flow, every: Option<(Duration, Duration)>) -> bool {
        let can_be = match flow {
            Flow::Connection(id) => self.is_open(id),
            Flow::Datagram { listener, .. } => {
                self.listener(listener).is_some_and(|listener| listener.transport == Transport::Udp)
            }
        };
        let known = self.keepers.by_flow.get(&canonical(flow)).copied();
        let slot = match known {
            _ if !can_be => None,
            Some(slot) => Some(slot),
            None if self.keepers.len() >= self.config.kept_flows => None,
            None => {
                let keeper = Keeper { flow, every, state: State::Resting, mapped: None, timer: None };
                self.keepers.arena.insert(keeper)
            }
        };
        let Some(slot) = slot else { return false };
        self.keepers.by_flow.insert(canonical(flow), slot);
        let Some(keeper) = self.keepers.arena.get_mut(slot) else { return false };
        keeper.every = every.or(keeper.every);
        // Who waits for an answer already will see.
        if keeper.state == State::Resting {
            self.probe(now, slot);
        }
        true
    }

    fn is_open(&self, id: crate::ConnectionId) -> bool {
        self.connections.get(id).is_some_and(|connection| matches!(connection.phase, Phase::Open))
    }

    fn ping(&mut self, connection: crate::ConnectionId) -> bool {
        let is_open = self.is_open(connection);
        if is_open {
            self.queue.push_write(connection, Bytes::from_static(PING));
        }
        is_open
    }

    /// Sends the first of a keep-alive.
    fn probe(&mut self, now: Instant, slot: Slot) {
        let Some(flow) = self.keepers.arena.get(slot).map(|keeper| keeper.flow) else { return };
        match flow {
            Flow::Connection(id) => {
                if self.ping(id) {
                    self.enter(now, slot, State::Pinged { at: now }, PONG_WITHIN);
                } else {
                    self.remove_keeper(slot);
                }
            }
            Flow::Datagram { .. } => {
                let mut transaction = TransactionId([0; 12]);
                self.random.fill_bytes(&mut transaction.0);
                self.ask_binding(now, slot, transaction, 1);
            }
        }
    }

    fn ask_binding(&mut self, now: Instant, slot: Slot, transaction: TransactionId, sent: u8) {
        let Some(Flow::Datagram { listener, remote }) = self.keepers.arena.get(slot).map(|keeper| keeper.flow) else {
            return;
        };
        let payload = Message::new(Class::Request, stun::BINDING, transaction).to_bytes();
        self.queue.push_datagram(listener, remote, payload);
        self.counters.bindings_sent += 1;
        let patience = stun::patience(sent, self.config.timers.t1);
        self.enter(now, slot, State::Asked { transaction, sent }, patience);
    }

    /// Is in a state for so long.
    fn enter(&mut self, now: Instant, slot: Slot, state: State, how_long: Duration) {
        let Some(keeper) = self.keepers.arena.get_mut(slot) else { return };
        keeper.state = state;
        if let Some(timer) = keeper.timer.take() {
            self.wheel.stop(timer);
        }
        keeper.timer = Some(self.wheel.start(now, now + how_long, Owner::Keeper(slot)));
    }

    /// Waits for the time of the next keep-alive, if there is to be one.
    fn rest(&mut self, now: Instant, slot: Slot) {
        let Some((least, most)) = self.keepers.arena.get(slot).and_then(|keeper| keeper.every) else {
            self.remove_keeper(slot);
            return;
        };
        let spread = u64::try_from(most.saturating_sub(least).as_millis()).unwrap_or(u64::MAX - 1);
        let more = Duration::from_millis(self.random.next_u64() % (spread + 1));
        self.enter(now, slot, State::Resting, least + more);
    }

    pub(super) fn on_keeper_timer(&mut self, now: Instant, slot: Slot) {
        let Some(keeper) = self.keepers.arena.get_mut(slot) else { return };
        keeper.timer = None;
        match (keeper.state, keeper.flow) {
            (State::Resting, _) => self.probe(now, slot),
            (State::Asked { transaction, sent }, _) if sent < stun::REQUESTS => {
                self.ask_binding(now, slot, transaction, sent + 1);
            }
            (State::Asked { .. }, _) => self.fail_flow(slot, FlowFailure::Silent),
            (State::Pinged { at }, Flow::Connection(id)) => {
                if self.connections.get(id).is_some_and(|connection| connection.heard > at) {
                    self.rest(now, slot);
                } else {
                    self.close_because(now, id, CloseReason::Deadline);
                }
            }
            // Datagrams are not pinged.
            (State::Pinged { .. }, Flow::Datagram { .. }) => {}
        }
    }

    /// A datagram of STUN.
    pub(super) fn on_stun(&mut self, now: Instant, source: Source, payload: &[u8]) {
        // What is too large is not even read.
        let message = Some(payload).filter(|payload| payload.len() <= LARGEST).map(Message::parse);
        let message = match message {
            Some(Ok(message)) if message.method == stun::BINDING => message,
            _ => {
                self.counters.bindings_stray += 1;
                return;
            }
        };
        match message.class {
            Class::Request => self.answer_binding(now, &message, source, payload.len()),
            Class::Indication => self.counters.keep_alives += 1,
            Class::Success | Class::Error => self.on_binding(now, &message, source),
        }
    }

    /// One answer for one request, and no longer than three times as long: a sender's address may be forged.
    fn answer_binding(&mut self, now: Instant, request: &Message, source: Source, length: usize) {
        let is_stranger = self.is_stranger(&source);
        let address = source.remote.ip().to_canonical();
        let second = self.origin.map_or(0, |origin| now.saturating_duration_since(origin).as_secs());
        let limits = (self.config.bindings_per_address, self.config.bindings);
        if !self.bindings.admit(second, self.secret.hash_one(address), is_stranger, limits) {
            self.counters.bindings_shed += 1;
            return;
        }
        let mapped = SocketAddr::new(address, source.remote.port());
        let answer = request
            .refuse_unknown()
            .unwrap_or_else(|| request.answer().with(Attribute::XorMappedAddress(mapped)))
            .to_bytes();
        if answer.len() > length.saturating_mul(3) {
            self.counters.amplification_prevented += 1;
            return;
        }
        self.counters.keep_alives += 1;
        self.counters.bindings_answered += 1;
        self.queue.push_datagram(source.listener, source.remote, answer);
    }

    /// The answer to a binding request, if it is to one of ours and comes from where that went.
    fn on_binding(&mut self, now: Instant, answer: &Message, source: Source) {
        let slot = self.keepers.by_flow.get(&canonical(Flow::from(&source))).copied();
        let keeper = slot.and_then(|slot| Some((slot, self.keepers.arena.get_mut(slot)?)));
        let Some((slot, keeper)) = keeper.filter(
            |(_, keeper)| matches!(keeper.state, State::Asked { transaction, .. } if transaction == answer.transaction),
        ) else {
            self.counters.bindings_stray += 1;
            return;
        };
        let is_understood = answer.class == Class::Success && answer.unknown().next().is_none();
        match (answer.mapped().filter(|_| is_understood), keeper.mapped) {
            (None, _) => self.fail_flow(slot, FlowFailure::Refused),
            (Some(to), Some(from)) if to != from => self.fail_flow(slot, FlowFailure::Moved { from, to }),
            (Some(_), Some(_)) => self.rest(now, slot),
            (Some(mapped), None) => {
                keeper.mapped = Some(mapped);
                let flow = keeper.flow;
                self.tell(Event::FlowAlive { flow, mapped });
                self.rest(now, slot);
            }
        }
    }

    fn fail_flow(&mut self, slot: Slot, reason: FlowFailure) {
        if let Some(keeper) = self.remove_keeper(slot) {
            self.tell(Event::FlowFailed { flow: keeper.flow, reason });
        }
    }

    fn remove_keeper(&mut self, slot: Slot) -> Option<Keeper> {
        let keeper = self.keepers.arena.remove(slot)?;
        self.keepers.by_flow.remove(&canonical(keeper.flow));
        if let Some(timer) = keeper.timer {
            self.wheel.stop(timer);
        }
        Some(keeper)
    }
}
