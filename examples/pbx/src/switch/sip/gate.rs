//! Who asks: an account that proves its password, or an address that is trusted.

use std::{collections::HashMap, net::IpAddr, time::Instant};

use bytes::{Bytes, BytesMut};
use sip_core::{
    Request, StatusCode,
    auth::{Algorithm, Ha1},
    header::{TypedHeader, WwwAuthenticate},
};
use sip_proxy::authenticator::{self, Authenticator, Cause, Challenges, Guard, GuardConfig, Refusal, Role};
use sip_transaction::Source;

use crate::{
    config::{Account, Acl, Address, Config, Network},
    status::Table,
};

/// What becomes of a request.
#[derive(Debug)]
pub(in crate::switch) enum Decision {
    /// It comes from this account.
    Accepted { account: String },
    /// It comes from a trusted address: that of an account, or of nobody in particular.
    Trusted { account: Option<String> },
    /// It is to be answered 401.
    Challenge {
        /// The values of WWW-Authenticate.
        values: Vec<Bytes>,
        /// Whether it came with a wrong password or an unknown user, not merely without credentials.
        wrong: bool,
    },
    /// It is to be refused.
    Refused { status: StatusCode, reason: &'static str },
}

/// Where a peer of which no port is said is.
const DEFAULT_PORT: u16 = 5060;

/// Why a source that guesses is refused.
pub(in crate::switch) const BANNED: &str = "banned";

/// The gate.
#[derive(Debug)]
pub(in crate::switch) struct Gate {
    authenticator: Authenticator,
    /// Hashes are made once, so that known and unknown users cost the same.
    secrets: HashMap<(Bytes, Algorithm), Ha1>,
    trusted: Vec<IpAddr>,
    /// The accounts' names by their user names; whose calls are taken by their address; and where each may come from.
    names: HashMap<String, String>,
    networks: Vec<(Network, Option<u16>, String)>,
    rules: HashMap<String, Acl>,
    remembered: usize,
    guard: Guard,
    watched: usize,
}

impl Gate {
    pub(in crate::switch) fn new(config: &Config, seed: [u8; 32], now: Instant) -> Self {
        let realm = &config.sip.realm;
        let settings = authenticator::Config {
            nonce_lifetime: config.sip.nonce_time,
            ..authenticator::Config::new(realm.clone()).with_algorithms(&config.sip.algorithms)
        };
        let mut secrets = HashMap::new();
        for account in &config.accounts {
            for algorithm in &config.sip.algorithms {
                let hash = account.md5_secret.as_ref().filter(|_| *algorithm == Algorithm::Md5);
                let ha1 = match (&account.secret, hash) {
                    (_, Some(hash)) => Ha1::from_hex(Algorithm::Md5, hash.expose()),
                    (Some(secret), None) => Some(Ha1::new(*algorithm, account.user(), realm, secret.expose())),
                    (None, None) => None,
                };
                if let Some(ha1) = ha1 {
                    secrets.insert((Bytes::from(account.user().to_owned()), *algorithm), ha1);
                }
            }
        }
        let remembered = settings.remembered_nonces;
        let accounts = || config.accounts.iter();
        // Only whoever can prove a user name has it: an account without a secret must not take over another's.
        let named = accounts().filter(|account| account.has_password());
        let named = named.map(|account| (account.user().to_owned(), account.name.clone())).collect();
        let of = |account: &Account| -> Vec<_> {
            let there = match &account.address {
                Address::Fixed(host) if account.trust_address => config.socket(host, DEFAULT_PORT),
                _ => None,
            };
            let there = there.map(|there| (Network::host(there.ip().to_canonical()), Some(there.port())));
            let anywhere = account.trusted.iter().map(|network| (*network, None));
            anywhere.chain(there).map(|(network, port)| (network, port, account.name.clone())).collect()
        };
        let networks = accounts().flat_map(of).collect();
        let limited = accounts().filter(|account| !account.acl.is_empty());
        let rules = limited.map(|account| (account.name.clone(), account.acl.clone())).collect();
        let trusted = config.sip.trusted.iter().map(IpAddr::to_canonical).collect();
        // Behind a balancer one phone with a wrong password would ban all others.
        let exempt = config.sip.trusted.iter().chain(&config.sip.balancers).copied().collect();
        let guard = GuardConfig { exempt, ..GuardConfig::default() };
        let watched = guard.sources;
        let authenticator = Authenticator::new(settings, seed, now);
        Self {
            authenticator,
            secrets,
            trusted,
            names: named,
            networks,
            rules,
            remembered,
            guard: Guard::new(guard),
            watched,
        }
    }

