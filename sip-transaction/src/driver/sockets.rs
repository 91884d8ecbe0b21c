//! UDP sockets, TCP listeners and connections, as inputs and outputs.

use std::collections::{HashMap, VecDeque};
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
#[cfg(any(feature = "tls", feature = "ws"))]
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::{Sleep, sleep};

use super::connection::{self, Connection, Opening, Secrets};
use super::now;
use super::shards::Crew;
use super::udp::readable::Readable;
use super::udp::{self, BATCH, Datagram, Udp, UdpConfig};
#[cfg(feature = "ws")]
use super::websocket::WebSocketConfig;
use crate::endpoint::{CloseReason, Input, Output};
use crate::resolve::{Answer, QueryId, Question};
use crate::transport::{ConnectionId, ListenerConfig, ListenerId, Transport};

/// Sizes of buffers and queues.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SocketConfig {
    /// What a UDP socket's receive buffer is asked to hold, in bytes. The system may give less.
    pub receive_buffer: usize,
    /// What a UDP socket's send buffer is asked to hold, in bytes. The system may give less.
    pub send_buffer: usize,
    /// How many bytes may wait for the reader of a connection. Past it, the connection is closed.
    pub write_queue: usize,
    /// How many connections may wait to be accepted.
    pub backlog: u32,
    /// Whether other sockets of this user may bind the same addresses (SO_REUSEPORT), as shards do.
    pub is_shared: bool,
    /// The class in which everything is sent (DSCP, RFC 2474), below 64; as the system does it when `None`. One listener
    /// gets another by [`Sockets::set_dscp`].
    pub dscp: Option<u8>,
}

impl Default for SocketConfig {
    fn default() -> Self {
        Self {
            receive_buffer: 8 << 20,
            send_buffer: 4 << 20,
            write_queue: 1 << 20,
            backlog: 1_024,
            is_shared: false,
            dscp: None,
        }
    }
}

/// What happened to sockets that no machine is told of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SocketCounters {
    /// Datagrams that the system did not take: its buffer was full, or the destination cannot be reached.
    pub datagrams_dropped: u64,
    /// Errors in receiving datagrams.
    pub receive_errors: u64,
    /// Errors in accepting connections, mostly for want of file descriptors.
    pub accept_errors: u64,
    /// Connections that were closed because their reader did not read.
    pub slow_readers: u64,
    /// Datagrams for other shards that those had no room for.
    pub not_handed_over: u64,
}

/// What [`Sockets::recv`] brings.
#[derive(Debug)]
pub enum Arrival {
    /// Something for `handle_input`.
    Input(Input),
    /// A connection came in: ask the machine's `accept`, then [`Sockets::attach`] it.
    Connection(Incoming),
}

/// A connection that came in and is not yet accepted by the machine.
#[derive(Debug)]
pub struct Incoming {
    listener: ListenerId,
    local: SocketAddr,
    remote: SocketAddr,
    stream: TcpStream,
}

impl Incoming {
    /// The listener that it came by.
    #[must_use]
    pub const fn listener(&self) -> ListenerId {
        self.listener
    }

    /// Our address.
    #[must_use]
    pub const fn local(&self) -> SocketAddr {
        self.local
    }

    /// The other side's address.
    #[must_use]
    pub const fn remote(&self) -> SocketAddr {
        self.remote
    }
}

#[derive(Debug)]
enum Listening {
    Udp {
        udp: Readable,
        /// What is to be sent with the next batch.
        outgoing: Vec<(SocketAddr, Bytes)>,
    },
    Stream {
        listener: TcpListener,
        transport: Transport,
        local: SocketAddr,
        #[cfg(feature = "tls")]
        tls: Option<Arc<rustls::ServerConfig>>,
        /// After an error, accepting waits: without file descriptors it would fail again at once.
        pause: Option<Pin<Box<Sleep>>>,
    },
}

/// All sockets of a machine. Listeners are numbered in the order in which they are bound, as the machine's are in the
/// order in which they are added.
#[derive(Debug)]
pub struct Sockets {
    config: SocketConfig,
    secrets: Secrets,
    #[cfg(feature = "dns")]
    resolver: Option<hickory_resolver::TokioResolver>,
    listeners: Vec<Listening>,
    connections: HashMap<ConnectionId, Connection>,
    arrivals: mpsc::Receiver<Input>,
    arriving: mpsc::Sender<Input>,
    /// What the sockets themselves have to tell.
    ready: VecDeque<Input>,
    /// Datagrams of one listener that are read and not yet told.
    batch: VecDeque<Datagram>,
    batch_of: ListenerId,
    /// Whether there is something to flush.
    has_outgoing: bool,
    /// Wakes for the timeouts of [`recv_until`](Self::recv_until).
    alarm: Option<Pin<Box<Sleep>>>,
    /// The other shards, when there are some.
    crew: Option<Crew>,
    /// Where to begin to look, so that no socket starves another.
    turn: usize,
    counters: SocketCounters,
}

