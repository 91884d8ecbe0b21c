//! Somebody who speaks SIP with us: a phone, or another exchange.

use std::{fmt, time::Duration};

use sip_core::uri::HostPort;
use sip_transaction::Transport;

use super::{Acl, Codec, Network};

/// `[[account]]`: somebody who may register and call. In Asterisk's files a section of `sip.conf`, or an endpoint with
/// its aor and auth.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Its name, which `Dial(SIP/name)` uses; for phones also what they register as.
    pub name: String,
    /// Digest password, with which it proves itself, and we to it unless there is a `remote_secret`.
    pub secret: Option<Secret>,
    /// Instead of the password: MD5 of `user:realm:password` in hexadecimal digits (Asterisk's `md5secret`). Proves it
    /// under the algorithm MD5 only.
    pub md5_secret: Option<Secret>,
    /// Digest user name, when it is not its name.
    pub user: Option<String>,
    /// The name that the other phone shows; the number when absent.
    pub caller_id: Option<String>,
    /// The number that the other phone shows; the account's name when absent.
    pub caller_number: Option<String>,
    /// The context of the dialplan in which its calls begin: all that it can reach.
    pub context: String,
    /// Where it is.
    pub address: Address,
    /// How calls to it travel; `None` for UDP, and for phones as they registered.
    pub transport: Option<Transport>,
    /// Media formats in the order of preference; `None` for G.711, mu-law first.
    pub codecs: Option<Vec<Codec>>,
    /// How digits travel.
    pub dtmf: DtmfMode,
    /// It is asked for a sign of life (OPTIONS) this often and counts as unreachable without one in time; `None` never.
    pub qualify: Option<Qualify>,
    /// Calls from where it is (`address`) are taken as its own without a password.
    pub trust_address: bool,
    /// Other addresses from which calls are taken as its own without a password.
    pub trusted: Vec<Network>,
    /// Addresses that it may come from at all.
    pub acl: Acl,
    /// The user of the request URI towards a fixed address, when the dialplan names none.
    pub remote_extension: Option<String>,
    /// The user name that we show when it asks us for a password; its own when absent.
    pub remote_user: Option<String>,
    /// The password that we show it then.
    pub remote_secret: Option<Secret>,
    /// The user of our From towards it, instead of the caller's number.
    pub from_user: Option<String>,
    /// The host of our From towards it, instead of our own.
    pub from_domain: Option<String>,
    /// Calls at once; `None` for the common limit.
    pub max_calls: Option<usize>,
    /// Phones registered at once; `None` for the common limit.
    pub max_contacts: Option<usize>,
    /// One phone too many takes the place of the one that registered longest ago, instead of being refused.
    pub remove_existing: bool,
}

impl Account {
    /// A phone that registers, with nothing said but name and password.
    #[must_use]
    pub fn new(name: impl Into<String>, secret: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            secret: Some(Secret::new(secret)),
            md5_secret: None,
            user: None,
            caller_id: None,
            caller_number: None,
            context: DEFAULT_CONTEXT.to_owned(),
            address: Address::Dynamic,
            transport: None,
            codecs: None,
            dtmf: DtmfMode::default(),
            qualify: None,
            trust_address: false,
            trusted: Vec::new(),
            acl: Acl::default(),
            remote_extension: None,
            remote_user: None,
            remote_secret: None,
            from_user: None,
            from_domain: None,
            max_calls: None,
            max_contacts: None,
            remove_existing: false,
        }
    }

    /// Whether its password is the one that everybody knows.
    #[must_use]
    pub fn has_demo_secret(&self) -> bool {
        self.secret.as_ref().is_some_and(|secret| secret.expose() == super::DEMO_SECRET)
    }

    /// The digest user name.
    #[must_use]
    pub fn user(&self) -> &str {
        self.user.as_deref().unwrap_or(&self.name)
    }

    /// Whether it can prove who it is by a password.
    #[must_use]
    pub fn has_password(&self) -> bool {
        self.secret.is_some() || self.md5_secret.is_some()
    }

    /// The number of its calls.
    #[must_use]
    pub fn number(&self) -> &str {
        self.caller_number.as_deref().unwrap_or(&self.name)
    }

    /// Media formats in the order of preference.
    #[must_use]
    pub fn codecs(&self) -> &[Codec] {
        self.codecs.as_deref().unwrap_or(&[Codec::Ulaw, Codec::Alaw])
    }

    /// What we show when it asks us who we are: user name and password.
    #[must_use]
    pub fn remote_credentials(&self) -> Option<(&str, &Secret)> {
        let secret = self.remote_secret.as_ref().or(self.secret.as_ref())?;
        Some((self.remote_user.as_deref().unwrap_or(&self.name), secret))
    }
}

