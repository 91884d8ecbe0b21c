//! The ends of a call's media: ports for a side on SIP, a trunk for one on IAX2. They are opened when something needs them.

use std::time::Instant;

use rtp::{ports::Pair, relay::Side};

use super::{
    Event, Switch,
    call::Call,
    cause::Gone,
    leg::{Kind, Leg, LegKey},
    runner::Wait,
};
use crate::{
    dialplan::Action,
    media::{End, Format, Order},
};

/// How often other ports are tried: another PBX on this machine may have half of the range.
const ATTEMPTS: u8 = 32;

/// Seconds after which a caller may try again when all ports are in use.
const LATER: u32 = 10;

/// How far an end is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum EndState {
    /// Its sockets are being bound.
    Opening {
        pair: Pair,
        attempts: u8,
    },
    Open(End),
}

impl EndState {
    fn pair(self) -> Option<Pair> {
        match self {
            Self::Opening { pair, .. } | Self::Open(End::Rtp(pair)) => Some(pair),
            Self::Open(End::Trunk) => None,
        }
    }
}

/// What a side needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Want {
    Ports,
    Trunk,
}

fn place(side: Side) -> usize {
    match side {
        Side::Caller => 0,
        Side::Callee => 1,
    }
}

impl Call {
    pub(super) fn end(&self, side: Side) -> Option<EndState> {
        self.ends.get(place(side)).copied().flatten()
    }

    fn set_end(&mut self, side: Side, end: Option<EndState>) {
        if let Some(place) = self.ends.get_mut(place(side)) {
            *place = end;
        }
    }

    /// The ports of a side.
    pub(super) fn pair(&self, side: Side) -> Option<Pair> {
        self.end(side).and_then(EndState::pair)
    }
}

impl Switch {
    /// Whether a leg has its end; otherwise the action waits for it, or the call has ended for want of one.
    pub(super) fn have_media_of(&mut self, now: Instant, id: u64, runner: u32, leg: u32, action: &Action) -> bool {
        match self.need(LegKey { call: id, leg }) {
            Some(need) => self.have_media(now, id, runner, &[need], action),
            None => false,
        }
    }

    /// What a leg needs.
    pub(super) fn need(&self, key: LegKey) -> Option<(Side, Want)> {
        let leg = self.leg(key)?;
        Some((leg.side, if matches!(leg.kind, Kind::Sip(_)) { Want::Ports } else { Want::Trunk }))
    }

    /// Whether sides have what they need; otherwise the action waits for it, or the call has ended for want of it.
    pub(super) fn have_media(
        &mut self,
        now: Instant,
        id: u64,
        runner: u32,
        needs: &[(Side, Want)],
        action: &Action,
    ) -> bool {
        let mut ready = true;
        for (side, want) in needs {
            let Some(call) = self.calls.get(&id) else { return false };
            match (call.end(*side), want) {
                (Some(EndState::Open(End::Rtp(_))), Want::Ports) | (Some(EndState::Open(End::Trunk)), Want::Trunk) => {}
                (Some(EndState::Opening { .. }), Want::Ports) => ready = false,
                (_, Want::Trunk) => self.open_trunk(now, id, *side),
                (_, Want::Ports) => {
                    ready = false;
                    if !self.open_ports(now, id, *side, 0) {
                        return false;
                    }
                }
            }
        }
        if !ready && let Some(runner) = self.calls.get_mut(&id).and_then(|call| call.runners.get_mut(&runner)) {
            runner.wait = Wait::Media(action.clone());
        }
        ready
    }

