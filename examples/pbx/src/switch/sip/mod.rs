//! Legs on SIP: what a call tells them, as messages and descriptions.

mod description;
mod dial;
mod events;
mod gate;
mod incoming;
mod info;
mod outside;
mod qualify;
mod register;
mod registrations;

use std::{
    net::{IpAddr, SocketAddr},
    time::{Duration, Instant},
};

use bytes::Bytes;
use rtp::g711::Law;
use sip_core::{StatusCode, header::HeaderName, sdp::Session};
use sip_transaction::agent::SessionId;

use super::{
    Switch,
    cause::Gone,
    leg::{Kind, Leg, LegKey, Stage},
};
use crate::{
    config::{Codec, DtmfMode},
    media::{self, Order},
};
use description::{Choice, Ours, Voice, choices, events as events_of, heard};

pub(super) use gate::Gate;
pub(super) use qualify::Watch;
pub(super) use register::registrar;
pub(super) use registrations::Registrations;

/// The SIP side of a leg.
#[derive(Debug)]
pub(super) struct SipLeg {
    pub(super) session: SessionId,
    /// We called.
    outgoing: bool,
    /// Where its signalling comes from: its media may be learned there.
    signalling: IpAddr,
    voice: Voice,
    /// The offer of who called, until it is answered.
    offer: Option<Session>,
    /// The codec that is agreed.
    agreed: Option<Choice>,
    /// Our offer waits for its answer.
    asked: bool,
    /// What it may speak; `None` for all that is known.
    codecs: Option<Vec<Codec>>,
    dtmf: DtmfMode,
    /// Whether we hold it, and what it was told of that.
    held: bool,
    told_held: bool,
}

impl SipLeg {
    fn new(session: SessionId, outgoing: bool, signalling: IpAddr, voice: u64) -> Self {
        Self {
            session,
            outgoing,
            signalling,
            voice: Voice::new(voice),
            offer: None,
            agreed: None,
            asked: false,
            codecs: None,
            dtmf: DtmfMode::Auto,
            held: false,
            told_held: false,
        }
    }

    fn takes_events(&self) -> bool {
        matches!(self.dtmf, DtmfMode::Auto | DtmfMode::Rfc4733)
    }
}

impl Leg {
    fn sip(&self) -> Option<&SipLeg> {
        match &self.kind {
            Kind::Sip(sip) => Some(sip),
            Kind::Iax(_) => None,
        }
    }

    fn sip_mut(&mut self) -> Option<&mut SipLeg> {
        match &mut self.kind {
            Kind::Sip(sip) => Some(sip),
            Kind::Iax(_) => None,
        }
    }
}

/// The place of a leg's descriptions among all that we ever make.
fn voice_number(key: LegKey) -> u64 {
    key.call.wrapping_mul(1 << 16).wrapping_add(u64::from(key.leg))
}

impl Switch {
    pub(super) fn sip_ring(&mut self, now: Instant, key: LegKey) {
        if let Some(session) = self.session_of(key) {
            // It may be over: its end is then on the way.
            let _ = self.agent.provisional(now, session, StatusCode::RINGING, None, &[]);
        }
    }

    /// Early media: the answer to the caller's offer ahead of the 200. A caller without an offer hears none.
    pub(super) fn sip_progress(&mut self, now: Instant, key: LegKey) -> bool {
        let Some(session) = self.session_of(key) else { return false };
        let has_offer = self.leg(key).and_then(Leg::sip).is_some_and(|sip| sip.offer.is_some());
        let description = if has_offer { self.describe_to_caller(key) } else { None };
        let early = description.is_some();
        let _ = self.agent.provisional(now, session, StatusCode::SESSION_PROGRESS, description, &[]);
        early
    }

    pub(super) fn sip_answer(&mut self, now: Instant, key: LegKey) -> bool {
        let Some(session) = self.session_of(key) else { return false };
        let Some(description) = self.describe_to_caller(key) else { return false };
        let answered = self.agent.answer(now, session, Some(description), &[]).is_ok();
        if let Some(sip) = self.leg_mut(key).and_then(Leg::sip_mut)
            && answered
        {
            sip.asked = sip.offer.take().is_none();
        }
        answered
    }

