//! What the agent tells of a leg on SIP, in the words of its call.

use std::time::Instant;

use bytes::Bytes;
use sip_core::{Response, StatusCode, sdp::Session};
use sip_transaction::agent::{Cause as Ended, Event, SessionId};

use super::{
    super::{
        Switch,
        cause::{Cause, Gone},
        leg::{LegKey, Stage, Told},
    },
    Ours, choices, choose,
    description::Heard,
    events_of, heard,
};
use crate::switch::leg::Leg;

impl Switch {
    /// What the agent tells of a session of ours; what is about none is given back.
    pub(in crate::switch) fn on_session(&mut self, now: Instant, event: Event) -> Option<Event> {
        let key = event.session().and_then(|session| self.sessions.get(&session).copied());
        let Some(key) = key else { return Some(event) };
        match event {
            Event::Progress { response, sdp, .. } => self.on_sip_progress(now, key, &response, sdp),
            Event::Answered { session, sdp, owing, .. } => self.on_sip_answered(now, key, session, sdp, owing),
            Event::Acknowledged { sdp, .. } => self.on_acknowledged(now, key, sdp),
            Event::Offer { session, sdp, .. } => self.on_offer(now, key, session, sdp),
            Event::OfferAnswered { session, sdp, owing, .. } => {
                if owing {
                    // We never ask without an offer of our own.
                    let _ = self.agent.acknowledge(now, session, None);
                }
                self.on_offer_answered(now, key, sdp);
            }
            Event::OfferRejected { .. } => self.on_offer_over(now, key),
            Event::OfferWithdrawn { .. } => self.sip_renegotiate(now, key),
            Event::InDialog { id, request, .. } => self.on_inside(now, key, id, &request),
            Event::Ended { cause, reason, .. } => self.on_leg(now, key, Told::Gone(gone(cause, reason.as_ref()))),
            // Refusals come again as the session's end; answers to INFO change nothing.
            _ => {}
        }
        None
    }

    fn on_sip_progress(&mut self, now: Instant, key: LegKey, response: &Response, sdp: Option<Bytes>) {
        if let Some(description) = sdp.and_then(|sdp| self.read(key, &sdp))
            && self.take_answer(now, key, &description)
        {
            self.on_leg(now, key, Told::Progress);
        }
        if response.status() == StatusCode::RINGING {
            self.on_leg(now, key, Told::Rang);
        }
    }

    fn on_sip_answered(&mut self, now: Instant, key: LegKey, session: SessionId, sdp: Option<Bytes>, owing: bool) {
        if owing {
            let _ = self.agent.acknowledge(now, session, None);
        }
        let taken = match sdp.and_then(|sdp| self.read(key, &sdp)) {
            Some(description) => self.take_answer(now, key, &description),
            // The answer came with a provisional response (RFC 3261 §13.2.1).
            None => self.leg(key).is_some_and(|leg| leg.format.is_some()),
        };
        if taken {
            if let Some(sip) = self.leg_mut(key).and_then(Leg::sip_mut) {
                sip.asked = false;
            }
            self.on_leg(now, key, Told::Answered);
        } else {
            tracing::debug!(call = key.call, "an answer cannot be used");
            let _ = self.agent.hangup(now, session, &[]);
            self.on_leg(now, key, Told::Gone(Cause::BEARER.into()));
        }
    }

    /// The answer to an offer of ours in a 2xx.
    fn on_acknowledged(&mut self, now: Instant, key: LegKey, sdp: Option<Bytes>) {
        let Some(sip) = self.leg_mut(key).and_then(Leg::sip_mut) else { return };
        let asked = std::mem::take(&mut sip.asked);
        if let Some(sdp) = sdp
            && !self.read(key, &sdp).is_some_and(|description| self.take_answer(now, key, &description))
        {
            let gone = Gone::from(Cause::BEARER);
            let _ = self.session_of(key).map(|session| self.agent.hangup(now, session, &[]));
            self.on_leg(now, key, Told::Gone(gone));
            return;
        }
        if asked {
            self.align_partner(now, key);
        }
        self.sip_renegotiate(now, key);
    }

    /// A re-INVITE or UPDATE: answered by us at once; the other side hears of a hold.
    fn on_offer(&mut self, now: Instant, key: LegKey, session: SessionId, sdp: Option<Bytes>) {
        let Some(sdp) = sdp else {
            let held = self.leg(key).and_then(Leg::sip).is_some_and(|sip| sip.held);
            self.offer_instead(now, key, session, held);
            return;
        };
        let Some(description) = self.read(key, &sdp) else {
            let _ = self.agent.reject_offer(now, session, StatusCode::BAD_REQUEST, &[]);
            return;
        };
        match self.answer_to(key, &description) {
            Some((text, heard)) => {
                // The phone may have withdrawn it.
                if self.agent.answer_offer(now, session, Some(text), &[]).is_ok() {
                    if let Some(sip) = self.leg_mut(key).and_then(Leg::sip_mut) {
                        sip.told_held = sip.held;
                    }
                    self.note_hold(now, key, heard);
                    self.align_partner(now, key);
                }
            }
            None => {
                let _ = self.agent.reject_offer(now, session, StatusCode::NOT_ACCEPTABLE_HERE, &[]);
            }
        }
        self.sip_renegotiate(now, key);
    }

