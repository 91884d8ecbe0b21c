//! The network: what is on its way, and what becomes of it.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::conditions::Conditions;
use crate::dice::Dice;
use crate::stream::{Stream, StreamId};

/// Something that arrives at an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Arrival {
    /// A datagram.
    Datagram {
        /// Who sent it.
        from: SocketAddr,
        /// Whom it reaches.
        to: SocketAddr,
        /// What is in it.
        payload: Vec<u8>,
    },
    /// Somebody opened a stream to us.
    Incoming {
        /// The stream.
        stream: StreamId,
        /// Who opened it.
        from: SocketAddr,
        /// Whom it reaches.
        to: SocketAddr,
    },
    /// A stream that we opened is open.
    Connected {
        /// The stream.
        stream: StreamId,
        /// Whom it reaches: the one who opened it.
        to: SocketAddr,
    },
    /// A stream that we opened finds nobody.
    Refused {
        /// The stream, which is no more.
        stream: StreamId,
        /// Whom it reaches: the one who wanted to open it.
        to: SocketAddr,
    },
    /// Bytes on a stream.
    Bytes {
        /// The stream.
        stream: StreamId,
        /// Whom it reaches.
        to: SocketAddr,
        /// What arrives.
        payload: Vec<u8>,
    },
    /// The other side closed the stream, or it was cut.
    Closed {
        /// The stream.
        stream: StreamId,
        /// Whom it reaches.
        to: SocketAddr,
    },
}

impl Arrival {
    /// Whom it reaches.
    #[must_use]
    pub const fn to(&self) -> SocketAddr {
        match self {
            Self::Datagram { to, .. }
            | Self::Incoming { to, .. }
            | Self::Connected { to, .. }
            | Self::Refused { to, .. }
            | Self::Bytes { to, .. }
            | Self::Closed { to, .. } => *to,
        }
    }
}

/// What became of a datagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fate {
    /// It is on its way.
    Sent,
    /// It is on its way twice.
    Duplicated,
    /// It is lost.
    Lost,
}

/// A datagram that was sent, for tests that check schedules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    /// When.
    pub at: Instant,
    /// By whom.
    pub from: SocketAddr,
    /// To whom.
    pub to: SocketAddr,
    /// What was in it.
    pub payload: Vec<u8>,
    /// What became of it.
    pub fate: Fate,
}

/// How many of what happened. Writes to streams count as `sent` and `delivered` too, a piece each.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Datagrams and writes that were sent.
    pub sent: u64,
    /// Datagrams that were lost.
    pub lost: u64,
    /// Datagrams that were doubled.
    pub duplicated: u64,
    /// Datagrams that were held back.
    pub reordered: u64,
    /// Arrivals that somebody took.
    pub delivered: u64,
    /// Arrivals at addresses that nobody owns.
    pub nobody: u64,
}

/// Datagrams and streams between socket addresses. The clock is an argument.
#[derive(Debug)]
pub struct Network {
    /// What paths do that have no conditions of their own.
    pub conditions: Conditions,
    /// Whether to remember every datagram in [`sent`](Self::sent).
    pub is_recording: bool,
    paths: HashMap<(SocketAddr, SocketAddr), Conditions>,
    unreachable: HashSet<SocketAddr>,
    dice: Dice,
    /// By time, then in the order of sending: a run replays exactly.
    underway: BTreeMap<(Instant, u64), Arrival>,
    order: u64,
    streams: HashMap<StreamId, Stream>,
    next_stream: u64,
    sent: Vec<Sent>,
    pub(crate) counters: Counters,
}

impl Network {
    /// A network in which these conditions hold everywhere.
    #[must_use]
    pub fn new(seed: u64, conditions: Conditions) -> Self {
        Self {
            conditions,
            is_recording: false,
            paths: HashMap::new(),
            unreachable: HashSet::new(),
            dice: Dice::new(seed),
            underway: BTreeMap::new(),
            order: 0,
            streams: HashMap::new(),
            next_stream: 0,
            sent: Vec::new(),
            counters: Counters::default(),
        }
    }

    /// Sets conditions for one direction of one path.
    pub fn set_path(&mut self, from: SocketAddr, to: SocketAddr, conditions: Conditions) {
        self.paths.insert((from, to), conditions);
    }

