//! The bounded record of calls begun: which destination got a call's first request.
//!
//! A CANCEL, a non-2xx ACK or a retransmission carries nothing of ours; this is how they find the destination of their INVITE
//! while it drains, after weights changed, or when no hash was asked in the first place. A call's answer and its end are noted when
//! they pass, so that it is known how many calls each destination has.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasherDefault, Hasher};
use std::time::Duration;

use super::node::NodeId;

/// A Call-ID, hashed to 16 bytes under a key that the dispatchers share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CallKey(pub(crate) u128);

impl CallKey {
    /// Its 16 bytes.
    #[must_use]
    pub const fn to_bytes(self) -> [u8; 16] {
        self.0.to_be_bytes()
    }

    /// The key of these 16 bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(u128::from_be_bytes(bytes))
    }
}

impl std::fmt::Display for CallKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// How far a call is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Phase {
    /// Its INVITE has no final answer yet.
    Setup,
    /// It was answered.
    Talking,
    /// It ended; retransmissions and repeated attempts with credentials may still come.
    Over,
    /// A request that begins no call: kept as long as it may be sent again.
    Alone,
}

impl Phase {
    pub(crate) const ALL: [Self; 4] = [Self::Setup, Self::Talking, Self::Over, Self::Alone];

    /// Whether the call is one of those that its destination has now.
    #[must_use]
    pub const fn is_live(self) -> bool {
        matches!(self, Self::Setup | Self::Talking)
    }

    pub(crate) const fn to_byte(self) -> u8 {
        match self {
            Self::Setup => 0,
            Self::Talking => 1,
            Self::Over => 2,
            Self::Alone => 3,
        }
    }

    pub(crate) fn from_byte(byte: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|phase| phase.to_byte() == byte)
    }
}

/// How much is remembered, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordConfig {
    /// Calls at most: those that are being set up or are over, and as many that were answered. The oldest is forgotten for a new one.
    pub calls: usize,
    /// Requests that begin no call, at most.
    pub others: usize,
    /// How long an unanswered call is remembered: timer C (RFC 3261 §16.6) and 64 s.
    pub setup: Duration,
    /// How long an answered call is remembered after its last request.
    pub talking: Duration,
    /// How long a call is remembered that is over.
    pub over: Duration,
    /// How long a request is remembered that begins no call: timer F (RFC 3261 §17.1.2.2).
    pub alone: Duration,
}

impl Default for RecordConfig {
    fn default() -> Self {
        Self {
            calls: 200_000,
            others: 100_000,
            setup: Duration::from_secs(180 + 64),
            talking: Duration::from_secs(4 * 3600),
            over: Duration::from_secs(64),
            alone: Duration::from_secs(32),
        }
    }
}

/// What is remembered of a call.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Entry {
    pub(crate) node: NodeId,
    pub(crate) phase: Phase,
    /// Whether its first request was already answered by anything.
    pub(crate) heard: bool,
    /// In which queue its end is waited for.
    queued: Phase,
    /// In microseconds since the record began, like all times here.
    expires: u64,
    pub(crate) begun: u64,
}

/// The keys are the output of a keyed hash already.
#[derive(Debug, Default, Clone, Copy)]
struct Identity(u64);

impl Hasher for Identity {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u128(&mut self, key: u128) {
        self.0 = key as u64;
    }
}

/// One queue a phase, since in each all wait equally long.
#[derive(Debug, Default)]
struct Waiting {
    queue: VecDeque<(CallKey, u64)>,
    /// How many entries have this phase.
    count: usize,
}

/// What happened to an entry, for whoever counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Changed {
    pub(crate) node: NodeId,
    pub(crate) from: Option<Phase>,
    pub(crate) to: Option<Phase>,
}

/// The record.
#[derive(Debug)]
pub(crate) struct Record {
    config: RecordConfig,
    entries: HashMap<CallKey, Entry, BuildHasherDefault<Identity>>,
    waiting: [Waiting; 4],
    changes: Vec<Changed>,
    forgotten: u64,
}

impl Record {
    pub(crate) fn new(config: RecordConfig) -> Self {
        Self { config, entries: HashMap::default(), waiting: Default::default(), changes: Vec::new(), forgotten: 0 }
    }

    pub(crate) fn get(&self, key: CallKey) -> Option<&Entry> {
        self.entries.get(&key)
    }

    pub(crate) fn get_mut(&mut self, key: CallKey) -> Option<&mut Entry> {
        self.entries.get_mut(&key)
    }

