//! Table sizes and counters of an agent.

/// What has happened since the agent was made. Counters only grow.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counters {
    /// INVITEs that became sessions.
    pub incoming: u64,
    /// INVITEs that were sent as sessions.
    pub outgoing: u64,
    /// Sessions that were answered.
    pub answered: u64,
    /// Sessions that ended.
    pub ended: u64,
    /// 2xx that were sent again.
    pub answers_resent: u64,
    /// ACKs that were sent again for a 2xx that came again.
    pub acks_resent: u64,
    /// 2xx that were never acknowledged.
    pub not_acknowledged: u64,
    /// 2xx of further branches that were acknowledged and ended.
    pub surplus_answers: u64,
    /// 2xx that crossed a CANCEL and were ended.
    pub crossed_answers: u64,
    /// Offers that crossed, in either direction (491).
    pub glare: u64,
    /// Requests inside dialogs that do not exist (481).
    pub unknown_dialog: u64,
    /// Requests that were refused by the agent itself: 400, 415, 420, 482, 500, 503.
    pub refused: u64,
    /// Requests that were sent again with credentials.
    pub challenges_answered: u64,
}

/// Table sizes now, and [`Counters`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Snapshot {
    /// Sessions that are alive.
    pub sessions: usize,
    /// Sessions that are over and wait for the answer to a last request of theirs.
    pub lingering: usize,
    /// Dialogs, early ones included.
    pub dialogs: usize,
    /// Client transactions that the agent follows.
    pub clients: usize,
    /// Server transactions that the agent follows.
    pub servers: usize,
    /// INVITEs that are watched for merged copies (RFC 3261 §8.2.2.2).
    pub merging: usize,
    /// Timers of sessions that run.
    pub timers: usize,
    /// Outputs that the driver has not taken.
    pub outputs: usize,
    /// The transactions and connections below.
    pub endpoint: crate::Snapshot,
    /// What has happened since the agent was made.
    pub counters: Counters,
}

impl Snapshot {
    /// Whether nothing is left of any call.
    #[must_use]
    pub const fn is_idle(&self) -> bool {
        self.sessions == 0
            && self.lingering == 0
            && self.dialogs == 0
            && self.clients == 0
            && self.servers == 0
            && self.merging == 0
            && self.timers == 0
            && self.outputs == 0
            && self.endpoint.is_idle()
    }
}
