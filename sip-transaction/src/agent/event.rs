//! What an agent tells its application.

use std::net::SocketAddr;

use bytes::Bytes;
use sip_core::{Mandatory, Request, Response, StatusCode};

use super::SessionId;
use crate::session::Cause;
use crate::{ClientId, CloseReason, ConnectionId, Ended, Failure, Flow, FlowFailure, ServerId, Source};

/// What an [`Agent`](super::Agent) tells its application.
///
/// Each session ends with exactly one [`Ended`](Self::Ended); nothing is told of it afterwards.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Event {
    /// An INVITE came: a new session. Answer with [`provisional`](super::Agent::provisional),
    /// [`answer`](super::Agent::answer) or [`reject`](super::Agent::reject).
    Incoming {
        /// The session.
        session: SessionId,
        /// The INVITE.
        request: Request,
        /// Its mandatory headers, read.
        mandatory: Mandatory,
        /// Where it came from.
        source: Source,
        /// The offer. `None`: the caller wants the offer in the 2xx and answers it in the ACK.
        sdp: Option<Bytes>,
    },
    /// A provisional response above 100 came to an INVITE of ours.
    Progress {
        /// The session.
        session: SessionId,
        /// The response.
        response: Response,
        /// The description in it, if any: early media (RFC 3960).
        sdp: Option<Bytes>,
    },
    /// An INVITE of ours was answered with a 2xx. The first one; later ones of other branches are ended by the agent.
    Answered {
        /// The session.
        session: SessionId,
        /// The response.
        response: Response,
        /// The answer to our offer, and the ACK is sent; or, when the INVITE had none, the offer, to be answered with
        /// [`acknowledge`](super::Agent::acknowledge).
        sdp: Option<Bytes>,
        /// Whether `sdp` is an offer that waits for [`acknowledge`](super::Agent::acknowledge).
        owing: bool,
    },
    /// The ACK to a 2xx of ours came, for the first INVITE or a later one.
    Acknowledged {
        /// The session.
        session: SessionId,
        /// The answer, when the offer was in the 2xx.
        sdp: Option<Bytes>,
    },
    /// An INVITE of ours was refused (3xx to 6xx). [`Ended`](Self::Ended) follows.
    Rejected {
        /// The session.
        session: SessionId,
        /// The response: Contact of a 3xx, Retry-After, Reason and the like are in it.
        response: Response,
    },
    /// A re-INVITE, or an UPDATE with an offer, came. Answer with [`answer_offer`](super::Agent::answer_offer) or
    /// [`reject_offer`](super::Agent::reject_offer).
    Offer {
        /// The session.
        session: SessionId,
        /// The request.
        request: Request,
        /// The offer. `None`: the peer wants ours in the 2xx and answers it in the ACK.
        sdp: Option<Bytes>,
    },
    /// The peer cancelled its re-INVITE; it has been answered 487. There is nothing to answer any more.
    OfferWithdrawn {
        /// The session.
        session: SessionId,
    },
    /// A re-INVITE or UPDATE of ours was accepted.
    OfferAnswered {
        /// The session.
        session: SessionId,
        /// The response.
        response: Response,
        /// The answer; or, when the re-INVITE had no offer, the peer's offer.
        sdp: Option<Bytes>,
        /// Whether `sdp` is an offer that waits for [`acknowledge`](super::Agent::acknowledge).
        owing: bool,
    },
    /// A re-INVITE or UPDATE of ours was refused; the session goes on as before (RFC 3261 §14.1).
    OfferRejected {
        /// The session.
        session: SessionId,
        /// With what: 408 when nobody answered.
        status: StatusCode,
        /// The response, when there was one.
        response: Option<Response>,
    },
    /// Another request came inside the dialog: INFO, MESSAGE, REFER, NOTIFY… Answer with
    /// [`respond`](super::Agent::respond).
    InDialog {
        /// The session.
        session: SessionId,
        /// What to answer.
        id: ServerId,
        /// The request.
        request: Request,
    },
    /// A request that [`request`](super::Agent::request) sent inside a dialog was answered (finally), or was not.
    InDialogAnswered {
        /// The session.
        session: SessionId,
        /// Which request.
        id: ClientId,
        /// The final response, or why there is none.
        result: Result<Response, Failure>,
    },
    /// The session is over.
    Ended {
        /// The session.
        session: SessionId,
        /// Why.
        cause: Cause,
        /// The first Reason header (RFC 3326) of the BYE, CANCEL or rejection that ended it.
        reason: Option<Bytes>,
    },
    /// A request outside of dialogs, other than INVITE, came. Answer with [`respond`](super::Agent::respond).
    Request {
        /// What to answer.
        id: ServerId,
        /// The request.
        request: Request,
        /// Its mandatory headers, read.
        mandatory: Mandatory,
        /// Where it came from.
        source: Source,
    },
    /// A response came to a request that [`send_request`](super::Agent::send_request) sent.
    Response {
        /// Which request.
        id: ClientId,
        /// The response, provisional or final.
        response: Response,
        /// Where it came from.
        source: Source,
    },
    /// A request that [`send_request`](super::Agent::send_request) sent drew no final response.
    Failed {
        /// Which request.
        id: ClientId,
        /// Why.
        reason: Failure,
    },
    /// A request that was told with [`Request`](Self::Request) is over.
    RequestEnded {
        /// Which request.
        id: ServerId,
        /// How.
        ended: Ended,
    },
    /// A connection is open.
    ConnectionOpened {
        /// What it leads to, as the source of messages to come.
        source: Source,
    },
    /// The other side of a connection that came in showed a valid certificate (RFC 5922 §7.4).
    ConnectionAuthenticated {
        /// The source of messages that come down it.
        source: Source,
        /// The SIP domains that its certificate is for.
        names: Vec<std::sync::Arc<str>>,
    },
    /// A connection is closed.
    ConnectionClosed {
        /// Which one.
        connection: ConnectionId,
        /// Why.
        reason: CloseReason,
    },
    /// The other side of a flow of datagrams answered a [keep-alive](super::Agent::keep_alive).
    FlowAlive {
        /// Which flow.
        flow: Flow,
        /// Our address as the other side sees it.
        mapped: SocketAddr,
    },
    /// A flow of datagrams is broken, and is no longer kept alive.
    FlowFailed {
        /// Which flow.
        flow: Flow,
        /// How that is known.
        reason: FlowFailure,
    },
}

impl Event {
    /// The session that the event is about, if it is about one.
    #[must_use]
    pub const fn session(&self) -> Option<SessionId> {
        match self {
            Self::Incoming { session, .. }
            | Self::Progress { session, .. }
            | Self::Answered { session, .. }
            | Self::Acknowledged { session, .. }
            | Self::Rejected { session, .. }
            | Self::Offer { session, .. }
            | Self::OfferWithdrawn { session }
            | Self::OfferAnswered { session, .. }
            | Self::OfferRejected { session, .. }
            | Self::InDialog { session, .. }
            | Self::InDialogAnswered { session, .. }
            | Self::Ended { session, .. } => Some(*session),
            Self::Request { .. }
            | Self::Response { .. }
            | Self::Failed { .. }
            | Self::RequestEnded { .. }
            | Self::ConnectionOpened { .. }
            | Self::ConnectionAuthenticated { .. }
            | Self::ConnectionClosed { .. }
            | Self::FlowAlive { .. }
            | Self::FlowFailed { .. } => None,
        }
    }
}
