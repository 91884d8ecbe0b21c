//! Table sizes and counters of a B2BUA.

/// What has happened since the B2BUA was made. Counters only grow.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counters {
    /// Calls that were connected.
    pub calls: u64,
    /// Calls that a branch answered.
    pub answered: u64,
    /// Calls that ended.
    pub ended: u64,
    /// Calls that no branch wanted.
    pub refused: u64,
    /// Calls that nobody answered in time.
    pub no_answer: u64,
    /// Offers inside calls that were passed to the other side.
    pub renegotiations: u64,
    /// Requests inside calls, such as INFO, that were passed to the other side.
    pub passed: u64,
}

/// Table sizes now, and [`Counters`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Snapshot {
    /// Calls that are alive.
    pub calls: usize,
    /// Calls that are over but for the last answers to their sessions.
    pub ending: usize,
    /// Sessions of calls.
    pub sessions: usize,
    /// Requests inside calls that were passed and not answered.
    pub passed: usize,
    /// Ring times that run.
    pub timers: usize,
    /// Events that the application has not taken.
    pub events: usize,
    /// What has happened since the B2BUA was made.
    pub counters: Counters,
}

impl Snapshot {
    /// Whether nothing is left of any call.
    #[must_use]
    pub const fn is_idle(&self) -> bool {
        self.calls == 0
            && self.ending == 0
            && self.sessions == 0
            && self.passed == 0
            && self.timers == 0
            && self.events == 0
    }
}
