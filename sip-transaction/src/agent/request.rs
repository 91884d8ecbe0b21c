//! Requests that come: new calls, ACK, CANCEL, and those outside of dialogs (RFC 3261 §8.2).

use std::time::Instant;

use bytes::Bytes;
use rand_core::RngCore;
use sip_core::header::HeaderName;
use sip_core::{Mandatory, Method, Request, StatusCode, ident};
use smallvec::{SmallVec, smallvec};

use super::compose::{Body, SDP, reason};
use super::state::{Served, Server, Session};
use super::{Agent, Event, SessionId, flow};
use crate::dialog::{Dialog, DialogId};
use crate::session::{Actions, Answer, Call, Event as CallEvent, Exchange, Timer};
use crate::{ServerId, Source, Target};

impl Agent {
    pub(super) fn on_request(
        &mut self,
        now: Instant,
        id: ServerId,
        request: Request,
        mandatory: Mandatory,
        source: Source,
    ) {
        let method = request.method().clone();
        if mandatory.to.tag().is_some() && method != Method::Register {
            self.on_request_inside(now, id, request, &mandatory, &source);
            return;
        }
        match method {
            Method::Invite => self.on_invite(now, id, request, mandatory, source),
            // These live in dialogs only.
            Method::Bye | Method::Update | Method::Info | Method::Prack => {
                self.counters.unknown_dialog += 1;
                self.refuse(now, id, &request, StatusCode::CALL_DOES_NOT_EXIST, &[]);
            }
            _ => {
                self.servers.insert(id, Server::Outside);
                self.tell(Event::Request { id, request, mandatory, source });
            }
        }
    }

    /// A new call.
    fn on_invite(&mut self, now: Instant, id: ServerId, request: Request, mandatory: Mandatory, source: Source) {
        let merging = mandatory.from.tag().map(|tag| (mandatory.call_id.0.clone(), Bytes::copy_from_slice(tag)));
        if self.is_merged(merging.as_ref(), &mandatory) {
            self.refuse(now, id, &request, StatusCode::LOOP_DETECTED, &[]);
            return;
        }
        if let Some(unsupported) = self.unsupported(&request) {
            let headers = [(HeaderName::UNSUPPORTED, unsupported)];
            self.refuse(now, id, &request, StatusCode::BAD_EXTENSION, &headers);
            return;
        }
        let Some(sdp) = self.take_body(now, id, &request) else { return };
        if self.sessions.len().saturating_sub(self.lingering) >= self.config.sessions {
            let after = self.config.endpoint.retry_after.as_secs().max(1);
            let headers = [(HeaderName::RETRY_AFTER, after.to_string().into())];
            self.refuse(now, id, &request, StatusCode::SERVICE_UNAVAILABLE, &headers);
            return;
        }
        let tag = ident::tag(&mut self.rng);
        let dialog = match Dialog::server(&request, &mandatory, &tag) {
            Ok(dialog) => dialog,
            Err(error) => {
                self.refuse(now, id, &request, error.status(), &[]);
                return;
            }
        };
        let target = flow::toward_sender(&source, &request, &dialog);
        let uri = request.uri().ok();
        let user = uri.as_ref().and_then(|uri| uri.as_sip()).and_then(|uri| uri.user.as_ref());
        let secure = uri.as_ref().is_some_and(|uri| uri.is_secure());
        let contact = flow::contact(&self.endpoint, &Target::from(&source), user, secure);
        let key = dialog.id().clone();

        let mut actions = Actions::new();
        let session = Session {
            call: Call::server(self.times, &mut actions),
            answer: Answer::new(self.times),
            exchange: Exchange::new(false),
            outgoing: false,
            dialogs: smallvec![dialog],
            target,
            contact,
            invite: Some(Served {
                id,
                request: request.clone(),
                offered: sdp.is_some(),
                sequence: mandatory.cseq.sequence,
            }),
            provisional: None,
            accepted: None,
            client: None,
            offered: false,
            offer: None,
            own: None,
            owed: None,
            waiting: SmallVec::new(),
            auth: None,
            timers: [None; Timer::COUNT],
            open: 0,
            parting: Vec::new(),
            reason: None,
            merging: merging.clone(),
        };
        let Some(slot) = self.sessions.insert(session) else {
            self.refuse(now, id, &request, StatusCode::SERVICE_UNAVAILABLE, &[]);
            return;
        };
        let session = SessionId(slot);
        self.dialogs.insert(key, session);
        self.servers.insert(id, Server::Invite(session));
        if let Some(key) = merging {
            self.merging.insert(key, session);
        }
        tracing::debug!(session = session.as_u64(), remote = %source.remote, "session came in");
        self.counters.incoming += 1;
        self.act(now, session, actions);
        self.tell(Event::Incoming { session, request, mandatory, source, sdp });
    }