/// The context of accounts that name none.
pub const DEFAULT_CONTEXT: &str = "default";

/// Where somebody is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Address {
    /// Where it registered from.
    #[default]
    Dynamic,
    /// Always there.
    Fixed(HostPort),
    /// Nowhere: it calls us, we never call it.
    Nowhere,
}

/// How digits travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum DtmfMode {
    /// As telephone events in RTP (RFC 4733) when they are negotiated, else by INFO.
    #[default]
    Auto,
    /// As telephone events in RTP only.
    Rfc4733,
    /// By INFO with `application/dtmf-relay`.
    Info,
    /// As tones, which are passed on and not understood.
    Inband,
}

impl DtmfMode {
    /// The name in our files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Rfc4733 => "rfc4733",
            Self::Info => "info",
            Self::Inband => "inband",
        }
    }

    /// The mode of a name, Asterisk's `rfc2833` and `auto_info` among them.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Some(match name.to_ascii_lowercase().as_str() {
            "auto" | "auto_info" => Self::Auto,
            "rfc4733" | "rfc2833" => Self::Rfc4733,
            "info" | "shortinfo" => Self::Info,
            "inband" => Self::Inband,
            _ => return None,
        })
    }
}

/// How a SIP account's reachability is watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Qualify {
    /// An answer later than this is too late: the account is lagged.
    pub limit: Duration,
    /// How often it is asked.
    pub every: Duration,
}

impl Default for Qualify {
    fn default() -> Self {
        Self { limit: Duration::from_secs(2), every: Duration::from_secs(60) }
    }
}

/// `[[sip.registration]]`: we register at another server (`register =>` in `sip.conf`, `type=registration` in
/// `pjsip.conf`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SipRegistration {
    /// The user that we register.
    pub user: String,
    /// Digest user name, when it is another.
    pub auth_user: Option<String>,
    /// The domain of the address of record, when it is not `host`.
    pub domain: Option<HostPort>,
    /// The password.
    pub secret: Option<Secret>,
    /// The server.
    pub host: HostPort,
    /// How requests travel; `None` for UDP.
    pub transport: Option<Transport>,
    /// The user of our contact, which calls then are for.
    pub extension: String,
    /// How long a registration is asked to last.
    pub expires: Duration,
    /// How long to wait after a failure before the next try; it grows up to ten times.
    pub retry: Duration,
}

impl SipRegistration {
    /// A registration with nothing said but who, where and the password.
    #[must_use]
    pub fn new(user: impl Into<String>, secret: Option<Secret>, host: HostPort) -> Self {
        Self {
            user: user.into(),
            auth_user: None,
            domain: None,
            secret,
            host,
            transport: None,
            extension: "s".to_owned(),
            expires: Self::EXPIRES,
            retry: Self::RETRY,
        }
    }

    /// How long a registration is asked to last when nothing is said.
    pub const EXPIRES: Duration = Duration::from_secs(3600);
    /// How long to wait after the first failure when nothing is said.
    pub const RETRY: Duration = Duration::from_secs(30);
}

/// A password, which is never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a password.
    pub fn new(secret: impl Into<String>) -> Self {
        Self(secret.into())
    }

    /// The password itself, for the one place that hashes it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}
