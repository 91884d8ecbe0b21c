//! Settings of an endpoint and of its peers.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use crate::auth::Demand;
use crate::element::AuthMethods;
use crate::reliable::Schedule;
use crate::{Credentials, Format, Formats, Preferences, PublicKey, Secret};

/// Settings of an endpoint, with the limits of everything that a peer could make grow.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Config {
    /// When unacknowledged frames are sent again.
    pub schedule: Schedule,
    /// How often a call is pinged (21 s, Asterisk's); `None` never.
    pub ping_interval: Option<Duration>,
    /// How often a call's lag is asked for (10 s, Asterisk's); `None` never.
    pub lag_interval: Option<Duration>,
    /// How long a caller may take to answer a challenge (30 s).
    pub setup_timeout: Duration,
    /// How long a finished call's number stays taken, to acknowledge what comes again (12 s: two retransmissions).
    pub linger: Duration,
    /// How often trunks are sent (20 ms).
    pub trunk_interval: Duration,
    /// Largest trunk frame (1,240 bytes, Asterisk's).
    pub trunk_mtu: usize,
    /// How often an encrypted call's key is rotated when the peer can (2 minutes); `None` only once, at its beginning.
    pub rotation: Option<Duration>,
    /// Calls, registrations and pokes at once, in all (16,000).
    pub max_legs: usize,
    /// The same from one IP address (2,048, Asterisk's).
    pub max_legs_per_address: usize,
    /// Numbers of finished exchanges that linger (8,000, half of those there are): past it one is free again at once.
    pub max_lingering: usize,
    /// The same from addresses that no token proved (1,024).
    pub max_unvalidated: usize,
    /// Frames of one call that wait for an acknowledgement (64; never more than 120).
    pub max_outstanding: usize,
    /// Peers that can be configured (100,000).
    pub max_peers: usize,
    /// Whether a NEW without USERNAME, and one of an unknown name, must come with a token.
    pub token_policy: TokenPolicy,
    /// Addresses from which tokens are never asked for.
    pub token_exempt: Vec<Network>,
    /// Methods in the challenge that unknown names get (MD5).
    pub decoy_methods: AuthMethods,
    /// Delay that is reported in PONG as the jitter buffer's (40 ms); the buffer is the program's own.
    pub reported_delay: u16,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            schedule: Schedule::default(),
            ping_interval: Some(Duration::from_secs(21)),
            lag_interval: Some(Duration::from_secs(10)),
            setup_timeout: Duration::from_secs(30),
            linger: Duration::from_secs(12),
            trunk_interval: Duration::from_millis(20),
            trunk_mtu: 1240,
            rotation: Some(Duration::from_secs(120)),
            max_legs: 16_000,
            max_legs_per_address: 2_048,
            max_lingering: 8_000,
            max_unvalidated: 1_024,
            max_outstanding: 64,
            max_peers: 100_000,
            token_policy: TokenPolicy::Required,
            token_exempt: Vec::new(),
            decoy_methods: AuthMethods::MD5,
            reported_delay: 40,
        }
    }
}

/// Whether a request must come with a call token (Asterisk's `requirecalltoken`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TokenPolicy {
    /// Always: what protects from spoofed floods.
    #[default]
    Required,
    /// Not at all: for peers that know no tokens. A request that offers to use one gets one nevertheless.
    NotRequired,
    /// Not until the peer has used one.
    Auto,
}

/// A range of IP addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    prefix: u8,
}

impl Network {
    /// All addresses that share so many leading bits with this one.
    pub const fn new(address: IpAddr, prefix: u8) -> Self {
        Self { address, prefix }
    }

    /// Whether an address is in the range.
    pub fn contains(&self, address: IpAddr) -> bool {
        let differs = match (self.address, address) {
            (IpAddr::V4(a), IpAddr::V4(b)) => (a.to_bits() ^ b.to_bits()).leading_zeros(),
            (IpAddr::V6(a), IpAddr::V6(b)) => (a.to_bits() ^ b.to_bits()).leading_zeros(),
            _ => return false,
        };
        differs >= u32::from(self.prefix)
    }
}

