//! Everything together: sockets, shards, sharing, control and HTTP.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Instant;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use sip_proxy::dispatcher::{Dispatcher, PeerConfig, Secret, Share, ShareConfig};
use sip_proxy::stateless::{self, Listener, Proxy};
use sip_transaction::Transport;
use sip_transaction::driver::{seed, tls};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::sync::{mpsc, watch};

use crate::config::{Config, ConfigError};
use crate::control::{Control, Parts};
use crate::meters::Meters;
use crate::shard::Shard;
use crate::socket::Udp;
use crate::srv::{self, Dns};
use crate::streams::{self, Door, Streams};
use crate::worker::{Command, INBOX, Links, Worker};
use crate::{http, l4, sharing};

/// A running dispatcher.
#[derive(Debug)]
pub struct Server {
    control: Control,
    threads: Vec<JoinHandle<()>>,
}

/// Why it does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The configuration is wrong.
    #[error("{0}")]
    Config(#[from] ConfigError),
    /// The system refuses.
    #[error("{what}: {source}")]
    System {
        /// What was tried.
        what: String,
        /// What the system says.
        source: io::Error,
    },
    /// A certificate or key is not usable.
    #[error("{0}")]
    Tls(#[from] tls::ConfigError),
    /// A file of certificates or keys is none.
    #[error("{path}: {source}")]
    Pem {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: rustls::pki_types::pem::Error,
    },
}

fn system(what: impl Into<String>) -> impl FnOnce(io::Error) -> StartError {
    let what = what.into();
    move |source| StartError::System { what, source }
}

impl Server {
    /// Binds everything and begins. `path` is read again by `reload`.
    ///
    /// # Errors
    /// When something cannot be bound or read.
    pub async fn start(config: Config, path: Option<PathBuf>) -> Result<Self, StartError> {
        let secret = config.secret()?;
        let shards = config.sip.shards.unwrap_or(1).clamp(1, 64);
        let shards = if config.sip.udp.is_empty() { 0 } else { shards };
        let has_destinations = |names: &[&str]| {
            let all = config.sets.iter().flat_map(|set| &set.destinations);
            let services = config.sets.iter().flat_map(|set| &set.services).filter_map(|it| it.service().ok());
            all.into_iter().any(|destination| names.contains(&destination.transport.as_str()))
                || services.into_iter().any(|service| names.contains(&service.transport.as_str()))
        };
        let has_streams = !config.sip.tcp.is_empty() || !config.sip.tls.is_empty() || has_destinations(&["tcp", "tls"]);
        let count = shards + usize::from(has_streams);

        // All sockets first: whoever cannot have one begins nothing.
        let mut listeners = Vec::new();
        let mut udp: Vec<Vec<Udp>> = (0..shards).map(|_| Vec::new()).collect();
        for address in &config.sip.udp {
            let number = listeners.len() as u16;
            let mut local = *address;
            for sockets in &mut udp {
                let socket = Udp::bind(local, number, shards > 1).map_err(system(format!("udp {local}")))?;
                local = socket.local().map_err(system("udp"))?;
                sockets.push(socket);
            }
            listeners.push(Listener::advertised(Transport::Udp, local, config.advertised(local)));
        }
        let mut doors = Vec::new();
        for address in &config.sip.tcp {
            Self::listen(&config, Transport::Tcp, *address, None, &mut listeners, &mut doors)?;
        }
        let client = Self::bind_tls(&config, &mut listeners, &mut doors)?;
        if config.sip.tcp.is_empty()
            && has_destinations(&["tcp"])
            && let Some(like) = listeners.first()
        {
            // Only to send from: responses come down the connections that we open.
            listeners.push(Listener::advertised(Transport::Tcp, like.local, like.advertised.clone()));
        }

        let (told, connections) = mpsc::channel(4_096);
        let mut balancers = Vec::new();
        for balancer in &config.l4 {
            let name: Arc<str> = balancer.name.as_str().into();
            let listener = l4::Listener { balancer: name.clone(), events: told.clone() };
            let started = l4::Balancer::start_with(balancer.settings()?, Some(listener)).await;
            balancers.push((name, started.map_err(system(format!("l4 {}", balancer.listen)))?));
        }

        let (senders, inboxes): (Vec<_>, Vec<_>) = (0..count).map(|_| mpsc::channel(INBOX)).unzip();
        let (events, journal) = mpsc::channel(4_096);
        let sharing = match &config.share {
            Some(share) => {
                let socket = tokio::net::UdpSocket::bind(share.listen);
                let socket = socket.await.map_err(system(format!("share {}", share.listen)))?;
                let peers = share.peers.iter().map(|address| PeerConfig { address: *address }).collect();
                let machine = Share::new(
                    Instant::now(),
                    ShareConfig::new(secret.clone(), peers),
                    seed().map_err(system("randomness"))?,
                );
                let (calls, told) = mpsc::channel(INBOX);
                let (present, presence) = watch::channel(0);
                tokio::spawn(sharing::run(machine, socket, told, senders.clone(), present));
                Some((calls, presence))
            }
            None => None,
        };
        let is_shared = count > 1 || sharing.is_some();
        let meters: Vec<Arc<Meters>> = (0..count).map(|_| Arc::new(Meters::default())).collect();
        let worker = |number: usize, probed: &[Transport]| -> Result<Worker, StartError> {
            let others = senders.iter().enumerate().filter(|(other, _)| *other != number).map(|(_, it)| it.clone());
            Ok(Worker {
                proxy: proxy(&config, &secret, &listeners, probed, is_shared)?,
                links: Links {
                    others: others.collect(),
                    sharing: sharing.as_ref().map(|(calls, _)| calls.clone()),
                    events: events.clone(),
                },
                is_first: number == 0,
                probed: probed.to_vec(),
                transports: HashMap::new(),
                names: HashMap::new(),
                is_loaded: false,
                lost: 0,
                connections: 0,
            })
        };

        let mut inboxes = inboxes.into_iter();
        let mut threads = Vec::new();
        let senders_for_udp: HashMap<u16, std::net::UdpSocket> = udp
            .first()
            .into_iter()
            .flatten()
            .map(|socket| Ok((socket.listener, socket.try_clone()?)))
            .collect::<io::Result<_>>()
            .map_err(system("udp"))?;
        for (number, sockets) in udp.into_iter().enumerate() {
            let (Some(inbox), Some(meters)) = (inboxes.next(), meters.get(number)) else { break };
            let shard = Shard {
                worker: worker(number, if number == 0 { &[Transport::Udp] } else { &[] })?,
                sockets,
                inbox,
                streams: if has_streams { senders.last().cloned() } else { None },
                meters: meters.clone(),
            };
            let thread = std::thread::Builder::new().name(format!("shard-{number}"));
            threads.push(thread.spawn(move || shard.run()).map_err(system("a thread"))?);
        }
        if has_streams && let (Some(inbox), Some(meters)) = (inboxes.next(), meters.last()) {
            let streams = Streams::new(streams::Parts {
                worker: worker(shards, &[Transport::Tcp, Transport::Tls])?,
                inbox,
                doors,
                client,
                udp: senders_for_udp,
                meters: meters.clone(),
            });
            let streams = streams.map_err(system("connections"))?;
            let thread = std::thread::Builder::new().name("streams".to_owned());
            threads.push(thread.spawn(move || streams.run()).map_err(system("a thread"))?);
        }
        let present = sharing.map(|(_, presence)| presence);
        let parts = Parts { shards: senders, meters, l4: balancers, events: journal, connections, present };
        let control = Control::start(&config, path, parts).await.map_err(system("state"))?;
        let mut families: Vec<bool> = config.sip.udp.iter().map(SocketAddr::is_ipv6).collect();
        families.sort_unstable();
        families.dedup();
        let resolver = Dns::new(&config.dns.servers, families).map_err(system("dns"))?;
        tokio::spawn(srv::run(control.clone(), resolver));
        if let Some(settings) = config.http {
            let listener = tokio::net::TcpListener::bind(settings.listen);
            let listener = listener.await.map_err(system(format!("http {}", settings.listen)))?;
            tokio::spawn(http::serve(listener, control.clone(), settings.token));
        }
        for balancer in control.status().await.l4 {
            tracing::info!(balancer = balancer.name, local = balancer.listen, "listening for connections");
        }
        for listener in &listeners {
            tracing::info!(transport = %listener.transport, local = %listener.local, "listening");
        }
        Ok(Self { control, threads })
    }

    /// Listens for connections.
    fn listen(
        config: &Config,
        transport: Transport,
        address: SocketAddr,
        tls: Option<Arc<ServerConfig>>,
        listeners: &mut Vec<Listener>,
        doors: &mut Vec<Door>,
    ) -> Result<(), StartError> {
        let bind = || -> io::Result<std::net::TcpListener> {
            let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
            socket.set_nonblocking(true)?;
            if address.is_ipv6() {
                // The unspecified address takes both families, any other one takes its own.
                socket.set_only_v6(!address.ip().is_unspecified())?;
            }
            socket.set_reuse_address(true)?;
            socket.bind(&address.into())?;
            socket.listen(1_024)?;
            Ok(socket.into())
        };
        let bound = bind().and_then(|listener| Ok((listener.local_addr()?, listener)));
        let (local, listener) = bound.map_err(system(format!("{transport} {address}")))?;
        doors.push(Door { listener, number: listeners.len() as u16, transport, tls });
        listeners.push(Listener::advertised(transport, local, config.advertised(local)));
        Ok(())
    }

    /// Listens for encrypted connections. Returns how those that we open are checked.
    fn bind_tls(
        config: &Config,
        listeners: &mut Vec<Listener>,
        doors: &mut Vec<Door>,
    ) -> Result<Option<Arc<ClientConfig>>, StartError> {
        let pem = |path: &PathBuf| {
            let path = path.clone();
            move |source| StartError::Pem { path, source }
        };
        let certificates = |path: &PathBuf| -> Result<Vec<CertificateDer<'static>>, StartError> {
            CertificateDer::pem_file_iter(path).map_err(pem(path))?.collect::<Result<_, _>>().map_err(pem(path))
        };
        let mut client = None;
        if let Some(path) = &config.sip.authorities {
            let mut roots = RootCertStore::empty();
            roots.add_parsable_certificates(certificates(path)?);
            client = Some(tls::client_config(roots, None)?);
        }
        if let (Some(certificate), Some(key)) = (&config.sip.certificate, &config.sip.key) {
            for address in &config.sip.tls {
                let secret = PrivateKeyDer::from_pem_file(key).map_err(pem(key))?;
                let server = tls::server_config(certificates(certificate)?, secret, tls::ClientCertificates::Ignored)?;
                Self::listen(config, Transport::Tls, *address, Some(server), listeners, doors)?;
            }
        }
        Ok(client)
    }

    /// What commands it.
    #[must_use]
    pub const fn control(&self) -> &Control {
        &self.control
    }

    /// Stops the shards. What is in their sockets is lost; calls go on, since none of them is here.
    pub async fn stop(self) {
        self.control.stop_balancers();
        self.control.tell(|| Command::Stop).await;
        for thread in self.threads {
            // One that panicked has said so.
            let _ = tokio::task::spawn_blocking(move || thread.join()).await;
        }
    }
}

fn proxy(
    config: &Config,
    secret: &Secret,
    listeners: &[Listener],
    probed: &[Transport],
    is_shared: bool,
) -> Result<Proxy, StartError> {
    let settings = config.dispatcher(probed, is_shared)?;
    let dispatcher = Dispatcher::new(Instant::now(), settings, secret.clone(), seed().map_err(system("randomness"))?);
    let settings = stateless::Config {
        record_route: config.record_route(),
        trusted: config.sip.trusted.clone(),
        aliases: config.aliases()?,
        ..stateless::Config::default()
    };
    let mut proxy = Proxy::new(settings, secret, dispatcher);
    for listener in listeners {
        proxy.add_listener(listener.clone());
    }
    Ok(proxy)
}
