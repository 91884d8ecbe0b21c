//! What is decided about a request.

use bytes::Bytes;
use sip_core::auth::{Algorithm, Challenge};
use sip_core::header::{ProxyAuthenticate, WwwAuthenticate};
use sip_core::message::ResponseBuilder;
use sip_core::{Request, Response, StatusCode};

/// What we are to the request (RFC 3261 §22.2, §22.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// A user agent server or registrar: 401, WWW-Authenticate, Authorization.
    Server,
    /// A proxy: 407, Proxy-Authenticate, Proxy-Authorization.
    Proxy,
}

/// Whose secret is looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Query<'a> {
    /// The user name that is claimed.
    pub username: &'a [u8],
    /// One of our realms.
    pub realm: &'a [u8],
    /// The hash function that the secret must be for, without `-sess`.
    pub algorithm: Algorithm,
}

/// Who has proven to know the secret.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Identity {
    /// The user name.
    pub username: Bytes,
    /// The realm that it belongs to.
    pub realm: Bytes,
    /// How it was proven.
    pub algorithm: Algorithm,
}

/// What to do with a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Go on: this is who asks.
    Accepted(Identity),
    /// Answer with 401 or 407 and these challenges.
    Challenge(Challenges),
    /// Answer with this status; asking again would not help.
    Refused {
        /// The status to answer.
        status: StatusCode,
        /// Why.
        reason: Refusal,
    },
}

/// Why a challenge is sent. The peer sees no difference between [`Missing`](Self::Missing) and [`Wrong`](Self::Wrong).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Cause {
    /// There are no credentials for us.
    Missing,
    /// The user does not exist or the answer is wrong.
    Wrong,
    /// The answer is right, but its nonce is too old, not ours, or used before.
    Stale,
}

/// Why a request is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Refusal {
    /// Credentials that break the grammar or lack a parameter.
    Malformed,
    /// Credentials that were made for another URI.
    WrongUri,
    /// ACK and CANCEL, which cannot be answered with a challenge.
    NotChallengeable,
    /// No realm is configured.
    NoRealm,
}

/// Challenges to answer a request with, the preferred one first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Challenges {
    role: Role,
    cause: Cause,
    values: Vec<Challenge>,
}

impl Challenges {
    pub(super) const fn new(role: Role, cause: Cause, values: Vec<Challenge>) -> Self {
        Self { role, cause, values }
    }

    /// 401 or 407.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        match self.role {
            Role::Server => StatusCode::UNAUTHORIZED,
            Role::Proxy => StatusCode::PROXY_AUTHENTICATION_REQUIRED,
        }
    }

    /// Why they are sent.
    #[must_use]
    pub const fn cause(&self) -> Cause {
        self.cause
    }

    /// The challenges.
    #[must_use]
    pub fn values(&self) -> &[Challenge] {
        &self.values
    }

    /// Puts the challenges into a response.
    #[must_use]
    pub fn apply(&self, mut response: ResponseBuilder) -> ResponseBuilder {
        for value in &self.values {
            response = match self.role {
                Role::Server => response.header(&WwwAuthenticate(value.clone())),
                Role::Proxy => response.header(&ProxyAuthenticate(value.clone())),
            };
        }
        response
    }

    /// The response to a request, without a tag in To.
    #[must_use]
    pub fn respond(&self, request: &Request) -> ResponseBuilder {
        self.apply(Response::to(request, self.status()))
    }
}
