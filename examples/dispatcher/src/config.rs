//! The configuration file.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sip_core::header::HeaderName;
use sip_core::uri::{Host, HostPort};
use sip_proxy::dispatcher::{self, Algorithm, Destination, Key, List, ListError, ProbeConfig, Secret, Set};
use sip_transaction::Transport;

use crate::l4;

/// Everything that can be configured.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Sockets and messages.
    #[serde(default)]
    pub sip: Sip,
    /// What the dispatchers of an installation share, and where changes are kept.
    #[serde(default)]
    pub dispatcher: Common,
    /// How destinations are probed.
    #[serde(default)]
    pub probe: Probe,
    /// The control.
    #[serde(default)]
    pub http: Option<Http>,
    /// Other dispatchers.
    #[serde(default)]
    pub share: Option<Share>,
    /// Whom to ask for names.
    #[serde(default)]
    pub dns: Dns,
    /// The sets of destinations.
    #[serde(default, rename = "set")]
    pub sets: Vec<SetConfig>,
    /// Balancers of TCP connections, which know no SIP.
    #[serde(default)]
    pub l4: Vec<BalancerConfig>,
}

/// `[sip]`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Sip {
    /// Addresses for UDP.
    pub udp: Vec<SocketAddr>,
    /// Addresses for TCP.
    pub tcp: Vec<SocketAddr>,
    /// Addresses for TLS.
    pub tls: Vec<SocketAddr>,
    /// Our certificate with those up to its authority, as PEM.
    pub certificate: Option<PathBuf>,
    /// Its key, as PEM.
    pub key: Option<PathBuf>,
    /// The authorities of destinations reached by TLS, as PEM.
    pub authorities: Option<PathBuf>,
    /// The host that others know us by, when it is not the address that is listened on.
    pub advertise: Option<String>,
    /// The addresses of the other dispatchers, `host:port`: what is routed to them may come here.
    pub aliases: Vec<String>,
    /// How many threads read UDP.
    pub shards: Option<usize>,
    /// Whether calls stay in our path until their end.
    pub record_route: Option<bool>,
    /// Addresses whose requests go where they say, as those of destinations do.
    pub trusted: Vec<IpAddr>,
}

/// `[dispatcher]`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Common {
    /// What all dispatchers of the installation know and nobody else; random when there is none.
    pub secret: Option<String>,
    /// Where what was changed by HTTP is kept.
    pub persist: Option<PathBuf>,
    /// How many calls are remembered.
    pub calls: Option<usize>,
}

/// `[probe]`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Probe {
    /// Whether destinations are probed.
    pub enabled: Option<bool>,
    /// How often, in seconds.
    pub interval: Option<f64>,
    /// How long an answer may take, in seconds.
    pub timeout: Option<f64>,
    /// How many failures in a row take a destination out.
    pub down: Option<u32>,
    /// How many successes in a row bring it back.
    pub up: Option<u32>,
    /// Status codes and ranges of them that tell that a destination is well, such as `"200-299"`.
    pub accept: Option<Vec<String>>,
}

/// `[http]`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Http {
    /// Where.
    pub listen: SocketAddr,
    /// The bearer token; without one, only loopback is listened on.
    #[serde(default)]
    pub token: Option<String>,
}

/// `[share]`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Share {
    /// Where datagrams of other dispatchers come, and ours come from.
    pub listen: SocketAddr,
    /// The `listen` of the others.
    pub peers: Vec<SocketAddr>,
}

/// `[dns]`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Dns {
    /// The name servers; those of the system when there are none.
    pub servers: Vec<SocketAddr>,
}

/// `[[set]]`.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct SetConfig {
    /// What it is called.
    pub name: String,
    /// `hash`, `round-robin`, `weighted`, `random`, `least-calls`, `latency` or `priority`.
    #[serde(default = "default_algorithm")]
    pub algorithm: String,
    /// `call-id`, `from`, `to`, `request-uri`, `user` or the name of a header.
    #[serde(default = "default_key")]
    pub key: String,
    /// The hosts of Request-URIs that it serves.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub domains: Vec<String>,
    /// Its destinations.
    #[serde(default, rename = "destination")]
    pub destinations: Vec<DestinationConfig>,
    /// Where more of them come from.
    #[serde(default, rename = "srv", skip_serializing_if = "Vec::is_empty")]
    pub services: Vec<SrvConfig>,
}

