//! The four transactions of RFC 3261 §17, each a transition: no clock, no socket, no allocation.

mod client_invite;
mod client_other;
pub(crate) mod key;
mod server_invite;
mod server_other;
#[cfg(test)]
mod table;

use std::time::Duration;

use smallvec::SmallVec;

pub(crate) use client_invite::ClientInvite;
pub(crate) use client_other::ClientOther;
pub(crate) use server_invite::ServerInvite;
pub(crate) use server_other::ServerOther;

/// The timers of RFC 3261 table 4, RFC 6026 and RFC 4320, by their letters. Each transition runs at most one of
/// each [`Lane`] at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Timer {
    /// Retransmits an INVITE.
    A,
    /// Ends an unanswered INVITE.
    B,
    /// Ends the wait for retransmitted rejections of an INVITE.
    D,
    /// Retransmits another request.
    E,
    /// Ends another unanswered request.
    F,
    /// Retransmits the rejection of an INVITE.
    G,
    /// Ends the wait for an ACK.
    H,
    /// Ends the wait for retransmitted ACKs.
    I,
    /// Ends the wait for retransmissions of another request.
    J,
    /// Ends the wait for retransmitted responses.
    K,
    /// Ends the wait for retransmissions of an accepted INVITE (RFC 6026).
    L,
    /// Ends the wait for more 2xx (RFC 6026).
    M,
    /// Says 100 where the user has said nothing yet.
    Trying,
}

/// Timers of a lane never run at the same time in one transaction, so that a transaction needs one handle a lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Lane {
    /// A, E, G and the 100.
    Repeat,
    /// All that end something.
    End,
}

impl Timer {
    /// The lane that the timer runs in.
    pub(crate) const fn lane(self) -> Lane {
        match self {
            Self::A | Self::E | Self::G | Self::Trying => Lane::Repeat,
            Self::B | Self::D | Self::F | Self::H | Self::I | Self::J | Self::K | Self::L | Self::M => Lane::End,
        }
    }
}

/// What a transition wants done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    /// Send the request, or the last response, for the first time.
    Send,
    /// Send it again because a timer said so.
    SendAgain,
    /// Send it again because its retransmission by the other side asks for it.
    Repeat,
    /// Send 100.
    SendTrying,
    /// Send the ACK to a rejection.
    Acknowledge,
    /// Hand the response to the user.
    Deliver,
    /// Hand the ACK to the user.
    DeliverAck,
    /// Start a timer, in place of the one that runs in its lane.
    Start(Timer, Duration),
    /// Stop what runs in a lane.
    Stop(Lane),
    /// Tell the user that nobody answered, or that no ACK came.
    TimedOut,
    /// Tell the user that the message could not be delivered.
    Undeliverable,
    /// Tell the user that the rejection was acknowledged.
    Acknowledged,
    /// Forget the transaction. Always the last action.
    Terminate,
}

/// The actions of one step.
pub(crate) type Actions = SmallVec<[Action; 4]>;

/// What drives a client transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ClientEvent {
    /// The request is there to be sent.
    Start,
    /// A response from 100 to 199.
    Provisional,
    /// A response from 200 to 299.
    Success,
    /// A response from 300 to 699.
    Rejection,
    /// A timer fired.
    Timer(Timer),
    /// The transport says that it could not deliver.
    TransportError,
}

/// What drives a server transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ServerEvent {
    /// The request is there, handed to the user.
    Start,
    /// The request came again.
    Request,
    /// An ACK came for it.
    Ack,
    /// The user gives a response from 100 to 199.
    Provisional,
    /// The user gives a response from 200 to 299.
    Success,
    /// The user gives a response from 300 to 699.
    Rejection,
    /// A timer fired.
    Timer(Timer),
    /// The transport says that it could not deliver.
    TransportError,
}
