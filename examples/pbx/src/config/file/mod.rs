//! The file as it is written, and its way into a [`Config`].

mod account;
mod dialplan;
mod iax;

use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
    ops::{Range, RangeInclusive},
    path::{Path, PathBuf},
    time::Duration,
};

use serde::Deserialize;
use sip_core::auth::Algorithm;
use toml::Spanned;

use super::{Account, Application, Calls, Cdr, Config, ConfigError, Http, Limits, Problem, Registration, Rtp, Sip};

use crate::asterisk::is_name;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct File {
    name: Option<Spanned<String>>,
    dialplan: Option<Spanned<String>>,
    address_map: BTreeMap<Spanned<String>, Spanned<String>>,
    sip: SipTable,
    account: Vec<Spanned<account::AccountTable>>,
    iax: iax::IaxTable,
    extensions: Option<BTreeMap<Spanned<String>, Spanned<String>>>,
    registration: RegistrationTable,
    calls: CallsTable,
    rtp: RtpTable,
    limits: LimitsTable,
    http: HttpTable,
    cdr: CdrTable,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct SipTable {
    udp: Option<Vec<Spanned<String>>>,
    tcp: Option<Vec<Spanned<String>>>,
    advertised: Option<Spanned<String>>,
    realm: Option<Spanned<String>>,
    trusted: Vec<Spanned<String>>,
    balancers: Vec<Spanned<String>>,
    digest: Option<Vec<Spanned<String>>>,
    nonce_time: Option<Spanned<Time>>,
    registration: Vec<account::RegistrationTable>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RegistrationTable {
    min_expires: Option<Spanned<Time>>,
    max_expires: Option<Spanned<Time>>,
    per_account: Option<Spanned<i64>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct CallsTable {
    ring_time: Option<Spanned<Time>>,
    drain_time: Option<Spanned<Time>>,
    max_time: Option<Spanned<Time>>,
    media_timeout: Option<Spanned<Time>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RtpTable {
    ports: Option<Spanned<String>>,
    address: Option<Spanned<String>>,
    advertised: Option<Spanned<String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct LimitsTable {
    calls: Option<Spanned<i64>>,
    calls_per_account: Option<Spanned<i64>>,
    transactions: Option<Spanned<i64>>,
    connections: Option<Spanned<i64>>,
    connections_per_address: Option<Spanned<i64>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct HttpTable {
    listen: Option<Spanned<String>>,
    exposed: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct CdrTable {
    path: Option<String>,
}

/// A duration as people write it: `"30s"`, `"5m"`, `"1h"`, or a bare number of seconds.
#[derive(Debug, Deserialize)]
#[serde(untagged, expecting = "expected a time such as \"30s\", \"5m\" or \"1h\"")]
enum Time {
    Seconds(u64),
    Text(String),
}

const TIME: &str = "expected a time such as \"30s\", \"5m\" or \"1h\"";
const ADDRESS: &str = "expected an address and port such as \"127.0.0.1:5060\" or \"[::1]:5060\"";
const IP: &str = "expected an IP address such as \"192.0.2.10\"";
const PORTS: &str = "expected a port range of at least four ports such as \"10000-14999\"";
const NAME: &str = "expected 1 to 64 letters, digits, '.', '_', '-' or '+' (not beginning with '_')";

struct Checker<'a> {
    file: String,
    text: &'a str,
    problems: Vec<Problem>,
}

impl Checker<'_> {
    fn problem(&mut self, span: Range<usize>, message: impl Into<String>) {
        self.problems.push(Problem::at(&self.file, self.text, Some(span), message));
    }

    fn text<T>(&mut self, value: &Spanned<String>, expected: &str, read: impl Fn(&str) -> Option<T>) -> Option<T> {
        let found = read(value.get_ref());
        if found.is_none() {
            self.problem(value.span(), format!("{expected}, found {:?}", value.get_ref()));
        }
        found
    }

    fn addresses(&mut self, values: &[Spanned<String>]) -> Vec<SocketAddr> {
        values.iter().filter_map(|value| self.text(value, ADDRESS, |text| text.parse().ok())).collect()
    }

    fn address_map(&mut self, table: &BTreeMap<Spanned<String>, Spanned<String>>) -> Vec<(IpAddr, IpAddr)> {
        let mut map = Vec::new();
        for (from, to) in table {
            let read = |text: &str| text.parse().ok();
            if let (Some(from), Some(to)) = (self.text(from, IP, read), self.text(to, IP, read)) {
                map.push((from, to));
            }
        }
        map
    }

    fn time(&mut self, value: Option<&Spanned<Time>>, default: Duration) -> Duration {
        let Some(value) = value else { return default };
        let read = match value.get_ref() {
            Time::Seconds(seconds) => Some(Duration::from_secs(*seconds)),
            Time::Text(text) => read_time(text),
        };
        match read.filter(|time| *time <= Duration::from_secs(366 * 86_400)) {
            Some(time) => time,
            None => {
                self.problem(value.span(), TIME);
                default
            }
        }
    }

    fn count(&mut self, value: Option<&Spanned<i64>>, default: usize) -> usize {
        let Some(value) = value else { return default };
        match usize::try_from(*value.get_ref()) {
            Ok(count @ 1..=10_000_000) => count,
            _ => {
                let found = value.get_ref();
                self.problem(value.span(), format!("expected a number from 1 to 10000000, found {found}"));
                default
            }
        }
    }
}

pub(super) fn parse(
    path: &Path,
    text: &str,
    warnings: &mut Vec<crate::asterisk::file::Problem>,
) -> Result<Config, ConfigError> {
    let file_name = path.display().to_string();
    let file: File = toml::from_str(text).map_err(|error| ConfigError::Invalid {
        problems: vec![Problem::at(&file_name, text, error.span(), error.message())],
    })?;
    let mut check = Checker { file: file_name, text, problems: Vec::new() };

    let default = Config::default();
    let name = file.name.as_ref().and_then(|value| check.readable(Some(value)));
    let address_map = check.address_map(&file.address_map);
    let sip = sip(&mut check, &file.sip, default.sip);
    let accounts = account::accounts(&mut check, &file.account);
    let registrations = account::registrations(&mut check, &file.sip.registration);
    let iax = iax::iax(&mut check, &file.iax);
    if sip.udp.is_empty() && sip.tcp.is_empty() && iax.listen.is_empty() && check.problems.is_empty() {
        check.problem(0..0, "expected at least one address in `udp` or `tcp` under [sip]");
    }
    if accounts.is_empty() && iax.peers.is_empty() && check.problems.is_empty() {
        check.problem(0..0, "expected at least one [[account]] with `name` and `secret`");
    }
    let generated = file.dialplan.is_none();
    let extensions = extensions(&mut check, file.extensions.as_ref(), &accounts, generated);
    let registration = Registration {
        min_expires: check.time(file.registration.min_expires.as_ref(), default.registration.min_expires),
        max_expires: check.time(file.registration.max_expires.as_ref(), default.registration.max_expires),
        per_account: check.count(file.registration.per_account.as_ref(), default.registration.per_account),
    };
    if registration.min_expires > registration.max_expires {
        let span = file.registration.min_expires.as_ref().or(file.registration.max_expires.as_ref());
        check.problem(span.map_or(0..0, Spanned::span), "expected min_expires to be at most max_expires");
    }
    let calls = calls(&mut check, &file.calls, &default.calls);
    let rtp = rtp(&mut check, &file.rtp, default.rtp);
    let limits = Limits {
        calls: check.count(file.limits.calls.as_ref(), default.limits.calls),
        calls_per_account: check.count(file.limits.calls_per_account.as_ref(), default.limits.calls_per_account),
        transactions: check.count(file.limits.transactions.as_ref(), default.limits.transactions),
        connections: check.count(file.limits.connections.as_ref(), default.limits.connections),
        connections_per_address: check
            .count(file.limits.connections_per_address.as_ref(), default.limits.connections_per_address),
    };
    let listen = match &file.http.listen {
        None => default.http.listen,
        Some(value) if value.get_ref().is_empty() => None,
        Some(value) => check.text(value, ADDRESS, |text| text.parse().ok()),
    };
    let http = Http { listen, exposed: file.http.exposed };
    let cdr = match file.cdr.path {
        None => default.cdr,
        Some(path) if path.is_empty() => Cdr { path: None },
        Some(path) => Cdr { path: Some(PathBuf::from(path)) },
    };
    let mut config = Config {
        name,
        sip,
        accounts,
        registrations,
        iax,
        extensions,
        registration,
        calls,
        rtp,
        limits,
        http,
        cdr,
        ..default
    };
    dialplan::dialplan(&mut check, path, file.dialplan.as_ref(), &mut config, warnings);
    if check.problems.is_empty() {
        config.map_addresses(&address_map);
        Ok(config)
    } else {
        check.problems.sort_by_key(|problem| (problem.line, problem.column));
        Err(ConfigError::Invalid { problems: check.problems })
    }
}

fn sip(check: &mut Checker<'_>, table: &SipTable, default: Sip) -> Sip {
    let udp = table.udp.as_ref().map_or(default.udp, |values| check.addresses(values));
    let tcp = table.tcp.as_ref().map_or(default.tcp, |values| check.addresses(values));
    let advertised = table.advertised.as_ref().and_then(|value| {
        check.text(value, "expected a host name or an IP address without a port", |text| {
            let host =
                !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-".contains(&byte));
            (host || text.parse::<IpAddr>().is_ok()).then(|| text.to_owned())
        })
    });
    let realm = table.realm.as_ref().and_then(|value| {
        check.text(value, "expected 1 to 64 printable characters without quotes", |text| {
            let fits = (1..=64).contains(&text.len());
            let plain = text.bytes().all(|byte| (b' '..=b'~').contains(&byte) && byte != b'"' && byte != b'\\');
            (fits && plain).then(|| text.to_owned())
        })
    });
    Sip {
        udp,
        tcp,
        advertised,
        realm: realm.unwrap_or(default.realm),
        trusted: addresses(check, &table.trusted),
        balancers: addresses(check, &table.balancers),
        algorithms: algorithms(check, table.digest.as_ref()),
        nonce_time: check.time(table.nonce_time.as_ref(), default.nonce_time),
    }
}

fn addresses(check: &mut Checker<'_>, values: &[Spanned<String>]) -> Vec<IpAddr> {
    values.iter().filter_map(|value| check.text(value, IP, |text| text.parse().ok())).collect()
}

fn algorithms(check: &mut Checker<'_>, values: Option<&Vec<Spanned<String>>>) -> Vec<Algorithm> {
    let expected = "expected \"MD5\", \"SHA-256\" or \"SHA-512-256\"";
    let read = |text: &str| match text {
        "MD5" => Some(Algorithm::Md5),
        "SHA-256" => Some(Algorithm::Sha256),
        "SHA-512-256" => Some(Algorithm::Sha512_256),
        _ => None,
    };
    let values: Vec<_> = values.into_iter().flatten().filter_map(|value| check.text(value, expected, read)).collect();
    if values.is_empty() { vec![Algorithm::Md5] } else { values }
}

fn extensions(
    check: &mut Checker<'_>,
    table: Option<&BTreeMap<Spanned<String>, Spanned<String>>>,
    accounts: &[Account],
    generated: bool,
) -> BTreeMap<String, Application> {
    let Some(table) = table else {
        return if generated { Config::default().extensions } else { BTreeMap::new() };
    };
    if !generated && let Some(number) = table.keys().next() {
        check.problem(
            number.span(),
            "[extensions] and `dialplan` exclude each other: expected the number in the dialplan",
        );
    }
    let mut extensions = BTreeMap::new();
    for (number, application) in table {
        if check.text(number, NAME, |text| is_name(text).then_some(())).is_none() {
            continue;
        }
        if accounts.iter().any(|account| account.name == *number.get_ref()) {
            check.problem(number.span(), format!("{:?} is the name of an account already", number.get_ref()));
        }
        let application = check.text(application, "expected \"echo\" or \"milliwatt\"", |text| match text {
            "echo" => Some(Application::Echo),
            "milliwatt" => Some(Application::Milliwatt),
            _ => None,
        });
        if let Some(application) = application {
            extensions.insert(number.get_ref().clone(), application);
        }
    }
    extensions
}

fn calls(check: &mut Checker<'_>, table: &CallsTable, default: &Calls) -> Calls {
    let media_timeout = check.time(table.media_timeout.as_ref(), default.media_timeout.unwrap_or_default());
    let calls = Calls {
        ring_time: check.time(table.ring_time.as_ref(), default.ring_time),
        drain_time: check.time(table.drain_time.as_ref(), default.drain_time),
        max_time: check.time(table.max_time.as_ref(), default.max_time),
        media_timeout: (!media_timeout.is_zero()).then_some(media_timeout),
    };
    for (value, time, name) in
        [(&table.ring_time, calls.ring_time, "ring_time"), (&table.max_time, calls.max_time, "max_time")]
    {
        if time.is_zero() {
            let span = value.as_ref().map_or(0..0, Spanned::span);
            check.problem(span, format!("expected {name} to be at least \"1s\""));
        }
    }
    calls
}

fn rtp(check: &mut Checker<'_>, table: &RtpTable, default: Rtp) -> Rtp {
    let ports = table.ports.as_ref().and_then(|value| check.text(value, PORTS, read_ports));
    let mut ip = |value: &Option<Spanned<String>>| {
        value.as_ref().and_then(|value| check.text(value, IP, |text| text.parse().ok()))
    };
    Rtp { address: ip(&table.address), advertised: ip(&table.advertised), ports: ports.unwrap_or(default.ports) }
}

/// Reads a range of ports such as `10000-14999`.
pub(crate) fn read_ports(text: &str) -> Option<RangeInclusive<u16>> {
    let (first, last) = text.split_once('-')?;
    let (first, last): (u16, u16) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
    (first > 0 && last >= first && last - first >= 3).then_some(first..=last)
}

fn read_time(text: &str) -> Option<Duration> {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(end)?;
    let number: u64 = number.parse().ok()?;
    let factor = match unit.trim() {
        "ms" => return Some(Duration::from_millis(number)),
        "s" | "" => 1,
        "m" | "min" => 60,
        "h" => 3600,
        "d" => 86_400,
        _ => return None,
    };
    number.checked_mul(factor).map(Duration::from_secs)
}
