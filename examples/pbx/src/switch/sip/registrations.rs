//! Our registrations at other SIP servers: what the transition wants, as messages.

use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};
use sip_core::{
    Method, Request, Response, StatusCode,
    auth::{self, Challenge, choose_per_realm},
    header::{
        Authorization, CSeq, CallId, Contact, Expires, From, HeaderName, MinExpires, NameAddr, ProxyAuthenticate,
        ProxyAuthorization, RetryAfter, To, WwwAuthenticate,
    },
    ident,
    uri::{HostPort, SipUri, Uri},
};
use sip_transaction::{ClientId, ListenerId, Target, Transport};

use super::super::{
    Event as Told, Switch, picture,
    registration::{Action, Event, Registration, State},
};
use crate::{
    config::{Config, SipRegistration},
    status,
};

/// How often one REGISTER is sent again because the nonce went stale.
const ATTEMPTS: u32 = 3;

/// Registrations of ours, and listeners to send them from.
#[derive(Debug)]
pub(in crate::switch) struct Registrations {
    list: Vec<Entry>,
    listeners: Vec<(ListenerId, Transport, bool)>,
    random: ChaCha20Rng,
}

#[derive(Debug)]
struct Entry {
    wanted: SipRegistration,
    machine: Registration,
    call_id: Bytes,
    sequence: u32,
    /// The REGISTER that is on its way.
    sent: Option<(ClientId, Request)>,
    attempts: u32,
    due: Option<Instant>,
    granted: Duration,
    since: Option<SystemTime>,
}

impl Registrations {
    pub(in crate::switch) fn new(config: &Config, seed: [u8; 32], now: Instant) -> Self {
        let mut random = ChaCha20Rng::from_seed(seed);
        let entry = |wanted: &SipRegistration| Entry {
            machine: Registration::new(wanted.expires, wanted.retry),
            wanted: wanted.clone(),
            call_id: ident::call_id(&mut random),
            sequence: 0,
            sent: None,
            attempts: 0,
            due: Some(now),
            granted: wanted.expires,
            since: None,
        };
        Self { list: config.registrations.iter().map(entry).collect(), listeners: Vec::new(), random }
    }

    pub(in crate::switch) fn add_listener(&mut self, id: ListenerId, transport: Transport, is_ipv4: bool) {
        self.listeners.push((id, transport, is_ipv4));
    }

    pub(in crate::switch) fn poll_timeout(&self) -> Option<Instant> {
        self.list.iter().filter_map(|entry| entry.due).min()
    }

    /// Whether no goodbye waits for its answer.
    pub(in crate::switch) fn is_quiet(&self) -> bool {
        self.list.iter().all(|entry| entry.machine.state() != State::Releasing)
    }
}

impl Switch {
    pub(in crate::switch) fn on_registrations_timeout(&mut self, now: Instant) {
        for index in 0..self.registrations.list.len() {
            let Some(entry) = self.registrations.list.get_mut(index) else { return };
            if entry.due.is_some_and(|at| at <= now) {
                entry.due = None;
                self.on_registration(now, index, Event::Due);
            }
        }
    }

    /// Servers are told that we end.
    pub(in crate::switch) fn release_sip_registrations(&mut self, now: Instant) {
        for index in 0..self.registrations.list.len() {
            self.on_registration(now, index, Event::Stop);
        }
    }

    /// A response to a request of ours; tells whether it was to a REGISTER.
    pub(in crate::switch) fn on_registration_response(&mut self, now: Instant, id: ClientId, response: &Response) {
        let Some(index) = self.registration_of(id) else { return };
        if response.status().is_provisional() {
            return;
        }
        let Some(entry) = self.registrations.list.get(index) else { return };
        let headers = response.headers();
        let seconds = |seconds: u32| Duration::from_secs(seconds.into());
        let event = match response.status() {
            StatusCode::UNAUTHORIZED | StatusCode::PROXY_AUTHENTICATION_REQUIRED => {
                let challenges = challenges(response);
                let fresh = entry.attempts == 0 || challenges.iter().any(|(_, challenge)| challenge.is_stale());
                let answerable = entry.wanted.secret.is_some() && !challenges.is_empty();
                Event::Challenge { answerable: answerable && fresh && entry.attempts < ATTEMPTS }
            }
            StatusCode::INTERVAL_TOO_BRIEF => {
                let least = headers.typed::<MinExpires>().ok().flatten();
                Event::TooBrief(least.map(|least| seconds(least.0)))
            }
            status if status.is_success() => Event::Granted(seconds(granted(entry, response))),
            _ => {
                let after = headers.typed::<RetryAfter>().ok().flatten();
                Event::Refusal { retry_after: after.map(|after| seconds(after.seconds)) }
            }
        };
        if let Event::Refusal { .. } | Event::Challenge { answerable: false } = event {
            let (host, user, status) = (&entry.wanted.host, &entry.wanted.user, response.status().as_u16());
            tracing::warn!(%host, user, status, "a registration of ours is refused");
        }
        if let Event::Challenge { answerable: true } = event {
            self.answer_challenge(now, index, response);
            return;
        }
        self.on_registration(now, index, event);
    }

