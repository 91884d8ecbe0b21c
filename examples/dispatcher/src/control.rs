//! Commands to all shards at once, what they know together, and the journal.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::Serialize;
use sip_proxy::dispatcher::{Event, NodeSnapshot, State as NodeState};
use tokio::sync::{Mutex, mpsc, oneshot, watch};

use crate::config::{Config, ConfigError, DestinationConfig, SetConfig, list};
use crate::meters::{self, BOUNDS, Counted, Meters};
use crate::persist::{self, Kept};
use crate::worker::{Command, ShardSnapshot};
use sip_proxy::stateless::Label;

/// How many lines the journal has.
const JOURNAL: usize = 500;

/// What commands a running dispatcher. Clones command the same one.
#[derive(Debug, Clone)]
pub struct Control {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    shards: Vec<mpsc::Sender<Command>>,
    meters: Vec<Arc<Meters>>,
    kept: Mutex<Kept>,
    journal: Mutex<VecDeque<Line>>,
    path: Option<PathBuf>,
    persist: Option<PathBuf>,
    present: Option<watch::Receiver<usize>>,
    started: u64,
}

/// A line of the journal.
#[derive(Debug, Clone, Serialize)]
pub struct Line {
    /// Milliseconds since 1970.
    pub at: u64,
    /// Which destination it is about.
    pub destination: Option<String>,
    /// What happened, and why.
    pub what: String,
}

