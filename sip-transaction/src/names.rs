//! A bounded memory of the names under which addresses were reached.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

use crate::transaction::key::Secret;
use crate::transport::Transport;

/// Remembers between `limit / 2` and `limit` names: two halves, of which the older is dropped when the younger is full.
#[derive(Debug)]
pub(crate) struct Names {
    young: HashMap<(Transport, SocketAddr), Arc<str>, Secret>,
    old: HashMap<(Transport, SocketAddr), Arc<str>, Secret>,
    half: usize,
}

impl Names {
    pub(crate) fn new(limit: usize, secret: Secret) -> Self {
        Self { young: HashMap::with_hasher(secret), old: HashMap::with_hasher(secret), half: (limit / 2).max(1) }
    }

    /// Remembers a name; the newest one of an address counts.
    pub(crate) fn insert(&mut self, transport: Transport, address: SocketAddr, name: Arc<str>) {
        let key = (transport, address);
        if self.young.len() >= self.half && !self.young.contains_key(&key) {
            std::mem::swap(&mut self.young, &mut self.old);
            self.young.clear();
        }
        self.young.insert(key, name);
    }

    /// The name of an address.
    pub(crate) fn get(&self, transport: Transport, address: SocketAddr) -> Option<Arc<str>> {
        let key = (transport, address);
        self.young.get(&key).or_else(|| self.old.get(&key)).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_stays_within_its_limit_and_knows_the_newest() {
        let mut names = Names::new(10, Secret::new(1, 2));
        let address = |port: u16| SocketAddr::from(([192, 0, 2, 1], port));
        for port in 1..100 {
            names.insert(Transport::Tls, address(port), "old.example".into());
            names.insert(Transport::Tls, address(port), "new.example".into());
            assert!(names.young.len() + names.old.len() <= 10);
        }
        assert_eq!(names.get(Transport::Tls, address(99)).as_deref(), Some("new.example"));
        assert_eq!(names.get(Transport::Wss, address(99)), None);
        assert_eq!(names.get(Transport::Tls, address(1)), None);
    }
}
