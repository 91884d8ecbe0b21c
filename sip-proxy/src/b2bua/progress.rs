//! From the first ring to the caller's ACK.

use std::time::Instant;

use bytes::Bytes;
use sip_core::{Response, StatusCode};
use sip_transaction::agent::{Agent, Cause};

use super::call::{Description, Phase, Step};
use super::{B2bua, CallId, Event, Leg, Role};

impl B2bua {
    pub(super) fn on_progress(
        &mut self,
        now: Instant,
        agent: &mut Agent,
        id: CallId,
        leg: Leg,
        response: &Response,
        sdp: Option<Bytes>,
    ) {
        let Leg::B(branch) = leg else { return };
        let Some(call) = self.calls.get_mut(&id) else { return };
        if call.phase != Phase::Ringing {
            return;
        }
        let (status, caller, trusted) = (response.status(), call.caller, call.trusted);
        // Of several branches the caller hears the one that spoke first. Without his offer there is nothing to answer.
        let heard = sdp.is_some() && call.offered && *call.early.get_or_insert(branch) == branch;
        let headers = self.config.policy.crossing(response.headers(), trusted);
        self.tell(Event::Progress { call: id, branch, status });
        match sdp.filter(|_| heard) {
            Some(sdp) => {
                let step = Step::Provisional(status);
                self.hold_up(id, leg, Role::Early, step, headers, sdp);
            }
            None => {
                // The caller may have gone: his end is then on the way.
                let _ = agent.provisional(now, caller, status, None, &headers);
            }
        }
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of one event")]
    pub(super) fn on_answered(
        &mut self,
        now: Instant,
        agent: &mut Agent,
        id: CallId,
        leg: Leg,
        response: &Response,
        sdp: Option<Bytes>,
        owing: bool,
    ) {
        let Leg::B(branch) = leg else { return };
        let Some(call) = self.calls.get_mut(&id) else { return };
        if call.phase != Phase::Ringing {
            // Another one was faster, or the caller has gone.
            if let Some(session) = call.session(leg) {
                let _ = agent.hangup(now, session, &[]);
            }
            return;
        }
        call.phase = Phase::Answering;
        call.chosen = Some(branch);
        call.owing = owing;
        call.descriptions.clear();
        let trusted = call.trusted;
        for (other, entry) in call.branches.iter().enumerate() {
            if other != usize::from(branch)
                && let Some(session) = entry.session
            {
                let _ = agent.hangup(now, session, &[]);
            }
        }
        self.counters.answered += 1;
        self.stop_ring(id);
        self.tell(Event::Answered { call: id, branch });
        let headers = self.config.policy.crossing(response.headers(), trusted);
        match sdp {
            Some(sdp) => {
                let role = if owing { Role::Offer } else { Role::Answer };
                self.hold_up(id, leg, role, Step::Answer, headers, sdp);
            }
            None => self.answer_caller(now, agent, id, None, &headers),
        }
    }

    pub(super) fn on_acknowledged(
        &mut self,
        now: Instant,
        agent: &mut Agent,
        id: CallId,
        leg: Leg,
        sdp: Option<Bytes>,
    ) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        if call.phase != Phase::Up {
            return;
        }
        if leg == Leg::A && std::mem::take(&mut call.owing) {
            call.acknowledged = true;
            self.tell(Event::Up { call: id });
            match sdp {
                Some(sdp) => {
                    self.hold_up(id, leg, Role::Answer, Step::Acknowledge, Vec::new(), sdp);
                }
                // No answer: there is no session to speak of.
                None => self.finish(now, agent, id, Some(leg), Cause::Protocol, None, None),
            }
            return;
        }
        let Some(renegotiation) = call.renegotiation.filter(|it| it.from == leg && it.answered) else {
            if leg == Leg::A && !call.acknowledged {
                call.acknowledged = true;
                self.tell(Event::Up { call: id });
            }
            return;
        };
        if !renegotiation.reversed {
            return;
        }
        match sdp {
            Some(sdp) => {
                self.hold_up(id, leg, Role::Answer, Step::AcknowledgeOffer, Vec::new(), sdp);
            }
            None => self.finish(now, agent, id, Some(leg), Cause::Protocol, None, None),
        }
    }

    /// Carries a description on to where its step leads.
    pub(super) fn carry(
        &mut self,
        now: Instant,
        agent: &mut Agent,
        id: CallId,
        description: Description,
        sdp: Option<Bytes>,
    ) {
        let Description { from, step, headers, .. } = description;
        let Some(call) = self.calls.get_mut(&id) else { return };
        let other = call.other(from).and_then(|leg| call.session(leg));
        match step {
            Step::Provisional(status) => {
                let _ = agent.provisional(now, call.caller, status, sdp, &headers);
            }
            Step::Answer => self.answer_caller(now, agent, id, sdp, &headers),
            Step::Acknowledge => {
                if let Some(session) = other {
                    let _ = agent.acknowledge(now, session, sdp);
                }
            }
            Step::Reinvite => self.carry_offer(now, agent, id, from, sdp),
            Step::AnswerOffer => self.carry_answer(now, agent, id, from, sdp),
            Step::AcknowledgeOffer => {
                call.renegotiation = None;
                if let Some(session) = other {
                    let _ = agent.acknowledge(now, session, sdp);
                }
            }
        }
    }

    fn answer_caller(
        &mut self,
        now: Instant,
        agent: &mut Agent,
        id: CallId,
        sdp: Option<Bytes>,
        headers: &[(sip_core::header::HeaderName, Bytes)],
    ) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        if call.phase != Phase::Answering {
            return;
        }
        match agent.answer(now, call.caller, sdp, headers) {
            Ok(()) => call.phase = Phase::Up,
            // The caller's end is on the way; should it not be, the call must not hang.
            Err(_) => {
                let status = StatusCode::TEMPORARILY_UNAVAILABLE;
                self.finish(now, agent, id, Some(Leg::A), Cause::Cancelled, Some(status), None);
            }
        }
    }
}
