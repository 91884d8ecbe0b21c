//! The configuration: a TOML file, or the demo that is built in.
//!
//! A mistake in the file is told with file, line and what was expected; all mistakes are told at once.

mod account;
mod codec;
mod file;
mod generate;
mod iax;
mod map;
mod network;
mod problem;
mod write;

use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
    ops::RangeInclusive,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

pub use account::{Account, Address, DEFAULT_CONTEXT, DtmfMode, Qualify, Secret, SipRegistration};
pub use codec::{Codec, NoCodec};
pub(crate) use file::read_ports;
pub use iax::{Iax, IaxPeer, IaxRegistration};
pub use network::{Acl, Network, NoNetwork, Rule};
pub use problem::{ConfigError, Problem};
use sip_core::auth::Algorithm;

use crate::dialplan::Dialplan;

/// The built-in configuration, commented: also what `--sample` prints.
pub const DEMO: &str = include_str!("../../demo.toml");

/// The secret of the demo accounts. Everybody knows it, so that with it only loopback addresses are accepted.
pub const DEMO_SECRET: &str = "1234";

/// Everything that the program can be told.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "the tables of the file, each documented below")]
pub struct Config {
    /// The name of this system in records and logs.
    pub name: Option<String>,
    pub sip: Sip,
    pub accounts: Vec<Account>,
    /// Where we register with SIP.
    pub registrations: Vec<SipRegistration>,
    pub iax: Iax,
    /// `[extensions]`, which are in `dialplan` too when it is generated. Here for those who are told of them.
    pub extensions: BTreeMap<String, Application>,
    /// What is done with calls.
    pub dialplan: Arc<Dialplan>,
    /// Where `dialplan` came from.
    pub dialplan_source: DialplanSource,
    /// Addresses that mean others: with `192.168.0.3=127.0.2.3` this machine plays the one that is configured. Applied
    /// to every configured address already.
    pub address_map: Vec<(IpAddr, IpAddr)>,
    /// Addresses of the host names that are configured, once they were asked for; see [`Config::resolve`].
    pub resolved: BTreeMap<String, IpAddr>,
    pub registration: Registration,
    pub calls: Calls,
    pub rtp: Rtp,
    pub limits: Limits,
    pub http: Http,
    pub cdr: Cdr,
}

impl Default for Config {
    /// What a file means that says nothing: no accounts, and all else as in [`DEMO`].
    fn default() -> Self {
        let local = SocketAddr::from(([127, 0, 0, 1], 5060));
        Self {
            name: None,
            sip: Sip {
                udp: vec![local],
                tcp: vec![local],
                advertised: None,
                realm: "tandem".to_owned(),
                trusted: Vec::new(),
                balancers: Vec::new(),
                algorithms: vec![Algorithm::Md5],
                nonce_time: Duration::from_secs(300),
            },
            accounts: Vec::new(),
            registrations: Vec::new(),
            iax: Iax::default(),
            extensions: BTreeMap::from([
                ("600".to_owned(), Application::Echo),
                ("601".to_owned(), Application::Milliwatt),
            ]),
            dialplan: Arc::default(),
            dialplan_source: DialplanSource::Generated,
            address_map: Vec::new(),
            resolved: BTreeMap::new(),
            registration: Registration {
                min_expires: Duration::from_secs(60),
                max_expires: Duration::from_secs(3600),
                per_account: 8,
            },
            calls: Calls {
                ring_time: Duration::from_secs(30),
                drain_time: Duration::from_secs(30),
                max_time: Duration::from_secs(4 * 3600),
                media_timeout: Some(Duration::from_secs(60)),
            },
            rtp: Rtp { ports: 10_000..=14_999, address: None, advertised: None },
            limits: Limits {
                calls: 1000,
                calls_per_account: 100,
                transactions: 20_000,
                connections: 2_000,
                connections_per_address: 100,
            },
            http: Http { listen: Some(SocketAddr::from(([127, 0, 0, 1], 8080))), exposed: false },
            cdr: Cdr { path: Some(default_cdr_path()) },
        }
    }
}

/// Where a dialplan came from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum DialplanSource {
    /// Made of `[extensions]` and the accounts.
    #[default]
    Generated,
    /// A file such as `extensions.conf`.
    File(PathBuf),
    /// Text in the configuration itself.
    Text(String),
}

