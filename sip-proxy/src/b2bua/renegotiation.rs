//! Offers inside a call, passed from one side to the other: hold, resume, another codec, another address.

use std::time::Instant;

use bytes::Bytes;
use sip_core::{Request, StatusCode};
use sip_transaction::agent::{Agent, Cause, SessionError};

use super::call::{Phase, Renegotiation, Step};
use super::{B2bua, CallId, Leg, Role};

impl B2bua {
    pub(super) fn on_offer(
        &mut self,
        now: Instant,
        agent: &mut Agent,
        id: CallId,
        leg: Leg,
        _request: &Request,
        sdp: Option<Bytes>,
    ) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        let Some(session) = call.session(leg) else { return };
        // Both sides at once, or one while the first exchange is not over: each refuses and tries later (§14.2).
        if call.phase != Phase::Up || call.renegotiation.is_some() || call.owing || call.other(leg).is_none() {
            let _ = agent.reject_offer(now, session, StatusCode::REQUEST_PENDING, &[]);
            return;
        }
        call.renegotiation = Some(Renegotiation { from: leg, reversed: sdp.is_none(), answered: false });
        self.counters.renegotiations += 1;
        let held = match sdp {
            Some(sdp) => self.hold_up(id, leg, Role::Offer, Step::Reinvite, Vec::new(), sdp),
            None => {
                self.carry_offer(now, agent, id, leg, None);
                true
            }
        };
        if !held {
            self.refuse_offer(now, agent, id, StatusCode::SERVER_INTERNAL_ERROR);
        }
    }

    /// The offer goes on, as a re-INVITE to the other side.
    pub(super) fn carry_offer(&mut self, now: Instant, agent: &mut Agent, id: CallId, from: Leg, sdp: Option<Bytes>) {
        let Some(call) = self.calls.get(&id) else { return };
        let Some(session) = call.other(from).and_then(|leg| call.session(leg)) else { return };
        match agent.reinvite(now, session, sdp, Vec::new()) {
            Ok(()) => {}
            Err(SessionError::Pending | SessionError::State) => {
                self.refuse_offer(now, agent, id, StatusCode::REQUEST_PENDING);
            }
            Err(_) => self.refuse_offer(now, agent, id, StatusCode::SERVER_INTERNAL_ERROR),
        }
    }

    pub(super) fn on_offer_withdrawn(&mut self, now: Instant, agent: &mut Agent, id: CallId, leg: Leg) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        if call.renegotiation.is_none_or(|it| it.from != leg) {
            return;
        }
        call.renegotiation = None;
        call.descriptions.retain(|description| description.from != leg || description.step != Step::Reinvite);
        if let Some(session) = call.other(leg).and_then(|leg| call.session(leg)) {
            // Nothing to take back when the offer was still held up here.
            let _ = agent.withdraw_offer(now, session);
        }
    }

    pub(super) fn on_offer_answered(
        &mut self,
        now: Instant,
        agent: &mut Agent,
        id: CallId,
        leg: Leg,
        sdp: Option<Bytes>,
        owing: bool,
    ) {
        let Some(call) = self.calls.get(&id) else { return };
        let wanted = call.renegotiation.is_some_and(|it| call.other(it.from) == Some(leg) && !it.answered);
        if !wanted {
            // Withdrawn by the one side, accepted by the other: they no longer agree, and an offer is owed an answer.
            self.finish(now, agent, id, None, Cause::Protocol, None, None);
            return;
        }
        match sdp {
            Some(sdp) => {
                let role = if owing { Role::Offer } else { Role::Answer };
                self.hold_up(id, leg, role, Step::AnswerOffer, Vec::new(), sdp);
            }
            None => self.carry_answer(now, agent, id, leg, None),
        }
    }

    /// The answer goes back, in the 200 to the re-INVITE that began it.
    pub(super) fn carry_answer(&mut self, now: Instant, agent: &mut Agent, id: CallId, from: Leg, sdp: Option<Bytes>) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        let Some(session) = call.other(from).and_then(|leg| call.session(leg)) else { return };
        match call.renegotiation.as_mut() {
            Some(renegotiation) if renegotiation.reversed && sdp.is_some() => renegotiation.answered = true,
            _ => call.renegotiation = None,
        }
        // When it was withdrawn or the session ended, its event is on the way.
        let _ = agent.answer_offer(now, session, sdp, &[]);
    }

    pub(super) fn on_offer_rejected(
        &mut self,
        now: Instant,
        agent: &mut Agent,
        id: CallId,
        leg: Leg,
        status: StatusCode,
    ) {
        let Some(call) = self.calls.get(&id) else { return };
        if call.renegotiation.is_some_and(|it| call.other(it.from) == Some(leg)) {
            let status = match status.as_u16() {
                // That side's dialog or credentials are meant, not this one's.
                300..=399 | 401 | 407 | 408 | 481 => StatusCode::NOT_ACCEPTABLE_HERE,
                503 => StatusCode::SERVER_INTERNAL_ERROR,
                _ => status,
            };
            self.refuse_offer(now, agent, id, status);
        }
    }

    /// Tells the side that made the offer that nothing comes of it.
    fn refuse_offer(&mut self, now: Instant, agent: &mut Agent, id: CallId, status: StatusCode) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        let Some(renegotiation) = call.renegotiation.take() else { return };
        if let Some(session) = call.session(renegotiation.from) {
            let _ = agent.reject_offer(now, session, status, &[]);
        }
    }
}