/// Where a peer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PeerAddress {
    /// Nowhere: it calls us, we never call it.
    #[default]
    None,
    /// Always here.
    Fixed(SocketAddr),
    /// Where it registers from.
    Dynamic,
}

/// Encryption of calls with a peer. See the crate page on what it is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Encryption {
    /// Never.
    #[default]
    Off,
    /// When the other side can.
    Offered,
    /// Always: calls that are not encrypted are refused.
    Required,
}

/// Who chooses the format of a call (Asterisk's `codecpriority`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Negotiation {
    /// We do, by our preferences.
    #[default]
    Host,
    /// The caller does, by its preferences.
    Caller,
    /// The caller does, by its one requested format, among those that both have.
    Request,
    /// Only the requested format is accepted.
    RequestOnly,
}

/// How a trunk to a peer is written. It is not negotiated: both sides must be told the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TrunkMode {
    /// Each entry carries its call's timestamp: two bytes more, and exact times for jitter buffers.
    pub timestamps: bool,
}

/// How a peer's reachability is watched (Asterisk's `qualify`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Qualify {
    /// A round trip above this is lagged, and above twice this unreachable (2 s).
    pub limit: Duration,
    /// How often a good peer is poked (60 s).
    pub good: Duration,
    /// How often a bad one is (10 s).
    pub bad: Duration,
    /// Take the mean of the last two round trips.
    pub smoothing: bool,
}

impl Default for Qualify {
    fn default() -> Self {
        Self {
            limit: Duration::from_secs(2),
            good: Duration::from_secs(60),
            bad: Duration::from_secs(10),
            smoothing: false,
        }
    }
}

/// One peer: how it proves itself, how we prove ourselves to it, and what it may do.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct PeerConfig {
    /// The name under which it comes.
    pub name: String,
    /// Where it is.
    pub address: PeerAddress,
    /// It may call us.
    pub may_call: bool,
    /// Secrets of which it must show one. With neither secret nor key it is a guest.
    pub secrets: Vec<Secret>,
    /// Keys of which one must have signed.
    pub keys: Vec<PublicKey>,
    /// Methods that it may use: MD5, or RSA when there are only keys. Plaintext only when named here.
    pub methods: Option<AuthMethods>,
    /// What we show when it challenges us.
    pub credentials: Credentials,
    /// Contexts that it may call into; the first is the default. None means any.
    pub contexts: Vec<String>,
    /// Addresses that it may come from. None means any.
    pub allowed: Vec<Network>,
    /// Formats for calls with it.
    pub formats: Formats,
    /// The order in which we like them.
    pub preferences: Preferences,
    /// Who chooses the format of its calls.
    pub negotiation: Negotiation,
    /// Whether it must use call tokens.
    pub token: TokenPolicy,
    /// Encryption of calls with it.
    pub encryption: Encryption,
    /// Voice of calls with it goes by trunk. Encrypted calls never do: they go as encrypted mini frames.
    pub trunk: Option<TrunkMode>,
    /// Whether it is watched.
    pub qualify: Option<Qualify>,
    /// It may ask us to send a call elsewhere (TXREQ).
    pub may_transfer: bool,
    /// Calls with it at once.
    pub max_calls: usize,
    /// Shortest registration that it may have (60 s).
    pub min_refresh: Duration,
    /// Longest registration that it may have (one hour).
    pub max_refresh: Duration,
}

