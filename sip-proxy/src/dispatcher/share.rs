//! How dispatchers tell each other of calls begun: small authenticated datagrams, bounded, of no use when replayed.
//!
//! ```text
//!  0  "TDS1"          4   magic and version
//!  4  kind            1   0 hello, 1 calls
//!  5  session         8   random, chosen when the sender began
//! 13  nonce           8   what the sender wants to see echoed
//! 21  echo            8   the receiver's nonce, as the sender last saw it; 0 when it saw none
//! 29  sequence        8   counts the sender's datagrams to this receiver, from 1
//! 37  count           2   entries, at most 45
//! 39  entries     25 each call key 16, tag of the destination's name 8, phase 1 (0 setup, 1 talking, 2 over)
//!     code           16   the first half of HMAC-SHA-256 over all before, under a key of the common secret
//! ```
//!
//! All numbers are big-endian. A datagram counts only when it echoes a nonce that the receiver made for this peer and whose
//! sequence is new, so that no clocks need to agree and nothing of an earlier life of either side is believed: a hello from an
//! unknown session is answered with a fresh nonce, and the session is taken for new when that one is echoed. Datagrams from
//! addresses that are not configured are not looked at; what is answered is answered with no more bytes than came.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::{BufMut, Bytes, BytesMut};
use hmac::{Hmac, KeyInit, Mac};
use rand_chacha::ChaCha8Rng;
use rand_core::{RngCore, SeedableRng};
use sha2::Sha256;
use subtle::ConstantTimeEq;

use super::{CallKey, Phase, Secret};

const MAGIC: &[u8; 4] = b"TDS1";
const HEAD: usize = 39;
const ENTRY: usize = 25;
const CODE: usize = 16;
/// Entries a datagram: 1,180 bytes, which fit everywhere.
const ENTRIES: usize = 45;
const HELLO: u8 = 0;
const CALLS: u8 = 1;

/// One call that another dispatcher is to know of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Shared {
    /// The call.
    pub call: CallKey,
    /// The tag of its destination's name.
    pub tag: u64,
    /// How far it is.
    pub phase: Phase,
}

/// Another dispatcher.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PeerConfig {
    /// Where it sends from and is sent to.
    pub address: SocketAddr,
}

/// Settings of a [`Share`].
#[derive(Debug, Clone)]
pub struct ShareConfig {
    /// The other dispatchers.
    pub peers: Vec<PeerConfig>,
    /// The common secret.
    pub secret: Secret,
    /// How often hellos are sent.
    pub hello: Duration,
    /// How long a peer may be silent before it counts as gone.
    pub silence: Duration,
    /// How many calls may wait to be told to a peer. Past it, the oldest is lost.
    pub backlog: usize,
    /// How many datagrams are sent to a peer at once, and how long it is waited between.
    pub burst: (usize, Duration),
}

impl ShareConfig {
    /// The usual settings.
    #[must_use]
    pub fn new(secret: Secret, peers: Vec<PeerConfig>) -> Self {
        Self {
            peers,
            secret,
            hello: Duration::from_secs(1),
            silence: Duration::from_secs(5),
            backlog: 500_000,
            burst: (64, Duration::from_millis(2)),
        }
    }
}

/// What happened to datagrams.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ShareCounters {
    /// Datagrams sent.
    pub sent: u64,
    /// Calls told.
    pub told: u64,
    /// Calls learned.
    pub learned: u64,
    /// Datagrams of addresses that are no peer's.
    pub strangers: u64,
    /// Datagrams that are malformed or not of the common secret.
    pub forged: u64,
    /// Datagrams that came before, or belong to another life of one side.
    pub stale: u64,
    /// Calls that were not told for want of room.
    pub dropped: u64,
}

#[derive(Debug)]
struct Peer {
    address: SocketAddr,
    /// What it must echo.
    nonce: u64,
    /// What it must echo to be taken for a new session.
    candidate: Option<u64>,
    session: Option<u64>,
    /// What it wants echoed: it can be sent to.
    theirs: Option<u64>,
    /// The highest sequence that came, and which of the 128 below it came.
    highest: u64,
    window: u128,
    sequence: u64,
    heard: Instant,
    next_hello: Instant,
    /// When a hello was last answered.
    answered: Option<Instant>,
    waiting: VecDeque<Shared>,
    next_burst: Instant,
    wants_all: bool,
}

