//! The bounded record of calls begun: which destination got a call's first request.
//!
//! A CANCEL, a non-2xx ACK or a retransmission carries nothing of ours; this is how they find the destination of their INVITE
//! while it drains, after weights changed, or when no hash was asked in the first place. A call's answer and its end are noted when
//! they pass, so that it is known how many calls each destination has.

use std::time::Duration;

use hashbrown::HashTable;

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

/// What is remembered of a call: one line of a processor's cache.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Entry {
    key: CallKey,
    pub(crate) node: NodeId,
    /// In microseconds since the record began, like all times here.
    expires: u64,
    pub(crate) begun: u64,
    /// Its neighbours among those of its phase, in the order of their ends; of one that is free, the next free one.
    before: u32,
    after: u32,
    pub(crate) phase: Phase,
    /// Whether its first request was already answered by anything.
    pub(crate) heard: bool,
}

/// No entry.
const NONE: u32 = u32::MAX;

/// The entries of a phase. In each phase all wait equally long, so the first is the next to go.
#[derive(Debug, Clone, Copy)]
struct Waiting {
    first: u32,
    last: u32,
    count: usize,
}

/// What happened to an entry, for whoever counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Changed {
    pub(crate) node: NodeId,
    pub(crate) from: Option<Phase>,
    pub(crate) to: Option<Phase>,
}

/// The record: entries side by side in the order in which they came, lists through them, and a table of their places. What is
/// recent and what goes next is close together, and everything is done in constant time.
#[derive(Debug)]
pub(crate) struct Record {
    config: RecordConfig,
    entries: Vec<Entry>,
    /// The first free one.
    free: u32,
    /// Where each entry is. The keys are the output of a keyed hash already.
    places: HashTable<u32>,
    waiting: [Waiting; 4],
    changes: Vec<Changed>,
    forgotten: u64,
}

/// The part of a key that the table is by.
fn hash(key: CallKey) -> u64 {
    key.0 as u64
}

impl Record {
    pub(crate) fn new(config: RecordConfig) -> Self {
        Self {
            config,
            entries: Vec::new(),
            free: NONE,
            places: HashTable::new(),
            waiting: [Waiting { first: NONE, last: NONE, count: 0 }; 4],
            changes: Vec::new(),
            forgotten: 0,
        }
    }

    #[inline]
    pub(crate) fn get(&self, key: CallKey) -> Option<&Entry> {
        self.entries.get(self.place(key)? as usize)
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, key: CallKey) -> Option<&mut Entry> {
        let place = self.place(key)?;
        self.entries.get_mut(place as usize)
    }

    /// Remembers that a call is with a destination, or moves it there. Says whether it was not there before.
    pub(crate) fn put(&mut self, now: u64, key: CallKey, node: NodeId, phase: Phase) -> bool {
        let expires = now.saturating_add(self.span(phase));
        let Some(place) = self.place(key) else {
            self.make_room(phase);
            self.insert(Entry { key, node, expires, begun: now, before: NONE, after: NONE, phase, heard: false });
            self.changes.push(Changed { node, from: None, to: Some(phase) });
            return true;
        };
        self.unlink(place);
        let Some(entry) = self.entries.get_mut(place as usize) else { return false };
        let (was, old) = (entry.phase, entry.node);
        entry.expires = expires;
        entry.phase = phase;
        if old != node {
            entry.node = node;
            entry.begun = now;
            entry.heard = false;
            self.changes.push(Changed { node: old, from: Some(was), to: None });
            self.changes.push(Changed { node, from: None, to: Some(phase) });
        } else if was != phase {
            self.changes.push(Changed { node, from: Some(was), to: Some(phase) });
        }
        self.link(place);
        old != node
    }

    /// Remembers a call for its full time again.
    pub(crate) fn touch(&mut self, now: u64, key: CallKey) {
        let Some(place) = self.place(key) else { return };
        // The others are as long as their transactions may last from their beginning.
        let span = self.span(Phase::Talking);
        if let Some(entry) = self.entries.get_mut(place as usize)
            && entry.phase == Phase::Talking
        {
            entry.expires = now.saturating_add(span);
            self.unlink(place);
            self.link(place);
        }
    }

    /// Forgets what is past its time; at most so many at once, so that nobody waits for it.
    pub(crate) fn expire(&mut self, now: u64, mut budget: usize) {
        for phase in Phase::ALL {
            while budget > 0
                && let first = self.of(phase).first
                && self.entries.get(first as usize).is_some_and(|entry| entry.expires <= now)
            {
                budget -= 1;
                self.remove(first);
            }
        }
    }

    /// When to call [`Record::expire`] next.
    pub(crate) fn next_expiry(&self) -> Option<u64> {
        let firsts = self.waiting.iter().filter_map(|waiting| self.entries.get(waiting.first as usize));
        firsts.map(|entry| entry.expires).min()
    }