/// Why a command is refused.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// There is no such destination.
    #[error("there is no destination {0:?}")]
    NoDestination(String),
    /// There is no such set.
    #[error("there is no set {0:?}")]
    NoSet(String),
    /// What would be loaded is wrong: nothing is changed.
    #[error("{0}")]
    Config(#[from] ConfigError),
    /// It cannot be kept: nothing is changed.
    #[error("it cannot be kept: {0}")]
    Persist(#[from] io::Error),
    /// There is no file to read again.
    #[error("there is no configuration file")]
    NoFile,
    /// The program ends.
    #[error("the dispatcher ends")]
    Ending,
}

/// Everything that there is to see.
#[derive(Debug, Clone, Serialize)]
pub struct Status {
    /// When it began, in milliseconds since 1970.
    pub started: u64,
    /// The clock, likewise.
    pub now: u64,
    /// How many lists were loaded.
    pub version: u64,
    /// Whether it takes new calls.
    pub ready: bool,
    /// How many shards there are.
    pub shards: usize,
    /// How many other dispatchers are there, when some are configured.
    pub peers: Option<usize>,
    /// Connections that are open.
    pub connections: usize,
    /// The destinations.
    pub destinations: Vec<DestinationStatus>,
    /// Entries of the record: being set up, answered, over, others.
    pub record: BTreeMap<&'static str, usize>,
    /// What became of messages.
    pub messages: BTreeMap<String, u64>,
    /// How long messages took, by method and class.
    pub latency: Vec<LatencyStatus>,
    /// What happened lately, the newest first.
    pub journal: Vec<Line>,
}

/// One destination.
#[derive(Debug, Clone, Serialize)]
pub struct DestinationStatus {
    /// Its name.
    pub name: String,
    /// The sets that it is in.
    pub sets: Vec<String>,
    /// Where it is reached.
    pub address: String,
    /// How.
    pub transport: &'static str,
    /// Its weight.
    pub weight: u32,
    /// Its priority.
    pub priority: u16,
    /// Its capacity.
    pub capacity: Option<u32>,
    /// Whatever else is known of it.
    pub attributes: BTreeMap<String, String>,
    /// `active`, `trying`, `probing`, `draining` or `disabled`.
    pub state: &'static str,
    /// Whether it lives.
    pub alive: bool,
    /// Calls now.
    pub calls: usize,
    /// Of these, those being set up.
    pub setup: usize,
    /// Calls since the beginning.
    pub total: u64,
    /// Its part of the calls of the last seconds, between 0 and 1.
    pub share: f64,
    /// The part that its weight promises.
    pub fair: f64,
    /// How long it takes to say something, on the average, in milliseconds.
    pub latency: Option<f64>,
    /// Probes answered as they should be, and not.
    pub probes: (u64, u64),
    /// Its drain.
    pub drain: Option<DrainStatus>,
}

/// How far a drain is.
#[derive(Debug, Clone, Serialize)]
pub struct DrainStatus {
    /// Calls that it had.
    pub calls: usize,
    /// Calls that it has.
    pub left: usize,
    /// Seconds since it began.
    pub seconds: f64,
    /// Seconds until its deadline.
    pub deadline: Option<f64>,
    /// Whether it has ended.
    pub over: bool,
}

/// How long messages of a kind took.
#[derive(Debug, Clone, Serialize)]
pub struct LatencyStatus {
    /// The method.
    pub method: &'static str,
    /// The class.
    pub class: &'static str,
    /// How many.
    pub count: u64,
    /// The mean in microseconds.
    pub mean: u64,
    /// The bound that half of them are below, in microseconds.
    pub median: Option<u64>,
    /// The bound that 99 of 100 are below, in microseconds.
    pub p99: Option<u64>,
}

impl Control {
    pub(crate) async fn start(
        config: &Config,
        path: Option<PathBuf>,
        shards: Vec<mpsc::Sender<Command>>,
        meters: Vec<Arc<Meters>>,
        events: mpsc::Receiver<Event>,
        present: Option<watch::Receiver<usize>>,
    ) -> io::Result<Self> {
        let persist = config.dispatcher.persist.clone();
        let kept = match persist.as_deref().map(persist::read).transpose()?.flatten() {
            Some(kept) => kept,
            None => Kept { sets: config.sets.clone(), states: BTreeMap::new() },
        };
        let inner = Inner {
            shards,
            meters,
            kept: Mutex::new(kept.clone()),
            journal: Mutex::new(VecDeque::new()),
            path,
            persist,
            present,
            started: wall(),
        };
        let control = Self { inner: Arc::new(inner) };
        tokio::spawn(keep_journal(control.inner.clone(), events));
        let list = list(&kept.sets).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error.to_string()))?;
        control.tell(|| Command::Load(list.clone())).await;
        for (name, state) in &kept.states {
            let name: Arc<str> = name.as_str().into();
            match state.as_str() {
                "draining" => control.tell(|| Command::Drain(name.clone(), None)).await,
                _ => control.tell(|| Command::Disable(name.clone())).await,
            }
        }
        Ok(control)
    }

    pub(crate) async fn tell(&self, command: impl Fn() -> Command) {
        for shard in &self.inner.shards {
            // A shard that has ended needs no command.
            let _ = shard.send(command()).await;
        }
    }

    /// Takes new calls to it again.
    ///
    /// # Errors
    /// When there is no such destination, as with the other commands.
    pub async fn enable(&self, name: &str) -> Result<Vec<String>, CommandError> {
        self.set_states(name, None, |name| Command::Enable(name.clone())).await
    }

    /// Gives it no new calls.
    ///
    /// # Errors
    /// As [`Control::enable`].
    pub async fn disable(&self, name: &str) -> Result<Vec<String>, CommandError> {
        self.set_states(name, Some("disabled"), |name| Command::Disable(name.clone())).await
    }

    /// Gives it no new calls, until those that it has are over or the deadline comes.
    ///
    /// # Errors
    /// As [`Control::enable`].
    pub async fn drain(&self, name: &str, within: Option<Duration>) -> Result<Vec<String>, CommandError> {
        self.set_states(name, Some("draining"), |name| Command::Drain(name.clone(), within)).await
    }

    /// `host` is a name, an address with its port, or an address for all its ports.
    async fn set_states(
        &self,
        host: &str,
        state: Option<&str>,
        command: impl Fn(&Arc<str>) -> Command,
    ) -> Result<Vec<String>, CommandError> {
        let mut kept = self.inner.kept.lock().await;
        let names = matching(&kept.sets, host);
        if names.is_empty() {
            return Err(CommandError::NoDestination(host.to_owned()));
        }
        let mut changed = kept.clone();
        for name in &names {
            match state {
                Some(state) => changed.states.insert(name.clone(), state.to_owned()),
                None => changed.states.remove(name),
            };
        }
        self.keep(&changed)?;
        *kept = changed;
        for name in &names {
            let name: Arc<str> = name.as_str().into();
            self.tell(|| command(&name)).await;
        }
        Ok(names)
    }

    /// Adds a destination to a set, or changes the one of this name.
    ///
    /// # Errors
    /// When there is no such set, or the list would be wrong: nothing is changed then.
    pub async fn add(&self, set: &str, destination: DestinationConfig) -> Result<(), CommandError> {
        self.change(|sets| {
            let found = sets.iter_mut().find(|it| it.name == set);
            let set = found.ok_or_else(|| CommandError::NoSet(set.to_owned()))?;
            match set.destinations.iter_mut().find(|it| it.name() == destination.name()) {
                Some(old) => *old = destination,
                None => set.destinations.push(destination),
            }
            Ok(())
        })
        .await
    }

    /// Removes a destination from all sets. Its calls stay with it.
    ///
    /// # Errors
    /// When there is no such destination.
    pub async fn remove(&self, name: &str) -> Result<(), CommandError> {
        self.change(|sets| {
            let mut found = false;
            for set in sets {
                let before = set.destinations.len();
                set.destinations.retain(|destination| destination.name() != name);
                found |= set.destinations.len() < before;
            }
            if found { Ok(()) } else { Err(CommandError::NoDestination(name.to_owned())) }
        })
        .await
    }

    /// Reads the configuration file again and takes its sets, whole or not at all.
    ///
    /// # Errors
    /// When it cannot be read or is wrong: everything stays as it is.
    pub async fn reload(&self) -> Result<(), CommandError> {
        let path = self.inner.path.clone().ok_or(CommandError::NoFile)?;
        let read = tokio::task::spawn_blocking(move || Config::read(&path)).await;
        let config = read.map_err(|_| CommandError::Ending)??;
        self.change(|sets| {
            *sets = config.sets;
            Ok(())
        })
        .await
    }

    async fn change(
        &self,
        change: impl FnOnce(&mut Vec<SetConfig>) -> Result<(), CommandError>,
    ) -> Result<(), CommandError> {
        let mut kept = self.inner.kept.lock().await;
        let mut changed = kept.clone();
        change(&mut changed.sets)?;
        let list = list(&changed.sets)?;
        let names: Vec<String> = destinations(&changed.sets).map(|(_, it)| it.name()).collect();
        changed.states.retain(|name, _| names.contains(name));
        self.keep(&changed)?;
        *kept = changed;
        self.tell(|| Command::Load(list.clone())).await;
        Ok(())
    }

    fn keep(&self, kept: &Kept) -> io::Result<()> {
        self.inner.persist.as_deref().map_or(Ok(()), |path: &Path| persist::write(path, kept))
    }

    /// The sets as they are.
    pub async fn sets(&self) -> Vec<SetConfig> {
        self.inner.kept.lock().await.sets.clone()
    }

    /// Explains a call, as JSON.
    ///
    /// # Errors
    /// When there is no such set.
    pub async fn explain(&self, set: Option<&str>, key: &str) -> Result<serde_json::Value, CommandError> {
        let first = self.inner.kept.lock().await.sets.first().map(|set| set.name.clone());
        let set = set.map(str::to_owned).or(first).ok_or_else(|| CommandError::NoSet(String::new()))?;
        let shard = self.inner.shards.first().ok_or(CommandError::Ending)?;
        let (answer, answered) = oneshot::channel();
        let command = Command::Explain { set: set.clone(), key: key.as_bytes().to_vec().into(), answer };
        shard.send(command).await.map_err(|_| CommandError::Ending)?;
        let explained = answered.await.map_err(|_| CommandError::Ending)?.ok_or(CommandError::NoSet(set))?;
        let candidates: Vec<serde_json::Value> = explained
            .candidates
            .iter()
            .map(|it| {
                serde_json::json!({ "name": &*it.name, "state": it.state.as_str(), "priority": it.priority,
                    "weight": it.weight, "score": it.score, "open": it.is_open, "closed": it.closed, "calls": it.calls })
            })
            .collect();
        let recorded = explained.recorded.map(|(name, phase, left)| {
            let phase = format!("{phase:?}").to_lowercase();
            serde_json::json!({ "destination": &*name, "phase": phase, "seconds": left.as_secs() })
        });
        Ok(serde_json::json!({ "set": &*explained.set, "algorithm": explained.algorithm.as_str(),
            "call": explained.call.to_string(), "chosen": explained.chosen.as_deref(), "why": explained.why,
            "recorded": recorded, "candidates": candidates }))
    }

    /// Histograms of all shards together.
    #[must_use]
    pub fn histograms(&self) -> Vec<(Label, Counted)> {
        meters::sum(self.inner.meters.iter().map(|meters| &**meters))
    }

    /// The upper bounds of their buckets, in microseconds.
    #[must_use]
    pub const fn bounds() -> [u64; BOUNDS.len()] {
        BOUNDS
    }

    /// What all shards say of themselves.
    pub async fn snapshots(&self) -> Vec<ShardSnapshot> {
        let mut all = Vec::new();
        for shard in &self.inner.shards {
            let (answer, answered) = oneshot::channel();
            if shard.send(Command::Snapshot(answer)).await.is_ok()
                && let Ok(snapshot) = answered.await
            {
                all.push(snapshot);
            }
        }
        all
    }

    /// Everything that there is to see.
    pub async fn status(&self) -> Status {
        let shards = self.snapshots().await;
        let mut messages = BTreeMap::new();
        let mut count = |name: String, value: u64| *messages.entry(name).or_insert(0) += value;
        for shard in &shards {
            count("requests to destinations".to_owned(), shard.counters.inward);
            count("requests from destinations".to_owned(), shard.counters.outward);
            count("responses".to_owned(), shard.counters.responses);
            count("forged cookies".to_owned(), shard.counters.forged_cookies);
            count("not sent".to_owned(), shard.lost);
            for (status, value) in &shard.counters.refused {
                count(format!("refused with {status}"), *value);
            }
            for (reason, value) in &shard.counters.dropped {
                count(format!("dropped: {}", reason.as_str()), *value);
            }
        }
        let first = shards.first();
        let latency = self.histograms().into_iter().map(|(label, counted)| {
            let count: u64 = counted.buckets.iter().sum();
            LatencyStatus {
                method: label.verb.as_str(),
                class: label.class.as_str(),
                count,
                mean: counted.sum / count.max(1),
                median: counted.quantile(0.5),
                p99: counted.quantile(0.99),
            }
        });
        let record = first.map(|first| first.dispatcher.record).unwrap_or_default();
        Status {
            started: self.inner.started,
            now: wall(),
            version: first.map_or(0, |first| first.dispatcher.version),
            ready: first.is_some_and(|first| first.is_ready),
            shards: shards.len(),
            peers: self.inner.present.as_ref().map(|present| *present.borrow()),
            connections: shards.iter().map(|shard| shard.connections).sum(),
            destinations: destination_statuses(&shards),
            record: ["setup", "talking", "over", "others"].into_iter().zip(record).collect(),
            messages,
            latency: latency.collect(),
            journal: self.inner.journal.lock().await.iter().rev().take(100).cloned().collect(),
        }
    }
}