/// Tells other dispatchers of calls, and learns of theirs. A machine.
#[derive(Debug)]
pub struct Share {
    config: ShareConfig,
    key: [u8; 32],
    random: ChaCha8Rng,
    session: u64,
    peers: Vec<Peer>,
    outputs: VecDeque<(SocketAddr, Bytes)>,
    learned: VecDeque<Shared>,
    counters: ShareCounters,
}

/// What a datagram says.
struct Datagram {
    session: u64,
    nonce: u64,
    echo: u64,
    sequence: u64,
    calls: Vec<Shared>,
}

impl Share {
    /// Begins to share; the first hellos are due at once.
    #[must_use]
    pub fn new(now: Instant, config: ShareConfig, seed: [u8; 32]) -> Self {
        let mut random = ChaCha8Rng::from_seed(seed);
        let peers = config.peers.iter().map(|peer| Peer {
            address: peer.address,
            nonce: fresh(&mut random),
            candidate: None,
            session: None,
            theirs: None,
            highest: 0,
            window: 0,
            sequence: 0,
            heard: now,
            next_hello: now,
            answered: None,
            waiting: VecDeque::new(),
            next_burst: now,
            wants_all: false,
        });
        let peers = peers.collect();
        let session = fresh(&mut random);
        Self {
            key: config.secret.derive("share"),
            config,
            random,
            session,
            peers,
            outputs: VecDeque::new(),
            learned: VecDeque::new(),
            counters: ShareCounters::default(),
        }
    }

    /// Tells all peers that are there of a call.
    pub fn tell(&mut self, call: Shared) {
        let limit = self.config.backlog;
        for peer in self.peers.iter_mut().filter(|peer| peer.theirs.is_some()) {
            if peer.waiting.len() >= limit {
                peer.waiting.pop_front();
                self.counters.dropped += 1;
            }
            peer.waiting.push_back(call);
        }
    }

    /// The number of a peer that has just come and is to be told of all calls, with [`Share::tell_all`].
    #[must_use]
    pub fn poll_newcomer(&mut self) -> Option<usize> {
        let number = self.peers.iter().position(|peer| peer.wants_all)?;
        self.peers.get_mut(number)?.wants_all = false;
        Some(number)
    }

    /// Tells one peer of many calls, a few at a time.
    pub fn tell_all(&mut self, peer: usize, calls: Vec<Shared>) {
        let limit = self.config.backlog;
        if let Some(peer) = self.peers.get_mut(peer) {
            let room = limit.saturating_sub(peer.waiting.len());
            self.counters.dropped += calls.len().saturating_sub(room) as u64;
            peer.waiting.extend(calls.into_iter().take(room));
        }
    }

    /// Takes a datagram. Whatever it is, nothing but a counter comes of what is not genuine, new and of a peer.
    pub fn handle_datagram(&mut self, now: Instant, source: SocketAddr, payload: &[u8]) {
        let Some(peer) = self.peers.iter_mut().find(|peer| peer.address == source) else {
            self.counters.strangers += 1;
            return;
        };
        let Some(datagram) = open(&self.key, payload).filter(|datagram| datagram.session != self.session) else {
            self.counters.forged += 1;
            return;
        };
        let is_same = peer.session.is_none_or(|session| session == datagram.session);
        if datagram.echo == peer.nonce && is_same {
            if !peer.is_new(datagram.sequence) {
                self.counters.stale += 1;
                return;
            }
        } else if peer.candidate.is_some_and(|candidate| candidate == datagram.echo) {
            peer.nonce = datagram.echo;
            peer.candidate = None;
            peer.theirs = None;
            peer.highest = 0;
            peer.window = 0;
            peer.session = None;
            let _ = peer.is_new(datagram.sequence);
        } else {
            self.counters.stale += 1;
            let recently = peer.answered.is_some_and(|at| now < at + Duration::from_millis(20));
            if !recently {
                peer.answered = Some(now);
                let nonce =
                    if is_same { peer.nonce } else { *peer.candidate.get_or_insert_with(|| fresh(&mut self.random)) };
                // This is no sign of life, and the sequence of who is there goes on.
                peer.sequence += 1;
                let head = Head { session: self.session, nonce, echo: datagram.nonce, sequence: peer.sequence };
                self.outputs.push_back((source, seal(&self.key, HELLO, head, &[])));
                self.counters.sent += 1;
            }
            return;
        }
        peer.heard = now;
        if peer.highest == datagram.sequence {
            if peer.theirs.is_none() {
                peer.wants_all = true;
                peer.next_hello = now;
            }
            peer.theirs = Some(datagram.nonce);
        }
        peer.session = Some(datagram.session);
        self.counters.learned += datagram.calls.len() as u64;
        // Bounded by what is taken before the next datagram is given.
        self.learned.extend(datagram.calls);
    }

