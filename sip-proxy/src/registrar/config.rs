//! How the registrar behaves.

use std::time::Duration;

use bytes::Bytes;
use sip_core::uri::Host;

use crate::location::memory;

/// Settings of a [`Registrar`](super::Registrar).
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// The domains whose users are registered here. Empty: every domain, as a PBX wants it that phones know by whatever
    /// address reaches it.
    pub domains: Vec<Host>,
    /// The domain that all of them are one with, for the keys of the location store: `sip:alice@10.0.0.1` and
    /// `sip:alice@pbx.example` are then one user. `None`: each domain has users of its own.
    pub canonical: Option<Host>,
    /// The validity that is granted when none is asked for.
    pub default_expires: Duration,
    /// Validities below this are refused with 423, unless they are an hour or more.
    pub min_expires: Duration,
    /// Longer validities are cut to this.
    pub max_expires: Duration,
    /// The extensions that a REGISTER may require.
    pub supported: Vec<Bytes>,
    /// Bounds on the location store.
    pub location: memory::Config,
}

impl Default for Config {
    /// Every domain as its own; validities of one minute to two hours, one hour by default; `path` is supported.
    fn default() -> Self {
        Self {
            domains: Vec::new(),
            canonical: None,
            default_expires: Duration::from_secs(3_600),
            min_expires: Duration::from_secs(60),
            max_expires: Duration::from_secs(7_200),
            supported: vec![Bytes::from_static(b"path")],
            location: memory::Config::default(),
        }
    }
}

impl Config {
    /// Users of one domain, under whatever of its names or addresses they register.
    #[must_use]
    pub fn one_domain(domain: Host) -> Self {
        Self { canonical: Some(domain), ..Self::default() }
    }
}
