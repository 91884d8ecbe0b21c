//! The tables: call numbers, addresses, timers, and what is left of finished exchanges.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use rand_core::RngCore;

use super::{Endpoint, Leg, Slot, Timer, with_leg};
use crate::call::{Call, Signal};
use crate::element::DateTime;
use crate::event::{CallId, Event, RegistrationId};
use crate::link::Cx;
use crate::peer::Binding;
use crate::registrar::Verdicts;
use crate::registration::Tomb;
use crate::trunk::Trunk;

impl Endpoint {
    pub(super) fn slot(&self, number: u16) -> Option<&Slot> {
        self.slots.get(usize::from(number)).and_then(Option::as_ref)
    }

    pub(super) fn slot_mut(&mut self, number: u16) -> Option<&mut Slot> {
        self.slots.get_mut(usize::from(number)).and_then(Option::as_mut)
    }

    pub(super) fn call(&self, id: CallId) -> Option<&Call> {
        match self.slot(id.number) {
            Some(Slot { leg: Leg::Call(call), generation, .. }) if *generation == id.generation => Some(call),
            _ => None,
        }
    }

    /// A number that nobody uses: at random, so that it cannot be guessed, below 16384 or, for trunks, from there on.
    /// Number 1 is for answers that keep no state.
    pub(super) fn allocate(&mut self, trunk: bool, ip: IpAddr, ours: bool) -> Option<u16> {
        let from_there = self.by_ip.get(&ip).map_or(0, |count| *count as usize);
        if self.legs >= self.config.max_legs || (!ours && from_there >= self.config.max_legs_per_address) {
            self.counters.refused_by_limit += 1;
            return None;
        }
        let (first, count) = if trunk { (16_384u32, 16_384) } else { (2, 16_382) };
        for _ in 0..64 {
            let number = (first + self.rng.next_u32() % count) as u16;
            if self.is_free(number) {
                return Some(number);
            }
        }
        let found = (first..first + count).map(|number| number as u16).find(|number| self.is_free(*number));
        if found.is_none() {
            self.counters.refused_by_limit += 1;
        }
        found
    }

    fn is_free(&self, number: u16) -> bool {
        self.slot(number).is_none() && !self.tombs.contains_key(&number)
    }

    pub(super) fn next_generation(&mut self) -> u32 {
        self.generation = self.generation.wrapping_add(1);
        self.generation
    }

    /// Puts a leg into the tables.
    pub(super) fn insert(&mut self, number: u16, leg: Leg, peer: Option<Arc<str>>) {
        let ip = leg.link().address.ip();
        let generation = match &leg {
            Leg::Call(call) => call.id.generation,
            _ => self.next_generation(),
        };
        let mut trunk = None;
        if let Leg::Call(call) = &leg {
            if let Some(profile) = call.profile.as_ref().filter(|_| call.trunked) {
                let address = call.link.address;
                let timestamps = profile.config.trunk.unwrap_or_default().timestamps;
                let (mtu, interval) = (self.config.trunk_mtu, self.config.trunk_interval);
                let now = self.now;
                self.trunks
                    .entry(address)
                    .or_insert_with(|| Trunk::new(now, address, timestamps, mtu, interval))
                    .calls += 1;
                trunk = Some(address);
            }
            if let Some(peer) = peer.as_ref().and_then(|name| self.peers.get_mut(name)) {
                peer.calls += 1;
            }
        }
        let index = usize::from(number);
        if self.slots.len() <= index {
            self.slots.resize_with(index + 1, || None);
        }
        if let Some(place) = self.slots.get_mut(index) {
            *place = Some(Slot {
                leg,
                generation,
                ip,
                validated: true,
                indexed: None,
                media_indexed: None,
                scheduled: None,
                peer,
                trunk,
            });
            self.legs += 1;
            *self.by_ip.entry(ip).or_default() += 1;
        }
        let before = self.out.len();
        self.settle(number, before, false);
    }

