//! `[iax]` with `[[iax.peer]]` and `[[iax.registration]]`.

use std::{collections::HashSet, time::Duration};

use iax2::{Encryption, Negotiation, Qualify, TokenPolicy, element::AuthMethods};
use serde::Deserialize;
use toml::Spanned;

use super::{Checker, NAME, Time};
use crate::asterisk::is_name;
use crate::config::{Address, DEFAULT_CONTEXT, Iax, IaxPeer, IaxRegistration};

const TOKEN: &str = "expected \"required\", \"optional\" or \"auto\"";

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct IaxTable {
    listen: Vec<Spanned<String>>,
    peer: Vec<Spanned<PeerTable>>,
    registration: Vec<RegistrationTable>,
    trunk_interval: Option<Spanned<Time>>,
    trunk_timestamps: bool,
    trunk_mtu: Option<Spanned<i64>>,
    min_expires: Option<Spanned<Time>>,
    max_expires: Option<Spanned<Time>>,
    token: Option<Spanned<String>>,
    token_exempt: Vec<Spanned<String>>,
    max_calls: Option<Spanned<i64>>,
    max_calls_per_address: Option<Spanned<i64>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct PeerTable {
    name: Spanned<String>,
    may_call: Option<bool>,
    host: Option<Spanned<String>>,
    secret: Option<Spanned<String>>,
    username: Option<Spanned<String>>,
    auth: Option<Vec<Spanned<String>>>,
    contexts: Option<Vec<Spanned<String>>>,
    peer_context: Option<Spanned<String>>,
    caller_id: Option<Spanned<String>>,
    caller_number: Option<Spanned<String>>,
    codecs: Option<Spanned<Vec<Spanned<String>>>>,
    negotiation: Option<Spanned<String>>,
    token: Option<Spanned<String>>,
    encryption: Option<Spanned<String>>,
    #[serde(default)]
    trunk: bool,
    qualify: Option<Spanned<Time>>,
    qualify_good: Option<Spanned<Time>>,
    qualify_bad: Option<Spanned<Time>>,
    #[serde(default)]
    qualify_smoothing: bool,
    #[serde(default)]
    may_transfer: bool,
    #[serde(default)]
    acl: Vec<Spanned<String>>,
    max_calls: Option<Spanned<i64>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RegistrationTable {
    user: Spanned<String>,
    secret: Option<Spanned<String>>,
    host: Spanned<String>,
    refresh: Option<Spanned<Time>>,
}

pub(super) fn iax(check: &mut Checker<'_>, table: &IaxTable) -> Iax {
    let default = Iax::default();
    let iax = Iax {
        listen: check.addresses(&table.listen),
        peers: peers(check, &table.peer),
        registrations: table.registration.iter().filter_map(|table| registration(check, table)).collect(),
        trunk_interval: check.time(table.trunk_interval.as_ref(), default.trunk_interval),
        trunk_timestamps: table.trunk_timestamps,
        trunk_mtu: check.count(table.trunk_mtu.as_ref(), default.trunk_mtu),
        min_expires: check.time(table.min_expires.as_ref(), default.min_expires),
        max_expires: check.time(table.max_expires.as_ref(), default.max_expires),
        token: token(check, table.token.as_ref()).unwrap_or(default.token),
        token_exempt: check.networks(&table.token_exempt),
        max_calls: check.count(table.max_calls.as_ref(), default.max_calls),
        max_calls_per_address: check.count(table.max_calls_per_address.as_ref(), default.max_calls_per_address),
    };
    let within = Duration::from_millis(10)..=Duration::from_secs(1);
    if let Some(value) = table.trunk_interval.as_ref().filter(|_| !within.contains(&iax.trunk_interval)) {
        check.problem(value.span(), "expected \"10ms\" to \"1000ms\"");
    }
    if let Some(value) = table.trunk_mtu.as_ref().filter(|_| !(172..=4000).contains(&iax.trunk_mtu)) {
        check.problem(value.span(), "expected 172 to 4000 bytes");
    }
    if iax.min_expires > iax.max_expires {
        let span = table.min_expires.as_ref().or(table.max_expires.as_ref());
        check.problem(span.map_or(0..0, Spanned::span), "expected min_expires to be at most max_expires");
    }
    iax
}

fn token(check: &mut Checker<'_>, value: Option<&Spanned<String>>) -> Option<TokenPolicy> {
    check.text(value?, TOKEN, |text| match text {
        "required" => Some(TokenPolicy::Required),
        "optional" => Some(TokenPolicy::NotRequired),
        "auto" => Some(TokenPolicy::Auto),
        _ => None,
    })
}

fn peers(check: &mut Checker<'_>, tables: &[Spanned<PeerTable>]) -> Vec<IaxPeer> {
    let mut seen = HashSet::new();
    let mut peers = Vec::new();
    for table in tables.iter().map(Spanned::get_ref) {
        if check.text(&table.name, NAME, |text| is_name(text).then_some(())).is_none() {
            continue;
        }
        if !seen.insert(table.name.get_ref().clone()) {
            check.problem(table.name.span(), format!("the peer {:?} is there twice", table.name.get_ref()));
        }
        peers.push(peer(check, table));
    }
    peers
}

fn peer(check: &mut Checker<'_>, table: &PeerTable) -> IaxPeer {
    let expected = "expected \"host\", \"caller\", \"request\" or \"request_only\"";
    let negotiation = table.negotiation.as_ref().and_then(|value| {
        check.text(value, expected, |text| match text {
            "host" => Some(Negotiation::Host),
            "caller" => Some(Negotiation::Caller),
            "request" => Some(Negotiation::Request),
            "request_only" => Some(Negotiation::RequestOnly),
            _ => None,
        })
    });
    let encryption = table.encryption.as_ref().and_then(|value| {
        check.text(value, "expected \"off\", \"offered\" or \"required\"", |text| match text {
            "off" => Some(Encryption::Off),
            "offered" => Some(Encryption::Offered),
            "required" => Some(Encryption::Required),
            _ => None,
        })
    });
    let encryption = encryption.unwrap_or_default();
    if table.trunk && encryption != Encryption::Off {
        let span = table.encryption.as_ref().map_or(0..0, Spanned::span);
        check.problem(span, "expected \"off\" with `trunk = true`: voice in trunks cannot be encrypted");
    }
    let methods = table.auth.as_ref().map(|values| {
        let read = |text: &str| match text {
            "md5" => Some(AuthMethods::MD5),
            "plaintext" => Some(AuthMethods::PLAINTEXT),
            _ => None,
        };
        let found = values.iter().filter_map(|value| check.text(value, "expected \"md5\" or \"plaintext\"", read));
        found.fold(AuthMethods::empty(), AuthMethods::union)
    });
    let contexts: Vec<_> = match &table.contexts {
        Some(values) => values.iter().filter_map(|value| check.context(Some(value))).collect(),
        None => Vec::new(),
    };
    let default = Qualify::default();
    let qualify = table.qualify.as_ref().map(|limit| Qualify {
        limit: check.time(Some(limit), default.limit),
        good: check.time(table.qualify_good.as_ref(), default.good),
        bad: check.time(table.qualify_bad.as_ref(), default.bad),
        smoothing: table.qualify_smoothing,
    });
    let address = check.place(table.host.as_ref());
    IaxPeer {
        may_call: table.may_call.unwrap_or(true),
        secret: check.secret(table.secret.as_ref()),
        username: check.word(table.username.as_ref()),
        methods: methods.filter(|methods| !methods.is_empty()).unwrap_or(AuthMethods::MD5),
        contexts: if contexts.is_empty() { vec![DEFAULT_CONTEXT.to_owned()] } else { contexts },
        peer_context: check.context(table.peer_context.as_ref()),
        caller_id: check.readable(table.caller_id.as_ref()),
        caller_number: check.readable(table.caller_number.as_ref()),
        codecs: check.codecs(table.codecs.as_ref()),
        negotiation: negotiation.unwrap_or_default(),
        token: token(check, table.token.as_ref()),
        encryption,
        trunk: table.trunk,
        qualify: qualify.filter(|qualify| !qualify.limit.is_zero()),
        may_transfer: table.may_transfer,
        acl: check.acl(&table.acl),
        max_calls: table.max_calls.as_ref().map(|value| check.count(Some(value), 1)),
        address: if table.host.is_none() { Address::Dynamic } else { address },
        ..IaxPeer::new(table.name.get_ref().clone())
    }
}

fn registration(check: &mut Checker<'_>, table: &RegistrationTable) -> Option<IaxRegistration> {
    let user = check.word(Some(&table.user));
    let secret = check.secret(table.secret.as_ref());
    let refresh = check.time(table.refresh.as_ref(), IaxRegistration::REFRESH);
    let host = check.host(&table.host);
    Some(IaxRegistration { user: user?, secret, host: host?, refresh })
}
