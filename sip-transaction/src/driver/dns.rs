//! The domain name system, asked by hickory-resolver.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::rr::{Name, RData, RecordType};

use super::Sockets;
use crate::resolve::{Answer, Kind, Naptr, Question, Record, Srv};

/// How long a server that does not say how long there is nothing is believed.
const NEGATIVE: Duration = Duration::from_secs(30);

/// Asks one question of [`resolve`](crate::resolve), for whoever has a use for records outside an endpoint.
pub async fn ask(resolver: &TokioResolver, question: &Question) -> Answer {
    let kind = match question.kind {
        Kind::Naptr => RecordType::NAPTR,
        Kind::Srv => RecordType::SRV,
        Kind::A => RecordType::A,
        Kind::Aaaa => RecordType::AAAA,
    };
    let Ok(mut name) = Name::from_ascii(&*question.name) else { return Answer::NotFound { ttl: NEGATIVE } };
    // From the root: search domains are for people who type.
    name.set_fqdn(true);
    match resolver.lookup(name, kind).await {
        Ok(lookup) => {
            let answers = lookup.answers();
            let ttl = answers.iter().map(|record| record.ttl).min().unwrap_or_default();
            let records = answers.iter().filter_map(|answer| record(&answer.data)).collect();
            Answer::Found { records, ttl: Duration::from_secs(ttl.into()) }
        }
        Err(NetError::Dns(DnsError::NoRecordsFound(nothing))) => {
            let ttl = nothing.negative_ttl.map_or(NEGATIVE, |ttl| Duration::from_secs(ttl.into()));
            Answer::NotFound { ttl }
        }
        Err(error) => {
            tracing::debug!(%error, name = %question.name, "no answer");
            Answer::Failed
        }
    }
}

fn record(data: &RData) -> Option<Record> {
    Some(match data {
        RData::A(address) => Record::Address(address.0.into()),
        RData::AAAA(address) => Record::Address(address.0.into()),
        RData::SRV(srv) => {
            Record::Srv(Srv { priority: srv.priority, weight: srv.weight, port: srv.port, target: text(&srv.target) })
        }
        RData::NAPTR(naptr) => Record::Naptr(Naptr {
            order: naptr.order,
            preference: naptr.preference,
            flags: String::from_utf8_lossy(&naptr.flags).into(),
            services: String::from_utf8_lossy(&naptr.services).into(),
            regexp: String::from_utf8_lossy(&naptr.regexp).into(),
            replacement: text(&naptr.replacement),
        }),
        _ => return None,
    })
}

fn text(name: &Name) -> Arc<str> {
    name.to_ascii().into()
}

impl Sockets {
    /// Asks these name servers, each over UDP and, where an answer is too large for that, over TCP.
    ///
    /// # Errors
    /// When the resolver cannot be made.
    pub fn use_name_servers(&mut self, servers: &[SocketAddr]) -> io::Result<()> {
        let servers = servers.iter().map(|server| {
            let at_port = |mut connection: ConnectionConfig| {
                connection.port = server.port();
                connection
            };
            let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(at_port);
            NameServerConfig::new(server.ip(), true, connections.into())
        });
        let config = ResolverConfig::from_parts(None, Vec::new(), servers.collect());
        let mut builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
        builder.options_mut().cache_size = 0;
        self.set_resolver(builder.build().map_err(io::Error::other)?);
        Ok(())
    }
}