    /// Brings the tables up to date after something happened to a leg. Output from `before` on is the leg's.
    pub(super) fn settle(&mut self, number: u16, before: usize, full: bool) {
        let Some(slot) = self.slots.get_mut(usize::from(number)).and_then(Option::as_mut) else { return };
        let link = slot.leg.link();
        if link.validated != slot.validated {
            if link.validated {
                self.unvalidated -= 1
            } else {
                self.unvalidated += 1
            }
            slot.validated = link.validated;
        }
        let key = (link.remote != 0).then_some((link.address, link.remote));
        let media = match &slot.leg {
            Leg::Call(call) => call.media,
            _ => None,
        };
        if key != slot.indexed || media != slot.media_indexed {
            for old in [slot.indexed, slot.media_indexed].into_iter().flatten() {
                if self.by_remote.get(&old) == Some(&number) {
                    self.by_remote.remove(&old);
                }
            }
            for new in [key, media].into_iter().flatten() {
                self.by_remote.insert(new, number);
            }
            (slot.indexed, slot.media_indexed) = (key, media);
        }
        let signal = match &mut slot.leg {
            Leg::Call(call) => call.signal.take(),
            _ => None,
        };
        self.relay(number, before, full);
        self.settle_outcome(number);
        if let Some(signal) = signal {
            self.on_signal(number, signal);
        }
        match self.slot(number).map(|slot| slot.leg.closed()) {
            Some(Some(linger)) => self.remove(number, linger),
            Some(None) => self.reschedule_leg(number),
            None => {}
        }
    }

    /// What exchanges of registrations and pokes brought.
    fn settle_outcome(&mut self, number: u16) {
        let Some(slot) = self.slots.get_mut(usize::from(number)).and_then(Option::as_mut) else { return };
        match &mut slot.leg {
            Leg::Call(_) => {}
            Leg::Registrant(leg) => {
                let (id, outcome) = (leg.registration, leg.outcome.take());
                if let Some(outcome) = outcome {
                    let now = self.now;
                    let Self { registrations, rng, out, config, .. } = self;
                    if let Some(registration) = registrations.get_mut(&id) {
                        registration.on_outcome(&mut Cx { now, rng, out, config, wall: None }, outcome);
                    }
                    self.reschedule_registration(id);
                }
            }
            Leg::Registrar(leg) => {
                let (address, verdict) = (leg.link.address, leg.verdict.take());
                let name = leg.profile.as_ref().map(|profile| profile.name.clone());
                if let (Some(verdict), Some(name)) = (verdict, name) {
                    self.on_verdict(&name, address, verdict);
                }
            }
            Leg::Poke(leg) => {
                let (name, outcome) = (leg.peer.clone(), leg.outcome.take());
                if let Some(round_trip) = outcome {
                    let now = self.now;
                    if let Some(peer) = self.peers.get_mut(&name) {
                        peer.leg = None;
                        if peer.profile.config.qualify.is_some()
                            && let Some(state) = peer.on_poke(now, round_trip)
                        {
                            let peer = name.clone();
                            self.cx().event(Event::Reachability { peer, state });
                        }
                    }
                    self.reschedule_peer(&name);
                }
            }
        }
    }

    fn on_verdict(&mut self, name: &Arc<str>, address: SocketAddr, verdict: Verdicts) {
        let now = self.now;
        let Some(peer) = self.peers.get_mut(name) else { return };
        let event = match verdict {
            Verdicts::Bind(refresh) => {
                let moved = peer.binding.is_none_or(|binding| binding.address != address);
                peer.binding = Some(Binding { address, expires: now + refresh });
                if moved {
                    peer.watch(now);
                }
                Event::Bound { peer: name.clone(), address, refresh }
            }
            Verdicts::Unbind => {
                if peer.binding.take().is_none() {
                    return;
                }
                peer.unwatch();
                Event::Unbound { peer: name.clone() }
            }
        };
        self.cx().event(event);
        self.reschedule_peer(name);
    }

    fn on_signal(&mut self, number: u16, signal: Signal) {
        let bridged = match self.slot(number) {
            Some(Slot { leg: Leg::Call(call), .. }) => call.bridged,
            _ => None,
        };
        match signal {
            Signal::TransferReady => self.finish_transfer(number),
            Signal::TransferRejected => {
                if let Some(other) = bridged.filter(|other| self.call(*other).is_some()) {
                    let before = self.out.len();
                    with_leg!(self, other.number, |leg, cx| if let Leg::Call(call) = leg {
                        call.abort_transfer(cx);
                    });
                    self.settle(other.number, before, false);
                }
            }
            Signal::Moved | Signal::MediaMoved => {}
        }
        // A trunk is to an address: a call that moved counts at its new one, as minis.
        if signal == Signal::Moved
            && let Some(slot) = self.slot_mut(number)
        {
            let trunk = slot.trunk.take();
            if let Leg::Call(call) = &mut slot.leg {
                call.trunked = false;
            }
            if let Some(address) = trunk {
                self.leave_trunk(address);
            }
        }
    }