    /// Our offer in the 2xx to a re-INVITE without one.
    fn offer_instead(&mut self, now: Instant, key: LegKey, session: SessionId, held: bool) {
        let events = self.leg(key).and_then(Leg::sip).is_some_and(super::SipLeg::takes_events);
        let ours = self.ours(key, held, events);
        let text = ours.and_then(|ours| Some(ours.offer(&mut self.leg_mut(key)?.sip_mut()?.voice)));
        let _ = match text {
            Some(text) => {
                if let Some(sip) = self.leg_mut(key).and_then(Leg::sip_mut) {
                    (sip.asked, sip.told_held) = (true, held);
                }
                self.agent.answer_offer(now, session, Some(text), &[])
            }
            None => self.agent.reject_offer(now, session, StatusCode::SERVER_INTERNAL_ERROR, &[]),
        };
    }

    /// Answers an offer inside the call, in the codec that is spoken if it can be. `None`: nothing fits.
    fn answer_to(&mut self, key: LegKey, offer: &Session) -> Option<(Bytes, Option<Heard>)> {
        let address = self.own_media(key)?;
        let partner = self.partner_codec(key);
        let leg = self.leg(key)?;
        let sip = leg.sip()?;
        let (held, events, signalling) = (sip.held, sip.takes_events(), sip.signalling);
        let agreed = sip.agreed.clone();
        let mut all = choices(offer);
        all.retain(|choice| choice.is_among(sip.codecs.as_deref()));
        let same = leg.codec.as_deref().and_then(|codec| all.iter().find(|choice| choice.name() == codec).cloned());
        let choice = same.or_else(|| choose(&all, partner.as_deref()));
        let (choices, choice) = match (choice, heard(offer, signalling)) {
            (Some(choice), Some(heard)) => (vec![choice.clone()], Some((choice, heard))),
            // An offer of what does not pass is refused, and the call goes on as it was.
            _ if offer.media.iter().any(|media| !media.is_rejected()) => return None,
            // All streams are closed: answered in kind.
            _ => (agreed.into_iter().collect(), None),
        };
        let ours = Ours { address, choices, events: events.then_some(101), holds: held };
        let text = ours.answer(offer, &mut self.leg_mut(key)?.sip_mut()?.voice)?;
        let heard = choice.map(|(choice, heard)| {
            self.take_in(key, &heard);
            self.agree(key, choice, events_of(offer).filter(|_| events));
            heard
        });
        Some((text, heard))
    }

    fn note_hold(&mut self, now: Instant, key: LegKey, heard: Option<Heard>) {
        let Some(heard) = heard else { return };
        let Some(leg) = self.leg(key) else { return };
        if leg.holds != heard.holds {
            self.on_leg(now, key, Told::Hold(heard.holds));
        } else {
            self.rewatch(key.call);
        }
    }

    fn on_offer_answered(&mut self, now: Instant, key: LegKey, sdp: Option<Bytes>) {
        if let Some(description) = sdp.and_then(|sdp| self.read(key, &sdp)) {
            self.take_answer(now, key, &description);
        }
        self.on_offer_over(now, key);
    }

    /// An offer of ours has its end: what changed meanwhile is offered next.
    fn on_offer_over(&mut self, now: Instant, key: LegKey) {
        if let Some(sip) = self.leg_mut(key).and_then(Leg::sip_mut) {
            sip.asked = false;
            self.sip_renegotiate(now, key);
        }
    }

    /// Takes in the answer to an offer of ours. `false`: no stream is open, or its codec is none of ours.
    fn take_answer(&mut self, _now: Instant, key: LegKey, answer: &Session) -> bool {
        let Some(leg) = self.leg(key) else { return false };
        let Some(sip) = leg.sip() else { return false };
        let (events, established) = (sip.takes_events(), leg.stage == Stage::Up && leg.format.is_some());
        let Some(heard) = heard(answer, sip.signalling) else { return established };
        let Some(choice) = choices(answer).into_iter().next() else { return false };
        self.take_in(key, &heard);
        self.agree(key, choice, events_of(answer).filter(|_| events));
        true
    }

    /// The codec of one side changed: the other side follows where it cannot be translated.
    fn align_partner(&mut self, now: Instant, key: LegKey) {
        let call = self.calls.get(&key.call);
        if let Some(partner) = call.and_then(|call| Some(call.key(call.partner(key.leg)?))) {
            self.align(now, key, partner);
        }
    }

    fn read(&self, key: LegKey, sdp: &Bytes) -> Option<Session> {
        match Session::parse(sdp) {
            Ok(session) => Some(session),
            Err(error) => {
                tracing::debug!(call = key.call, %error, "a description is not understood");
                None
            }
        }
    }
}

/// Why a session ended, for its call.
fn gone(cause: Ended, reason: Option<&Bytes>) -> Gone {
    let said = reason.and_then(Cause::from_reason);
    let status = |code, cause: Cause| Gone { status: StatusCode::new(code), ..Gone::cause(said.unwrap_or(cause)) };
    match cause {
        Ended::Rejected(status) => Gone::status(status, reason),
        Ended::Hangup | Ended::Bye | Ended::Cancelled => Gone::cause(said.unwrap_or(Cause::NORMAL)),
        Ended::Timeout => status(408, Cause::NO_USER_RESPONSE),
        Ended::Transport => status(503, Cause::OUT_OF_ORDER),
        Ended::NotAcknowledged => Gone::cause(Cause::TIMER),
        Ended::Gone => Gone::cause(Cause::TEMPORARY_FAILURE),
        _ => Gone::cause(Cause::INTERWORKING),
    }
}
