//! What a dispatcher may do and how much it keeps.

use std::ops::RangeInclusive;
use std::time::Duration;

use sip_core::StatusCode;
use sip_transaction::Transport;

use super::RecordConfig;

/// Settings of a [`Dispatcher`](super::Dispatcher).
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// How destinations are probed.
    pub probe: ProbeConfig,
    /// What is remembered of calls.
    pub record: RecordConfig,
    /// Whether requests that begin no call are remembered too, so that their retransmissions go where they went.
    pub record_others: bool,
    /// Whether the ends of calls pass here (Record-Route): answered calls are counted until they end. Otherwise a call counts as
    /// over when it is answered.
    pub follow_calls: bool,
    /// Whether what is recorded is told to other dispatchers.
    pub share: bool,
    /// How much may wait to be told.
    pub untold: usize,
    /// How many events may wait. Past it the oldest is lost.
    pub events: usize,
    /// How much a sample counts in the moving average of response times, between 0 and 1.
    pub latency_share: f64,
    /// How long a drain lasts at least, even without calls.
    pub drain_settles: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            probe: ProbeConfig::default(),
            record: RecordConfig::default(),
            record_others: true,
            follow_calls: true,
            share: true,
            untold: 65_536,
            events: 1_024,
            latency_share: 0.1,
            drain_settles: Duration::from_secs(1),
        }
    }
}

/// Probing with OPTIONS (RFC 3261 §11).
#[derive(Debug, Clone, PartialEq)]
pub struct ProbeConfig {
    /// Whether it is done at all.
    pub enabled: bool,
    /// How often.
    pub interval: Duration,
    /// How long an answer may take.
    pub timeout: Duration,
    /// How many failures in a row take a destination out.
    pub down: u32,
    /// How many successes in a row bring it back.
    pub up: u32,
    /// The status codes that tell that a destination is well.
    pub accept: Vec<RangeInclusive<u16>>,
    /// Only destinations of these transports; `None` for all. The others' life is [told](super::Dispatcher::set_alive).
    pub only: Option<Vec<Transport>>,
}

impl Default for ProbeConfig {
    /// Every two seconds, answered within one; three failures and two successes turn. Whatever is answered tells that somebody is
    /// there, but for 408, 480 and server failures other than 501 and 505.
    fn default() -> Self {
        Self {
            enabled: true,
            interval: Duration::from_secs(2),
            timeout: Duration::from_secs(1),
            down: 3,
            up: 2,
            accept: vec![200..=407, 409..=479, 481..=499, 501..=501, 505..=505],
            only: None,
        }
    }
}

impl ProbeConfig {
    /// Whether this answer tells that the destination is well.
    #[must_use]
    pub fn accepts(&self, status: StatusCode) -> bool {
        self.accept.iter().any(|range| range.contains(&status.as_u16()))
    }
}
