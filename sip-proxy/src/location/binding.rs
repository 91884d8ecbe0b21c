//! One contact of a user.

use std::time::{Duration, Instant};

use bytes::Bytes;
use sip_core::header::{CallId, NameAddr, QValue};
use sip_transaction::{Source, Target};

/// A contact that an address of record is bound to, and how to reach it (RFC 3261 §10.3).
#[derive(Debug, Clone, PartialEq)]
pub struct Binding {
    /// The contact as it was registered, with its parameters but `q` and `expires`.
    pub contact: NameAddr,
    /// The preference among several.
    pub q: Option<QValue>,
    /// The flow that the registration came by. Requests go down it, not to the address in the contact: a phone behind a
    /// NAT or a balancer is reached no other way (RFC 5626 §5.3).
    pub source: Source,
    /// The Path values of the registration, the nearest first; they become the Route of requests (RFC 3327 §5.4).
    pub path: Vec<NameAddr>,
    /// When the binding ends.
    pub expires_at: Instant,
    /// The Call-ID of the registration.
    pub call_id: CallId,
    /// The CSeq number of the registration.
    pub cseq: u32,
    /// The User-Agent of the phone, for those who look at the list.
    pub user_agent: Option<Bytes>,
    /// When the contact was first registered.
    pub registered_at: Instant,
    /// When it was registered last.
    pub refreshed_at: Instant,
    /// Whether the flow still exists.
    pub reachability: Reachability,
}

/// Whether requests can reach a contact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reachability {
    /// As far as we know.
    Reachable,
    /// Its connection was closed. The phone will open another and register again.
    ConnectionClosed,
}

impl Binding {
    /// Where requests for the contact go.
    #[must_use]
    pub fn target(&self) -> Target {
        Target::from(&self.source)
    }

    /// Whether requests can be sent now: the binding has not ended and its flow exists.
    #[must_use]
    pub fn is_usable(&self, now: Instant) -> bool {
        self.expires_at > now && self.reachability == Reachability::Reachable
    }

    /// The seconds that are left, rounded up, so that no phone hears 0 of a binding that exists.
    #[must_use]
    pub fn remaining_seconds(&self, now: Instant) -> u32 {
        let left = self.expires_at.saturating_duration_since(now);
        let seconds = left.as_secs() + u64::from(left.subsec_nanos() > 0);
        u32::try_from(seconds).unwrap_or(u32::MAX)
    }

    /// How long the contact is registered.
    #[must_use]
    pub fn age(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.registered_at)
    }
}
