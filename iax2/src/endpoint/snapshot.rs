//! What an endpoint holds and has counted.

use super::{Endpoint, Leg};

/// Counters since the endpoint began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Counters {
    /// Datagrams that came.
    pub received: u64,
    /// Datagrams, elements or trunk entries that could not be read, or did not open under any key.
    pub malformed: u64,
    /// Frames for calls that are not there, or from elsewhere than the call's peer. They draw nothing.
    pub unknown_call: u64,
    /// Frames that begin nothing and belong to nothing.
    pub ignored: u64,
    /// Tokens minted.
    pub tokens_sent: u64,
    /// Requests refused for want of a good token.
    pub tokens_refused: u64,
    /// Requests dropped, and commands refused, because a limit was reached.
    pub refused_by_limit: u64,
}

/// Sizes of an endpoint's tables, and its counters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Snapshot {
    /// Calls.
    pub calls: usize,
    /// Exchanges of registrations and pokes.
    pub exchanges: usize,
    /// Calls and exchanges whose peer is not proven to be where it says.
    pub unvalidated: usize,
    /// Numbers of finished calls that still linger.
    pub lingering: usize,
    /// Entries of the table that finds calls by the peer's number.
    pub indexed: usize,
    /// Addresses that calls and exchanges are with.
    pub addresses: usize,
    /// Trunks.
    pub trunks: usize,
    /// Timers.
    pub timers: usize,
    /// Our registrations elsewhere.
    pub registrations: usize,
    /// Peers that are registered here.
    pub bindings: usize,
    /// The counters.
    pub counters: Counters,
}

impl Endpoint {
    /// Sizes of all tables, and the counters.
    pub fn snapshot(&self) -> Snapshot {
        let calls = self.slots.iter().flatten().filter(|slot| matches!(slot.leg, Leg::Call(_))).count();
        Snapshot {
            calls,
            exchanges: self.legs - calls,
            unvalidated: self.unvalidated,
            lingering: self.tombs.len(),
            indexed: self.by_remote.len(),
            addresses: self.by_ip.len(),
            trunks: self.trunks.len(),
            timers: self.timers.len(),
            registrations: self.registrations.len(),
            bindings: self.peers.values().filter(|peer| peer.binding.is_some()).count(),
            counters: self.counters,
        }
    }
}
