//! One TCP connection: a task that reads and writes it.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::sync::{mpsc, oneshot};
use tokio::task::AbortHandle;
use tokio::time::sleep;

use crate::endpoint::{CloseReason, Input};
use crate::transport::ConnectionId;

/// How long what waits may take to be written after the connection was given up.
const LINGER: Duration = Duration::from_secs(5);

/// How much is read at once.
const PIECE: usize = 8 * 1_024;

/// Our end of the task. Dropping it closes the connection after what waits is written.
#[derive(Debug)]
pub(super) struct Connection {
    writes: mpsc::UnboundedSender<Bytes>,
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
        // A connection that broke is reported by its task.
        before + length <= limit && (self.writes.send(payload).is_ok() || self.task.is_finished())
    }

    /// Closes the connection at once.
    pub(super) fn abort(self) {
        self.task.abort();
    }
}

/// What the task holds.
struct Task {
    id: ConnectionId,
    writes: mpsc::UnboundedReceiver<Bytes>,
    waiting: Arc<AtomicUsize>,
    given_up: oneshot::Receiver<()>,
    arriving: mpsc::Sender<Input>,
}

/// Reads and writes a connection that is open.
pub(super) fn attach(id: ConnectionId, stream: TcpStream, arriving: mpsc::Sender<Input>) -> Connection {
    spawn(id, arriving, |task| async move { task.run(stream).await })
}

/// Opens a connection, then reads and writes it.
pub(super) fn open(id: ConnectionId, destination: SocketAddr, arriving: mpsc::Sender<Input>) -> Connection {
    spawn(id, arriving, move |mut task| async move {
        let opened = tokio::select! {
            opened = TcpStream::connect(destination) => opened,
            // The machine no longer waits.
            _ = &mut task.given_up => return,
        };
        match opened.and_then(|stream| stream.local_addr().map(|local| (stream, local))) {
            Ok((stream, local)) => {
                if task.arriving.send(Input::Connected { connection: id, local }).await.is_ok() {
                    task.run(stream).await;
                }
            }
            Err(error) => {
                tracing::debug!(%error, %destination, "connection not opened");
                task.close(CloseReason::Unreachable).await;
            }
        }
    })
}

fn spawn<F>(id: ConnectionId, arriving: mpsc::Sender<Input>, run: impl FnOnce(Task) -> F) -> Connection
where
    F: Future<Output = ()> + Send + 'static,
{
    let (writes, queue) = mpsc::unbounded_channel();
    let (alive, given_up) = oneshot::channel();
    let waiting = Arc::new(AtomicUsize::new(0));
    let task = Task { id, writes: queue, waiting: waiting.clone(), given_up, arriving };
    let task = tokio::spawn(run(task)).abort_handle();
    Connection { writes, waiting, task, _alive: alive }
}

impl Task {
    async fn run(self, mut stream: TcpStream) {
        let Self { id, mut writes, waiting, given_up, arriving } = self;
        // Messages are written whole: waiting for more helps nobody.
        let _ = stream.set_nodelay(true);
        let (mut reader, mut writer) = stream.split();
        let reason = tokio::select! {
            reason = read(id, &mut reader, &arriving) => reason,
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

    async fn close(self, reason: CloseReason) {
        let _ = self.arriving.send(Input::Closed { connection: self.id, reason }).await;
    }
}

/// Reads until the other side closes. Waits for a place in the channel before it reads, so that what the machine does
/// not take stays with the sender.
async fn read(id: ConnectionId, reader: &mut ReadHalf<'_>, arriving: &mpsc::Sender<Input>) -> CloseReason {
    loop {
        if reader.readable().await.is_err() {
            return CloseReason::Broken;
        }
        let Ok(permit) = arriving.reserve().await else { return CloseReason::Local };
        // Only a connection that has something to say has a buffer.
        let mut buffer = BytesMut::with_capacity(PIECE);
        match reader.try_read_buf(&mut buffer) {
            Ok(0) => return CloseReason::Remote,
            Ok(_) => permit.send(Input::Received { connection: id, payload: buffer.freeze() }),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => {
                tracing::debug!(%error, "connection broken in reading");
                return CloseReason::Broken;
            }
        }
    }
}

/// Writes until no more comes, then says so to the other side.
async fn write(
    writer: &mut WriteHalf<'_>,
    writes: &mut mpsc::UnboundedReceiver<Bytes>,
    waiting: &AtomicUsize,
) -> io::Result<()> {
    while let Some(payload) = writes.recv().await {
        writer.write_all(&payload).await?;
        waiting.fetch_sub(payload.len(), Ordering::Relaxed);
    }
    writer.shutdown().await
}