    /// Decides about a call.
    pub(in crate::switch) fn decide(&mut self, now: Instant, request: &Request, source: &Source) -> Decision {
        let ip = source.remote.ip().to_canonical();
        // Of several at one address the one at this port, else the first.
        let mut known = self.networks.iter().filter(|(network, ..)| network.contains(ip));
        let at_port = known.clone().find(|(_, port, _)| *port == Some(source.remote.port()));
        if let Some((.., account)) = at_port.or_else(|| known.next()) {
            if !self.may_come_from(account, ip) {
                return Decision::Refused { status: StatusCode::FORBIDDEN, reason: "acl" };
            }
            return Decision::Trusted { account: Some(account.clone()) };
        }
        if self.trusted.contains(&ip) {
            return Decision::Trusted { account: None };
        }
        if self.is_banned(now, source) {
            return Decision::Refused { status: StatusCode::FORBIDDEN, reason: BANNED };
        }
        match self.authenticate(now, request, source) {
            authenticator::Decision::Accepted(identity) => {
                let account = self.account_of(&identity.username);
                if !self.may_come_from(&account, ip) {
                    return Decision::Refused { status: StatusCode::FORBIDDEN, reason: "acl" };
                }
                Decision::Accepted { account }
            }
            authenticator::Decision::Challenge(challenges) => {
                let wrong = challenges.cause() == Cause::Wrong;
                if wrong {
                    tracing::warn!(from = %source.remote, method = %request.method(), "wrong password or unknown user");
                }
                Decision::Challenge { values: values(&challenges), wrong }
            }
            authenticator::Decision::Refused { status, reason } => Decision::Refused { status, reason: name(reason) },
        }
    }

    /// The account of a user name that was proved.
    pub(in crate::switch) fn account_of(&self, username: &[u8]) -> String {
        let username = String::from_utf8_lossy(username).into_owned();
        self.names.get(&username).cloned().unwrap_or(username)
    }

    /// Whether an account may come from an address.
    pub(in crate::switch) fn may_come_from(&self, account: &str, address: IpAddr) -> bool {
        self.rules.get(account).is_none_or(|rules| rules.allows(address.to_canonical()))
    }

    /// Decides about a registration, for which no address is trusted.
    pub(in crate::switch) fn authenticate(
        &mut self,
        now: Instant,
        request: &Request,
        source: &Source,
    ) -> authenticator::Decision {
        let secrets = &self.secrets;
        let decision = self.authenticator.decide(now, request, Role::Server, |query| {
            secrets.get(&(Bytes::copy_from_slice(query.username), query.algorithm)).cloned()
        });
        let from = source.remote.ip();
        match &decision {
            authenticator::Decision::Accepted(_) => self.guard.note_success(now, from),
            authenticator::Decision::Challenge(challenges)
                // Whoever is on this machine would ban all the others on it.
                if challenges.cause() == Cause::Wrong && !from.is_loopback() && self.guard.note_failure(now, from) =>
            {
                tracing::warn!(%from, "too many wrong passwords: this address is refused for a while");
            }
            _ => {}
        }
        decision
    }

    /// Whether this source has guessed too often.
    pub(in crate::switch) fn is_banned(&self, now: Instant, source: &Source) -> bool {
        self.guard.is_banned(now, source.remote.ip())
    }

    pub(in crate::switch) fn handle_timeout(&mut self, now: Instant) {
        self.authenticator.handle_timeout(now);
        self.guard.handle_timeout(now);
    }

    pub(in crate::switch) fn poll_timeout(&self) -> Option<Instant> {
        [self.authenticator.poll_timeout(), self.guard.poll_timeout()].into_iter().flatten().min()
    }