/// `[[set.srv]]`: destinations from the domain name system (RFC 2782).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct SrvConfig {
    /// The name of the service, such as `_sip._udp.example.com`.
    pub name: String,
    /// `udp`, `tcp` or `tls`; what the name says when there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transport: Option<String>,
    /// It is asked again after this many seconds at the latest, sooner when its records say so.
    #[serde(default = "default_interval", skip_serializing_if = "is_default_interval")]
    pub interval: u32,
}

/// `[[set.destination]]`.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct DestinationConfig {
    /// What it is called; its address when there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Where it is reached.
    pub address: SocketAddr,
    /// `udp`, `tcp` or `tls`.
    #[serde(default = "default_transport")]
    pub transport: String,
    /// Its share of new calls in relation to the others'.
    #[serde(default = "default_weight")]
    pub weight: u32,
    /// The lowest that is up serves alone.
    #[serde(default)]
    pub priority: u16,
    /// How many calls it takes at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capacity: Option<u32>,
    /// The name that its certificate must have, when it is reached by TLS; its address when there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<String>,
    /// Whatever else is to be known of it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes: BTreeMap<String, String>,
}

/// `[[l4]]`.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct BalancerConfig {
    /// What it is called.
    pub name: String,
    /// Where it listens.
    pub listen: SocketAddr,
    /// `round-robin`, `least-connections` or `source`.
    #[serde(default)]
    pub algorithm: l4::Algorithm,
    /// The most connections at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connections: Option<usize>,
    /// A connection that carries nothing for this long is closed, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idle: Option<f64>,
    /// How long connecting to a server may take, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connect: Option<f64>,
    /// How often servers are checked, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub check: Option<f64>,
    /// Its servers.
    #[serde(default, rename = "server")]
    pub servers: Vec<ServerConfig>,
}

/// `[[l4.server]]`.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ServerConfig {
    /// What it is called; its address when there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Where it is reached.
    pub address: SocketAddr,
}

/// The attribute that says what name a certificate must have.
pub(crate) const CERTIFICATE: &str = "certificate";

fn default_algorithm() -> String {
    "hash".to_owned()
}

fn default_key() -> String {
    "call-id".to_owned()
}

fn default_transport() -> String {
    "udp".to_owned()
}

