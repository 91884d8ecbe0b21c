//! What an application asks of the calls of an agent.

use std::time::Instant;

use bytes::Bytes;
use rand_core::RngCore;
use sip_core::header::{CallId, Contact, From, HeaderName, MaxForwards, To};
use sip_core::{Method, Request, StatusCode, ident};
use smallvec::SmallVec;

use super::compose::{SDP, extend_request, extend_response};
use super::credentials::Authorizer;
use super::state::{Accepted, Purpose, Session};
use super::{Agent, Invite, InviteError, SessionError, SessionId, flow};
use crate::ClientId;
use crate::session::{Actions, Answer, Call, Event as CallEvent, Exchange, Timer};

impl Agent {
    /// Calls somebody (RFC 3261 §13.2).
    ///
    /// # Errors
    /// When it cannot even be tried. What becomes of it is told by events, the last of which is
    /// [`Event::Ended`](super::Event::Ended).
    pub fn invite(&mut self, now: Instant, invite: Invite) -> Result<SessionId, InviteError> {
        let now = self.clamp(now);
        if self.sessions.len().saturating_sub(self.lingering) >= self.config.sessions {
            return Err(InviteError::Limit);
        }
        let secure = invite.request_uri.is_secure();
        let contact = invite.contact.clone().unwrap_or_else(|| {
            let user = invite.from.uri.as_sip().and_then(|uri| uri.user.as_ref());
            flow::contact(&self.endpoint, &invite.target, user, secure)
        });
        let request = self.compose_invite(&invite, &contact);

        let mut actions = Actions::new();
        let session = Session {
            call: Call::client(self.times, &mut actions),
            answer: Answer::new(self.times),
            exchange: Exchange::new(true),
            outgoing: true,
            dialogs: SmallVec::new(),
            target: invite.target,
            contact,
            invite: None,
            provisional: None,
            accepted: None,
            client: None,
            offered: invite.offer.is_some(),
            offer: None,
            own: None,
            owed: None,
            waiting: SmallVec::new(),
            auth: invite.credentials.map(Authorizer::new),
            timers: [None; Timer::COUNT],
            open: 0,
            parting: Vec::new(),
            reason: None,
            merging: None,
        };
        let id = SessionId(self.sessions.insert(session).ok_or(InviteError::Limit)?);
        let destination = invite.destination.unwrap_or_else(|| invite.target.into());
        match self.send(now, Some(id), Purpose::Invite, request, destination) {
            Ok(client) => {
                if let Some(session) = self.sessions.get_mut(id.0) {
                    session.client = Some(client);
                }
                tracing::debug!(session = id.as_u64(), remote = %invite.target.remote, "session goes out");
                self.counters.outgoing += 1;
                self.act(now, id, actions);
                self.pump(now);
                Ok(id)
            }
            Err(error) => {
                self.sessions.remove(id.0);
                self.pump(now);
                Err(error.into())
            }
        }
    }

    /// Answers an incoming INVITE provisionally: 180, 183 with early media, 181…
    ///
    /// # Errors
    /// When the INVITE has its final response, or the status is 100 or above 199.
    pub fn provisional(
        &mut self,
        now: Instant,
        id: SessionId,
        status: StatusCode,
        sdp: Option<Bytes>,
        headers: &[(HeaderName, Bytes)],
    ) -> Result<(), SessionError> {
        let now = self.clamp(now);
        if !status.is_provisional() || status == StatusCode::TRYING {
            return Err(SessionError::Status);
        }
        let session = self.sessions.get(id.0).ok_or(SessionError::Unknown)?;
        let (Some(invite), Some(dialog)) = (&session.invite, session.dialogs.first()) else {
            return Err(SessionError::State);
        };
        let builder = self
            .reply(&invite.request, status)
            .to_tag(dialog.id().local_tag())
            .record_route()
            .header(&session.contact());
        let mut builder = extend_response(builder, headers, false);
        if let Some(sdp) = sdp {
            builder = builder.body(SDP, sdp);
        }
        let response = builder.build();
        let server = invite.id;
        if let Some(session) = self.sessions.get_mut(id.0) {
            session.provisional = Some(response.clone());
        }
        // A provisional response that cannot be sent is not missed.
        let _ = self.endpoint.respond(now, server, response);
        self.on_call(now, id, CallEvent::Provisional);
        self.pump(now);
        Ok(())
    }

