//! Whether a peer is still there while calls of ours ring with it: until somebody answers nothing is said, so that a peer
//! that died would keep the caller waiting.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    time::{Duration, Instant},
};

use iax2::CallId;

use super::super::{
    Switch,
    leg::{Leg, LegKey, Stage},
};

/// After so long without a word a peer with ringing calls is asked (PING, RFC 5456 §6.7.1).
const PROBE: Duration = Duration::from_millis(200);

/// After so long its calls are given up; some fifteen questions were not answered then.
const PATIENCE: Duration = Duration::from_secs(3);

/// How long a peer whose system says that nobody is there may still prove that it is: who can forge such a message from
/// elsewhere must not end calls.
const GRACE: Duration = Duration::from_millis(100);

/// The addresses of peers with which calls of ours ring.
#[derive(Debug, Default)]
pub(super) struct Vigils(BTreeMap<SocketAddr, Vigil>);

#[derive(Debug)]
struct Vigil {
    /// When it is asked.
    next: Instant,
    /// When it is given up.
    until: Instant,
}

impl Vigil {
    fn new(now: Instant) -> Self {
        let after = |time| now.checked_add(time).unwrap_or(now);
        Self { next: after(PROBE), until: after(PATIENCE) }
    }
}

impl Vigils {
    /// Something came from there.
    pub(super) fn heard(&mut self, now: Instant, address: SocketAddr) {
        if let Some(vigil) = self.0.get_mut(&address) {
            *vigil = Vigil::new(now);
        }
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.0.values().map(|vigil| vigil.next.min(vigil.until)).min()
    }
}

impl Switch {
    /// A call of ours was taken by its peer and is not answered yet.
    pub(super) fn begin_vigil(&mut self, now: Instant, key: LegKey) {
        if let Some(leg) = self.leg(key).filter(|leg| rings(leg)) {
            let address = leg.address;
            self.trunks.vigils.0.entry(address).or_insert_with(|| Vigil::new(now));
        }
    }

    /// The system of a peer says that nobody takes what is sent there: its process is gone.
    pub fn handle_trunk_refused(&mut self, now: Instant, address: SocketAddr) {
        let now = self.clamp(now);
        let soon = now.checked_add(GRACE).unwrap_or(now);
        if let Some(vigil) = self.trunks.vigils.0.get_mut(&address) {
            // It is asked at once.
            *vigil = Vigil { next: now, until: vigil.until.min(soon) };
        }
        for call in self.ringing_at(address) {
            let Some(iax) =
                self.trunks.legs.get(&call).copied().and_then(|key| self.leg_mut(key)).and_then(Leg::iax_mut)
            else {
                continue;
            };
            if let Some(at) = iax.unheard.filter(|at| *at > soon) {
                iax.unheard = Some(soon);
                self.trunks.unheard.remove(&(at, call));
                self.trunks.unheard.insert((soon, call));
            }
        }
        self.pump(now);
    }

    pub(super) fn on_vigil_timeout(&mut self, now: Instant) {
        let due = self.trunks.vigils.0.iter().filter(|(_, vigil)| vigil.next.min(vigil.until) <= now);
        let due: Vec<_> = due.map(|(address, vigil)| (*address, vigil.until <= now)).collect();
        for (address, is_over) in due {
            let calls = self.ringing_at(address);
            let Some(&first) = calls.first() else {
                self.trunks.vigils.0.remove(&address);
                continue;
            };
            if is_over {
                self.trunks.vigils.0.remove(&address);
                for call in calls {
                    self.give_up_silent(now, call);
                }
                continue;
            }
            if let Some(endpoint) = &mut self.trunks.endpoint {
                // One call speaks for all of them.
                let _ = endpoint.ping(now, first, false);
            }
            if let Some(vigil) = self.trunks.vigils.0.get_mut(&address) {
                vigil.next = now.checked_add(PROBE).unwrap_or(now);
            }
        }
    }

    fn ringing_at(&self, address: SocketAddr) -> Vec<CallId> {
        let legs = self.trunks.legs.iter();
        let there = legs.filter(|(_, key)| self.leg(**key).is_some_and(|leg| leg.address == address && rings(leg)));
        there.map(|(call, _)| *call).collect()
    }
}

/// Whether it is one of ours that is not answered.
fn rings(leg: &Leg) -> bool {
    leg.stage != Stage::Up && leg.iax().is_some_and(super::IaxLeg::is_outgoing)
}
