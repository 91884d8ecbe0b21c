//! Limits and manners of an agent.

use std::time::Duration;

use sip_core::Method;

/// Limits and manners of an [`Agent`](super::Agent). Every table has a limit here or in [`endpoint`](Self::endpoint).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Times and limits of the transactions and the transport below.
    pub endpoint: crate::Config,
    /// How many sessions may be alive. Past it, INVITEs are answered 503 with Retry-After and
    /// [`invite`](super::Agent::invite) refuses.
    pub sessions: usize,
    /// How many early dialogs one INVITE of ours may make (RFC 3261 §13.2.2.1). Provisional responses of further
    /// branches are passed up, but requests inside their dialogs are answered 481.
    pub forks: usize,
    /// How many requests inside one dialog may wait for the application. Past it, they are answered 503.
    pub waiting: usize,
    /// How long an INVITE may go without a final response: received ones are then answered 480, sent ones cancelled.
    pub ring: Duration,
    /// How often a re-INVITE or UPDATE that drew 491 is tried again before the application is told (RFC 3261 §14.1).
    pub glare_retries: u8,
    /// The methods of Allow in INVITE, its 2xx, and the answer to OPTIONS.
    pub allow: Vec<Method>,
    /// The option tags of Supported; a Require with any other draws 420 (RFC 3261 §8.2.2.3).
    pub supported: Vec<String>,
    /// What User-Agent and Server say; neither is sent when `None`.
    pub user_agent: Option<String>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            endpoint: crate::Config::default(),
            sessions: 50_000,
            forks: 16,
            waiting: 16,
            ring: Duration::from_secs(180),
            glare_retries: 4,
            allow: vec![
                Method::Invite,
                Method::Ack,
                Method::Cancel,
                Method::Bye,
                Method::Options,
                Method::Update,
                Method::Info,
            ],
            supported: Vec::new(),
            user_agent: None,
        }
    }
}
