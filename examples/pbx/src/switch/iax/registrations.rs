//! Our registrations at others, and those of others here.

use std::{
    collections::HashMap,
    net::SocketAddr,
    time::{Duration, Instant},
};

use iax2::{RegistrationFailure, RegistrationId};

use super::{super::Switch, setup};
use crate::{config::IaxRegistration, switch::Event};

/// How far a registration of ours is, in Asterisk's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Sent,
    Registered,
    Rejected,
    NoAuthentication,
    Timeout,
    Released,
}

impl State {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Sent => "Request Sent",
            Self::Registered => "Registered",
            Self::Rejected => "Rejected",
            Self::NoAuthentication => "No Authentication",
            Self::Timeout => "Timeout",
            Self::Released => "Unregistered",
        }
    }
}

/// A registration of ours.
#[derive(Debug)]
pub(super) struct Registration {
    pub(super) id: RegistrationId,
    pub(super) address: SocketAddr,
    pub(super) wanted: IaxRegistration,
    pub(super) state: State,
    pub(super) refresh: Duration,
    /// How the registrar sees us.
    pub(super) perceived: Option<SocketAddr>,
    pub(super) since: Option<Instant>,
    /// When it was last acknowledged.
    last: Option<Instant>,
}

/// Who was told of us within this time has not forgotten us since: else two that began again would tell each other for ever.
/// Longer than any round trip, and shorter than a restart.
const FRESH: Duration = Duration::from_secs(2);

impl Registration {
    pub(super) fn new(id: RegistrationId, address: SocketAddr, wanted: &IaxRegistration) -> Self {
        Self {
            id,
            address,
            wanted: wanted.clone(),
            state: State::Sent,
            refresh: wanted.refresh,
            perceived: None,
            since: None,
            last: None,
        }
    }

    fn is_fresh(&self, now: Instant) -> bool {
        self.state == State::Registered && self.last.is_some_and(|at| now.saturating_duration_since(at) < FRESH)
    }
}

/// When each peer last registered here, and for how long.
#[derive(Debug, Default)]
pub(super) struct Bindings(HashMap<String, (Instant, Duration, SocketAddr)>);

impl Bindings {
    /// Whether a peer that registers now began again since it did so before: who goes on repeats it when it is time.
    fn note(&mut self, now: Instant, peer: &str, refresh: Duration, address: SocketAddr) -> bool {
        let before = self.0.insert(peer.to_owned(), (now, refresh, address));
        before.is_none_or(|(at, lasts, place)| place != address || now.saturating_duration_since(at) < lasts / 2)
    }

    /// Where a peer was that is not registered any more.
    fn forget(&mut self, peer: &str) -> Option<SocketAddr> {
        self.0.remove(peer).map(|(_, _, address)| address)
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

impl Switch {
    pub(super) fn on_registered(
        &mut self,
        now: Instant,
        id: RegistrationId,
        refresh: Duration,
        perceived: Option<SocketAddr>,
    ) {
        let Some(registration) = self.trunks.registration(id) else { return };
        if registration.state != State::Registered {
            tracing::info!(at = %setup::title(&registration.wanted), "registered");
            registration.since = Some(now);
        }
        registration.last = Some(now);
        (registration.state, registration.refresh, registration.perceived) = (State::Registered, refresh, perceived);
        self.tell(Event::Changed);
    }

    pub(super) fn on_registration_failed(&mut self, id: RegistrationId, reason: &RegistrationFailure) {
        let Some(registration) = self.trunks.registration(id) else { return };
        let state = match reason {
            RegistrationFailure::Refused { .. } => State::Rejected,
            RegistrationFailure::Unauthorized => State::NoAuthentication,
            _ => State::Timeout,
        };
        if registration.state != state {
            let at = setup::title(&registration.wanted);
            tracing::warn!(%at, reason = state.as_str(), "not registered; it is tried again");
        }
        (registration.state, registration.since) = (state, None);
        self.tell(Event::Changed);
    }

    pub(super) fn on_released(&mut self, id: RegistrationId) {
        if let Some(registration) = self.trunks.registration(id) {
            (registration.state, registration.since) = (State::Released, None);
        }
    }

    /// A peer registered here. One that began again has forgotten us, too: we do not wait for our time to tell it.
    pub(super) fn on_bound(&mut self, now: Instant, peer: &str, address: SocketAddr, refresh: Duration) {
        self.trunks.suspects.remove(peer);
        if !self.trunks.bindings.note(now, peer, refresh, address) {
            return;
        }
        tracing::info!(peer, %address, "IAX2 peer registered");
        self.tell(Event::Changed);
        let draining = self.is_draining();
        let Some(endpoint) = &mut self.trunks.endpoint else { return };
        for registration in self.trunks.registrations.iter().filter(|_| !draining) {
            if registration.address.ip() == address.ip() && !registration.is_fresh(now) {
                endpoint.refresh(now, registration.id);
            }
        }
        if endpoint.reachability(peer) == Some(iax2::Reachability::Unreachable) {
            // It has an address: that it has.
            let _ = endpoint.poke(now, peer);
        }
    }

    pub(super) fn on_unbound(&mut self, peer: &str) {
        if let Some(address) = self.trunks.bindings.forget(peer) {
            // It ends, and what it knows of us ends with it: when it is back, it is told at once.
            for registration in &mut self.trunks.registrations {
                if registration.address.ip() == address.ip() {
                    registration.last = None;
                }
            }
        }
        tracing::info!(peer, "IAX2 peer is no longer registered");
        self.tell(Event::Changed);
    }

    /// Gives up all registrations: no more calls are wanted.
    pub(in crate::switch) fn release_registrations(&mut self, now: Instant) {
        let Some(endpoint) = &mut self.trunks.endpoint else { return };
        for registration in &self.trunks.registrations {
            endpoint.unregister(now, registration.id);
        }
    }
}
