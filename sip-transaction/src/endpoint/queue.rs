//! What is to be done, in order.

use std::collections::VecDeque;
use std::net::SocketAddr;

use bytes::Bytes;

use super::{ClientId, Ended, Event, Output, ServerId};
use crate::transport::{ConnectionId, ListenerId};

/// Outputs in order. Those that come with every transaction and are small lie here as they are; the others lie apart, since
/// an event that carries a message is thirty times as large, and every move would move that much.
#[derive(Debug, Default)]
pub(super) struct Queue {
    order: VecDeque<Next>,
    others: VecDeque<Output>,
}

#[derive(Debug)]
enum Next {
    Datagram {
        listener: ListenerId,
        destination: SocketAddr,
        payload: Bytes,
    },
    Write {
        connection: ConnectionId,
        payload: Bytes,
    },
    ClientEnded {
        id: ClientId,
    },
    ServerEnded {
        id: ServerId,
        ended: Ended,
    },
    /// The next of the others.
    Other,
}

impl Queue {
    /// Adds anything.
    #[inline(always)]
    pub(super) fn push(&mut self, output: Output) {
        self.order.push_back(Next::Other);
        self.others.push_back(output);
    }

    /// Adds a datagram.
    pub(super) fn push_datagram(&mut self, listener: ListenerId, destination: SocketAddr, payload: Bytes) {
        self.order.push_back(Next::Datagram { listener, destination, payload });
    }

    /// Adds what goes down a connection.
    pub(super) fn push_write(&mut self, connection: ConnectionId, payload: Bytes) {
        self.order.push_back(Next::Write { connection, payload });
    }

    /// Adds the end of a request of ours.
    pub(super) fn push_client_ended(&mut self, id: ClientId) {
        self.order.push_back(Next::ClientEnded { id });
    }

    /// Adds the end of a request of others.
    pub(super) fn push_server_ended(&mut self, id: ServerId, ended: Ended) {
        self.order.push_back(Next::ServerEnded { id, ended });
    }

    /// Takes the first.
    #[inline]
    pub(super) fn pop(&mut self) -> Option<Output> {
        match self.order.pop_front()? {
            Next::Datagram { listener, destination, payload } => {
                Some(Output::Datagram { listener, destination, payload })
            }
            Next::Write { connection, payload } => Some(Output::Write { connection, payload }),
            Next::ClientEnded { id } => Some(Output::Event(Event::ClientEnded { id })),
            Next::ServerEnded { id, ended } => Some(Output::Event(Event::ServerEnded { id, ended })),
            Next::Other => self.others.pop_front(),
        }
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.order.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arena::Slot;
    use crate::endpoint::CloseReason;

    #[test]
    fn what_lies_apart_keeps_its_place() {
        let connection = ConnectionId(Slot::from_u64(1));
        let (client, server) = (ClientId(Slot::from_u64(2)), ServerId(Slot::from_u64(3)));
        let destination = ([192, 0, 2, 1], 5060).into();
        let closed = Output::Event(Event::ConnectionClosed { connection, reason: CloseReason::Remote });
        let mut queue = Queue::default();
        queue.push(Output::Close { connection });
        queue.push_datagram(ListenerId(7), destination, "a".into());
        queue.push_write(connection, "b".into());
        queue.push(closed.clone());
        queue.push_server_ended(server, Ended::Timeout);
        queue.push_client_ended(client);
        queue.push(Output::Close { connection });
        assert_eq!(queue.len(), 7);
        let shown: Vec<String> = std::iter::from_fn(|| queue.pop()).map(|output| format!("{output:?}")).collect();
        let expected = [
            Output::Close { connection },
            Output::Datagram { listener: ListenerId(7), destination, payload: "a".into() },
            Output::Write { connection, payload: "b".into() },
            closed,
            Output::Event(Event::ServerEnded { id: server, ended: Ended::Timeout }),
            Output::Event(Event::ClientEnded { id: client }),
            Output::Close { connection },
        ];
        assert_eq!(shown, expected.map(|output| format!("{output:?}")));
        assert_eq!(queue.len(), 0);
    }
}
