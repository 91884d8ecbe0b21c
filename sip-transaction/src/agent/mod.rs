//! A user agent: calls, and whatever else goes inside and outside of them (RFC 3261 §8, §12 to §15).
//!
//! [`Agent`] is an [`Endpoint`] with dialogs and INVITE sessions on top: what a phone, a PBX or a B2BUA drives. It does by
//! itself what no application should have to think of:
//!
//! - it acknowledges every 2xx, retransmitted or of another branch, and ends the calls of further branches with BYE;
//! - it sends a 2xx again until its ACK comes, and ends a call whose ACK never comes;
//! - it cancels only after a provisional response, and ends a call whose 2xx crosses the CANCEL;
//! - it refuses offers that cross with 491, and tries its own again after the time of RFC 3261 §14.1;
//! - it answers 401 and 407 when it is given [`Credentials`];
//! - it sends requests inside a dialog down the flow that the dialog came by;
//! - it answers for itself what has only one right answer: 481, 420, 415, 482, 500 and 503 with Retry-After, OPTIONS
//!   inside a dialog, UPDATE without an offer.
//!
//! It is a machine, driven as an [`Endpoint`] is. Commands are methods; what happened is told by [`Event`]s:
//!
//! ```
//! use std::time::Instant;
//!
//! use bytes::Bytes;
//! use sip_transaction::agent::{Agent, Config, Event, Output};
//! use sip_transaction::{Input, ListenerConfig, Transport};
//!
//! let mut agent = Agent::new(Config::default(), [7; 32]);
//! let listener = agent.add_listener(ListenerConfig::new(Transport::Udp, "192.0.2.1:5060".parse()?));
//! let now = Instant::now();
//! let payload = Bytes::from_static(
//!     b"INVITE sip:600@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.2;branch=z9hG4bK1\r\nMax-Forwards: 70\r\n\
//!       From: <sip:a@192.0.2.2>;tag=1\r\nTo: <sip:600@192.0.2.1>\r\nCall-ID: 1\r\nCSeq: 1 INVITE\r\n\
//!       Contact: <sip:a@192.0.2.2>\r\nContent-Length: 0\r\n\r\n",
//! );
//! agent.handle_input(now, Input::Datagram { listener, source: "192.0.2.2:5060".parse()?, payload, received: None });
//! let mut sent = Vec::new();
//! while let Some(output) = agent.poll_output() {
//!     match output {
//!         Output::Event(Event::Incoming { session, .. }) => {
//!             let offer = Bytes::from_static(b"v=0\r\n"); // and so on
//!             agent.answer(now, session, Some(offer), &[])?;
//!         }
//!         Output::Datagram { payload, .. } => sent.push(payload),
//!         _ => {}
//!     }
//! }
//! assert!(sent[0].starts_with(b"SIP/2.0 200 OK\r\n"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod action;
mod command;
mod compose;
mod config;
mod credentials;
mod error;
mod event;
mod flow;
mod inside;
mod invite;
mod offer;
mod request;
mod response;
mod snapshot;
mod state;
mod timers;

use std::collections::{HashMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use bytes::Bytes;
use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};
use sip_core::{Request, Response};

use crate::arena::{Arena, Slot};
use crate::dialog::DialogId;
use crate::session::Times;
use crate::{
    ClientId, ConnectionId, Destination, Endpoint, Flow, Input, ListenerConfig, ListenerId, Refused, RespondError,
    SendError, ServerId, Source, Target,
};
use state::{Client, Purpose, Server, Session};
use timers::Timers;

pub use self::config::Config;
pub use self::credentials::Credentials;
pub use self::error::{InviteError, SessionError};
pub use self::event::Event;
pub use self::invite::{ExtraHeaders, Invite};
pub use self::snapshot::{Counters, Snapshot};
pub use crate::session::Cause;

/// What a driver must do for an agent.
pub type Output = crate::Output<Event>;

/// A session of an [`Agent`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionId(Slot);

impl SessionId {
    /// The id as one number, for logs and tables.
    #[must_use]
    pub const fn as_u64(self) -> u64 {
        self.0.as_u64()
    }
}

/// A user agent over an [`Endpoint`]: calls, both sides of them, and other requests.
#[derive(Debug)]
pub struct Agent {
    config: Config,
    times: Times,
    endpoint: Endpoint,
    rng: ChaCha20Rng,
    now: Option<Instant>,
    sessions: Arena<Session>,
    lingering: usize,
    dialogs: HashMap<DialogId, SessionId>,
    clients: HashMap<ClientId, Client>,
    servers: HashMap<ServerId, Server>,
    /// INVITEs without a final response, by Call-ID and From tag.
    merging: HashMap<(Bytes, Bytes), SessionId>,
    timers: Timers,
    outputs: VecDeque<Output>,
    counters: Counters,
}