fn destination_statuses(shards: &[ShardSnapshot]) -> Vec<DestinationStatus> {
    let Some(first) = shards.first() else { return Vec::new() };
    let of_all = |name: &str, value: fn(&NodeSnapshot) -> u64| -> u64 {
        let nodes = shards.iter().flat_map(|shard| &shard.dispatcher.nodes);
        nodes.filter(|node| *node.name == *name).map(value).sum()
    };
    let nodes = &first.dispatcher.nodes;
    let recent: u64 = nodes.iter().map(|node| of_all(&node.name, |node| node.recent)).sum();
    let is_open =
        |node: &NodeSnapshot| matches!(node.state, NodeState::Active | NodeState::Trying) && !node.sets.is_empty();
    let best = nodes.iter().filter(|node| is_open(node)).map(|node| node.priority).min();
    let serves = |node: &NodeSnapshot| is_open(node) && Some(node.priority) == best;
    let weight: u64 = nodes.iter().filter(|node| serves(node)).map(|node| u64::from(node.weight)).sum();
    let statuses = nodes.iter().map(|node| DestinationStatus {
        name: node.name.to_string(),
        sets: node.sets.iter().map(ToString::to_string).collect(),
        address: node.address.to_string(),
        transport: node.transport.token(),
        weight: node.weight,
        priority: node.priority,
        capacity: node.capacity,
        attributes: node.attributes.clone(),
        state: node.state.as_str(),
        alive: node.is_alive,
        calls: node.setup + node.talking,
        setup: node.setup,
        total: of_all(&node.name, |node| node.total),
        share: of_all(&node.name, |node| node.recent) as f64 / recent.max(1) as f64,
        fair: if serves(node) { f64::from(node.weight) / weight.max(1) as f64 } else { 0.0 },
        latency: shards
            .iter()
            .flat_map(|shard| &shard.dispatcher.nodes)
            .find_map(|other| other.latency.filter(|_| other.name == node.name))
            .map(|latency| latency.as_secs_f64() * 1e3),
        probes: (of_all(&node.name, |node| node.probes_answered), of_all(&node.name, |node| node.probes_failed)),
        drain: node.drain.as_ref().map(|drain| DrainStatus {
            calls: drain.calls,
            left: drain.left,
            seconds: drain.since.as_secs_f64(),
            deadline: drain.deadline.map(|deadline| deadline.as_secs_f64()),
            over: drain.is_over,
        }),
    });
    let mut statuses: Vec<DestinationStatus> = statuses.collect();
    statuses.sort_by(|a, b| a.name.cmp(&b.name));
    statuses
}

