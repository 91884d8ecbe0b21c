//! What goes to and comes from each address, in datagrams: what a trunk costs.

use std::{
    collections::HashMap,
    net::SocketAddr,
    time::{Duration, Instant},
};

/// Addresses that are counted apart; those of strangers are not.
const LIMIT: usize = 1_024;

/// Bytes of the headers of IPv4 and UDP.
const HEADERS: u64 = 28;

/// What went one way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Flow {
    pub(super) datagrams: u64,
    /// With the headers of IPv4 and UDP.
    pub(super) bytes: u64,
    /// Those that are trunk frames.
    pub(super) trunk_frames: u64,
    /// Bits a second, lately.
    pub(super) rate: u64,
    /// Bytes when the rate was computed.
    before: u64,
}

impl Flow {
    fn count(&mut self, payload: &[u8]) {
        self.datagrams += 1;
        self.bytes += payload.len() as u64 + HEADERS;
        // A meta frame (RFC 5456 §8.1.3): no call number, then the command of a trunk.
        self.trunk_frames += u64::from(payload.starts_with(&[0, 0, 1]));
    }

    fn measure(&mut self, over: Duration) {
        let bits = u128::from(self.bytes - self.before) * 8_000 / over.as_millis().max(1);
        self.rate = u64::try_from(bits).unwrap_or(u64::MAX);
        self.before = self.bytes;
    }
}

/// Both ways.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Both {
    pub(super) sent: Flow,
    pub(super) received: Flow,
}

/// All addresses.
#[derive(Debug, Default)]
pub(super) struct Traffic {
    places: HashMap<SocketAddr, Both>,
    pub(super) total: Both,
    measured: Option<Instant>,
}

impl Traffic {
    pub(super) fn sent(&mut self, to: SocketAddr, payload: &[u8]) {
        self.total.sent.count(payload);
        if let Some(both) = self.place(to) {
            both.sent.count(payload);
        }
    }

    /// What strangers send is only in the total: `known` are those that we sent to.
    pub(super) fn received(&mut self, from: SocketAddr, payload: &[u8]) {
        self.total.received.count(payload);
        if let Some(both) = self.places.get_mut(&from) {
            both.received.count(payload);
        }
    }

    pub(super) fn of(&self, address: SocketAddr) -> Both {
        self.places.get(&address).copied().unwrap_or_default()
    }

    /// Computes the rates; `known` are the addresses that are still wanted.
    pub(super) fn measure(&mut self, now: Instant, known: &[SocketAddr]) {
        let over = self.measured.map(|then| now.saturating_duration_since(then));
        if over.is_some_and(|over| over < Duration::from_millis(500)) {
            return;
        }
        self.measured = Some(now);
        self.places.retain(|address, _| known.contains(address));
        for address in known.iter().take(LIMIT) {
            self.places.entry(*address).or_default();
        }
        let Some(over) = over else { return };
        for both in self.places.values_mut().chain([&mut self.total]) {
            both.sent.measure(over);
            both.received.measure(over);
        }
    }

    pub(super) fn len(&self) -> usize {
        self.places.len()
    }

    fn place(&mut self, address: SocketAddr) -> Option<&mut Both> {
        self.places.get_mut(&address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "tests begin somewhere")]
    fn rates_are_of_the_last_second_and_strangers_are_only_in_the_total() {
        let mut traffic = Traffic::default();
        let (peer, stranger) = (SocketAddr::from(([192, 0, 2, 1], 4569)), SocketAddr::from(([192, 0, 2, 2], 4569)));
        let now = Instant::now();
        traffic.measure(now, &[peer]);
        traffic.sent(peer, &[0, 0, 1, 0, 0, 0, 0, 0]);
        traffic.received(peer, &[0x80; 72]);
        traffic.received(stranger, &[0x80; 72]);
        traffic.measure(now + Duration::from_secs(1), &[peer]);
        let both = traffic.of(peer);
        assert_eq!((both.sent.trunk_frames, both.sent.bytes, both.sent.rate), (1, 36, 288));
        assert_eq!((both.received.datagrams, both.received.rate), (1, 800));
        assert_eq!(traffic.total.received.rate, 1_600);
        traffic.measure(now + Duration::from_secs(2), &[peer]);
        assert_eq!(traffic.of(peer).received.rate, 0);
        traffic.measure(now + Duration::from_secs(3), &[]);
        assert_eq!(traffic.len(), 0);
    }
}
