//! What an endpoint may be told about times and limits.

use std::time::Duration;

/// The three times that all timers of RFC 3261 derive from (§17.1.1.1, table 4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timers {
    /// An estimate of the round trip: 500 ms.
    pub t1: Duration,
    /// The longest interval between retransmissions of a request other than INVITE, or of a response to INVITE: 4 s.
    pub t2: Duration,
    /// The longest time that a message stays in the network: 5 s.
    pub t4: Duration,
}

impl Default for Timers {
    fn default() -> Self {
        Self { t1: Duration::from_millis(500), t2: Duration::from_secs(4), t4: Duration::from_secs(5) }
    }
}

impl Timers {
    /// 64 times T1: how long an unanswered request lives (timers B, F, H, J, L, M).
    #[must_use]
    pub fn timeout(&self) -> Duration {
        self.t1.saturating_mul(64)
    }

    /// How long a client keeps answering retransmitted rejections with ACK (timer D): at least 32 s.
    #[must_use]
    pub fn linger(&self) -> Duration {
        self.timeout().max(Duration::from_secs(32))
    }

    /// When a request other than INVITE must have drawn a 100 (RFC 4320 §4.1): the time at which timer E reaches T2.
    #[must_use]
    pub fn late_trying(&self) -> Duration {
        let (mut interval, mut elapsed) = (self.t1, self.t1);
        // T1 of zero would never reach T2.
        while interval < self.t2 && !interval.is_zero() {
            interval = interval.saturating_mul(2).min(self.t2);
            if interval < self.t2 {
                elapsed = elapsed.saturating_add(interval);
            }
        }
        elapsed
    }
}

/// Times and limits of an [`Endpoint`](crate::Endpoint). Every table has a limit here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Config {
    /// T1, T2 and T4.
    pub timers: Timers,
    /// The largest messages that are read.
    pub limits: sip_core::Limits,
    /// After this long without an answer of ours to an INVITE, the endpoint says 100 by itself (RFC 3261 §17.2.1).
    pub trying_after: Duration,
    /// How many server transactions may exist. Past it, new requests are shed. A quarter is kept for
    /// [trusted](crate::Endpoint::trust) addresses.
    pub server_transactions: usize,
    /// How many of them one address may hold that was not [trusted](crate::Endpoint::trust).
    pub stranger_transactions: usize,
    /// How many client transactions may exist. Past it, [`send_request`](crate::Endpoint::send_request) refuses.
    pub client_transactions: usize,
    /// How many addresses are remembered as trusted; those longest unheard of are forgotten first.
    pub trusted_addresses: usize,
    /// The seconds in the Retry-After of a 503 that sheds load.
    pub retry_after: Duration,
    /// How many connections may exist.
    pub connections: usize,
    /// How many connections one address may have opened to us.
    pub connections_per_address: usize,
    /// How many bytes may wait for a connection to open.
    pub connect_queue: usize,
    /// How long a connection may take to open.
    pub connect_within: Duration,
    /// How long an accepted connection may take to bring its first message.
    pub first_message_within: Duration,
    /// How long a message may take from its first byte to its last.
    pub whole_message_within: Duration,
    /// How long a connection may carry nothing at all.
    pub idle: Duration,
    /// How many flows may be [kept alive](crate::Endpoint::keep_alive).
    pub kept_flows: usize,
    /// How many binding requests (STUN) of one address are answered in a second. Many phones may be behind one.
    pub bindings_per_address: u32,
    /// How many of all addresses that were not [trusted](crate::Endpoint::trust).
    pub bindings: u32,
    /// The largest request that goes by datagram when it might go by TCP (RFC 3261 §18.1.1): 1,300 bytes.
    pub datagram_limit: usize,
    /// How servers are located (RFC 3263).
    pub resolve: crate::resolve::Config,
    /// How long a target may be silent before the next one is tried. RFC 3263 §4.3 waits for timers B and F, half a
    /// minute, which is what `None` means; who has several servers to choose from will not want his users to wait so
    /// long. The last target has that half minute in any case.
    pub next_target_after: Option<Duration>,
    /// For about this long, a target that failed comes after all others.
    pub avoid_for: Duration,
    /// Whether requests over [`datagram_limit`](Self::datagram_limit) are tried over TCP first.
    pub large_requests_by_tcp: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            timers: Timers::default(),
            limits: sip_core::Limits::default(),
            trying_after: Duration::from_millis(200),
            server_transactions: 100_000,
            stranger_transactions: 25_000,
            client_transactions: 100_000,
            trusted_addresses: 65_536,
            retry_after: Duration::from_secs(5),
            connections: 20_000,
            connections_per_address: 4_096,
            connect_queue: 256 * 1024,
            connect_within: Duration::from_secs(5),
            first_message_within: Duration::from_secs(10),
            whole_message_within: Duration::from_secs(10),
            idle: Duration::from_secs(3_600),
            kept_flows: 20_000,
            bindings_per_address: 1_000,
            bindings: 20_000,
            datagram_limit: 1_300,
            resolve: crate::resolve::Config::default(),
            next_target_after: None,
            avoid_for: Duration::from_secs(60),
            large_requests_by_tcp: true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_late_trying_is_due_when_timer_e_is_set_to_t2() {
        // E fires at 0.5, 1.5 and 3.5 s; at 3.5 s it is set to T2.
        assert_eq!(Timers::default().late_trying(), Duration::from_millis(3_500));
    }
}
