//! Peers that are at one address: whose is a call that comes from there?

use std::{collections::HashMap, net::IpAddr};

use sip_core::uri::HostPort;

use super::{check::Places, file::Place, settings::Report};
use crate::config::{Account, Address, Config, Network};

const SIP: u16 = 5060;

/// Asterisk takes such files, so that they are warned of and not refused: two lines at one provider are common.
pub(super) fn check(config: &Config, places: &Places, report: &mut Report) {
    let mut seen: HashMap<(String, u16), usize> = HashMap::new();
    for (number, (account, (_, place))) in config.accounts.iter().zip(&places.accounts).enumerate() {
        let Address::Fixed(host) = &account.address else { continue };
        let first = *seen.entry(at(host, SIP)).or_insert(number);
        let (Some(other), Some((_, there))) = (config.accounts.get(first), places.accounts.get(first)) else {
            continue;
        };
        let how = match (other.trust_address, account.trust_address) {
            // They are told of below.
            (true, true) => continue,
            (false, false) => "a call from there is theirs whose password it brings".to_owned(),
            (true, false) => format!("all calls from there are taken as [{}]'s, without a password", other.name),
            (false, true) => format!("all calls from there are taken as [{}]'s, without a password", account.name),
        };
        if first != number {
            tell(report, place, &account.name, (&other.name, there), &how);
        }
    }
    let mut seen: HashMap<(String, u16), usize> = HashMap::new();
    for (number, (peer, (_, place))) in config.iax.peers.iter().zip(&places.peers).enumerate() {
        let Address::Fixed(host) = &peer.address else { continue };
        let first = *seen.entry(at(host, iax2::DEFAULT_PORT)).or_insert(number);
        let (Some(other), Some((_, there))) = (config.iax.peers.get(first), places.peers.get(first)) else { continue };
        if first != number {
            tell(
                report,
                place,
                &peer.name,
                (&other.name, there),
                "a call from there is theirs whose user name it brings",
            );
        }
    }
    known_by_address(config, places, report);
}

fn tell(report: &mut Report, place: &Place, name: &str, (other, there): (&str, &Place), how: &str) {
    report.warning(place, format!("[{name}]: is at the same address as [{other}] ({there}): {how}"));
}

fn at(host: &HostPort, port: u16) -> (String, u16) {
    (host.host.to_string().to_ascii_lowercase(), host.port.unwrap_or(port))
}

/// Accounts whose calls need no password: of two at one address the first has them all, unless ports tell them apart.
fn known_by_address(config: &Config, places: &Places, report: &mut Report) {
    let mut hosts: HashMap<IpAddr, Vec<(usize, Option<u16>)>> = HashMap::new();
    let mut names: HashMap<(String, u16), usize> = HashMap::new();
    let mut wide: Vec<(Network, usize)> = Vec::new();
    for (number, (account, (_, place))) in config.accounts.iter().zip(&places.accounts).enumerate() {
        let mut before = Vec::new();
        let (networks, name) = known_by(config, account);
        if let Some(name) = name {
            let first = *names.entry(name).or_insert(number);
            before.extend(Some(first).filter(|first| *first != number));
        }
        for (network, port) in networks {
            let overlaps = wide.iter().filter(|(other, _)| other.overlaps(&network)).map(|(_, other)| *other);
            before.extend(overlaps);
            match network.only() {
                Some(ip) => {
                    let there = hosts.entry(ip).or_default();
                    let apart = |other: Option<u16>| port.is_some() && other.is_some() && port != other;
                    before.extend(there.iter().filter(|(_, other)| !apart(*other)).map(|(other, _)| *other));
                    there.push((number, port));
                }
                None => {
                    let inside = hosts.iter().filter(|(ip, _)| network.contains(**ip));
                    before.extend(inside.flat_map(|(_, there)| there.iter().map(|(other, _)| *other)));
                    wide.push((network, number));
                }
            }
        }
        let first = before.into_iter().filter(|other| *other != number).min();
        let other = first.and_then(|first| Some((config.accounts.get(first)?, &places.accounts.get(first)?.1)));
        if let Some((other, there)) = other {
            tell(
                report,
                place,
                &account.name,
                (&other.name, there),
                "calls from there that bring no password are the other's",
            );
        }
    }
}

/// Where an account's calls are known by their address: networks, each with its port, and a name that is not looked up yet.
#[expect(clippy::type_complexity, reason = "told right here")]
fn known_by(config: &Config, account: &Account) -> (Vec<(Network, Option<u16>)>, Option<(String, u16)>) {
    let mut networks: Vec<_> = account.trusted.iter().map(|network| (*network, None)).collect();
    let mut name = None;
    if let (Address::Fixed(host), true) = (&account.address, account.trust_address) {
        match config.socket(host, SIP) {
            Some(there) => networks.push((Network::host(there.ip().to_canonical()), Some(there.port()))),
            None => name = Some(at(host, SIP)),
        }
    }
    (networks, name)
}
