//! One connection: a task that opens, reads and writes it.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot};
use tokio::task::AbortHandle;
use tokio::time::sleep;

use super::queue;
#[cfg(feature = "tls")]
use super::tls;
#[cfg(feature = "ws")]
use super::websocket::{self, WebSocketConfig};
use crate::endpoint::{CloseReason, Input};
use crate::transport::{ConnectionId, Transport};

/// How long what waits may take to be written after the connection was given up.
const LINGER: Duration = Duration::from_secs(5);

/// How much is read at once.
const PIECE: usize = 8 * 1_024;

/// Our end of the task. Dropping it closes the connection after what waits is written.
#[derive(Debug)]
pub(super) struct Connection {
    writes: queue::Sender,
    /// Bytes in `writes`: it is bounded by these, not by its length.
    waiting: Arc<AtomicUsize>,
    task: AbortHandle,
    _alive: oneshot::Sender<()>,
}

impl Connection {
    /// Queues bytes to be written. `false` when too many wait already.
    pub(super) fn push(&self, payload: Bytes, limit: usize) -> bool {
        let length = payload.len();
        let before = self.waiting.fetch_add(length, Ordering::Relaxed);
        let has_room = before + length <= limit;
        // A connection that broke is reported by its task.
        if has_room {
            self.writes.push(payload);
        }
        has_room
    }

    /// Closes the connection at once.
    pub(super) fn abort(self) {
        self.task.abort();
    }
}

/// What is spoken on connections beside TCP.
#[derive(Debug, Clone)]
pub(super) struct Secrets {
    #[cfg(feature = "tls")]
    pub(super) server: Option<Arc<rustls::ServerConfig>>,
    #[cfg(feature = "tls")]
    pub(super) client: Option<Arc<rustls::ClientConfig>>,
    #[cfg(feature = "ws")]
    pub(super) websocket: Arc<WebSocketConfig>,
}

/// Where a connection is to be opened to.
#[derive(Debug)]
pub(super) struct Opening {
    pub(super) transport: Transport,
    pub(super) destination: SocketAddr,
    #[cfg_attr(not(any(feature = "tls", feature = "ws")), expect(dead_code, reason = "tcp has no use for it"))]
    pub(super) name: Option<Arc<str>>,
}

/// What the task holds.
pub(super) struct Task {
    id: ConnectionId,
    writes: queue::Receiver,
    waiting: Arc<AtomicUsize>,
    given_up: oneshot::Receiver<()>,
    arriving: mpsc::Sender<Input>,
}

/// Reads and writes a connection that came in, after the handshakes of its transport. Deadlines are the machine's.
pub(super) fn attach(
    id: ConnectionId,
    stream: TcpStream,
    transport: Transport,
    secrets: Secrets,
    arriving: mpsc::Sender<Input>,
) -> Connection {
    // Messages are written whole: waiting for more helps nobody.
    let _ = stream.set_nodelay(true);
    let _ = &secrets;
    match transport {
        #[cfg(feature = "tls")]
        Transport::Tls => spawn(id, arriving, |mut task| async move {
            let Some(stream) = task.accept_tls(stream, secrets).await else { return };
            let (reader, writer) = tokio::io::split(stream);
            task.run(reader, writer).await;
        }),
        #[cfg(feature = "ws")]
        Transport::Ws => spawn(id, arriving, |mut task| async move {
            let config = secrets.websocket;
            let Some(socket) = task.handshake(websocket::accept(stream, &config)).await else { return };
            task.run_websocket(socket).await;
        }),
        #[cfg(all(feature = "tls", feature = "ws"))]
        Transport::Wss => spawn(id, arriving, |mut task| async move {
            let config = secrets.websocket.clone();
            let Some(stream) = task.accept_tls(stream, secrets).await else { return };
            let Some(socket) = task.handshake(websocket::accept(stream, &config)).await else { return };
            task.run_websocket(socket).await;
        }),
        _ => spawn(id, arriving, |task| async move {
            let (reader, writer) = stream.into_split();
            task.run(reader, writer).await;
        }),
    }
}

