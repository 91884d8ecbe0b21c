//! What a B2BUA tells its application.

use bytes::Bytes;
use sip_core::{Response, StatusCode};
use sip_transaction::agent::Cause;

use super::{CallId, DescriptionId};

/// A side of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Leg {
    /// The caller's.
    A,
    /// A callee's: the branch, in the order that they were added.
    B(u16),
}

/// What a session description is, in the exchange of its call (RFC 3264).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// An offer: of a re-INVITE or UPDATE, or in the 2xx to an INVITE without one.
    Offer,
    /// The answer to one.
    Answer,
    /// An answer ahead of the 2xx: early media. The answer in the 2xx follows, and is the same.
    Early,
}

/// What a [`B2bua`](super::B2bua) tells its application.
#[derive(Debug, Clone)]
#[non_exhaustive]
#[expect(clippy::large_enum_variant, reason = "an event is moved once and few wait at a time")]
pub enum Event {
    /// A session description is on its way across. It waits for [`forward`](super::B2bua::forward), rewritten for a
    /// relay or as it is, or [`refuse`](super::B2bua::refuse).
    Description {
        /// The call.
        call: CallId,
        /// What to forward.
        id: DescriptionId,
        /// Which side made it.
        from: Leg,
        /// The branch at the other end or at this one.
        branch: u16,
        /// What it is.
        role: Role,
        /// The description.
        sdp: Bytes,
    },
    /// A branch rings (180), or tells of its progress (181, 182, 183).
    Progress {
        /// The call.
        call: CallId,
        /// The branch.
        branch: u16,
        /// What it says.
        status: StatusCode,
    },
    /// A branch answered; the others are being cancelled.
    Answered {
        /// The call.
        call: CallId,
        /// The branch.
        branch: u16,
    },
    /// The caller's side is answered and acknowledged: the call is up.
    Up {
        /// The call.
        call: CallId,
    },
    /// A branch came to nothing. When it was the last one, [`Ended`](Self::Ended) follows.
    BranchFailed {
        /// The call.
        call: CallId,
        /// The branch.
        branch: u16,
        /// With what: 408 when nobody answered, 503 when it could not be reached.
        status: StatusCode,
        /// Its response, when there was one; that of a redirection holds Contacts.
        response: Option<Response>,
    },
    /// The call is over. The last event of a call; its sides may still be waiting for their last answers.
    Ended {
        /// The call.
        call: CallId,
        /// Which side ended it; `None`: the application, the ring time, or that no branch answered.
        by: Option<Leg>,
        /// Why, in the words of that side's session.
        cause: Cause,
        /// What the caller was told, when the call was not answered; 487 when he cancelled it.
        status: Option<StatusCode>,
        /// The Reason of the side that ended it (RFC 3326).
        reason: Option<Bytes>,
    },
}
