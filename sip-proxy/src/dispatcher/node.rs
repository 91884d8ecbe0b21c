//! A destination as it is now: its health, its calls, its place in the list.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::health::Health;
use super::list::Destination;

/// A destination that the dispatcher knows, in the list or not any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeId {
    pub(crate) index: u32,
    pub(crate) generation: u32,
}

/// One destination.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) generation: u32,
    pub(crate) destination: Destination,
    /// Its name's point, which its score and cookies are made with.
    pub(crate) tag: u64,
    /// Whether the list has it. One that was taken from the list keeps what belongs to its calls.
    pub(crate) is_listed: bool,
    pub(crate) health: Health,
    pub(crate) drain: Option<Drain>,
    /// Calls that are being set up.
    pub(crate) setup: usize,
    /// Calls that were answered and are not over.
    pub(crate) talking: usize,
    /// Entries of the record.
    pub(crate) entries: usize,
    /// Calls that were sent here since it is known.
    pub(crate) total: u64,
    /// Of these, the ones of this window and the one before.
    pub(crate) recent: [u64; 2],
    /// The moving average of the time from a first request to its first answer, in microseconds.
    pub(crate) latency: Option<f64>,
    /// For turns by weight.
    pub(crate) credit: i64,
    pub(crate) probe: Probing,
}

/// A drain under way.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Drain {
    pub(crate) since: Instant,
    pub(crate) deadline: Option<Instant>,
    /// How many calls there were.
    pub(crate) calls: usize,
    pub(crate) is_over: bool,
    /// How long it took, when it is over.
    pub(crate) took: Duration,
}

/// Probes of one destination.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Probing {
    pub(crate) next: Instant,
    pub(crate) outstanding: Option<Outstanding>,
    pub(crate) failed: u64,
    pub(crate) answered: u64,
}

/// A probe that waits for its answer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Outstanding {
    pub(crate) id: u64,
    pub(crate) sent: Instant,
    pub(crate) until: Instant,
}

impl Node {
    pub(crate) fn new(now: Instant, generation: u32, destination: Destination, tag: u64) -> Self {
        Self {
            generation,
            destination,
            tag,
            is_listed: true,
            health: Health::new(),
            drain: None,
            setup: 0,
            talking: 0,
            entries: 0,
            total: 0,
            recent: [0; 2],
            latency: None,
            credit: 0,
            probe: Probing { next: now, outstanding: None, failed: 0, answered: 0 },
        }
    }

    pub(crate) fn name(&self) -> &Arc<str> {
        &self.destination.name
    }

    /// Calls that are not over.
    pub(crate) fn calls(&self) -> usize {
        self.setup + self.talking
    }

    /// Whether it takes new calls, room apart.
    pub(crate) fn is_open(&self) -> bool {
        self.is_listed && self.health.is_open() && self.destination.weight > 0
    }

    pub(crate) fn has_room(&self) -> bool {
        self.destination.capacity.is_none_or(|capacity| self.calls() < capacity as usize)
    }

    /// Whether what belongs to a call begun before may have gone here.
    pub(crate) fn may_hold_calls(&self) -> bool {
        self.health.is_alive() && (self.destination.weight > 0 || self.calls() > 0)
    }

    pub(crate) fn note_latency(&mut self, sample: Duration, share: f64) {
        let sample = sample.as_secs_f64() * 1e6;
        self.latency = Some(match self.latency {
            Some(average) => average + (sample - average) * share,
            None => sample,
        });
    }

    /// What a drain has left and how much it had.
    pub(crate) fn progress(&self) -> Option<(usize, usize)> {
        self.drain.map(|drain| (self.calls(), drain.calls.max(self.calls())))
    }
}