fn destinations(sets: &[SetConfig]) -> impl Iterator<Item = (&SetConfig, &DestinationConfig)> {
    sets.iter().flat_map(|set| set.destinations.iter().map(move |destination| (set, destination)))
}

/// The names of the destinations that a host stands for.
fn matching(sets: &[SetConfig], host: &str) -> Vec<String> {
    let address: Option<SocketAddr> = host.parse().ok();
    let ip: Option<IpAddr> = host.parse().ok();
    let is_meant =
        |it: &DestinationConfig| it.name() == host || Some(it.address) == address || Some(it.address.ip()) == ip;
    let mut names: Vec<String> = destinations(sets).filter(|(_, it)| is_meant(it)).map(|(_, it)| it.name()).collect();
    names.sort();
    names.dedup();
    names
}

async fn keep_journal(inner: Arc<Inner>, mut events: mpsc::Receiver<Event>) {
    while let Some(event) = events.recv().await {
        let line = line(&event);
        tracing::info!(destination = line.destination, "{}", line.what);
        let mut journal = inner.journal.lock().await;
        if journal.len() >= JOURNAL {
            journal.pop_front();
        }
        journal.push_back(line);
    }
}

fn line(event: &Event) -> Line {
    let percent = |moved: &Option<f64>| match moved {
        Some(moved) => format!("; {:.1} % of new calls go elsewhere than before", moved * 100.0),
        None => String::new(),
    };
    let (destination, what) = match event {
        Event::Loaded { version, added, removed, stayed, moved } => {
            (None, format!("list {version} serves: {added} new, {removed} gone, {stayed} as before{}", percent(moved)))
        }
        Event::Changed { name, from, to, is_alive, why, moved } => (
            Some(name.to_string()),
            format!("{from} → {to}{}: it {}{}", if *is_alive { "" } else { ", dead" }, why.as_str(), percent(moved)),
        ),
        Event::Emptied { name, left, took } => {
            (Some(name.to_string()), format!("drained after {:.1} s with {left} calls left", took.as_secs_f64()))
        }
        Event::CallMoved { call, from, to } => {
            let name = |name: &Option<Arc<str>>| name.as_deref().unwrap_or("nowhere").to_owned();
            (from.as_deref().map(str::to_owned), format!("call {call} goes on at {}: {} is dead", name(to), name(from)))
        }
        _ => (None, "something that this program does not know".to_owned()),
    };
    Line { at: wall(), destination, what }
}

/// Milliseconds since 1970.
fn wall() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