/// Opens a connection with the handshakes of its transport, then reads and writes it.
pub(super) fn open(
    id: ConnectionId,
    opening: Opening,
    secrets: Secrets,
    arriving: mpsc::Sender<Input>,
) -> Option<Connection> {
    let _ = &secrets;
    Some(match opening.transport {
        Transport::Tcp => spawn(id, arriving, move |mut task| async move {
            let Some((stream, local)) = task.connect(opening.destination).await else { return };
            if task.connected(local).await {
                let (reader, writer) = stream.into_split();
                task.run(reader, writer).await;
            }
        }),
        #[cfg(feature = "tls")]
        Transport::Tls => spawn(id, arriving, move |mut task| async move {
            let Some((stream, local)) = task.connect_tls(&opening, secrets).await else { return };
            if task.connected(local).await {
                let (reader, writer) = tokio::io::split(stream);
                task.run(reader, writer).await;
            }
        }),
        #[cfg(feature = "ws")]
        Transport::Ws => spawn(id, arriving, move |mut task| async move {
            let Some((stream, local)) = task.connect(opening.destination).await else { return };
            let Some(socket) = task.handshake(websocket::connect(stream, &opening, &secrets.websocket)).await else {
                return;
            };
            if task.connected(local).await {
                task.run_websocket(socket).await;
            }
        }),
        #[cfg(all(feature = "tls", feature = "ws"))]
        Transport::Wss => spawn(id, arriving, move |mut task| async move {
            let config = secrets.websocket.clone();
            let Some((stream, local)) = task.connect_tls(&opening, secrets).await else { return };
            let Some(socket) = task.handshake(websocket::connect(stream, &opening, &config)).await else { return };
            if task.connected(local).await {
                task.run_websocket(socket).await;
            }
        }),
        _ => return None,
    })
}

fn spawn<F>(id: ConnectionId, arriving: mpsc::Sender<Input>, run: impl FnOnce(Task) -> F) -> Connection
where
    F: Future<Output = ()> + Send + 'static,
{
    let (writes, queue) = queue::queue();
    let (alive, given_up) = oneshot::channel();
    let waiting = Arc::new(AtomicUsize::new(0));
    let task = Task { id, writes: queue, waiting: waiting.clone(), given_up, arriving };
    let task = tokio::spawn(run(task)).abort_handle();
    Connection { writes, waiting, task, _alive: alive }
}

impl Task {
    async fn connect(&mut self, destination: SocketAddr) -> Option<(TcpStream, SocketAddr)> {
        let opened = tokio::select! {
            opened = TcpStream::connect(destination) => opened,
            // The machine no longer waits.
            _ = &mut self.given_up => return None,
        };
        match opened.and_then(|stream| stream.local_addr().map(|local| (stream, local))) {
            Ok((stream, local)) => {
                let _ = stream.set_nodelay(true);
                Some((stream, local))
            }
            Err(error) => {
                tracing::debug!(%error, %destination, "connection not opened");
                self.close(CloseReason::Unreachable).await;
                None
            }
        }
    }

    /// Waits for a handshake, unless the machine gives the connection up.
    #[cfg(any(feature = "tls", feature = "ws"))]
    async fn handshake<T, E: std::fmt::Display>(&mut self, handshake: impl Future<Output = Result<T, E>>) -> Option<T> {
        let done = tokio::select! {
            done = Box::pin(handshake) => done,
            _ = &mut self.given_up => return None,
        };
        match done {
            Ok(done) => Some(done),
            Err(error) => {
                tracing::debug!(%error, connection = self.id.as_u64(), "handshake failed");
                self.close(CloseReason::Handshake).await;
                None
            }
        }
    }

    #[cfg(feature = "tls")]
    async fn accept_tls(
        &mut self,
        stream: TcpStream,
        secrets: Secrets,
    ) -> Option<tokio_rustls::server::TlsStream<TcpStream>> {
        let config = secrets.server.ok_or("no certificate");
        let (stream, names) = self
            .handshake(async move {
                let config = config.map_err(io::Error::other)?;
                tls::accept(config, stream).await
            })
            .await?;
        if let Some(names) = names {
            self.arriving.send(Input::Authenticated { connection: self.id, names }).await.ok()?;
        }
        Some(stream)
    }

