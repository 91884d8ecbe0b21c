//! A phone's TCP connections. Each phone has an address of its own and connects from it, because a balancer may go by it.

use std::{io, net::IpAddr, net::SocketAddr};

use bytes::{Bytes, BytesMut};
use sip_transaction::{CloseReason, ConnectionId, Input};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
    sync::mpsc,
    task::JoinHandle,
};

/// How many messages may wait to be written.
const WAITING: usize = 256;

/// How much is read at once.
const PIECE: usize = 8 * 1024;

/// A connection: dropping it closes it at once.
#[derive(Debug)]
pub(super) struct Wire {
    /// `None` when nothing more is to be written.
    writes: Option<mpsc::Sender<Bytes>>,
    task: JoinHandle<()>,
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
        Self { writes: Some(writes), task }
    }

    /// Queues bytes. What finds no place is lost, as with a cable that is cut: the phone's timers notice.
    pub(super) fn write(&self, payload: Bytes) {
        if let Some(writes) = &self.writes {
            let _ = writes.try_send(payload);
        }
    }

    /// Closes it when all that waits is written. What arrives until then must be taken, or it never ends.
    pub(super) async fn finish(mut self) {
        self.writes = None;
        // A panic was printed already.
        let _ = (&mut self.task).await;
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
        let _ = writer.shutdown().await;
        CloseReason::Local
    };
    tokio::select! {
        reason = read => reason,
        reason = write => reason,
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use sip_core::{header::NameAddr, uri::Uri};
    use sip_transaction::{
        ListenerConfig, Target, Transport,
        agent::{Agent, Config, Invite, Output},
    };
    use tokio::{net::TcpListener, time::timeout};

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(10);

    /// An id such as an agent gives.
    #[expect(clippy::disallowed_methods, reason = "no time passes here")]
    fn id(to: SocketAddr) -> ConnectionId {
        let mut agent = Agent::new(Config::default(), [7; 32]);
        agent.add_listener(ListenerConfig::new(Transport::Tcp, to));
        let uri: Uri = "sip:1001@127.0.0.1".parse().unwrap();
        let invite = Invite::new(Target::tcp(to), uri.clone(), NameAddr::new(uri.clone()), NameAddr::new(uri));
        agent.invite(Instant::now(), invite).unwrap();
        loop {
            if let Output::Connect { connection, .. } = agent.poll_output().unwrap() {
                return connection;
            }
        }
    }

    #[tokio::test]
    async fn a_connection_that_finishes_writes_all_that_waits_before_it_closes() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let to = listener.local_addr().unwrap();
        let (arriving, mut inputs) = mpsc::channel(1);
        let wire = Wire::open(id(to), to.ip(), to, arriving);
        // More than the system takes at once.
        let piece = Bytes::from(vec![b'x'; 64 * 1024]);
        for _ in 0..WAITING {
            wire.write(piece.clone());
        }
        let read = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut all = Vec::new();
            stream.read_to_end(&mut all).await.unwrap();
            all.len()
        };
        let take = async { while inputs.recv().await.is_some() {} };
        let ((), (), length) = timeout(PATIENCE, async { tokio::join!(wire.finish(), take, read) }).await.unwrap();
        assert_eq!(length, WAITING * piece.len());
    }
}