    /// Sends what is due.
    pub fn handle_timeout(&mut self, now: Instant) {
        for peer in &mut self.peers {
            if peer.theirs.is_some() && now >= peer.heard + self.config.silence {
                peer.theirs = None;
                peer.waiting.clear();
            }
            if now >= peer.next_hello {
                peer.next_hello = now + self.config.hello;
                let datagram = peer.seal(&self.key, self.session, HELLO, &[]);
                self.outputs.push_back((peer.address, datagram));
                self.counters.sent += 1;
            }
            if now < peer.next_burst {
                continue;
            }
            let (most, pause) = self.config.burst;
            for _ in 0..most {
                if peer.waiting.is_empty() || peer.theirs.is_none() {
                    break;
                }
                let count = peer.waiting.len().min(ENTRIES);
                let calls: Vec<Shared> = peer.waiting.drain(..count).collect();
                let datagram = peer.seal(&self.key, self.session, CALLS, &calls);
                self.outputs.push_back((peer.address, datagram));
                self.counters.sent += 1;
                self.counters.told += calls.len() as u64;
            }
            if !peer.waiting.is_empty() {
                peer.next_burst = now + pause;
            }
        }
    }

    /// When to call [`Share::handle_timeout`] next: at once after something was told.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let due = |peer: &Peer| {
            let burst = (!peer.waiting.is_empty()).then_some(peer.next_burst);
            burst.map_or(peer.next_hello, |burst| burst.min(peer.next_hello))
        };
        self.peers.iter().map(due).min()
    }

    /// The next datagram to send, and where.
    #[must_use]
    pub fn poll_output(&mut self) -> Option<(SocketAddr, Bytes)> {
        self.outputs.pop_front()
    }

    /// The next call that was learned, for [`Dispatcher::learn`](super::Dispatcher::learn).
    #[must_use]
    pub fn poll_learned(&mut self) -> Option<Shared> {
        self.learned.pop_front()
    }

    /// What happened so far.
    #[must_use]
    pub const fn counters(&self) -> ShareCounters {
        self.counters
    }

    /// How many peers are there.
    #[must_use]
    pub fn present(&self) -> usize {
        self.peers.iter().filter(|peer| peer.theirs.is_some()).count()
    }
}

impl Peer {
    fn seal(&mut self, key: &[u8; 32], session: u64, kind: u8, calls: &[Shared]) -> Bytes {
        self.sequence += 1;
        let head = Head { session, nonce: self.nonce, echo: self.theirs.unwrap_or(0), sequence: self.sequence };
        seal(key, kind, head, calls)
    }

    /// Whether a sequence did not come before; notes it.
    fn is_new(&mut self, sequence: u64) -> bool {
        if sequence > self.highest {
            let step = sequence - self.highest;
            self.window = if step >= 128 { 0 } else { self.window << step };
            self.window |= 1;
            self.highest = sequence;
            return true;
        }
        let behind = self.highest - sequence;
        if behind >= 128 || self.window >> behind & 1 == 1 {
            return false;
        }
        self.window |= 1 << behind;
        true
    }
}

#[derive(Clone, Copy)]
struct Head {
    session: u64,
    nonce: u64,
    echo: u64,
    sequence: u64,
}

/// Not 0, which stands for none.
fn fresh(random: &mut ChaCha8Rng) -> u64 {
    random.next_u64().max(1)
}

fn seal(key: &[u8; 32], kind: u8, head: Head, calls: &[Shared]) -> Bytes {
    let mut out = BytesMut::with_capacity(HEAD + calls.len() * ENTRY + CODE);
    out.put_slice(MAGIC);
    out.put_u8(kind);
    for number in [head.session, head.nonce, head.echo, head.sequence] {
        out.put_u64(number);
    }
    out.put_u16(calls.len() as u16);
    for call in calls {
        out.put_slice(&call.call.to_bytes());
        out.put_u64(call.tag);
        out.put_u8(call.phase.to_byte());
    }
    let code = authenticate(key, &out);
    out.put_slice(&code);
    out.freeze()
}

