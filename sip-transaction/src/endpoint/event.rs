//! What an endpoint is told, what it asks its driver to do, and what it tells its user.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use sip_core::message::Mandatory;
use sip_core::{Request, Response};

use crate::arena::Slot;
use crate::resolve::{Answer, QueryId, Question};
use crate::transport::{ConnectionId, Flow, ListenerId, Source, Transport};

/// A request that others sent and that we answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ServerId(pub(crate) Slot);

/// A request that we sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ClientId(pub(crate) Slot);

impl ServerId {
    /// The id as one number, for logs.
    #[must_use]
    pub const fn as_u64(self) -> u64 {
        self.0.as_u64()
    }
}

impl ClientId {
    /// The id as one number, for logs.
    #[must_use]
    pub const fn as_u64(self) -> u64 {
        self.0.as_u64()
    }
}

/// Why a connection is no more, or never was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum CloseReason {
    /// The other side closed it.
    #[error("closed by the other side")]
    Remote,
    /// It could not be opened.
    #[error("refused or unreachable")]
    Unreachable,
    /// The other side did not prove its name, did not accept our certificate, or speaks no TLS or no SIP over WebSocket.
    #[error("the handshake failed")]
    Handshake,
    /// It broke.
    #[error("broken")]
    Broken,
    /// The other side did not read, and what waited for it passed the limit.
    #[error("the other side does not read")]
    SlowReader,
    /// A deadline passed: to open, to bring a first or a whole message, or to show life.
    #[error("too slow")]
    Deadline,
    /// What came was not SIP, and where the next message begins cannot be known.
    #[error("framing lost")]
    Framing,
    /// We closed it.
    #[error("closed by us")]
    Local,
}

/// What happened outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// A datagram came.
    Datagram {
        /// The listener that it came to.
        listener: ListenerId,
        /// Who sent it.
        source: SocketAddr,
        /// What is in it.
        payload: Bytes,
        /// When the system had it, if the driver knows: it may have waited since.
        received: Option<Instant>,
    },
    /// A connection that was asked for by [`Output::Connect`] is open.
    Connected {
        /// Which one.
        connection: ConnectionId,
        /// Our address on it.
        local: SocketAddr,
    },
    /// The other side of a connection that came in showed a valid certificate.
    Authenticated {
        /// Which one.
        connection: ConnectionId,
        /// The SIP domains that the certificate is for (RFC 5922 §7.1).
        names: Vec<Arc<str>>,
    },
    /// Bytes came down a connection.
    Received {
        /// Which one.
        connection: ConnectionId,
        /// What came: of a stream cut anywhere, of a WebSocket one message.
        payload: Bytes,
    },
    /// A connection is closed, or could not be opened.
    Closed {
        /// Which one.
        connection: ConnectionId,
        /// Why.
        reason: CloseReason,
    },
    /// The answer to an [`Output::Query`].
    Answer {
        /// What was asked.
        query: QueryId,
        /// What the domain name system said.
        answer: Answer,
    },
}

/// What a driver must do. `E` is what the machine tells its user.
#[derive(Debug, Clone, PartialEq)]
pub enum Output<E = Event> {
    /// Send a datagram.
    Datagram {
        /// The listener to send it from.
        listener: ListenerId,
        /// Where it goes.
        destination: SocketAddr,
        /// What is in it.
        payload: Bytes,
    },
    /// Open a connection, and say [`Input::Connected`] or [`Input::Closed`].
    Connect {
        /// What it is called from now on.
        connection: ConnectionId,
        /// How.
        transport: Transport,
        /// To whom.
        destination: SocketAddr,
        /// The name that the other side must prove to have when the transport is encrypted (RFC 5922 §7.3), and that
        /// stands in SNI and in the Host of a WebSocket; its address when there is none.
        name: Option<Arc<str>>,
    },
    /// Write to a connection.
    Write {
        /// Which one.
        connection: ConnectionId,
        /// What to write: always a whole message or keep-alive, which a WebSocket carries in one message.
        payload: Bytes,
    },
    /// Close a connection after what was written to it is sent. Nothing more is said or heard of it.
    Close {
        /// Which one.
        connection: ConnectionId,
    },
    /// Ask the domain name system, and say [`Input::Answer`].
    Query {
        /// What the answer is given for.
        query: QueryId,
        /// What to ask.
        question: Question,
    },
    /// Tell the user.
    Event(E),
}

impl<E> Output<E> {
    /// The same duty with another kind of event.
    pub fn map_event<F>(self, map: impl FnOnce(E) -> F) -> Output<F> {
        match self {
            Self::Datagram { listener, destination, payload } => Output::Datagram { listener, destination, payload },
            Self::Connect { connection, transport, destination, name } => {
                Output::Connect { connection, transport, destination, name }
            }
            Self::Write { connection, payload } => Output::Write { connection, payload },
            Self::Close { connection } => Output::Close { connection },
            Self::Query { query, question } => Output::Query { query, question },
            Self::Event(event) => Output::Event(map(event)),
        }
    }

