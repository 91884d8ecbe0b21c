//! The endpoint: the transport layer and the transaction table as one machine.

mod error;
mod event;
mod snapshot;

use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

pub use error::{CancelError, Refused, RespondError, SendError};
pub use event::{ClientId, CloseReason, Ended, Event, Failure, Input, Output, ServerId};
use sip_core::{Request, Response};
pub use snapshot::{Counters, Snapshot};

use crate::config::Config;
use crate::transport::{ConnectionId, ListenerConfig, ListenerId, Source, Target};

/// SIP transactions over datagrams and connections, without sockets or a clock (RFC 3261 §17 and §18).
#[derive(Debug)]
pub struct Endpoint {
    config: Config,
    listeners: Vec<ListenerConfig>,
    outputs: std::collections::VecDeque<Output>,
}

impl Endpoint {
    /// An endpoint without listeners. The seed makes branches and tags; take it from the system's randomness.
    #[must_use]
    pub fn new(config: Config, seed: [u8; 32]) -> Self {
        let _ = seed;
        Self { config, listeners: Vec::new(), outputs: std::collections::VecDeque::new() }
    }

    /// Tells of a listening socket. There may be 65,535; what comes after is not remembered.
    pub fn add_listener(&mut self, listener: ListenerConfig) -> ListenerId {
        let id = u16::try_from(self.listeners.len()).unwrap_or(u16::MAX);
        if id < u16::MAX {
            self.listeners.push(listener);
        }
        ListenerId(id)
    }

    /// What was said of a listener.
    #[must_use]
    pub fn listener(&self, id: ListenerId) -> Option<&ListenerConfig> {
        self.listeners.get(usize::from(id.0))
    }

    /// Tells that a connection came in, and gives it a name.
    ///
    /// # Errors
    /// When a limit says no; the driver then closes the connection.
    pub fn accept(
        &mut self,
        now: Instant,
        listener: ListenerId,
        local: SocketAddr,
        remote: SocketAddr,
    ) -> Result<ConnectionId, Refused> {
        let _ = (now, listener, local, remote);
        Err(Refused::Listener)
    }

    /// Says that an address is not a stranger's: it authenticated itself, or the user knows it.
    pub fn trust(&mut self, address: IpAddr) {
        let _ = address;
    }

    /// Sends a request, to which a Via with a new branch is added (RFC 3261 §17.1).
    ///
    /// # Errors
    /// When it cannot even be tried. What goes wrong later is an event.
    pub fn send_request(&mut self, now: Instant, request: Request, target: Target) -> Result<ClientId, SendError> {
        let _ = (now, request, target);
        Err(SendError::Limit)
    }

    /// Sends the ACK to a 2xx (RFC 3261 §13.2.2.4), to which a Via is added. Send the same ACK again for every
    /// retransmission of the 2xx: it gets the same branch.
    ///
    /// # Errors
    /// When it cannot even be tried.
    pub fn send_ack(&mut self, now: Instant, ack: Request, target: Target) -> Result<(), SendError> {
        let _ = (now, ack, target);
        Err(SendError::Limit)
    }

    /// Answers a request. A 2xx to an INVITE may be given again until [`Event::ServerEnded`]: retransmitting it is
    /// the user's part (RFC 3261 §13.3.1.4).
    ///
    /// # Errors
    /// When the transaction is over or the response may not be given.
    pub fn respond(&mut self, now: Instant, id: ServerId, response: Response) -> Result<(), RespondError> {
        let _ = (now, id, response);
        Err(RespondError::Unknown)
    }

    /// Cancels an INVITE of ours: at once when a provisional response has come, otherwise when it comes
    /// (RFC 3261 §9.1). The answer to the CANCEL itself is not reported; the INVITE's is.
    ///
    /// # Errors
    /// When there is nothing to cancel.
    pub fn cancel(&mut self, now: Instant, id: ClientId) -> Result<(), CancelError> {
        let _ = (now, id);
        Err(CancelError::Unknown)
    }

    /// Closes a connection.
    pub fn close(&mut self, now: Instant, connection: ConnectionId) {
        let _ = (now, connection);
    }

    /// What happened outside.
    pub fn handle_input(&mut self, now: Instant, input: Input) {
        let _ = (now, input);
    }

    /// Time passed. Early or twice is harmless.
    pub fn handle_timeout(&mut self, now: Instant) {
        let _ = now;
    }

    /// What to do next; call until `None` after every other call.
    #[must_use]
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When to call [`handle_timeout`](Self::handle_timeout).
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        None
    }

    /// The source that messages of a connection have.
    #[must_use]
    pub fn connection(&self, id: ConnectionId) -> Option<Source> {
        let _ = id;
        None
    }

    /// Table sizes and counters.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        Snapshot::default()
    }

    /// Times and limits, as given.
    #[must_use]
    pub const fn config(&self) -> &Config {
        &self.config
    }
}