const fn default_interval() -> u32 {
    300
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
const fn is_default_interval(interval: &u32) -> bool {
    *interval == default_interval()
}

const fn default_weight() -> u32 {
    100
}

/// Why a configuration is none.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{path}: {source}")]
    Read {
        /// The file.
        path: String,
        /// What the system says.
        source: std::io::Error,
    },
    /// It is not what it should be.
    #[error("{0}")]
    Toml(#[from] toml::de::Error),
    /// The sets are no list.
    #[error("{0}")]
    List(#[from] ListError),
    /// A value is not one of those that there are.
    #[error("{key}: {value:?} is none of {known}")]
    Unknown {
        /// The key of the file.
        key: &'static str,
        /// What it says.
        value: String,
        /// What it may say.
        known: &'static str,
    },
    /// What is listened on makes no sense.
    #[error("{0}")]
    Sense(&'static str),
}

impl Config {
    /// Reads a file.
    ///
    /// # Errors
    /// When it cannot be read or is wrong.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| ConfigError::Read { path: path.display().to_string(), source })?;
        Self::parse(&text)
    }

    /// Reads text. What is wrong with it is told with its line.
    ///
    /// # Errors
    /// When it is wrong.
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        let config: Self = toml::from_str(text)?;
        config.list()?;
        config.probe.settings()?;
        config.secret()?;
        let takes_sip = !config.sip.udp.is_empty() || !config.sip.tcp.is_empty() || !config.sip.tls.is_empty();
        if !takes_sip && config.l4.is_empty() {
            return Err(ConfigError::Sense("[sip]: nothing is listened on"));
        }
        if !takes_sip && !config.sets.is_empty() {
            return Err(ConfigError::Sense("[sip]: nothing is listened on for the sets"));
        }
        balancers(&config.l4)?;
        if !config.sip.tls.is_empty() && (config.sip.certificate.is_none() || config.sip.key.is_none()) {
            return Err(ConfigError::Sense("[sip]: tls wants a certificate and a key"));
        }
        if config.http.as_ref().is_some_and(|http| !http.listen.ip().is_loopback() && http.token.is_none()) {
            return Err(ConfigError::Sense("[http]: an address that others reach wants a token"));
        }
        if config.share.is_some() && config.dispatcher.secret.is_none() {
            return Err(ConfigError::Sense("[share]: dispatchers that share want a secret in [dispatcher]"));
        }
        if let Some(host) = &config.sip.advertise {
            host.parse::<Host>().map_err(|_| ConfigError::Sense("[sip]: advertise is no host"))?;
        }
        config.aliases()?;
        Ok(config)
    }

    /// The addresses of the other dispatchers.
    ///
    /// # Errors
    /// When they are none.
    pub fn aliases(&self) -> Result<Vec<HostPort>, ConfigError> {
        let parse = |alias: &String| alias.parse::<HostPort>();
        let aliases: Result<_, _> = self.sip.aliases.iter().map(parse).collect();
        aliases.map_err(|_| ConfigError::Sense("[sip]: aliases are hosts with ports"))
    }

    /// The sets as a list.
    ///
    /// # Errors
    /// When they are none.
    pub fn list(&self) -> Result<List, ConfigError> {
        list(&self.sets)
    }

    /// The secret, random when none is configured.
    ///
    /// # Errors
    /// When it is too short.
    pub fn secret(&self) -> Result<Secret, ConfigError> {
        match &self.dispatcher.secret {
            Some(secret) => Secret::new(secret.as_bytes())
                .map_err(|_| ConfigError::Sense("[dispatcher]: a secret has at least 16 characters")),
            None => {
                let mut seed = [0; 32];
                getrandom::fill(&mut seed).map_err(|_| ConfigError::Sense("the system has no randomness"))?;
                Ok(Secret::from_seed(seed))
            }
        }
    }

    /// The address that stands for a listener.
    #[must_use]
    pub fn advertised(&self, local: SocketAddr) -> HostPort {
        match self.sip.advertise.as_ref().and_then(|host| host.parse::<Host>().ok()) {
            Some(host) => HostPort::new(host, Some(local.port())),
            None => HostPort::from(local),
        }
    }

    /// Whether calls stay in our path.
    #[must_use]
    pub fn record_route(&self) -> bool {
        self.sip.record_route.unwrap_or(true)
    }

    /// The settings of a shard's dispatcher, which probes only destinations of these transports.
    ///
    /// # Errors
    /// When those of probing are wrong.
    pub fn dispatcher(&self, probed: &[Transport], share: bool) -> Result<dispatcher::Config, ConfigError> {
        let mut config = dispatcher::Config {
            probe: ProbeConfig { only: Some(probed.to_vec()), ..self.probe.settings()? },
            follow_calls: self.record_route(),
            share,
            ..dispatcher::Config::default()
        };
        if let Some(calls) = self.dispatcher.calls {
            config.record.calls = calls;
            config.record.others = calls / 2;
        }
        Ok(config)
    }
}

/// Whether balancers make sense together.
///
/// # Errors
/// When names are empty or come twice, or times are out of bounds.
pub(crate) fn balancers(all: &[BalancerConfig]) -> Result<(), ConfigError> {
    for (place, balancer) in all.iter().enumerate() {
        let is_named = |name: &str| !name.is_empty() && name.len() <= 128 && !name.contains(char::is_control);
        if !is_named(&balancer.name) || all.iter().take(place).any(|other| other.name == balancer.name) {
            return Err(ConfigError::Sense("[[l4]]: each has a name of its own"));
        }
        let mut names: Vec<String> = balancer.servers.iter().map(ServerConfig::name).collect();
        names.sort();
        if !names.iter().all(|name| is_named(name)) || names.iter().zip(names.iter().skip(1)).any(|(a, b)| a == b) {
            return Err(ConfigError::Sense("[[l4.server]]: each has a name of its own"));
        }
        balancer.settings()?;
    }
    Ok(())
}

impl BalancerConfig {
    /// What the balancer is started with.
    ///
    /// # Errors
    /// When times are out of bounds.
    pub fn settings(&self) -> Result<l4::Config, ConfigError> {
        let mut settings = l4::Config::new(self.listen, self.targets());
        settings.algorithm = self.algorithm;
        settings.connections = self.connections.unwrap_or(settings.connections);
        let times =
            [(self.idle, &mut settings.idle), (self.connect, &mut settings.connect), (self.check, &mut settings.check)];
        for (given, time) in times {
            let Some(seconds) = given else { continue };
            *time = Duration::try_from_secs_f64(seconds)
                .ok()
                .filter(|span| (Duration::from_millis(10)..=Duration::from_secs(1_000_000)).contains(span))
                .ok_or(ConfigError::Sense("[[l4]]: times are between 0.01 and 1000000 seconds"))?;
        }
        Ok(settings)
    }

    /// Names and addresses of its servers.
    #[must_use]
    pub fn targets(&self) -> Vec<(String, SocketAddr)> {
        self.servers.iter().map(|server| (server.name(), server.address)).collect()
    }
}

impl ServerConfig {
    /// What it is called.
    #[must_use]
    pub fn name(&self) -> String {
        self.name.clone().unwrap_or_else(|| self.address.to_string())
    }
}

impl Probe {
    fn settings(&self) -> Result<ProbeConfig, ConfigError> {
        let default = ProbeConfig::default();
        let span = |seconds: Option<f64>, other| match seconds {
            None => Ok(other),
            Some(seconds) => Duration::try_from_secs_f64(seconds)
                .ok()
                .filter(|span| (Duration::from_millis(10)..=Duration::from_secs(3_600)).contains(span))
                .ok_or(ConfigError::Sense("[probe]: times are between 0.01 and 3600 seconds")),
        };
        let accept = match &self.accept {
            None => default.accept,
            Some(ranges) => ranges.iter().map(|range| codes(range)).collect::<Result<_, _>>()?,
        };
        Ok(ProbeConfig {
            enabled: self.enabled.unwrap_or(default.enabled),
            interval: span(self.interval, default.interval)?,
            timeout: span(self.timeout, default.timeout)?,
            down: self.down.unwrap_or(default.down).max(1),
            up: self.up.unwrap_or(default.up).max(1),
            accept,
            only: None,
        })
    }
}

fn codes(range: &str) -> Result<RangeInclusive<u16>, ConfigError> {
    let (first, last) = range.split_once('-').unwrap_or((range, range));
    let code = |text: &str| text.trim().parse::<u16>().ok().filter(|code| (200..=699).contains(code));
    match (code(first), code(last)) {
        (Some(first), Some(last)) if first <= last => Ok(first..=last),
        _ => Err(ConfigError::Unknown { key: "accept", value: range.to_owned(), known: "200 to 699, such as 200-299" }),
    }
}

/// Sets as a list.
///
/// # Errors
/// When they are none.
pub fn list(sets: &[SetConfig]) -> Result<List, ConfigError> {
    let sets = sets.iter().map(SetConfig::to_set).collect::<Result<Vec<Set>, ConfigError>>()?;
    Ok(List::new(sets)?)
}

impl SetConfig {
    fn to_set(&self) -> Result<Set, ConfigError> {
        self.services.iter().try_for_each(|service| service.service().map(drop))?;
        let algorithm = Algorithm::from_name(&self.algorithm).ok_or_else(|| ConfigError::Unknown {
            key: "algorithm",
            value: self.algorithm.clone(),
            known: "hash, round-robin, weighted, random, least-calls, latency, priority",
        })?;
        let key = match self.key.as_str() {
            "call-id" => Key::CallId,
            "from" => Key::From,
            "to" => Key::To,
            "request-uri" => Key::RequestUri,
            "user" => Key::User,
            name => Key::Header(HeaderName::parse(name.as_bytes()).map_err(|_| ConfigError::Unknown {
                key: "key",
                value: name.to_owned(),
                known: "call-id, from, to, request-uri, user, or the name of a header",
            })?),
        };
        let destinations = self.destinations.iter().map(DestinationConfig::to_destination);
        let mut set = Set::new(self.name.as_str(), destinations.collect::<Result<_, _>>()?)
            .with_algorithm(algorithm)
            .with_key(key);
        set.domains = self.domains.iter().map(|domain| domain.to_ascii_lowercase().into()).collect();
        Ok(set)
    }
}

impl SrvConfig {
    /// What is asked for.
    ///
    /// # Errors
    /// When it is no name of a service, or its transport is unknown.
    pub(crate) fn service(&self) -> Result<Service, ConfigError> {
        let name = self.name.strip_suffix('.').unwrap_or(&self.name).to_ascii_lowercase();
        let labels: Vec<&str> = name.split('.').collect();
        let is_label =
            |label: &&str| (1..=63).contains(&label.len()) && label.bytes().all(|byte| byte.is_ascii_graphic());
        let (Some(service), Some(protocol)) = (labels.first(), labels.get(1)) else {
            return Err(ConfigError::Sense("[[set.srv]]: a name is like _sip._udp.example.com"));
        };
        if labels.len() < 3 || name.len() > 253 || !labels.iter().all(is_label) {
            return Err(ConfigError::Sense("[[set.srv]]: a name is like _sip._udp.example.com"));
        }
        let transport = match (self.transport.as_deref(), *service, *protocol) {
            (Some(transport @ ("udp" | "tcp" | "tls")), ..) => transport,
            (Some(other), ..) => {
                let value = other.to_owned();
                return Err(ConfigError::Unknown { key: "transport", value, known: "udp, tcp, tls" });
            }
            (None, "_sips", _) => "tls",
            (None, _, "_udp") => "udp",
            (None, _, "_tcp") => "tcp",
            (None, ..) => return Err(ConfigError::Sense("[[set.srv]]: this name does not say its transport")),
        };
        if !(1..=86_400).contains(&self.interval) {
            return Err(ConfigError::Sense("[[set.srv]]: interval is between 1 and 86400 seconds"));
        }
        let interval = Duration::from_secs(self.interval.into());
        Ok(Service { transport: transport.to_owned(), interval, name })
    }
}

/// A service whose destinations are asked for.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Service {
    pub(crate) name: String,
    pub(crate) transport: String,
    pub(crate) interval: Duration,
}