/// `[sip]`: where signalling is heard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sip {
    /// UDP addresses.
    pub udp: Vec<SocketAddr>,
    /// TCP addresses.
    pub tcp: Vec<SocketAddr>,
    /// Host name or address that phones are told, when it is not the one listened on.
    pub advertised: Option<String>,
    /// The digest realm (RFC 7616 §3.3).
    pub realm: String,
    /// Addresses that may call without a password.
    pub trusted: Vec<IpAddr>,
    /// Addresses that many phones come from: neither the limit of connections by address nor the ban of guessers counts there.
    pub balancers: Vec<IpAddr>,
    /// The digest algorithms to offer, the preferred one first.
    pub algorithms: Vec<Algorithm>,
    /// How long a digest nonce is accepted.
    pub nonce_time: Duration,
}

/// What a number that is nobody's phone does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Application {
    /// Sends back what it hears.
    Echo,
    /// Plays 1004 Hz at 0 dBm0.
    Milliwatt,
}

impl Application {
    /// The name in Asterisk's columns and records.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Echo => "Echo",
            Self::Milliwatt => "Milliwatt",
        }
    }

    /// What a person who dials it hears.
    #[must_use]
    pub fn teaches(self) -> &'static str {
        match self {
            Self::Echo => "echo: you hear yourself",
            Self::Milliwatt => "milliwatt: a steady 1004 Hz tone",
        }
    }
}

/// `[registration]`: what a REGISTER may ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Registration {
    /// Shorter requests are refused with 423 (RFC 3261 §10.3).
    pub min_expires: Duration,
    /// Longer requests are shortened.
    pub max_expires: Duration,
    /// Contacts an account may have at once.
    pub per_account: usize,
}

/// `[calls]`: how long things may last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Calls {
    /// How long a phone rings before the caller is told 480.
    pub ring_time: Duration,
    /// How long running calls may go on once the program is told to stop.
    pub drain_time: Duration,
    /// The longest call.
    pub max_time: Duration,
    /// A call in which nobody sends media for this long is ended; `None` for never.
    pub media_timeout: Option<Duration>,
}

/// `[rtp]`: where media is heard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rtp {
    /// The ports, of which each phone in a call takes an even one and the odd one after it.
    pub ports: RangeInclusive<u16>,
    /// The address media is received on.
    pub address: Option<IpAddr>,
    /// The address SDP names.
    pub advertised: Option<IpAddr>,
}

/// `[limits]`: how much is taken in before it is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Calls at once.
    pub calls: usize,
    /// Calls at once from one account.
    pub calls_per_account: usize,
    /// Transactions at once.
    pub transactions: usize,
    /// Connections at once.
    pub connections: usize,
    /// Connections at once from one address.
    pub connections_per_address: usize,
}

/// `[http]`: the page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Http {
    /// Where it listens; `None` for no page.
    pub listen: Option<SocketAddr>,
    /// Whether an address other machines reach is allowed.
    pub exposed: bool,
}

/// `[cdr]`: the records of calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cdr {
    /// The file; `None` for no records.
    pub path: Option<PathBuf>,
}

impl Config {
    /// The configuration that is built in.
    ///
    /// # Errors
    /// Never, unless the built-in file is broken, which a test rules out.
    pub fn demo() -> Result<Self, ConfigError> {
        Self::parse(Path::new("(built in)"), DEMO)
    }

