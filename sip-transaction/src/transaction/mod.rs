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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Timers;

    const MS: fn(u64) -> Duration = Duration::from_millis;
    const TIMERS: Timers =
        Timers { t1: Duration::from_millis(100), t2: Duration::from_secs(1), t4: Duration::from_secs(3) };

    /// The timers that events start, in order.
    fn started<E>(mut step: impl FnMut(E, &mut Actions), events: impl IntoIterator<Item = E>) -> Vec<(Timer, u128)> {
        let mut actions = Actions::new();
        for event in events {
            step(event, &mut actions);
        }
        let started = |action: &Action| match action {
            Action::Start(timer, span) => Some((*timer, span.as_millis())),
            _ => None,
        };
        actions.iter().filter_map(started).collect()
    }

    #[test]
    fn with_another_t1_all_timers_follow_it_but_d_which_is_at_least_32_seconds() {
        use ClientEvent as Client;
        use ServerEvent as Server;
        let server_invite = |last: &[Server]| {
            let mut transaction = ServerInvite::new(TIMERS, MS(200), false);
            let events = [Server::Start].iter().chain(last).copied();
            started(|event, actions| transaction.on_event(event, actions), events)
        };
        let client_invite = |last| {
            let mut transaction = ClientInvite::new(TIMERS, false);
            started(|event, actions| transaction.on_event(event, actions), [Client::Start, last])
        };
        let mut server = ServerOther::new(TIMERS, false);
        let mut client = ClientOther::new(TIMERS, false);
        assert_eq!(
            server_invite(&[Server::Rejection, Server::Ack]),
            [(Timer::Trying, 200), (Timer::G, 100), (Timer::H, 6_400), (Timer::I, 3_000)]
        );
        assert_eq!(server_invite(&[Server::Success]), [(Timer::Trying, 200), (Timer::L, 6_400)]);
        assert_eq!(client_invite(Client::Rejection), [(Timer::A, 100), (Timer::B, 6_400), (Timer::D, 32_000)]);
        assert_eq!(client_invite(Client::Success), [(Timer::A, 100), (Timer::B, 6_400), (Timer::M, 6_400)]);
        assert_eq!(
            started(|event, actions| server.on_event(event, actions), [Server::Start, Server::Success]),
            [(Timer::Trying, 1_500), (Timer::F, 6_400), (Timer::J, 6_400)]
        );
        assert_eq!(
            started(|event, actions| client.on_event(event, actions), [Client::Start, Client::Success]),
            [(Timer::E, 100), (Timer::F, 6_400), (Timer::K, 3_000)]
        );
    }
}
