//! What was heard lately: bounded, and each only as long as it holds.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Config;
use super::record::{Answer, Question, Record};
use crate::transaction::key::Secret;

/// What is known about a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Known {
    Records(Arc<[Record]>),
    Nothing,
    Failed,
}

/// Two halves, of which the older is dropped when the younger is full.
#[derive(Debug)]
pub(super) struct Cache {
    young: HashMap<Question, (Known, Instant), Secret>,
    old: HashMap<Question, (Known, Instant), Secret>,
    half: usize,
}

impl Cache {
    pub(super) fn new(limit: usize, secret: Secret) -> Self {
        Self { young: HashMap::with_hasher(secret), old: HashMap::with_hasher(secret), half: limit / 2 }
    }

    /// What is known and still holds.
    pub(super) fn get(&self, now: Instant, question: &Question) -> Option<Known> {
        let (known, until) = self.young.get(question).or_else(|| self.old.get(question))?;
        (*until > now).then(|| known.clone())
    }

    /// Takes in an answer, for no longer and no shorter than is configured.
    pub(super) fn insert(&mut self, now: Instant, question: Question, answer: Answer, config: &Config) -> Known {
        let (known, ttl) = match answer {
            Answer::Found { mut records, ttl } if !records.is_empty() => {
                records.truncate(config.records);
                (Known::Records(records.into()), ttl.clamp(config.shortest, config.longest.max(config.shortest)))
            }
            Answer::Found { ttl, .. } | Answer::NotFound { ttl } => {
                (Known::Nothing, ttl.clamp(config.shortest, config.longest_negative.max(config.shortest)))
            }
            Answer::Failed => (Known::Failed, config.after_failure),
        };
        if ttl > Duration::ZERO && self.half > 0 {
            if self.young.len() >= self.half && !self.young.contains_key(&question) {
                std::mem::swap(&mut self.young, &mut self.old);
                self.young.clear();
            }
            self.young.insert(question, (known.clone(), now + ttl));
        }
        known
    }

    pub(super) fn len(&self) -> usize {
        self.young.len() + self.old.len()
    }
}
