//! One target after the other (RFC 3263 §4.3): requests whose destination is a URI or has several targets.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use sip_core::{Method, Request, Response, StatusCode, ident};

use super::client::{Client, Delivery, Kind};
use super::{Endpoint, Failure, Output, Owner, SendError};
use crate::arena::Slot;
use crate::resolve::{self, Locator, Lookup, LookupId};
use crate::transaction::{Action, Actions, ClientEvent, ClientInvite, ClientOther, Timer};
use crate::transport::via::Path;
use crate::transport::{Target, Transport};

/// What is left to try of a request.
#[derive(Debug)]
pub(super) struct Rest {
    request: Request,
    name: Option<Arc<str>>,
    targets: VecDeque<Target>,
    /// The one that is being tried.
    tried: Option<(Transport, SocketAddr)>,
    /// What it waits for, before there are targets.
    lookup: Option<LookupId>,
}

impl Rest {
    pub(super) fn new(request: Request, name: Option<Arc<str>>) -> Box<Self> {
        Box::new(Self { request, name, targets: VecDeque::new(), tried: None, lookup: None })
    }

    pub(super) fn is_invite(&self) -> bool {
        *self.request.method() == Method::Invite
    }

    pub(super) const fn lookup(&self) -> Option<LookupId> {
        self.lookup
    }
}

/// Who waits for servers to be located.
#[derive(Debug)]
pub(super) enum Seeker {
    Client(Slot),
    Ack(Box<(Request, Arc<str>)>),
}

impl Endpoint {
    /// Begins with the first target that can be tried at all.
    pub(super) fn try_targets(&mut self, now: Instant, slot: Slot, targets: Vec<Target>) -> Result<(), SendError> {
        let era = self.avoidance_era(now);
        let (mut good, bad): (VecDeque<_>, VecDeque<_>) =
            targets.into_iter().partition(|target| !self.avoided.contains(&(target.transport, target.remote, era)));
        // Those that failed lately come last.
        good.extend(bad);
        if let Some(rest) = self.clients.get_mut(slot).and_then(|client| client.rest.as_mut()) {
            rest.targets = good;
        }
        self.try_next(now, slot)
    }

    /// Locates the servers of a URI for a client transaction that has its place already.
    pub(super) fn locate_for(&mut self, now: Instant, slot: Slot, locator: Locator) -> Result<(), SendError> {
        match self.resolver.locate(now, locator) {
            Err(resolve::Busy) => Err(SendError::Limit),
            Ok(Lookup::Located(targets)) if targets.is_empty() => Err(SendError::NoTarget),
            Ok(Lookup::Located(targets)) => self.try_targets(now, slot, targets),
            Ok(Lookup::Waiting(lookup)) => {
                self.seekers.insert(lookup, Seeker::Client(slot));
                if let Some(rest) = self.clients.get_mut(slot).and_then(|client| client.rest.as_mut()) {
                    rest.lookup = Some(lookup);
                }
                self.pump_resolver(now);
                Ok(())
            }
        }
    }

    /// Locates the servers of a URI for an ACK, or says which one is the first.
    pub(super) fn locate_for_ack(&mut self, now: Instant, ack: Request, locator: Locator) -> Result<(), SendError> {
        let name: Arc<str> = locator.name().unwrap_or_default().into();
        match self.resolver.locate(now, locator) {
            Err(resolve::Busy) => Err(SendError::Limit),
            Ok(Lookup::Located(targets)) => self.send_ack_to_first(now, &ack, &name, &targets),
            Ok(Lookup::Waiting(lookup)) => {
                self.seekers.insert(lookup, Seeker::Ack(Box::new((ack, name))));
                self.pump_resolver(now);
                Ok(())
            }
        }
    }

    /// Takes what the resolver has to say until it is silent.
    pub(super) fn pump_resolver(&mut self, now: Instant) {
        while let Some(output) = self.resolver.poll_output() {
            match output {
                resolve::Output::Query { query, question } => {
                    self.queue.push(Output::Query { query, question });
                }
                resolve::Output::Located { lookup, targets } => self.on_located(now, lookup, targets),
            }
        }
    }

