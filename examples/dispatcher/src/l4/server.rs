//! One server: its health, what is wanted of it, and its load.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{sync::watch, time::Instant};

use super::{DrainSnapshot, Listener, ServerSnapshot};

/// How many checks in a row may time out before a server is down. A refused connection is believed at once.
const SLOW_CHECKS: usize = 3;

/// One server.
#[derive(Debug)]
pub(super) struct Server {
    pub(super) name: String,
    pub(super) address: SocketAddr,
    listener: Option<Listener>,
    up: watch::Sender<bool>,
    order: watch::Sender<Order>,
    slow: AtomicUsize,
    checked: AtomicBool,
    /// Those that are being opened among them.
    pub(super) connections: AtomicUsize,
    total: AtomicU64,
    failed: AtomicU64,
    pub(super) to_server: AtomicU64,
    pub(super) to_client: AtomicU64,
}

/// What a check found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Finding {
    Answers,
    Refuses,
    Slow,
}

/// What happened to a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Happened {
    /// It answers.
    Up,
    /// It does not.
    Down,
    /// It takes connections again.
    Enabled,
    /// It takes no more.
    Disabled,
    /// It takes no more, and is disabled when those that it has are over.
    Draining,
    /// Its drain is over.
    Drained {
        /// Connections that were closed because of the deadline.
        left: usize,
        /// How long it took.
        took: Duration,
    },
    /// It is new in the list.
    Added,
    /// It is not in the list any more.
    Removed,
}

/// What is wanted of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wanted {
    Serve,
    Drain,
    Rest,
    /// It has left the list.
    Gone,
}

#[derive(Debug, Clone, Copy)]
struct Order {
    wanted: Wanted,
    drain: Option<Drain>,
    /// Whether connections are to end at once.
    cut: bool,
}

impl Order {
    const fn new(wanted: Wanted) -> Self {
        Self { wanted, drain: None, cut: false }
    }
}

#[derive(Debug, Clone, Copy)]
struct Drain {
    since: Instant,
    had: usize,
    deadline: Option<Instant>,
    took: Option<Duration>,
}

impl Server {
    pub(super) fn new(name: &str, address: SocketAddr, listener: Option<Listener>) -> Self {
        Self {
            name: name.to_owned(),
            address,
            listener,
            // Nobody knows yet; the first check begins at once.
            up: watch::Sender::new(true),
            order: watch::Sender::new(Order::new(Wanted::Serve)),
            slow: AtomicUsize::new(0),
            checked: AtomicBool::new(false),
            connections: AtomicUsize::new(0),
            total: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            to_server: AtomicU64::new(0),
            to_client: AtomicU64::new(0),
        }
    }

    /// Takes connections again.
    pub(super) fn enable(&self) {
        if self.command(Order::new(Wanted::Serve)) {
            self.note(Happened::Enabled);
        }
    }

    /// Takes no more connections; those that it has stay.
    pub(super) fn disable(&self) {
        if self.command(Order::new(Wanted::Rest)) {
            self.note(Happened::Disabled);
        }
    }

    /// Takes no more connections, and is disabled when those that it has are over or, at the deadline, closed.
    pub(super) fn drain(&self, now: Instant, within: Option<Duration>) {
        let had = self.connections.load(Ordering::SeqCst);
        let drain = Drain { since: now, had, deadline: within.and_then(|within| now.checked_add(within)), took: None };
        if self.command(Order { wanted: Wanted::Drain, drain: Some(drain), cut: false }) {
            self.note(Happened::Draining);
        }
        self.settle(now);
    }

    /// Leaves the list. Its connections stay.
    pub(super) fn retire(&self) {
        if self.command(Order::new(Wanted::Gone)) {
            self.note(Happened::Removed);
        }
    }

    /// Wants the same of this one as of the one that it stands for.
    pub(super) fn take_order(&self, other: &Self) {
        let order = *other.order.borrow();
        self.order.send_replace(order);
        self.settle(Instant::now());
    }

