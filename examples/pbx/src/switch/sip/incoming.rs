//! New calls: may this caller call, and whom does the number mean?

use std::time::Instant;

use bytes::Bytes;
use sip_core::{
    Mandatory, Request, StatusCode,
    header::{HeaderName, Route},
    sdp::Session,
    uri::{SipUri, Uri},
};
use sip_transaction::{
    Source, Target,
    agent::{Invite, SessionId},
};

use super::{
    Destination, Switch,
    call::{Branch, Call, Caller, Purpose, Waiting, text},
    description::{Voice, audio},
    gate::Decision,
};
use crate::cdr::Disposition;

impl Switch {
    pub(super) fn on_incoming(
        &mut self,
        now: Instant,
        session: SessionId,
        request: Request,
        mandatory: &Mandatory,
        source: Source,
        sdp: Option<Bytes>,
    ) {
        if self.is_draining() {
            let after = self.drain_retry_after(now);
            self.refuse_later(now, session, "draining", after);
            return;
        }
        let Some(caller) = self.identify(now, session, &request, mandatory, source) else { return };
        if self.calls.len() >= self.config.limits.calls {
            self.refuse_later(now, session, "calls", 10);
            return;
        }
        let of_account = self.calls.values().filter(|call| call.caller.account == caller.account).count();
        if caller.account.is_some() && of_account >= self.config.limits.calls_per_account {
            self.refuse_later(now, session, "calls_per_account", 10);
            return;
        }
        let Some(dialled) = dialled(&request) else {
            self.refuse(now, session, StatusCode::UNSUPPORTED_URI_SCHEME, "scheme", &[]);
            return;
        };
        let offer = match sdp.map(|sdp| Session::parse(&sdp)) {
            None => None,
            Some(Ok(offer)) => Some(offer),
            Some(Err(error)) => {
                tracing::debug!(%error, from = %caller.number, "an offer is not understood");
                self.refuse(now, session, StatusCode::BAD_REQUEST, "sdp", &[]);
                return;
            }
        };
        let destination = self.destination(&dialled);
        let purpose = match &destination {
            Some(Destination::Application(application)) => Purpose::Application(*application),
            Some(Destination::Account(account)) => Purpose::Dial(account.clone()),
            None => Purpose::Dial(dialled.clone()),
        };
        let id = self.enter(now, session, purpose, caller, source, dialled);
        match destination {
            None => self.refuse_call(now, id, StatusCode::NOT_FOUND, "unknown_extension"),
            Some(_) if offer.as_ref().is_some_and(|offer| audio(offer).is_none()) => {
                self.refuse_call(now, id, StatusCode::NOT_ACCEPTABLE_HERE, "no_codec");
            }
            Some(Destination::Application(_)) => {
                self.wait_for_media(now, id, Waiting { request, offer, invites: Vec::new() });
            }
            Some(Destination::Account(account)) => {
                let invites = self.branches(now, id, &account);
                if invites.is_empty() {
                    self.refuse_call(now, id, StatusCode::TEMPORARILY_UNAVAILABLE, "not_registered");
                } else {
                    self.wait_for_media(now, id, Waiting { request, offer, invites });
                }
            }
        }
    }

    /// Who calls: an account that proved its password, or a trusted address. `None` when the call has been refused.
    fn identify(
        &mut self,
        now: Instant,
        session: SessionId,
        request: &Request,
        mandatory: &Mandatory,
        source: Source,
    ) -> Option<Caller> {
        match self.gate.decide(now, request, &source) {
            Decision::Accepted { account } => {
                self.agent.trust(source.remote.ip());
                let name = self.config.account(&account).and_then(|account| account.caller_id.clone());
                // Whatever From says: a number is only whose password was proved.
                Some(Caller { number: account.clone(), account: Some(account), name })
            }
            Decision::Trusted => {
                let from = &mandatory.from.name_addr;
                let number = from.uri.as_sip().and_then(|uri| uri.user_text().map(|user| text(user.as_ref())));
                let name = from.display.as_ref().map(|display| text(display)).filter(|name| !name.is_empty());
                Some(Caller { account: None, number: number.unwrap_or_else(|| "anonymous".to_owned()), name })
            }
            Decision::Challenge { values, wrong } => {
                let headers: Vec<_> = values.into_iter().map(|value| (HeaderName::WWW_AUTHENTICATE, value)).collect();
                // Without credentials it is not counted as a refusal: every call begins so.
                if wrong {
                    self.count_refusal("wrong_password");
                }
                let _ = self.agent.reject(now, session, StatusCode::UNAUTHORIZED, &headers);
                None
            }
            Decision::Refused { status, reason } => {
                tracing::debug!(from = %source.remote, reason, "call refused");
                self.refuse(now, session, status, reason, &[]);
                None
            }
        }
    }

