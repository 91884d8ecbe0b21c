//! IAX2 in the switch: an endpoint for trunks to other exchanges, and the legs that go over them.

mod events;
mod leg;
mod picture;
mod registrations;
mod setup;
mod traffic;
mod vigil;

use std::{
    collections::{BTreeSet, HashMap},
    net::SocketAddr,
    time::{Duration, Instant, SystemTime},
};

use bytes::Bytes;
use iax2::{CallId, Endpoint, Input, RegistrationId};

use super::{Event, Switch, leg::LegKey};
use crate::{config::Config, media};
use registrations::{Bindings, Registration};
use traffic::Traffic;
use vigil::Vigils;

pub(super) use leg::IaxLeg;

/// How long a peer that we call may send nothing at all: after that the dialplan goes on. One repetition of the first frame
/// falls into it. A peer that is known to be far has twice its delay, up to [`LONGEST_UNHEARD`].
const UNHEARD: Duration = Duration::from_millis(700);

/// How long a caller waits at most for a peer of which nothing is heard.
const LONGEST_UNHEARD: Duration = Duration::from_secs(4);

/// How long a peer that was silent is not called again, unless it is heard of: by then a watched one is known to be gone.
const SUSPECT: Duration = Duration::from_secs(5);

/// The endpoint, and what the switch knows beside it.
#[derive(Debug, Default)]
pub(super) struct Trunks {
    /// `None` when IAX2 is off.
    endpoint: Option<Endpoint>,
    legs: HashMap<CallId, LegKey>,
    /// Calls of ours of which nothing came yet, by when they are given up.
    unheard: BTreeSet<(Instant, CallId)>,
    /// Peers that were silent, and until when they are not called.
    suspects: HashMap<String, Instant>,
    /// Peers with which calls of ours ring.
    vigils: Vigils,
    registrations: Vec<Registration>,
    bindings: Bindings,
    traffic: Traffic,
    /// Peers for one call that were made so far.
    passing: u64,
}

impl Trunks {
    pub(super) fn new(config: &Config, seed: [u8; 32], now: Instant, wall: SystemTime) -> Self {
        let Some((mut endpoint, registrations)) = setup::endpoint(config, seed, now) else { return Self::default() };
        if let Ok(since) = wall.duration_since(SystemTime::UNIX_EPOCH) {
            endpoint.set_wall_clock(now, since.as_secs());
        }
        let mut trunks = Self { endpoint: Some(endpoint), registrations, ..Self::default() };
        trunks.measure(now, config);
        trunks
    }

    pub(super) fn set_clock(&mut self, now: Instant, since_1970: Duration, config: &Config) {
        if let Some(endpoint) = &mut self.endpoint {
            endpoint.set_wall_clock(now, since_1970.as_secs());
            self.measure(now, config);
        }
    }

    /// Rates of the addresses of peers and registrars.
    fn measure(&mut self, now: Instant, config: &Config) {
        let Some(endpoint) = &self.endpoint else { return };
        let peers = config.iax.peers.iter().filter_map(|peer| endpoint.peer_address(&peer.name));
        let known: Vec<_> = peers.chain(self.registrations.iter().map(|it| it.address)).collect();
        self.traffic.measure(now, &known);
        self.suspects.retain(|_, until| *until > now);
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        let unheard = self.unheard.first().map(|(at, _)| *at);
        let others = unheard.into_iter().chain(self.vigils.poll_timeout());
        self.endpoint.as_ref().and_then(Endpoint::poll_timeout).into_iter().chain(others).min()
    }

    /// Whether nothing is left to be said: no calls, and no registrations that are not given up.
    pub(super) fn is_quiet(&self) -> bool {
        self.endpoint.as_ref().is_none_or(|endpoint| {
            let snapshot = endpoint.snapshot();
            let released = |it: &Registration| !matches!(it.state, registrations::State::Registered);
            snapshot.calls == 0 && self.registrations.iter().all(released)
        })
    }

    fn registration(&mut self, id: RegistrationId) -> Option<&mut Registration> {
        self.registrations.iter_mut().find(|registration| registration.id == id)
    }
}

impl Switch {
    /// A datagram came to the socket of IAX2.
    pub fn handle_trunk(&mut self, now: Instant, source: SocketAddr, payload: Bytes) {
        let now = self.clamp(now);
        self.trunks.traffic.received(source, &payload);
        self.trunks.vigils.heard(now, source);
        if let Some(endpoint) = &mut self.trunks.endpoint {
            endpoint.handle_input(now, Input::Datagram { source, payload });
        }
        self.pump(now);
    }

    /// Voice of calls' media for their trunks.
    pub fn handle_voices(&mut self, now: Instant, voices: impl IntoIterator<Item = media::Voice>) {
        let now = self.clamp(now);
        for voice in voices {
            self.send_voice(now, &voice);
        }
        self.pump(now);
    }

    pub(super) fn on_trunk_timeout(&mut self, now: Instant) {
        if let Some(endpoint) = &mut self.trunks.endpoint {
            endpoint.handle_timeout(now);
        }
        while let Some(&(at, call)) = self.trunks.unheard.first()
            && at <= now
        {
            self.trunks.unheard.remove(&(at, call));
            self.on_unheard(now, call);
        }
        self.on_vigil_timeout(now);
    }

    /// Takes what the endpoint says; tells whether it said anything.
    pub(super) fn pump_trunks(&mut self, now: Instant) -> bool {
        let mut spoke = false;
        while let Some(output) = self.trunks.endpoint.as_mut().and_then(Endpoint::poll_output) {
            spoke = true;
            match output {
                iax2::Output::Datagram { destination, payload } => {
                    self.trunks.traffic.sent(destination, &payload);
                    self.tell(Event::Trunk { destination, payload });
                }
                iax2::Output::Event(event) => self.on_trunk(now, event),
            }
        }
        spoke
    }
}