    /// Answers an incoming INVITE with 200. `sdp` is the answer to its offer; or the offer, when the INVITE had none:
    /// [`Event::Acknowledged`](super::Event::Acknowledged) then brings the answer.
    ///
    /// # Errors
    /// When the INVITE has its final response.
    pub fn answer(
        &mut self,
        now: Instant,
        id: SessionId,
        sdp: Option<Bytes>,
        headers: &[(HeaderName, Bytes)],
    ) -> Result<(), SessionError> {
        let now = self.clamp(now);
        let session = self.sessions.get_mut(id.0).ok_or(SessionError::Unknown)?;
        let invite = session.invite.take().ok_or(SessionError::State)?;
        if let Some(key) = session.merging.take() {
            self.merging.remove(&key);
        }
        let tag = session.dialogs.first_mut().map(|dialog| {
            dialog.confirm();
            Bytes::copy_from_slice(dialog.id().local_tag())
        });
        let contact = session.contact();
        let builder = self.reply(&invite.request, StatusCode::OK).to_tag(&tag.unwrap_or_default()).record_route();
        let response = self.accepting(builder.header(&contact), sdp.clone(), headers);

        let session = self.sessions.get_mut(id.0).ok_or(SessionError::Unknown)?;
        let owed = !invite.offered && sdp.is_some();
        session.accepted =
            Some(Accepted { id: invite.id, response: response.clone(), sequence: invite.sequence, owed });
        let mut actions = Actions::new();
        session.call.on_event(CallEvent::Accept, &mut actions);
        session.answer.on_accepted(&mut actions);
        session.exchange.on_accepted(owed);
        self.counters.answered += 1;
        // When it cannot be sent now, it is sent again later.
        let _ = self.endpoint.respond(now, invite.id, response);
        self.act(now, id, actions);
        self.pump(now);
        Ok(())
    }

    /// Refuses an incoming INVITE with a final response of 300 or above. Headers may hold Contact for a 3xx,
    /// Retry-After, WWW-Authenticate, Reason and so on. [`Event::Ended`](super::Event::Ended) follows.
    ///
    /// # Errors
    /// When the INVITE has its final response, or the status is below 300.
    pub fn reject(
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
        if session.invite.is_none() {
            return Err(SessionError::State);
        }
        session.parting = headers.to_vec();
        self.on_call(now, id, CallEvent::Reject(status));
        self.pump(now);
        Ok(())
    }

    /// Ends a session as its state asks: CANCEL, BYE, or 487. Headers (such as Reason) go into the BYE or the 487.
    /// [`Event::Ended`](super::Event::Ended) follows: at once with a BYE or 487, and after a CANCEL when the peer has
    /// answered the INVITE, or does not.
    ///
    /// # Errors
    /// When there is no such session. To hang up twice is harmless.
    pub fn hangup(&mut self, now: Instant, id: SessionId, headers: &[(HeaderName, Bytes)]) -> Result<(), SessionError> {
        let now = self.clamp(now);
        let session = self.sessions.get_mut(id.0).ok_or(SessionError::Unknown)?;
        if session.call.is_over() {
            return Err(SessionError::Unknown);
        }
        session.parting = headers.to_vec();
        self.on_call(now, id, CallEvent::Hangup);
        self.pump(now);
        Ok(())
    }

