//! A balancer for TCP, as HAProxy is one in `mode tcp`: it knows no SIP, only connections.
//!
//! Each connection goes to one of the servers and stays there. Servers are checked by connecting to them. One that
//! refuses a connection, be it a check's or a phone's, is down at once: its connections are closed, so that phones
//! notice, and new ones go elsewhere until it answers again.

mod algorithm;
mod pool;
mod relay;

use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use serde::Serialize;
use tokio::{
    net::{TcpListener, TcpStream},
    task::{JoinHandle, JoinSet},
    time::{MissedTickBehavior, interval, sleep},
};

pub use algorithm::{Algorithm, Candidate};
use pool::{Pool, Server};
use relay::{End, Times};

/// What a balancer does.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where it listens.
    pub listen: SocketAddr,
    /// How it chooses.
    pub algorithm: Algorithm,
    /// Names and addresses.
    pub servers: Vec<(String, SocketAddr)>,
    /// The most connections at once; further ones are closed.
    pub connections: usize,
    /// A connection that carries nothing for this long is closed.
    pub idle: Duration,
    /// How long connecting to a server may take.
    pub connect: Duration,
    /// How often servers are checked.
    pub check: Duration,
}

impl Config {
    /// The times of the thesis's `haproxy.cfg`, and a check each second.
    #[must_use]
    pub const fn new(listen: SocketAddr, servers: Vec<(String, SocketAddr)>) -> Self {
        Self {
            listen,
            algorithm: Algorithm::Roundrobin,
            servers,
            connections: 2_000,
            idle: Duration::from_secs(50),
            connect: Duration::from_secs(5),
            check: Duration::from_secs(1),
        }
    }
}

/// What a balancer is doing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Snapshot {
    /// The servers, in the order of the configuration.
    pub servers: Vec<ServerSnapshot>,
    /// Connections now.
    pub connections: usize,
    /// Connections that were closed because there were too many, or no server.
    pub refused: u64,
    /// Connections that were closed because they carried nothing.
    pub idled: u64,
}

/// What one server is doing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ServerSnapshot {
    /// Its name.
    pub name: String,
    /// Its address.
    pub address: String,
    /// Whether it gets connections; `None` when that is not known yet.
    pub up: Option<bool>,
    /// Connections now.
    pub connections: usize,
    /// Connections so far.
    pub total: u64,
    /// Connections that it refused.
    pub failed: u64,
    /// Bytes from phones.
    pub to_server: u64,
    /// Bytes to phones.
    pub to_client: u64,
}

/// A running balancer. Dropping it closes every connection.
#[derive(Debug)]
pub struct Balancer {
    local: SocketAddr,
    pool: Arc<Pool>,
    task: JoinHandle<()>,
}

impl Balancer {
    /// Listens and begins to check the servers. Call it within a tokio runtime.
    ///
    /// # Errors
    /// What the system says of the address.
    pub async fn start(config: Config) -> io::Result<Self> {
        let listener = TcpListener::bind(config.listen).await?;
        let local = listener.local_addr()?;
        let pool = Arc::new(Pool::new(&config));
        let task = tokio::spawn(run(listener, config, Arc::clone(&pool)));
        Ok(Self { local, pool, task })
    }

    /// Where it listens, with the port that the system chose.
    #[must_use]
    pub const fn local(&self) -> SocketAddr {
        self.local
    }

    /// What it is doing.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        Snapshot {
            servers: self.pool.servers.iter().map(snapshot).collect(),
            connections: self.pool.connections.load(Ordering::Relaxed),
            refused: self.pool.refused.load(Ordering::Relaxed),
            idled: self.pool.idled.load(Ordering::Relaxed),
        }
    }
}

impl Drop for Balancer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn snapshot(server: &Server) -> ServerSnapshot {
    ServerSnapshot {
        name: server.name.clone(),
        address: server.address.to_string(),
        up: server.is_checked().then(|| server.is_up()),
        connections: server.connections.load(Ordering::Relaxed),
        total: server.total.load(Ordering::Relaxed),
        failed: server.failed.load(Ordering::Relaxed),
        to_server: server.to_server.load(Ordering::Relaxed),
        to_client: server.to_client.load(Ordering::Relaxed),
    }
}

/// Takes connections and checks servers; all tasks end with this one.
async fn run(listener: TcpListener, config: Config, pool: Arc<Pool>) {
    // Servers see the balancer's own address, as behind any balancer.
    let from = Some(config.listen.ip()).filter(|address| !address.is_unspecified());
    let times = Times { connect: config.connect, idle: config.idle };
    let mut tasks = JoinSet::new();
    for index in 0..pool.servers.len() {
        tasks.spawn(check(Arc::clone(&pool), index, from, config.check));
    }
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((client, source)) => {
                    if pool.connections.load(Ordering::Relaxed) >= config.connections {
                        pool.refused.fetch_add(1, Ordering::Relaxed);
                        continue;
                    }
                    pool.connections.fetch_add(1, Ordering::Relaxed);
                    tasks.spawn(carry(Arc::clone(&pool), client, source.ip(), from, times));
                }
                Err(error) => {
                    // Without file descriptors it would fail again at once.
                    tracing::warn!(%error, "a connection cannot be accepted");
                    sleep(Duration::from_millis(100)).await;
                }
            },
            Some(_) = tasks.join_next() => {}
        }
    }
}

async fn carry(pool: Arc<Pool>, client: TcpStream, source: IpAddr, from: Option<IpAddr>, times: Times) {
    let end = relay::serve(&pool, client, source, from, times).await;
    pool.connections.fetch_sub(1, Ordering::Relaxed);
    match end {
        End::Idle => pool.idled.fetch_add(1, Ordering::Relaxed),
        End::Nobody => pool.refused.fetch_add(1, Ordering::Relaxed),
        End::Closed | End::Down => 0,
    };
}

async fn check(pool: Arc<Pool>, index: usize, from: Option<IpAddr>, every: Duration) {
    let Some(server) = pool.servers.get(index) else { return };
    let mut ticks = interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        relay::check(server, from, every).await;
    }
}