    /// Remembers that a call is with a destination, or moves it there.
    pub(crate) fn put(&mut self, now: u64, key: CallKey, node: NodeId, phase: Phase) {
        let expires = now + self.span(phase);
        match self.entries.get_mut(&key) {
            Some(entry) => {
                let (was, old) = (entry.phase, entry.node);
                entry.expires = expires;
                entry.phase = phase;
                if old != node {
                    entry.node = node;
                    entry.begun = now;
                    entry.heard = false;
                }
                let requeue = entry.queued != phase;
                entry.queued = phase;
                if old != node {
                    self.changes.push(Changed { node: old, from: Some(was), to: None });
                    self.changes.push(Changed { node, from: None, to: Some(phase) });
                } else if was != phase {
                    self.changes.push(Changed { node, from: Some(was), to: Some(phase) });
                }
                self.of_mut(was).count -= 1;
                let waiting = self.of_mut(phase);
                waiting.count += 1;
                if requeue {
                    waiting.queue.push_back((key, expires));
                }
            }
            None => {
                self.make_room(phase);
                let entry = Entry { node, phase, heard: false, queued: phase, expires, begun: now };
                self.entries.insert(key, entry);
                let waiting = self.of_mut(phase);
                waiting.queue.push_back((key, expires));
                waiting.count += 1;
                self.changes.push(Changed { node, from: None, to: Some(phase) });
            }
        }
    }

    /// Remembers a call for its full time again.
    pub(crate) fn touch(&mut self, now: u64, key: CallKey) {
        if let Some(entry) = self.entries.get_mut(&key) {
            let span = match entry.phase {
                Phase::Talking => self.config.talking,
                // The others are as long as their transactions may last from their beginning.
                Phase::Setup | Phase::Over | Phase::Alone => return,
            };
            entry.expires = now + micros(span);
        }
    }

    /// Forgets what is past its time; at most so many at once, so that nobody waits for it.
    pub(crate) fn expire(&mut self, now: u64, mut budget: usize) {
        for phase in Phase::ALL {
            while budget > 0
                && let Some((key, at)) = self.of(phase).queue.front().copied()
                && at <= now
            {
                budget -= 1;
                self.of_mut(phase).queue.pop_front();
                let Some(entry) = self.entries.get(&key).copied() else { continue };
                if entry.queued != phase {
                    continue;
                }
                if entry.expires > now {
                    self.of_mut(phase).queue.push_back((key, entry.expires));
                } else {
                    self.remove(key);
                }
            }
        }
    }

    /// When to call [`Record::expire`] next.
    pub(crate) fn next_expiry(&self) -> Option<u64> {
        self.waiting.iter().filter_map(|waiting| waiting.queue.front()).map(|(_, at)| *at).min()
    }

    /// What changed since it was asked last.
    pub(crate) fn take_change(&mut self) -> Option<Changed> {
        self.changes.pop()
    }

    /// The calls, those that are over included.
    pub(crate) fn calls(&self) -> impl Iterator<Item = (CallKey, &Entry)> {
        self.entries.iter().filter(|(_, entry)| entry.phase != Phase::Alone).map(|(key, entry)| (*key, entry))
    }

