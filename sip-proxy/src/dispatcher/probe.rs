//! Probes: when which destination is asked whether it is well.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use rand_core::RngCore;
use sip_core::StatusCode;
use sip_transaction::Transport;

use super::node::{Node, Outstanding};
use super::{Dispatcher, NodeId, Why, health};

/// An OPTIONS request to be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Probe {
    /// What its answer is told by.
    pub id: u64,
    /// Whom it asks.
    pub node: NodeId,
    /// How that is reached.
    pub transport: Transport,
    /// Where that is.
    pub address: SocketAddr,
}

impl Dispatcher {
    /// The next probe that is due.
    #[must_use]
    pub fn poll_probe(&mut self, now: Instant) -> Option<Probe> {
        let (index, _) = self.nodes.iter().enumerate().find(|(_, node)| {
            node.as_ref()
                .is_some_and(|node| self.is_probed(node) && node.probe.outstanding.is_none() && node.probe.next <= now)
        })?;
        let interval = self.interval();
        self.next_probe += 1;
        let id = self.next_probe;
        let timeout = self.config.probe.timeout;
        let node = self.nodes.get_mut(index)?.as_mut()?;
        node.probe.outstanding = Some(Outstanding { id, sent: now, until: now + timeout });
        node.probe.next = now + interval;
        Some(Probe {
            id,
            node: NodeId { index: index as u32, generation: node.generation },
            transport: node.destination.transport,
            address: node.destination.address,
        })
    }

    /// Takes the answer to a probe, or that it could not be sent. An answer to any other but the last probe of its destination
    /// says nothing.
    pub fn handle_probe(&mut self, now: Instant, id: u64, answer: Option<StatusCode>) {
        let found = self.nodes.iter().enumerate().find_map(|(index, node)| {
            let node = node.as_ref()?;
            let outstanding = node.probe.outstanding.filter(|outstanding| outstanding.id == id)?;
            Some((NodeId { index: index as u32, generation: node.generation }, outstanding))
        });
        let Some((node_id, outstanding)) = found else { return };
        if answer.is_some_and(StatusCode::is_provisional) {
            return;
        }
        let is_well = answer.is_some_and(|status| self.config.probe.accepts(status));
        let share = self.config.latency_share;
        if let Some(node) = self.node_mut(node_id) {
            node.probe.outstanding = None;
            if is_well {
                node.probe.answered += 1;
                node.note_latency(now.saturating_duration_since(outstanding.sent), share);
            } else {
                node.probe.failed += 1;
            }
        }
        let (event, why) = if is_well {
            (health::Event::Success, Why::ProbeAnswered)
        } else {
            (health::Event::Failure, Why::ProbeFailed)
        };
        self.on_health(node_id, event, why);
    }

    pub(super) fn expire_probes(&mut self, now: Instant) {
        let late: Vec<u64> = self
            .nodes
            .iter()
            .flatten()
            .filter_map(|node| node.probe.outstanding.filter(|outstanding| outstanding.until <= now))
            .map(|outstanding| outstanding.id)
            .collect();
        for id in late {
            self.handle_probe(now, id, None);
        }
    }

    pub(super) fn is_probed(&self, node: &Node) -> bool {
        let probe = &self.config.probe;
        probe.enabled
            && node.health.is_probed()
            && probe.only.as_ref().is_none_or(|only| only.contains(&node.destination.transport))
    }

    /// A tenth more or less, so that several dispatchers do not ask at once for ever.
    fn interval(&mut self) -> Duration {
        let part = f64::from(self.random.next_u32()) / f64::from(u32::MAX);
        self.config.probe.interval.mul_f64(0.9 + 0.2 * part)
    }

    /// When a new destination is asked first: soon, but not all at once.
    pub(super) fn stagger(&mut self) -> Duration {
        let part = f64::from(self.random.next_u32()) / f64::from(u32::MAX);
        self.config.probe.interval.min(Duration::from_secs(1)).mul_f64(0.5 * part)
    }
}
