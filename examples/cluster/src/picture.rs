//! What the page shows: the whole cluster at one moment. Times are milliseconds since 1970.

use dispatcher::l4 as balancer;
use serde::Serialize;

use crate::{phone, records::Record};

/// The whole cluster.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Picture {
    /// When it was taken.
    pub at: u64,
    /// When the program started.
    pub started: u64,
    /// Whether demonstration calls are made.
    pub calling: bool,
    /// The balancer in front.
    pub balancer: Front,
    /// The PBXs.
    pub nodes: Vec<Node>,
    /// The demonstration phones.
    pub phones: Vec<Phone>,
    /// Phones that others registered.
    pub guests: Vec<Guest>,
    /// What goes between the PBXs.
    pub trunk: Trunk,
    /// Call records of all PBXs, the newest first.
    pub records: Vec<NodeRecord>,
    /// What happened, the newest first.
    pub journal: Vec<Entry>,
}

/// The balancer.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Front {
    /// `Tandem` or `HAProxy`.
    pub program: &'static str,
    /// Where phones register.
    pub address: String,
    /// How it chooses.
    pub algorithm: String,
    /// Whether it runs.
    pub running: bool,
    /// What it is doing.
    #[serde(flatten)]
    pub snapshot: balancer::Snapshot,
}

/// A PBX.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Node {
    /// What orders call it.
    pub key: &'static str,
    /// What people call it.
    pub name: &'static str,
    /// Whether it runs.
    pub running: bool,
    /// What is wrong.
    pub problem: Option<String>,
    /// Its address for media.
    pub public: String,
    /// Its address for the balancer and the trunk.
    pub private: String,
    /// Its own page.
    pub page: Option<String>,
    /// Since when it runs.
    pub since: Option<u64>,
    /// Its calls now.
    pub calls: usize,
    /// Its calls so far.
    pub ended: u64,
    /// Whether the other side is registered with it and answers.
    pub peers: Vec<Peer>,
}

/// The other side of a trunk, as one PBX sees it.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Peer {
    /// Its name in `iax.conf`.
    pub name: String,
    /// Where it is, once it has registered.
    pub address: Option<String>,
    /// What `iax2 show peers` says of it.
    pub status: String,
    /// Whether calls can be sent to it.
    pub reachable: bool,
    /// Its delay in milliseconds.
    pub delay: Option<f64>,
}

/// A demonstration phone.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Phone {
    /// What it says of itself.
    #[serde(flatten)]
    pub state: phone::State,
    /// The PBX that it is registered with.
    pub node: Option<&'static str>,
}

/// A phone that somebody else registered.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Guest {
    /// Its account.
    pub account: String,
    /// What it calls itself.
    pub program: Option<String>,
    /// The PBX that it is registered with.
    pub node: &'static str,
    /// Whether it can be reached.
    pub reachable: bool,
}

/// What goes between the PBXs.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Trunk {
    /// Calls that cross it now.
    pub calls: Vec<Crossing>,
    /// Kilobits a second, both ways, IP and UDP headers included.
    pub rate: f64,
    /// The same of the last minute, the oldest first.
    pub history: Vec<f64>,
    /// Datagrams a second, both ways.
    pub datagrams: f64,
}

/// A call that crosses the trunk.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Crossing {
    /// Who calls.
    pub from: String,
    /// Who is called.
    pub to: String,
    /// The PBX of the caller.
    pub node: &'static str,
    /// How far it is.
    pub state: String,
    /// Since when.
    pub since: u64,
}

/// A record and where it was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NodeRecord {
    /// The PBX.
    pub node: &'static str,
    /// The record.
    #[serde(flatten)]
    pub record: Record,
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// When.
    pub at: u64,
    /// `good`, `bad` or `plain`.
    pub tone: &'static str,
    /// What.
    pub text: String,
}