    pub(crate) fn count(&self, phase: Phase) -> usize {
        self.of(phase).count
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// How many were forgotten before their time.
    pub(crate) const fn forgotten(&self) -> u64 {
        self.forgotten
    }

    /// How long an entry is still remembered.
    pub(crate) fn left(&self, now: u64, key: CallKey) -> Option<Duration> {
        self.entries.get(&key).map(|entry| Duration::from_micros(entry.expires.saturating_sub(now)))
    }

    /// Strangers can fill their own part of the record only: a call that was answered is not forgotten for one that was not.
    fn make_room(&mut self, phase: Phase) {
        let (taken, limit, victims): (usize, usize, &[Phase]) = match phase {
            Phase::Alone => (self.count(Phase::Alone), self.config.others, &[Phase::Alone]),
            Phase::Talking => (self.count(Phase::Talking), self.config.calls, &[Phase::Talking]),
            Phase::Setup | Phase::Over => {
                let taken = self.count(Phase::Setup) + self.count(Phase::Over);
                (taken, self.config.calls, &[Phase::Over, Phase::Setup])
            }
        };
        if taken < limit.max(1) {
            return;
        }
        for victim in victims {
            while let Some((key, _)) = self.of_mut(*victim).queue.pop_front() {
                if self.entries.get(&key).is_some_and(|entry| entry.queued == *victim) {
                    self.forgotten += 1;
                    self.remove(key);
                    return;
                }
            }
        }
    }

    fn remove(&mut self, key: CallKey) {
        if let Some(entry) = self.entries.remove(&key) {
            self.of_mut(entry.phase).count -= 1;
            self.changes.push(Changed { node: entry.node, from: Some(entry.phase), to: None });
        }
    }

    fn span(&self, phase: Phase) -> u64 {
        micros(match phase {
            Phase::Setup => self.config.setup,
            Phase::Talking => self.config.talking,
            Phase::Over => self.config.over,
            Phase::Alone => self.config.alone,
        })
    }

    fn of(&self, phase: Phase) -> &Waiting {
        let [setup, talking, over, alone] = &self.waiting;
        match phase {
            Phase::Setup => setup,
            Phase::Talking => talking,
            Phase::Over => over,
            Phase::Alone => alone,
        }
    }

    fn of_mut(&mut self, phase: Phase) -> &mut Waiting {
        let [setup, talking, over, alone] = &mut self.waiting;
        match phase {
            Phase::Setup => setup,
            Phase::Talking => talking,
            Phase::Over => over,
            Phase::Alone => alone,
        }
    }
}

fn micros(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX / 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000;
    const NODE: NodeId = NodeId { index: 0, generation: 0 };
    const OTHER: NodeId = NodeId { index: 1, generation: 0 };

    fn key(number: u128) -> CallKey {
        CallKey(number)
    }

    #[test]
    fn each_phase_is_kept_for_its_own_time() {
        let mut record = Record::new(RecordConfig::default());
        for (number, phase) in Phase::ALL.into_iter().enumerate() {
            record.put(0, key(number as u128), NODE, phase);
        }
        for (now, left) in [(31, 4), (32, 3), (64, 2), (243, 2), (244, 1), (4 * 3600, 0)] {
            record.expire(now * SECOND, 100);
            assert_eq!(record.len(), left, "after {now} s");
        }
        assert_eq!(record.next_expiry(), None);
    }

    #[test]
    fn a_call_that_ends_early_is_forgotten_early() {
        let mut record = Record::new(RecordConfig::default());
        record.put(0, key(1), NODE, Phase::Setup);
        record.put(SECOND, key(1), NODE, Phase::Talking);
        record.put(2 * SECOND, key(1), NODE, Phase::Over);
        record.expire(65 * SECOND, 100);
        assert_eq!(record.len(), 1);
        record.expire(66 * SECOND, 100);
        assert_eq!(record.len(), 0);
        assert_eq!(Phase::ALL.map(|phase| record.count(phase)), [0; 4]);
        record.expire(5 * 3600 * SECOND, 100);
        assert_eq!(record.next_expiry(), None, "what is left of earlier phases goes at its time");
    }

    #[test]
    fn what_is_used_is_remembered_for_longer() {
        let mut record = Record::new(RecordConfig::default());
        record.put(0, key(1), NODE, Phase::Talking);
        record.touch(3 * 3600 * SECOND, key(1));
        record.expire(5 * 3600 * SECOND, 100);
        assert_eq!(record.len(), 1);
        record.expire(8 * 3600 * SECOND, 100);
        assert_eq!(record.len(), 0);
    }

    #[test]
    fn a_flood_of_first_requests_forgets_no_answered_call() {
        let mut record = Record::new(RecordConfig { calls: 100, others: 10, ..RecordConfig::default() });
        for number in 0..50 {
            record.put(0, key(number), NODE, Phase::Setup);
            record.put(0, key(number), NODE, Phase::Talking);
        }
        for number in 1_000..101_000 {
            record.put(1, key(number), OTHER, if number % 2 == 0 { Phase::Setup } else { Phase::Alone });
            assert!(record.len() <= 160);
        }
        assert!((0..50).all(|number| record.get(key(number)).is_some_and(|entry| entry.node == NODE)));
        assert!(record.forgotten() > 99_000);
        assert!(record.waiting.iter().all(|waiting| waiting.queue.len() <= 260), "the queues are bounded too");
    }

    #[test]
    fn the_counts_are_those_of_the_changes_told() {
        let mut record = Record::new(RecordConfig { calls: 20, others: 5, ..RecordConfig::default() });
        let mut counts = [0_i64; 4];
        for step in 0..20_000_u64 {
            let random = step.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20;
            let phase = Phase::ALL[(random % 4) as usize];
            let node = if random % 3 == 0 { NODE } else { OTHER };
            record.put(step * 100_000, key(u128::from(random / 7 % 50)), node, phase);
            record.expire(step * 100_000, 3);
            while let Some(change) = record.take_change() {
                for (phase, sign) in [(change.from, -1), (change.to, 1)] {
                    if let Some(phase) = phase {
                        counts[usize::from(phase.to_byte())] += sign;
                    }
                }
            }
            assert_eq!(counts, Phase::ALL.map(|phase| record.count(phase) as i64));
            assert_eq!(counts.iter().sum::<i64>(), record.len() as i64);
        }
    }
}
