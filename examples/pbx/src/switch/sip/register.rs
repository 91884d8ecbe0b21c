//! Registrations: where the phones are.

use std::time::{Duration, Instant};

use sip_core::{
    Mandatory, Request, Response, StatusCode,
    header::Route,
    uri::{Host, SipUri, Uri},
};
use sip_proxy::{
    authenticator::{Cause, Decision},
    location::{
        self, Reachability,
        memory::{ChangeKind, Limit},
    },
    registrar::{self, Authority, Registrar},
};
use sip_transaction::{ConnectionId, Source};

use super::{
    super::{Event, Switch, call::text, picture},
    dial::Phone,
    gate,
};
use crate::{
    config::Config,
    status::{Binding, Table},
};

/// The host of all our addresses of record: phones know this program by whatever address reaches it.
fn own_domain() -> Host {
    Host::Name(bytes::Bytes::from_static(b"pbx.invalid"))
}

/// The registrar of a configuration.
pub(in crate::switch) fn registrar(config: &Config, seed: [u8; 32]) -> Registrar {
    let times = &config.registration;
    let location = location::memory::Config {
        addresses: config.accounts.len().max(1),
        bindings_per_address: times.per_account,
        ..location::memory::Config::default()
    };
    let settings = registrar::Config {
        default_expires: times.max_expires.min(Duration::from_secs(3600)),
        min_expires: times.min_expires,
        max_expires: times.max_expires,
        location,
        ..registrar::Config::one_domain(own_domain())
    };
    let mut registrar = Registrar::new(settings, seed);
    for account in &config.accounts {
        let limit =
            Limit { bindings: account.max_contacts.unwrap_or(times.per_account), displace: account.remove_existing };
        if let Some(address) = registrar.address(&address_of(&account.name)) {
            registrar.set_limit(address, limit);
        }
    }
    registrar
}

/// An account as the registrar knows it.
fn address_of(account: &str) -> Uri {
    Uri::Sip(SipUri::new(own_domain()).with_user(account.as_bytes()))
}

impl Switch {
    /// Answers a REGISTER: who asks must be the account that he registers for.
    pub(super) fn register(
        &mut self,
        now: Instant,
        request: &Request,
        mandatory: &Mandatory,
        source: &Source,
    ) -> Response {
        if self.gate.is_banned(now, source) {
            self.count_refusal(gate::BANNED);
            return Response::to(request, StatusCode::FORBIDDEN).build();
        }
        let identity = match self.gate.authenticate(now, request, source) {
            Decision::Accepted(identity) => identity,
            Decision::Challenge(challenges) => {
                if challenges.cause() == Cause::Wrong {
                    self.count_refusal("wrong_password");
                    let user = mandatory.to.name_addr.uri.as_sip().and_then(SipUri::user_text);
                    let user = user.map(|user| text(&user)).unwrap_or_default();
                    tracing::warn!(%user, from = %source.remote, "registration refused: wrong password or unknown user");
                }
                return challenges.respond(request).build();
            }
            Decision::Refused { status, reason } => {
                self.count_refusal(gate::name(reason));
                return Response::to(request, status).build();
            }
        };
        self.agent.trust(source.remote.ip());
        let account = self.gate.account_of(&identity.username);
        if !self.gate.may_come_from(&account, source.remote.ip()) {
            self.count_refusal("acl");
            return Response::to(request, StatusCode::FORBIDDEN).build();
        }
        let response = self.registrar.register(now, request, source, Authority::User(account.as_bytes()));
        if response.status().is_success() {
            self.keep_alive(now, source);
            self.watch.ask(now, &account);
        }
        if !response.status().is_success() {
            self.count_refusal("registration");
            let (user, status) = (text(account.as_bytes()), response.status().as_u16());
            tracing::warn!(%user, from = %source.remote, status, "registration refused");
        }
        self.tell_changes();
        response
    }

    /// The phones of an account that can be reached, the preferred ones first.
    pub(super) fn phones(&self, now: Instant, account: &str) -> Vec<Phone> {
        let Some(address) = self.address_of_record(account) else { return Vec::new() };
        let targets = self.registrar.location().targets(now, &address);
        targets
            .into_iter()
            .map(|binding| Phone {
                contact: binding.contact.uri.clone(),
                target: binding.target(),
                routes: binding.path.iter().cloned().map(Route).collect(),
            })
            .collect()
    }

    /// The phones of an account for the picture, also those that cannot be reached.
    pub(in crate::switch) fn bindings(&self, now: Instant, account: &str) -> Vec<Binding> {
        let Some(address) = self.address_of_record(account) else { return Vec::new() };
        let bindings = self.registrar.location().bindings(now, &address);
        bindings
            .map(|binding| Binding {
                contact: text(binding.contact.uri.to_string().as_bytes()),
                transport: binding.source.transport.token(),
                address: binding.source.remote.to_string(),
                user_agent: binding.user_agent.as_ref().map(|agent| text(agent)),
                since: picture::milliseconds(self.wall(binding.registered_at)),
                expires: binding.remaining_seconds(now).into(),
                reachable: binding.reachability == Reachability::Reachable,
            })
            .collect()
    }

    /// A connection closed: phones behind it cannot be reached until they register again.
    pub(super) fn forget_connection(&mut self, connection: ConnectionId) {
        self.registrar.handle_connection_closed(connection);
        self.tell_changes();
    }

    /// Registrations whose time is over are removed.
    pub(in crate::switch) fn on_registrar_timeout(&mut self, now: Instant) {
        self.registrar.handle_timeout(now);
        self.tell_changes();
    }

    pub(in crate::switch) fn location_tables(&self) -> [Table; 2] {
        let location = self.registrar.snapshot().location;
        let common = self.config.registration.per_account;
        let limit = self.config.accounts.iter().map(|account| account.max_contacts.unwrap_or(common)).sum();
        [
            Table { name: "registrations", size: location.bindings, limit: Some(limit), per_call: false },
            Table { name: "registered_connections", size: location.connections, limit: None, per_call: false },
        ]
    }

    fn tell_changes(&mut self) {
        let mut changed = false;
        while let Some(change) = self.registrar.poll_output() {
            let what = match change.kind {
                ChangeKind::Added => "phone registered",
                ChangeKind::Removed => "phone unregistered",
                ChangeKind::Expired => "phone lost: it did not register again",
                ChangeKind::ConnectionClosed => "phone unreachable: its connection closed",
                // Each phone does so every few minutes.
                _ => continue,
            };
            changed = true;
            tracing::info!(contact = %text(&change.contact), "{what}");
        }
        if changed {
            self.tell(Event::Changed);
        }
    }

    fn address_of_record(&self, account: &str) -> Option<bytes::Bytes> {
        self.registrar.address(&address_of(account))
    }
}