    /// Whether the same request, not a retransmission, is under way already: it came by two paths (RFC 3261 §8.2.2.2).
    fn is_merged(&self, key: Option<&(Bytes, Bytes)>, mandatory: &Mandatory) -> bool {
        key.and_then(|key| self.merging.get(key))
            .and_then(|session| self.sessions.get(session.0))
            .and_then(|session| session.invite.as_ref())
            .is_some_and(|invite| invite.sequence == mandatory.cseq.sequence)
    }

    /// The option tags that are required and not supported (RFC 3261 §8.2.2.3).
    pub(super) fn unsupported(&self, request: &Request) -> Option<Bytes> {
        let mut unknown = Vec::new();
        for line in request.headers().get_all(&HeaderName::REQUIRE) {
            for tag in line.split(|byte| *byte == b',').map(<[u8]>::trim_ascii).filter(|tag| !tag.is_empty()) {
                if self.config.supported.iter().any(|known| known.as_bytes().eq_ignore_ascii_case(tag)) {
                    continue;
                }
                if !unknown.is_empty() {
                    unknown.extend_from_slice(b", ");
                }
                unknown.extend_from_slice(tag);
            }
        }
        (!unknown.is_empty()).then(|| unknown.into())
    }

    /// The offer in a request, or `None` after a 415.
    pub(super) fn take_body(&mut self, now: Instant, id: ServerId, request: &Request) -> Option<Option<Bytes>> {
        let headers = match Body::of(request.headers(), request.body()) {
            Body::None => return Some(None),
            Body::Sdp(sdp) => return Some(Some(sdp)),
            Body::Unsupported => (HeaderName::ACCEPT, Bytes::from_static(SDP.as_bytes())),
            Body::Encoded => (HeaderName::ACCEPT_ENCODING, Bytes::from_static(b"identity")),
        };
        self.refuse(now, id, request, StatusCode::UNSUPPORTED_MEDIA_TYPE, &[headers]);
        None
    }

    pub(super) fn on_ack(&mut self, now: Instant, request: &Request, mandatory: &Mandatory) {
        let local = mandatory.to.tag().unwrap_or_default();
        let remote = mandatory.from.tag().unwrap_or_default();
        let key = DialogId::new(&mandatory.call_id, Bytes::copy_from_slice(local), Bytes::copy_from_slice(remote));
        let Some(&id) = self.dialogs.get(&key) else { return };
        let Some(session) = self.sessions.get_mut(id.0) else { return };
        // ACKs to rejections stay in their transactions; those to 2xx that were acknowledged already change nothing.
        let Some(accepted) = session.accepted.take_if(|it| it.sequence == mandatory.cseq.sequence) else { return };
        let sdp = if accepted.owed { Body::sdp(request.headers(), request.body()) } else { None };
        self.acknowledged(now, id, sdp);
    }

    /// The 2xx that was sent last has arrived.
    pub(super) fn acknowledged(&mut self, now: Instant, id: SessionId, sdp: Option<Bytes>) {
        let Some(session) = self.sessions.get_mut(id.0) else { return };
        session.accepted = None;
        let mut actions = Actions::new();
        session.answer.on_acknowledged(&mut actions);
        session.exchange.on_acknowledged();
        session.call.on_event(CallEvent::Acknowledged, &mut actions);
        self.tell(Event::Acknowledged { session: id, sdp });
        self.act(now, id, actions);
    }

    pub(super) fn on_cancelled(&mut self, now: Instant, invite: ServerId, cancel: &Request) {
        match self.servers.get(&invite).copied() {
            Some(Server::Invite(id)) => {
                if let Some(session) = self.sessions.get_mut(id.0) {
                    session.reason = reason(cancel.headers());
                }
                self.on_call(now, id, CallEvent::Cancelled);
            }
            Some(Server::Offer(id)) => {
                let Some(session) = self.sessions.get_mut(id.0) else { return };
                let Some(offer) = session.offer.take_if(|offer| offer.id == invite) else { return };
                session.exchange.on_refused();
                self.answer_refused(now, &offer, StatusCode::REQUEST_TERMINATED, &[]);
                self.tell(Event::OfferWithdrawn { session: id });
            }
            Some(Server::Inside(_) | Server::Outside) | None => {}
        }
    }

    /// A Retry-After for a request that overlaps another: between 0 and 10 s (RFC 3261 §14.2).
    pub(super) fn overlap_delay(&mut self) -> Bytes {
        (self.rng.next_u32() % 11).to_string().into()
    }
}
