//! `[[account]]` and `[[sip.registration]]`.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use serde::Deserialize;
use sip_core::uri::HostPort;
use sip_transaction::Transport;
use toml::Spanned;

use super::{Checker, NAME, Time};
use crate::asterisk::is_name;
use crate::config::{
    Account, Acl, Address, Codec, DEFAULT_CONTEXT, DtmfMode, Network, Qualify, Rule, Secret, SipRegistration,
};

const HOST: &str = "expected a host name or an address, with or without a port";
const TRANSPORT: &str = "expected \"udp\" or \"tcp\"";
const NETWORK: &str = "expected a network such as \"192.0.2.0/24\" or an address";
const WORD: &str = "expected 1 to 80 bytes without blanks and control characters";
const READABLE: &str = "expected at most 80 bytes without control characters";

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AccountTable {
    name: Spanned<String>,
    secret: Option<Spanned<String>>,
    md5_secret: Option<Spanned<String>>,
    user: Option<Spanned<String>>,
    caller_id: Option<Spanned<String>>,
    caller_number: Option<Spanned<String>>,
    context: Option<Spanned<String>>,
    host: Option<Spanned<String>>,
    transport: Option<Spanned<String>>,
    codecs: Option<Spanned<Vec<Spanned<String>>>>,
    dtmf: Option<Spanned<String>>,
    qualify: Option<Spanned<Time>>,
    qualify_every: Option<Spanned<Time>>,
    #[serde(default)]
    trust_address: bool,
    #[serde(default)]
    trusted: Vec<Spanned<String>>,
    #[serde(default)]
    acl: Vec<Spanned<String>>,
    remote_extension: Option<Spanned<String>>,
    remote_user: Option<Spanned<String>>,
    remote_secret: Option<Spanned<String>>,
    from_user: Option<Spanned<String>>,
    from_domain: Option<Spanned<String>>,
    max_calls: Option<Spanned<i64>>,
    max_contacts: Option<Spanned<i64>>,
    #[serde(default)]
    remove_existing: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RegistrationTable {
    user: Spanned<String>,
    auth_user: Option<Spanned<String>>,
    domain: Option<Spanned<String>>,
    secret: Option<Spanned<String>>,
    host: Spanned<String>,
    transport: Option<Spanned<String>>,
    extension: Option<Spanned<String>>,
    expires: Option<Spanned<Time>>,
    retry: Option<Spanned<Time>>,
}

/// Readings that the tables of SIP and IAX2 share.
impl Checker<'_> {
    pub(super) fn host(&mut self, value: &Spanned<String>) -> Option<HostPort> {
        self.text(value, HOST, crate::asterisk::read_host)
    }

    pub(super) fn place(&mut self, value: Option<&Spanned<String>>) -> Address {
        match value {
            None => Address::Dynamic,
            Some(value) if value.get_ref() == "dynamic" => Address::Dynamic,
            Some(value) if value.get_ref() == "none" => Address::Nowhere,
            Some(value) => self.host(value).map_or(Address::Nowhere, Address::Fixed),
        }
    }

    pub(super) fn codecs(&mut self, values: Option<&Spanned<Vec<Spanned<String>>>>) -> Option<Vec<Codec>> {
        let values = values?;
        if values.get_ref().is_empty() {
            self.problem(values.span(), "expected at least one codec such as \"ulaw\"");
        }
        let expected = "expected the name of a codec such as \"ulaw\", \"alaw\" or \"g722\"";
        Some(values.get_ref().iter().filter_map(|value| self.text(value, expected, Codec::from_name)).collect())
    }

    pub(super) fn networks(&mut self, values: &[Spanned<String>]) -> Vec<Network> {
        values.iter().filter_map(|value| self.text(value, NETWORK, |text| text.parse().ok())).collect()
    }

    pub(super) fn acl(&mut self, values: &[Spanned<String>]) -> Acl {
        let expected = "expected \"deny\" or \"permit\" and a network, such as \"permit 192.0.2.0/24\"";
        let read = |text: &str| {
            let (word, network) = text.split_once(' ')?;
            let permit = match word {
                "permit" => true,
                "deny" => false,
                _ => return None,
            };
            Some(Rule { permit, network: network.parse().ok()? })
        };
        Acl { rules: values.iter().filter_map(|value| self.text(value, expected, read)).collect() }
    }

    pub(super) fn word(&mut self, value: Option<&Spanned<String>>) -> Option<String> {
        self.text(value?, WORD, |text| {
            let fits = (1..=80).contains(&text.len()) && !text.contains(|c: char| c.is_whitespace() || c.is_control());
            fits.then(|| text.to_owned())
        })
    }

    pub(super) fn readable(&mut self, value: Option<&Spanned<String>>) -> Option<String> {
        let readable = |text: &str| (text.len() <= 80 && !text.chars().any(char::is_control)).then(|| text.to_owned());
        self.text(value?, READABLE, readable)
    }

    pub(super) fn secret(&mut self, value: Option<&Spanned<String>>) -> Option<Secret> {
        let value = value?;
        if value.get_ref().is_empty() {
            self.problem(value.span(), "expected a secret that is not empty");
            return None;
        }
        Some(Secret::new(value.get_ref().clone()))
    }

    pub(super) fn context(&mut self, value: Option<&Spanned<String>>) -> Option<String> {
        self.text(value?, "expected the name of a context, of 1 to 79 bytes", |text| {
            ((1..=79).contains(&text.len()) && !text.chars().any(char::is_control)).then(|| text.to_owned())
        })
    }

    fn transport(&mut self, value: Option<&Spanned<String>>) -> Option<Transport> {
        self.text(value?, TRANSPORT, |text| match text {
            "udp" => Some(Transport::Udp),
            "tcp" => Some(Transport::Tcp),
            _ => None,
        })
    }

    fn md5(&mut self, value: Option<&Spanned<String>>) -> Option<Secret> {
        let value = value?;
        let text = value.get_ref();
        if text.len() != 32 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            self.problem(value.span(), "expected the 32 hexadecimal digits of the MD5 of user:realm:secret");
            return None;
        }
        Some(Secret::new(text.to_ascii_lowercase()))
    }
}