    /// Our answer to the caller's offer, or our offer to one who made none. What is answered is in force at once.
    fn describe_to_caller(&mut self, key: LegKey) -> Option<Bytes> {
        let address = self.own_media(key)?;
        let partner = self.partner_codec(key);
        let leg = self.leg(key)?;
        let sip = leg.sip()?;
        let events = sip.takes_events().then_some(101);
        let Some(offer) = sip.offer.clone() else {
            let choices = plain(partner.as_deref(), sip.codecs.as_deref());
            let ours = Ours { address, choices, events, holds: false };
            return Some(ours.offer(&mut self.leg_mut(key)?.sip_mut()?.voice));
        };
        let mut choices = choices(&offer);
        choices.retain(|choice| choice.is_among(sip.codecs.as_deref()));
        let choice = choose(&choices, leg.codec.as_deref().or(partner.as_deref()))?;
        let (signalling, dtmf) = (sip.signalling, events_of(&offer).filter(|_| sip.takes_events()));
        let ours = Ours { address, choices: vec![choice.clone()], events, holds: false };
        let text = ours.answer(&offer, &mut self.leg_mut(key)?.sip_mut()?.voice)?;
        let heard = heard(&offer, signalling)?;
        self.take_in(key, &heard);
        self.agree(key, choice, dtmf);
        Some(text)
    }

    /// The codec of whom a leg talks with, or will.
    fn partner_codec(&self, key: LegKey) -> Option<String> {
        let call = self.calls.get(&key.call)?;
        let partner = call.partner(key.leg).and_then(|leg| call.legs.get(&leg));
        let partner = partner.or_else(|| call.legs.values().find(|leg| leg.number != key.leg && leg.early));
        partner.and_then(|leg| leg.codec.clone())
    }

    /// Where a leg's media is heard by us.
    fn own_media(&self, key: LegKey) -> Option<SocketAddr> {
        let call = self.calls.get(&key.call)?;
        let pair = call.pair(call.legs.get(&key.leg)?.side)?;
        Some(SocketAddr::new(self.media_address, pair.rtp()))
    }

    /// Tells the media where a side is and whether it hears; what it says of holding is for the caller of this.
    fn take_in(&mut self, key: LegKey, heard: &description::Heard) {
        let Some(side) = self.leg(key).map(|leg| leg.side) else { return };
        if self.is_open(key.call, side) {
            let (expected, receives) = (heard.expected, heard.direction.receives());
            self.order(key.call, Order::Expect { side, expected, receives });
        }
    }

    /// Ends the session of a leg that is no longer in its call.
    pub(super) fn sip_hang_up(&mut self, now: Instant, leg: &Leg, sip: &SipLeg, gone: Gone) {
        let mut headers: Vec<_> = gone.cause.reason().into_iter().collect();
        // It may be over already.
        if sip.outgoing || leg.stage == Stage::Up {
            let _ = self.agent.hangup(now, sip.session, &headers);
            return;
        }
        let status = gone.status.filter(|status| status.as_u16() >= 400).unwrap_or_else(|| gone.cause.status());
        if let Some(seconds) = gone.retry_after {
            headers.push((HeaderName::RETRY_AFTER, seconds.to_string().into()));
        }
        let _ = self.agent.reject(now, sip.session, status, &headers);
    }

    pub(super) fn sip_forget(&mut self, sip: &SipLeg) {
        self.sessions.remove(&sip.session);
    }

    /// The other side holds this one, or no longer does: told by a re-INVITE.
    pub(super) fn sip_hold(&mut self, now: Instant, key: LegKey, on: bool) {
        if let Some(sip) = self.leg_mut(key).and_then(Leg::sip_mut) {
            sip.held = on;
            self.sip_renegotiate(now, key);
        }
    }

    /// Offers again what changed, when nothing else is under way; otherwise once that is over.
    fn sip_renegotiate(&mut self, now: Instant, key: LegKey) {
        let Some(leg) = self.leg(key).filter(|leg| leg.stage == Stage::Up) else { return };
        let Some(sip) = leg.sip().filter(|sip| sip.held != sip.told_held && !sip.asked) else { return };
        let (session, holds, events) = (sip.session, sip.held, sip.takes_events());
        let Some(ours) = self.ours(key, holds, events) else { return };
        let Some(voice) = self.leg_mut(key).and_then(Leg::sip_mut).map(|sip| &mut sip.voice) else { return };
        let mut said = voice.clone();
        let offer = ours.offer(&mut said);
        if self.agent.reinvite(now, session, Some(offer), Vec::new()).is_ok()
            && let Some(sip) = self.leg_mut(key).and_then(Leg::sip_mut)
        {
            sip.voice = said;
            sip.told_held = holds;
            sip.asked = true;
        }
    }

