//! How the PBXs are set up from their files, and what their own pictures mean for the cluster's.

use std::{net::SocketAddr, path::Path, sync::Arc};

use pbx::{
    asterisk,
    config::Config,
    status::{self, Status},
};

use crate::{
    files::{Files, NODES},
    node::Node,
    phone,
    picture::{Crossing, Guest, Peer, Phone},
    place::{IAX2, Place, SIP},
};

/// What people call the PBXs: the names in the thesis.
pub const NAMES: [&str; 2] = ["Asterisk PBX", "Extended zone"];

/// The port of each PBX's own page.
const PAGE: u16 = 8080;

/// Why a PBX cannot be set up.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct SetupError(String);

/// The PBXs, each with its files and its addresses.
///
/// # Errors
/// Every mistake in the files.
pub fn nodes(files: &Files, place: Place, work: &Path) -> Result<Vec<Node>, SetupError> {
    let mut nodes = Vec::new();
    for ((index, (key, name)), folder) in (0..).zip(NODES.into_iter().zip(NAMES)).zip(&files.nodes) {
        let records = work.join(key).join("Master.csv");
        let mut config = read(folder, place)?;
        let (public, private) = (place.public(index), place.private(index));
        let at = |ip, port| SocketAddr::new(ip, port);
        config.name = Some(name.to_owned());
        config.sip.udp = vec![at(public, SIP)];
        config.sip.tcp = vec![at(public, SIP), at(private, SIP)];
        // Phones come back to where they came from: the balancer, down the connection that they have.
        config.sip.advertised = Some(place.balancer().ip().to_string());
        config.rtp.address = Some(public);
        config.rtp.advertised = Some(public);
        config.iax.listen = vec![at(private, IAX2)];
        config.http.listen = Some(at(public, PAGE));
        config.cdr.path = Some(records.clone());
        // All phones come from the balancer's address.
        config.sip.balancers = vec![place.balancer().ip(), std::net::Ipv4Addr::LOCALHOST.into()];
        nodes.push(Node::new(key, name, config, &records));
    }
    Ok(nodes)
}

fn read(folder: &Path, place: Place) -> Result<Config, SetupError> {
    let loaded = asterisk::load(folder);
    let told = loaded.report.to_string();
    let mut config = loaded.config.ok_or_else(|| SetupError(told.clone()))?;
    if !told.is_empty() {
        tracing::debug!(folder = %folder.display(), "{told}");
    }
    config.map_addresses(&place.map());
    Ok(config)
}

/// What a demonstration phone calls itself.
pub(crate) const PHONE: &str = "Tandem demonstration phone";

type Statuses = [(&'static str, Option<Arc<Status>>)];

/// Every registered phone: where, as whom, and how.
fn bindings(statuses: &Statuses) -> impl Iterator<Item = (&'static str, &str, &status::Binding)> {
    statuses.iter().flat_map(|(key, status)| {
        let accounts = status.iter().flat_map(|status| &status.accounts);
        accounts.flat_map(|account| account.bindings.iter().map(|binding| (*key, account.name.as_str(), binding)))
    })
}

fn is_demonstration(binding: &status::Binding) -> bool {
    binding.user_agent.as_deref() == Some(PHONE)
}

/// A demonstration phone, and the PBX that it is registered with.
#[must_use]
pub fn phone(state: phone::State, statuses: &Statuses) -> Phone {
    let at = bindings(statuses)
        .filter(|(_, account, binding)| *account == state.account && is_demonstration(binding) && binding.reachable)
        .max_by_key(|(_, _, binding)| binding.since);
    let node = at.filter(|_| state.registered).map(|(key, _, _)| key);
    Phone { state, node }
}

/// Phones that others registered.
#[must_use]
pub fn guests(statuses: &Statuses) -> Vec<Guest> {
    bindings(statuses)
        .filter(|(_, _, binding)| !is_demonstration(binding))
        .map(|(node, account, binding)| Guest {
            account: account.to_owned(),
            program: binding.user_agent.clone(),
            node,
            reachable: binding.reachable,
        })
        .collect()
}

/// Calls that cross the trunk, as the PBX of the caller sees them.
#[must_use]
pub fn crossings(statuses: &Statuses) -> Vec<Crossing> {
    let mut crossings = Vec::new();
    for (key, status) in statuses {
        for call in status.iter().flat_map(|status| &status.calls) {
            let over = |side: &status::Side| side.channel.starts_with("IAX2/");
            if call.callee.as_ref().is_some_and(over) && !over(&call.caller) {
                crossings.push(Crossing {
                    from: call.caller.number.clone(),
                    to: call.dialled.clone(),
                    node: key,
                    state: call.state.as_str().to_owned(),
                    since: call.answered.unwrap_or(call.started),
                });
            }
        }
    }
    crossings
}

/// The other sides of its trunks.
#[must_use]
pub fn peers(status: &Status) -> Vec<Peer> {
    let peers = status.iax.iter().flat_map(|iax| &iax.peers);
    peers
        .map(|peer| Peer {
            name: peer.name.clone(),
            address: peer.address.clone(),
            status: peer.state.to_owned(),
            reachable: peer.address.is_some() && matches!(peer.state, "OK" | "LAGGED" | "Unmonitored"),
            delay: peer.delay,
        })
        .collect()
}

/// Bytes and datagrams that it sent over IAX2, IP and UDP headers included.
#[must_use]
pub fn trunk_traffic(status: &Status) -> (u64, u64) {
    status.iax.as_ref().map_or((0, 0), |iax| (iax.sent.bytes, iax.sent.datagrams))
}