impl PeerConfig {
    /// A peer of this name that may call with G.711 and nothing else configured.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            address: PeerAddress::None,
            may_call: true,
            secrets: Vec::new(),
            keys: Vec::new(),
            methods: None,
            credentials: Credentials::default(),
            contexts: Vec::new(),
            allowed: Vec::new(),
            formats: Formats::G711,
            preferences: Preferences::new([Format::ULAW, Format::ALAW]),
            negotiation: Negotiation::Host,
            token: TokenPolicy::Required,
            encryption: Encryption::Off,
            trunk: None,
            qualify: None,
            may_transfer: false,
            max_calls: usize::MAX,
            min_refresh: Duration::from_secs(60),
            max_refresh: Duration::from_secs(3600),
        }
    }

    /// The same with one secret for both directions, and its own name as our username there.
    #[must_use]
    pub fn with_secret(mut self, secret: impl Into<Secret>) -> Self {
        let secret = secret.into();
        self.credentials = Credentials::new(self.name.clone(), secret.clone());
        self.secrets = vec![secret];
        self
    }

    /// The same at a fixed address.
    #[must_use]
    pub fn at(mut self, address: SocketAddr) -> Self {
        self.address = PeerAddress::Fixed(address);
        self
    }

    /// The same where it registers from.
    #[must_use]
    pub fn dynamic(mut self) -> Self {
        self.address = PeerAddress::Dynamic;
        self
    }

    pub(crate) fn demand(&self) -> Demand {
        Demand { methods: self.methods, secrets: self.secrets.clone(), keys: self.keys.clone() }
    }

    pub(crate) fn allows(&self, address: IpAddr) -> bool {
        self.allowed.is_empty() || self.allowed.iter().any(|network| network.contains(address))
    }

    pub(crate) fn allows_context(&self, context: Option<&str>) -> bool {
        match context {
            Some(context) => self.contexts.is_empty() || self.contexts.iter().any(|allowed| allowed == context),
            None => true,
        }
    }
}

/// The format of a call among what both sides have (RFC 5456 §8.6.7, §8.6.8, §8.6.35).
pub(crate) fn negotiate(
    ours: Formats,
    preferences: &Preferences,
    policy: Negotiation,
    theirs: Formats,
    their_preferences: &Preferences,
    requested: Option<Format>,
) -> Option<Format> {
    let common = ours.and(theirs);
    let requested = requested.filter(|format| ours.contains(*format));
    let fallback = |first: Option<Format>| first.or(requested).or_else(|| common.best());
    match policy {
        Negotiation::RequestOnly => requested,
        Negotiation::Request => fallback(requested.or_else(|| their_preferences.first_in(common))),
        Negotiation::Caller => fallback(their_preferences.first_in(common).or(requested)),
        Negotiation::Host => fallback(preferences.first_in(common)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_policy_chooses_as_it_says() {
        let (ours, theirs) = (Formats::G711.with(Format::GSM), Formats::G711.with(Format::GSM).with(Format::G722));
        let (us, them) = (Preferences::new([Format::ALAW]), Preferences::new([Format::G722, Format::GSM]));
        let choose = |policy, requested| negotiate(ours, &us, policy, theirs, &them, requested);
        assert_eq!(choose(Negotiation::Host, Some(Format::ULAW)), Some(Format::ALAW));
        assert_eq!(choose(Negotiation::Caller, Some(Format::ULAW)), Some(Format::GSM));
        assert_eq!(choose(Negotiation::Request, Some(Format::ULAW)), Some(Format::ULAW));
        assert_eq!(choose(Negotiation::RequestOnly, Some(Format::G722)), None);
        let none = negotiate(Formats(2), &us, Negotiation::Host, Formats(8), &them, Some(Format::ALAW));
        assert_eq!(none, None);
    }

    #[test]
    fn a_network_holds_what_shares_its_prefix() {
        let network = Network::new("192.0.2.0".parse().unwrap(), 24);
        assert!(network.contains("192.0.2.77".parse().unwrap()));
        assert!(!network.contains("192.0.3.1".parse().unwrap()));
        assert!(!network.contains("::1".parse().unwrap()));
        assert!(Network::new("::".parse().unwrap(), 0).contains("2001:db8::1".parse().unwrap()));
    }
}
