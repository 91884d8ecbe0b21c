//! What an agent remembers: of a session, of a request that it sent, of one that it has to answer.

use bytes::Bytes;
use sip_core::header::{Contact, NameAddr};
use sip_core::{Request, Response};
use smallvec::SmallVec;

use super::credentials::Authorizer;
use super::timers::Deadline;
use super::{ExtraHeaders, SessionId};
use crate::dialog::{Dialog, DialogId};
use crate::session::{Answer, Call, Exchange, Kind, Timer};
use crate::{ClientId, ServerId, Target};

/// A session: three transitions and the messages that they act with.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) call: Call,
    pub(super) answer: Answer,
    pub(super) exchange: Exchange,
    /// Whether this side made the Call-ID (RFC 3261 §14.1).
    pub(super) outgoing: bool,
    /// Early ones, or the confirmed one alone.
    pub(super) dialogs: SmallVec<[Dialog; 1]>,
    /// Where requests inside the dialog go.
    pub(super) target: Target,
    pub(super) contact: NameAddr,
    /// The INVITE that came, until its final response.
    pub(super) invite: Option<Served>,
    /// The last provisional response, to be repeated.
    pub(super) provisional: Option<Response>,
    /// The last 2xx, to be repeated.
    pub(super) accepted: Option<Accepted>,
    /// The INVITE that was sent, until its final response; afterwards the one that the ACK is for.
    pub(super) client: Option<ClientId>,
    /// Whether that INVITE carried an offer.
    pub(super) offered: bool,
    /// The peer's re-INVITE or UPDATE that waits for the application.
    pub(super) offer: Option<Served>,
    /// Ours.
    pub(super) own: Option<Own>,
    /// The answer to go into the next ACK.
    pub(super) owed: Option<Bytes>,
    /// Other requests of the peer that wait for the application.
    pub(super) waiting: SmallVec<[Served; 1]>,
    pub(super) auth: Option<Authorizer>,
    pub(super) timers: [Option<Deadline>; Timer::COUNT],
    /// Requests of ours without a final response.
    pub(super) open: u32,
    /// Header fields for the BYE.
    pub(super) parting: ExtraHeaders,
    /// The Reason that the peer gave.
    pub(super) reason: Option<Bytes>,
    pub(super) merging: Option<(Bytes, Bytes)>,
}

/// A request of the peer that is to be answered.
#[derive(Debug, Clone)]
pub(super) struct Served {
    pub(super) id: ServerId,
    pub(super) request: Request,
    /// Whether it carries an offer.
    pub(super) offered: bool,
    pub(super) sequence: u32,
}

/// A 2xx to an INVITE that waits for its ACK.
#[derive(Debug, Clone)]
pub(super) struct Accepted {
    pub(super) id: ServerId,
    pub(super) response: Response,
    pub(super) sequence: u32,
    /// Whether the ACK owes the answer to the offer in it.
    pub(super) owed: bool,
}

/// A re-INVITE or UPDATE of ours.
#[derive(Debug, Clone)]
pub(super) struct Own {
    pub(super) kind: Kind,
    pub(super) client: Option<ClientId>,
    pub(super) body: Option<Bytes>,
    pub(super) headers: ExtraHeaders,
    pub(super) tries: u8,
}

/// Why a request was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// A call.
    Invite,
    /// An offer inside one.
    Offer(Kind),
    /// The end of one.
    Bye,
    /// The application's, inside a dialog.
    Inside,
    /// The application's, outside of any.
    Outside,
}

/// A request that was sent.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) session: Option<SessionId>,
    pub(super) purpose: Purpose,
    pub(super) request: Request,
    pub(super) target: Target,
    /// Which server it reached is known only when it answers; then that is its target.
    pub(super) is_wandering: bool,
    /// The ACKs that its 2xx drew, by the tag of the branch.
    pub(super) acks: SmallVec<[(Bytes, Request); 1]>,
    /// No final response has come.
    pub(super) open: bool,
    /// How often it was sent again with credentials.
    pub(super) attempts: u8,
    /// What the application knows it by, when it was sent again.
    pub(super) alias: Option<ClientId>,
}

/// Whose a request is that has to be answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Server {
    /// The INVITE of a session.
    Invite(SessionId),
    /// The re-INVITE or UPDATE of one.
    Offer(SessionId),
    /// Another request inside a dialog, for the application.
    Inside(SessionId),
    /// A request outside of any, for the application.
    Outside,
}

impl Session {
    /// The dialog by its key.
    pub(super) fn dialog_mut(&mut self, id: &DialogId) -> Option<&mut Dialog> {
        self.dialogs.iter_mut().find(|dialog| dialog.id() == id)
    }

    /// The confirmed dialog.
    pub(super) fn confirmed(&self) -> Option<&Dialog> {
        self.dialogs.first().filter(|dialog| dialog.is_confirmed())
    }

    /// The confirmed dialog.
    pub(super) fn confirmed_mut(&mut self) -> Option<&mut Dialog> {
        self.dialogs.first_mut().filter(|dialog| dialog.is_confirmed())
    }

    /// The Contact that this side gives.
    pub(super) fn contact(&self) -> Contact {
        Contact::Address { name_addr: self.contact.clone(), expires: None, q: None }
    }
}