impl Sockets {
    /// No sockets yet.
    #[must_use]
    pub fn new(config: SocketConfig) -> Self {
        Self::of_shard(config, None)
    }

    pub(super) fn of_shard(config: SocketConfig, crew: Option<Crew>) -> Self {
        let (arriving, arrivals) = mpsc::channel(1_024);
        Self {
            config,
            #[cfg(feature = "dns")]
            resolver: None,
            secrets: Secrets {
                #[cfg(feature = "tls")]
                server: None,
                #[cfg(feature = "tls")]
                client: None,
                #[cfg(feature = "ws")]
                websocket: Arc::default(),
            },
            listeners: Vec::new(),
            connections: HashMap::new(),
            arrivals,
            arriving,
            ready: VecDeque::new(),
            batch: VecDeque::new(),
            batch_of: ListenerId(0),
            has_outgoing: false,
            alarm: None,
            crew,
            turn: 0,
            counters: SocketCounters::default(),
        }
    }

    /// Binds a listener for UDP, TCP or, with the feature `ws`, WebSockets. Give the result, with the advertised address
    /// changed if need be, to the machine's `add_listener` before the next one is bound. Call it within a tokio runtime.
    ///
    /// # Errors
    /// When the system refuses, and for transports that need a certificate, or a feature that is not there.
    pub fn bind(&mut self, transport: Transport, address: SocketAddr) -> io::Result<ListenerConfig> {
        let is_served = match transport {
            Transport::Udp | Transport::Tcp => true,
            Transport::Ws => cfg!(feature = "ws"),
            Transport::Tls | Transport::Wss => false,
        };
        if !is_served {
            return Err(io::Error::new(io::ErrorKind::Unsupported, "it needs a certificate, or a feature"));
        }
        self.listen(transport, address)
    }

    /// Binds a listener for TLS or, with the feature `ws`, secure WebSockets, as [`bind`](Self::bind) does for others.
    /// [`tls::server_config`](super::tls::server_config) makes configurations.
    ///
    /// # Errors
    /// When the system refuses, and for transports that are not encrypted.
    #[cfg(feature = "tls")]
    pub fn bind_tls(
        &mut self,
        transport: Transport,
        address: SocketAddr,
        config: Arc<rustls::ServerConfig>,
    ) -> io::Result<ListenerConfig> {
        let is_served = match transport {
            Transport::Tls => true,
            Transport::Wss => cfg!(feature = "ws"),
            Transport::Udp | Transport::Tcp | Transport::Ws => false,
        };
        if !is_served {
            return Err(io::Error::new(io::ErrorKind::Unsupported, "not encrypted, or a feature is missing"));
        }
        let bound = self.listen(transport, address)?;
        if let Some(Listening::Stream { tls, .. }) = self.listeners.last_mut() {
            *tls = Some(config);
        }
        Ok(bound)
    }

    /// Gives a listener another certificate. Connections that are open keep the old one. Whether it is a listener for TLS.
    #[cfg(feature = "tls")]
    pub fn set_server_tls(&mut self, listener: ListenerId, config: Arc<rustls::ServerConfig>) -> bool {
        match self.listeners.get_mut(usize::from(listener.0)) {
            Some(Listening::Stream { tls: tls @ Some(_), .. }) => {
                *tls = Some(config);
                true
            }
            _ => false,
        }
    }

    /// Says how the other side of encrypted connections that we open is checked, and what is shown to it. Without it,
    /// none can be opened. [`tls::client_config`](super::tls::client_config) makes configurations.
    #[cfg(feature = "tls")]
    pub fn set_client_tls(&mut self, config: Arc<rustls::ClientConfig>) {
        self.secrets.client = Some(config);
    }

    /// Says who may open WebSockets, and how large their messages may be.
    #[cfg(feature = "ws")]
    pub fn set_websocket(&mut self, config: WebSocketConfig) {
        self.secrets.websocket = Arc::new(config);
    }

