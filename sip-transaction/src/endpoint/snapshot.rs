//! Table sizes and counters of an endpoint, to watch it by.

/// What has happened since the endpoint was made. Counters only grow.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counters {
    /// Messages that were read.
    pub messages_received: u64,
    /// Messages that were sent, retransmissions included.
    pub messages_sent: u64,
    /// Requests that were handed to the user.
    pub requests: u64,
    /// Responses that were handed to the user.
    pub responses: u64,
    /// Requests and responses that had been received before.
    pub retransmissions_received: u64,
    /// Messages that were sent again because a timer said so.
    pub retransmissions_sent: u64,
    /// Bytes that were not SIP and were dropped.
    pub malformed: u64,
    /// Broken requests that were answered with an error.
    pub malformed_answered: u64,
    /// Responses that answer nothing of ours.
    pub stray_responses: u64,
    /// CANCEL that matched nothing, or came from somewhere else than what it cancels.
    pub stray_cancels: u64,
    /// Requests that were shed with a 503.
    pub shed_answered: u64,
    /// Requests of strangers that were shed in silence.
    pub shed_dropped: u64,
    /// Messages that were held back because strangers get no more than three times what they sent.
    pub amplification_prevented: u64,
    /// Keep-alives that came.
    pub keep_alives: u64,
    /// Binding requests that were answered.
    pub bindings_answered: u64,
    /// Binding requests that were dropped because too many came in one second.
    pub bindings_shed: u64,
    /// Binding requests that were sent, again ones included.
    pub bindings_sent: u64,
    /// STUN that was dropped: broken, or answering nothing of ours.
    pub bindings_stray: u64,
    /// Connections that were accepted.
    pub connections_accepted: u64,
    /// Connections that we opened.
    pub connections_opened: u64,
    /// Connections that were refused for a limit.
    pub connections_refused: u64,
    /// Connections that were closed because the other side did not read.
    pub slow_readers: u64,
    /// Connections that were closed because a deadline passed.
    pub deadlines: u64,
    /// Client transactions that ended without a final response.
    pub client_failures: u64,
    /// Server transactions that ended without the ACK or the answer that they waited for.
    pub server_timeouts: u64,
    /// Targets that failed and were followed by another one.
    pub failovers: u64,
    /// Large requests that were tried over TCP and went back to datagrams.
    pub fallbacks: u64,
}

/// Table sizes now, and [`Counters`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Snapshot {
    /// Client transactions, CANCEL included.
    pub client_transactions: usize,
    /// Server transactions, CANCEL included.
    pub server_transactions: usize,
    /// Server transactions that wait for the user's final response.
    pub unanswered: usize,
    /// Connections, those that are being opened included.
    pub connections: usize,
    /// Lookups of servers that wait for answers.
    pub lookups: usize,
    /// Answers of the domain name system that are kept.
    pub answers: usize,
    /// Timers that run.
    pub timers: usize,
    /// Flows that are kept alive.
    pub kept_flows: usize,
    /// Addresses that nobody vouches for and that hold server transactions.
    pub strangers: usize,
    /// Outputs that the driver has not taken.
    pub outputs: usize,
    /// What has happened since the endpoint was made.
    pub counters: Counters,
}

impl Snapshot {
    /// Whether no transaction and no timer of one is left. Connections have timers of their own.
    #[must_use]
    pub const fn is_idle(&self) -> bool {
        self.client_transactions == 0 && self.server_transactions == 0 && self.strangers == 0 && self.outputs == 0
    }
}
