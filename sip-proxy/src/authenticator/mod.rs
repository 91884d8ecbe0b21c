//! Who is asking: digest challenges with nonces that need no memory, and a bounded memory against replay.
//!
//! The policy of RFC 3261 §22 and RFC 7616: a request without right credentials is challenged, one with them is accepted
//! once. What an attacker can measure does not depend on whether a user exists: unknown users cost the same hashes and
//! get the same answer as wrong passwords.
//!
//! ```
//! use std::time::Instant;
//! use bytes::Bytes;
//! use sip_core::auth::{Credentials, Ha1};
//! use sip_core::header::Authorization;
//! use sip_core::{Limits, Message, Request};
//! use sip_proxy::authenticator::{Authenticator, Config, Decision, Role};
//! # let request = |bytes: &'static str| match Message::parse(Bytes::from(bytes.replace('\n', "\r\n")), &Limits::default()) {
//! #     Ok(Message::Request(request)) => request,
//! #     _ => unreachable!(),
//! # };
//!
//! # #[allow(clippy::disallowed_methods)]
//! let now = Instant::now();
//! let mut authenticator = Authenticator::new(Config::new("example.org"), [7; 32], now);
//! let lookup = |query: &sip_proxy::authenticator::Query<'_>| {
//!     (query.username == b"alice").then(|| Ha1::new(query.algorithm, "alice", query.realm, "secret"))
//! };
//!
//! let register = request("REGISTER sip:example.org SIP/2.0
//! Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1
//! From: <sip:alice@example.org>;tag=1
//! To: <sip:alice@example.org>
//! Call-ID: 1
//! CSeq: 1 REGISTER
//!
//! ");
//! let Decision::Challenge(challenge) = authenticator.decide(now, &register, Role::Server, lookup) else { panic!() };
//! assert_eq!(challenge.status().as_u16(), 401);
//!
//! // The phone answers.
//! let answer = Credentials::answer(
//!     &challenge.values()[0], "alice", "secret", register.method(), register.uri_bytes(), "cnonce", 1, b"",
//! )?;
//! let mut edit = register.edit();
//! edit.push_back(&Authorization(answer));
//! let Decision::Accepted(identity) = authenticator.decide(now, &edit.finish(), Role::Server, lookup) else { panic!() };
//! assert_eq!(identity.username, "alice");
//! # Ok::<(), sip_core::auth::AnswerError>(())
//! ```

mod config;
mod decision;
mod guard;
mod nonce;
mod replay;

use std::time::Instant;

use bytes::Bytes;
use sip_core::auth::{Algorithm, Challenge, Credentials, Ha1};
use sip_core::header::{Authorization, ProxyAuthorization};
use sip_core::uri::{SipUri, Uri};
use sip_core::{Method, ParseError, Request, StatusCode};

pub use config::Config;
pub use decision::{Cause, Challenges, Decision, Identity, Query, Refusal, Role};
pub use guard::{Guard, GuardConfig, GuardSnapshot};
use nonce::{Nonces, Stamp};
use replay::{Replays, Use};

/// Decides who is asking. See the [module](self).
#[derive(Debug)]
pub struct Authenticator {
    config: Config,
    nonces: Nonces,
    replays: Replays,
    /// The hashes that users are given who do not exist.
    dummies: [Ha1; 3],
    counters: Counters,
}

/// How often what was decided, since the beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Counters {
    /// Requests accepted.
    pub accepted: u64,
    /// Challenges to requests without credentials for us.
    pub challenged: u64,
    /// Challenges to right answers to nonces that are too old, not ours, or used before.
    pub stale: u64,
    /// Challenges to wrong answers and to unknown users, which look the same from here too.
    pub failed: u64,
    /// Requests refused.
    pub refused: u64,
}

/// Sizes and counters at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Snapshot {
    /// Nonces whose counts are remembered.
    pub nonces: usize,
    /// What was decided.
    pub counters: Counters,
}

