//! The algorithms, over those destinations of the best priority that take new calls.

use rand_core::RngCore;

use super::node::Node;
use super::{Algorithm, Choice, Dispatcher, NodeId, Nowhere, Reason};

/// How many keys are tried to find which part of them moves.
const SAMPLES: usize = 1_024;

impl Dispatcher {
    /// Chooses a destination for a new call.
    pub(super) fn choose(&mut self, set: usize, key: &[u8]) -> Result<Choice, Nowhere> {
        let members = self.sets.get(set).ok_or(Nowhere::NoSet)?;
        let algorithm = members.set.algorithm;
        let reason = Reason::Algorithm(algorithm);
        if algorithm == Algorithm::Hash {
            let point = self.rendezvous.point(key);
            if let Some(node) = self.best(set, point, |node| node.is_open() && node.has_room(), true) {
                return Ok(Choice { node, reason });
            }
        } else if let Some(node) = self.take_turn(set, algorithm) {
            return Ok(Choice { node, reason });
        }
        let anybody = members_any(self, set, Node::is_open);
        Err(if anybody { Nowhere::AllFull } else { Nowhere::NoneUp })
    }

    /// Where a call would be that nothing is known of: also those that drain may have it.
    pub(super) fn hashed(&mut self, set: usize, key: &[u8]) -> Result<Choice, Nowhere> {
        if self.sets.get(set).is_none() {
            return Err(Nowhere::NoSet);
        }
        let point = self.rendezvous.point(key);
        let node = self.best(set, point, Node::may_hold_calls, true).ok_or(Nowhere::NoneUp)?;
        Ok(Choice { node, reason: Reason::Hash })
    }

    /// The highest score of those that qualify, at the best priority.
    pub(super) fn best(
        &self,
        set: usize,
        point: u64,
        qualifies: impl Fn(&Node) -> bool,
        by_priority: bool,
    ) -> Option<NodeId> {
        let members = self.sets.get(set)?;
        let mut best: Option<(u16, f64, u64, NodeId)> = None;
        for id in &members.nodes {
            let Some(node) = self.node(*id).filter(|node| qualifies(node)) else { continue };
            let priority = if by_priority { node.destination.priority } else { 0 };
            if best.is_some_and(|(first, ..)| priority > first) {
                continue;
            }
            let score = self.rendezvous.score(point, node.tag, node.destination.weight);
            let is_better = best.is_none_or(|(first, highest, tag, _)| {
                priority < first || score > highest || (score == highest && node.tag > tag)
            });
            if is_better {
                best = Some((priority, score, node.tag, *id));
            }
        }
        best.map(|(_, _, _, id)| id)
    }

    fn take_turn(&mut self, set: usize, algorithm: Algorithm) -> Option<NodeId> {
        let members = self.sets.get(set)?;
        let open = |id: &NodeId| self.node(*id).filter(|node| node.is_open() && node.has_room());
        let priority = members.nodes.iter().filter_map(open).map(|node| node.destination.priority).min()?;
        let candidates = || {
            let of = members.nodes.iter().enumerate().filter_map(|(place, id)| Some((place, *id, open(id)?)));
            of.filter(|(_, _, node)| node.destination.priority == priority)
        };
        let weight = |node: &Node| f64::from(node.destination.weight);
        match algorithm {
            Algorithm::Hash | Algorithm::Priority => candidates().next().map(|(_, id, _)| id),
            Algorithm::RoundRobin => {
                let turn = members.turn;
                let (place, id, _) = candidates().find(|(place, ..)| *place >= turn).or_else(|| candidates().next())?;
                self.sets.get_mut(set)?.turn = place + 1;
                Some(id)
            }
            Algorithm::Weighted => {
                // Everyone earns its weight, the richest serves and pays the sum: spread as evenly as can be.
                let sum: i64 = candidates().map(|(_, _, node)| i64::from(node.destination.weight)).sum();
                let ids: Vec<NodeId> = candidates().map(|(_, id, _)| id).collect();
                let mut richest: Option<(i64, NodeId)> = None;
                for id in ids {
                    let node = self.node_mut(id)?;
                    node.credit += i64::from(node.destination.weight);
                    if richest.is_none_or(|(credit, _)| node.credit > credit) {
                        richest = Some((node.credit, id));
                    }
                }
                let (_, id) = richest?;
                self.node_mut(id)?.credit -= sum;
                Some(id)
            }
            Algorithm::Random => {
                let sum: u64 = candidates().map(|(_, _, node)| u64::from(node.destination.weight)).sum();
                let mut draw = self.random.clone();
                let mut left = ((u128::from(draw.next_u64()) * u128::from(sum)) >> 64) as u64;
                let chosen = candidates().find(|(_, _, node)| {
                    let weight = u64::from(node.destination.weight);
                    let is_here = left < weight;
                    left = left.saturating_sub(weight);
                    is_here
                });
                let id = chosen.map(|(_, id, _)| id);
                self.random = draw;
                id
            }
            Algorithm::LeastCalls => {
                let load = |node: &Node| (node.calls() as f64 + 1.0) / weight(node);
                candidates()
                    .min_by(|a, b| load(a.2).total_cmp(&load(b.2)).then(a.2.total.cmp(&b.2.total)))
                    .map(|it| it.1)
            }
            Algorithm::Latency => {
                // Those that nothing is known of are tried; what waits at each counts, or all would go to the fastest.
                let cost = |node: &Node| node.latency.unwrap_or(0.0) * (node.setup as f64 + 1.0) / weight(node);
                candidates()
                    .min_by(|a, b| cost(a.2).total_cmp(&cost(b.2)).then(a.2.total.cmp(&b.2.total)))
                    .map(|it| it.1)
            }
        }
    }

    /// Where sample keys of the first set that hashes go.
    pub(super) fn sample(&self) -> Vec<Option<u64>> {
        let Some(set) = self.sets.iter().position(|members| members.set.algorithm == Algorithm::Hash) else {
            return Vec::new();
        };
        let size = self.sets.get(set).map_or(1, |members| members.nodes.len().max(1));
        let samples = (100_000 / size).clamp(16, SAMPLES);
        let open = |point| self.best(set, point, |node| node.is_open() && node.has_room(), true);
        let tags = (0..samples as u64).map(|number| {
            // Multiples of an odd number are all different and spread.
            open(number.wrapping_mul(0x9e37_79b9_7f4a_7c15)).and_then(|id| self.tag(id))
        });
        tags.collect()
    }

    /// Which part of the sample keys goes elsewhere now.
    pub(super) fn moved_since(&self, before: &[Option<u64>]) -> Option<f64> {
        if before.is_empty() || before.iter().all(Option::is_none) {
            return None;
        }
        let after = self.sample();
        let moved = before.iter().zip(&after).filter(|(before, after)| before != after).count();
        Some(moved as f64 / before.len().min(after.len()).max(1) as f64)
    }
}

fn members_any(dispatcher: &Dispatcher, set: usize, is: impl Fn(&Node) -> bool) -> bool {
    let Some(members) = dispatcher.sets.get(set) else { return false };
    members.nodes.iter().filter_map(|id| dispatcher.node(*id)).any(is)
}
