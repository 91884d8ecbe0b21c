//! Why a command was refused.

use sip_core::{ParseError, StatusCode};

/// Why [`send_request`](crate::Endpoint::send_request) or [`send_ack`](crate::Endpoint::send_ack) was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// There is no listener to send from.
    #[error("no listener for this transport and address family")]
    NoListener,
    /// The destination names no target, or the domain name system knows none for its URI.
    #[error("no target")]
    NoTarget,
    /// The connection is closed, and the target allows no other.
    #[error("the connection is closed")]
    ConnectionClosed,
    /// A local limit is reached: of client transactions, of connections, or of bytes that wait for one to open.
    #[error("too many requests or connections")]
    Limit,
    /// The request lacks what every request must have, or is an ACK or a CANCEL, which have their own commands.
    #[error("not a request to send: {0}")]
    Invalid(#[from] ParseError),
    /// ACK and CANCEL have their own commands.
    #[error("this method has its own command")]
    Method,
}

impl SendError {
    /// What to answer to whoever asked for this request.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        match self {
            Self::NoListener | Self::NoTarget | Self::ConnectionClosed | Self::Limit => StatusCode::SERVICE_UNAVAILABLE,
            Self::Invalid(_) | Self::Method => StatusCode::SERVER_INTERNAL_ERROR,
        }
    }
}

/// Why [`respond`](crate::Endpoint::respond) was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum RespondError {
    /// The transaction is over, or never was.
    #[error("no such transaction")]
    Unknown,
    /// A final response was given already, and this is not the retransmission of a 2xx to an INVITE.
    #[error("a final response was given already")]
    Answered,
    /// RFC 4320 §4: to requests other than INVITE, no provisional response but 100, and never 408.
    #[error("this status must not answer a request other than invite")]
    Forbidden,
}

/// Why [`cancel`](crate::Endpoint::cancel) was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum CancelError {
    /// The transaction is over, or never was.
    #[error("no such transaction")]
    Unknown,
    /// It is not an INVITE (RFC 3261 §9.1).
    #[error("only an invite can be cancelled")]
    NotInvite,
    /// It has a final response already.
    #[error("a final response came already")]
    Answered,
}

/// Why [`accept`](crate::Endpoint::accept) refused a connection. Close it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum Refused {
    /// There is no such listener, or it takes no connections.
    #[error("no such listener")]
    Listener,
    /// There are too many connections.
    #[error("too many connections")]
    Total,
    /// There are too many connections from this address.
    #[error("too many connections from this address")]
    Address,
}
