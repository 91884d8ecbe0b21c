//! The state of a dispatcher at a moment.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sip_transaction::Transport;

use super::record::Phase;
use super::{Dispatcher, State};

/// Everything that there is to see.
#[derive(Debug, Clone, PartialEq)]
pub struct Snapshot {
    /// The version of the list.
    pub version: u64,
    /// All destinations, those that left the list but have calls included.
    pub nodes: Vec<NodeSnapshot>,
    /// Entries of the record by phase: setup, talking, over, alone.
    pub record: [usize; 4],
    /// Entries that were forgotten before their time for want of room.
    pub forgotten: u64,
    /// Events that nobody took in time.
    pub events_lost: u64,
}

/// One destination.
#[derive(Debug, Clone, PartialEq)]
pub struct NodeSnapshot {
    /// Its name.
    pub name: Arc<str>,
    /// The sets that it is in; none when it has left the list.
    pub sets: Vec<Arc<str>>,
    /// How it is reached.
    pub transport: Transport,
    /// Where.
    pub address: SocketAddr,
    /// Its weight.
    pub weight: u32,
    /// Its priority.
    pub priority: u16,
    /// Its capacity.
    pub capacity: Option<u32>,
    /// Its attributes.
    pub attributes: BTreeMap<String, String>,
    /// Its state.
    pub state: State,
    /// Whether what belongs to its calls reaches it.
    pub is_alive: bool,
    /// Calls that are being set up.
    pub setup: usize,
    /// Calls that were answered.
    pub talking: usize,
    /// Calls sent there since the beginning.
    pub total: u64,
    /// Calls sent there in the last five to ten seconds.
    pub recent: u64,
    /// How long it takes to say something to a first request, on the average.
    pub latency: Option<Duration>,
    /// Probes that were answered as they should be.
    pub probes_answered: u64,
    /// Probes that were not.
    pub probes_failed: u64,
    /// Its drain.
    pub drain: Option<DrainProgress>,
}

/// How far a drain is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DrainProgress {
    /// Calls that it had.
    pub calls: usize,
    /// Calls that it has.
    pub left: usize,
    /// How long it has lasted, or lasted when it is over.
    pub since: Duration,
    /// How long it may still last.
    pub deadline: Option<Duration>,
    /// Whether it has ended.
    pub is_over: bool,
}

impl Dispatcher {
    /// The state at this moment.
    #[must_use]
    pub fn snapshot(&self, now: Instant) -> Snapshot {
        let nodes = self.nodes.iter().enumerate().filter_map(|(index, node)| {
            let node = node.as_ref()?;
            let holds =
                |members: &&super::Members| node.is_listed && members.nodes.iter().any(|id| id.index as usize == index);
            let drain = node.drain.zip(node.progress()).map(|(drain, (left, calls))| DrainProgress {
                calls,
                left,
                since: if drain.is_over { drain.took } else { now.saturating_duration_since(drain.since) },
                deadline: drain.deadline.map(|deadline| deadline.saturating_duration_since(now)),
                is_over: drain.is_over,
            });
            Some(NodeSnapshot {
                name: node.name().clone(),
                sets: self.sets.iter().filter(holds).map(|members| members.set.name.clone()).collect(),
                transport: node.destination.transport,
                address: node.destination.address,
                weight: node.destination.weight,
                priority: node.destination.priority,
                capacity: node.destination.capacity,
                attributes: node.destination.attributes.clone(),
                state: node.health.state(),
                is_alive: node.health.is_alive(),
                setup: node.setup,
                talking: node.talking,
                total: node.total,
                recent: node.recent.iter().sum(),
                latency: node.latency.map(|micros| Duration::from_secs_f64(micros / 1e6)),
                probes_answered: node.probe.answered,
                probes_failed: node.probe.failed,
                drain,
            })
        });
        Snapshot {
            version: self.version,
            nodes: nodes.collect(),
            record: Phase::ALL.map(|phase| self.record.count(phase)),
            forgotten: self.record.forgotten(),
            events_lost: self.events_lost,
        }
    }

    /// Whether a call may be begun: a destination of some set takes new calls.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.sets.iter().flat_map(|members| &members.nodes).filter_map(|id| self.node(*id)).any(super::Node::is_open)
    }
}