    /// Says whom to ask for the servers of a URI. Without it, none is found. What it heard is kept by the machine, so
    /// its own cache may be off.
    #[cfg(feature = "dns")]
    pub fn set_resolver(&mut self, resolver: hickory_resolver::TokioResolver) {
        self.resolver = Some(resolver);
    }

    /// Asks the name servers that the system is configured to ask.
    ///
    /// # Errors
    /// When the system's configuration cannot be read.
    #[cfg(feature = "dns")]
    pub fn use_system_resolver(&mut self) -> io::Result<()> {
        let resolver = hickory_resolver::TokioResolver::builder_tokio().and_then(|mut builder| {
            builder.options_mut().cache_size = 0;
            builder.build()
        });
        self.resolver = Some(resolver.map_err(io::Error::other)?);
        Ok(())
    }

    fn listen(&mut self, transport: Transport, address: SocketAddr) -> io::Result<ListenerConfig> {
        let SocketConfig { receive_buffer, send_buffer, is_shared, dscp, .. } = self.config;
        let local = if transport == Transport::Udp {
            let udp = Udp::bind(
                address,
                &UdpConfig { receive_buffer, send_buffer, is_shared, dscp, ..UdpConfig::default() },
            )?;
            let local = udp.local()?;
            self.listeners.push(Listening::Udp { udp: Readable::new(udp)?, outgoing: Vec::new() });
            local
        } else {
            let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
            socket.set_nonblocking(true)?;
            if address.is_ipv6() {
                // The unspecified address takes both families, any other one takes its own.
                socket.set_only_v6(!address.ip().is_unspecified())?;
            }
            if is_shared {
                udp::share(&socket)?;
            }
            if let Some(dscp) = dscp {
                udp::set_dscp(SockRef::from(&socket), address.is_ipv6(), dscp)?;
            }
            socket.set_reuse_address(true)?;
            socket.bind(&address.into())?;
            socket.listen(i32::try_from(self.config.backlog).unwrap_or(i32::MAX))?;
            let listener = TcpListener::from_std(socket.into())?;
            let local = listener.local_addr()?;
            self.listeners.push(Listening::Stream {
                listener,
                transport,
                local,
                #[cfg(feature = "tls")]
                tls: None,
                pause: None,
            });
            local
        };
        Ok(ListenerConfig::new(transport, local))
    }

