//! The servers, their health and their load, as all tasks see them.

use std::{
    net::{IpAddr, SocketAddr},
    sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
};

use tokio::sync::watch;

use super::{Algorithm, Config, algorithm::Candidate};

/// How many checks in a row may time out before a server is down. A refused connection is believed at once.
const SLOW_CHECKS: usize = 3;

/// All servers, and what was counted.
#[derive(Debug)]
pub(super) struct Pool {
    pub(super) algorithm: Algorithm,
    pub(super) servers: Vec<Server>,
    turn: AtomicUsize,
    pub(super) connections: AtomicUsize,
    pub(super) refused: AtomicU64,
    pub(super) idled: AtomicU64,
}

/// One server.
#[derive(Debug)]
pub(super) struct Server {
    pub(super) name: String,
    pub(super) address: SocketAddr,
    up: watch::Sender<bool>,
    slow: AtomicUsize,
    checked: AtomicBool,
    pub(super) connections: AtomicUsize,
    pub(super) total: AtomicU64,
    pub(super) failed: AtomicU64,
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

impl Pool {
    pub(super) fn new(config: &Config) -> Self {
        let servers = config.servers.iter().map(|(name, address)| Server::new(name, *address)).collect();
        Self {
            algorithm: config.algorithm,
            servers,
            turn: AtomicUsize::new(0),
            connections: AtomicUsize::new(0),
            refused: AtomicU64::new(0),
            idled: AtomicU64::new(0),
        }
    }

    /// The server for the next connection of a source: one that is up and was not tried for it yet.
    pub(super) fn choose(&self, source: IpAddr, tried: &[usize]) -> Option<usize> {
        let candidates: Vec<_> = (0..)
            .zip(&self.servers)
            .filter(|(index, server)| server.is_up() && !tried.contains(index))
            .map(|(index, server)| Candidate {
                index,
                name: &server.name,
                connections: server.connections.load(Ordering::Relaxed),
            })
            .collect();
        // A second try for the same connection takes no further turn.
        let turn = if tried.is_empty() { self.turn.fetch_add(1, Ordering::Relaxed) } else { 0 };
        self.algorithm.choose(&candidates, source, turn)
    }
}

impl Server {
    fn new(name: &str, address: SocketAddr) -> Self {
        Self {
            name: name.to_owned(),
            address,
            // Nobody knows yet; the first check begins at once.
            up: watch::Sender::new(true),
            slow: AtomicUsize::new(0),
            checked: AtomicBool::new(false),
            connections: AtomicUsize::new(0),
            total: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            to_server: AtomicU64::new(0),
            to_client: AtomicU64::new(0),
        }
    }

    pub(super) fn is_up(&self) -> bool {
        *self.up.borrow()
    }

    /// Whether a check or a connection has told anything yet.
    pub(super) fn is_checked(&self) -> bool {
        self.checked.load(Ordering::Relaxed)
    }

    /// Comes to its end when the server is down.
    pub(super) async fn down(&self) {
        let mut up = self.up.subscribe();
        // The pool, and so the sender, lives as long as the caller.
        let _ = up.wait_for(|up| !up).await;
    }

    /// Takes in that a connection of a phone failed, and what that says of the server, if anything.
    pub(super) fn failed(&self, finding: Option<Finding>) {
        if let Some(finding) = finding {
            self.failed.fetch_add(1, Ordering::Relaxed);
            self.found(finding);
        }
    }

    /// Takes in what a check, or a connection of a phone, found.
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
        let changed = self.up.send_if_modified(|known| std::mem::replace(known, up) != up);
        if changed && up {
            tracing::info!(server = self.name, "is up");
        } else if changed {
            tracing::warn!(server = self.name, address = %self.address, "is down");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_check_is_believed_at_once_and_a_slow_one_only_the_third_time() {
        let server = Server::new("a", ([127, 0, 0, 1], 9).into());
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
}
