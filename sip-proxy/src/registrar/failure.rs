//! Why a registration fails, and what the response says about it.

use std::time::Duration;

use bytes::Bytes;
use sip_core::StatusCode;
use sip_core::header::{Allow, MinExpires, RetryAfter, Unsupported};
use sip_core::message::ResponseBuilder;

use crate::location::memory::StoreError;

/// Why a registration fails.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Failure {
    /// Not a REGISTER.
    Method,
    /// What a status alone says.
    Status(StatusCode),
    /// Extensions that we do not know.
    Extensions(Vec<Bytes>),
    /// Somebody else's address of record.
    Forbidden,
    /// The validity is too brief.
    TooBrief(Duration),
    /// Older than what is known.
    OutOfOrder,
    /// The store is full.
    NoRoom,
    /// The user has as many contacts as are allowed.
    TooManyContacts,
}

impl Failure {
    pub(super) fn status(&self) -> StatusCode {
        match self {
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::Status(status) => *status,
            Self::Extensions(_) => StatusCode::BAD_EXTENSION,
            Self::Forbidden | Self::TooManyContacts => StatusCode::FORBIDDEN,
            Self::TooBrief(_) => StatusCode::INTERVAL_TOO_BRIEF,
            Self::OutOfOrder => StatusCode::SERVER_INTERNAL_ERROR,
            Self::NoRoom => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// Adds what helps the sender.
    pub(super) fn explain(&self, response: ResponseBuilder) -> ResponseBuilder {
        match self {
            Self::Method => response.header(&Allow(sip_core::Method::Register)),
            Self::Extensions(unknown) => {
                unknown.iter().fold(response, |response, option| response.header(&Unsupported(option.clone())))
            }
            Self::TooBrief(least) => response.header(&MinExpires(u32::try_from(least.as_secs()).unwrap_or(u32::MAX))),
            Self::OutOfOrder => response.reason("Out of Order"),
            Self::TooManyContacts => response.reason("Too Many Contacts"),
            Self::NoRoom => response.header(&RetryAfter::new(300)),
            Self::Status(_) | Self::Forbidden => response,
        }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Bindings => Self::TooManyContacts,
            StoreError::Addresses => Self::NoRoom,
        }
    }
}