impl Authenticator {
    /// An authenticator whose secrets come from `seed`.
    ///
    /// `epoch` is when its clock begins. Authenticators with the same seed and the same moment as their epoch accept each
    /// other's nonces; each remembers only the counts that it has seen itself. The seed must be kept secret.
    #[must_use]
    pub fn new(config: Config, seed: [u8; 32], epoch: Instant) -> Self {
        let nonces = Nonces::new(seed, epoch);
        let dummies = [Algorithm::Md5, Algorithm::Sha256, Algorithm::Sha512_256]
            .map(|algorithm| Ha1::new(algorithm, "", "", nonces.derive(b"unknown user")));
        let replays = Replays::new(config.remembered_nonces);
        Self { config, nonces, replays, dummies, counters: Counters::default() }
    }

    /// Decides about a request.
    ///
    /// `lookup` is called at most once, with the user name, realm and algorithm that the request claims, and gives the
    /// user's stored hash. It should take as long for users that do not exist. It is called before the answer is known to
    /// be right, so it must not tell anyone that it was called.
    ///
    /// ACK and CANCEL cannot be challenged (RFC 3261 §22.1); they are refused here, and a caller decides about them by
    /// the request that they belong to.
    pub fn decide(
        &mut self,
        now: Instant,
        request: &Request,
        role: Role,
        lookup: impl FnOnce(&Query<'_>) -> Option<Ha1>,
    ) -> Decision {
        if matches!(request.method(), Method::Ack | Method::Cancel) {
            return self.refuse(StatusCode::FORBIDDEN, Refusal::NotChallengeable);
        }
        let credentials = match self.credentials(request, role) {
            Ok(Some(credentials)) => credentials,
            Ok(None) => {
                self.counters.challenged += 1;
                return self.challenge(now, request, role, Cause::Missing);
            }
            Err(_) => return self.refuse(StatusCode::BAD_REQUEST, Refusal::Malformed),
        };
        let (Some(username), Some(realm), Some(algorithm)) =
            (credentials.username(), credentials.realm(), credentials.algorithm())
        else {
            return self.refuse(StatusCode::BAD_REQUEST, Refusal::Malformed);
        };
        if !credentials.uri().is_some_and(|uri| is_same_uri(uri, request.uri_bytes())) {
            // Credentials made for something else: an attack, or a proxy that rewrote the request (RFC 7616 §3.4.6).
            return self.refuse(StatusCode::BAD_REQUEST, Refusal::WrongUri);
        }

        // From here on known and unknown users take the same steps and the same hashes.
        let found = lookup(&Query { username: &username, realm, algorithm: algorithm.base() })
            .filter(|ha1| ha1.algorithm() == algorithm.base());
        let is_known = found.is_some();
        let ha1 = found.unwrap_or_else(|| self.dummy(algorithm));
        let is_right = credentials.verify(&ha1, request.method(), request.body());
        let stamp = self.nonces.check(now, realm, credentials.nonce().unwrap_or_default());
        if !(is_right & is_known) {
            self.counters.failed += 1;
            return self.challenge(now, request, role, Cause::Wrong);
        }
        let is_fresh = stamp
            .filter(|stamp| self.nonces.age(now, stamp).is_some_and(|age| age <= self.config.nonce_lifetime))
            .is_some_and(|stamp| self.first_use(now, stamp, &credentials));
        if !is_fresh {
            self.counters.stale += 1;
            return self.challenge(now, request, role, Cause::Stale);
        }
        self.counters.accepted += 1;
        Decision::Accepted(Identity {
            username: Bytes::copy_from_slice(&username),
            realm: Bytes::copy_from_slice(realm),
            algorithm,
        })
    }

    /// Forgets counts of nonces that have grown too old.
    pub fn handle_timeout(&mut self, now: Instant) {
        let oldest = self.nonces.ticks(now).saturating_sub(milliseconds(self.config.nonce_lifetime));
        self.replays.forget_before(oldest);
    }

    /// When [`handle_timeout`](Self::handle_timeout) next has something to forget.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let oldest = self.replays.oldest()?;
        self.nonces.instant(oldest.saturating_add(milliseconds(self.config.nonce_lifetime)).saturating_add(1))
    }

