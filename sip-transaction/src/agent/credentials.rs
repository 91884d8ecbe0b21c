//! Answering challenges: 401 and 407 (RFC 3261 §22, RFC 7616, RFC 8760).

use bytes::Bytes;
use rand_core::RngCore;
use sip_core::auth::{self, Challenge, choose_per_realm};
use sip_core::header::{Authorization, CSeq, HeaderName, ProxyAuthenticate, ProxyAuthorization, WwwAuthenticate};
use sip_core::{Request, Response, StatusCode, ident};
use smallvec::SmallVec;

/// A name and a password to answer challenges with.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The user name.
    pub username: Bytes,
    /// The password.
    pub password: Bytes,
    /// The realm that may ask for them; any when `None`.
    ///
    /// A password that is good for one realm should not be tried on another: name it where it is known.
    pub realm: Option<Bytes>,
}

impl Credentials {
    /// A name and a password for any realm.
    #[must_use]
    pub fn new(username: impl Into<Bytes>, password: impl Into<Bytes>) -> Self {
        Self { username: username.into(), password: password.into(), realm: None }
    }

    /// Only for this realm.
    #[must_use]
    pub fn for_realm(mut self, realm: impl Into<Bytes>) -> Self {
        self.realm = Some(realm.into());
        self
    }
}

impl std::fmt::Debug for Credentials {
    /// Leaves the password out: it is not logged.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials").field("realm", &self.realm).finish_non_exhaustive()
    }
}

/// The most protection spaces that one session answers.
const SPACES: usize = 8;

/// How often one request is sent again, the nonces going stale.
const ATTEMPTS: u8 = 3;

/// What a session knows of the protection spaces on its way.
#[derive(Debug, Clone)]
pub(super) struct Authorizer {
    credentials: Credentials,
    spaces: SmallVec<[Space; 1]>,
}

#[derive(Debug, Clone)]
struct Space {
    proxy: bool,
    challenge: Challenge,
    count: u32,
}

impl Authorizer {
    pub(super) fn new(credentials: Credentials) -> Self {
        Self { credentials, spaces: SmallVec::new() }
    }

    /// Takes the challenges of a 401 or 407 to a request that was sent `attempts` times again before. Whether it is
    /// worth sending once more: not when the same nonce is refused, nor a second time unless the nonce was only stale.
    pub(super) fn on_challenge(&mut self, response: &Response, attempts: u8) -> bool {
        let status = response.status();
        if status != StatusCode::UNAUTHORIZED && status != StatusCode::PROXY_AUTHENTICATION_REQUIRED {
            return false;
        }
        let headers = response.headers();
        let servers: Vec<Challenge> =
            headers.all::<WwwAuthenticate>().filter_map(|value| Some(value.ok()?.0)).collect();
        let proxies: Vec<Challenge> =
            headers.all::<ProxyAuthenticate>().filter_map(|value| Some(value.ok()?.0)).collect();
        let mut news = false;
        for (proxy, challenges) in [(false, &servers), (true, &proxies)] {
            for challenge in choose_per_realm(challenges) {
                match self.take(proxy, challenge, attempts) {
                    Some(true) => news = true,
                    Some(false) => {}
                    None => return false,
                }
            }
        }
        news
    }

    /// The request with a sequence number above, and with credentials for every space known.
    pub(super) fn retry(&mut self, request: &Request, sequence: u32, rng: &mut impl RngCore) -> Request {
        let mut edit = request.edit();
        edit.replace(&CSeq { sequence, method: request.method().clone() });
        let renumbered = edit.finish();
        self.authorize(renumbered, rng)
    }

    /// The request with credentials for every space known, if any is.
    pub(super) fn authorize(&mut self, request: Request, rng: &mut impl RngCore) -> Request {
        if self.spaces.is_empty() {
            return request;
        }
        let mut edit = request.edit();
        edit.remove(&HeaderName::AUTHORIZATION);
        edit.remove(&HeaderName::PROXY_AUTHORIZATION);
        for space in &mut self.spaces {
            space.count = space.count.saturating_add(1);
            let answer = auth::Credentials::answer(
                &space.challenge,
                &self.credentials.username,
                &self.credentials.password,
                request.method(),
                request.uri_bytes(),
                ident::tag(rng),
                space.count,
                request.body(),
            );
            match (answer, space.proxy) {
                (Ok(answer), true) => edit.push_back(&ProxyAuthorization(answer)),
                (Ok(answer), false) => edit.push_back(&Authorization(answer)),
                // Only answerable challenges are kept.
                (Err(_), _) => {}
            }
        }
        edit.finish()
    }

    /// `None`: refused for good. `Some(false)`: not ours to answer.
    fn take(&mut self, proxy: bool, challenge: &Challenge, attempts: u8) -> Option<bool> {
        let realm = challenge.realm().unwrap_or_default();
        if self.credentials.realm.as_ref().is_some_and(|known| known.as_ref() != realm) {
            return Some(false);
        }
        let room = self.spaces.len() < SPACES && attempts < ATTEMPTS;
        let known = self
            .spaces
            .iter_mut()
            .find(|space| space.proxy == proxy && space.challenge.realm().unwrap_or_default() == realm);
        match known {
            Some(space) => {
                let same = space.challenge.nonce() == challenge.nonce();
                if same || attempts >= ATTEMPTS || (attempts > 0 && !challenge.is_stale()) {
                    return None;
                }
                *space = Space { proxy, challenge: challenge.clone(), count: 0 };
            }
            None if room => {
                self.spaces.push(Space { proxy, challenge: challenge.clone(), count: 0 });
            }
            None => return None,
        }
        Some(true)
    }
}