    /// Whether that was something new.
    fn command(&self, order: Order) -> bool {
        self.order.send_if_modified(|known| {
            let is_new = known.wanted != order.wanted && known.wanted != Wanted::Gone;
            // Another deadline is taken as well.
            if known.wanted != Wanted::Gone {
                let drain = match (known.drain, order.drain) {
                    (Some(old), Some(new)) if !is_new => Some(Drain { deadline: new.deadline, ..old }),
                    (_, new) => new,
                };
                *known = Order { drain, ..order };
            }
            is_new || order.wanted == Wanted::Drain
        })
    }

    /// Ends a drain whose connections or time are over.
    pub(super) fn settle(&self, now: Instant) {
        let mut ended = None;
        self.order.send_if_modified(|order| {
            let left = self.connections.load(Ordering::SeqCst);
            let Some(drain) = order.drain.as_mut().filter(|_| order.wanted == Wanted::Drain) else { return false };
            if left > 0 && drain.deadline.is_none_or(|deadline| deadline > now) {
                return false;
            }
            let took = now.saturating_duration_since(drain.since);
            drain.took = Some(took);
            (order.wanted, order.cut) = (Wanted::Rest, left > 0);
            ended = Some(Happened::Drained { left, took });
            true
        });
        if let Some(happened) = ended {
            self.note(happened);
        }
    }

    /// Comes to its end when what is wanted of this server changes, or a drain must end. `false` when it has left.
    pub(super) async fn changes(&self) -> bool {
        let mut order = self.order.subscribe();
        let Order { wanted, drain, .. } = *order.borrow_and_update();
        if wanted == Wanted::Gone {
            return false;
        }
        let deadline = drain.filter(|_| wanted == Wanted::Drain).and_then(|drain| drain.deadline);
        let changed = async {
            // The sender lives as long as this server.
            let _ = order.changed().await;
        };
        match deadline {
            Some(deadline) => {
                let _ = tokio::time::timeout_at(deadline, changed).await;
            }
            None => changed.await,
        }
        true
    }

    /// Comes to its end when connections must end: the server is down, or its drain's time is over.
    pub(super) async fn ends(&self) {
        let (mut up, mut order) = (self.up.subscribe(), self.order.subscribe());
        // The senders live as long as the caller.
        tokio::select! {
            _ = up.wait_for(|up| !up) => {}
            _ = order.wait_for(|order| order.cut) => {}
        }
    }

    /// Takes in that a connection of a phone failed, and what that says of the server, if anything.
    pub(super) fn failed(&self, finding: Option<Finding>) {
        if let Some(finding) = finding {
            self.failed.fetch_add(1, Ordering::Relaxed);
            self.found(finding);
        }
    }

    /// Takes in what a check or a connection found.
    pub(super) fn found(&self, finding: Finding) {
        self.checked.store(true, Ordering::Relaxed);
        let up = match finding {
            Finding::Answers => {
                self.slow.store(0, Ordering::Relaxed);
                true
            }
            Finding::Refuses => false,
            Finding::Slow => self.slow.fetch_add(1, Ordering::Relaxed) + 1 < SLOW_CHECKS && self.is_up(),
        };
        if self.up.send_if_modified(|known| std::mem::replace(known, up) != up) {
            self.note(if up { Happened::Up } else { Happened::Down });
        }
    }

    /// Tells whoever keeps the journal.
    pub(super) fn note(&self, happened: Happened) {
        match &self.listener {
            Some(listener) => listener.note(&self.name, happened),
            None => tracing::info!(server = self.name, address = %self.address, ?happened, "the balancer's server"),
        }
    }

    pub(super) fn is_up(&self) -> bool {
        *self.up.borrow()
    }

    /// Whether it gets connections.
    pub(super) fn takes(&self) -> bool {
        self.is_up() && self.order.borrow().wanted == Wanted::Serve
    }

    /// Whether a check or a connection has told anything yet.
    pub(super) fn is_checked(&self) -> bool {
        self.checked.load(Ordering::Relaxed)
    }

