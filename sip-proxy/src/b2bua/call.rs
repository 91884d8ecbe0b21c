//! One call: where it stands, and its sides.
//!
//! ```text
//!            a branch answers            its description is forwarded: 200 to A
//!   Ringing ─────────────────▶ Answering ─────────────────────────────────────▶ Up
//!      │                          │                                             │
//!      │ A cancels, no branch is  │ A cancels, the branch hangs up              │ BYE from either side,
//!      │ left, nobody answers     │                                             │ hang up, no ACK
//!      └──────────────────────────┴───────────▶ Ending ◀────────────────────────┘
//!                                                 │ both sides' sessions ended
//!                                                 ▼
//!                                              (dropped)
//! ```

use std::time::Instant;

use bytes::Bytes;
use sip_core::{Request, StatusCode};
use sip_transaction::agent::{ExtraHeaders, SessionId};
use sip_transaction::{ClientId, ServerId};

use super::{DescriptionId, Leg};

/// Where a call stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    Ringing,
    Answering,
    Up,
    Ending,
}

/// One call.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) phase: Phase,
    pub(super) caller: SessionId,
    pub(super) caller_ended: bool,
    /// Whether the caller's INVITE carried the offer.
    pub(super) offered: bool,
    pub(super) trusted: bool,
    pub(super) hops: u8,
    /// Header fields that cross with the INVITE.
    pub(super) headers: ExtraHeaders,
    /// The offer for every branch.
    pub(super) offer: Option<Bytes>,
    pub(super) branches: Vec<Branch>,
    pub(super) chosen: Option<u16>,
    /// The branch whose early media the caller hears.
    pub(super) early: Option<u16>,
    pub(super) ring: Option<(Instant, u64)>,
    /// Descriptions that wait for the application.
    pub(super) descriptions: Vec<Description>,
    /// A re-INVITE or UPDATE that one side made and the other has not answered.
    pub(super) renegotiation: Option<Renegotiation>,
    /// The branch's 2xx holds an offer, which the caller's ACK answers.
    pub(super) owing: bool,
    /// The caller's ACK has come.
    pub(super) acknowledged: bool,
    /// Requests of one side that were passed to the other.
    pub(super) passed: Vec<Passed>,
}

/// A callee.
#[derive(Debug)]
pub(super) struct Branch {
    pub(super) session: Option<SessionId>,
    /// What became of it, once it came to nothing.
    pub(super) failed: Option<StatusCode>,
}

/// A description on its way across.
#[derive(Debug)]
pub(super) struct Description {
    pub(super) id: DescriptionId,
    pub(super) from: Leg,
    pub(super) step: Step,
    pub(super) headers: ExtraHeaders,
}

/// What a forwarded description is part of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// A provisional response to the caller.
    Provisional(StatusCode),
    /// The 200 to the caller.
    Answer,
    /// The ACK of the caller, to the chosen branch.
    Acknowledge,
    /// A re-INVITE to the other side.
    Reinvite,
    /// The 200 to the re-INVITE of the other side.
    AnswerOffer,
    /// The ACK to the 200 of a re-INVITE without an offer.
    AcknowledgeOffer,
}

/// A re-INVITE or UPDATE on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Renegotiation {
    /// Who made it.
    pub(super) from: Leg,
    /// It had no offer: the other side's 2xx holds it, and the ACK of `from` the answer.
    pub(super) reversed: bool,
    /// The 200 to it is sent; the ACK with the answer is awaited.
    pub(super) answered: bool,
}

/// A request inside a dialog that was passed to the other side.
#[derive(Debug)]
pub(super) struct Passed {
    pub(super) sent: ClientId,
    pub(super) received: ServerId,
    pub(super) request: Request,
}

impl Call {
    /// The session of a side, while it lives.
    pub(super) fn session(&self, leg: Leg) -> Option<SessionId> {
        match leg {
            Leg::A => (!self.caller_ended).then_some(self.caller),
            Leg::B(branch) => self.branches.get(usize::from(branch)).and_then(|branch| branch.session),
        }
    }

    /// The other side of an answered call.
    pub(super) fn other(&self, leg: Leg) -> Option<Leg> {
        match leg {
            Leg::A => self.chosen.map(Leg::B),
            Leg::B(branch) => (self.chosen == Some(branch)).then_some(Leg::A),
        }
    }

    /// The branches that live.
    pub(super) fn living(&self) -> Vec<SessionId> {
        self.branches.iter().filter_map(|branch| branch.session).collect()
    }

    /// Whether no session of the call is left.
    pub(super) fn is_empty(&self) -> bool {
        self.caller_ended && self.branches.iter().all(|branch| branch.session.is_none())
    }

    /// Whether no branch can answer any more.
    pub(super) fn is_exhausted(&self) -> bool {
        self.branches.iter().all(|branch| branch.failed.is_some())
    }

    /// Takes a description that waits.
    pub(super) fn take(&mut self, id: DescriptionId) -> Option<Description> {
        let place = self.descriptions.iter().position(|description| description.id == id)?;
        Some(self.descriptions.remove(place))
    }
}

/// A plan for a call: whom to ring, and how long.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The branches to ring at once; the first that answers wins. Offer, hop count and crossing headers are filled in.
    pub branches: Vec<sip_transaction::agent::Invite>,
    /// The caller's offer for the branches, rewritten for a relay or as it came; `None` when the INVITE had none.
    pub offer: Option<Bytes>,
    /// How long to ring; the configuration's time when `None`.
    pub ring: Option<std::time::Duration>,
    /// Whether what the caller says of identities may cross (RFC 3325).
    pub trusted: bool,
}