    fn remove(&mut self, number: u16, linger: bool) {
        let Some(slot) = self.slots.get_mut(usize::from(number)).and_then(Option::take) else { return };
        self.legs -= 1;
        if !slot.validated {
            self.unvalidated -= 1;
        }
        if let Some(count) = self.by_ip.get_mut(&slot.ip) {
            *count -= 1;
            if *count == 0 {
                self.by_ip.remove(&slot.ip);
            }
        }
        if let Some(at) = slot.scheduled {
            self.timers.remove(&(at, Timer::Leg(number)));
        }
        if let Some(address) = slot.trunk {
            self.leave_trunk(address);
        }
        if let Leg::Call(call) = &slot.leg {
            if let Some(peer) = slot.peer.as_ref().and_then(|name| self.peers.get_mut(name)) {
                peer.calls = peer.calls.saturating_sub(1);
            }
            if let Some(other) = call.bridged
                && let Some(Slot { leg: Leg::Call(other), .. }) = self.slot_mut(other.number)
                && other.bridged == Some(call.id)
            {
                other.bridged = None;
            }
        }
        let mut link_first = 0;
        if let Leg::Call(call) = &slot.leg {
            link_first = call.first;
        }
        for key in [slot.indexed, slot.media_indexed].into_iter().flatten() {
            if !(linger && Some(key) == slot.indexed) && self.by_remote.get(&key) == Some(&number) {
                self.by_remote.remove(&key);
            }
        }
        // A number is free at once when the peer is known to know; else it may come again (RFC 5456 §8.1.1).
        let link = slot.leg.link();
        let room = self.tombs.len() < self.config.max_lingering && !self.config.linger.is_zero();
        if linger && link.remote != 0 && link.ciphers.is_none() && room {
            let (oseq, iseq) = link.reliable.numbers();
            let tomb = Tomb { address: link.address, remote: link.remote, oseq, iseq, first: link_first };
            self.tombs.insert(number, tomb);
            self.burials.push_back((self.now + self.config.linger, number));
        } else if let Some(key) = slot.indexed
            && self.by_remote.get(&key) == Some(&number)
        {
            self.by_remote.remove(&key);
        }
    }

    fn leave_trunk(&mut self, address: SocketAddr) {
        let Some(trunk) = self.trunks.get_mut(&address) else { return };
        trunk.calls -= 1;
        if trunk.calls == 0
            && let Some(mut trunk) = self.trunks.remove(&address)
        {
            if let Some(at) = trunk.scheduled {
                self.timers.remove(&(at, Timer::Trunk(address)));
            }
            trunk.flush(&mut self.cx());
        }
    }

    /// Frees numbers that lingered long enough.
    pub(super) fn bury(&mut self) {
        while let Some((at, number)) = self.burials.front().copied() {
            if at > self.now {
                break;
            }
            self.burials.pop_front();
            if let Some(tomb) = self.tombs.remove(&number) {
                let key = (tomb.address, tomb.remote);
                if self.by_remote.get(&key) == Some(&number) {
                    self.by_remote.remove(&key);
                }
            }
        }
    }

    fn reschedule(
        timers: &mut std::collections::BTreeSet<(Instant, Timer)>,
        scheduled: &mut Option<Instant>,
        due: Option<Instant>,
        timer: impl Fn() -> Timer,
    ) {
        if *scheduled == due {
            return;
        }
        if let Some(at) = scheduled.take() {
            timers.remove(&(at, timer()));
        }
        if let Some(at) = due {
            timers.insert((at, timer()));
        }
        *scheduled = due;
    }

    pub(super) fn reschedule_leg(&mut self, number: u16) {
        let Self { slots, timers, .. } = self;
        if let Some(slot) = slots.get_mut(usize::from(number)).and_then(Option::as_mut) {
            let due = slot.leg.poll_timeout();
            Self::reschedule(timers, &mut slot.scheduled, due, || Timer::Leg(number));
        }
    }

    pub(super) fn reschedule_registration(&mut self, id: RegistrationId) {
        let Self { registrations, timers, .. } = self;
        let Some(registration) = registrations.get_mut(&id) else { return };
        let due = registration.next.filter(|_| registration.leg.is_none());
        Self::reschedule(timers, &mut registration.scheduled, due, || Timer::Registration(id));
        if registration.is_over() {
            registrations.remove(&id);
        }
    }

    pub(super) fn reschedule_peer(&mut self, name: &Arc<str>) {
        let Self { peers, timers, .. } = self;
        if let Some(peer) = peers.get_mut(name) {
            let due = peer.poll_timeout();
            Self::reschedule(timers, &mut peer.scheduled, due, || Timer::Peer(name.clone()));
        }
    }

    pub(super) fn reschedule_trunk(&mut self, address: SocketAddr) {
        let Self { trunks, timers, .. } = self;
        if let Some(trunk) = trunks.get_mut(&address) {
            let due = trunk.poll_timeout();
            Self::reschedule(timers, &mut trunk.scheduled, due, || Timer::Trunk(address));
        }
    }
}
