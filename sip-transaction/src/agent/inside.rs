//! Requests that come inside a dialog (RFC 3261 §12.2.2, §14.2, §15.1.2; RFC 3311 §5.2; RFC 5407).

use std::time::Instant;

use bytes::Bytes;
use sip_core::header::HeaderName;
use sip_core::{Mandatory, Method, Request, StatusCode};

use super::compose::{SDP, reason};
use super::state::{Served, Server};
use super::{Agent, Event, SessionId, flow};
use crate::dialog::DialogId;
use crate::session::{Event as CallEvent, Kind, Refusal};
use crate::{ServerId, Source};

impl Agent {
    pub(super) fn on_request_inside(
        &mut self,
        now: Instant,
        id: ServerId,
        request: Request,
        mandatory: &Mandatory,
        source: &Source,
    ) {
        let key = DialogId::new(
            &mandatory.call_id,
            Bytes::copy_from_slice(mandatory.to.tag().unwrap_or_default()),
            Bytes::copy_from_slice(mandatory.from.tag().unwrap_or_default()),
        );
        let found = self.dialogs.get(&key).copied();
        let dialog =
            found.and_then(|session| self.sessions.get_mut(session.0)).and_then(|session| session.dialog_mut(&key));
        let (Some(session), Some(dialog)) = (found, dialog) else {
            self.counters.unknown_dialog += 1;
            self.refuse(now, id, &request, StatusCode::CALL_DOES_NOT_EXIST, &[]);
            return;
        };
        if dialog.receive(mandatory.cseq.sequence).is_err() {
            self.refuse(now, id, &request, StatusCode::SERVER_INTERNAL_ERROR, &[]);
            return;
        }
        let over = self.sessions.get(session.0).is_none_or(|session| session.call.is_over());
        if over && *request.method() != Method::Bye {
            self.refuse(now, id, &request, StatusCode::CALL_DOES_NOT_EXIST, &[]);
            return;
        }
        if let Some(unsupported) = self.unsupported(&request) {
            let headers = [(HeaderName::UNSUPPORTED, unsupported)];
            self.refuse(now, id, &request, StatusCode::BAD_EXTENSION, &headers);
            return;
        }
        match request.method() {
            Method::Bye => self.on_bye(now, id, session, &request),
            Method::Invite => self.on_offer(now, id, session, &key, Kind::Invite, request, mandatory, source),
            Method::Update => self.on_offer(now, id, session, &key, Kind::Update, request, mandatory, source),
            Method::Options => self.on_options(now, id, &request),
            // No provisional response of ours is reliable (RFC 3262 §3).
            Method::Prack => self.refuse(now, id, &request, StatusCode::CALL_DOES_NOT_EXIST, &[]),
            _ => self.on_other(now, id, session, request, mandatory),
        }
    }

    fn on_bye(&mut self, now: Instant, id: ServerId, session: SessionId, request: &Request) {
        let response = self.reply(request, StatusCode::OK).build();
        let _ = self.endpoint.respond(now, id, response);
        if let Some(session) = self.sessions.get_mut(session.0) {
            session.reason = reason(request.headers());
        }
        self.on_call(now, session, CallEvent::Bye);
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of one message")]
    fn on_offer(
        &mut self,
        now: Instant,
        id: ServerId,
        session: SessionId,
        key: &DialogId,
        kind: Kind,
        request: Request,
        mandatory: &Mandatory,
        source: &Source,
    ) {
        let Some(sdp) = self.take_body(now, id, &request) else { return };
        let bare = kind == Kind::Update && sdp.is_none();
        if !bare && !self.may_offer(now, id, session, kind, &request) {
            return;
        }
        let Some(entry) = self.sessions.get_mut(session.0) else { return };
        if let Some(dialog) = entry.dialog_mut(key) {
            dialog.refresh(request.headers());
            let target = flow::toward_sender(source, &request, dialog);
            entry.target = target;
        }
        if bare {
            // A refresh of the target or of a session timer: nothing to ask the application (RFC 3311 §5.2).
            let contact = entry.contact();
            let response = self.accepting(self.reply(&request, StatusCode::OK).header(&contact), None, &[]);
            let _ = self.endpoint.respond(now, id, response);
            return;
        }
        let offered = sdp.is_some();
        entry.offer = Some(Served { id, request: request.clone(), offered, sequence: mandatory.cseq.sequence });
        self.servers.insert(id, Server::Offer(session));
        self.tell(Event::Offer { session, request, sdp });
    }

    /// Whether the peer's offer comes at the right time; otherwise it is refused.
    fn may_offer(&mut self, now: Instant, id: ServerId, session: SessionId, kind: Kind, request: &Request) -> bool {
        let Some(entry) = self.sessions.get_mut(session.0) else { return false };
        if let Err(refusal) = entry.exchange.on_received(kind) {
            match refusal {
                Refusal::Pending => {
                    self.counters.glare += 1;
                    self.refuse(now, id, request, StatusCode::REQUEST_PENDING, &[]);
                }
                Refusal::Overlap => {
                    let headers = [(HeaderName::RETRY_AFTER, self.overlap_delay())];
                    self.refuse(now, id, request, StatusCode::SERVER_INTERNAL_ERROR, &headers);
                }
            }
            return false;
        }
        // The peer cannot have made this request without the 2xx: its ACK is lost or late (RFC 5407 §3.1.4).
        if entry.answer.is_waiting() {
            self.acknowledged(now, session, None);
        }
        let Some(entry) = self.sessions.get_mut(session.0) else { return false };
        if entry.call.is_closing() {
            entry.exchange.on_refused();
            self.refuse(now, id, request, StatusCode::CALL_DOES_NOT_EXIST, &[]);
            return false;
        }
        true
    }

    fn on_options(&mut self, now: Instant, id: ServerId, request: &Request) {
        let builder = self.reply(request, StatusCode::OK).raw(&HeaderName::ACCEPT, SDP);
        let response = self.accepting(builder, None, &[]);
        let _ = self.endpoint.respond(now, id, response);
    }

    fn on_other(&mut self, now: Instant, id: ServerId, session: SessionId, request: Request, mandatory: &Mandatory) {
        let Some(entry) = self.sessions.get_mut(session.0) else { return };
        if entry.call.is_closing() {
            self.refuse(now, id, &request, StatusCode::CALL_DOES_NOT_EXIST, &[]);
            return;
        }
        if entry.waiting.len() >= self.config.waiting {
            let headers = [(HeaderName::RETRY_AFTER, Bytes::from_static(b"5"))];
            self.refuse(now, id, &request, StatusCode::SERVICE_UNAVAILABLE, &headers);
            return;
        }
        let sequence = mandatory.cseq.sequence;
        entry.waiting.push(Served { id, request: request.clone(), offered: false, sequence });
        self.servers.insert(id, Server::Inside(session));
        self.tell(Event::InDialog { session, id, request });
    }
}