    /// Lets nothing through to an address any more: datagrams vanish and streams to it are refused.
    pub fn take_down(&mut self, address: SocketAddr) {
        self.unreachable.insert(address);
    }

    /// Undoes [`take_down`](Self::take_down).
    pub fn bring_up(&mut self, address: SocketAddr) {
        self.unreachable.remove(&address);
    }

    /// Sends a datagram.
    pub fn send(&mut self, now: Instant, from: SocketAddr, to: SocketAddr, payload: impl Into<Vec<u8>>) {
        let payload = payload.into();
        let conditions = self.path(from, to);
        self.counters.sent += 1;
        let too_long = conditions.mtu.is_some_and(|mtu| payload.len() > mtu);
        let lost = self.dice.chance(conditions.loss);
        let doubled = self.dice.chance(conditions.duplication);
        let fate = if lost || too_long || self.unreachable.contains(&to) {
            self.counters.lost += 1;
            Fate::Lost
        } else if doubled {
            self.counters.duplicated += 1;
            Fate::Duplicated
        } else {
            Fate::Sent
        };
        if self.is_recording {
            self.sent.push(Sent { at: now, from, to, payload: payload.clone(), fate });
        }
        let copies = match fate {
            Fate::Sent => 1,
            Fate::Duplicated => 2,
            Fate::Lost => 0,
        };
        for _ in 0..copies {
            let mut delay = self.delay(&conditions);
            if self.dice.chance(conditions.reordering) {
                self.counters.reordered += 1;
                delay += self.dice.duration(conditions.reordering_delay);
            }
            self.enqueue(now + delay, Arrival::Datagram { from, to, payload: payload.clone() });
        }
    }

    /// Opens a stream: [`Arrival::Incoming`] there, then [`Arrival::Connected`] here. It may be written to at once.
    pub fn connect(&mut self, now: Instant, from: SocketAddr, to: SocketAddr) -> StreamId {
        let id = StreamId(self.next_stream);
        self.next_stream += 1;
        if self.unreachable.contains(&to) {
            let delay = self.delay(&self.path(from, to));
            self.enqueue(now + delay, Arrival::Refused { stream: id, to: from });
            return id;
        }
        self.streams.insert(id, Stream::new(from, to, now));
        self.push(now, id, 1, Arrival::Incoming { stream: id, from, to });
        let there = self.streams.get(&id).map_or(now, |stream| stream.ends[1].busy_until);
        self.push(there, id, 0, Arrival::Connected { stream: id, to: from });
        id
    }

    /// Says that nobody takes an [`Arrival::Incoming`]: the other side gets [`Arrival::Refused`] or sees it closed.
    pub fn refuse(&mut self, now: Instant, stream: StreamId) {
        let Some(Stream { ends: [opener, _] }) = self.streams.remove(&stream) else { return };
        self.underway
            .retain(|_, arrival| !matches!(arrival, Arrival::Connected { stream: other, .. } if *other == stream));
        let delay = self.delay(&self.conditions.clone());
        self.enqueue(now + delay, Arrival::Refused { stream, to: opener.address });
    }

    /// Writes to a stream, as the one who has this address. Nothing happens when it is closed.
    pub fn write(&mut self, now: Instant, stream: StreamId, from: SocketAddr, payload: &[u8]) {
        let Some((receiver, from, to)) = self.other_end(stream, from) else { return };
        let splitting = self.path(from, to).splitting;
        self.counters.sent += 1;
        let mut rest = payload;
        while !rest.is_empty() {
            let length = if self.dice.chance(splitting) { 1 + self.dice.below(rest.len()) } else { rest.len() };
            let (piece, after) = rest.split_at_checked(length).unwrap_or((rest, &[]));
            self.push(now, stream, receiver, Arrival::Bytes { stream, to, payload: piece.to_vec() });
            rest = after;
        }
    }

    /// Closes a stream, as the one who has this address: what was written before still arrives.
    pub fn close(&mut self, now: Instant, stream: StreamId, from: SocketAddr) {
        let Some((receiver, _, to)) = self.other_end(stream, from) else { return };
        self.push(now, stream, receiver, Arrival::Closed { stream, to });
        let half_closed = self.streams.get_mut(&stream).is_some_and(|open| {
            for end in &mut open.ends {
                if end.address == from {
                    end.is_open = false;
                }
            }
            open.ends.iter().any(|end| end.is_open)
        });
        if !half_closed {
            self.streams.remove(&stream);
        }
    }

