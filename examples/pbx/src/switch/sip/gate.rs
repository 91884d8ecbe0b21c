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
    networks: Vec<(Network, String)>,
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
        let named = accounts()
            .filter(|account| account.has_password())
            .map(|account| (account.user().to_owned(), account.name.clone()))
            .collect();
        let of = |account: &Account| -> Vec<_> {
            let there = match &account.address {
                Address::Fixed(host) if account.trust_address => config.socket(host, 0),
                _ => None,
            };
            let there = there.map(|there| Network::host(there.ip().to_canonical()));
            account.trusted.iter().copied().chain(there).map(|network| (network, account.name.clone())).collect()
        };
        let networks = accounts().flat_map(of).collect();
        let limited = accounts().filter(|account| !account.acl.is_empty());
        let rules = limited.map(|account| (account.name.clone(), account.acl.clone())).collect();
        let trusted = config.sip.trusted.iter().map(IpAddr::to_canonical).collect();
        let guard = GuardConfig { exempt: config.sip.trusted.clone(), ..GuardConfig::default() };
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
        if let Some((_, account)) = self.networks.iter().find(|(network, _)| network.contains(ip)) {
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
