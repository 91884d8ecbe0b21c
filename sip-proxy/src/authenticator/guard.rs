//! Who has guessed too often: a ban table that is bounded in size and time.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv6Addr};
use std::time::{Duration, Instant};

/// Settings of a [`Guard`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GuardConfig {
    /// How many wrong answers within the window are too many.
    pub failures: u32,
    /// How long wrong answers are counted together, from the first.
    pub window: Duration,
    /// How long a source is banned.
    pub ban: Duration,
    /// How many sources are remembered. When there are more, those go first whose time ends first.
    pub sources: usize,
    /// Sources that are never banned, such as the load balancer that all phones come through.
    pub exempt: Vec<IpAddr>,
}

impl Default for GuardConfig {
    /// Ten wrong answers within a minute ban for five; 10,000 sources; nobody is exempt.
    fn default() -> Self {
        Self {
            failures: 10,
            window: Duration::from_secs(60),
            ban: Duration::from_secs(300),
            sources: 10_000,
            exempt: Vec::new(),
        }
    }
}

/// Counts wrong answers by source and bans those that guess.
///
/// It decides nothing by itself: ask [`is_banned`](Self::is_banned) before the
/// [`Authenticator`](super::Authenticator), and tell it of each [`Cause::Wrong`](super::Cause::Wrong). A request from a
/// banned source is best dropped, or answered with 403 as cheaply as possible. IPv6 sources count by their first 64 bits.
///
/// Whoever can forge the source of datagrams can have others banned. Exempt those who must not be.
#[derive(Debug)]
pub struct Guard {
    config: GuardConfig,
    sources: BTreeMap<IpAddr, Record>,
    /// When each record ends.
    ends: BTreeSet<(Instant, IpAddr)>,
    banned: usize,
}

#[derive(Debug, Clone, Copy)]
struct Record {
    failures: u32,
    ends: Instant,
    is_banned: bool,
}

/// Sizes at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct GuardSnapshot {
    /// Sources that are remembered.
    pub sources: usize,
    /// Those of them that are banned.
    pub banned: usize,
}

impl Guard {
    /// A guard that knows nobody.
    #[must_use]
    pub const fn new(config: GuardConfig) -> Self {
        Self { config, sources: BTreeMap::new(), ends: BTreeSet::new(), banned: 0 }
    }

    /// Notes a wrong answer. Whether the source is banned now.
    pub fn note_failure(&mut self, now: Instant, source: IpAddr) -> bool {
        self.handle_timeout(now);
        if self.is_exempt(source) || self.config.sources == 0 {
            return false;
        }
        let key = key(source);
        let mut record = match self.remove(key) {
            Some(record) if record.is_banned => {
                self.insert(key, record);
                return true;
            }
            Some(record) => record,
            None => Record { failures: 0, ends: now + self.config.window, is_banned: false },
        };
        record.failures += 1;
        if record.failures >= self.config.failures {
            record = Record { is_banned: true, ends: now + self.config.ban, ..record };
        }
        while self.sources.len() >= self.config.sources {
            let Some((_, oldest)) = self.ends.first().copied() else { break };
            self.remove(oldest);
        }
        self.insert(key, record);
        record.is_banned
    }

    /// Notes a right answer: what was wrong before is forgotten, but a ban stands.
    pub fn note_success(&mut self, now: Instant, source: IpAddr) {
        self.handle_timeout(now);
        let key = key(source);
        if self.sources.get(&key).is_some_and(|record| !record.is_banned) {
            self.remove(key);
        }
    }

    /// Ends bans and counts whose time is over.
    pub fn handle_timeout(&mut self, now: Instant) {
        while let Some((_, source)) = self.ends.first().copied().filter(|(ends, _)| *ends <= now) {
            self.remove(source);
        }
    }

    /// When the next ban or count ends.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.ends.first().map(|(ends, _)| *ends)
    }

    /// Whether a source is banned.
    #[must_use]
    pub fn is_banned(&self, now: Instant, source: IpAddr) -> bool {
        self.sources.get(&key(source)).is_some_and(|record| record.is_banned && record.ends > now)
            && !self.is_exempt(source)
    }

    /// Sizes now.
    #[must_use]
    pub fn snapshot(&self) -> GuardSnapshot {
        GuardSnapshot { sources: self.sources.len(), banned: self.banned }
    }

    fn is_exempt(&self, source: IpAddr) -> bool {
        let source = source.to_canonical();
        self.config.exempt.iter().any(|exempt| exempt.to_canonical() == source)
    }

    fn insert(&mut self, key: IpAddr, record: Record) {
        self.banned += usize::from(record.is_banned);
        self.ends.insert((record.ends, key));
        self.sources.insert(key, record);
    }

    fn remove(&mut self, key: IpAddr) -> Option<Record> {
        let record = self.sources.remove(&key)?;
        self.ends.remove(&(record.ends, key));
        self.banned -= usize::from(record.is_banned);
        Some(record)
    }
}