    /// The duty as that of a machine with other events, for machines that hold another one.
    ///
    /// # Errors
    /// The event, when it is one: it is for the outer machine to handle.
    pub fn into_duty<F>(self) -> Result<Output<F>, E> {
        match self {
            Self::Datagram { listener, destination, payload } => {
                Ok(Output::Datagram { listener, destination, payload })
            }
            Self::Connect { connection, transport, destination, name } => {
                Ok(Output::Connect { connection, transport, destination, name })
            }
            Self::Write { connection, payload } => Ok(Output::Write { connection, payload }),
            Self::Close { connection } => Ok(Output::Close { connection }),
            Self::Query { query, question } => Ok(Output::Query { query, question }),
            Self::Event(event) => Err(event),
        }
    }

    /// The event, if it is one; otherwise the duty itself.
    ///
    /// # Errors
    /// What is not an event comes back as it was.
    pub fn into_event(self) -> Result<E, Self> {
        match self {
            Self::Event(event) => Ok(event),
            duty => Err(duty),
        }
    }
}

/// Why a client transaction ended without a final response.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum Failure {
    /// Nobody answered in time (timers B and F, or 64 T1 after a CANCEL). Treat it as a 408 (RFC 3261 §8.1.3.1).
    #[error("no final response in time")]
    Timeout,
    /// The request could not be delivered. Treat it as a 503.
    #[error("not deliverable")]
    Transport,
    /// The domain name system knows no server for the URI, or says nothing. Treat it as a 503.
    #[error("no server found")]
    Unlocated,
    /// The INVITE was cancelled before it was sent. Treat it as a 487.
    #[error("cancelled before it was sent")]
    Cancelled,
}

/// Why a flow of datagrams that was kept alive counts as broken (RFC 5626 §4.4.2): what was registered over it must be
/// registered again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum FlowFailure {
    /// Nobody answered.
    #[error("no answer to a binding request")]
    Silent,
    /// The other side answered with an error, or with something that cannot be understood.
    #[error("a binding request was refused")]
    Refused,
    /// The other side sees us elsewhere: a mapping on the way was lost.
    #[error("our address as the other side sees it changed from {from} to {to}")]
    Moved {
        /// Where it saw us.
        from: SocketAddr,
        /// Where it sees us.
        to: SocketAddr,
    },
}

/// How a server transaction ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Ended {
    /// The rejection of an INVITE was acknowledged.
    Acknowledged,
    /// The final response was sent, and its retransmissions are over (timers J and L).
    Completed,
    /// No ACK came for the rejection of an INVITE (timer H), or no final response was given to another request in time.
    Timeout,
    /// The final response could not be delivered.
    Transport,
}

/// What an endpoint tells its user.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Event {
    /// A new request. Exactly one [`ServerEnded`](Self::ServerEnded) follows for its id.
    Request {
        /// What to answer with [`respond`](crate::Endpoint::respond).
        id: ServerId,
        /// The request, with `received` and `rport` filled in.
        request: Request,
        /// Its mandatory headers, read.
        mandatory: Mandatory,
        /// Where it came from.
        source: Source,
    },
    /// An ACK that belongs to no rejection of ours: to a 2xx (RFC 3261 §13.3.1.4).
    Ack {
        /// The ACK.
        request: Request,
        /// Its mandatory headers, read.
        mandatory: Mandatory,
        /// Where it came from.
        source: Source,
    },
    /// An INVITE that is not answered yet was cancelled. The CANCEL is answered; answer the INVITE with 487.
    Cancelled {
        /// The INVITE.
        invite: ServerId,
        /// The CANCEL, which may carry a Reason.
        cancel: Request,
    },
    /// A response to a request of ours.
    Response {
        /// What it answers.
        id: ClientId,
        /// The response, with our Via still on top.
        response: Response,
        /// Its mandatory headers, read.
        mandatory: Mandatory,
        /// Where it came from.
        source: Source,
    },
    /// A request of ours failed. The last event of its id.
    ClientFailed {
        /// Which one.
        id: ClientId,
        /// Why.
        reason: Failure,
    },
    /// A request of ours is answered, and nothing more will come. The last event of its id.
    ClientEnded {
        /// Which one.
        id: ClientId,
    },
    /// A request of others is over. The last event of its id, except a late [`Ack`](Self::Ack).
    ServerEnded {
        /// Which one.
        id: ServerId,
        /// How.
        ended: Ended,
    },
    /// A connection that we opened is open.
    ConnectionOpened {
        /// What it leads to, as a [`Source`] of messages to come.
        source: Source,
    },
    /// The other side of a connection that came in showed a valid certificate (RFC 5922 §7.4). What it may do is for
    /// the user to say.
    ConnectionAuthenticated {
        /// The source of messages that come down it.
        source: Source,
        /// The SIP domains that the certificate is for.
        names: Vec<Arc<str>>,
    },
    /// A connection is closed.
    ConnectionClosed {
        /// Which one.
        connection: ConnectionId,
        /// Why.
        reason: CloseReason,
    },
    /// The other side of a flow of datagrams answered a [keep-alive](crate::Endpoint::keep_alive): told each time for
    /// single ones, and the first time for [those that go on](crate::Endpoint::keep_alive_every).
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
