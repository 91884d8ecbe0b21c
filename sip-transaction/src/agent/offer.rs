//! Offers inside a call: re-INVITE and UPDATE, both ways (RFC 3261 §14, RFC 3311).

use std::time::{Duration, Instant};

use bytes::Bytes;
use rand_core::RngCore;
use sip_core::header::HeaderName;
use sip_core::{Method, Request, StatusCode};

use super::compose::{SDP, extend_request, extend_response};
use super::state::{Accepted, Own, Purpose, Served};
use super::{Agent, Event, ExtraHeaders, SessionError, SessionId};
use crate::session::{Actions, Kind, Timer};

impl Agent {
    /// Sends a re-INVITE: with an offer, or without one, so that the peer makes it in the 2xx.
    ///
    /// # Errors
    /// [`SessionError::Pending`] while another offer is under way.
    pub fn reinvite(
        &mut self,
        now: Instant,
        id: SessionId,
        offer: Option<Bytes>,
        headers: ExtraHeaders,
    ) -> Result<(), SessionError> {
        self.begin_offer(now, id, Kind::Invite, offer, headers)
    }

    /// Sends an UPDATE with an offer in an established session (RFC 3311).
    ///
    /// # Errors
    /// [`SessionError::Pending`] while another offer is under way.
    pub fn update(
        &mut self,
        now: Instant,
        id: SessionId,
        offer: Bytes,
        headers: ExtraHeaders,
    ) -> Result<(), SessionError> {
        self.begin_offer(now, id, Kind::Update, Some(offer), headers)
    }

    /// Takes a re-INVITE of ours back: by CANCEL, once a provisional response has come. What the peer answers is told
    /// as if nothing had been cancelled; it is usually 487.
    ///
    /// # Errors
    /// When there is none.
    pub fn withdraw_offer(&mut self, now: Instant, id: SessionId) -> Result<(), SessionError> {
        let now = self.clamp(now);
        let session = self.sessions.get_mut(id.0).ok_or(SessionError::Unknown)?;
        match session.own.as_ref() {
            Some(Own { client: Some(_), .. }) => self.cancel_offer(now, id),
            Some(Own { client: None, .. }) => {
                session.own = None;
                self.stop(id, Timer::Glare);
                let status = StatusCode::REQUEST_TERMINATED;
                self.tell(Event::OfferRejected { session: id, status, response: None });
            }
            None => return Err(SessionError::State),
        }
        self.pump(now);
        Ok(())
    }

    /// Accepts the peer's re-INVITE or UPDATE. `sdp` is the answer; or the offer, when the re-INVITE had none.
    ///
    /// # Errors
    /// When there is none: it was withdrawn, or the session ended.
    pub fn answer_offer(
        &mut self,
        now: Instant,
        id: SessionId,
        sdp: Option<Bytes>,
        headers: &[(HeaderName, Bytes)],
    ) -> Result<(), SessionError> {
        let now = self.clamp(now);
        let session = self.sessions.get_mut(id.0).ok_or(SessionError::Unknown)?;
        let Served { id: server, request, offered, sequence } = session.offer.take().ok_or(SessionError::State)?;
        let contact = session.contact();
        let builder = self.reply(&request, StatusCode::OK).header(&contact);
        let response = self.accepting(builder, sdp.clone(), headers);

        let mut actions = Actions::new();
        if let Some(session) = self.sessions.get_mut(id.0) {
            let owed = !offered && sdp.is_some();
            session.exchange.on_accepted(owed);
            if *request.method() == Method::Invite {
                session.accepted = Some(Accepted { id: server, response: response.clone(), sequence, owed });
                session.answer.on_accepted(&mut actions);
            }
        }
        let _ = self.endpoint.respond(now, server, response);
        self.act(now, id, actions);
        self.pump(now);
        Ok(())
    }

    /// Refuses the peer's re-INVITE or UPDATE; the session goes on as before.
    ///
    /// # Errors
    /// When there is none, or the status is below 300.
    pub fn reject_offer(
        &mut self,
        now: Instant,
        id: SessionId,
        status: StatusCode,
        headers: &[(HeaderName, Bytes)],
    ) -> Result<(), SessionError> {
        let now = self.clamp(now);
        if !status.is_final() || status.is_success() {
            return Err(SessionError::Status);
        }
        let session = self.sessions.get_mut(id.0).ok_or(SessionError::Unknown)?;
        let offer = session.offer.take().ok_or(SessionError::State)?;
        session.exchange.on_refused();
        self.answer_refused(now, &offer, status, headers);
        self.pump(now);
        Ok(())
    }

    pub(super) fn answer_refused(
        &mut self,
        now: Instant,
        served: &Served,
        status: StatusCode,
        headers: &[(HeaderName, Bytes)],
    ) {
        let response = extend_response(self.reply(&served.request, status), headers, false).build();
        let _ = self.endpoint.respond(now, served.id, response);
    }

