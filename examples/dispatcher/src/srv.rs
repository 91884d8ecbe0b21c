//! Destinations from DNS SRV records (RFC 2782), asked for again and again.
//!
//! What a service has replaces what it had in one piece. When nobody answers, or there is nothing, what was known last stays.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use sip_transaction::driver::ask;
use sip_transaction::driver::hickory_resolver::TokioResolver;
use sip_transaction::driver::hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig};
use sip_transaction::driver::hickory_resolver::net::runtime::TokioRuntimeProvider;
use sip_transaction::resolve::{Answer, Kind, Question, Record, Srv};
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::config::{DestinationConfig, Service};
use crate::control::Control;

/// Records hold at least this long, whatever they say.
const SHORTEST: Duration = Duration::from_secs(1);

/// After a failure it is asked again so soon, or after the interval if that is shorter.
const AFTER_FAILURE: Duration = Duration::from_secs(5);

/// The most servers of a service.
const SERVERS: usize = 256;

/// Whom to ask, and for what.
#[derive(Debug, Clone)]
pub(crate) struct Dns {
    resolver: Option<TokioResolver>,
    ipv4: bool,
    ipv6: bool,
}

impl Dns {
    /// Asks these servers, or those of the system. `families` tells of each listener for UDP whether it is one of IPv6.
    pub(crate) fn new(servers: &[SocketAddr], families: Vec<bool>) -> io::Result<Self> {
        let builder = if servers.is_empty() {
            TokioResolver::builder_tokio()
        } else {
            let server = |address: &SocketAddr| {
                let with_port = |mut connection: ConnectionConfig| {
                    connection.port = address.port();
                    connection
                };
                let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(with_port);
                NameServerConfig::new(address.ip(), true, connections.into())
            };
            let config = ResolverConfig::from_name_servers(servers.iter().map(server).collect());
            Ok(TokioResolver::builder_with_config(config, TokioRuntimeProvider::default()))
        };
        // Its cache would outlive what records say.
        let built = builder.and_then(|mut builder| {
            builder.options_mut().cache_size = 0;
            builder.build()
        });
        let resolver = match built {
            Ok(resolver) => Some(resolver),
            // A system without name servers is no reason not to start: only services find nothing.
            Err(error) if servers.is_empty() => {
                tracing::debug!(%error, "there are no name servers");
                None
            }
            Err(error) => return Err(io::Error::other(error)),
        };
        let any = families.is_empty();
        Ok(Self { resolver, ipv4: any || families.contains(&false), ipv6: any || families.contains(&true) })
    }

    async fn ask(&self, name: &str, kind: Kind) -> Answer {
        match &self.resolver {
            Some(resolver) => ask(resolver, &Question::new(name, kind)).await,
            None => Answer::Failed,
        }
    }

    /// The servers of a service and how long they hold; `None` when nothing is known of them.
    async fn servers(&self, service: &Service) -> Option<(Vec<Srv>, Duration)> {
        let Answer::Found { records, ttl } = self.ask(&service.name, Kind::Srv).await else { return None };
        let mut servers: Vec<Srv> = records
            .into_iter()
            .filter_map(|record| match record {
                Record::Srv(srv) if !srv.target.is_empty() && &*srv.target != "." => Some(srv),
                _ => None,
            })
            .collect();
        // Answers turn their records about; the list is to be the same everywhere.
        servers.sort_by(|a, b| (a.priority, &a.target, a.port).cmp(&(b.priority, &b.target, b.port)));
        servers.dedup_by(|a, b| (a.port, &a.target) == (b.port, &b.target));
        servers.truncate(SERVERS);
        (!servers.is_empty()).then_some((servers, ttl))
    }

    /// The addresses of a host and how long they hold; empty when nobody tells.
    async fn addresses(&self, host: &str, transport: &str) -> (BTreeSet<IpAddr>, Option<Duration>) {
        let mut found = BTreeSet::new();
        let mut holds: Option<Duration> = None;
        // Only by UDP do we send from what we listen on.
        let is_any = transport != "udp";
        for (kind, is_wanted) in [(Kind::A, self.ipv4 || is_any), (Kind::Aaaa, self.ipv6 || is_any)] {
            if !is_wanted {
                continue;
            }
            if let Answer::Found { records, ttl } = self.ask(host, kind).await {
                found.extend(records.into_iter().filter_map(|record| match record {
                    Record::Address(address) => Some(address),
                    _ => None,
                }));
                holds = Some(holds.map_or(ttl, |known| known.min(ttl)));
            }
        }
        (found, holds)
    }

    /// What a service has, and how long that holds. Of a host that nobody tells the address of, what was known last.
    async fn destinations(
        &self,
        service: &Service,
        known: &[DestinationConfig],
    ) -> Option<(Vec<DestinationConfig>, Duration)> {
        let (servers, mut holds) = self.servers(service).await?;
        let mut hosts: BTreeMap<String, BTreeSet<IpAddr>> = BTreeMap::new();
        for server in &servers {
            let host = server.target.trim_end_matches('.').to_ascii_lowercase();
            if hosts.contains_key(&host) {
                continue;
            }
            let (mut addresses, ttl) = self.addresses(&host, &service.transport).await;
            holds = holds.min(ttl.unwrap_or(AFTER_FAILURE));
            if addresses.is_empty() {
                let of_host = known.iter().filter(|it| it.attributes.get("host") == Some(&host));
                addresses = of_host.map(|it| it.address.ip()).collect();
            }
            hosts.insert(host, addresses);
        }
        let found = list(service, &servers, &hosts);
        (!found.is_empty()).then_some((found, holds))
    }
}

