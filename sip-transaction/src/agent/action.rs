//! What the transitions of a session ask for, done.

use std::time::{Duration, Instant};

use bytes::Bytes;
use sip_core::header::HeaderName;
use sip_core::{Method, Request, RequestBuilder, Response, ResponseBuilder, StatusCode, ident};

use super::compose::{SDP, copy_credentials, extend_request, extend_response};
use super::state::{Purpose, Served};
use super::{Agent, Event, SessionId};
use crate::dialog::Dialog;
use crate::session::{Action, Actions, Cause, Event as CallEvent, Timer};
use crate::{ClientId, ServerId, Target};

impl Agent {
    pub(super) fn on_timer(&mut self, now: Instant, id: SessionId, timer: Timer) {
        let Some(session) = self.sessions.get_mut(id.0) else { return };
        if let Some(deadline) = session.timers.get_mut(timer.index()) {
            *deadline = None;
        }
        let mut actions = Actions::new();
        match timer {
            Timer::Resend => session.answer.on_resend(&mut actions),
            Timer::Glare => {
                self.retry_offer(now, id);
                return;
            }
            Timer::Offer => {
                self.cancel_offer(now, id);
                return;
            }
            Timer::Acknowledge => {
                self.counters.not_acknowledged += 1;
                session.accepted = None;
                session.exchange.on_acknowledged();
                session.answer.on_acknowledged(&mut actions);
                session.call.on_event(CallEvent::Timer(timer), &mut actions);
            }
            Timer::KeepRinging | Timer::Ring | Timer::Cancel | Timer::Owed => {
                session.call.on_event(CallEvent::Timer(timer), &mut actions);
            }
        }
        self.act(now, id, actions);
    }

    /// Tells a call what happened, and does what it asks for.
    pub(super) fn on_call(&mut self, now: Instant, id: SessionId, event: CallEvent) {
        let Some(session) = self.sessions.get_mut(id.0) else { return };
        let mut actions = Actions::new();
        session.call.on_event(event, &mut actions);
        self.act(now, id, actions);
    }

    pub(super) fn act(&mut self, now: Instant, id: SessionId, actions: Actions) {
        for action in actions {
            match action {
                Action::Start(timer, after) => self.start(now, id, timer, after),
                Action::Stop(timer) => self.stop(id, timer),
                Action::ResendAnswer => self.resend_answer(now, id),
                Action::ResendProvisional => self.resend_provisional(now, id),
                Action::Respond(status) => self.refuse_invite(now, id, status),
                Action::SendCancel => {
                    if let Some(client) = self.sessions.get(id.0).and_then(|session| session.client) {
                        // A final response that is on its way up makes this fail; it is handled when it comes.
                        let _ = self.endpoint.cancel(now, client);
                    }
                }
                Action::SendAck => self.acknowledge_invite(now, id),
                Action::SendBye => self.send_bye(now, id),
                Action::End(cause) => self.end(now, id, cause),
            }
        }
    }

    pub(super) fn start(&mut self, now: Instant, id: SessionId, timer: Timer, after: Duration) {
        self.stop(id, timer);
        // A time beyond the clock's end never comes.
        let Some(at) = now.checked_add(after) else { return };
        if let Some(session) = self.sessions.get_mut(id.0)
            && let Some(deadline) = session.timers.get_mut(timer.index())
        {
            *deadline = Some(self.timers.start(at, id.0, timer));
        }
    }

    pub(super) fn stop(&mut self, id: SessionId, timer: Timer) {
        if let Some(session) = self.sessions.get_mut(id.0)
            && let Some(deadline) = session.timers.get_mut(timer.index()).and_then(Option::take)
        {
            self.timers.stop(deadline);
        }
    }

    /// A response with what all of ours have.
    pub(super) fn reply(&self, request: &Request, status: StatusCode) -> ResponseBuilder {
        let builder = Response::to(request, status);
        match &self.config.user_agent {
            Some(text) => builder.raw(&HeaderName::SERVER, text),
            None => builder,
        }
    }

    /// Allow and Supported, as in INVITE, its 2xx and the answer to OPTIONS.
    pub(super) fn abilities(&self) -> (Bytes, Option<Bytes>) {
        let mut allow = Vec::new();
        for method in &self.config.allow {
            if !allow.is_empty() {
                allow.extend_from_slice(b", ");
            }
            allow.extend_from_slice(method.as_bytes());
        }
        let supported = self.config.supported.join(", ");
        (allow.into(), (!supported.is_empty()).then(|| supported.into()))
    }

    /// Allow and Supported on a request of ours, and who we are.
    pub(super) fn introduce(&self, builder: RequestBuilder, method: &Method) -> RequestBuilder {
        let mut builder = builder;
        if matches!(method, Method::Invite | Method::Update) {
            let (allow, supported) = self.abilities();
            builder = builder.raw(&HeaderName::ALLOW, allow);
            if let Some(supported) = supported {
                builder = builder.raw(&HeaderName::SUPPORTED, supported);
            }
        }
        match &self.config.user_agent {
            Some(text) => builder.raw(&HeaderName::USER_AGENT, text),
            None => builder,
        }
    }

    /// Answers a request that is none of the application's business.
    pub(super) fn refuse(
        &mut self,
        now: Instant,
        id: ServerId,
        request: &Request,
        status: StatusCode,
        headers: &[(HeaderName, Bytes)],
    ) {
        self.counters.refused += 1;
        let tag = ident::tag(&mut self.rng);
        let response = extend_response(self.reply(request, status).to_tag(&tag), headers, false).build();
        // The transaction may be gone by now, or its sender a stranger: nothing to be done about either.
        let _ = self.endpoint.respond(now, id, response);
    }