    /// What changed since it was asked last.
    #[inline]
    pub(crate) fn take_change(&mut self) -> Option<Changed> {
        self.changes.pop()
    }

    /// The calls, those that are over included.
    pub(crate) fn calls(&self) -> impl Iterator<Item = (CallKey, &Entry)> {
        let entries = self.places.iter().filter_map(|place| self.entries.get(*place as usize));
        entries.filter(|entry| entry.phase != Phase::Alone).map(|entry| (entry.key, entry))
    }

    pub(crate) fn count(&self, phase: Phase) -> usize {
        self.of(phase).count
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.places.len()
    }

    /// How many were forgotten before their time.
    pub(crate) const fn forgotten(&self) -> u64 {
        self.forgotten
    }

    /// How long an entry is still remembered.
    pub(crate) fn left(&self, now: u64, key: CallKey) -> Option<Duration> {
        self.get(key).map(|entry| Duration::from_micros(entry.expires.saturating_sub(now)))
    }

    #[inline]
    fn place(&self, key: CallKey) -> Option<u32> {
        let is_it = |place: &u32| self.entries.get(*place as usize).is_some_and(|entry| entry.key == key);
        self.places.find(hash(key), is_it).copied()
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
        if let Some(victim) = victims.iter().map(|victim| self.of(*victim).first).find(|first| *first != NONE) {
            self.forgotten += 1;
            self.remove(victim);
        }
    }

    fn insert(&mut self, entry: Entry) {
        let key = entry.key;
        let place = match self.entries.get_mut(self.free as usize) {
            Some(free) => {
                let place = self.free;
                self.free = free.after;
                *free = entry;
                place
            }
            None => {
                // The limits are far below what a number can say.
                let place = u32::try_from(self.entries.len()).unwrap_or(NONE);
                self.entries.push(entry);
                place
            }
        };
        let entries = &self.entries;
        let rehash = |place: &u32| entries.get(*place as usize).map_or(0, |entry| hash(entry.key));
        self.places.insert_unique(hash(key), place, rehash);
        self.link(place);
    }

    fn remove(&mut self, place: u32) {
        self.unlink(place);
        let Some(entry) = self.entries.get_mut(place as usize) else { return };
        self.changes.push(Changed { node: entry.node, from: Some(entry.phase), to: None });
        entry.after = self.free;
        self.free = place;
        if let Ok(found) = self.places.find_entry(hash(entry.key), |other| *other == place) {
            found.remove();
        }
    }

    /// Puts an entry at the end of its phase's list.
    fn link(&mut self, place: u32) {
        let Some(entry) = self.entries.get(place as usize) else { return };
        let waiting = self.of_mut(entry.phase);
        let last = waiting.last;
        waiting.last = place;
        waiting.count += 1;
        if last == NONE {
            waiting.first = place;
        } else if let Some(entry) = self.entries.get_mut(last as usize) {
            entry.after = place;
        }
        if let Some(entry) = self.entries.get_mut(place as usize) {
            entry.before = last;
            entry.after = NONE;
        }
    }

    /// Takes an entry out of its phase's list.
    fn unlink(&mut self, place: u32) {
        let Some(Entry { before, after, phase, .. }) = self.entries.get(place as usize).copied() else { return };
        if let Some(entry) = self.entries.get_mut(before as usize) {
            entry.after = after;
        }
        if let Some(entry) = self.entries.get_mut(after as usize) {
            entry.before = before;
        }
        let waiting = self.of_mut(phase);
        waiting.count -= 1;
        if before == NONE {
            waiting.first = after;
        }
        if after == NONE {
            waiting.last = before;
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
        assert!(record.entries.len() <= 160, "what is forgotten makes room");
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

    #[test]
    fn each_list_has_the_entries_of_its_phase_in_the_order_of_their_ends() {
        let mut record = Record::new(RecordConfig { calls: 30, others: 7, ..RecordConfig::default() });
        for step in 0..20_000_u64 {
            let random = step.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20;
            let (key, phase) = (key(u128::from(random / 7 % 60)), Phase::ALL[(random % 4) as usize]);
            match random % 5 {
                0 => record.touch(step * 1_000_000, key),
                _ => drop(record.put(step * 1_000_000, key, NODE, phase)),
            }
            record.expire(step * 1_000_000, 2);
            for phase in Phase::ALL {
                let (mut place, mut before, mut ends) = (record.of(phase).first, NONE, Vec::new());
                while let Some(entry) = record.entries.get(place as usize) {
                    assert_eq!((entry.phase, entry.before, record.place(entry.key)), (phase, before, Some(place)));
                    ends.push(entry.expires);
                    (before, place) = (place, entry.after);
                }
                assert_eq!((record.of(phase).last, record.count(phase)), (before, ends.len()));
                assert!(ends.is_sorted());
            }
        }
        assert!(record.entries.len() <= 70);
    }

    #[test]
    fn an_entry_is_one_line_of_the_cache() {
        assert!(size_of::<Entry>() <= 64);
    }
}