    pub(in crate::switch) fn tables(&self) -> [Table; 2] {
        let (nonces, sources) = (self.authenticator.snapshot().nonces, self.guard.snapshot().sources);
        [
            Table { name: "nonces", size: nonces, limit: Some(self.remembered), per_call: false },
            Table { name: "guessing_sources", size: sources, limit: Some(self.watched), per_call: false },
        ]
    }

    /// What was decided since the start.
    pub(in crate::switch) fn counters(&self) -> [(&'static str, u64); 4] {
        let counters = self.authenticator.snapshot().counters;
        [
            ("digest_accepted", counters.accepted),
            ("digest_challenged", counters.challenged),
            ("digest_stale", counters.stale),
            ("digest_failed", counters.failed),
        ]
    }
}

/// Why a request was refused, for metrics.
pub(in crate::switch) fn name(refusal: Refusal) -> &'static str {
    match refusal {
        Refusal::Malformed => "malformed_credentials",
        Refusal::WrongUri => "credentials_for_another_uri",
        _ => "credentials",
    }
}

fn values(challenges: &Challenges) -> Vec<Bytes> {
    let encode = |challenge: &sip_core::auth::Challenge| {
        let mut text = BytesMut::new();
        WwwAuthenticate(challenge.clone()).encode(&mut text);
        text.freeze()
    };
    challenges.values().iter().map(encode).collect()
}

#[cfg(test)]
mod tests {
    use std::{path::Path, time::Instant};

    use sip_core::{Limits, Message};
    use sip_transaction::{Endpoint, ListenerConfig, Transport};

    use super::*;

    /// What becomes of calls from these addresses.
    #[expect(clippy::disallowed_methods, reason = "an instant can only be had from the clock")]
    fn decided(text: &str, remotes: &[&str]) -> Vec<Decision> {
        let config = Config::parse(Path::new("test"), text).unwrap();
        let now = Instant::now();
        let mut gate = Gate::new(&config, [1; 32], now);
        let mut endpoint = Endpoint::new(sip_transaction::Config::default(), [1; 32]);
        let local = "192.0.2.100:5060".parse().unwrap();
        let listener = endpoint.add_listener(ListenerConfig::new(Transport::Udp, local));
        let invite = b"INVITE sip:600@192.0.2.100 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\n\
                       From: <sip:a@192.0.2.1>;tag=1\r\nTo: <sip:600@192.0.2.100>\r\nCall-ID: 1\r\nCSeq: 1 INVITE\r\n\r\n";
        let Ok(Message::Request(invite)) = Message::parse(Bytes::from_static(invite), &Limits::default()) else {
            panic!("it is a request")
        };
        let decide = |remote: &&str| {
            let remote = remote.parse().unwrap();
            let source =
                Source { transport: Transport::Udp, listener, remote, local, connection: None, received: None };
            gate.decide(now, &invite, &source)
        };
        remotes.iter().map(decide).collect()
    }

    #[test]
    fn an_account_that_is_known_by_its_address_is_held_to_its_rules_too() {
        let text = "[[account]]\nname = 'carrier'\ntrusted = ['192.0.2.0/24']\n\
                    acl = ['deny 0.0.0.0/0', 'permit 192.0.2.1']\n";
        let decided = decided(text, &["192.0.2.1:5060", "192.0.2.2:5060"]);
        assert!(matches!(&decided[0], Decision::Trusted { account: Some(name) } if name == "carrier"), "{decided:?}");
        assert!(matches!(decided[1], Decision::Refused { reason: "acl", .. }), "{decided:?}");
    }

    #[test]
    fn of_two_accounts_at_one_address_a_call_is_of_the_one_at_its_port() {
        let text = "[[account]]\nname = 'first'\nhost = '192.0.2.1'\ntrust_address = true\n\
                    [[account]]\nname = 'second'\nhost = '192.0.2.1:5070'\ntrust_address = true\n";
        let of = |decision: &Decision| match decision {
            Decision::Trusted { account: Some(name) } => name.clone(),
            other => format!("{other:?}"),
        };
        let decided = decided(text, &["192.0.2.1:5060", "192.0.2.1:5070", "192.0.2.1:40000"]);
        assert_eq!(decided.iter().map(of).collect::<Vec<_>>(), ["first", "second", "first"]);
    }
}