    fn on_located(&mut self, now: Instant, lookup: LookupId, targets: Vec<Target>) {
        match self.seekers.remove(&lookup) {
            Some(Seeker::Client(slot)) => {
                let Some(rest) = self.clients.get_mut(slot).and_then(|client| client.rest.as_mut()) else { return };
                rest.lookup = None;
                if targets.is_empty() {
                    self.fail_client(slot, Failure::Unlocated);
                    self.remove_client(slot, true);
                } else if let Err(error) = self.try_targets(now, slot, targets) {
                    tracing::debug!(%error, "none of the located servers can be tried");
                    self.fail_client(slot, Failure::Transport);
                    self.remove_client(slot, true);
                }
            }
            Some(Seeker::Ack(waiting)) => {
                let (ack, name) = *waiting;
                if let Err(error) = self.send_ack_to_first(now, &ack, &name, &targets) {
                    tracing::debug!(%error, "ack not sent");
                }
            }
            None => {}
        }
    }

    /// Sends an ACK to the first target that can be tried.
    pub(super) fn send_ack_to_first(
        &mut self,
        now: Instant,
        ack: &Request,
        name: &Arc<str>,
        targets: &[Target],
    ) -> Result<(), SendError> {
        let branch = self.secret.ack_branch(ack);
        let name = Some(name).filter(|name| !name.is_empty());
        let mut last = SendError::NoTarget;
        for target in targets {
            match self.address(now, ack, target, name, branch.as_bytes()) {
                Ok((path, message, _)) => {
                    return if self.transmit(path, message) { Ok(()) } else { Err(SendError::Limit) };
                }
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    /// Goes on with the next target when one has failed (RFC 3263 §4.3): answered 503, could not be reached, or did not
    /// say a word in time. Whether there was one.
    pub(super) fn fail_over(
        &mut self,
        now: Instant,
        slot: Slot,
        actions: &Actions,
        delivery: Option<&Delivery>,
    ) -> bool {
        let Some(client) = self.clients.get(slot) else { return false };
        let Some(tried) = client.rest.as_ref().and_then(|rest| rest.tried) else { return false };
        let is_delivered = actions.contains(&Action::Deliver);
        let response = delivery.map(|(response, ..)| response).filter(|_| is_delivered);
        let is_unavailable = response.is_some_and(|response| response.status() == StatusCode::SERVICE_UNAVAILABLE);
        let is_silent =
            !client.is_heard && (actions.contains(&Action::TimedOut) || actions.contains(&Action::Undeliverable));
        if !is_unavailable && !is_silent {
            return false;
        }
        self.avoid(now, tried);
        let ghost = self.ghost(slot, response.filter(|_| is_unavailable));
        if self.try_next(now, slot).is_err() {
            return false;
        }
        self.counters.failovers += 1;
        if let Some((ghost, ack)) = ghost {
            self.leave(now, ghost, ack);
        }
        true
    }

    /// A target that was silent for long, while there are others.
    pub(super) fn on_impatience(&mut self, now: Instant, slot: Slot) {
        let Some(client) = self.clients.get_mut(slot) else { return };
        client.patience = None;
        if client.is_heard || client.cancel != super::client::Cancel::No {
            return;
        }
        let Some(tried) = client.rest.as_ref().and_then(|rest| rest.tried) else { return };
        if self.try_next(now, slot).is_ok() {
            self.avoid(now, tried);
            self.counters.failovers += 1;
        }
    }

    /// A server has answered: it is there.
    pub(super) fn on_heard(&mut self, now: Instant, slot: Slot) {
        let Some(client) = self.clients.get_mut(slot) else { return };
        if std::mem::replace(&mut client.is_heard, true) {
            return;
        }
        let tried = client.rest.as_ref().and_then(|rest| rest.tried);
        if let Some(handle) = client.patience.take() {
            self.wheel.stop(handle);
        }
        if let Some((transport, remote)) = tried {
            let era = self.avoidance_era(now);
            self.avoided.remove(&(transport, remote, era));
        }
    }

    /// Makes a new transaction in the place of the last one, with the next target that can be tried.
    fn try_next(&mut self, now: Instant, slot: Slot) -> Result<(), SendError> {
        let mut last = SendError::NoTarget;
        loop {
            let Some(client) = self.clients.get_mut(slot) else { return Err(last) };
            // Whoever cancels wants no other server.
            if client.cancel != super::client::Cancel::No {
                return Err(last);
            }
            let Some(rest) = client.rest.as_mut() else { return Err(last) };
            let Some(target) = rest.targets.pop_front() else { return Err(last) };
            let (request, name) = (rest.request.clone(), rest.name.clone());
            let branch = ident::branch(&mut self.random);
            match self.address(now, &request, &target, name.as_ref(), &branch) {
                Ok((path, message, datagram)) => {
                    let key = self.secret.client(&branch, request.method());
                    self.retire(slot);
                    let timers = self.config.timers;
                    let is_reliable = matches!(path, Path::Connection(_));
                    let Some(client) = self.clients.get_mut(slot) else { return Err(last) };
                    client.kind = match request.method() {
                        Method::Invite => Kind::Invite(ClientInvite::new(timers, is_reliable)),
                        _ => Kind::Other(ClientOther::new(timers, is_reliable)),
                    };
                    (client.key, client.path, client.message, client.datagram) = (key, path, message, datagram);
                    (client.ack, client.is_heard) = (None, false);
                    let mut has_more = false;
                    if let Some(rest) = client.rest.as_mut() {
                        rest.tried = Some((target.transport, target.remote));
                        has_more = !rest.targets.is_empty();
                    }
                    self.enter_client(slot, key, path);
                    if let Some(patience) = self.config.next_target_after.filter(|_| has_more) {
                        let handle = self.wheel.start(now, now + patience, Owner::Impatient(slot));
                        if let Some(client) = self.clients.get_mut(slot) {
                            client.patience = Some(handle);
                        }
                    }
                    self.run_client(now, slot, ClientEvent::Start, None);
                    return Ok(());
                }
                Err(error) => last = error,
            }
        }
    }

    /// Takes a transaction out of what finds it, but leaves its place.
    fn retire(&mut self, slot: Slot) {
        let Some(client) = self.clients.get_mut(slot) else { return };
        let (key, path) = (client.key, client.path);
        for handle in [client.repeat.take(), client.end.take(), client.patience.take()].into_iter().flatten() {
            self.wheel.stop(handle);
        }
        self.client_keys.remove(&key);
        if let Path::Connection(id) = path
            && let Some(connection) = self.connections.get_mut(id)
        {
            connection.clients.remove(&slot);
        }
    }

    /// What stays behind of an INVITE that drew a 503, to acknowledge it again (RFC 3261 §17.1.1.2), and its ACK.
    fn ghost(&self, slot: Slot, response: Option<&Response>) -> Option<(Client, bytes::Bytes)> {
        let client = self.clients.get(slot)?;
        let Kind::Invite(invite) = &client.kind else { return None };
        let ack = super::client::ack_to(&client.message, response?)?;
        let ghost = Client {
            kind: Kind::Invite(invite.clone()),
            ack: Some(ack.clone()),
            is_internal: true,
            ..Client::new(client.key, client.path, client.message.clone())
        };
        Some((ghost, ack))
    }

    fn leave(&mut self, now: Instant, ghost: Client, ack: bytes::Bytes) {
        let path = ghost.path;
        self.transmit(path, ack);
        if matches!(path, Path::Datagram { .. })
            && let Some(slot) = self.insert_client(ghost)
        {
            let handle = self.wheel.start(now, now + self.config.timers.linger(), Owner::Client(slot, Timer::D));
            if let Some(client) = self.clients.get_mut(slot) {
                client.end = Some(handle);
            }
        }
    }

    fn avoid(&mut self, now: Instant, (transport, remote): (Transport, SocketAddr)) {
        let era = self.avoidance_era(now);
        self.avoided.insert((transport, remote, era));
    }

    /// What failed in one of these is tried like any other in the next.
    fn avoidance_era(&self, now: Instant) -> u64 {
        let length = self.config.avoid_for.as_secs().max(1);
        self.origin.map_or(0, |origin| now.saturating_duration_since(origin).as_secs() / length)
    }
}
