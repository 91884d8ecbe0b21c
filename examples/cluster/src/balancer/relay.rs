//! One connection through the balancer: two streams, joined until both ends are done.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpSocket, TcpStream,
        tcp::{ReadHalf, WriteHalf},
    },
    time::{Instant, sleep_until, timeout},
};

use super::pool::{Finding, Pool, Server};

/// How much of one direction may be on its way.
const PIECE: usize = 16 * 1024;

/// Why a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// Both sides closed, or one broke.
    Closed,
    /// Nothing came from either side for too long.
    Idle,
    /// Its server went down.
    Down,
    /// There is no server.
    Nobody,
}

/// How long things may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Times {
    pub(super) connect: Duration,
    pub(super) idle: Duration,
}

/// Opens a connection, from an address of ours if one is given.
pub(super) async fn connect(from: Option<IpAddr>, to: SocketAddr) -> io::Result<TcpStream> {
    let socket = if to.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    if let Some(address) = from {
        socket.bind(SocketAddr::new(address, 0))?;
    }
    let stream = socket.connect(to).await?;
    // Messages come whole: waiting for more helps nobody.
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Finds a server for a phone's connection and joins the two.
pub(super) async fn serve(
    pool: &Pool,
    mut client: TcpStream,
    source: IpAddr,
    from: Option<IpAddr>,
    times: Times,
) -> End {
    let _ = client.set_nodelay(true);
    let mut tried = Vec::new();
    while let Some(index) = pool.choose(source, &tried) {
        let Some(server) = pool.servers.get(index) else { break };
        match timeout(times.connect, connect(from, server.address)).await {
            Ok(Ok(stream)) => {
                server.found(Finding::Answers);
                return join(server, &mut client, stream, times.idle).await;
            }
            Ok(Err(error)) => {
                tracing::debug!(server = server.name, %error, "a connection fails");
                // The next phone need not find out by itself.
                server.found(if is_refusal(&error) { Finding::Refuses } else { Finding::Slow });
            }
            Err(_) => server.found(Finding::Slow),
        }
        server.failed.fetch_add(1, Ordering::Relaxed);
        tried.push(index);
    }
    End::Nobody
}

/// Whether an error says that nobody is there, rather than that we could not ask.
pub(super) fn is_refusal(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionRefused, ConnectionReset, HostUnreachable, NetworkUnreachable};
    matches!(error.kind(), ConnectionRefused | ConnectionReset | HostUnreachable | NetworkUnreachable)
}

async fn join(server: &Server, client: &mut TcpStream, mut stream: TcpStream, idle: Duration) -> End {
    let _counted = Counted::new(server);
    let heard = Heard { start: Instant::now(), at: AtomicU64::new(0) };
    let (mut from_client, mut to_client) = client.split();
    let (mut from_server, mut to_server) = stream.split();
    let both = async {
        tokio::try_join!(
            pump(&mut from_client, &mut to_server, &heard, &server.to_server),
            pump(&mut from_server, &mut to_client, &heard, &server.to_client),
        )
    };
    tokio::select! {
        // Broken or ended: either way it is over.
        _ = both => End::Closed,
        () = heard.silence(idle) => End::Idle,
        () = server.down() => End::Down,
    }
}

/// Moves bytes one way until that way ends, then tells the other side so: the other way may go on.
async fn pump(
    reader: &mut ReadHalf<'_>,
    writer: &mut WriteHalf<'_>,
    heard: &Heard,
    count: &AtomicU64,
) -> io::Result<()> {
    let mut buffer = vec![0; PIECE];
    loop {
        let length = reader.read(&mut buffer).await?;
        heard.now();
        let Some(piece) = buffer.get(..length).filter(|piece| !piece.is_empty()) else {
            return writer.shutdown().await;
        };
        writer.write_all(piece).await?;
        count.fetch_add(u64::try_from(length).unwrap_or(0), Ordering::Relaxed);
    }
}

/// When anything came last.
struct Heard {
    start: Instant,
    /// Milliseconds after the start.
    at: AtomicU64,
}

impl Heard {
    fn now(&self) {
        let at = u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.at.store(at, Ordering::Relaxed);
    }

    /// Comes to its end when nothing came for so long.
    async fn silence(&self, idle: Duration) {
        loop {
            let end = self.start + Duration::from_millis(self.at.load(Ordering::Relaxed)) + idle;
            if end <= Instant::now() {
                return;
            }
            sleep_until(end).await;
        }
    }
}

/// Counts a connection of a server as long as it lives, however it ends.
struct Counted<'a>(&'a Server);

impl<'a> Counted<'a> {
    fn new(server: &'a Server) -> Self {
        server.connections.fetch_add(1, Ordering::Relaxed);
        server.total.fetch_add(1, Ordering::Relaxed);
        Self(server)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.connections.fetch_sub(1, Ordering::Relaxed);
    }
}