impl Service {
    /// What stands for it where its destinations are kept.
    pub(crate) fn key(&self) -> String {
        format!("{} {}", self.transport, self.name)
    }
}

impl DestinationConfig {
    /// A destination of weight 100 that is reached by UDP.
    #[must_use]
    pub fn new(name: &str, address: SocketAddr) -> Self {
        Self::bare(Some(name.to_owned()), address)
    }

    /// One of which nothing else was said.
    pub(crate) fn bare(name: Option<String>, address: SocketAddr) -> Self {
        Self {
            name,
            address,
            transport: default_transport(),
            weight: default_weight(),
            priority: 0,
            capacity: None,
            certificate: None,
            attributes: BTreeMap::new(),
        }
    }

    /// What it is called.
    #[must_use]
    pub fn name(&self) -> String {
        self.name.clone().unwrap_or_else(|| format!("{}:{}", self.transport, self.address))
    }

    fn to_destination(&self) -> Result<Destination, ConfigError> {
        let transport = match self.transport.as_str() {
            "udp" => Transport::Udp,
            "tcp" => Transport::Tcp,
            "tls" => Transport::Tls,
            other => {
                let value = other.to_owned();
                return Err(ConfigError::Unknown { key: "transport", value, known: "udp, tcp, tls" });
            }
        };
        let mut destination = Destination::new(self.name(), transport, self.address)
            .with_weight(self.weight)
            .with_priority(self.priority);
        destination.capacity = self.capacity;
        destination.attributes = self.attributes.clone();
        if let Some(name) = &self.certificate {
            destination.attributes.insert(CERTIFICATE.to_owned(), name.clone());
        }
        Ok(destination)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: &str = include_str!("../dispatcher.toml");

    #[test]
    fn the_file_of_the_readme_is_read_whole() {
        let config = Config::parse(WHOLE).unwrap();
        assert!(config.list().unwrap().sets().iter().any(|set| set.destinations.len() >= 2));
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        for (from, to, word) in [
            ("algorithm = \"hash\"", "algorithm = \"modulo\"", "round-robin"),
            ("weight = 200", "wieght = 200", "wieght"),
            ("transport = \"tcp\"", "transport = \"sctp\"", "udp, tcp, tls"),
            ("name = \"b\"", "name = \"a\"", "\"a\""),
            ("interval = 2.0", "interval = -1.0", "between"),
        ] {
            assert!(WHOLE.contains(from), "{from}");
            let error = Config::parse(&WHOLE.replacen(from, to, 1)).unwrap_err().to_string();
            assert!(error.contains(word), "{error}");
        }
        assert!(Config::parse("[sip]\nudp = []\n").unwrap_err().to_string().contains("nothing is listened on"));
        let open = "[sip]\nudp = [\"127.0.0.1:5060\"]\n[http]\nlisten = \"0.0.0.0:80\"\n";
        assert!(Config::parse(open).unwrap_err().to_string().contains("token"));
    }

    #[test]
    fn a_service_says_its_transport_or_is_told_it() {
        let service = |name: &str, transport: Option<&str>| {
            let transport = transport.map(str::to_owned);
            SrvConfig { name: name.to_owned(), transport, interval: 60 }.service().map(|it| it.key())
        };
        assert_eq!(service("_SIP._UDP.Example.COM.", None).unwrap(), "udp _sip._udp.example.com");
        assert_eq!(service("_sips._tcp.example.com", None).unwrap(), "tls _sips._tcp.example.com");
        assert_eq!(service("_pbx._anything.example.com", Some("tcp")).unwrap(), "tcp _pbx._anything.example.com");
        for (name, transport) in [
            ("example.com", None),
            ("_sip._sctp.example.com", None),
            ("_sip._udp..com", None),
            ("_sip._udp.a", Some("ws")),
        ] {
            assert!(service(name, transport).is_err(), "{name}");
        }
        let text = WHOLE.replacen(
            "[[set.destination]]",
            "[[set.srv]]\nname = \"_sip._udp.example.com\"\n[[set.destination]]",
            1,
        );
        assert_eq!(Config::parse(&text).unwrap().sets[0].services[0].interval, 300);
        assert!(Config::parse(&text.replace("_udp", "_sctp")).is_err());
    }

    #[test]
    fn balancers_of_connections_are_read_alone_and_what_is_wrong_with_them_is_told() {
        let text = "[[l4]]\nname = \"phones\"\nlisten = \"127.0.0.1:5062\"\nalgorithm = \"least-connections\"\nidle = 7.5\n\
                    [[l4.server]]\nname = \"a\"\naddress = \"127.0.0.1:1\"\n[[l4.server]]\naddress = \"127.0.0.1:2\"\n";
        let config = Config::parse(text).unwrap();
        let settings = config.l4[0].settings().unwrap();
        assert_eq!((settings.algorithm, settings.idle), (l4::Algorithm::Leastconn, Duration::from_millis(7_500)));
        assert_eq!(settings.servers[1], ("127.0.0.1:2".to_owned(), "127.0.0.1:2".parse().unwrap()));
        // The words of HAProxy do as well.
        assert!(Config::parse(&text.replace("least-connections", "leastconn")).is_ok());
        for (from, to, word) in [
            ("least-connections", "fastest", "round-robin"),
            ("7.5", "-1.0", "between"),
            ("\"a\"", "\"127.0.0.1:2\"", "of its own"),
            ("\"phones\"", "\"\"", "of its own"),
            ("[[l4]]", "[[set]]\nname = \"x\"\n[[l4]]", "nothing is listened on"),
            ("address = \"127.0.0.1:2\"", "weight = 3", "weight"),
        ] {
            assert!(text.contains(from), "{from}");
            let error = Config::parse(&text.replacen(from, to, 1)).unwrap_err().to_string();
            assert!(error.contains(word), "{error}");
        }
    }
}