    /// Sends what comes from a listener in another class from now on (DSCP, RFC 2474), below 64: its datagrams, and the
    /// connections that come in by it later.
    ///
    /// # Errors
    /// When there is no such listener, it is no class, or the system refuses.
    pub fn set_dscp(&mut self, listener: ListenerId, dscp: u8) -> io::Result<()> {
        match self.listeners.get(usize::from(listener.0)) {
            Some(Listening::Udp { udp, .. }) => udp.get().set_dscp(dscp),
            Some(Listening::Stream { listener, local, .. }) => {
                udp::set_dscp(SockRef::from(listener), local.is_ipv6(), dscp)
            }
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    /// What the network brings next. Dropping the future loses nothing.
    pub async fn recv(&mut self) -> Arrival {
        poll_fn(|context| self.poll_recv(context)).await
    }

    /// What the network brings next, or `None` when a machine's timeout has come. Cheaper than a race of
    /// [`recv`](Self::recv) against [`sleep_until`](super::sleep_until): while there is something to read, nobody looks
    /// at the clock.
    pub async fn recv_until(&mut self, timeout: Option<Instant>) -> Option<Arrival> {
        poll_fn(|context| self.poll_recv_until(timeout, context)).await
    }

    /// What the network has brought already, without waiting: for loops that handle several arrivals at a time.
    pub fn try_recv(&mut self) -> Option<Arrival> {
        match self.poll_recv(&mut Context::from_waker(std::task::Waker::noop())) {
            Poll::Ready(arrival) => Some(arrival),
            Poll::Pending => None,
        }
    }

    /// Carries out what a machine wants done. Returns what it wants to tell. Datagrams go out in batches: at the latest
    /// when nothing more is to be received at once, or on [`flush`](Self::flush).
    pub fn transmit<E>(&mut self, output: Output<E>) -> Option<E> {
        match output {
            Output::Datagram { listener, destination, payload } => self.send(listener, destination, payload),
            Output::Connect { connection, transport, destination, name } => {
                let opening = Opening { transport, destination, name };
                match connection::open(connection, opening, self.secrets.clone(), self.arriving.clone()) {
                    Some(opened) => {
                        self.connections.insert(connection, opened);
                    }
                    // A feature is missing.
                    None => self.ready.push_back(Input::Closed { connection, reason: CloseReason::Unreachable }),
                }
            }
            Output::Write { connection, payload } => self.write(connection, payload),
            Output::Close { connection } => {
                // Dropping it lets it write what waits.
                self.connections.remove(&connection);
            }
            Output::Query { query, question } => self.ask(query, question),
            Output::Event(event) => return Some(event),
        }
        None
    }

    /// Begins to read from a connection that the machine has accepted, under the name that it gave; without a name,
    /// closes it.
    pub fn attach(&mut self, incoming: Incoming, id: Option<ConnectionId>) {
        if let Some(id) = id {
            let Some(Listening::Stream {
                transport,
                #[cfg(feature = "tls")]
                tls,
                ..
            }) = self.listeners.get(usize::from(incoming.listener.0))
            else {
                return;
            };
            #[cfg_attr(not(feature = "tls"), expect(unused_mut, reason = "the certificate is the listener's"))]
            let mut secrets = self.secrets.clone();
            #[cfg(feature = "tls")]
            secrets.server.clone_from(tls);
            let attached = connection::attach(id, incoming.stream, *transport, secrets, self.arriving.clone());
            self.connections.insert(id, attached);
        }
    }

    /// The number of the [shard](super::shards) that a Call-ID belongs to.
    #[must_use]
    pub fn shard_of(&self, call_id: &[u8]) -> usize {
        self.crew.as_ref().map_or(0, |crew| crew.shard_of(call_id))
    }

    /// What happened to sockets that no machine is told of.
    #[must_use]
    pub const fn counters(&self) -> SocketCounters {
        self.counters
    }

    /// Sends the datagrams that wait for others.
    pub fn flush(&mut self) {
        if !std::mem::take(&mut self.has_outgoing) {
            return;
        }
        for listening in &mut self.listeners {
            if let Listening::Udp { udp, outgoing, .. } = listening
                && !outgoing.is_empty()
            {
                // Like a loss in the network: transactions retransmit.
                self.counters.datagrams_dropped += udp.get().send(outgoing);
                outgoing.clear();
            }
        }
    }

    fn send(&mut self, listener: ListenerId, destination: SocketAddr, payload: Bytes) {
        let Some(Listening::Udp { outgoing, .. }) = self.listeners.get_mut(usize::from(listener.0)) else {
            self.counters.datagrams_dropped += 1;
            return;
        };
        outgoing.push((destination, payload));
        self.has_outgoing = true;
        if outgoing.len() >= BATCH {
            self.flush();
        }
    }

    fn ask(&mut self, query: QueryId, question: Question) {
        #[cfg(feature = "dns")]
        if let Some(resolver) = self.resolver.clone() {
            let arriving = self.arriving.clone();
            tokio::spawn(async move {
                let answer = super::dns::ask(&resolver, &question).await;
                let _ = arriving.send(Input::Answer { query, answer }).await;
            });
            return;
        }
        tracing::debug!(name = %question.name, kind = ?question.kind, "nobody to ask");
        self.ready.push_back(Input::Answer { query, answer: Answer::Failed });
    }

    fn write(&mut self, id: ConnectionId, payload: Bytes) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        if connection.push(payload, self.config.write_queue) {
            return;
        }
        // Nobody reads what waits: there is nothing to be polite about.
        self.counters.slow_readers += 1;
        if let Some(connection) = self.connections.remove(&id) {
            connection.abort();
        }
        self.ready.push_back(Input::Closed { connection: id, reason: CloseReason::SlowReader });
    }

    fn poll_recv(&mut self, context: &mut Context<'_>) -> Poll<Arrival> {
        if let Some(input) = self.pop() {
            return Poll::Ready(Arrival::Input(input));
        }
        self.flush();
        let places = self.listeners.len() + 2;
        for step in 0..places {
            let place = (self.turn + step) % places;
            let arrival = match place.checked_sub(self.listeners.len()) {
                None => self.poll_listener(place, context),
                Some(0) => self.poll_connections(context),
                Some(_) => self.poll_crew(context),
            };
            if let Poll::Ready(arrival) = arrival {
                self.turn = place + 1;
                return Poll::Ready(arrival);
            }
        }
        Poll::Pending
    }

    /// What is already read.
    fn pop(&mut self) -> Option<Input> {
        if let Some(input) = self.ready.pop_front() {
            return Some(input);
        }
        let datagram = self.batch.pop_front()?;
        Some(input(self.batch_of, datagram))
    }

    fn poll_recv_until(&mut self, timeout: Option<Instant>, context: &mut Context<'_>) -> Poll<Option<Arrival>> {
        if let Some(input) = self.pop() {
            return Poll::Ready(Some(Arrival::Input(input)));
        }
        // Between two batches, so that nobody who sends much keeps the time from coming.
        if timeout.is_some_and(|timeout| timeout <= now()) {
            self.flush();
            return Poll::Ready(None);
        }
        if let Poll::Ready(arrival) = self.poll_recv(context) {
            return Poll::Ready(Some(arrival));
        }
        let Some(timeout) = timeout else { return Poll::Pending };
        let alarm = self.alarm.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(timeout.into())));
        // One that is set for earlier need not be set again: waking for nothing once is cheaper.
        if alarm.is_elapsed() || alarm.deadline() > timeout.into() {
            alarm.as_mut().reset(timeout.into());
        }
        match alarm.as_mut().poll(context) {
            Poll::Ready(()) if timeout <= now() => Poll::Ready(None),
            Poll::Ready(()) => {
                alarm.as_mut().reset(timeout.into());
                alarm.as_mut().poll(context).map(|()| None)
            }
            Poll::Pending => Poll::Pending,
        }
    }

    fn poll_connections(&mut self, context: &mut Context<'_>) -> Poll<Arrival> {
        match self.arrivals.poll_recv(context) {
            Poll::Ready(Some(input)) => {
                if let Input::Closed { connection, .. } = &input {
                    self.connections.remove(connection);
                }
                Poll::Ready(Arrival::Input(input))
            }
            // We hold a sender ourselves: the channel never ends.
            Poll::Ready(None) | Poll::Pending => Poll::Pending,
        }
    }

    fn poll_crew(&mut self, context: &mut Context<'_>) -> Poll<Arrival> {
        let Some(crew) = &mut self.crew else { return Poll::Pending };
        self.ready.extend(std::task::ready!(crew.poll_recv(context)));
        match self.ready.pop_front() {
            Some(input) => Poll::Ready(Arrival::Input(input)),
            None => Poll::Pending,
        }
    }

    fn poll_listener(&mut self, place: usize, context: &mut Context<'_>) -> Poll<Arrival> {
        let Ok(listener) = u16::try_from(place).map(ListenerId) else { return Poll::Pending };
        match self.listeners.get_mut(place) {
            Some(Listening::Udp { udp, .. }) => loop {
                let received = std::task::ready!(udp.poll_receive(context, &mut self.batch));
                match received {
                    Ok(_) => {
                        self.batch_of = listener;
                        if let Some(crew) = &mut self.crew {
                            for _ in 0..self.batch.len() {
                                let Some(datagram) = self.batch.pop_front() else { break };
                                match crew.sort(&datagram.payload) {
                                    Some(leaving) => leaving.push(input(listener, datagram)),
                                    None => self.batch.push_back(datagram),
                                }
                            }
                            self.counters.not_handed_over += crew.hand_over();
                        }
                        if let Some(datagram) = self.batch.pop_front() {
                            return Poll::Ready(Arrival::Input(input(listener, datagram)));
                        }
                    }
                    // Some systems report here that an earlier datagram did not arrive.
                    Err(error) => {
                        self.counters.receive_errors += 1;
                        tracing::debug!(%error, "datagram not received");
                    }
                }
            },
            Some(Listening::Stream { listener: accepting, local, pause, .. }) => {
                if let Some(sleep) = pause {
                    std::task::ready!(sleep.as_mut().poll(context));
                    *pause = None;
                }
                match std::task::ready!(accepting.poll_accept(context)) {
                    Ok((stream, remote)) => {
                        let local = stream.local_addr().unwrap_or(*local);
                        Poll::Ready(Arrival::Connection(Incoming { listener, local, remote, stream }))
                    }
                    Err(error) => {
                        self.counters.accept_errors += 1;
                        tracing::debug!(%error, "connection not accepted");
                        let mut sleep = Box::pin(sleep(Duration::from_millis(50)));
                        let _ = sleep.as_mut().poll(context);
                        *pause = Some(sleep);
                        Poll::Pending
                    }
                }
            }
            None => Poll::Pending,
        }
    }
}

fn input(listener: ListenerId, datagram: Datagram) -> Input {
    let Datagram { source, payload, received } = datagram;
    Input::Datagram { listener, source, payload, received: Some(received) }
}

impl Drop for Sockets {
    fn drop(&mut self) {
        self.flush();
    }
}
