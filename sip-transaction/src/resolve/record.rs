//! What is asked of the domain name system, and what it says.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// What kind of records is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// Which transports a domain has, in its order (RFC 3403).
    Naptr,
    /// The servers of a domain for one transport (RFC 2782).
    Srv,
    /// IPv4 addresses.
    A,
    /// IPv6 addresses.
    Aaaa,
}

/// A question to the domain name system.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Question {
    /// The name, in lower case, from the root, without a dot at its end.
    pub name: Arc<str>,
    /// The kind of records.
    pub kind: Kind,
}

impl Question {
    /// A question about a name.
    #[must_use]
    pub fn new(name: &str, kind: Kind) -> Self {
        Self { name: normal(name), kind }
    }
}

/// A record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Record {
    /// A transport of a domain.
    Naptr(Naptr),
    /// A server of a domain.
    Srv(Srv),
    /// An address, of either family.
    Address(IpAddr),
}

/// A NAPTR record (RFC 3403 §4.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Naptr {
    /// Lower ones are considered first, and higher ones only when none of those fits.
    pub order: u16,
    /// Among those of one order, lower ones are considered first.
    pub preference: u16,
    /// `s` when an SRV record comes next.
    pub flags: Arc<str>,
    /// What it leads to, such as `SIPS+D2T`.
    pub services: Arc<str>,
    /// Empty where a replacement is given.
    pub regexp: Arc<str>,
    /// The name to go on with.
    pub replacement: Arc<str>,
}

/// An SRV record (RFC 2782).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Srv {
    /// Lower ones are tried first.
    pub priority: u16,
    /// Among those of one priority, how often it is tried first.
    pub weight: u16,
    /// Where the server listens.
    pub port: u16,
    /// Its name; the root (empty or `.`) when the service is not offered.
    pub target: Arc<str>,
}

/// What the domain name system said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// There are records. Those that do not fit the question are ignored.
    Found {
        /// The records.
        records: Vec<Record>,
        /// How long they hold: the shortest of their times.
        ttl: Duration,
    },
    /// There is no such name, or it has no such records (RFC 2308).
    NotFound {
        /// How long that holds.
        ttl: Duration,
    },
    /// No server said anything that counts.
    Failed,
}

/// Lower case, without a dot at the end.
pub(super) fn normal(name: &str) -> Arc<str> {
    name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase().into()
}