    /// A request of ours drew no answer.
    pub(in crate::switch) fn on_registration_silence(&mut self, now: Instant, id: ClientId) {
        if let Some(index) = self.registration_of(id) {
            if let Some(entry) = self.registrations.list.get(index) {
                let (host, user) = (&entry.wanted.host, &entry.wanted.user);
                tracing::warn!(%host, user, "a registration of ours draws no answer");
            }
            self.on_registration(now, index, Event::Silence);
        }
    }

    fn registration_of(&self, id: ClientId) -> Option<usize> {
        self.registrations.list.iter().position(|entry| entry.sent.as_ref().is_some_and(|(sent, _)| *sent == id))
    }

    fn on_registration(&mut self, now: Instant, index: usize, event: Event) {
        let wall = self.wall(now);
        let Some(entry) = self.registrations.list.get_mut(index) else { return };
        let before = entry.machine.state();
        let action = entry.machine.on_event(event);
        if let Event::Granted(granted) = event {
            entry.granted = granted;
            entry.since = Some(wall);
            if before != State::Registered {
                tracing::debug!(host = %entry.wanted.host, user = entry.wanted.user, ?granted, "registered");
            }
        }
        match action {
            Some(Action::Register(expires)) => {
                entry.attempts = 0;
                self.send_register(now, index, expires);
            }
            Some(Action::Wait(time)) => {
                entry.sent = None;
                entry.due = now.checked_add(time);
            }
            Some(Action::Rest) => {
                entry.sent = None;
                entry.due = None;
            }
            // Answers are sent where the challenge is at hand.
            Some(Action::Answer) | None => {}
        }
        self.tell(Told::Changed);
    }

    fn send_register(&mut self, now: Instant, index: usize, expires: Duration) {
        let Some(entry) = self.registrations.list.get(index) else { return };
        let transport = entry.wanted.transport.unwrap_or(Transport::Udp);
        let remote = self.config.socket(&entry.wanted.host, transport.default_port());
        let listeners = &self.registrations.listeners;
        let listener = remote.and_then(|remote| {
            let fits = |of: &&(ListenerId, Transport, bool)| of.1 == transport && of.2 == remote.is_ipv4();
            listeners.iter().find(fits).map(|(listener, ..)| *listener)
        });
        let (Some(remote), Some(listener)) = (remote, listener) else {
            let (host, user) = (&entry.wanted.host, &entry.wanted.user);
            tracing::warn!(%host, user, "a server is not found, or nothing is listened on to register from");
            self.on_registration(now, index, Event::Silence);
            return;
        };
        let here = self.own_host(listener);
        let Some(entry) = self.registrations.list.get_mut(index) else { return };
        entry.sequence = entry.sequence.saturating_add(1);
        let tag = ident::tag(&mut self.registrations.random);
        let request = register(entry, here, transport, expires, &tag);
        let target = Target { listener: Some(listener), ..Target::new(transport, remote) };
        self.transmit_register(now, index, request, target);
    }

    fn transmit_register(&mut self, now: Instant, index: usize, request: Request, target: Target) {
        let sent = self.agent.send_request(now, request.clone(), target);
        let Some(entry) = self.registrations.list.get_mut(index) else { return };
        match sent {
            Ok(id) => entry.sent = Some((id, request)),
            Err(error) => {
                tracing::warn!(host = %entry.wanted.host, %error, "a registration of ours cannot be sent");
                entry.sent = None;
                self.on_registration(now, index, Event::Silence);
            }
        }
    }

