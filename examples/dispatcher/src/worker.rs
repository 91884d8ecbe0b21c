//! What every shard does besides sockets: takes commands, tells others what it began, tells what happened.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use sip_proxy::dispatcher::{Destination, Event, Explanation, List, Shared, Snapshot, Why};
use sip_proxy::stateless::{Counters, Flow, Hop, Proxy};
use sip_transaction::Transport;
use tokio::sync::{mpsc, oneshot};

use crate::config::CERTIFICATE;

/// What a shard is told.
#[derive(Debug)]
pub(crate) enum Command {
    Load(List),
    Enable(Arc<str>),
    Disable(Arc<str>),
    Drain(Arc<str>, Option<Duration>),
    Alive(Arc<str>, bool),
    Learn(Arc<[Shared]>),
    Snapshot(oneshot::Sender<ShardSnapshot>),
    Explain {
        set: String,
        key: Bytes,
        answer: oneshot::Sender<Option<Explanation>>,
    },
    Calls(oneshot::Sender<Vec<Shared>>),
    /// The answer to a probe that came to a shard which did not ask: the system spreads by the source.
    Answered(Flow, Bytes),
    /// To be sent by whoever has the connections.
    Send(Hop, Bytes),
    Stop,
}

/// The state of a shard.
#[derive(Debug, Clone)]
pub struct ShardSnapshot {
    /// Of its dispatcher.
    pub dispatcher: Snapshot,
    /// Of its proxy.
    pub counters: Counters,
    /// Whether it takes new calls.
    pub is_ready: bool,
    /// Connections that are open.
    pub connections: usize,
    /// Datagrams and messages that could not be sent or handed over.
    pub lost: u64,
}

/// How many commands may wait for a shard.
pub(crate) const INBOX: usize = 8_192;

/// Whom a shard talks to.
#[derive(Debug, Clone)]
pub(crate) struct Links {
    /// All other shards.
    pub(crate) others: Vec<mpsc::Sender<Command>>,
    /// Whoever tells other dispatchers.
    pub(crate) sharing: Option<mpsc::Sender<Arc<[Shared]>>>,
    /// Whoever writes the journal.
    pub(crate) events: mpsc::Sender<Event>,
}

/// One shard's proxy and its links.
#[derive(Debug)]
pub(crate) struct Worker {
    pub(crate) proxy: Proxy,
    pub(crate) links: Links,
    /// Whether this one's events are those that are told.
    pub(crate) is_first: bool,
    /// The transports whose destinations it probes.
    pub(crate) probed: Vec<Transport>,
    pub(crate) transports: HashMap<Arc<str>, Transport>,
    /// The names that certificates of destinations must have.
    pub(crate) names: HashMap<SocketAddr, Arc<str>>,
    /// Whether it has a list: until then it reads nothing, or calls would be refused that wait in the socket just as well.
    pub(crate) is_loaded: bool,
    pub(crate) lost: u64,
    pub(crate) connections: usize,
}

/// What is left of a command for the shard itself.
#[derive(Debug)]
pub(crate) enum Rest {
    Nothing,
    Send(Hop, Bytes),
    Stop,
}

impl Worker {
    pub(crate) fn apply(&mut self, now: Instant, command: Command) -> Rest {
        let dispatcher = self.proxy.dispatcher_mut();
        match command {
            Command::Load(list) => {
                let destinations = list.sets().iter().flat_map(|set| &set.destinations);
                self.transports = destinations.map(|it| (it.name.clone(), it.transport)).collect();
                let named = list.sets().iter().flat_map(|set| &set.destinations);
                let name = |it: &Destination| Some((it.address, it.attributes.get(CERTIFICATE)?.as_str().into()));
                self.names = named.filter_map(name).collect();
                dispatcher.load(now, list);
                self.is_loaded = true;
            }
            Command::Enable(name) => {
                dispatcher.enable(&name);
            }
            Command::Disable(name) => {
                dispatcher.disable(&name);
            }
            Command::Drain(name, within) => {
                dispatcher.drain(now, &name, within);
            }
            Command::Alive(name, lives) => {
                dispatcher.set_alive(&name, lives);
            }
            Command::Learn(calls) => calls.iter().for_each(|call| dispatcher.learn(now, *call)),
            Command::Snapshot(answer) => {
                let snapshot = ShardSnapshot {
                    dispatcher: dispatcher.snapshot(now),
                    is_ready: dispatcher.is_ready(),
                    counters: self.proxy.counters().clone(),
                    connections: self.connections,
                    lost: self.lost,
                };
                // Whoever asked may have gone.
                let _ = answer.send(snapshot);
            }
            Command::Explain { set, key, answer } => {
                let _ = answer.send(dispatcher.explain(now, &set, &key));
            }
            Command::Calls(answer) => {
                let _ = answer.send(dispatcher.calls());
            }
            Command::Answered(flow, payload) => {
                let _ = self.proxy.handle_datagram(now, &flow, &payload, &mut Vec::new());
            }
            Command::Send(hop, payload) => return Rest::Send(hop, payload),
            Command::Stop => return Rest::Stop,
        }
        Rest::Nothing
    }

    /// Tells others what was begun and what happened.
    pub(crate) fn tell(&mut self) {
        let mut calls = Vec::new();
        while let Some(call) = self.proxy.dispatcher_mut().poll_shared() {
            calls.push(call);
        }
        if !calls.is_empty() {
            let calls: Arc<[Shared]> = calls.into();
            for other in &self.links.others {
                self.lost += u64::from(other.try_send(Command::Learn(calls.clone())).is_err());
            }
            if let Some(sharing) = &self.links.sharing {
                self.lost += u64::from(sharing.try_send(calls).is_err());
            }
        }
        while let Some(event) = self.proxy.dispatcher_mut().poll_event() {
            let is_told = match &event {
                Event::Changed { name, why, is_alive, .. } => {
                    let is_found = matches!(why, Why::ProbeAnswered | Why::ProbeFailed | Why::Unreachable);
                    let is_ours = self.transports.get(name).is_some_and(|transport| self.probed.contains(transport));
                    if is_found && is_ours {
                        for other in &self.links.others {
                            let _ = other.try_send(Command::Alive(name.clone(), *is_alive));
                        }
                    }
                    if is_found { is_ours } else { self.is_first }
                }
                Event::CallMoved { .. } => true,
                _ => self.is_first,
            };
            if is_told {
                // A journal that is too slow loses lines, not calls.
                let _ = self.links.events.try_send(event);
            }
        }
    }
}
