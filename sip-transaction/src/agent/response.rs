//! Responses that come: to calls, to offers inside them, to BYE and to the application's own requests.

use std::time::Instant;

use bytes::Bytes;
use sip_core::header::CSeq;
use sip_core::{Mandatory, Method, Response, StatusCode};

use super::compose::{Body, reason};
use super::state::Purpose;
use super::{Agent, Event, SessionId, flow};
use crate::dialog::Dialog;
use crate::session::{Cause, Event as CallEvent, Kind, Timer};
use crate::{ClientId, Failure, Source, Target};

impl Agent {
    pub(super) fn on_response(
        &mut self,
        now: Instant,
        id: ClientId,
        response: Response,
        mandatory: &Mandatory,
        source: Source,
    ) {
        let Some(client) = self.clients.get_mut(&id) else { return };
        let (session, purpose) = (client.session, client.purpose);
        if std::mem::take(&mut client.is_wandering) {
            // From now on, it is this server that is talked to.
            client.target = Target { reuse_only: false, ..Target::from(&source) };
            if let Some(entry) = session.and_then(|session| self.sessions.get_mut(session.0)) {
                entry.target = client.target;
            }
        }
        let last = response.status().is_final();
        if last {
            self.close_client(id);
        }
        match (purpose, session) {
            (Purpose::Outside, _) => self.tell(Event::Response { id, response, source }),
            (Purpose::Invite, Some(session)) => {
                self.on_invite_response(now, id, session, response, mandatory, &source);
            }
            (Purpose::Offer(kind), Some(session)) if last => {
                self.on_offer_response(now, id, session, kind, response, &source);
            }
            (Purpose::Bye, Some(session)) if last && !self.retry_with_credentials(now, id, &response) => {
                self.on_call(now, session, CallEvent::ByeDone);
            }
            (Purpose::Inside, Some(session)) if last => self.on_inside_response(now, id, session, response),
            // Provisional responses inside a dialog, and the answer to the BYE of a surplus branch.
            _ => {}
        }
        if let Some(session) = session {
            self.reap(session);
        }
    }

    pub(super) fn on_client_failed(&mut self, now: Instant, id: ClientId, failure: Failure) {
        self.close_client(id);
        let Some(client) = self.clients.remove(&id) else { return };
        let (cause, status) = match failure {
            Failure::Timeout => (Cause::Timeout, StatusCode::REQUEST_TIMEOUT),
            Failure::Transport | Failure::Unlocated => (Cause::Transport, StatusCode::SERVICE_UNAVAILABLE),
            Failure::Cancelled => (Cause::Cancelled, StatusCode::REQUEST_TERMINATED),
        };
        match (client.purpose, client.session) {
            (Purpose::Outside, _) => self.tell(Event::Failed { id, reason: failure }),
            (Purpose::Invite, Some(session)) if self.is_current(session, id) => {
                self.on_call(now, session, CallEvent::Failed(cause));
            }
            (Purpose::Offer(_), Some(session)) => {
                self.stop(session, Timer::Offer);
                if let Some(entry) = self.sessions.get_mut(session.0) {
                    entry.exchange.on_response(false);
                }
                self.fail_offer(session, status, None);
                self.on_lost(now, session, failure);
            }
            (Purpose::Bye, Some(session)) => self.on_call(now, session, CallEvent::ByeDone),
            (Purpose::Inside, Some(session)) => {
                if self.is_alive(session) {
                    let id = client.alias.unwrap_or(id);
                    self.tell(Event::InDialogAnswered { session, id, result: Err(failure) });
                }
                self.on_lost(now, session, failure);
            }
            _ => {}
        }
        if let Some(session) = client.session {
            self.reap(session);
        }
    }

    pub(super) fn on_client_ended(&mut self, now: Instant, id: ClientId) {
        self.close_client(id);
        let Some(client) = self.clients.remove(&id) else { return };
        let Some(session) = client.session else { return };
        if client.purpose == Purpose::Invite && self.is_current(session, id) {
            // A call that has not found its way out of the INVITE by now never will; others ignore this.
            self.on_call(now, session, CallEvent::Failed(Cause::Protocol));
        }
        self.reap(session);
    }