    #[cfg(feature = "tls")]
    async fn connect_tls(
        &mut self,
        opening: &Opening,
        secrets: Secrets,
    ) -> Option<(tokio_rustls::client::TlsStream<TcpStream>, SocketAddr)> {
        let (stream, local) = self.connect(opening.destination).await?;
        let config = secrets.client.ok_or("no authorities to check the other side with");
        let stream = self
            .handshake(async move {
                let config = config.map_err(io::Error::other)?;
                tls::connect(config, stream, opening.name.as_deref(), opening.destination).await
            })
            .await?;
        Some((stream, local))
    }

    /// Tells that the connection is open. Whether anybody wants to know.
    async fn connected(&self, local: SocketAddr) -> bool {
        self.arriving.send(Input::Connected { connection: self.id, local }).await.is_ok()
    }

    async fn run(self, reader: impl AsyncRead + Unpin, mut writer: impl AsyncWrite + Unpin) {
        let Self { id, mut writes, waiting, given_up, arriving } = self;
        let reason = tokio::select! {
            reason = read(id, reader, &arriving) => reason,
            written = write(&mut writer, &mut writes, &waiting) => match written {
                Ok(()) => return,
                Err(error) => {
                    tracing::debug!(%error, "connection broken in writing");
                    CloseReason::Broken
                }
            },
            () = async { let _ = given_up.await; sleep(LINGER).await } => return,
        };
        let _ = arriving.send(Input::Closed { connection: id, reason }).await;
    }

    #[cfg(feature = "ws")]
    async fn run_websocket<S: AsyncRead + AsyncWrite + Unpin>(self, socket: websocket::Socket<S>) {
        use futures_util::StreamExt;
        let Self { id, mut writes, waiting, given_up, arriving } = self;
        let (sink, source) = socket.split();
        let reason = tokio::select! {
            reason = websocket::read(id, source, &arriving) => reason,
            written = websocket::write(sink, &mut writes, &waiting) => match written {
                Ok(()) => return,
                Err(error) => {
                    tracing::debug!(%error, "websocket broken in writing");
                    CloseReason::Broken
                }
            },
            () = async { let _ = given_up.await; sleep(LINGER).await } => return,
        };
        let _ = arriving.send(Input::Closed { connection: id, reason }).await;
    }

    async fn close(&self, reason: CloseReason) {
        let _ = self.arriving.send(Input::Closed { connection: self.id, reason }).await;
    }
}

/// Reads until the other side closes. Waits for a place in the channel before it reads on, so that what the machine does
/// not take stays with the sender.
async fn read(id: ConnectionId, mut reader: impl AsyncRead + Unpin, arriving: &mpsc::Sender<Input>) -> CloseReason {
    loop {
        let read = poll_fn(|context| {
            // Only a connection that has something to say has a buffer: while it waits there is none.
            let mut buffer = BytesMut::with_capacity(PIECE);
            let polled = pin!(reader.read_buf(&mut buffer)).poll(context);
            polled.map_ok(|_| buffer)
        });
        match read.await {
            Ok(buffer) if buffer.is_empty() => return CloseReason::Remote,
            Ok(buffer) => {
                if arriving.send(Input::Received { connection: id, payload: buffer.freeze() }).await.is_err() {
                    return CloseReason::Local;
                }
            }
            // TLS without a farewell: messages say themselves where they end.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return CloseReason::Remote,
            Err(error) => {
                tracing::debug!(%error, "connection broken in reading");
                return CloseReason::Broken;
            }
        }
    }
}

/// Writes until no more comes, then says so to the other side.
async fn write(
    writer: &mut (impl AsyncWrite + Unpin),
    writes: &mut queue::Receiver,
    waiting: &AtomicUsize,
) -> io::Result<()> {
    while let Some(payload) = writes.recv().await {
        writer.write_all(&payload).await?;
        // What is encrypted may wait for more.
        if writes.is_empty() {
            writer.flush().await?;
        }
        waiting.fetch_sub(payload.len(), Ordering::Relaxed);
    }
    writer.shutdown().await
}