/// Servers with addresses as destinations. A host of one address is called by its name, so that its calls stay when the address changes.
fn list(service: &Service, servers: &[Srv], hosts: &BTreeMap<String, BTreeSet<IpAddr>>) -> Vec<DestinationConfig> {
    let mut found = Vec::new();
    for server in servers {
        let host = server.target.trim_end_matches('.').to_ascii_lowercase();
        let Some(addresses) = hosts.get(&host) else { continue };
        // "When there is no server selection to do, weights should be 0" (RFC 2782).
        let of_rank = servers.iter().filter(|other| other.priority == server.priority);
        let weight =
            if of_rank.map(|other| other.weight).all(|weight| weight == 0) { 100 } else { server.weight.max(1) };
        for address in addresses {
            let transport = &service.transport;
            let name = match addresses.len() {
                1 => format!("{transport}:{host}:{}", server.port),
                _ => format!("{transport}:{host}:{}-{address}", server.port),
            };
            found.push(DestinationConfig {
                transport: transport.clone(),
                weight: weight.into(),
                priority: server.priority,
                // The name that was asked for, not the one that was answered (RFC 5922 §7.2).
                certificate: (transport == "tls").then(|| domain(&service.name).to_owned()),
                attributes: BTreeMap::from([
                    ("host".to_owned(), host.clone()),
                    ("srv".to_owned(), service.name.clone()),
                ]),
                ..DestinationConfig::new(&name, SocketAddr::new(*address, server.port))
            });
        }
    }
    found
}

/// `example.com` of `_sips._tcp.example.com`.
fn domain(service: &str) -> &str {
    service.splitn(3, '.').nth(2).unwrap_or(service)
}

/// Asks for all services that there are, as long as the program runs.
pub(crate) async fn run(control: Control, dns: Dns) {
    let mut services = control.services();
    let mut running: HashMap<Service, tokio::task::AbortHandle> = HashMap::new();
    let mut tasks = JoinSet::new();
    loop {
        let wanted = services.borrow_and_update().clone();
        running.retain(|service, task| {
            let stays = wanted.contains(service);
            if !stays {
                task.abort();
            }
            stays
        });
        for service in wanted {
            let entry = running.entry(service);
            let service = entry.key().clone();
            entry.or_insert_with(|| tasks.spawn(follow(control.clone(), dns.clone(), service)));
        }
        tokio::select! {
            changed = services.changed() => {
                if changed.is_err() {
                    return;
                }
            }
            Some(_) = tasks.join_next() => {}
        }
    }
}

/// Asks for one service again and again.
async fn follow(control: Control, dns: Dns, service: Service) {
    let mut was_found = true;
    loop {
        let known = control.known(&service).await;
        let wait = match dns.destinations(&service, &known).await {
            Some((found, holds)) => {
                let count = found.len();
                if !was_found || found != known {
                    match control.found(&service, found).await {
                        Ok(()) => control.note(format!("{}: {count} destinations by DNS", service.name)).await,
                        Err(error) => {
                            control.note(format!("{}: what DNS says is not taken: {error}", service.name)).await
                        }
                    }
                }
                was_found = true;
                holds.clamp(SHORTEST, service.interval.max(SHORTEST))
            }
            None => {
                if was_found {
                    let count = known.len();
                    control
                        .note(format!("{}: DNS has no answer, the {count} destinations known stay", service.name))
                        .await;
                }
                was_found = false;
                AFTER_FAILURE.min(service.interval)
            }
        };
        sleep(wait).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn srv(target: &str, priority: u16, weight: u16) -> Srv {
        Srv { priority, weight, port: 5060, target: target.into() }
    }

    fn hosts(all: &[(&str, &[u8])]) -> BTreeMap<String, BTreeSet<IpAddr>> {
        let addresses = |last: &[u8]| last.iter().map(|last| IpAddr::from([192, 0, 2, *last])).collect();
        all.iter().map(|(host, last)| ((*host).to_owned(), addresses(last))).collect()
    }

    #[test]
    fn servers_become_destinations_with_their_priorities_and_weights() {
        let service =
            Service { name: "_sip._udp.x".to_owned(), transport: "udp".to_owned(), interval: Duration::from_secs(60) };
        let servers = [srv("A.x.", 10, 60), srv("b.x", 10, 0), srv("c.x", 20, 0), srv("gone.x", 20, 0)];
        let found =
            list(&service, &servers, &hosts(&[("a.x", &[1]), ("b.x", &[3, 2]), ("c.x", &[4]), ("gone.x", &[])]));
        let told: Vec<_> =
            found.iter().map(|it| (it.name.clone().unwrap(), it.address.to_string(), it.priority, it.weight)).collect();
        let expected = [
            ("udp:a.x:5060", "192.0.2.1:5060", 10, 60),
            ("udp:b.x:5060-192.0.2.2", "192.0.2.2:5060", 10, 1),
            ("udp:b.x:5060-192.0.2.3", "192.0.2.3:5060", 10, 1),
            ("udp:c.x:5060", "192.0.2.4:5060", 20, 100),
        ];
        assert_eq!(
            told,
            expected.map(|(name, at, priority, weight)| (name.to_owned(), at.to_owned(), priority, weight))
        );
        assert_eq!(found[0].attributes.get("host").map(String::as_str), Some("a.x"));
    }
}
