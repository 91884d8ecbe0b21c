//! The procedure of RFC 3263 §4 as a function of what is known: what must be asked next, or where the servers are.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use rand_core::RngCore;

use super::Config;
use super::cache::Known;
use super::locator::{Locator, Place};
use super::order::by_weight;
use super::record::{Kind, Naptr, Question, Record, Srv};
use crate::transport::{Target, Transport};

/// What to do next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// These must be known first.
    Ask(Vec<Question>),
    /// The servers, the first to be tried first. Empty when there are none.
    Located(Vec<Target>),
}

/// Goes through the procedure with what is known. `random` must begin from the same seed each time it is called for the
/// same lookup.
pub(super) fn plan(
    locator: &Locator,
    config: &Config,
    known: &mut dyn FnMut(&Question) -> Option<Known>,
    random: &mut impl RngCore,
) -> Step {
    let name = match &locator.place {
        Place::Address(address) => {
            let transport = locator.default_transport();
            let port = locator.port.unwrap_or(transport.default_port());
            return Step::Located(vec![Target::new(transport, SocketAddr::new(*address, port))]);
        }
        Place::Name(name) => name,
    };
    let mut ask = Ask { config, known, missing: Vec::new() };
    let servers = match (locator.transport, locator.port) {
        // §4.2: a port, so addresses.
        (_, Some(port)) => {
            let server = Server { transport: locator.default_transport(), port, name: name.clone() };
            Some(vec![server])
        }
        (Some(transport), None) => ask.servers(&service(transport, name), transport, random),
        (None, None) => ask.by_records(locator, name, random),
    };
    if !ask.missing.is_empty() {
        return Step::Ask(ask.missing);
    }
    let servers = servers.unwrap_or_else(|| {
        let transport = locator.default_transport();
        vec![Server { transport, port: transport.default_port(), name: name.clone() }]
    });
    let mut targets = Vec::new();
    for server in servers.into_iter().take(config.servers) {
        for address in ask.addresses(&server.name) {
            let target = Target::new(server.transport, SocketAddr::new(address, server.port));
            if !targets.contains(&target) {
                targets.push(target);
            }
        }
    }
    if !ask.missing.is_empty() {
        return Step::Ask(ask.missing);
    }
    targets.truncate(config.targets);
    Step::Located(targets)
}

/// A server whose addresses are to be found.
struct Server {
    transport: Transport,
    port: u16,
    name: Arc<str>,
}

/// Looks into what is known, and notes what is not.
struct Ask<'a> {
    config: &'a Config,
    known: &'a mut dyn FnMut(&Question) -> Option<Known>,
    missing: Vec<Question>,
}