    /// What we speak in a leg whose codec is agreed.
    fn ours(&self, key: LegKey, holds: bool, events: bool) -> Option<Ours> {
        let address = self.own_media(key)?;
        let leg = self.leg(key)?;
        let (choice, dtmf) = (leg.sip()?.agreed.clone()?, leg.format?.dtmf);
        Some(Ours { address, choices: vec![choice], events: events.then_some(dtmf.unwrap_or(101)), holds })
    }

    /// Presses a key for a leg: as an event or a tone in its media, or by INFO.
    pub(super) fn sip_digit(&mut self, now: Instant, key: LegKey, digit: char, duration: Duration) {
        let Some(leg) = self.leg(key) else { return };
        let (side, events) = (leg.side, leg.format.is_some_and(|format| format.dtmf.is_some()));
        let Some(sip) = leg.sip() else { return };
        let by_info = match sip.dtmf {
            DtmfMode::Info => true,
            DtmfMode::Auto => !events,
            DtmfMode::Rfc4733 | DtmfMode::Inband => false,
        };
        if by_info {
            self.send_info(now, sip.session, digit, duration);
        } else {
            self.order(key.call, Order::Digit { side, digit, duration });
        }
    }

    fn session_of(&self, key: LegKey) -> Option<SessionId> {
        Some(self.leg(key)?.sip()?.session)
    }

    /// Two legs hear each other by one codec, or by both laws of G.711: what cannot be translated is negotiated again.
    pub(super) fn align(&mut self, now: Instant, owner: LegKey, callee: LegKey) {
        let format = |key| self.leg(key).and_then(|leg| Some((leg.format?, leg.codec.clone()?)));
        let (Some((a, name)), Some((b, other))) = (format(owner), format(callee)) else { return };
        if name == other || (a.codec != media::Codec::Opaque && b.codec != media::Codec::Opaque) {
            return;
        }
        let wanted = self.leg(owner).and_then(Leg::sip).and_then(|sip| sip.agreed.clone());
        let Some(choice) = wanted.or_else(|| Some(Choice::g711(law_of(a)?))) else { return };
        let Some(leg) = self.leg(callee).filter(|leg| leg.stage == Stage::Up) else { return };
        let (Some(sip), Some(address)) = (leg.sip(), self.own_media(callee)) else { return };
        let ours = Ours { address, choices: vec![choice], events: sip.takes_events().then_some(101), holds: sip.held };
        let (session, held) = (sip.session, sip.held);
        let Some(sip) = self.leg_mut(callee).and_then(Leg::sip_mut) else { return };
        let mut said = sip.voice.clone();
        let offer = ours.offer(&mut said);
        if self.agent.reinvite(now, session, Some(offer), Vec::new()).is_ok()
            && let Some(sip) = self.leg_mut(callee).and_then(Leg::sip_mut)
        {
            (sip.voice, sip.told_held, sip.asked) = (said, held, true);
        }
    }

    /// A codec is agreed with a leg.
    fn agree(&mut self, key: LegKey, choice: Choice, dtmf: Option<u8>) {
        self.set_format(key, choice.format(dtmf), &choice.name());
        if let Some(sip) = self.leg_mut(key).and_then(Leg::sip_mut) {
            sip.agreed = Some(choice);
        }
    }
}

/// The law of a format, when it has one.
fn law_of(format: media::Format) -> Option<Law> {
    match format.codec {
        media::Codec::G711(law) => Some(law),
        media::Codec::Opaque => None,
    }
}

/// The codec to answer with: that of the partner, or the other law of G.711; without one, G.711 before others.
fn choose(choices: &[Choice], partner: Option<&str>) -> Option<Choice> {
    let g711 = || choices.iter().find(|choice| choice.law().is_some());
    let chosen = match partner {
        Some(name) => {
            let same = choices.iter().find(|choice| choice.name() == name);
            let laws = [Law::Mu, Law::A].iter().any(|law| law.name() == name);
            same.or_else(|| g711().filter(|_| laws))
        }
        None => g711().or(choices.first()),
    };
    chosen.cloned()
}

/// What is offered to one who made no offer himself.
fn plain(partner: Option<&str>, allowed: Option<&[Codec]>) -> Vec<Choice> {
    let mut laws = [Law::Mu, Law::A];
    if partner == Some(Law::A.name()) {
        laws.reverse();
    }
    let all: Vec<_> = laws.into_iter().map(Choice::g711).collect();
    let some: Vec<_> = all.iter().filter(|choice| choice.is_among(allowed)).cloned().collect();
    // Who is allowed none of it is still better served with an offer.
    if some.is_empty() { all } else { some }
}
