//! A balancer for TCP, as HAProxy is one in `mode tcp`: it knows no SIP, only connections.
//!
//! Each connection goes to one of the servers and stays there. Servers are checked by connecting to them. One that
//! refuses a connection, be it a check's or a phone's, is down at once: its connections are closed, so that phones
//! notice, and new ones go elsewhere until it answers again.

//!
//! A server that drains or is disabled gets no new connections. Those that it has stay: phones keep theirs for days, so a drain may
//! have a deadline, at which they are closed and phones go elsewhere.

mod algorithm;
mod pool;
mod relay;
mod server;

use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use serde::Serialize;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::mpsc,
    task::{AbortHandle, JoinSet},
    time::{Instant, MissedTickBehavior, interval, sleep},
};

pub use algorithm::{Algorithm, Candidate};
use pool::Pool;
use relay::{End, Times};
pub use server::Happened;
use server::Server;

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
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
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
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct ServerSnapshot {
    /// Its name.
    pub name: String,
    /// Its address.
    pub address: String,
    /// Whether it answers; `None` when that is not known yet.
    pub up: Option<bool>,
    /// `active`, `trying` (not checked yet), `probing` (down), `draining` or `disabled`.
    pub state: &'static str,
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
    /// Its drain, since it was told to.
    pub drain: Option<DrainSnapshot>,
}

/// How far a drain is.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct DrainSnapshot {
    /// Connections that it had.
    pub had: usize,
    /// Connections that it has.
    pub left: usize,
    /// Seconds that it took so far.
    pub seconds: f64,
    /// Seconds until what is left is closed.
    pub deadline: Option<f64>,
    /// Whether it has ended.
    pub over: bool,
}

/// Something that happened to a server of a balancer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// The balancer.
    pub balancer: Arc<str>,
    /// The server.
    pub server: String,
    /// What.
    pub what: Happened,
}

/// Whom a balancer tells what happens.
#[derive(Debug, Clone)]
pub struct Listener {
    /// What the balancer is called.
    pub balancer: Arc<str>,
    /// Where events go; one that finds no room is lost.
    pub events: mpsc::Sender<Event>,
}

impl Listener {
    fn note(&self, server: &str, what: Happened) {
        let event = Event { balancer: self.balancer.clone(), server: server.to_owned(), what };
        // A journal that is too slow loses lines, not connections.
        let _ = self.events.try_send(event);
    }
}

/// A running balancer. Dropping it closes every connection.
#[derive(Debug)]
pub struct Balancer {
    local: SocketAddr,
    pool: Arc<Pool>,
    task: AbortHandle,
}

impl Balancer {
    /// Listens and begins to check the servers. Call it within a tokio runtime.
    ///
    /// # Errors
    /// What the system says of the address.
    pub async fn start(config: Config) -> io::Result<Self> {
        Self::start_with(config, None).await
    }

    /// The same; what happens is told to somebody instead of logged.
    ///
    /// # Errors
    /// As [`Balancer::start`].
    pub async fn start_with(config: Config, listener: Option<Listener>) -> io::Result<Self> {
        let socket = TcpListener::bind(config.listen).await?;
        let local = socket.local_addr()?;
        let pool = Arc::new(Pool::new(&config, listener));
        let task = tokio::spawn(run(socket, config, Arc::clone(&pool))).abort_handle();
        Ok(Self { local, pool, task })
    }

    /// Takes other servers, all at once. Those that stay keep their connections, health and state; connections of those that go end by
    /// themselves.
    pub fn replace(&self, algorithm: Algorithm, servers: &[(String, SocketAddr)]) {
        self.pool.replace(algorithm, servers);
    }

    /// Gives a server connections again. `false` when there is none of this name, as with the other commands.
    pub fn enable(&self, name: &str) -> bool {
        self.find(name).is_some_and(|server| {
            server.enable();
            true
        })
    }

    /// Gives a server no more connections. Those that it has stay.
    pub fn disable(&self, name: &str) -> bool {
        self.find(name).is_some_and(|server| {
            server.disable();
            true
        })
    }

    /// Gives a server no more connections, and disables it when those that it has are over. At the deadline they are closed.
    pub fn drain(&self, name: &str, within: Option<Duration>) -> bool {
        self.find(name).is_some_and(|server| {
            server.drain(Instant::now(), within);
            true
        })
    }

    /// Closes every connection and listens no more.
    pub fn stop(&self) {
        self.task.abort();
    }

    /// Where it listens, with the port that the system chose.
    #[must_use]
    pub const fn local(&self) -> SocketAddr {
        self.local
    }

    /// How it chooses.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        self.pool.list().algorithm
    }

    /// Whether some server takes connections.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.pool.list().servers.iter().any(|server| server.takes())
    }

    /// What it is doing.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        let now = Instant::now();
        Snapshot {
            servers: self.pool.list().servers.iter().map(|server| server.snapshot(now)).collect(),
            connections: self.pool.connections.load(Ordering::Relaxed),
            refused: self.pool.refused.load(Ordering::Relaxed),
            idled: self.pool.idled.load(Ordering::Relaxed),
        }
    }

    fn find(&self, name: &str) -> Option<Arc<Server>> {
        self.pool.list().servers.iter().find(|server| server.name == name).cloned()
    }
}

impl Drop for Balancer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Takes connections and checks servers; all tasks end with this one.
async fn run(listener: TcpListener, config: Config, pool: Arc<Pool>) {
    // Servers see the balancer's own address, as behind any balancer.
    let from = Some(config.listen.ip()).filter(|address| !address.is_unspecified());
    let times = Times { connect: config.connect, idle: config.idle };
    let mut tasks = JoinSet::new();
    let mut lists = pool.watch();
    lists.mark_changed();
    let mut tended: Vec<Arc<Server>> = Vec::new();
    loop {
        tokio::select! {
            // The pool, and so the sender, lives as long as this task.
            _ = lists.changed() => {
                let list = lists.borrow_and_update().clone();
                for server in &list.servers {
                    if !tended.iter().any(|known| Arc::ptr_eq(known, server)) {
                        tasks.spawn(tend(Arc::clone(server), from, config.check));
                    }
                }
                tended = list.servers;
            }
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

/// Checks a server and ends its drain, until it leaves the list.
async fn tend(server: Arc<Server>, from: Option<IpAddr>, every: Duration) {
    let mut ticks = interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => relay::check(&server, from, every).await,
            stays = server.changes() => {
                if !stays {
                    return;
                }
                server.settle(Instant::now());
            }
        }
    }
}