/// What counts as one source: an IPv4 address, or 64 bits of an IPv6 one, because that is what one host is given.
fn key(source: IpAddr) -> IpAddr {
    match source.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX))),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::tests::epoch;

    fn address(last: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, last])
    }

    #[test]
    fn a_source_that_guesses_is_banned_for_a_time() {
        let now = epoch();
        let mut guard = Guard::new(GuardConfig::default());
        for guess in 1..=10 {
            assert!(!guard.is_banned(now, address(1)));
            assert_eq!(guard.note_failure(now, address(1)), guess == 10, "{guess}");
        }
        assert!(guard.is_banned(now, address(1)) && !guard.is_banned(now, address(2)));
        guard.note_success(now, address(1));
        assert!(guard.is_banned(now, address(1)), "a lucky guess does not help");
        let end = now + Duration::from_secs(300);
        // To go on guessing does not prolong it: a phone with an old password finds back by itself.
        assert!(guard.note_failure(now + Duration::from_secs(200), address(1)));
        assert_eq!(guard.poll_timeout(), Some(end));
        assert!(!guard.is_banned(end, address(1)));
        guard.handle_timeout(end);
        assert_eq!(guard.snapshot(), GuardSnapshot { sources: 0, banned: 0 });
    }

    #[test]
    fn slow_mistakes_and_right_answers_between_are_forgiven() {
        let mut now = epoch();
        let mut guard = Guard::new(GuardConfig::default());
        for _ in 0..100 {
            now += Duration::from_secs(10);
            assert!(!guard.note_failure(now, address(1)));
        }
        for guess in 0..100 {
            assert!(!guard.note_failure(now, address(2)));
            if guess % 9 == 8 {
                guard.note_success(now, address(2));
            }
        }
    }

    #[test]
    fn one_ipv6_network_is_one_source() {
        let now = epoch();
        let mut guard = Guard::new(GuardConfig { failures: 3, ..GuardConfig::default() });
        for host in 1u16..=3 {
            guard.note_failure(now, IpAddr::from([0x2001, 0xdb8, 0, 1, 0, 0, 0, host]));
        }
        assert!(guard.is_banned(now, "2001:db8:0:1::9".parse().unwrap()));
        assert!(!guard.is_banned(now, "2001:db8:0:2::9".parse().unwrap()));
        for _ in 0..3 {
            guard.note_failure(now, "::ffff:192.0.2.7".parse().unwrap());
        }
        assert!(guard.is_banned(now, address(7)) && !guard.is_banned(now, address(8)));
    }

    #[test]
    fn who_is_exempt_is_never_banned() {
        let now = epoch();
        let mut guard = Guard::new(GuardConfig { failures: 1, exempt: vec![address(1)], ..GuardConfig::default() });
        assert!(!guard.note_failure(now, address(1)));
        assert!(!guard.is_banned(now, address(1)));
        assert_eq!(guard.snapshot().sources, 0);
    }

    #[test]
    fn a_flood_of_sources_does_not_fill_memory() {
        let now = epoch();
        let mut guard = Guard::new(GuardConfig { sources: 100, ..GuardConfig::default() });
        for source in 0..10_000u32 {
            guard.note_failure(now, IpAddr::from(source.to_be_bytes()));
        }
        assert_eq!(guard.snapshot().sources, 100);
        let mut none = Guard::new(GuardConfig { sources: 0, failures: 1, ..GuardConfig::default() });
        assert!(!none.note_failure(now, address(1)));
    }

    proptest! {
        #[test]
        fn the_tables_agree_and_empty(
            steps in proptest::collection::vec((0u8..6, any::<bool>(), 0u64..100), 0..100),
        ) {
            let mut now = epoch();
            let config = GuardConfig { failures: 3, sources: 4, ..GuardConfig::default() };
            let mut guard = Guard::new(config);
            for (source, fails, seconds) in steps {
                now += Duration::from_secs(seconds);
                if fails {
                    let is_banned = guard.note_failure(now, address(source));
                    prop_assert_eq!(guard.is_banned(now, address(source)), is_banned);
                } else {
                    guard.note_success(now, address(source));
                }
                let banned = (0..6).filter(|source| guard.is_banned(now, address(*source))).count();
                prop_assert_eq!(guard.snapshot().banned, banned);
                prop_assert!(guard.snapshot().sources <= 4);
                prop_assert_eq!(guard.sources.len(), guard.ends.len());
            }
            while let Some(at) = guard.poll_timeout() {
                guard.handle_timeout(at);
            }
            prop_assert_eq!(guard.snapshot(), GuardSnapshot { sources: 0, banned: 0 });
        }
    }
}