    /// Makes a side a trunk, whatever it was.
    pub(super) fn open_trunk(&mut self, now: Instant, id: u64, side: Side) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        if call.end(side) == Some(EndState::Open(End::Trunk)) {
            return;
        }
        if let Some(pair) = call.pair(side) {
            self.ports.release(now, pair);
        }
        call.set_end(side, Some(EndState::Open(End::Trunk)));
        call.has_media = true;
        self.tell(Event::Open { call: id, side, end: End::Trunk });
    }

    /// Asks for ports for a side. `false`: there are none, and the call has ended.
    fn open_ports(&mut self, now: Instant, id: u64, side: Side, attempts: u8) -> bool {
        let Some(call) = self.calls.get_mut(&id) else { return false };
        match self.ports.allocate(now).filter(|_| attempts < ATTEMPTS) {
            Some(pair) => {
                call.set_end(side, Some(EndState::Opening { pair, attempts }));
                call.has_media = true;
                self.tell(Event::Open { call: id, side, end: End::Rtp(pair) });
                true
            }
            None => {
                tracing::warn!(call = id, "call refused: there are no media ports");
                self.refuse_call(now, id, Gone::later(LATER), "no_media_port");
                false
            }
        }
    }

    pub(super) fn on_media_ready(&mut self, now: Instant, id: u64, side: Side) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        let Some(EndState::Opening { pair, .. }) = call.end(side) else { return };
        call.set_end(side, Some(EndState::Open(End::Rtp(pair))));
        // All that waits tries again: what still lacks something waits on.
        let waiting: Vec<_> = call
            .runners
            .iter_mut()
            .filter_map(|(number, runner)| match std::mem::replace(&mut runner.wait, Wait::Nothing) {
                Wait::Media(action) => Some((*number, action)),
                other => {
                    runner.wait = other;
                    None
                }
            })
            .collect();
        for (number, action) in waiting {
            if let Some(outcome) = self.perform(now, id, number, action) {
                self.run(now, id, number, outcome);
            }
        }
    }

    pub(super) fn on_media_failed(&mut self, now: Instant, id: u64, side: Side) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        let Some(EndState::Opening { pair, attempts }) = call.end(side) else { return };
        call.set_end(side, None);
        // When no side is open yet, nothing was begun.
        call.has_media = call.ends.iter().any(Option::is_some);
        self.ports.release(now, pair);
        self.open_ports(now, id, side, attempts + 1);
    }

    /// Gives back what a call's media has.
    pub(super) fn close_media(&mut self, now: Instant, id: u64) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        let ends = std::mem::take(&mut call.ends);
        for pair in ends.into_iter().flatten().filter_map(EndState::pair) {
            self.ports.release(now, pair);
        }
        if std::mem::take(&mut call.has_media) {
            self.tell(Event::Close { call: id });
        }
    }

    /// Whether a side's end is open.
    pub(super) fn is_open(&self, id: u64, side: Side) -> bool {
        matches!(self.calls.get(&id).and_then(|call| call.end(side)), Some(EndState::Open(_)))
    }

    /// What a leg's voice is coded in is agreed.
    pub(super) fn set_format(&mut self, key: LegKey, format: Format, codec: &str) {
        let Some(leg) = self.leg_mut(key) else { return };
        let side = leg.side;
        let new = leg.format != Some(format);
        leg.format = Some(format);
        leg.codec = Some(codec.to_owned());
        if new && self.is_open(key.call, side) {
            self.order(key.call, Order::Format { side, format });
        }
    }

    /// Tells the media whether silence means that both are gone: not before the answer, nor while one holds the other.
    pub(super) fn rewatch(&mut self, id: u64) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        let legs = [Some(call.owner), call.bridged];
        let held = legs.into_iter().flatten().any(|leg| call.legs.get(&leg).is_some_and(|leg| leg.holds));
        // Over trunks the two ask each other whether they are there.
        let listens = legs.into_iter().flatten().any(|leg| call.legs.get(&leg).is_some_and(Leg::is_on_sip));
        let watch = call.answered.is_some() && !held && listens && call.collecting.is_none() && call.has_media;
        if std::mem::replace(&mut call.watched, watch) != watch {
            self.order(id, Order::Watch(watch));
        }
    }
}