    /// Answers the offer that came in a 2xx, of a call or of a re-INVITE: the answer goes into the ACK.
    ///
    /// # Errors
    /// When no answer is owed.
    pub fn acknowledge(&mut self, now: Instant, id: SessionId, sdp: Option<Bytes>) -> Result<(), SessionError> {
        let now = self.clamp(now);
        let session = self.sessions.get_mut(id.0).ok_or(SessionError::Unknown)?;
        if !session.exchange.is_owing() {
            return Err(SessionError::State);
        }
        session.exchange.on_answered();
        if session.call.is_owing() {
            session.owed = sdp;
            self.on_call(now, id, CallEvent::Answered);
        } else {
            self.acknowledge_offer(now, id, sdp);
        }
        self.pump(now);
        Ok(())
    }

    /// Sends a request other than those of the session itself inside its confirmed dialog, such as INFO;
    /// [`Event::InDialogAnswered`](super::Event::InDialogAnswered) tells what became of it. A body goes with its type.
    ///
    /// # Errors
    /// When the session is not established, the method is INVITE, ACK, CANCEL, BYE, UPDATE or PRACK, or the request
    /// cannot be sent.
    pub fn request(
        &mut self,
        now: Instant,
        id: SessionId,
        method: Method,
        headers: &[(HeaderName, Bytes)],
        body: Option<(&str, Bytes)>,
    ) -> Result<ClientId, SessionError> {
        let now = self.clamp(now);
        let own = [Method::Invite, Method::Ack, Method::Cancel, Method::Bye, Method::Update, Method::Prack];
        if own.contains(&method) {
            return Err(SessionError::State);
        }
        let session = self.sessions.get_mut(id.0).ok_or(SessionError::Unknown)?;
        if !session.call.is_established() {
            return Err(SessionError::State);
        }
        let (target, contact) = (session.target, session.contact());
        let dialog = session.confirmed_mut().ok_or(SessionError::State)?;
        let mut builder = dialog.request(method.clone());
        // Contact where the method refreshes the target or makes a usage of its own.
        if matches!(method, Method::Subscribe | Method::Notify | Method::Refer) {
            builder = builder.header(&contact);
        }
        let mut builder = extend_request(self.introduce(builder, &method), headers);
        if let Some((media, body)) = body {
            builder = builder.body(media, body);
        }
        let request = self.authorize(id, builder.build());
        let sent = self.send(now, Some(id), Purpose::Inside, request, target);
        self.pump(now);
        Ok(sent?)
    }

    fn compose_invite(&mut self, invite: &Invite, contact: &sip_core::header::NameAddr) -> Request {
        let tag = ident::tag(&mut self.rng);
        let call_id = CallId(ident::call_id(&mut self.rng));
        let from = From { name_addr: invite.from.clone() }.with_tag(&tag);
        let to = To { name_addr: invite.to.clone() };
        // Below 2^31 with room above (RFC 3261 §8.1.1.5).
        let sequence = (self.rng.next_u32() & 0xffff) | 1;
        let mut builder = Request::builder(Method::Invite, &invite.request_uri, &from, &to, &call_id, sequence);
        for route in &invite.routes {
            builder = builder.header(route);
        }
        builder = builder.header(&Contact::Address { name_addr: contact.clone(), expires: None, q: None });
        if let Some(hops) = invite.max_forwards {
            builder = builder.header(&MaxForwards(hops));
        }
        builder = extend_request(self.introduce(builder, &Method::Invite), &invite.headers);
        if let Some(offer) = &invite.offer {
            builder = builder.body(SDP, offer.clone());
        }
        builder.build()
    }

    /// A 2xx to INVITE or UPDATE, completed.
    pub(super) fn accepting(
        &self,
        builder: sip_core::ResponseBuilder,
        sdp: Option<Bytes>,
        headers: &[(HeaderName, Bytes)],
    ) -> sip_core::Response {
        let (allow, supported) = self.abilities();
        let mut builder = builder.raw(&HeaderName::ALLOW, allow);
        if let Some(supported) = supported {
            builder = builder.raw(&HeaderName::SUPPORTED, supported);
        }
        builder = extend_response(builder, headers, false);
        if let Some(sdp) = sdp {
            builder = builder.body(SDP, sdp);
        }
        builder.build()
    }
}
