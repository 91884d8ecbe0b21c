//! A configured peer: where it is, and whether it is reached (RFC 5456 §6.7.1; Asterisk's `qualify`).

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::call::Profile;
use crate::config::{PeerAddress, Qualify};
use crate::element::{Element, ElementsBuf, MessageCount};
use crate::event::Reachability;
use crate::frame::{Command, Full, Kind};
use crate::link::{Cx, Link};

/// Where a dynamic peer registered from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Binding {
    pub(crate) address: SocketAddr,
    pub(crate) expires: Instant,
}

/// A peer, as long as it is configured.
#[derive(Debug)]
pub(crate) struct Peer {
    pub(crate) profile: Arc<Profile>,
    pub(crate) binding: Option<Binding>,
    pub(crate) calls: usize,
    pub(crate) messages: Option<MessageCount>,
    /// It has used a call token: in calls, in registrations.
    pub(crate) used_token: (bool, bool),
    pub(crate) reachability: Reachability,
    pub(crate) leg: Option<u16>,
    pub(crate) next_poke: Option<Instant>,
    pub(crate) scheduled: Option<Instant>,
    last: Option<Duration>,
}

impl Peer {
    pub(crate) fn new(now: Instant, profile: Arc<Profile>) -> Self {
        let mut peer = Self {
            profile,
            binding: None,
            calls: 0,
            messages: None,
            used_token: (false, false),
            reachability: Reachability::Unknown,
            leg: None,
            next_poke: None,
            scheduled: None,
            last: None,
        };
        if peer.address().is_some() {
            peer.watch(now);
        }
        peer
    }

    /// Where it is now.
    pub(crate) fn address(&self) -> Option<SocketAddr> {
        match self.profile.config.address {
            PeerAddress::None => None,
            PeerAddress::Fixed(address) => Some(address),
            PeerAddress::Dynamic => self.binding.map(|binding| binding.address),
        }
    }

    /// Pokes it now, if it is watched.
    pub(crate) fn watch(&mut self, now: Instant) {
        if self.profile.config.qualify.is_some() {
            self.next_poke = Some(now);
        }
    }

    /// It is nowhere any more.
    pub(crate) fn unwatch(&mut self) {
        self.next_poke = None;
        self.last = None;
        self.reachability = Reachability::Unknown;
    }

    /// A poke came back, or did not; returns the new state when it is another one.
    pub(crate) fn on_poke(&mut self, now: Instant, round_trip: Option<Duration>) -> Option<Reachability> {
        let Qualify { limit, good, bad, smoothing } = self.profile.config.qualify.unwrap_or_default();
        let state = match round_trip {
            None => {
                self.last = None;
                Reachability::Unreachable
            }
            Some(round_trip) => {
                let mean = match self.last.filter(|_| smoothing) {
                    Some(last) => (last + round_trip) / 2,
                    None => round_trip,
                };
                self.last = Some(mean);
                if mean > limit { Reachability::Lagged(mean) } else { Reachability::Reachable(mean) }
            }
        };
        self.next_poke = Some(now + if matches!(state, Reachability::Reachable(_)) { good } else { bad });
        let before = std::mem::replace(&mut self.reachability, state);
        (std::mem::discriminant(&before) != std::mem::discriminant(&state)).then_some(state)
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        let poke = self.next_poke.filter(|_| self.leg.is_none());
        [poke, self.binding.map(|binding| binding.expires)].into_iter().flatten().min()
    }
}

/// One POKE and its PONG.
#[derive(Debug)]
pub(crate) struct Poke {
    pub(crate) link: Link,
    pub(crate) peer: Arc<str>,
    deadline: Instant,
    sent: u32,
    /// The round trip, or that there was none.
    pub(crate) outcome: Option<Option<Duration>>,
    pub(crate) closed: Option<bool>,
}

impl Poke {
    pub(crate) fn new(cx: &mut Cx<'_>, local: u16, peer: Arc<str>, address: SocketAddr, limit: Duration) -> Self {
        let mut link = Link::outgoing(cx.now, cx.config.schedule, local, address);
        // The token element is empty: we take tokens, should one ever be asked for.
        let list: ElementsBuf = [Element::CallToken(&[])].into_iter().collect();
        let sent = link.send(cx, Kind::Iax(Command::Poke), list.as_bytes());
        Self { link, peer, deadline: cx.now + limit * 2, sent, outcome: None, closed: None }
    }

    pub(crate) fn on_full(&mut self, cx: &mut Cx<'_>, full: &Full<'_>, size: usize) {
        if self.link.remote == 0 {
            self.link.remote = full.header.source_call;
        }
        self.link.receive(cx, &full.header, size);
        if full.header.kind == Kind::Iax(Command::Pong) && self.closed.is_none() {
            let round_trip = self.link.elapsed(cx.now).saturating_sub(self.sent);
            self.outcome = Some(Some(Duration::from_millis(u64::from(round_trip))));
            self.closed = Some(true);
        }
        self.link.flush(cx);
        if self.closed.is_some() {
            self.link.reliable.abandon();
        }
    }

    pub(crate) fn on_timeout(&mut self, cx: &mut Cx<'_>) {
        if self.link.on_timeout(cx).is_err() || self.deadline <= cx.now {
            self.link.reliable.abandon();
            self.outcome = Some(None);
            self.closed = Some(false);
        }
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        Some(self.link.poll_timeout().map_or(self.deadline, |due| due.min(self.deadline)))
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests begin somewhere")]
mod tests {
    use super::*;
    use crate::PeerConfig;

    fn peer(smoothing: bool) -> (Instant, Peer) {
        let now = Instant::now();
        let mut config = PeerConfig::new("p").at("192.0.2.1:4569".parse().unwrap());
        config.qualify = Some(Qualify { smoothing, ..Qualify::default() });
        let profile = Profile { name: "p".into(), demand: config.demand(), config };
        (now, Peer::new(now, Arc::new(profile)))
    }

    #[test]
    fn a_good_peer_is_poked_every_60_s_and_a_bad_one_every_10() {
        let (now, mut peer) = peer(false);
        let ms = Duration::from_millis;
        assert_eq!(peer.poll_timeout(), Some(now));
        assert_eq!(peer.on_poke(now, Some(ms(30))), Some(Reachability::Reachable(ms(30))));
        assert_eq!(peer.poll_timeout(), Some(now + Duration::from_secs(60)));
        assert_eq!(peer.on_poke(now, Some(ms(40))), None, "the same state");
        assert_eq!(peer.on_poke(now, Some(ms(2_500))), Some(Reachability::Lagged(ms(2_500))));
        assert_eq!(peer.poll_timeout(), Some(now + Duration::from_secs(10)));
        assert_eq!(peer.on_poke(now, None), Some(Reachability::Unreachable));
        assert_eq!(peer.poll_timeout(), Some(now + Duration::from_secs(10)));
    }

    #[test]
    fn smoothing_forgives_one_slow_answer() {
        let (now, mut peer) = peer(true);
        let ms = Duration::from_millis;
        peer.on_poke(now, Some(ms(100)));
        assert_eq!(peer.on_poke(now, Some(ms(3_000))), None, "mean of 100 and 3000 is below 2000");
        assert!(matches!(peer.on_poke(now, Some(ms(3_000))), Some(Reachability::Lagged(_))));
    }
}