    fn begin_offer(
        &mut self,
        now: Instant,
        id: SessionId,
        kind: Kind,
        body: Option<Bytes>,
        headers: ExtraHeaders,
    ) -> Result<(), SessionError> {
        let now = self.clamp(now);
        let session = self.sessions.get_mut(id.0).ok_or(SessionError::Unknown)?;
        if !session.call.is_established() {
            return Err(SessionError::State);
        }
        if !session.exchange.is_idle() || session.own.is_some() {
            return Err(SessionError::Pending);
        }
        session.own = Some(Own { kind, client: None, body, headers, tries: 0 });
        let sent = self.send_offer(now, id);
        if sent.is_err()
            && let Some(session) = self.sessions.get_mut(id.0)
        {
            session.own = None;
        }
        self.pump(now);
        sent
    }

    fn send_offer(&mut self, now: Instant, id: SessionId) -> Result<(), SessionError> {
        let session = self.sessions.get_mut(id.0).ok_or(SessionError::Unknown)?;
        let own = session.own.clone().ok_or(SessionError::State)?;
        let (target, contact) = (session.target, session.contact());
        let method = match own.kind {
            Kind::Invite => Method::Invite,
            Kind::Update => Method::Update,
        };
        let dialog = session.confirmed_mut().ok_or(SessionError::State)?;
        let builder = dialog.request(method.clone()).header(&contact);
        let mut builder = extend_request(self.introduce(builder, &method), &own.headers);
        if let Some(body) = own.body {
            builder = builder.body(SDP, body);
        }
        let request: Request = self.authorize(id, builder.build());
        let client = self.send(now, Some(id), Purpose::Offer(own.kind), request, target)?;
        if let Some(session) = self.sessions.get_mut(id.0) {
            session.exchange.on_sent(own.kind);
            if let Some(own) = session.own.as_mut() {
                own.client = Some(client);
            }
        }
        if own.kind == Kind::Invite {
            let patience = self.config.ring;
            self.start(now, id, Timer::Offer, patience);
        }
        Ok(())
    }

    /// Cancels a re-INVITE of ours. An UPDATE is answered at once and cannot be cancelled.
    pub(super) fn cancel_offer(&mut self, now: Instant, id: SessionId) {
        let own = self.sessions.get(id.0).and_then(|session| session.own.as_ref());
        if let Some(Own { kind: Kind::Invite, client: Some(client), .. }) = own {
            // When the final response has come, it is told instead.
            let _ = self.endpoint.cancel(now, *client);
        }
    }

    /// The time after a 491 has passed.
    pub(super) fn retry_offer(&mut self, now: Instant, id: SessionId) {
        let Some(session) = self.sessions.get_mut(id.0) else { return };
        if !session.call.is_established() || session.own.is_none() {
            return;
        }
        if !session.exchange.is_idle() {
            // The peer's offer came first: once more after the same time.
            self.wait_for_glare(now, id);
            return;
        }
        if self.send_offer(now, id).is_err() {
            self.fail_offer(id, StatusCode::SERVICE_UNAVAILABLE, None);
        }
    }

    /// A 491 came: try again after a random time, which differs by who made the Call-ID (RFC 3261 §14.1).
    pub(super) fn wait_for_glare(&mut self, now: Instant, id: SessionId) {
        let Some(session) = self.sessions.get_mut(id.0) else { return };
        let Some(own) = session.own.as_mut() else { return };
        own.client = None;
        own.tries = own.tries.saturating_add(1);
        if own.tries > self.config.glare_retries {
            self.fail_offer(id, StatusCode::REQUEST_PENDING, None);
            return;
        }
        let tens = if session.outgoing { 210 + self.rng.next_u32() % 191 } else { self.rng.next_u32() % 201 };
        self.start(now, id, Timer::Glare, Duration::from_millis(u64::from(tens) * 10));
    }

    /// An offer of ours came to nothing.
    pub(super) fn fail_offer(&mut self, id: SessionId, status: StatusCode, response: Option<sip_core::Response>) {
        if let Some(session) = self.sessions.get_mut(id.0)
            && session.own.take().is_some()
        {
            self.tell(Event::OfferRejected { session: id, status, response });
        }
    }

    /// The ACK with the answer to the offer in the 2xx to a re-INVITE.
    pub(super) fn acknowledge_offer(&mut self, now: Instant, id: SessionId, sdp: Option<Bytes>) {
        self.stop(id, Timer::Owed);
        let Some(session) = self.sessions.get_mut(id.0) else { return };
        let target = session.target;
        let client = session.own.take().and_then(|own| own.client);
        let (Some(client), Some(dialog)) = (client, session.confirmed().cloned()) else { return };
        self.acknowledge_in(now, client, &dialog, target, sdp);
    }
}
