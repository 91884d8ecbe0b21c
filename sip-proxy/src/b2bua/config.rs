//! Limits and manners of a B2BUA.

use std::time::Duration;

use sip_core::StatusCode;

use super::Policy;

/// Limits and manners of a [`B2bua`](super::B2bua).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// How many calls may be alive.
    pub calls: usize,
    /// How many branches a call may have, one after another and at once.
    pub branches: usize,
    /// How many descriptions of a call may wait for the application.
    pub descriptions: usize,
    /// How long the branches of a call may ring when its plan does not say.
    pub ring: Duration,
    /// What the caller is told when nobody answers in that time: 480, or 408 as a proxy would (RFC 3261 §16.8).
    pub no_answer: StatusCode,
    /// What crosses.
    pub policy: Policy,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            calls: 20_000,
            branches: 16,
            descriptions: 16,
            ring: Duration::from_secs(60),
            no_answer: StatusCode::TEMPORARILY_UNAVAILABLE,
            policy: Policy::default(),
        }
    }
}