    /// No answer to a request inside a dialog ends it (RFC 3261 §12.2.1.2). A broken connection does not.
    fn on_lost(&mut self, now: Instant, session: SessionId, failure: Failure) {
        if failure == Failure::Timeout {
            self.on_call(now, session, CallEvent::Lost);
        }
    }

    /// A final response came, or will not.
    fn close_client(&mut self, id: ClientId) {
        let Some(client) = self.clients.get_mut(&id) else { return };
        if std::mem::take(&mut client.open)
            && let Some(session) = client.session.and_then(|session| self.sessions.get_mut(session.0))
        {
            session.open = session.open.saturating_sub(1);
        }
    }

    /// Whether this is the INVITE that the session lives by, not one that was sent again with credentials since.
    fn is_current(&self, session: SessionId, id: ClientId) -> bool {
        self.sessions.get(session.0).is_some_and(|session| session.client == Some(id))
    }

    fn on_invite_response(
        &mut self,
        now: Instant,
        id: ClientId,
        session: SessionId,
        response: Response,
        mandatory: &Mandatory,
        source: &Source,
    ) {
        let status = response.status();
        if status.is_success() {
            self.on_invite_success(now, id, session, response, mandatory, source);
            return;
        }
        if !self.is_current(session, id) {
            return;
        }
        if status.is_provisional() {
            self.on_invite_progress(now, id, session, response, mandatory);
            return;
        }
        let Some(entry) = self.sessions.get_mut(session.0) else { return };
        let pending = entry.call.is_pending();
        if pending && self.retry_with_credentials(now, id, &response) {
            return;
        }
        if let Some(entry) = self.sessions.get_mut(session.0) {
            entry.reason = reason(response.headers());
        }
        if pending {
            self.tell(Event::Rejected { session, response });
        }
        self.on_call(now, session, CallEvent::Failure(status));
    }

    fn on_invite_progress(
        &mut self,
        now: Instant,
        id: ClientId,
        session: SessionId,
        response: Response,
        mandatory: &Mandatory,
    ) {
        let Some(entry) = self.sessions.get_mut(session.0) else { return };
        if let Some(tag) = mandatory.to.tag()
            && response.status() != StatusCode::TRYING
            && entry.call.is_pending()
            && entry.dialogs.len() < self.config.forks
            && !entry.dialogs.iter().any(|dialog| dialog.id().remote_tag() == tag)
            && let Some(client) = self.clients.get(&id)
            && let Ok(dialog) = Dialog::client(&client.request, &response)
        {
            self.dialogs.insert(dialog.id().clone(), session);
            entry.dialogs.push(dialog);
        }
        let pending = entry.call.is_pending();
        self.on_call(now, session, CallEvent::Provisional);
        if pending && response.status() != StatusCode::TRYING {
            let sdp = Body::sdp(response.headers(), response.body());
            self.tell(Event::Progress { session, response, sdp });
        }
    }