fn open(key: &[u8; 32], payload: &[u8]) -> Option<Datagram> {
    if payload.len() < HEAD + CODE || payload.len() > HEAD + ENTRIES * ENTRY + CODE {
        return None;
    }
    let (content, code) = payload.split_at_checked(payload.len() - CODE)?;
    if !bool::from(authenticate(key, content).as_slice().ct_eq(code)) {
        return None;
    }
    let (magic, rest) = content.split_first_chunk::<4>()?;
    let (kind, rest) = rest.split_first()?;
    if magic != MAGIC || !matches!(*kind, HELLO | CALLS) {
        return None;
    }
    let (session, rest) = rest.split_first_chunk()?;
    let (nonce, rest) = rest.split_first_chunk()?;
    let (echo, rest) = rest.split_first_chunk()?;
    let (sequence, rest) = rest.split_first_chunk()?;
    let (count, rest) = rest.split_first_chunk()?;
    if rest.len() != usize::from(u16::from_be_bytes(*count)) * ENTRY {
        return None;
    }
    let calls: Option<Vec<Shared>> = rest
        .chunks_exact(ENTRY)
        .map(|entry| {
            let (call, entry) = entry.split_first_chunk()?;
            let (tag, entry) = entry.split_first_chunk()?;
            let phase = Phase::from_byte(*entry.first()?)?;
            Some(Shared { call: CallKey::from_bytes(*call), tag: u64::from_be_bytes(*tag), phase })
        })
        .collect();
    Some(Datagram {
        session: u64::from_be_bytes(*session),
        nonce: u64::from_be_bytes(*nonce),
        echo: u64::from_be_bytes(*echo),
        sequence: u64::from_be_bytes(*sequence),
        calls: calls?,
    })
}