impl Agent {
    /// An agent without listeners. The seed makes tags, branches and Call-IDs; take it from the system's randomness.
    #[must_use]
    pub fn new(config: Config, seed: [u8; 32]) -> Self {
        let mut rng = ChaCha20Rng::from_seed(seed);
        let mut below = [0; 32];
        rng.fill_bytes(&mut below);
        let timers = config.endpoint.timers;
        Self {
            times: Times { t1: timers.t1, t2: timers.t2, ring: config.ring },
            endpoint: Endpoint::new(config.endpoint, below),
            config,
            rng,
            now: None,
            sessions: Arena::new(),
            lingering: 0,
            dialogs: HashMap::new(),
            clients: HashMap::new(),
            servers: HashMap::new(),
            merging: HashMap::new(),
            timers: Timers::default(),
            outputs: VecDeque::new(),
            counters: Counters::default(),
        }
    }

    /// Tells of a listening socket.
    pub fn add_listener(&mut self, listener: ListenerConfig) -> ListenerId {
        self.endpoint.add_listener(listener)
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
        let now = self.clamp(now);
        let accepted = self.endpoint.accept(now, listener, local, remote);
        self.pump(now);
        accepted
    }

    /// Closes a connection.
    pub fn close(&mut self, now: Instant, connection: ConnectionId) {
        let now = self.clamp(now);
        self.endpoint.close(now, connection);
        self.pump(now);
    }

    /// Sends one keep-alive along a flow; see [`Endpoint::keep_alive`].
    pub fn keep_alive(&mut self, now: Instant, flow: impl Into<Flow>) -> bool {
        let now = self.clamp(now);
        let sent = self.endpoint.keep_alive(now, flow);
        self.pump(now);
        sent
    }

    /// Sends keep-alives along a flow from now on; see [`Endpoint::keep_alive_every`].
    pub fn keep_alive_every(&mut self, now: Instant, flow: impl Into<Flow>, flow_timer: Option<Duration>) -> bool {
        let now = self.clamp(now);
        let sent = self.endpoint.keep_alive_every(now, flow, flow_timer);
        self.pump(now);
        sent
    }

    /// Sends no more keep-alives along a flow. Whether it was kept alive.
    pub fn let_go(&mut self, flow: impl Into<Flow>) -> bool {
        self.endpoint.let_go(flow)
    }

    /// Says that an address is not a stranger's: it authenticated itself, or the application knows it.
    pub fn trust(&mut self, address: IpAddr) {
        self.endpoint.trust(address);
    }

    /// Says that many peers come from an address, as from a balancer; see [`Endpoint::share`].
    pub fn share(&mut self, address: IpAddr) {
        self.endpoint.share(address);
    }

    /// Sends a request outside of any dialog, without Via; [`Event::Response`] or [`Event::Failed`] tells what became
    /// of it. For INVITE see [`invite`](Self::invite).
    ///
    /// # Errors
    /// When it cannot even be tried.
    pub fn send_request(
        &mut self,
        now: Instant,
        request: Request,
        destination: impl Into<Destination>,
    ) -> Result<ClientId, SendError> {
        let now = self.clamp(now);
        let sent = self.send(now, None, Purpose::Outside, request, destination);
        self.pump(now);
        sent
    }

    /// Answers a request that was told with [`Event::Request`] or [`Event::InDialog`].
    ///
    /// # Errors
    /// When the transaction is over or the response may not be given.
    pub fn respond(&mut self, now: Instant, id: ServerId, response: Response) -> Result<(), RespondError> {
        let now = self.clamp(now);
        let last = response.status().is_final();
        let responded = self.endpoint.respond(now, id, response);
        if last
            && responded.is_ok()
            && let Some(Server::Inside(session)) = self.servers.get(&id)
            && let Some(session) = self.sessions.get_mut(session.0)
        {
            session.waiting.retain(|served| served.id != id);
        }
        self.pump(now);
        responded
    }

    /// What happened outside.
    pub fn handle_input(&mut self, now: Instant, input: Input) {
        let now = self.clamp(now);
        self.endpoint.handle_input(now, input);
        self.pump(now);
    }

    /// Time passed. Early or twice is harmless.
    pub fn handle_timeout(&mut self, now: Instant) {
        let now = self.clamp(now);
        self.endpoint.handle_timeout(now);
        self.pump(now);
        while let Some((slot, timer)) = self.timers.pop(now) {
            self.on_timer(now, SessionId(slot), timer);
            self.pump(now);
        }
    }