    fn resend_answer(&mut self, now: Instant, id: SessionId) {
        if let Some(accepted) = self.sessions.get(id.0).and_then(|session| session.accepted.as_ref()) {
            self.counters.answers_resent += 1;
            // Gone when its transaction is: the wait for the ACK ends at the same time.
            let _ = self.endpoint.respond(now, accepted.id, accepted.response.clone());
        }
    }

    fn resend_provisional(&mut self, now: Instant, id: SessionId) {
        if let Some(session) = self.sessions.get(id.0)
            && let (Some(invite), Some(response)) = (&session.invite, &session.provisional)
        {
            let _ = self.endpoint.respond(now, invite.id, response.clone());
        }
    }

    /// Gives the INVITE of a session its final response, which is no 2xx.
    fn refuse_invite(&mut self, now: Instant, id: SessionId, status: StatusCode) {
        let Some(session) = self.sessions.get_mut(id.0) else { return };
        let Some(invite) = session.invite.take() else { return };
        let headers = std::mem::take(&mut session.parting);
        let tag = session.dialogs.first().map(|dialog| Bytes::copy_from_slice(dialog.id().local_tag()));
        let contact = status.class() == 3 || status.as_u16() == 485;
        let builder = self.reply(&invite.request, status).to_tag(&tag.unwrap_or_default());
        let response = extend_response(builder, &headers, contact).build();
        let _ = self.endpoint.respond(now, invite.id, response);
    }

    /// The ACK to the 2xx of the first INVITE.
    fn acknowledge_invite(&mut self, now: Instant, id: SessionId) {
        let Some(session) = self.sessions.get_mut(id.0) else { return };
        let sdp = session.owed.take();
        let target = session.target;
        let (Some(client), Some(dialog)) = (session.client, session.confirmed().cloned()) else { return };
        self.acknowledge_in(now, client, &dialog, target, sdp);
    }

    /// Makes and sends the ACK to a 2xx, and keeps it for when the 2xx comes again.
    pub(super) fn acknowledge_in(
        &mut self,
        now: Instant,
        client: ClientId,
        dialog: &Dialog,
        target: Target,
        sdp: Option<Bytes>,
    ) {
        let Some(entry) = self.clients.get_mut(&client) else { return };
        let Ok(sequence) = entry.request.headers().require::<sip_core::header::CSeq>() else { return };
        let mut builder = copy_credentials(dialog.ack(sequence.sequence), &entry.request);
        if let Some(sdp) = sdp {
            builder = builder.body(SDP, sdp);
        }
        let ack = builder.build();
        entry.acks.push((Bytes::copy_from_slice(dialog.id().remote_tag()), ack.clone()));
        entry.target = target;
        // When it cannot be sent now, the next 2xx tries again.
        let _ = self.endpoint.send_ack(now, ack, target);
    }

    fn send_bye(&mut self, now: Instant, id: SessionId) {
        let Some(session) = self.sessions.get_mut(id.0) else { return };
        let headers = std::mem::take(&mut session.parting);
        let target = session.target;
        let sent = match session.confirmed_mut() {
            Some(dialog) => {
                let builder = dialog.request(Method::Bye);
                let request = extend_request(self.introduce(builder, &Method::Bye), &headers).build();
                let request = self.authorize(id, request);
                self.send(now, Some(id), Purpose::Bye, request, target).is_ok()
            }
            None => false,
        };
        if !sent {
            self.on_call(now, id, CallEvent::ByeDone);
        }
    }

    /// The request with the credentials that the session has already been asked for.
    pub(super) fn authorize(&mut self, id: SessionId, request: Request) -> Request {
        match self.sessions.get_mut(id.0).and_then(|session| session.auth.as_mut()) {
            Some(auth) => auth.authorize(request, &mut self.rng),
            None => request,
        }
    }

    fn end(&mut self, now: Instant, id: SessionId, cause: Cause) {
        let Some(session) = self.sessions.get_mut(id.0) else { return };
        let reason = session.reason.take();
        let unanswered: Vec<Served> = session.offer.take().into_iter().chain(session.waiting.drain(..)).collect();
        if let Some(key) = session.merging.take() {
            self.merging.remove(&key);
        }
        for deadline in session.timers.iter_mut().filter_map(Option::take) {
            self.timers.stop(deadline);
        }
        session.accepted = None;
        session.provisional = None;
        // Nothing else would end a re-INVITE that was only ever answered 100.
        self.cancel_offer(now, id);
        if let Some(session) = self.sessions.get_mut(id.0) {
            session.own = None;
        }
        self.lingering += 1;
        self.counters.ended += 1;
        // What the peer still waits for is answered (RFC 3261 §15.1.2).
        for served in unanswered {
            let response = self.reply(&served.request, StatusCode::REQUEST_TERMINATED).build();
            let _ = self.endpoint.respond(now, served.id, response);
        }
        tracing::debug!(session = id.as_u64(), ?cause, "session ended");
        self.tell(Event::Ended { session: id, cause, reason });
        self.reap(id);
    }

    /// Forgets a session that is over and waits for nothing. Until then its dialog is known: a BYE that crosses ours is
    /// answered.
    pub(super) fn reap(&mut self, id: SessionId) {
        if self.sessions.get(id.0).is_some_and(|session| session.call.is_ended() && session.open == 0)
            && let Some(session) = self.sessions.remove(id.0)
        {
            for dialog in &session.dialogs {
                self.dialogs.remove(dialog.id());
            }
            self.lingering = self.lingering.saturating_sub(1);
        }
    }
}
