//! What there is to see.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;
use sip_proxy::dispatcher::{NodeSnapshot, State as NodeState};
use sip_proxy::stateless::Dropped;

use super::{Control, Line, wall};
use crate::l4;
use crate::worker::ShardSnapshot;

/// Everything that there is to see.
#[derive(Debug, Clone, Serialize)]
pub struct Status {
    /// When it began, in milliseconds since 1970.
    pub started: u64,
    /// The clock, likewise.
    pub now: u64,
    /// How many lists were loaded.
    pub version: u64,
    /// Whether it takes new calls.
    pub ready: bool,
    /// How many shards there are.
    pub shards: usize,
    /// How many other dispatchers are there, when some are configured.
    pub peers: Option<usize>,
    /// Connections that are open.
    pub connections: usize,
    /// The destinations.
    pub destinations: Vec<DestinationStatus>,
    /// Balancers of TCP connections.
    pub l4: Vec<BalancerStatus>,
    /// Entries of the record: being set up, answered, over, others.
    pub record: BTreeMap<&'static str, usize>,
    /// What became of messages.
    pub messages: BTreeMap<String, u64>,
    /// How long messages took, by method and class.
    pub latency: Vec<LatencyStatus>,
    /// What happened lately, the newest first.
    pub journal: Vec<Line>,
}

/// One destination.
#[derive(Debug, Clone, Serialize)]
pub struct DestinationStatus {
    /// Its name.
    pub name: String,
    /// The sets that it is in.
    pub sets: Vec<String>,
    /// Where it is reached.
    pub address: String,
    /// How.
    pub transport: &'static str,
    /// Its weight.
    pub weight: u32,
    /// Its priority.
    pub priority: u16,
    /// Its capacity.
    pub capacity: Option<u32>,
    /// Whatever else is known of it.
    pub attributes: BTreeMap<String, String>,
    /// `active`, `trying`, `probing`, `draining` or `disabled`.
    pub state: &'static str,
    /// Whether it lives.
    pub alive: bool,
    /// Calls now.
    pub calls: usize,
    /// Of these, those being set up.
    pub setup: usize,
    /// Calls since the beginning.
    pub total: u64,
    /// Its part of the calls of the last seconds, between 0 and 1.
    pub share: f64,
    /// The part that its weight promises.
    pub fair: f64,
    /// How long it takes to say something, on the average, in milliseconds.
    pub latency: Option<f64>,
    /// Probes answered as they should be, and not.
    pub probes: (u64, u64),
    /// Its drain.
    pub drain: Option<DrainStatus>,
}

/// How far a drain is.
#[derive(Debug, Clone, Serialize)]
pub struct DrainStatus {
    /// Calls that it had.
    pub calls: usize,
    /// Calls that it has.
    pub left: usize,
    /// Seconds since it began, or that it took.
    pub seconds: f64,
    /// Seconds until its deadline.
    pub deadline: Option<f64>,
    /// Whether it has ended.
    pub over: bool,
}

/// A balancer of TCP connections.
#[derive(Debug, Clone, Serialize)]
pub struct BalancerStatus {
    /// Its name.
    pub name: String,
    /// Where it listens.
    pub listen: String,
    /// `round-robin`, `least-connections` or `source`.
    pub algorithm: &'static str,
    /// What it is doing.
    #[serde(flatten)]
    pub snapshot: l4::Snapshot,
}

/// How long messages of a kind took.
#[derive(Debug, Clone, Serialize)]
pub struct LatencyStatus {
    /// The method.
    pub method: &'static str,
    /// The class.
    pub class: &'static str,
    /// How many.
    pub count: u64,
    /// The mean in microseconds.
    pub mean: u64,
    /// The bound that half of them are below, in microseconds.
    pub median: Option<u64>,
    /// The bound that 99 of 100 are below, in microseconds.
    pub p99: Option<u64>,
}

impl Control {
    /// Whether every part that there is takes something: some destination new calls, some server of each balancer connections.
    pub async fn is_ready(&self) -> bool {
        let shards = self.snapshots().await;
        self.is_ready_with(shards.first()).await
    }

    async fn is_ready_with(&self, shard: Option<&ShardSnapshot>) -> bool {
        let has_sets = !self.inner.kept.lock().await.sets.is_empty();
        let takes_calls = shard.is_some_and(|shard| shard.is_ready);
        let is_anything = has_sets || !self.inner.l4.is_empty();
        is_anything && (takes_calls || !has_sets) && self.inner.l4.iter().all(|(_, balancer)| balancer.is_ready())
    }