    /// Sizes and counters now.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        Snapshot { nonces: self.replays.len(), counters: self.counters }
    }

    /// The credentials that are meant for us: Digest, in one of our realms, with one of our algorithms.
    fn credentials(&self, request: &Request, role: Role) -> Result<Option<Credentials>, ParseError> {
        let headers = request.headers();
        let is_ours = |credentials: &Credentials| {
            credentials.is_digest()
                && credentials.realm().is_some_and(|realm| self.config.realms.iter().any(|own| own == realm))
                && credentials.algorithm().is_some_and(|algorithm| self.config.algorithms.contains(&algorithm))
        };
        // A header for another realm may be as strange as it likes.
        let mut error = None;
        let mut take = |result: Result<Credentials, ParseError>| match result {
            Ok(credentials) => is_ours(&credentials).then_some(credentials),
            Err(fault) => {
                error = Some(fault);
                None
            }
        };
        let found = match role {
            Role::Server => headers.all::<Authorization>().find_map(|result| take(result.map(|header| header.0))),
            Role::Proxy => headers.all::<ProxyAuthorization>().find_map(|result| take(result.map(|header| header.0))),
        };
        match (found, error) {
            (None, Some(fault)) => Err(fault),
            (found, _) => Ok(found),
        }
    }

    /// Whether the nonce count was not used before. Without qop there is no count, and the nonce serves once.
    fn first_use(&mut self, now: Instant, stamp: Stamp, credentials: &Credentials) -> bool {
        let count = match (credentials.qop(), credentials.nc()) {
            (Some(_), Some(count)) => count,
            (Some(_), None) => return false,
            (None, _) if self.config.accept_without_qop => 1,
            (None, _) => return false,
        };
        self.handle_timeout(now);
        self.replays.note(stamp, count) == Use::First
    }

    fn challenge(&mut self, now: Instant, request: &Request, role: Role, cause: Cause) -> Decision {
        let Some(realm) = self.realm(request) else {
            return self.refuse(StatusCode::FORBIDDEN, Refusal::NoRealm);
        };
        let nonce = self.nonces.make(now, &realm);
        let values = self.config.algorithms.iter().map(|algorithm| {
            Challenge::digest(&realm, &nonce, *algorithm).with_qop(&self.config.qops).with_stale(cause == Cause::Stale)
        });
        Decision::Challenge(Challenges::new(role, cause, values.collect()))
    }

    /// The realm to ask for: the one that is the Request-URI's host, else the first.
    fn realm(&self, request: &Request) -> Option<Bytes> {
        let host = match request.uri() {
            Ok(Uri::Sip(uri)) => Some(uri.host.to_string()),
            _ => None,
        };
        let named =
            host.and_then(|host| self.config.realms.iter().find(|realm| realm.eq_ignore_ascii_case(host.as_bytes())));
        named.or(self.config.realms.first()).cloned()
    }

    fn dummy(&self, algorithm: Algorithm) -> Ha1 {
        let [md5, sha256, sha512_256] = self.dummies;
        match algorithm.base() {
            Algorithm::Sha256 => sha256,
            Algorithm::Sha512_256 => sha512_256,
            _ => md5,
        }
    }

    fn refuse(&mut self, status: StatusCode, reason: Refusal) -> Decision {
        self.counters.refused += 1;
        Decision::Refused { status, reason }
    }
}

fn milliseconds(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Whether credentials made for one URI may serve a request for the other: the same bytes, equivalent URIs, or the same
/// user at the same place with other parameters, because phones and the proxies before us differ in those.
fn is_same_uri(hashed: &[u8], requested: &[u8]) -> bool {
    if hashed == requested {
        return true;
    }
    let parse = |bytes: &[u8]| Uri::parse(&Bytes::copy_from_slice(bytes)).ok();
    let (Some(hashed), Some(requested)) = (parse(hashed), parse(requested)) else { return false };
    if hashed.equivalent(&requested) {
        return true;
    }
    let (Uri::Sip(one), Uri::Sip(other)) = (&hashed, &requested) else { return false };
    let port = |uri: &SipUri| uri.port.unwrap_or(if uri.secure { 5061 } else { 5060 });
    one.secure == other.secure
        && one.user_text() == other.user_text()
        && one.host.equivalent(&other.host)
        && port(one) == port(other)
}

#[cfg(test)]
mod tests;
