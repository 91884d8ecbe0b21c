//! `[iax]`: other exchanges that speak IAX2 with us.

use std::{net::SocketAddr, time::Duration};

use iax2::element::AuthMethods;
use sip_core::uri::HostPort;

use super::{Acl, Address, Codec, Network, Secret};

/// `[iax]`: where IAX2 is heard, and the peers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Iax {
    /// UDP addresses; none when IAX2 is off.
    pub listen: Vec<SocketAddr>,
    /// Who may call us, and whom we call.
    pub peers: Vec<IaxPeer>,
    /// Where we register.
    pub registrations: Vec<IaxRegistration>,
    /// How often trunks are sent.
    pub trunk_interval: Duration,
    /// Whether entries of trunks carry timestamps. Both sides must be told the same.
    pub trunk_timestamps: bool,
    /// Largest trunk frame.
    pub trunk_mtu: usize,
    /// Shortest registration.
    pub min_expires: Duration,
    /// Longest registration.
    pub max_expires: Duration,
    /// Whether strangers must come with a call token.
    pub token: iax2::TokenPolicy,
    /// Addresses from which call tokens are not asked for.
    pub token_exempt: Vec<Network>,
    /// Calls and registrations at once.
    pub max_calls: usize,
    /// The same from one address.
    pub max_calls_per_address: usize,
}

impl Default for Iax {
    fn default() -> Self {
        Self {
            listen: Vec::new(),
            peers: Vec::new(),
            registrations: Vec::new(),
            trunk_interval: Duration::from_millis(20),
            trunk_timestamps: false,
            trunk_mtu: 1240,
            min_expires: Duration::from_secs(60),
            max_expires: Duration::from_secs(3600),
            token: iax2::TokenPolicy::Required,
            token_exempt: Vec::new(),
            max_calls: 16_000,
            max_calls_per_address: 2_048,
        }
    }
}

impl Iax {
    /// The peer of that name.
    #[must_use]
    pub fn peer(&self, name: &str) -> Option<&IaxPeer> {
        self.peers.iter().find(|peer| peer.name == name)
    }
}

/// `[[iax.peer]]`: a section of `iax.conf`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IaxPeer {
    /// Its name: what it shows as its user name, and what `Dial(IAX2/name/…)` uses.
    pub name: String,
    /// It may call us (`type=user` or `friend`).
    pub may_call: bool,
    /// Where it is; [`Address::Nowhere`] for `type=user`.
    pub address: Address,
    /// The secret of both directions. Without one it is a guest.
    pub secret: Option<Secret>,
    /// The user name that we show it; none is sent when absent, and it chooses by the address and the secret.
    pub username: Option<String>,
    /// How it may prove itself.
    pub methods: AuthMethods,
    /// Contexts of our dialplan that it may call into; the first when it names none.
    pub contexts: Vec<String>,
    /// The context of its dialplan that we call into, unless the Dial names one.
    pub peer_context: Option<String>,
    /// The name of its calls that our phones show, instead of what it says.
    pub caller_id: Option<String>,
    /// The number of its calls, instead of what it says.
    pub caller_number: Option<String>,
    /// Media formats in the order of preference; `None` for G.711, mu-law first.
    pub codecs: Option<Vec<Codec>>,
    /// Who chooses the format of its calls.
    pub negotiation: iax2::Negotiation,
    /// Whether its requests must come with a call token; `None` as the whole.
    pub token: Option<iax2::TokenPolicy>,
    /// Encryption of calls with it.
    pub encryption: iax2::Encryption,
    /// Voice goes by trunk.
    pub trunk: bool,
    /// How its reachability is watched.
    pub qualify: Option<iax2::Qualify>,
    /// It may ask us to send a call elsewhere.
    pub may_transfer: bool,
    /// Addresses that it may come from.
    pub acl: Acl,
    /// Calls with it at once.
    pub max_calls: Option<usize>,
}

impl IaxPeer {
    /// A peer that registers and may be called, with nothing said but its name.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            may_call: true,
            address: Address::Dynamic,
            secret: None,
            username: None,
            methods: AuthMethods::MD5,
            contexts: vec![super::DEFAULT_CONTEXT.to_owned()],
            peer_context: None,
            caller_id: None,
            caller_number: None,
            codecs: None,
            negotiation: iax2::Negotiation::Host,
            token: None,
            encryption: iax2::Encryption::Off,
            trunk: false,
            qualify: None,
            may_transfer: false,
            acl: Acl::default(),
            max_calls: None,
        }
    }

    /// Media formats in the order of preference.
    #[must_use]
    pub fn codecs(&self) -> &[Codec] {
        self.codecs.as_deref().unwrap_or(&[Codec::Ulaw, Codec::Alaw])
    }
}

/// `[[iax.registration]]`: `register => user:secret@host:port` of `iax.conf`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IaxRegistration {
    /// The name that we register.
    pub user: String,
    /// Its secret.
    pub secret: Option<Secret>,
    /// The server; port 4569 when none is said.
    pub host: HostPort,
    /// How long a registration is asked to last.
    pub refresh: Duration,
}

impl IaxRegistration {
    /// How long a registration is asked to last when nothing is said: Asterisk's.
    pub const REFRESH: Duration = Duration::from_secs(60);
}