    /// What to do next; call until `None` after every other call.
    #[must_use]
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When to call [`handle_timeout`](Self::handle_timeout).
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        match (self.endpoint.poll_timeout(), self.timers.next()) {
            (Some(below), Some(own)) => Some(below.min(own)),
            (below, own) => below.or(own),
        }
    }

    /// The transactions and the transport below.
    #[must_use]
    pub const fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// The source that messages of a connection have.
    #[must_use]
    pub fn connection(&self, id: ConnectionId) -> Option<Source> {
        self.endpoint.connection(id)
    }

    /// Limits and manners, as given.
    #[must_use]
    pub const fn config(&self) -> &Config {
        &self.config
    }

    /// Whether a session is alive.
    #[must_use]
    pub fn is_alive(&self, session: SessionId) -> bool {
        self.sessions.get(session.0).is_some_and(|session| !session.call.is_over())
    }

    /// The confirmed dialog of a session, once there is one.
    #[must_use]
    pub fn dialog(&self, session: SessionId) -> Option<&crate::dialog::Dialog> {
        self.sessions.get(session.0).and_then(Session::confirmed)
    }

    /// Where requests of a session go.
    #[must_use]
    pub fn target(&self, session: SessionId) -> Option<Target> {
        self.sessions.get(session.0).map(|session| session.target)
    }

    /// Table sizes and counters.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        Snapshot {
            sessions: self.sessions.len().saturating_sub(self.lingering),
            lingering: self.lingering,
            dialogs: self.dialogs.len(),
            clients: self.clients.len(),
            servers: self.servers.len(),
            merging: self.merging.len(),
            timers: self.timers.len(),
            outputs: self.outputs.len(),
            endpoint: self.endpoint.snapshot(),
            counters: self.counters,
        }
    }

    /// Time never goes back.
    fn clamp(&mut self, now: Instant) -> Instant {
        let now = self.now.map_or(now, |last| last.max(now));
        self.now = Some(now);
        now
    }

    fn tell(&mut self, event: Event) {
        self.outputs.push_back(Output::Event(event));
    }

    /// Takes what the endpoint has to say until it is silent.
    fn pump(&mut self, now: Instant) {
        while let Some(output) = self.endpoint.poll_output() {
            match output.into_duty() {
                Ok(duty) => self.outputs.push_back(duty),
                Err(event) => self.on_event(now, event),
            }
        }
    }

    fn on_event(&mut self, now: Instant, event: crate::Event) {
        match event {
            crate::Event::Request { id, request, mandatory, source } => {
                self.on_request(now, id, request, mandatory, source);
            }
            crate::Event::Ack { request, mandatory, source: _ } => self.on_ack(now, &request, &mandatory),
            crate::Event::Cancelled { invite, cancel } => self.on_cancelled(now, invite, &cancel),
            crate::Event::Response { id, response, mandatory, source } => {
                self.on_response(now, id, response, &mandatory, source);
            }
            crate::Event::ClientFailed { id, reason } => self.on_client_failed(now, id, reason),
            crate::Event::ClientEnded { id } => self.on_client_ended(now, id),
            crate::Event::ServerEnded { id, ended } => self.on_server_ended(id, ended),
            crate::Event::ConnectionOpened { source } => self.tell(Event::ConnectionOpened { source }),
            crate::Event::ConnectionAuthenticated { source, names } => {
                self.tell(Event::ConnectionAuthenticated { source, names });
            }
            crate::Event::ConnectionClosed { connection, reason } => {
                self.tell(Event::ConnectionClosed { connection, reason });
            }
            crate::Event::FlowAlive { flow, mapped } => self.tell(Event::FlowAlive { flow, mapped }),
            crate::Event::FlowFailed { flow, reason } => self.tell(Event::FlowFailed { flow, reason }),
        }
    }

    fn on_server_ended(&mut self, id: ServerId, ended: crate::Ended) {
        match self.servers.remove(&id) {
            Some(Server::Outside) => self.tell(Event::RequestEnded { id, ended }),
            Some(Server::Inside(session)) => {
                if let Some(session) = self.sessions.get_mut(session.0) {
                    session.waiting.retain(|served| served.id != id);
                }
            }
            Some(Server::Invite(_) | Server::Offer(_)) | None => {}
        }
    }

    /// Sends a request and remembers why.
    fn send(
        &mut self,
        now: Instant,
        session: Option<SessionId>,
        purpose: Purpose,
        request: Request,
        destination: impl Into<Destination>,
    ) -> Result<ClientId, SendError> {
        let destination = destination.into();
        let (target, is_wandering) = match destination.targets() {
            [target] => (*target, false),
            [first, ..] => (*first, true),
            [] => (Target::udp(([0; 4], 0).into()), true),
        };
        let id = self.endpoint.send_request(now, request.clone(), destination)?;
        if let Some(session) = session.and_then(|session| self.sessions.get_mut(session.0)) {
            session.open = session.open.saturating_add(1);
        }
        let acks = smallvec::SmallVec::new();
        let client =
            Client { session, purpose, request, target, is_wandering, acks, open: true, attempts: 0, alias: None };
        self.clients.insert(id, client);
        Ok(id)
    }
}
