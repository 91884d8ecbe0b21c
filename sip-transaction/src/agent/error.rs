//! Why a command of an agent was refused.

use sip_core::StatusCode;

use crate::SendError;

/// Why [`invite`](super::Agent::invite) was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InviteError {
    /// There are as many sessions as the configuration allows.
    #[error("too many sessions")]
    Limit,
    /// The INVITE cannot be sent.
    #[error(transparent)]
    Send(#[from] SendError),
}

impl InviteError {
    /// What to answer to whoever asked for this call.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        match self {
            Self::Limit => StatusCode::SERVICE_UNAVAILABLE,
            Self::Send(error) => error.status(),
        }
    }
}

/// Why a command on a session was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SessionError {
    /// The session is over, or never was.
    #[error("no such session")]
    Unknown,
    /// The session is not in the state for it: answered already, not answered yet, or of the other role.
    #[error("not in this state")]
    State,
    /// An offer is under way, in one direction or the other (RFC 3261 §14.1): try later.
    #[error("an offer is under way")]
    Pending,
    /// The status does not fit the command.
    #[error("wrong class of status")]
    Status,
    /// The request cannot be sent.
    #[error(transparent)]
    Send(#[from] SendError),
}