    fn refuse_later(&mut self, now: Instant, session: SessionId, reason: &'static str, after: u64) {
        let headers = [(HeaderName::RETRY_AFTER, Bytes::from(after.to_string()))];
        self.refuse(now, session, StatusCode::SERVICE_UNAVAILABLE, reason, &headers);
    }

    fn enter(
        &mut self,
        now: Instant,
        session: SessionId,
        purpose: Purpose,
        caller: Caller,
        source: Source,
        dialled: String,
    ) -> u64 {
        let id = self.next_call;
        self.next_call += 1;
        let channel = self.channel(&caller.number);
        self.sessions.insert(session, id);
        let call = Call {
            id,
            session,
            bridge: None,
            purpose,
            caller,
            source,
            dialled,
            channel,
            branches: Vec::new(),
            chosen: None,
            started: now,
            answered: None,
            ringing: false,
            ending: false,
            pairs: Vec::new(),
            attempts: 0,
            waiting: None,
            voices: [Voice::new(id.wrapping_mul(2)), Voice::new(id.wrapping_mul(2).wrapping_add(1))],
            codec: None,
            pending: None,
            held: [false; 2],
            deadline: None,
        };
        tracing::debug!(call = id, from = %call.caller.number, to = %call.dialled, source = %source.remote, "call begins");
        self.calls.insert(id, call);
        self.tell(super::Event::Changed);
        id
    }

    fn wait_for_media(&mut self, now: Instant, id: u64, waiting: Waiting) {
        if let Some(call) = self.calls.get_mut(&id) {
            call.waiting = Some(waiting);
        }
        self.open_media(now, id);
    }

    /// One INVITE for each phone of an account, to where its registration came from.
    fn branches(&mut self, now: Instant, id: u64, account: &str) -> Vec<Invite> {
        let phones = self.phones(now, account);
        let mut invites = Vec::new();
        for phone in phones {
            let channel = self.channel(account);
            let Some(call) = self.calls.get_mut(&id) else { break };
            call.branches.push(Branch { channel, address: phone.target.remote });
            let (number, name) = (call.caller.number.clone(), call.caller.name.clone());
            let host = phone.target.listener.map(|listener| self.own_host(listener));
            let from = self.own_address(host.clone(), &number, name.as_deref());
            let to = self.own_address(host, account, None);
            let mut invite = Invite::new(phone.target, phone.contact, from, to);
            invite.routes = phone.routes;
            invites.push(invite);
        }
        invites
    }

    /// One of our numbers as an address.
    fn own_address(
        &self,
        host: Option<sip_core::uri::HostPort>,
        user: &str,
        name: Option<&str>,
    ) -> sip_core::header::NameAddr {
        let host = host.unwrap_or_else(|| std::net::SocketAddr::new(self.media_address, 5060).into());
        let uri = Uri::Sip(SipUri::at(host).with_user(user.as_bytes()));
        let address = sip_core::header::NameAddr::new(uri);
        match name {
            Some(name) => address.with_display(name.to_owned()),
            None => address,
        }
    }

    /// The call has its sockets: rings the phones.
    pub(super) fn connect(&mut self, now: Instant, id: u64, waiting: Waiting) {
        let Waiting { request, offer, invites } = waiting;
        let offered = offer.is_some();
        let offer = offer.and_then(|offer| self.first_offer(id, offer));
        if offered && offer.is_none() {
            self.refuse_call(now, id, StatusCode::NOT_ACCEPTABLE_HERE, "no_codec");
            return;
        }
        let Some(session) = self.calls.get(&id).map(|call| call.session) else { return };
        let plan = sip_proxy::b2bua::Plan { branches: invites, offer, ring: None, trusted: false };
        match self.b2bua.connect(now, &mut self.agent, session, &request, plan) {
            Ok(bridge) => {
                self.sessions.remove(&session);
                self.bridges.insert(bridge, id);
                if let Some(call) = self.calls.get_mut(&id) {
                    call.bridge = Some(bridge);
                }
            }
            Err(error) => {
                self.refuse(now, session, error.status(), "not_connected", &[]);
                self.finish(now, id, Disposition::Failed);
            }
        }
    }
}

/// A phone that can be rung.
#[derive(Debug, Clone)]
pub(super) struct Phone {
    pub(super) contact: Uri,
    pub(super) target: Target,
    /// The proxies that its registration came through (RFC 3327).
    pub(super) routes: Vec<Route>,
}

/// The number that a request asks for.
fn dialled(request: &Request) -> Option<String> {
    match request.uri().ok()? {
        Uri::Sip(uri) => {
            let user = uri.user_text()?;
            // Parameters of a telephone number are not part of it.
            let number = user.split(|byte| *byte == b';').next().unwrap_or_default();
            Some(text(number))
        }
        Uri::Tel(uri) => Some(text(&uri.digits())),
        _ => None,
    }
}