    /// Everything that there is to see.
    pub async fn status(&self) -> Status {
        let shards = self.snapshots().await;
        let mut messages = BTreeMap::new();
        let mut count = |name: String, value: u64| *messages.entry(name).or_insert(0) += value;
        for shard in &shards {
            count("requests to destinations".to_owned(), shard.counters.inward);
            count("requests from destinations".to_owned(), shard.counters.outward);
            count("responses".to_owned(), shard.counters.responses);
            count("forged cookies".to_owned(), shard.counters.forged_cookies);
            count("not sent".to_owned(), shard.lost);
            for (status, value) in &shard.counters.refused {
                count(format!("refused with {status}"), *value);
            }
            for (reason, value) in &shard.counters.dropped {
                let fate = match reason {
                    Dropped::Probe => "answers to probes".to_owned(),
                    other => format!("dropped: {}", other.as_str()),
                };
                count(fate, *value);
            }
        }
        let first = shards.first();
        let latency = self.histograms().into_iter().map(|(label, counted)| {
            let count: u64 = counted.buckets.iter().sum();
            LatencyStatus {
                method: label.verb.as_str(),
                class: label.class.as_str(),
                count,
                mean: counted.sum / count.max(1),
                median: counted.quantile(0.5),
                p99: counted.quantile(0.99),
            }
        });
        let record = first.map(|first| first.dispatcher.record).unwrap_or_default();
        Status {
            started: self.inner.started,
            now: wall(),
            version: first.map_or(0, |first| first.dispatcher.version),
            ready: self.is_ready_with(first).await,
            shards: shards.len(),
            peers: self.inner.present.as_ref().map(|present| *present.borrow()),
            connections: shards.iter().map(|shard| shard.connections).sum(),
            destinations: destination_statuses(&shards),
            l4: self.inner.l4.iter().map(balancer_status).collect(),
            record: ["setup", "talking", "over", "others"].into_iter().zip(record).collect(),
            messages,
            latency: latency.collect(),
            journal: self.inner.journal.lock().await.iter().rev().take(100).cloned().collect(),
        }
    }
}

fn balancer_status((name, balancer): &(Arc<str>, l4::Balancer)) -> BalancerStatus {
    BalancerStatus {
        name: name.to_string(),
        listen: balancer.local().to_string(),
        algorithm: balancer.algorithm().name(),
        snapshot: balancer.snapshot(),
    }
}

fn destination_statuses(shards: &[ShardSnapshot]) -> Vec<DestinationStatus> {
    let Some(first) = shards.first() else { return Vec::new() };
    let of_all = |name: &str, value: fn(&NodeSnapshot) -> u64| -> u64 {
        let nodes = shards.iter().flat_map(|shard| &shard.dispatcher.nodes);
        nodes.filter(|node| *node.name == *name).map(value).sum()
    };
    let nodes = &first.dispatcher.nodes;
    let recent: u64 = nodes.iter().map(|node| of_all(&node.name, |node| node.recent)).sum();
    let is_open =
        |node: &NodeSnapshot| matches!(node.state, NodeState::Active | NodeState::Trying) && !node.sets.is_empty();
    let best = nodes.iter().filter(|node| is_open(node)).map(|node| node.priority).min();
    let serves = |node: &NodeSnapshot| is_open(node) && Some(node.priority) == best;
    let weight: u64 = nodes.iter().filter(|node| serves(node)).map(|node| u64::from(node.weight)).sum();
    let statuses = nodes.iter().map(|node| DestinationStatus {
        name: node.name.to_string(),
        sets: node.sets.iter().map(ToString::to_string).collect(),
        address: node.address.to_string(),
        transport: node.transport.token(),
        weight: node.weight,
        priority: node.priority,
        capacity: node.capacity,
        attributes: node.attributes.clone(),
        state: node.state.as_str(),
        alive: node.is_alive,
        calls: node.setup + node.talking,
        setup: node.setup,
        total: of_all(&node.name, |node| node.total),
        share: of_all(&node.name, |node| node.recent) as f64 / recent.max(1) as f64,
        fair: if serves(node) { f64::from(node.weight) / weight.max(1) as f64 } else { 0.0 },
        latency: shards
            .iter()
            .flat_map(|shard| &shard.dispatcher.nodes)
            .find_map(|other| other.latency.filter(|_| other.name == node.name))
            .map(|latency| latency.as_secs_f64() * 1e3),
        probes: (of_all(&node.name, |node| node.probes_answered), of_all(&node.name, |node| node.probes_failed)),
        drain: node.drain.as_ref().map(|drain| DrainStatus {
            calls: drain.calls,
            left: drain.left,
            seconds: drain.since.as_secs_f64(),
            deadline: drain.deadline.map(|deadline| deadline.as_secs_f64()),
            over: drain.is_over,
        }),
    });
    let mut statuses: Vec<DestinationStatus> = statuses.collect();
    statuses.sort_by(|a, b| a.name.cmp(&b.name));
    statuses
}