fn authenticate(key: &[u8; 32], content: &[u8]) -> [u8; CODE] {
    // HMAC takes keys of any length: the error has no case.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return [0; CODE] };
    mac.update(content);
    let whole: [u8; 32] = mac.finalize().into_bytes().into();
    let [code @ .., _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _] = whole;
    code
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::epoch;

    fn address(port: u16) -> SocketAddr {
        ([127, 0, 0, 1], port).into()
    }

    fn share(now: Instant, port: u16, seed: u8) -> Share {
        let peer = PeerConfig { address: address(port) };
        Share::new(now, ShareConfig::new(Secret::from_seed([9; 32]), vec![peer]), [seed; 32])
    }

    fn call(number: u128) -> Shared {
        Shared { call: CallKey(number), tag: 7, phase: Phase::Setup }
    }

    /// Two dispatchers at ports 1 and 2, and everything that one ever sent to the other.
    struct Pair {
        now: Instant,
        one: Share,
        two: Share,
        to_two: Vec<Bytes>,
    }

    impl Pair {
        fn new() -> Self {
            let now = epoch();
            let mut pair = Self { now, one: share(now, 2, 1), two: share(now, 1, 2), to_two: Vec::new() };
            pair.run(10);
            pair
        }

        fn run(&mut self, steps: u32) {
            for _ in 0..steps {
                self.now += Duration::from_millis(100);
                self.one.handle_timeout(self.now);
                self.two.handle_timeout(self.now);
                for _ in 0..10 {
                    while let Some((_, datagram)) = self.one.poll_output() {
                        self.to_two.push(datagram.clone());
                        self.two.handle_datagram(self.now, address(1), &datagram);
                    }
                    while let Some((_, datagram)) = self.two.poll_output() {
                        self.one.handle_datagram(self.now, address(2), &datagram);
                    }
                }
            }
        }

        fn learned(&mut self) -> Vec<u128> {
            std::iter::from_fn(|| self.two.poll_learned()).map(|call| call.call.0).collect()
        }
    }

    #[test]
    fn what_one_tells_the_other_learns_once() {
        let mut pair = Pair::new();
        assert_eq!((pair.one.present(), pair.two.present()), (1, 1));
        assert_eq!((pair.one.poll_newcomer(), pair.one.poll_newcomer()), (Some(0), None));
        (0..100).for_each(|number| pair.one.tell(call(number)));
        pair.run(2);
        assert_eq!(pair.learned(), (0..100).collect::<Vec<_>>());
        pair.run(20);
        assert!(pair.learned().is_empty());
    }

    #[test]
    fn a_datagram_that_comes_again_says_nothing() {
        let mut pair = Pair::new();
        pair.one.tell(call(1));
        pair.run(2);
        assert_eq!(pair.learned(), [1]);
        for datagram in pair.to_two.clone() {
            pair.two.handle_datagram(pair.now, address(1), &datagram);
        }
        assert!(pair.learned().is_empty());
        // And it does not disturb those that are there.
        pair.run(20);
        pair.one.tell(call(2));
        pair.run(2);
        assert_eq!(pair.learned(), [2]);
    }

    #[test]
    fn a_dispatcher_that_comes_back_is_believed_and_its_former_life_is_not() {
        let mut pair = Pair::new();
        let _ = pair.two.poll_newcomer();
        pair.one.tell(call(1));
        pair.run(2);
        assert_eq!(pair.learned(), [1]);
        let former = std::mem::take(&mut pair.to_two);
        pair.one = share(pair.now, 2, 77);
        pair.run(20);
        assert_eq!((pair.one.present(), pair.two.present()), (1, 1));
        assert_eq!(pair.two.poll_newcomer(), Some(0), "it is told of all calls");
        for datagram in &former {
            pair.two.handle_datagram(pair.now, address(1), datagram);
        }
        assert!(pair.learned().is_empty());
        pair.one.tell(call(2));
        pair.run(30);
        assert_eq!(pair.learned(), [2]);
        // The one that stayed restarts too: what was said before means nothing to it.
        pair.two = share(pair.now, 1, 78);
        for datagram in former.iter().chain(&pair.to_two.clone()) {
            pair.two.handle_datagram(pair.now, address(1), datagram);
        }
        assert!(pair.learned().is_empty());
    }

    #[test]
    fn strangers_and_forgers_are_counted_and_answered_with_nothing() {
        let mut pair = Pair::new();
        let sent = pair.two.counters().sent;
        let genuine = pair.to_two.last().unwrap().clone();
        pair.two.handle_datagram(pair.now, address(3), &genuine);
        for place in 0..genuine.len() {
            let mut forged = genuine.to_vec();
            forged[place] ^= 1;
            pair.two.handle_datagram(pair.now, address(1), &forged);
            pair.two.handle_datagram(pair.now, address(1), &genuine[..place]);
        }
        let counters = pair.two.counters();
        assert_eq!((counters.strangers, counters.forged), (1, 2 * genuine.len() as u64));
        assert_eq!(counters.sent, sent);
        // Its own datagrams that are thrown back are no peer's.
        let own = {
            pair.two.handle_timeout(pair.now + Duration::from_secs(2));
            pair.two.poll_output().unwrap().1
        };
        pair.two.handle_datagram(pair.now, address(1), &own);
        assert_eq!(pair.two.counters().forged, counters.forged + 1);
    }

    #[test]
    fn an_old_hello_is_answered_with_no_more_bytes_and_not_each_time() {
        let mut pair = Pair::new();
        let hello = pair.to_two.first().unwrap().clone();
        let mut bytes = 0;
        for _ in 0..100 {
            pair.two.handle_datagram(pair.now, address(1), &hello);
            while let Some((_, datagram)) = pair.two.poll_output() {
                bytes += datagram.len();
            }
        }
        assert!(bytes <= hello.len(), "{bytes} bytes for 100 times {}", hello.len());
    }

    #[test]
    fn many_calls_are_told_a_few_at_a_time() {
        let mut pair = Pair::new();
        pair.one.tell_all(0, (0..10_000).map(call).collect());
        pair.one.handle_timeout(pair.now + Duration::from_millis(1));
        let burst = std::iter::from_fn(|| pair.one.poll_output()).count();
        assert!(burst <= 66, "{burst} datagrams at once");
        pair.run(10);
        // What was sent while nobody carried it is lost: datagrams are.
        assert_eq!(pair.learned().len(), 10_000 - 64 * ENTRIES);
    }

    #[test]
    fn a_silent_peer_is_told_nothing_until_it_is_back() {
        let mut pair = Pair::new();
        pair.one.handle_timeout(pair.now + Duration::from_secs(6));
        assert_eq!(pair.one.present(), 0);
        pair.one.tell(call(1));
        assert!(pair.one.peers[0].waiting.is_empty());
        pair.now += Duration::from_secs(6);
        pair.run(20);
        assert_eq!(pair.one.present(), 1);
    }
}
