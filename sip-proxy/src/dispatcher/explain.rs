//! Which destination, why, and who would be next.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Algorithm, CallKey, Dispatcher, Phase, State};

/// What would happen to a call, and why.
#[derive(Debug, Clone, PartialEq)]
pub struct Explanation {
    /// The set that was asked.
    pub set: Arc<str>,
    /// Its algorithm.
    pub algorithm: Algorithm,
    /// The call's key in the record.
    pub call: CallKey,
    /// Where the record has it, how far it is, and how long it is still remembered.
    pub recorded: Option<(Arc<str>, Phase, Duration)>,
    /// The destination that its next request goes to, as far as the algorithm can tell beforehand.
    pub chosen: Option<Arc<str>>,
    /// Why that one, in words.
    pub why: String,
    /// All destinations of the set, best first: when the first goes, the next one that is open gets the call.
    pub candidates: Vec<Candidate>,
}

/// One destination as a candidate.
#[derive(Debug, Clone, PartialEq)]
pub struct Candidate {
    /// Its name.
    pub name: Arc<str>,
    /// Its state.
    pub state: State,
    /// Its priority.
    pub priority: u16,
    /// Its weight.
    pub weight: u32,
    /// Its score for this key, when the set hashes.
    pub score: Option<f64>,
    /// Whether it takes new calls.
    pub is_open: bool,
    /// Why it does not.
    pub closed: Option<&'static str>,
    /// Its calls now.
    pub calls: usize,
}

impl Dispatcher {
    /// Explains where a request with this Call-ID goes, or with this key when the set hashes something else. `None` without such a set.
    #[must_use]
    pub fn explain(&self, now: Instant, set: &str, key: &[u8]) -> Option<Explanation> {
        let number = self.sets.iter().position(|members| &*members.set.name == set)?;
        let members = self.sets.get(number)?;
        let algorithm = members.set.algorithm;
        let call = self.call_key(key);
        let point = self.rendezvous.point(key);
        let mut candidates: Vec<(u64, Candidate)> = Vec::new();
        for node in members.nodes.iter().filter_map(|id| self.node(*id)) {
            let closed = if !node.health.is_open() {
                Some(match node.health.state() {
                    State::Draining => "it drains",
                    State::Disabled => "it is disabled",
                    _ => "it does not answer",
                })
            } else if node.destination.weight == 0 {
                Some("its weight is 0")
            } else if !node.has_room() {
                Some("it is full")
            } else {
                None
            };
            let score =
                (algorithm == Algorithm::Hash).then(|| self.rendezvous.score(point, node.tag, node.destination.weight));
            let candidate = Candidate {
                name: node.name().clone(),
                state: node.health.state(),
                priority: node.destination.priority,
                weight: node.destination.weight,
                score,
                is_open: closed.is_none(),
                closed,
                calls: node.calls(),
            };
            candidates.push((node.tag, candidate));
        }
        candidates.sort_by(|(a_tag, a), (b_tag, b)| {
            let by_score = match (a.score, b.score) {
                (Some(a), Some(b)) => b.total_cmp(&a).then(b_tag.cmp(a_tag)),
                _ => std::cmp::Ordering::Equal,
            };
            a.priority.cmp(&b.priority).then(by_score)
        });
        let candidates: Vec<Candidate> = candidates.into_iter().map(|(_, candidate)| candidate).collect();
        let entry = self.record.get(call).and_then(|entry| {
            let left = self.record.left(self.micros(now), call)?;
            Some((entry, self.node(entry.node)?, left))
        });
        let recorded = entry.map(|(entry, node, left)| (node.name().clone(), entry.phase, left));
        let first = candidates.iter().find(|candidate| candidate.is_open);
        let (chosen, why) = match entry {
            Some((_, node, _)) if node.health.is_alive() => {
                (Some(node.name().clone()), format!("the record has the call at {}", node.name()))
            }
            _ => match (algorithm, first) {
                (_, None) => (None, "no destination takes new calls".to_owned()),
                (Algorithm::Hash, Some(first)) => (
                    Some(first.name.clone()),
                    format!(
                        "the highest score of those that take new calls at priority {}{}",
                        first.priority,
                        if entry.is_some() { "; the destination that the record has is dead" } else { "" }
                    ),
                ),
                (Algorithm::Priority, Some(first)) => (Some(first.name.clone()), "the first that is up".to_owned()),
                (algorithm, Some(_)) => (None, format!("{} decides when the call comes", algorithm.as_str())),
            },
        };
        Some(Explanation { set: members.set.name.clone(), algorithm, call, recorded, chosen, why, candidates })
    }
}
