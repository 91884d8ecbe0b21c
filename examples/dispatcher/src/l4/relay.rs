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

use super::{
    pool::Pool,
    server::{Counted, Finding, Server},
};

/// How much of one direction may be on its way.
const PIECE: usize = 16 * 1024;

/// Why a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// Both sides closed, or one broke.
    Closed,
    /// Nothing came from either side for too long.
    Idle,
    /// Its server went down, or had to be empty by now.
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
    while let Some(server) = pool.choose(source, &tried) {
        let counted = Counted::new(&server);
        if !server.takes() {
            // What was wanted of it changed in between.
            tried.push(server);
            continue;
        }
        match timeout(times.connect, connect(from, server.address)).await {
            Ok(Ok(stream)) => {
                server.found(Finding::Answers);
                counted.opened();
                return join(&server, &mut client, stream, times.idle).await;
            }
            Ok(Err(error)) => {
                tracing::debug!(server = server.name, %error, "a connection fails");
                // The next phone need not find out by itself.
                server.failed(finding(&error));
            }
            Err(_) => server.failed(Some(Finding::Slow)),
        }
        tried.push(server);
    }
    End::Nobody
}

/// Checks a server by connecting to it.
pub(super) async fn check(server: &Server, from: Option<IpAddr>, within: Duration) {
    let finding = match timeout(within, connect(from, server.address)).await {
        Ok(Ok(_)) => Some(Finding::Answers),
        Ok(Err(error)) => finding(&error),
        Err(_) => Some(Finding::Slow),
    };
    match finding {
        Some(finding) => server.found(finding),
        None => tracing::debug!(server = server.name, "cannot be checked"),
    }
}

/// What an error says of the server. `None` when it says only that we could not ask: no file descriptor, no free port,
/// no such address of ours.
fn finding(error: &io::Error) -> Option<Finding> {
    use io::ErrorKind::{ConnectionRefused, ConnectionReset, HostUnreachable, NetworkUnreachable, TimedOut};
    match error.kind() {
        ConnectionRefused | ConnectionReset | HostUnreachable | NetworkUnreachable => Some(Finding::Refuses),
        TimedOut => Some(Finding::Slow),
        _ => None,
    }
}

async fn join(server: &Server, client: &mut TcpStream, mut stream: TcpStream, idle: Duration) -> End {
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
        () = server.ends() => End::Down,
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

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::{super::Config, *};

    const TIMES: Times = Times { connect: Duration::from_secs(5), idle: Duration::from_secs(5) };

    #[test]
    fn our_own_errors_say_nothing_of_the_server() {
        use io::ErrorKind::{AddrInUse, AddrNotAvailable, ConnectionRefused, OutOfMemory, PermissionDenied, TimedOut};
        for kind in [AddrInUse, AddrNotAvailable, OutOfMemory, PermissionDenied] {
            assert_eq!(finding(&kind.into()), None, "{kind}");
        }
        if cfg!(target_os = "linux") {
            let too_many_files = io::Error::from_raw_os_error(24);
            assert_eq!(finding(&too_many_files), None);
        }
        assert_eq!(finding(&TimedOut.into()), Some(Finding::Slow));
        assert_eq!(finding(&ConnectionRefused.into()), Some(Finding::Refuses));
    }

    #[tokio::test]
    async fn a_balancer_that_cannot_ask_leaves_its_servers_up() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let pool = Pool::new(&Config::new(address, vec![("a".to_owned(), address)]), None);
        let server = pool.list().servers.remove(0);
        // An address for documents (RFC 5737), which is none of ours: nothing can be sent from there.
        let nowhere = Some(IpAddr::from([192, 0, 2, 1]));
        for _ in 0..4 {
            check(&server, nowhere, TIMES.connect).await;
            let _phone = TcpStream::connect(address).await.unwrap();
            let (client, source) = listener.accept().await.unwrap();
            assert_eq!(serve(&pool, client, source.ip(), nowhere, TIMES).await, End::Nobody);
        }
        assert!(server.is_up() && !server.is_checked());
        assert_eq!(server.snapshot(Instant::now()).failed, 0);
        check(&server, None, TIMES.connect).await;
        assert!(server.is_up() && server.is_checked());
        drop(listener);
        check(&server, None, TIMES.connect).await;
        assert!(!server.is_up());
    }
}
