//! What a path does to packets.

use std::time::Duration;

/// What a path does to packets. Shares are from 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Conditions {
    /// The share of datagrams that are lost.
    pub loss: f64,
    /// The share of datagrams that arrive twice.
    pub duplication: f64,
    /// The share of datagrams that are held back by [`reordering_delay`](Self::reordering_delay), so that later ones
    /// overtake them.
    pub reordering: f64,
    /// How long a reordered datagram is held back at most.
    pub reordering_delay: Duration,
    /// How long everything takes at least.
    pub delay: Duration,
    /// How much longer it takes at most.
    pub jitter: Duration,
    /// Datagrams longer than this are lost, as fragments often are.
    pub mtu: Option<usize>,
    /// The share of writes to a stream that arrive in two or more pieces.
    pub splitting: f64,
}

impl Conditions {
    /// Everything arrives at once, in order and whole.
    pub const PERFECT: Self = Self {
        loss: 0.0,
        duplication: 0.0,
        reordering: 0.0,
        reordering_delay: Duration::ZERO,
        delay: Duration::ZERO,
        jitter: Duration::ZERO,
        mtu: None,
        splitting: 0.0,
    };

    /// A bad path: this share lost, 5 % twice, 5 % late by up to 300 ms, 20 to 60 ms on the way, streams cut anywhere.
    #[must_use]
    pub const fn bad(loss: f64) -> Self {
        Self {
            loss,
            duplication: 0.05,
            reordering: 0.05,
            reordering_delay: Duration::from_millis(300),
            delay: Duration::from_millis(20),
            jitter: Duration::from_millis(40),
            mtu: None,
            splitting: 0.5,
        }
    }
}

impl Default for Conditions {
    fn default() -> Self {
        Self::PERFECT
    }
}
