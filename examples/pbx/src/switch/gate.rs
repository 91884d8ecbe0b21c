//! Who asks: an account that proves its password, or an address that is trusted.

use std::{collections::HashMap, net::IpAddr, time::Instant};

use bytes::{Bytes, BytesMut};
use sip_core::{
    Request, StatusCode,
    auth::{Algorithm, Ha1},
    header::{TypedHeader, WwwAuthenticate},
};
use sip_proxy::authenticator::{self, Authenticator, Cause, Challenges, Refusal, Role};
use sip_transaction::Source;

use crate::{config::Config, status::Table};

/// What becomes of a request.
#[derive(Debug)]
pub(super) enum Decision {
    /// It comes from this account.
    Accepted { account: String },
    /// It comes from a trusted address.
    Trusted,
    /// It is to be answered 401 with these WWW-Authenticate values.
    Challenge(Vec<Bytes>),
    /// It is to be refused.
    Refused { status: StatusCode, reason: &'static str },
}

/// The gate.
#[derive(Debug)]
pub(super) struct Gate {
    authenticator: Authenticator,
    /// Hashes are made once, so that known and unknown users cost the same.
    secrets: HashMap<(Bytes, Algorithm), Ha1>,
    trusted: Vec<IpAddr>,
    remembered: usize,
}

impl Gate {
    pub(super) fn new(config: &Config, seed: [u8; 32], now: Instant) -> Self {
        let realm = &config.sip.realm;
        let settings = authenticator::Config {
            nonce_lifetime: config.sip.nonce_time,
            ..authenticator::Config::new(realm.clone()).with_algorithms(&config.sip.algorithms)
        };
        let mut secrets = HashMap::new();
        for account in &config.accounts {
            for algorithm in &config.sip.algorithms {
                let ha1 = Ha1::new(*algorithm, &account.name, realm, account.secret.expose());
                secrets.insert((Bytes::from(account.name.clone()), *algorithm), ha1);
            }
        }
        let remembered = settings.remembered_nonces;
        let trusted = config.sip.trusted.iter().map(IpAddr::to_canonical).collect();
        Self { authenticator: Authenticator::new(settings, seed, now), secrets, trusted, remembered }
    }

    /// Decides about a call.
    pub(super) fn decide(&mut self, now: Instant, request: &Request, source: &Source) -> Decision {
        if self.trusted.contains(&source.remote.ip().to_canonical()) {
            return Decision::Trusted;
        }
        match self.authenticate(now, request) {
            authenticator::Decision::Accepted(identity) => {
                Decision::Accepted { account: String::from_utf8_lossy(&identity.username).into_owned() }
            }
            authenticator::Decision::Challenge(challenges) => {
                if challenges.cause() == Cause::Wrong {
                    tracing::warn!(from = %source.remote, method = %request.method(), "wrong password or unknown user");
                }
                Decision::Challenge(values(&challenges))
            }
            authenticator::Decision::Refused { status, reason } => Decision::Refused { status, reason: name(reason) },
        }
    }

    /// Decides about a registration, for which no address is trusted.
    pub(super) fn authenticate(&mut self, now: Instant, request: &Request) -> authenticator::Decision {
        let secrets = &self.secrets;
        self.authenticator.decide(now, request, Role::Server, |query| {
            secrets.get(&(Bytes::copy_from_slice(query.username), query.algorithm)).cloned()
        })
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) {
        self.authenticator.handle_timeout(now);
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.authenticator.poll_timeout()
    }

    pub(super) fn tables(&self) -> [Table; 1] {
        let size = self.authenticator.snapshot().nonces;
        [Table { name: "nonces", size, limit: Some(self.remembered), per_call: false }]
    }

    /// What was decided since the start.
    pub(super) fn counters(&self) -> [(&'static str, u64); 4] {
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
pub(super) fn name(refusal: Refusal) -> &'static str {
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