pub(super) fn accounts(check: &mut Checker<'_>, tables: &[Spanned<AccountTable>]) -> Vec<Account> {
    let mut seen = HashSet::new();
    let mut users = HashMap::new();
    let mut accounts = Vec::new();
    for spanned in tables {
        let table = spanned.get_ref();
        if check.text(&table.name, NAME, |text| is_name(text).then_some(())).is_none() {
            continue;
        }
        if !seen.insert(table.name.get_ref().clone()) {
            check.problem(table.name.span(), format!("the account {:?} is there twice", table.name.get_ref()));
        }
        let account = account(check, table);
        let known =
            account.trust_address || !account.trusted.is_empty() || !matches!(account.address, Address::Dynamic);
        if table.secret.is_none() && table.md5_secret.is_none() && !known {
            check.problem(spanned.span(), "missing field `secret`: without it nobody can register or call");
        }
        if account.has_password()
            && let Some(other) = users.insert(account.user().to_owned(), account.name.clone())
            && other != account.name
        {
            let span = table.user.as_ref().map_or_else(|| table.name.span(), Spanned::span);
            let message =
                format!("expected a user name of its own: the account {other:?} has {:?} too", account.user());
            check.problem(span, message);
        }
        accounts.push(account);
    }
    accounts
}

fn account(check: &mut Checker<'_>, table: &AccountTable) -> Account {
    let qualify = table.qualify.as_ref().map(|limit| check.time(Some(limit), Qualify::default().limit));
    let every = check.time(table.qualify_every.as_ref(), Qualify::default().every);
    let dtmf = table.dtmf.as_ref().and_then(|value| {
        check.text(value, "expected \"auto\", \"rfc4733\", \"info\" or \"inband\"", DtmfMode::from_name)
    });
    Account {
        name: table.name.get_ref().clone(),
        secret: check.secret(table.secret.as_ref()),
        md5_secret: check.md5(table.md5_secret.as_ref()),
        user: check.word(table.user.as_ref()),
        caller_id: check.readable(table.caller_id.as_ref()),
        caller_number: check.readable(table.caller_number.as_ref()),
        context: check.context(table.context.as_ref()).unwrap_or_else(|| DEFAULT_CONTEXT.to_owned()),
        address: check.place(table.host.as_ref()),
        transport: check.transport(table.transport.as_ref()),
        codecs: check.codecs(table.codecs.as_ref()),
        dtmf: dtmf.unwrap_or_default(),
        qualify: qualify.filter(|limit| !limit.is_zero()).map(|limit| Qualify { limit, every }),
        trust_address: table.trust_address,
        trusted: check.networks(&table.trusted),
        acl: check.acl(&table.acl),
        remote_extension: check.word(table.remote_extension.as_ref()),
        remote_user: check.word(table.remote_user.as_ref()),
        remote_secret: check.secret(table.remote_secret.as_ref()),
        from_user: check.word(table.from_user.as_ref()),
        from_domain: check.word(table.from_domain.as_ref()),
        max_calls: table.max_calls.as_ref().map(|value| check.count(Some(value), 1)),
        max_contacts: table.max_contacts.as_ref().map(|value| check.count(Some(value), 1)),
        remove_existing: table.remove_existing,
    }
}

pub(super) fn registrations(check: &mut Checker<'_>, tables: &[RegistrationTable]) -> Vec<SipRegistration> {
    tables.iter().filter_map(|table| registration(check, table)).collect()
}

fn registration(check: &mut Checker<'_>, table: &RegistrationTable) -> Option<SipRegistration> {
    let user = check.word(Some(&table.user));
    let host = check.host(&table.host);
    let expires = check.time(table.expires.as_ref(), SipRegistration::EXPIRES);
    if expires < Duration::from_secs(1) {
        check.problem(table.expires.as_ref().map_or(0..0, Spanned::span), "expected at least \"1s\"");
    }
    let registration = SipRegistration {
        auth_user: check.word(table.auth_user.as_ref()),
        domain: table.domain.as_ref().and_then(|value| check.host(value)),
        transport: check.transport(table.transport.as_ref()),
        extension: check.word(table.extension.as_ref()).unwrap_or_else(|| "s".to_owned()),
        expires,
        retry: check.time(table.retry.as_ref(), SipRegistration::RETRY),
        ..SipRegistration::new(String::new(), check.secret(table.secret.as_ref()), host.clone()?)
    };
    Some(SipRegistration { user: user?, ..registration })
}
