//! Commands to all shards at once, what they know together, and the journal.

mod journal;
mod status;

use std::collections::{BTreeSet, VecDeque};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

pub use journal::Line;
use sip_proxy::dispatcher::Event;
use sip_proxy::stateless::Label;
pub use status::{BalancerStatus, DestinationStatus, DrainStatus, LatencyStatus, Status};
use tokio::sync::{Mutex, mpsc, oneshot, watch};

use crate::config::{
    BalancerConfig, Config, ConfigError, DestinationConfig, ServerConfig, Service, SetConfig, balancers, list,
};
use crate::l4::{self, Balancer};
use crate::meters::{self, BOUNDS, Counted, Meters};
use crate::persist::{self, Kept};
use crate::worker::{Command, ShardSnapshot};

/// What commands a running dispatcher. Clones command the same one.
#[derive(Debug, Clone)]
pub struct Control {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    shards: Vec<mpsc::Sender<Command>>,
    meters: Vec<Arc<Meters>>,
    l4: Vec<(Arc<str>, Balancer)>,
    kept: Mutex<Kept>,
    services: watch::Sender<BTreeSet<Service>>,
    journal: Mutex<VecDeque<Line>>,
    path: Option<PathBuf>,
    persist: Option<PathBuf>,
    present: Option<watch::Receiver<usize>>,
    started: u64,
}

/// What a control is made of.
#[derive(Debug)]
pub(crate) struct Parts {
    pub(crate) shards: Vec<mpsc::Sender<Command>>,
    pub(crate) meters: Vec<Arc<Meters>>,
    pub(crate) l4: Vec<(Arc<str>, Balancer)>,
    pub(crate) events: mpsc::Receiver<Event>,
    pub(crate) connections: mpsc::Receiver<l4::Event>,
    pub(crate) present: Option<watch::Receiver<usize>>,
}

/// Why a command is refused.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// There is no such destination.
    #[error("there is no destination {0:?}")]
    NoDestination(String),
    /// It would be back with the next answer of the domain name system.
    #[error("{0:?} comes from DNS: disable it instead")]
    FromDns(String),
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

