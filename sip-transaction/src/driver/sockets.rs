//! UDP sockets, TCP listeners and connections, as inputs and outputs.

use std::collections::{HashMap, VecDeque};
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
#[cfg(any(feature = "tls", feature = "ws"))]
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::io::ReadBuf;
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::mpsc;
use tokio::time::{Sleep, sleep};

use super::connection::{self, Connection, Opening, Secrets};
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
}

impl Default for SocketConfig {
    fn default() -> Self {
        Self { receive_buffer: 8 << 20, send_buffer: 4 << 20, write_queue: 1 << 20, backlog: 1_024 }
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
        receiving: UdpSocket,
        /// The same socket: sent to directly, without waiting for readiness that was never asked for.
        sending: std::net::UdpSocket,
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
    buffer: Box<[u8]>,
    /// Where to begin to look, so that no socket starves another.
    turn: usize,
    counters: SocketCounters,
}

/// The largest datagram.
const DATAGRAM: usize = 65_535;

impl Sockets {
    /// No sockets yet.
    #[must_use]
    pub fn new(config: SocketConfig) -> Self {
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
            buffer: vec![0; DATAGRAM].into_boxed_slice(),
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
        let (kind, protocol) = match transport {
            Transport::Udp => (Type::DGRAM, Protocol::UDP),
            _ => (Type::STREAM, Protocol::TCP),
        };
        let socket = Socket::new(Domain::for_address(address), kind, Some(protocol))?;
        socket.set_nonblocking(true)?;
        if address.is_ipv6() {
            // The unspecified address takes both families, any other one takes its own.
            socket.set_only_v6(!address.ip().is_unspecified())?;
        }
        let local = if transport == Transport::Udp {
            // Best effort: the system caps them.
            let _ = socket.set_recv_buffer_size(self.config.receive_buffer);
            let _ = socket.set_send_buffer_size(self.config.send_buffer);
            socket.bind(&address.into())?;
            let sending = std::net::UdpSocket::from(socket);
            let receiving = UdpSocket::from_std(sending.try_clone()?)?;
            let local = sending.local_addr()?;
            self.listeners.push(Listening::Udp { receiving, sending });
            local
        } else {
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

    /// What the network brings next. Dropping the future loses nothing.
    pub async fn recv(&mut self) -> Arrival {
        poll_fn(|context| self.poll_recv(context)).await
    }

    /// What the network has brought already, without waiting: for loops that handle several arrivals at a time.
    pub fn try_recv(&mut self) -> Option<Arrival> {
        match self.poll_recv(&mut Context::from_waker(std::task::Waker::noop())) {
            Poll::Ready(arrival) => Some(arrival),
            Poll::Pending => None,
        }
    }

    /// Carries out what a machine wants done. Returns what it wants to tell.
    pub fn transmit<E>(&mut self, output: Output<E>) -> Option<E> {
        match output {
            Output::Datagram { listener, destination, payload } => self.send(listener, destination, &payload),
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

    /// What happened to sockets that no machine is told of.
    #[must_use]
    pub const fn counters(&self) -> SocketCounters {
        self.counters
    }

    fn send(&mut self, listener: ListenerId, destination: SocketAddr, payload: &[u8]) {
        let sent = match self.listeners.get(usize::from(listener.0)) {
            Some(Listening::Udp { sending, .. }) => sending.send_to(payload, destination),
            _ => Err(io::ErrorKind::NotFound.into()),
        };
        if let Err(error) = sent {
            // Like a loss in the network: transactions retransmit.
            self.counters.datagrams_dropped += 1;
            tracing::debug!(%error, %destination, length = payload.len(), "datagram dropped");
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
        if let Some(input) = self.ready.pop_front() {
            return Poll::Ready(Arrival::Input(input));
        }
        let places = self.listeners.len() + 1;
        for step in 0..places {
            let place = (self.turn + step) % places;
            let arrival = if place == self.listeners.len() {
                self.poll_connections(context)
            } else {
                self.poll_listener(place, context)
            };
            if let Poll::Ready(arrival) = arrival {
                self.turn = place + 1;
                return Poll::Ready(arrival);
            }
        }
        Poll::Pending
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

    fn poll_listener(&mut self, place: usize, context: &mut Context<'_>) -> Poll<Arrival> {
        let Ok(listener) = u16::try_from(place).map(ListenerId) else { return Poll::Pending };
        match self.listeners.get_mut(place) {
            Some(Listening::Udp { receiving, .. }) => loop {
                let mut buffer = ReadBuf::new(&mut self.buffer);
                match std::task::ready!(receiving.poll_recv_from(context, &mut buffer)) {
                    Ok(source) => {
                        let payload = Bytes::copy_from_slice(buffer.filled());
                        return Poll::Ready(Arrival::Input(Input::Datagram {
                            listener,
                            source,
                            payload,
                            received: None,
                        }));
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
