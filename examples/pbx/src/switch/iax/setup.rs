//! The endpoint of IAX2 as the configuration wants it: limits, peers, registrations.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    time::{Duration, Instant},
};

use iax2::{Endpoint, Formats, PeerAddress, PeerConfig, Preferences, Schedule, TrunkMode};
use sip_core::uri::HostPort;

use super::registrations::Registration;
use crate::config::{Acl, Address, Codec, Config, IaxPeer, IaxRegistration, Network};

/// When frames are sent again. A peer that is there answers the first within milliseconds; one that is not must not hold up
/// the dialplan: so the first repetition comes soon, and registrations find a registrar that comes back within seconds.
const SCHEDULE: Schedule = Schedule {
    assumed_round_trip: Duration::from_millis(150),
    shortest: Duration::from_millis(100),
    longest: Duration::from_secs(4),
    retransmissions: 7,
};

/// How the endpoint behaves.
fn behaviour(config: &Config) -> iax2::Config {
    let iax = &config.iax;
    let mut behaviour = iax2::Config::default();
    behaviour.schedule = SCHEDULE;
    behaviour.trunk_interval = iax.trunk_interval;
    behaviour.trunk_mtu = iax.trunk_mtu;
    // Two legs a call, and room for those that say their last.
    behaviour.max_legs = iax.max_calls.min(config.limits.calls.saturating_mul(4).saturating_add(1_024));
    behaviour.max_legs_per_address = iax.max_calls_per_address;
    behaviour.token_policy = iax.token;
    behaviour.token_exempt = iax.token_exempt.iter().map(network).collect();
    behaviour
}

/// The endpoint with all its peers, and its registrations, which have begun. `None` when IAX2 is off.
pub(super) fn endpoint(config: &Config, seed: [u8; 32], now: Instant) -> Option<(Endpoint, Vec<Registration>)> {
    let iax = &config.iax;
    if iax.listen.is_empty() {
        return None;
    }
    let mut endpoint = Endpoint::new(now, behaviour(config), seed);
    for peer in &iax.peers {
        if let Err(error) = endpoint.add_peer(now, peer_config(config, peer)) {
            tracing::error!(peer = %peer.name, %error, "an IAX2 peer cannot be used");
        }
    }
    let mut registrations = Vec::new();
    for (number, wanted) in iax.registrations.iter().enumerate() {
        let Some(address) = place(&wanted.host) else {
            tracing::error!(host = %wanted.host, "a name that is not known: not registered there");
            continue;
        };
        // A name that no peer can have: nobody calls as a registration.
        let name = format!("register {number}");
        let mut peer = PeerConfig::new(name.as_str()).at(address);
        peer.may_call = false;
        peer.credentials.username = Some(wanted.user.clone());
        peer.credentials.secret = wanted.secret.as_ref().map(|secret| secret.expose().into());
        let begun = endpoint.add_peer(now, peer).and_then(|()| endpoint.register(now, &name, wanted.refresh));
        match begun {
            Ok(id) => registrations.push(Registration::new(id, address, wanted)),
            Err(error) => tracing::error!(host = %wanted.host, %error, "cannot register there"),
        }
    }
    Some((endpoint, registrations))
}

fn peer_config(config: &Config, peer: &IaxPeer) -> PeerConfig {
    let iax = &config.iax;
    let mut made = PeerConfig::new(peer.name.as_str());
    made.may_call = peer.may_call;
    made.address = match &peer.address {
        Address::Dynamic => PeerAddress::Dynamic,
        Address::Fixed(host) => place(host).map_or(PeerAddress::None, PeerAddress::Fixed),
        Address::Nowhere => PeerAddress::None,
    };
    made.credentials.username.clone_from(&peer.username);
    if let Some(secret) = &peer.secret {
        made.secrets = vec![secret.expose().into()];
        made.credentials.secret = Some(secret.expose().into());
        made.methods = Some(peer.methods);
    }
    made.contexts.clone_from(&peer.contexts);
    if made.contexts.is_empty() {
        // None would be all of them.
        made.contexts.push(crate::config::DEFAULT_CONTEXT.to_owned());
    }
    made.allowed = allowed(&peer.acl);
    (made.formats, made.preferences) = formats(peer.codecs());
    made.negotiation = peer.negotiation;
    made.token = peer.token.unwrap_or(iax.token);
    made.encryption = peer.encryption;
    made.trunk = peer.trunk.then_some(TrunkMode { timestamps: iax.trunk_timestamps });
    made.qualify = peer.qualify;
    made.may_transfer = peer.may_transfer;
    made.max_calls = peer.max_calls.unwrap_or(usize::MAX);
    made.min_refresh = iax.min_expires;
    made.max_refresh = iax.max_expires;
    made
}

/// A peer for one call, as `IAX2/user:secret@host:port` asks for it; what it does not say is as the configured one says, if the
/// host is the name of one. `address`: where that one is.
pub(super) fn passing_peer(
    name: &str,
    wanted: &crate::dialplan::IaxPeerRef,
    configured: Option<PeerConfig>,
    address: SocketAddr,
) -> PeerConfig {
    let mut peer = configured.unwrap_or_else(|| PeerConfig::new(name));
    name.clone_into(&mut peer.name);
    peer.may_call = false;
    peer.qualify = None;
    peer.address = PeerAddress::Fixed(address);
    if let Some(user) = &wanted.user {
        peer.credentials.username = Some(user.clone());
    }
    if let Some(secret) = &wanted.secret {
        peer.credentials.secret = Some(secret.expose().into());
    }
    peer
}

/// The configured peer of a name, anew.
pub(super) fn configured(config: &Config, name: &str) -> Option<PeerConfig> {
    config.iax.peer(name).map(|peer| peer_config(config, peer))
}

/// The formats of names, and their order.
pub(super) fn formats(codecs: &[Codec]) -> (Formats, Preferences) {
    let known = || codecs.iter().filter_map(|codec| codec.iax());
    (known().collect(), Preferences::new(known()))
}

/// Where a host is that is written as an address; names have been looked up before.
pub(super) fn place(host: &HostPort) -> Option<SocketAddr> {
    Some(SocketAddr::new(host.host.ip()?, host.port.unwrap_or(iax2::DEFAULT_PORT)))
}

/// What a list permits. One that permits nobody permits an address that nobody has: an empty one would permit all.
fn allowed(acl: &Acl) -> Vec<iax2::Network> {
    if acl.is_empty() {
        return Vec::new();
    }
    let mut allowed: Vec<_> = acl.permitted().iter().map(network).collect();
    if allowed.is_empty() {
        allowed.push(iax2::Network::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 32));
    }
    allowed
}

fn network(network: &Network) -> iax2::Network {
    iax2::Network::new(network.address(), network.prefix())
}

/// What a registration is called in logs.
pub(super) fn title(wanted: &IaxRegistration) -> String {
    format!("{}@{}", wanted.user, wanted.host)
}