    fn on_invite_success(
        &mut self,
        now: Instant,
        id: ClientId,
        session: SessionId,
        response: Response,
        mandatory: &Mandatory,
        source: &Source,
    ) {
        let tag = mandatory.to.tag().unwrap_or_default();
        if self.acknowledge_again(now, id, tag) {
            return;
        }
        let current = self.is_current(session, id);
        let Some(client) = self.clients.get(&id) else { return };
        match self.sessions.get_mut(session.0) {
            Some(entry) if current && entry.confirmed().is_none() && !entry.call.is_over() => {
                let early = entry.dialogs.iter().position(|dialog| dialog.id().remote_tag() == tag);
                let dialog = match early {
                    Some(place) => {
                        let mut dialog = entry.dialogs.swap_remove(place);
                        dialog.confirm_from(&response);
                        dialog
                    }
                    None => match Dialog::client(&client.request, &response) {
                        Ok(dialog) => dialog,
                        // A route set that cannot be read: there is no way to acknowledge.
                        Err(_) => {
                            self.on_call(now, session, CallEvent::Failed(Cause::Protocol));
                            return;
                        }
                    },
                };
                // The other branches' early dialogs are over; should one of them answer, it is ended.
                for other in entry.dialogs.drain(..) {
                    self.dialogs.remove(other.id());
                }
                self.dialogs.insert(dialog.id().clone(), session);
                entry.dialogs.push(dialog);
                entry.target = flow::toward_answerer(&entry.target, source);
                let sdp = Body::sdp(response.headers(), response.body());
                let owing = !entry.offered && sdp.is_some();
                entry.exchange.on_response(owing);
                let pending = entry.call.is_pending();
                if pending {
                    self.counters.answered += 1;
                } else {
                    self.counters.crossed_answers += 1;
                }
                self.on_call(now, session, CallEvent::Success { owing });
                if pending {
                    self.tell(Event::Answered { session, response, sdp, owing });
                }
            }
            // The application has not answered its offer yet.
            Some(entry) if entry.confirmed().is_some_and(|dialog| dialog.id().remote_tag() == tag) => {}
            _ => self.end_surplus(now, id, &response),
        }
    }

    /// Another branch answered as well, or one answered after all was over: ACK and BYE (RFC 3261 §13.2.2.4).
    fn end_surplus(&mut self, now: Instant, id: ClientId, response: &Response) {
        let Some(client) = self.clients.get(&id) else { return };
        if client.acks.len() > self.config.forks {
            return;
        }
        let target = client.target;
        let Ok(mut dialog) = Dialog::client(&client.request, response) else { return };
        self.counters.surplus_answers += 1;
        self.acknowledge_in(now, id, &dialog, target, None);
        let bye = self.introduce(dialog.request(Method::Bye), &Method::Bye).build();
        // Without answer it ends by itself.
        let _ = self.send(now, None, Purpose::Bye, bye, target);
    }

    /// Sends the ACK again that this 2xx drew before. Whether it had drawn one.
    fn acknowledge_again(&mut self, now: Instant, id: ClientId, tag: &[u8]) -> bool {
        let Some(client) = self.clients.get(&id) else { return false };
        let Some((_, ack)) = client.acks.iter().find(|(branch, _)| branch == tag) else { return false };
        self.counters.acks_resent += 1;
        let _ = self.endpoint.send_ack(now, ack.clone(), client.target);
        true
    }

    fn on_offer_response(
        &mut self,
        now: Instant,
        id: ClientId,
        session: SessionId,
        kind: Kind,
        response: Response,
        source: &Source,
    ) {
        let status = response.status();
        if status.is_success() {
            self.on_offer_success(now, id, session, kind, response, source);
            return;
        }
        let Some(entry) = self.sessions.get_mut(session.0) else { return };
        if entry.call.is_over() || entry.own.as_ref().is_none_or(|own| own.client != Some(id)) {
            return;
        }
        if self.retry_with_credentials(now, id, &response) {
            return;
        }
        self.stop(session, Timer::Offer);
        if let Some(entry) = self.sessions.get_mut(session.0) {
            entry.exchange.on_response(false);
        }
        match status {
            StatusCode::REQUEST_PENDING => {
                self.counters.glare += 1;
                self.wait_for_glare(now, session);
            }
            _ => {
                self.fail_offer(session, status, Some(response));
                self.on_dialog_status(now, session, status);
            }
        }
    }