    /// Sends the REGISTER again with credentials (RFC 3261 §22.2).
    fn answer_challenge(&mut self, now: Instant, index: usize, response: &Response) {
        let Some(entry) = self.registrations.list.get_mut(index) else { return };
        let Some((_, request)) = entry.sent.take() else { return };
        if entry.machine.on_event(Event::Challenge { answerable: true }) != Some(Action::Answer) {
            return;
        }
        entry.attempts += 1;
        entry.sequence = entry.sequence.saturating_add(1);
        let wanted = &entry.wanted;
        let user = wanted.auth_user.as_deref().unwrap_or(&wanted.user);
        let secret = wanted.secret.as_ref().map(|secret| secret.expose()).unwrap_or_default();
        let mut edit = request.edit();
        edit.replace(&CSeq { sequence: entry.sequence, method: Method::Register });
        edit.remove(&HeaderName::AUTHORIZATION);
        edit.remove(&HeaderName::PROXY_AUTHORIZATION);
        for (proxy, challenge) in challenges(response) {
            let cnonce = ident::tag(&mut self.registrations.random);
            let uri = request.uri_bytes();
            let answer =
                auth::Credentials::answer(&challenge, user, secret, &Method::Register, uri, cnonce, 1, request.body());
            match (answer, proxy) {
                (Ok(answer), true) => edit.push_back(&ProxyAuthorization(answer)),
                (Ok(answer), false) => edit.push_back(&Authorization(answer)),
                // Only answerable ones are chosen.
                (Err(_), _) => {}
            }
        }
        let again = edit.finish();
        let transport = wanted.transport.unwrap_or(Transport::Udp);
        match self.config.socket(&wanted.host, transport.default_port()) {
            Some(remote) => {
                let listeners = &self.registrations.listeners;
                let fits = |of: &&(ListenerId, Transport, bool)| of.1 == transport && of.2 == remote.is_ipv4();
                let listener = listeners.iter().find(fits).map(|(listener, ..)| *listener);
                self.transmit_register(now, index, again, Target { listener, ..Target::new(transport, remote) });
            }
            None => self.on_registration(now, index, Event::Silence),
        }
    }

    /// The rows of `sip show registry`.
    pub(in crate::switch) fn registration_status(&self) -> Vec<status::SipRegistration> {
        let row = |entry: &Entry| status::SipRegistration {
            host: entry.wanted.host.to_string(),
            user: entry.wanted.user.clone(),
            refresh: entry.granted.as_secs(),
            state: entry.machine.state().as_str(),
            since: entry.since.map(picture::milliseconds),
        };
        self.registrations.list.iter().map(row).collect()
    }
}

/// The challenges to answer, one a realm, and whether a proxy asks.
fn challenges(response: &Response) -> Vec<(bool, Challenge)> {
    let headers = response.headers();
    let servers: Vec<Challenge> = headers.all::<WwwAuthenticate>().filter_map(|value| Some(value.ok()?.0)).collect();
    let proxies: Vec<Challenge> = headers.all::<ProxyAuthenticate>().filter_map(|value| Some(value.ok()?.0)).collect();
    let chosen = |list: &[Challenge], proxy: bool| -> Vec<_> {
        choose_per_realm(list).into_iter().map(|challenge| (proxy, challenge.clone())).collect()
    };
    [chosen(&servers, false), chosen(&proxies, true)].concat()
}

/// REGISTER (RFC 3261 §10.2): to the domain, for the address of record, with our contact.
fn register(entry: &Entry, here: HostPort, transport: Transport, expires: Duration, tag: &Bytes) -> Request {
    let wanted = &entry.wanted;
    let domain = wanted.domain.as_ref().unwrap_or(&wanted.host);
    let uri = |user: Option<&str>, place: HostPort| {
        let uri = SipUri::at(place);
        Uri::Sip(user.map_or(uri.clone(), |user| uri.with_user(user.as_bytes())))
    };
    let record = uri(Some(&wanted.user), domain.clone());
    let mut contact = SipUri::at(here).with_user(wanted.extension.as_bytes());
    if transport != Transport::Udp {
        contact.set_param("transport", Some(transport.token().to_ascii_lowercase().as_bytes()));
    }
    let from = From::new(record.clone()).with_tag(tag);
    let seconds = u32::try_from(expires.as_secs()).unwrap_or(u32::MAX);
    Request::builder(
        Method::Register,
        &uri(None, domain.clone()),
        &from,
        &To::from(NameAddr::new(record)),
        &CallId(entry.call_id.clone()),
        entry.sequence,
    )
    .header(&Contact::new(Uri::Sip(contact)))
    .header(&Expires(seconds))
    .build()
}

/// For how long: what the server says of our contact, else of all (RFC 3261 §10.2.4).
fn granted(entry: &Entry, response: &Response) -> u32 {
    let contact = entry.sent.as_ref().and_then(|(_, request)| request.headers().typed::<Contact>().ok().flatten());
    let ours = match &contact {
        Some(Contact::Address { name_addr, .. }) => Some(&name_addr.uri),
        _ => None,
    };
    let mut alone = None;
    for contact in response.headers().all::<Contact>().flatten() {
        let Contact::Address { name_addr, expires: Some(expires), .. } = contact else { continue };
        if ours.is_some_and(|ours| ours.equivalent(&name_addr.uri)) {
            return expires;
        }
        alone = alone.or(Some(expires));
    }
    let all = response.headers().typed::<Expires>().ok().flatten().map(|expires| expires.0);
    // Some servers write our contact anew.
    all.or(alone).unwrap_or_else(|| u32::try_from(entry.wanted.expires.as_secs()).unwrap_or(u32::MAX))
}