impl Control {
    pub(crate) async fn start(config: &Config, path: Option<PathBuf>, parts: Parts) -> io::Result<Self> {
        let Parts { shards, meters, l4, events, connections, present } = parts;
        let persist = config.dispatcher.persist.clone();
        let wrong = |error: ConfigError| io::Error::new(io::ErrorKind::InvalidData, error.to_string());
        let mut kept = match persist.as_deref().map(persist::read).transpose()?.flatten() {
            Some(kept) => kept,
            None => Kept { sets: config.sets.clone(), ..Kept::default() },
        };
        // Where balancers listen is the configuration's alone; servers may have been changed since.
        let changed = std::mem::take(&mut kept.l4);
        kept.l4 = config.l4.clone();
        for balancer in &mut kept.l4 {
            if let Some(known) = changed.iter().find(|known| known.name == balancer.name) {
                balancer.servers = known.servers.clone();
            }
        }
        balancers(&kept.l4).map_err(wrong)?;
        let inner = Inner {
            shards,
            meters,
            l4,
            services: watch::Sender::new(kept.services()),
            kept: Mutex::new(kept.clone()),
            journal: Mutex::new(VecDeque::new()),
            path,
            persist,
            present,
            started: wall(),
        };
        let control = Self { inner: Arc::new(inner) };
        control.load_servers(&kept.l4);
        tokio::spawn(journal::keep(control.inner.clone(), events, connections));
        let list = list(&kept.filled()).map_err(wrong)?;
        control.tell(|| Command::Load(list.clone())).await;
        for (name, state) in &kept.states {
            let name: Arc<str> = name.as_str().into();
            match state.as_str() {
                "draining" => {
                    control.tell(|| Command::Drain(name.clone(), None)).await;
                    control.each_balancer(|balancer| balancer.drain(&name, None));
                }
                _ => {
                    control.tell(|| Command::Disable(name.clone())).await;
                    control.each_balancer(|balancer| balancer.disable(&name));
                }
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

    fn each_balancer(&self, command: impl Fn(&Balancer) -> bool) {
        for (_, balancer) in &self.inner.l4 {
            // One that does not have it has nothing to do.
            let _ = command(balancer);
        }
    }

    fn load_servers(&self, configs: &[BalancerConfig]) {
        for (name, balancer) in &self.inner.l4 {
            if let Some(config) = configs.iter().find(|config| *config.name == **name) {
                balancer.replace(config.algorithm, &config.targets());
            }
        }
    }

    /// Closes all connections of balancers.
    pub(crate) fn stop_balancers(&self) {
        self.inner.l4.iter().for_each(|(_, balancer)| balancer.stop());
    }

    /// Takes new calls to it again.
    ///
    /// # Errors
    /// When there is no such destination, as with the other commands.
    pub async fn enable(&self, name: &str) -> Result<Vec<String>, CommandError> {
        self.set_states(name, None, |name| Command::Enable(name.clone()), Balancer::enable).await
    }

    /// Gives it no new calls.
    ///
    /// # Errors
    /// As [`Control::enable`].
    pub async fn disable(&self, name: &str) -> Result<Vec<String>, CommandError> {
        self.set_states(name, Some("disabled"), |name| Command::Disable(name.clone()), Balancer::disable).await
    }

    /// Gives it no new calls or connections, until those that it has are over or the deadline comes. Connections of a balancer are closed
    /// then; calls stay.
    ///
    /// # Errors
    /// As [`Control::enable`].
    pub async fn drain(&self, name: &str, within: Option<Duration>) -> Result<Vec<String>, CommandError> {
        let drain = |balancer: &Balancer, name: &str| balancer.drain(name, within);
        self.set_states(name, Some("draining"), |name| Command::Drain(name.clone(), within), drain).await
    }

    /// `host` is a name, an address with its port, or an address for all its ports.
    async fn set_states(
        &self,
        host: &str,
        state: Option<&str>,
        command: impl Fn(&Arc<str>) -> Command,
        order: impl Fn(&Balancer, &str) -> bool,
    ) -> Result<Vec<String>, CommandError> {
        let mut kept = self.inner.kept.lock().await;
        let names = matching(&kept, host);
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
            self.each_balancer(|balancer| order(balancer, &name));
        }
        Ok(names)
    }

    /// Adds a destination to a set, or a server to a balancer, or changes the one of this name.
    ///
    /// # Errors
    /// When there is no such set, or the list would be wrong: nothing is changed then.
    pub async fn add(&self, set: &str, destination: DestinationConfig) -> Result<(), CommandError> {
        self.change(|Kept { sets, l4, .. }| {
            if let Some(balancer) = l4.iter_mut().find(|it| it.name == set) {
                let server = ServerConfig { name: destination.name.clone(), address: destination.address };
                if destination != DestinationConfig::bare(destination.name.clone(), destination.address) {
                    return Err(ConfigError::Sense("a server of a balancer has a name and an address").into());
                }
                match balancer.servers.iter_mut().find(|it| it.name() == server.name()) {
                    Some(old) => *old = server,
                    None => balancer.servers.push(server),
                }
                return Ok(());
            }
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

    /// Removes a destination from all sets and balancers. Its calls and connections stay with it.
    ///
    /// # Errors
    /// When there is no such destination.
    pub async fn remove(&self, name: &str) -> Result<(), CommandError> {
        self.change(|Kept { sets, l4, found, .. }| {
            let is_from_dns = found.values().flatten().any(|it| it.name() == name);
            let mut found = false;
            for set in sets {
                let before = set.destinations.len();
                set.destinations.retain(|destination| destination.name() != name);
                found |= set.destinations.len() < before;
            }
            for balancer in l4 {
                let before = balancer.servers.len();
                balancer.servers.retain(|server| server.name() != name);
                found |= balancer.servers.len() < before;
            }
            match found {
                true => Ok(()),
                false if is_from_dns => Err(CommandError::FromDns(name.to_owned())),
                false => Err(CommandError::NoDestination(name.to_owned())),
            }
        })
        .await
    }

    /// Reads the configuration file again and takes its sets and the servers of its balancers, whole or not at all.
    ///
    /// # Errors
    /// When it cannot be read or is wrong, or has other balancers than those that run: everything stays as it is.
    pub async fn reload(&self) -> Result<(), CommandError> {
        let path = self.inner.path.clone().ok_or(CommandError::NoFile)?;
        let read = tokio::task::spawn_blocking(move || Config::read(&path)).await;
        let config = read.map_err(|_| CommandError::Ending)??;
        self.change(|kept| {
            let place = |it: &BalancerConfig| (it.name.clone(), it.listen);
            if !kept.l4.iter().map(place).eq(config.l4.iter().map(place)) {
                return Err(ConfigError::Sense("[[l4]]: what is listened on changes only with a new start").into());
            }
            (kept.sets, kept.l4) = (config.sets, config.l4);
            Ok(())
        })
        .await
    }

    async fn change(&self, change: impl FnOnce(&mut Kept) -> Result<(), CommandError>) -> Result<(), CommandError> {
        let mut kept = self.inner.kept.lock().await;
        let mut changed = kept.clone();
        change(&mut changed)?;
        let services: BTreeSet<String> = changed.services().iter().map(Service::key).collect();
        changed.found.retain(|key, _| services.contains(key));
        let list = list(&changed.filled())?;
        balancers(&changed.l4)?;
        let names: BTreeSet<String> = places(&changed).into_iter().map(|place| place.name).collect();
        changed.states.retain(|name, _| names.contains(name));
        self.keep(&changed)?;
        *kept = changed;
        drop(self.inner.services.send_replace(kept.services()));
        self.load_servers(&kept.l4);
        self.tell(|| Command::Load(list.clone())).await;
        Ok(())
    }

    fn keep(&self, kept: &Kept) -> io::Result<()> {
        self.inner.persist.as_deref().map_or(Ok(()), |path: &Path| persist::write(path, kept))
    }

    /// Tells which services are asked for.
    pub(crate) fn services(&self) -> watch::Receiver<BTreeSet<Service>> {
        self.inner.services.subscribe()
    }

    /// What a service had when it was asked last.
    pub(crate) async fn known(&self, service: &Service) -> Vec<DestinationConfig> {
        self.inner.kept.lock().await.found.get(&service.key()).cloned().unwrap_or_default()
    }

    /// Takes what a service has now.
    pub(crate) async fn found(
        &self,
        service: &Service,
        destinations: Vec<DestinationConfig>,
    ) -> Result<(), CommandError> {
        self.change(|kept| {
            kept.found.insert(service.key(), destinations);
            Ok(())
        })
        .await
    }

    /// Writes into the journal.
    pub(crate) async fn note(&self, what: String) {
        journal::note(&self.inner, Line { at: wall(), destination: None, what }).await;
    }

    /// The sets as they are configured.
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
}

/// A destination or server, by all that it is called.
struct Place {
    name: String,
    address: SocketAddr,
    /// The name of its host, when it is known by one.
    host: Option<String>,
}

/// All destinations and servers.
fn places(kept: &Kept) -> Vec<Place> {
    let filled = kept.filled();
    let destinations = filled.iter().flat_map(|set| &set.destinations).map(|it| Place {
        name: it.name(),
        address: it.address,
        host: it.attributes.get("host").cloned(),
    });
    let servers = kept.l4.iter().flat_map(|balancer| &balancer.servers);
    destinations.chain(servers.map(|it| Place { name: it.name(), address: it.address, host: None })).collect()
}

/// The names of those that a host stands for.
fn matching(kept: &Kept, host: &str) -> Vec<String> {
    let address: Option<SocketAddr> = host.parse().ok();
    let ip: Option<IpAddr> = host.parse().ok();
    let is_meant = |it: &Place| {
        let is_host = it.host.as_deref().is_some_and(|name| name.eq_ignore_ascii_case(host));
        it.name == host || is_host || Some(it.address) == address || Some(it.address.ip()) == ip
    };
    let mut names: Vec<String> = places(kept).into_iter().filter(is_meant).map(|place| place.name).collect();
    names.sort();
    names.dedup();
    names
}

/// Milliseconds since 1970.
fn wall() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