    fn on_offer_success(
        &mut self,
        now: Instant,
        id: ClientId,
        session: SessionId,
        kind: Kind,
        response: Response,
        source: &Source,
    ) {
        let tag = response.headers().require::<sip_core::header::To>();
        let tag = tag.ok().and_then(|to| to.tag().map(Bytes::copy_from_slice)).unwrap_or_default();
        if self.acknowledge_again(now, id, &tag) {
            return;
        }
        self.stop(session, Timer::Offer);
        let Some(entry) = self.sessions.get_mut(session.0) else { return };
        let alive = !entry.call.is_over();
        let ours = alive && entry.own.as_ref().is_some_and(|own| own.client == Some(id));
        let sdp = Body::sdp(response.headers(), response.body());
        let owing = ours && sdp.is_some() && entry.own.as_ref().is_some_and(|own| own.body.is_none());
        if owing && entry.exchange.is_owing() {
            // The same 2xx again, before the application has answered.
            return;
        }
        if ours {
            entry.exchange.on_response(owing);
            entry.target = flow::toward_answerer(&entry.target, source);
            if let Some(dialog) = entry.confirmed_mut() {
                dialog.refresh(response.headers());
            }
        }
        if !owing {
            // Also when the session has ended meanwhile: the peer repeats its 2xx until the ACK comes.
            let (target, dialog) = (entry.target, entry.confirmed().cloned());
            if ours {
                entry.own = None;
            }
            if let (Kind::Invite, Some(dialog)) = (kind, dialog) {
                self.acknowledge_in(now, id, &dialog, target, None);
            }
        } else {
            let patience = self.times.owed();
            self.start(now, session, Timer::Owed, patience);
        }
        if ours {
            self.tell(Event::OfferAnswered { session, response, sdp, owing });
        }
    }

    fn on_inside_response(&mut self, now: Instant, id: ClientId, session: SessionId, response: Response) {
        if !self.is_alive(session) || self.retry_with_credentials(now, id, &response) {
            return;
        }
        let status = response.status();
        let id = self.clients.get(&id).and_then(|client| client.alias).unwrap_or(id);
        self.tell(Event::InDialogAnswered { session, id, result: Ok(response) });
        self.on_dialog_status(now, session, status);
    }

    /// 481 and 408 end the dialog (RFC 3261 §12.2.1.2).
    fn on_dialog_status(&mut self, now: Instant, session: SessionId, status: StatusCode) {
        match status {
            StatusCode::CALL_DOES_NOT_EXIST => self.on_call(now, session, CallEvent::Gone),
            StatusCode::REQUEST_TIMEOUT => self.on_call(now, session, CallEvent::Lost),
            _ => {}
        }
    }

    /// Sends a request that was challenged again with credentials, if there are any to try.
    fn retry_with_credentials(&mut self, now: Instant, id: ClientId, response: &Response) -> bool {
        let Some(client) = self.clients.get(&id) else { return false };
        let (Some(session), purpose, attempts) = (client.session, client.purpose, client.attempts) else {
            return false;
        };
        let (request, target) = (client.request.clone(), client.target);
        let alias = client.alias.or(Some(id));
        let Some(entry) = self.sessions.get_mut(session.0) else { return false };
        let Some(auth) = entry.auth.as_mut() else { return false };
        if !auth.on_challenge(response, attempts) {
            return false;
        }
        let sequence = match entry.dialogs.first_mut().filter(|dialog| dialog.is_confirmed()) {
            Some(dialog) => dialog.next_sequence(),
            None => match request.headers().require::<CSeq>() {
                Ok(cseq) => cseq.sequence.saturating_add(1),
                Err(_) => return false,
            },
        };
        let request = auth.retry(&request, sequence, &mut self.rng);
        if purpose == Purpose::Invite {
            for dialog in entry.dialogs.drain(..) {
                self.dialogs.remove(dialog.id());
            }
        }
        let Ok(next) = self.send(now, Some(session), purpose, request, target) else { return false };
        self.counters.challenges_answered += 1;
        if let Some(client) = self.clients.get_mut(&next) {
            client.attempts = attempts.saturating_add(1);
            client.alias = alias;
        }
        if let Some(entry) = self.sessions.get_mut(session.0) {
            match purpose {
                Purpose::Invite => entry.client = Some(next),
                Purpose::Offer(_) => {
                    if let Some(own) = entry.own.as_mut() {
                        own.client = Some(next);
                    }
                }
                Purpose::Bye | Purpose::Inside | Purpose::Outside => {}
            }
        }
        true
    }
}