    /// Reads a file.
    ///
    /// # Errors
    /// Tells every mistake with file and line.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        Self::load_with(path, &mut Vec::new())
    }

    /// Reads a file, and tells what in its dialplan is left out.
    ///
    /// # Errors
    /// Tells every mistake with file and line.
    pub fn load_with(path: &Path, warnings: &mut Vec<crate::asterisk::file::Problem>) -> Result<Self, ConfigError> {
        let text =
            std::fs::read_to_string(path).map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
        Self::parse_with(path, &text, warnings)
    }

    /// Reads the text of a file; `path` only names it in errors.
    ///
    /// # Errors
    /// Tells every mistake with file and line.
    pub fn parse(path: &Path, text: &str) -> Result<Self, ConfigError> {
        file::parse(path, text, &mut Vec::new())
    }

    /// Reads the text of a file, and tells what in its dialplan is left out.
    ///
    /// # Errors
    /// Tells every mistake with file and line.
    pub fn parse_with(
        path: &Path,
        text: &str,
        warnings: &mut Vec<crate::asterisk::file::Problem>,
    ) -> Result<Self, ConfigError> {
        file::parse(path, text, warnings)
    }

    /// Checks what no single line of the file says: which addresses may be used with which secrets.
    ///
    /// # Errors
    /// Names the address and the way out.
    pub fn check_exposure(&self) -> Result<(), ConfigError> {
        self.check_exposure_of(true)
    }

    pub(crate) fn check_exposure_of(&self, secrets: bool) -> Result<(), ConfigError> {
        let demo = self.accounts.iter().filter(|account| account.has_demo_secret());
        let names: Vec<_> = demo.map(|account| account.name.clone()).collect();
        let listeners = self.sip.udp.iter().chain(&self.sip.tcp);
        if let Some(address) = listeners.clone().find(|address| !address.ip().is_loopback())
            && !names.is_empty()
            && secrets
        {
            return Err(ConfigError::DemoSecret { address: *address, accounts: names.join(", ") });
        }
        if let Some(address) = self.http.listen
            && !address.ip().is_loopback()
            && !self.http.exposed
        {
            return Err(ConfigError::ExposedPage { address });
        }
        Ok(())
    }

    /// The account of that name.
    #[must_use]
    pub fn account(&self, name: &str) -> Option<&Account> {
        self.accounts.iter().find(|account| account.name == name)
    }
}

/// The file of call records when the configuration names none: in the user's state folder, so that a first start
/// leaves nothing in the working directory.
#[must_use]
pub fn default_cdr_path() -> PathBuf {
    let state = std::env::var_os("XDG_STATE_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".local/state")))
        .unwrap_or_else(std::env::temp_dir);
    state.join("tandem-pbx").join("Master.csv")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_demo_is_a_valid_configuration_with_four_accounts_on_loopback() {
        let config = Config::demo().unwrap();
        let names: Vec<_> = config.accounts.iter().map(|account| account.name.as_str()).collect();
        assert_eq!(names, ["1001", "1002", "1003", "1004"]);
        assert!(config.accounts.iter().all(|account| account.has_demo_secret()));
        assert_eq!(config.sip.udp, ["127.0.0.1:5060".parse().unwrap()]);
        assert_eq!(config.sip.tcp, ["127.0.0.1:5060".parse().unwrap()]);
        assert_eq!(config.http.listen, Some("127.0.0.1:8080".parse().unwrap()));
        assert_eq!(config.extensions.get("600"), Some(&Application::Echo));
        assert_eq!(config.extensions.get("601"), Some(&Application::Milliwatt));
        config.check_exposure().unwrap();
    }

    #[test]
    fn what_the_demo_writes_out_is_what_a_file_without_it_means() {
        let demo = Config::demo().unwrap();
        let bare = Config::parse(Path::new("bare"), "[[account]]\nname = '1001'\nsecret = '1234'\n").unwrap();
        assert_eq!(bare.sip, demo.sip);
        assert_eq!(bare.extensions, demo.extensions);
        assert_eq!(bare.registration, demo.registration);
        assert_eq!(bare.calls, demo.calls);
        assert_eq!(bare.rtp, demo.rtp);
        assert_eq!(bare.limits, demo.limits);
        assert_eq!(bare.http, demo.http);
        assert_eq!(bare.cdr, demo.cdr);
    }

    #[test]
    fn demo_secrets_on_an_address_that_others_reach_are_refused() {
        let mut config = Config::demo().unwrap();
        config.sip.tcp = vec!["0.0.0.0:5060".parse().unwrap()];
        let error = config.check_exposure().unwrap_err().to_string();
        assert!(error.contains("0.0.0.0:5060"), "{error}");
        assert!(error.contains("1001"), "{error}");
        for account in &mut config.accounts {
            account.secret = Some(Secret::new("Shai3ohn"));
        }
        config.check_exposure().unwrap();
    }

    #[test]
    fn a_page_that_others_reach_needs_to_be_asked_for() {
        let mut config = Config::demo().unwrap();
        config.http.listen = Some("0.0.0.0:8080".parse().unwrap());
        assert!(config.check_exposure().unwrap_err().to_string().contains("exposed = true"));
        config.http.exposed = true;
        config.check_exposure().unwrap();
    }

    #[test]
    fn a_secret_is_never_printed() {
        let printed = format!("{:?}", Config::demo().unwrap());
        assert!(!printed.contains("\"1234\""), "{printed}");
    }
}
