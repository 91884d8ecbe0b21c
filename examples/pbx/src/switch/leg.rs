//! A leg: one side of a call, over SIP or IAX2. What the call tells it, and what it tells the call.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use rtp::relay::Side;

use super::{
    Switch,
    cause::{Cause, Gone},
    iax::IaxLeg,
    sip::SipLeg,
};
use crate::{dialplan::CallerId, media::Format};

/// A leg among all legs of all calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct LegKey {
    pub(super) call: u64,
    pub(super) leg: u32,
}

/// How far a leg is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stage {
    /// It has said nothing yet, or was told nothing.
    Down,
    /// It rings; or who called hears ringing.
    Ringing,
    /// It is answered.
    Up,
}

/// What a leg speaks.
#[derive(Debug)]
pub(super) enum Kind {
    Sip(Box<SipLeg>),
    Iax(IaxLeg),
}

/// One side of a call: a channel, in Asterisk's words.
#[derive(Debug)]
pub(super) struct Leg {
    pub(super) number: u32,
    /// `SIP/1001-00000001`.
    pub(super) channel: String,
    /// `1700000000.12`.
    pub(super) unique: String,
    /// `SIP`, `PJSIP` or `IAX2`.
    pub(super) technology: &'static str,
    /// The account or the IAX2 peer.
    pub(super) peer: Option<String>,
    /// Who is there.
    pub(super) person: CallerId,
    /// Where its transfers go.
    pub(super) context: String,
    /// Where its signalling comes from.
    pub(super) address: SocketAddr,
    /// Its place in the call's media.
    pub(super) side: Side,
    pub(super) stage: Stage,
    /// Its media goes before the answer.
    pub(super) early: bool,
    pub(super) began: Instant,
    pub(super) answered: Option<Instant>,
    /// It put the other on hold.
    pub(super) holds: bool,
    /// How its voice is coded, once that is agreed.
    pub(super) format: Option<Format>,
    /// The name of that codec, `PCMU`.
    pub(super) codec: Option<String>,
    /// The runner whose Dial made it; `None` for who called.
    pub(super) dialled_by: Option<u32>,
    pub(super) kind: Kind,
}

impl Leg {
    pub(super) fn is_on_sip(&self) -> bool {
        matches!(self.kind, Kind::Sip(_))
    }
}

/// What a leg tells its call. Its format is in the leg before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Told {
    /// It rings.
    Rang,
    /// It sends voice before its answer.
    Progress,
    /// It answered.
    Answered,
    /// A key was pressed. `passed`: the media carried it to the other side already.
    Digit { digit: char, duration: Duration, passed: bool },
    /// It holds, or no longer holds, the other side.
    Hold(bool),
    /// It is over. Nothing is told of it afterwards.
    Gone(Gone),
}

impl Switch {
    /// Tells a leg that called that it rings at the other end.
    pub(super) fn leg_ring(&mut self, now: Instant, key: LegKey) {
        let Some(leg) = self.leg_mut(key) else { return };
        if leg.stage != Stage::Down {
            return;
        }
        leg.stage = Stage::Ringing;
        match leg.kind {
            Kind::Sip(_) => self.sip_ring(now, key),
            Kind::Iax(_) => self.iax_ring(now, key),
        }
        self.tell(super::Event::Changed);
    }

    /// Lets a leg that called hear us before the answer. Its end of the media is open. `false`: it cannot.
    pub(super) fn leg_progress(&mut self, now: Instant, key: LegKey) -> bool {
        let Some(leg) = self.leg_mut(key) else { return false };
        if leg.stage == Stage::Up || leg.early {
            return true;
        }
        let early = match leg.kind {
            Kind::Sip(_) => self.sip_progress(now, key),
            Kind::Iax(_) => self.iax_progress(now, key),
        };
        if let Some(leg) = self.leg_mut(key) {
            leg.early = early;
        }
        early
    }

    /// Answers a leg that called. Its end of the media is open. `false`: it cannot, for want of a codec.
    pub(super) fn leg_answer(&mut self, now: Instant, key: LegKey) -> bool {
        let Some(leg) = self.leg_mut(key) else { return false };
        if leg.stage == Stage::Up {
            return true;
        }
        let answered = match leg.kind {
            Kind::Sip(_) => self.sip_answer(now, key),
            Kind::Iax(_) => self.iax_answer(now, key),
        };
        if answered && let Some(leg) = self.leg_mut(key) {
            leg.stage = Stage::Up;
            leg.answered = Some(now);
        }
        answered
    }

    /// Tells a leg that the other side holds it, or no longer does.
    pub(super) fn leg_hold(&mut self, now: Instant, key: LegKey, on: bool) {
        match self.leg_mut(key).map(|leg| &leg.kind) {
            Some(Kind::Sip(_)) => self.sip_hold(now, key, on),
            Some(Kind::Iax(_)) => self.iax_hold(now, key, on),
            None => {}
        }
    }

    /// Presses a key for a leg.
    pub(super) fn leg_digit(&mut self, now: Instant, key: LegKey, digit: char, duration: Duration) {
        match self.leg_mut(key).map(|leg| &leg.kind) {
            Some(Kind::Sip(_)) => self.sip_digit(now, key, digit, duration),
            Some(Kind::Iax(_)) => self.iax_digit(now, key, digit, duration),
            None => {}
        }
    }

    /// Ends a leg and forgets it: nothing is told of it afterwards. Whoever called on SIP and was not answered hears
    /// `status`, or what the cause means.
    pub(super) fn leg_hang_up(&mut self, now: Instant, key: LegKey, gone: Gone) -> Option<Leg> {
        let leg = self.forget_leg(key)?;
        match &leg.kind {
            Kind::Sip(sip) => self.sip_hang_up(now, &leg, sip, gone),
            Kind::Iax(iax) => self.iax_hang_up(now, &leg, iax, gone.cause),
        }
        Some(leg)
    }

    /// Takes a leg out of its call and of the tables that lead to it.
    pub(super) fn forget_leg(&mut self, key: LegKey) -> Option<Leg> {
        let leg = self.calls.get_mut(&key.call)?.legs.remove(&key.leg)?;
        match &leg.kind {
            Kind::Sip(sip) => self.sip_forget(sip),
            Kind::Iax(iax) => self.iax_forget(iax),
        }
        if let Some(peer) = leg.peer.as_deref().filter(|_| leg.dialled_by.is_some()) {
            self.ringing.leave(peer, leg.stage);
        }
        Some(leg)
    }

    pub(super) fn leg(&self, key: LegKey) -> Option<&Leg> {
        self.calls.get(&key.call)?.legs.get(&key.leg)
    }

    pub(super) fn leg_mut(&mut self, key: LegKey) -> Option<&mut Leg> {
        self.calls.get_mut(&key.call)?.legs.get_mut(&key.leg)
    }
}

/// A cause that ends a leg, without a status of its own.
impl From<Cause> for Gone {
    fn from(cause: Cause) -> Self {
        Self::cause(cause)
    }
}
