//! A phone's TCP connections. Each phone has an address of its own and connects from it, because a balancer may go by it.

use std::{io, net::IpAddr, net::SocketAddr};

use bytes::{Bytes, BytesMut};
use sip_transaction::{CloseReason, ConnectionId, Input};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
    sync::mpsc,
    task::AbortHandle,
};

/// How many messages may wait to be written.
const WAITING: usize = 256;

/// How much is read at once.
const PIECE: usize = 8 * 1024;

/// A connection: dropping it closes it.
#[derive(Debug)]
pub(super) struct Wire {
    writes: mpsc::Sender<Bytes>,
    task: AbortHandle,
}

impl Wire {
    /// Connects; what happens comes as inputs.
    pub(super) fn open(id: ConnectionId, from: IpAddr, to: SocketAddr, inputs: mpsc::Sender<Input>) -> Self {
        let (writes, queue) = mpsc::channel(WAITING);
        let task = tokio::spawn(async move {
            let reason = match connect(from, to).await {
                Ok((stream, local)) => {
                    if inputs.send(Input::Connected { connection: id, local }).await.is_err() {
                        return;
                    }
                    carry(id, stream, queue, &inputs).await
                }
                Err(error) => {
                    tracing::debug!(%error, %to, "a phone cannot connect");
                    CloseReason::Unreachable
                }
            };
            // The phone may have gone.
            let _ = inputs.send(Input::Closed { connection: id, reason }).await;
        });
        Self { writes, task: task.abort_handle() }
    }

    /// Queues bytes. What finds no place is lost, as with a cable that is cut: the phone's timers notice.
    pub(super) fn write(&self, payload: Bytes) {
        let _ = self.writes.try_send(payload);
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn connect(from: IpAddr, to: SocketAddr) -> io::Result<(TcpStream, SocketAddr)> {
    let socket = if to.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.bind(SocketAddr::new(from, 0))?;
    let stream = socket.connect(to).await?;
    stream.set_nodelay(true)?;
    let local = stream.local_addr()?;
    Ok((stream, local))
}

async fn carry(
    id: ConnectionId,
    mut stream: TcpStream,
    mut queue: mpsc::Receiver<Bytes>,
    inputs: &mpsc::Sender<Input>,
) -> CloseReason {
    let (mut reader, mut writer) = stream.split();
    let read = async {
        loop {
            let mut buffer = BytesMut::with_capacity(PIECE);
            match reader.read_buf(&mut buffer).await {
                Ok(0) => return CloseReason::Remote,
                Ok(_) => {
                    let input = Input::Received { connection: id, payload: buffer.freeze() };
                    if inputs.send(input).await.is_err() {
                        return CloseReason::Local;
                    }
                }
                Err(_) => return CloseReason::Broken,
            }
        }
    };
    let write = async {
        while let Some(payload) = queue.recv().await {
            if writer.write_all(&payload).await.is_err() {
                return CloseReason::Broken;
            }
        }
        CloseReason::Local
    };
    tokio::select! {
        reason = read => reason,
        reason = write => reason,
    }
}