    /// Cuts a stream: both sides see it closed, and what was on its way is lost.
    pub fn cut(&mut self, now: Instant, stream: StreamId) {
        let Some(Stream { ends }) = self.streams.remove(&stream) else { return };
        self.underway.retain(|_, arrival| match arrival {
            Arrival::Datagram { .. } => true,
            Arrival::Incoming { stream: other, .. }
            | Arrival::Connected { stream: other, .. }
            | Arrival::Refused { stream: other, .. }
            | Arrival::Bytes { stream: other, .. }
            | Arrival::Closed { stream: other, .. } => *other != stream,
        });
        for end in ends {
            self.enqueue(now, Arrival::Closed { stream, to: end.address });
        }
    }

    /// Lets nothing arrive on a stream for a while, in either direction.
    pub fn stall(&mut self, now: Instant, stream: StreamId, span: Duration) {
        if let Some(open) = self.streams.get_mut(&stream) {
            for end in &mut open.ends {
                end.busy_until = end.busy_until.max(now + span);
            }
        }
    }

    /// The streams that are open.
    pub fn streams(&self) -> impl Iterator<Item = StreamId> + '_ {
        self.streams.keys().copied()
    }

    /// When the next thing arrives.
    #[must_use]
    pub fn next_arrival(&self) -> Option<Instant> {
        self.underway.first_key_value().map(|((at, _), _)| *at)
    }

    /// What has arrived by now; call until `None`.
    pub fn poll_arrival(&mut self, now: Instant) -> Option<Arrival> {
        let first = self.underway.first_entry()?;
        if first.key().0 > now { None } else { Some(first.remove()) }
    }

    /// Every datagram that was sent while [`is_recording`](Self::is_recording).
    #[must_use]
    pub fn sent(&self) -> &[Sent] {
        &self.sent
    }

    /// Forgets what was recorded.
    pub fn forget_sent(&mut self) {
        self.sent.clear();
    }

    /// How many of what happened.
    #[must_use]
    pub const fn counters(&self) -> Counters {
        self.counters
    }

    fn path(&self, from: SocketAddr, to: SocketAddr) -> Conditions {
        self.paths.get(&(from, to)).copied().unwrap_or(self.conditions)
    }

    fn delay(&mut self, conditions: &Conditions) -> Duration {
        conditions.delay + self.dice.duration(conditions.jitter)
    }

    /// The end that is not `from`: its index, and both addresses in the direction of travel.
    fn other_end(&self, stream: StreamId, from: SocketAddr) -> Option<(usize, SocketAddr, SocketAddr)> {
        let ends = &self.streams.get(&stream)?.ends;
        let sender = ends.iter().position(|end| end.address == from)?;
        let receiver = 1 - sender;
        if !ends.get(sender)?.is_open {
            return None;
        }
        Some((receiver, from, ends.get(receiver)?.address))
    }

    /// Puts something on its way on a stream, behind all that is underway to the same end.
    fn push(&mut self, now: Instant, stream: StreamId, receiver: usize, arrival: Arrival) {
        let Some(ends) = self.streams.get(&stream).map(|open| [open.ends[0].address, open.ends[1].address]) else {
            return;
        };
        let (from, to) = if receiver == 1 { (ends[0], ends[1]) } else { (ends[1], ends[0]) };
        let conditions = self.path(from, to);
        let arrives = now + self.delay(&conditions);
        let Some(end) = self.streams.get_mut(&stream).and_then(|open| open.ends.get_mut(receiver)) else { return };
        end.busy_until = end.busy_until.max(arrives);
        let at = end.busy_until;
        self.enqueue(at, arrival);
    }

    fn enqueue(&mut self, at: Instant, arrival: Arrival) {
        self.order += 1;
        self.underway.insert((at, self.order), arrival);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses() -> (SocketAddr, SocketAddr) {
        ("192.0.2.1:5060".parse().unwrap(), "192.0.2.2:5060".parse().unwrap())
    }

    fn start() -> Instant {
        crate::simulation::origin()
    }

    #[test]
    fn the_same_seed_replays_the_same_run() {
        let (alice, bob) = addresses();
        let run = |seed| {
            let mut network = Network::new(seed, Conditions::bad(0.2));
            let now = start();
            for number in 0..200_u8 {
                network.send(now, alice, bob, vec![number]);
            }
            let mut arrived = Vec::new();
            while let Some(at) = network.next_arrival() {
                while let Some(arrival) = network.poll_arrival(at) {
                    arrived.push((at - now, arrival));
                }
            }
            (arrived, network.counters())
        };
        assert_eq!(run(7), run(7));
        assert_ne!(run(7).0, run(8).0);
    }

    #[test]
    fn the_shares_come_out_as_they_were_set() {
        let (alice, bob) = addresses();
        let conditions = Conditions {
            loss: 0.3,
            duplication: 0.1,
            reordering: 0.2,
            reordering_delay: Duration::from_millis(10),
            ..Conditions::PERFECT
        };
        let mut network = Network::new(1, conditions);
        for _ in 0..10_000 {
            network.send(start(), alice, bob, *b"x");
        }
        let counters = network.counters();
        assert!((2_800..3_200).contains(&counters.lost), "{counters:?}");
        assert!((600..800).contains(&counters.duplicated), "{counters:?}");
        assert!((1_350..1_750).contains(&counters.reordered), "{counters:?}");
    }

    #[test]
    fn a_stream_keeps_order_whatever_the_jitter_and_the_cuts() {
        let (alice, bob) = addresses();
        let mut network = Network::new(3, Conditions::bad(0.5));
        let now = start();
        let stream = network.connect(now, alice, bob);
        let sent: Vec<u8> = (0..=255).collect();
        for piece in sent.chunks(10) {
            network.write(now, stream, alice, piece);
        }
        network.close(now, stream, alice);
        let mut got = Vec::new();
        let mut seen = Vec::new();
        while let Some(at) = network.next_arrival() {
            while let Some(arrival) = network.poll_arrival(at) {
                match arrival {
                    Arrival::Bytes { payload, to, .. } if to == bob => got.extend(payload),
                    Arrival::Incoming { .. } => seen.push("incoming"),
                    Arrival::Connected { .. } => seen.push("connected"),
                    Arrival::Closed { to, .. } if to == bob => seen.push("closed"),
                    other => panic!("{other:?}"),
                }
            }
        }
        assert_eq!(got, sent);
        assert_eq!(seen.first(), Some(&"incoming"));
        assert_eq!(seen.len(), 3);
    }

    #[test]
    fn a_stream_to_an_address_that_is_down_is_refused() {
        let (alice, bob) = addresses();
        let mut network = Network::new(3, Conditions::PERFECT);
        network.take_down(bob);
        let stream = network.connect(start(), alice, bob);
        assert_eq!(network.poll_arrival(start()), Some(Arrival::Refused { stream, to: alice }));
        assert_eq!(network.poll_arrival(start()), None);
    }

    #[test]
    fn a_cut_stream_is_closed_on_both_sides_and_loses_what_was_underway() {
        let (alice, bob) = addresses();
        let mut network = Network::new(3, Conditions::PERFECT);
        let stream = network.connect(start(), alice, bob);
        network.write(start(), stream, alice, b"lost");
        network.cut(start(), stream);
        let arrivals: Vec<_> = std::iter::from_fn(|| network.poll_arrival(start())).collect();
        assert_eq!(arrivals, [Arrival::Closed { stream, to: alice }, Arrival::Closed { stream, to: bob }]);
        network.write(start(), stream, bob, b"nothing");
        assert_eq!(network.poll_arrival(start()), None);
    }

    #[test]
    fn datagrams_over_the_mtu_are_lost() {
        let (alice, bob) = addresses();
        let mut network = Network::new(3, Conditions { mtu: Some(1_500), ..Conditions::PERFECT });
        network.send(start(), alice, bob, vec![0; 1_501]);
        assert_eq!(network.poll_arrival(start()), None);
        network.send(start(), alice, bob, vec![0; 1_500]);
        assert!(network.poll_arrival(start()).is_some());
    }
}
