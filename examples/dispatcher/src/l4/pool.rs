//! The servers as all tasks see them: a list that is swapped whole.

use std::{
    net::{IpAddr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
};

use tokio::sync::watch;

use super::{
    Algorithm, Config, Listener,
    algorithm::Candidate,
    server::{Happened, Server},
};

/// Servers and how one is chosen.
#[derive(Debug, Clone)]
pub(super) struct List {
    pub(super) algorithm: Algorithm,
    pub(super) servers: Vec<Arc<Server>>,
}

/// All servers, and what was counted.
#[derive(Debug)]
pub(super) struct Pool {
    list: watch::Sender<List>,
    listener: Option<Listener>,
    turn: AtomicUsize,
    pub(super) connections: AtomicUsize,
    pub(super) refused: AtomicU64,
    pub(super) idled: AtomicU64,
}

impl Pool {
    pub(super) fn new(config: &Config, listener: Option<Listener>) -> Self {
        let server = |(name, address): &(String, SocketAddr)| Arc::new(Server::new(name, *address, listener.clone()));
        let list = List { algorithm: config.algorithm, servers: config.servers.iter().map(server).collect() };
        Self {
            list: watch::Sender::new(list),
            listener,
            turn: AtomicUsize::new(0),
            connections: AtomicUsize::new(0),
            refused: AtomicU64::new(0),
            idled: AtomicU64::new(0),
        }
    }

    /// Those of now.
    pub(super) fn list(&self) -> List {
        self.list.borrow().clone()
    }

    /// Tells of other lists.
    pub(super) fn watch(&self) -> watch::Receiver<List> {
        self.list.subscribe()
    }

    /// Takes other servers, all at once. One that stays keeps its connections, its health and what was wanted of it; one that goes keeps
    /// its connections until they end.
    pub(super) fn replace(&self, algorithm: Algorithm, wanted: &[(String, SocketAddr)]) {
        self.list.send_modify(|list| {
            let old = std::mem::take(&mut list.servers);
            list.algorithm = algorithm;
            for (name, address) in wanted {
                let known = old.iter().find(|server| server.name == *name);
                list.servers.push(match known {
                    Some(server) if server.address == *address => Arc::clone(server),
                    known => {
                        let server = Server::new(name, *address, self.listener.clone());
                        server.note(Happened::Added);
                        if let Some(known) = known {
                            server.take_order(known);
                        }
                        Arc::new(server)
                    }
                });
            }
            for server in old {
                if !list.servers.iter().any(|stays| Arc::ptr_eq(stays, &server)) {
                    server.retire();
                }
            }
        });
    }

    /// The server for the next connection of a source: one that takes any and was not tried for it yet.
    pub(super) fn choose(&self, source: IpAddr, tried: &[Arc<Server>]) -> Option<Arc<Server>> {
        let list = self.list();
        let candidates: Vec<_> = (0..)
            .zip(&list.servers)
            .filter(|(_, server)| server.takes() && !tried.iter().any(|one| Arc::ptr_eq(one, server)))
            .map(|(index, server)| Candidate {
                index,
                name: &server.name,
                connections: server.connections.load(Ordering::SeqCst),
            })
            .collect();
        // A second try for the same connection takes no further turn.
        let turn = if tried.is_empty() { self.turn.fetch_add(1, Ordering::Relaxed) } else { 0 };
        let chosen = list.algorithm.choose(&candidates, source, turn)?;
        list.servers.get(chosen).cloned()
    }
}