    pub(super) fn snapshot(&self, now: Instant) -> ServerSnapshot {
        let order = *self.order.borrow();
        let up = self.is_checked().then(|| self.is_up());
        let connections = self.connections.load(Ordering::SeqCst);
        ServerSnapshot {
            name: self.name.clone(),
            address: self.address.to_string(),
            up,
            state: match (order.wanted, up) {
                (Wanted::Drain, _) => "draining",
                (Wanted::Rest | Wanted::Gone, _) => "disabled",
                (Wanted::Serve, Some(true)) => "active",
                (Wanted::Serve, Some(false)) => "probing",
                (Wanted::Serve, None) => "trying",
            },
            connections,
            total: self.total.load(Ordering::Relaxed),
            failed: self.failed.load(Ordering::Relaxed),
            to_server: self.to_server.load(Ordering::Relaxed),
            to_client: self.to_client.load(Ordering::Relaxed),
            drain: order.drain.map(|drain| DrainSnapshot {
                had: drain.had,
                left: connections,
                seconds: drain.took.unwrap_or_else(|| now.saturating_duration_since(drain.since)).as_secs_f64(),
                deadline: drain
                    .deadline
                    .filter(|_| drain.took.is_none())
                    .map(|deadline| deadline.saturating_duration_since(now).as_secs_f64()),
                over: drain.took.is_some(),
            }),
        }
    }
}

/// Counts a connection of a server as long as it lives, however it ends: from the moment that the server was chosen, or a drain could
/// end between the choice and the connection.
#[derive(Debug)]
pub(super) struct Counted(Arc<Server>);

impl Counted {
    pub(super) fn new(server: &Arc<Server>) -> Self {
        server.connections.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(server))
    }

    /// It is open.
    pub(super) fn opened(&self) {
        self.0.total.fetch_add(1, Ordering::Relaxed);
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.connections.fetch_sub(1, Ordering::SeqCst);
        self.0.settle(Instant::now());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server() -> Arc<Server> {
        Arc::new(Server::new("a", ([127, 0, 0, 1], 9).into(), None))
    }

    #[test]
    fn a_refused_check_is_believed_at_once_and_a_slow_one_only_the_third_time() {
        let server = server();
        server.found(Finding::Refuses);
        assert!(!server.is_up());
        server.found(Finding::Slow);
        assert!(!server.is_up(), "a slow check does not bring a dead server back");
        server.found(Finding::Answers);
        assert!(server.is_up());
        server.found(Finding::Slow);
        server.found(Finding::Slow);
        assert!(server.is_up());
        server.found(Finding::Slow);
        assert!(!server.is_up());
    }

    #[test]
    fn a_drain_ends_with_its_last_connection() {
        let (server, now) = (server(), Instant::now());
        let (one, two) = (Counted::new(&server), Counted::new(&server));
        server.drain(now, None);
        assert!(!server.takes() && server.is_up());
        drop(one);
        let snapshot = server.snapshot(now);
        let drain = snapshot.drain.unwrap();
        assert_eq!((snapshot.state, drain.had, drain.left, drain.over), ("draining", 2, 1, false));
        drop(two);
        let snapshot = server.snapshot(now);
        assert_eq!((snapshot.state, snapshot.drain.unwrap().over), ("disabled", true));
        server.enable();
        assert!(server.takes() && server.snapshot(now).drain.is_none());
    }

    #[test]
    fn a_drain_without_connections_is_over_at_once_and_one_out_of_time_cuts_those_left() {
        let (server, now) = (server(), Instant::now());
        server.drain(now, None);
        assert_eq!(server.snapshot(now).state, "disabled");
        server.enable();
        let _kept = Counted::new(&server);
        server.drain(now, Some(Duration::from_secs(5)));
        server.settle(now + Duration::from_secs(4));
        assert!(!server.order.borrow().cut);
        assert_eq!(server.snapshot(now + Duration::from_secs(4)).drain.unwrap().deadline, Some(1.0));
        server.settle(now + Duration::from_secs(5));
        assert!(server.order.borrow().cut);
        assert_eq!(server.snapshot(now).state, "disabled");
    }

    #[test]
    fn a_second_drain_moves_the_deadline_and_the_progress_goes_on() {
        let (server, now) = (server(), Instant::now());
        let (_one, two) = (Counted::new(&server), Counted::new(&server));
        server.drain(now, None);
        drop(two);
        server.drain(now + Duration::from_secs(3), Some(Duration::from_secs(5)));
        let drain = server.snapshot(now + Duration::from_secs(4)).drain.unwrap();
        assert_eq!((drain.had, drain.left, drain.seconds, drain.deadline), (2, 1, 4.0, Some(4.0)));
    }
}