impl Ask<'_> {
    /// The records that answer a question; none when it must be asked first.
    fn records(&mut self, name: &str, kind: Kind) -> Option<Arc<[Record]>> {
        let question = Question::new(name, kind);
        match (self.known)(&question) {
            Some(Known::Records(records)) => Some(records),
            // A server that cannot be asked is like one that knows nothing: what comes next may be known.
            Some(Known::Nothing | Known::Failed) => None,
            None => {
                self.missing.push(question);
                None
            }
        }
    }

    /// §4.1 without a transport or a port: NAPTR, or else SRV for each transport. `None` when there are none.
    fn by_records(&mut self, locator: &Locator, name: &str, random: &mut impl RngCore) -> Option<Vec<Server>> {
        let records = self.records(name, Kind::Naptr);
        if !self.missing.is_empty() {
            return None;
        }
        let mut offers: Vec<(&Naptr, Transport)> = records
            .iter()
            .flat_map(|records| records.iter())
            .filter_map(|record| match record {
                Record::Naptr(naptr) => self.transport_of(naptr, locator.is_secure).map(|transport| (naptr, transport)),
                _ => None,
            })
            .collect();
        offers.sort_by_key(|(naptr, _)| (naptr.order, naptr.preference));
        for (naptr, transport) in &offers {
            let servers = self.servers(&naptr.replacement, *transport, random);
            // The most preferred one that leads somewhere: never on to a less secure one because a server is down.
            if servers.is_some() || !self.missing.is_empty() {
                return servers;
            }
        }
        let transports: &[Transport] =
            if locator.is_secure { &[Transport::Tls] } else { &[Transport::Udp, Transport::Tcp, Transport::Tls] };
        let mut found = None;
        for transport in transports {
            if !self.has(*transport) {
                continue;
            }
            let servers = self.servers(&service(*transport, name), *transport, random);
            found = found.or(servers);
        }
        found
    }

    /// The servers that an SRV query names, in their order. `None` when there are no records.
    fn servers(&mut self, name: &str, transport: Transport, random: &mut impl RngCore) -> Option<Vec<Server>> {
        let records = self.records(name, Kind::Srv)?;
        let records: Vec<Srv> = records
            .iter()
            .filter_map(|record| match record {
                Record::Srv(srv) => Some(srv.clone()),
                _ => None,
            })
            .collect();
        if records.is_empty() {
            return None;
        }
        // A lone root says that the service is decidedly not offered.
        let is_server = |srv: &Srv| !matches!(&*srv.target, "" | ".") && srv.port != 0;
        let servers = by_weight(records, random).into_iter().filter(is_server);
        Some(servers.map(|srv| Server { transport, port: srv.port, name: srv.target }).collect())
    }

    fn addresses(&mut self, name: &str) -> Vec<IpAddr> {
        // The target of an SRV record ought to be a name, but is an address in many a file.
        if let Ok(address) = name.parse() {
            return vec![address];
        }
        let families: &[(Kind, bool)] = match self.config.ipv6_first {
            true => &[(Kind::Aaaa, self.config.ipv6), (Kind::A, self.config.ipv4)],
            false => &[(Kind::A, self.config.ipv4), (Kind::Aaaa, self.config.ipv6)],
        };
        let mut addresses = Vec::new();
        for (kind, _) in families.iter().filter(|(_, is_wanted)| *is_wanted) {
            let records = self.records(name, *kind);
            addresses.extend(records.iter().flat_map(|records| records.iter()).filter_map(|record| match record {
                Record::Address(address) if address.is_ipv6() == (*kind == Kind::Aaaa) => Some(*address),
                _ => None,
            }));
        }
        addresses
    }

    /// The transport that a NAPTR record offers, if it is one of ours (§4.1, RFC 7118 §8).
    fn transport_of(&self, naptr: &Naptr, is_secure: bool) -> Option<Transport> {
        if !naptr.flags.eq_ignore_ascii_case("s") || !naptr.regexp.is_empty() {
            return None;
        }
        let services = [
            ("SIPS+D2T", Transport::Tls),
            ("SIP+D2T", Transport::Tcp),
            ("SIP+D2U", Transport::Udp),
            ("SIPS+D2W", Transport::Wss),
            ("SIP+D2W", Transport::Ws),
        ];
        let (_, transport) = services.into_iter().find(|(name, _)| naptr.services.eq_ignore_ascii_case(name))?;
        (self.has(transport) && (transport.is_secure() || !is_secure)).then_some(transport)
    }

    fn has(&self, transport: Transport) -> bool {
        match transport {
            Transport::Udp => self.config.udp,
            Transport::Tcp => self.config.tcp,
            Transport::Tls => self.config.tls,
            Transport::Ws => self.config.websocket,
            Transport::Wss => self.config.websocket && self.config.tls,
        }
    }
}

/// The name of the SRV records of a domain for a transport (§4.2, RFC 7118 §8).
fn service(transport: Transport, name: &str) -> String {
    let service = match transport {
        Transport::Udp => "_sip._udp",
        Transport::Tcp => "_sip._tcp",
        Transport::Tls => "_sips._tcp",
        Transport::Ws => "_sip._ws",
        Transport::Wss => "_sips._ws",
    };
    format!("{service}.{name}")
}
