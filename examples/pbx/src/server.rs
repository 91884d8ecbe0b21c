//! The program at its edges: sockets, the clock, the runtime, the records, and the loop around the switch.
#![expect(clippy::disallowed_methods, reason = "this is where the switch meets the clock")]

use std::{
    io,
    net::{IpAddr, SocketAddr, UdpSocket},
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use bytes::Bytes;
use rtp::relay::Side;
use sip_core::uri::{Host, HostPort};
use sip_transaction::{
    Transport,
    driver::{self, Arrival, SocketConfig, Sockets},
};
use tokio::{
    net::TcpListener,
    sync::{mpsc, watch},
    task::{JoinError, JoinHandle},
    time::{MissedTickBehavior, interval},
};

use crate::{
    config::{Config, DialplanSource},
    control::{Command, Control},
    http,
    media::{self, Media, Sounds},
    recorder::Recorder,
    status::{Status, Table},
    switch::{Event, Switch},
    trunk_sockets::{self, TrunkSockets},
};

/// Why the program cannot start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// An address cannot be listened on.
    #[error("cannot listen on {what} {address}: {}", hint(source))]
    Bind {
        /// `udp`, `tcp`, `http` or `iax2`.
        what: &'static str,
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The file of call records cannot be written.
    #[error("cannot write call records to {}: {source}", path.display())]
    Cdr {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The program listens on every address, and which one phones are to be told is not known.
    #[error(
        "listening on {address}, but this machine's address is not known: \
         say `advertised = \"…\"` under [sip], the address that phones reach"
    )]
    Advertised {
        /// The address listened on.
        address: SocketAddr,
    },
    /// There is no address for media.
    #[error("there is no address to listen on: name one in `udp` or `tcp` under [sip]")]
    NoListener,
    /// The system has no randomness.
    #[error("the system has no randomness: {0}")]
    Seed(io::Error),
}

fn hint(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::AddrInUse => "another program has this port; stop it, or choose another port \
                                     (--udp, --tcp and --http, or the configuration)"
            .to_owned(),
        io::ErrorKind::AddrNotAvailable => "this machine has no such address".to_owned(),
        io::ErrorKind::PermissionDenied => "not allowed; ports below 1024 need the right to".to_owned(),
        _ => error.to_string(),
    }
}

/// The running program.
#[derive(Debug)]
pub struct Server {
    /// A handle to see and steer it by.
    pub control: Control,
    /// Where SIP is heard, with the ports that the system chose.
    pub sip: Vec<(Transport, SocketAddr)>,
    /// Where IAX2 is heard.
    pub iax: Vec<SocketAddr>,
    /// Where the page is.
    pub http: Option<SocketAddr>,
    task: JoinHandle<()>,
}

impl Server {
    /// Binds everything and starts. Call it within a tokio runtime.
    ///
    /// # Errors
    /// Names the address that is taken, or what else is missing.
    pub async fn start(mut config: Config) -> Result<Self, StartError> {
        let (now, wall) = (Instant::now(), SystemTime::now());
        let mut sockets = Sockets::new(SocketConfig::default());
        let seed = driver::seed().map_err(StartError::Seed)?;

        let mut listeners = Vec::new();
        let wanted = [(Transport::Udp, "udp", &config.sip.udp), (Transport::Tcp, "tcp", &config.sip.tcp)];
        for (transport, what, addresses) in wanted {
            for address in addresses {
                let mut listener = sockets.bind(transport, *address).map_err(|source| StartError::Bind {
                    what,
                    address: *address,
                    source,
                })?;
                listener.advertised = advertised(&config, listener.local)?;
                listeners.push(listener);
            }
        }
        let mut trunks = TrunkSockets::default();
        let (refuse, refused) = mpsc::channel(REFUSALS);
        trunks.tell_refusals(refuse);
        let mut iax = Vec::new();
        for address in &config.iax.listen {
            let bound = trunks.bind(*address);
            iax.push(bound.map_err(|source| StartError::Bind { what: "iax2", address: *address, source })?);
        }
        trunk_sockets::look_up(&mut config).await;
        config.resolve().await;
        let first = listeners.first().map(|listener| listener.local);
        let first = first.or(config.iax.listen.first().copied()).ok_or(StartError::NoListener)?;
        let media_bind = config.rtp.address.unwrap_or_else(|| first.ip());
        let media_address = media_address(&config, media_bind)?;

        let cdr = match &config.cdr.path {
            Some(path) => Some(Recorder::start(path).map_err(|source| StartError::Cdr { path: path.clone(), source })?),
            None => None,
        };
        let page = match config.http.listen {
            Some(address) => {
                let bind = async {
                    let listener = TcpListener::bind(address).await?;
                    let local = listener.local_addr()?;
                    Ok((listener, local))
                };
                Some(bind.await.map_err(|source| StartError::Bind { what: "http", address, source })?)
            }
            None => None,
        };

        let sip: Vec<_> = listeners.iter().map(|listener| (listener.transport, listener.local)).collect();
        let (tell, told) = mpsc::channel(1024);
        let (speak, voices) = mpsc::channel(VOICES);
        let media =
            Media::new(media_bind, config.calls.media_timeout, tell).with_voices(speak).with_sounds(sounds(&config));
        let mut switch = Switch::new(config, media_address, seed, now, wall);
        for listener in listeners {
            switch.add_listener(listener);
        }
        let mut edge = Edge {
            switch,
            sockets,
            trunks,
            media,
            cdr,
            names: sip
                .iter()
                .map(|(transport, local)| format!("{} {local}", transport.token().to_lowercase()))
                .chain(iax.iter().map(|local| format!("iax2 {local}")))
                .collect(),
            changed: false,
            drained: false,
        };
        let (control, orders, publisher) = Control::new(edge.picture());
        let page_control = control.clone();
        let http = page.as_ref().map(|(_, local)| *local);
        let task = tokio::spawn(async move {
            let page = page.map(|(listener, _)| tokio::spawn(http::serve(listener, page_control)));
            edge.run(orders, told, voices, refused, &publisher).await;
            drop(publisher);
            if let Some(page) = page {
                page.abort();
            }
        });
        Ok(Self { control, sip, iax, http, task })
    }

    /// Waits until the program has ended: after [`Command::Drain`] or [`Command::Stop`].
    ///
    /// # Errors
    /// When its loop panicked, which was printed already.
    pub async fn wait(self) -> Result<(), JoinError> {
        self.task.await
    }
}

struct Edge {
    switch: Switch,
    sockets: Sockets,
    trunks: TrunkSockets,
    media: Media,
    cdr: Option<Recorder>,
    names: Vec<String>,
    changed: bool,
    drained: bool,
}

/// How many datagrams are taken before their answers are sent.
const BATCH: usize = 64;

/// How many datagrams are taken before times that have come: what a stalled second leaves of some calls.
const BACKLOG: usize = 1_024;

/// Voice for trunks that waits for the loop: a tenth of a second of a thousand calls, and more.
const VOICES: usize = 8_192;

/// Peers of which it was told that nobody is there; more are told again.
const REFUSALS: usize = 64;

impl Edge {
    async fn run(
        &mut self,
        mut orders: mpsc::Receiver<Command>,
        mut told: mpsc::Receiver<media::Event>,
        mut voices: mpsc::Receiver<media::Voice>,
        mut refused: mpsc::Receiver<SocketAddr>,
        publisher: &watch::Sender<Arc<Status>>,
    ) {
        let mut second = interval(Duration::from_secs(1));
        let mut soon = interval(Duration::from_millis(200));
        second.set_missed_tick_behavior(MissedTickBehavior::Delay);
        soon.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut heard = Vec::with_capacity(BATCH);
        loop {
            self.obey();
            if self.drained {
                return;
            }
            tokio::select! {
                arrival = self.sockets.recv() => self.on_arrivals(arrival),
                () = driver::sleep_until(self.switch.poll_timeout()) => self.on_due(),
                datagram = self.trunks.recv() => self.on_trunk(datagram),
                Some(address) = refused.recv() => self.switch.handle_trunk_refused(Instant::now(), address),
                1.. = voices.recv_many(&mut heard, BATCH) => {
                    self.switch.handle_voices(Instant::now(), heard.drain(..));
                }
                Some(event) = told.recv() => self.switch.handle_media(Instant::now(), event),
                Some(order) = orders.recv() => self.on_order(order, publisher),
                _ = second.tick() => {
                    self.switch.set_clock(Instant::now(), SystemTime::now());
                    self.publish(publisher);
                }
                _ = soon.tick(), if self.changed => self.publish(publisher),
            }
        }
    }

    fn on_arrivals(&mut self, first: Arrival) {
        let now = Instant::now();
        let mut next = Some(first);
        let mut taken = 0;
        while let Some(arrival) = next {
            match arrival {
                Arrival::Input(input) => self.switch.handle_input(now, input),
                Arrival::Connection(incoming) => {
                    let accepted = self.switch.accept(now, incoming.listener(), incoming.local(), incoming.remote());
                    self.sockets.attach(incoming, accepted.ok());
                }
            }
            // What the first brought about (a new connection, say) is done before the next is taken.
            self.obey();
            taken += 1;
            next = if taken < BATCH { self.sockets.try_recv() } else { None };
        }
    }

    fn on_trunk(&mut self, first: (SocketAddr, Bytes)) {
        let now = Instant::now();
        let mut next = Some(first);
        let mut taken = 0;
        while let Some((source, payload)) = next {
            self.switch.handle_trunk(now, source, payload);
            taken += 1;
            next = if taken < BATCH { self.trunks.try_recv() } else { None };
        }
    }

    /// A time has come. What came in before is taken first: when this program was kept from running, the answer of a peer
    /// that would be given up now may only wait to be read.
    fn on_due(&mut self) {
        let mut taken = 0;
        while taken < BACKLOG
            && let Some((source, payload)) = self.trunks.try_recv()
        {
            self.switch.handle_trunk(Instant::now(), source, payload);
            taken += 1;
        }
        self.switch.handle_timeout(Instant::now());
    }

    fn on_order(&mut self, order: Command, publisher: &watch::Sender<Arc<Status>>) {
        let now = Instant::now();
        match order {
            Command::Hangup { call, reply } => {
                // Who asked may have gone.
                let _ = reply.send(self.switch.hangup(now, call));
            }
            Command::Publish { reply } => {
                self.publish(publisher);
                let _ = reply.send(());
            }
            Command::Drain => self.switch.drain(now),
            Command::Stop => self.switch.stop(now),
        }
    }

    /// Does what the switch asks for until it asks for nothing.
    fn obey(&mut self) {
        while let Some(output) = self.switch.poll_output() {
            let Some(event) = self.sockets.transmit(output) else { continue };
            match event {
                Event::Open { call, side, end } => self.open(call, side, end),
                Event::Order { call, order } => self.media.order(call, order),
                Event::Close { call } => self.media.close(call),
                Event::Trunk { destination, payload } => self.trunks.send(destination, &payload),
                Event::Voice { call, side, timestamp, payload } => self.media.voice(call, side, timestamp, payload),
                Event::Record(record) => {
                    if let Some(cdr) = &mut self.cdr {
                        cdr.write(*record);
                    }
                }
                Event::Changed => self.changed = true,
                Event::Drained => self.drained = true,
            }
        }
    }

    fn open(&mut self, call: u64, side: Side, end: media::End) {
        let opened = match self.media.figures(call) {
            Some(_) => self.media.attach(call, side, end),
            None => self.media.start(call, &[(side, end)]),
        };
        let now = Instant::now();
        match opened {
            Ok(()) => self.switch.media_ready(now, call, side),
            Err(error) => {
                if error.kind() == io::ErrorKind::AddrInUse {
                    tracing::debug!(call, %error, "media ports are not free");
                } else {
                    tracing::warn!(call, %error, "media ports cannot be bound");
                }
                self.switch.media_failed(now, call, side);
            }
        }
    }

    fn publish(&mut self, publisher: &watch::Sender<Arc<Status>>) {
        self.changed = false;
        publisher.send_replace(Arc::new(self.picture()));
    }

    fn picture(&self) -> Status {
        let mut status = self.switch.status(Instant::now(), |call| self.media.figures(call));
        status.listeners.clone_from(&self.names);
        status.totals.rtp = self.media.totals().list().into_iter().collect();
        status.totals.cdr_errors = self.cdr.as_ref().map_or(0, Recorder::errors);
        let sockets = self.sockets.counters();
        status.totals.sip.insert("datagrams_not_sent", sockets.datagrams_dropped);
        if let Some(iax) = &mut status.iax {
            iax.counters.insert("datagrams_not_sent", self.trunks.dropped());
        }
        status.tables.push(Table { name: "media_tasks", size: self.media.len(), limit: None, per_call: true });
        status
    }
}

/// The files to play: what is in `sounds` beside the dialplan, and music in `music` or, as Asterisk calls it, `moh`.
fn sounds(config: &Config) -> Sounds {
    let mut sounds = Sounds::new();
    let DialplanSource::File(path) = &config.dialplan_source else { return sounds };
    let Some(folder) = path.parent() else { return sounds };
    if folder.join("sounds").is_dir() {
        sounds = sounds.in_folder(folder.join("sounds"));
    }
    match ["music", "moh"].map(|name| folder.join(name)).into_iter().find(|music| music.is_dir()) {
        Some(music) => sounds.with_music(music),
        None => sounds,
    }
}

/// What phones are told of a listener.
fn advertised(config: &Config, local: SocketAddr) -> Result<HostPort, StartError> {
    let port = Some(local.port());
    if let Some(name) = &config.sip.advertised {
        let host = name.parse::<IpAddr>().map_or_else(|_| Host::Name(name.clone().into()), Host::from);
        return Ok(HostPort::new(host, port));
    }
    let ip = concrete(local.ip()).ok_or(StartError::Advertised { address: local })?;
    Ok(SocketAddr::new(ip, local.port()).into())
}

/// What SDP names.
fn media_address(config: &Config, bound: IpAddr) -> Result<IpAddr, StartError> {
    let named = config.sip.advertised.as_ref().and_then(|name| name.parse().ok());
    config
        .rtp
        .advertised
        .or(named)
        .or_else(|| concrete(bound))
        .ok_or(StartError::Advertised { address: SocketAddr::new(bound, 0) })
}

/// The address itself; for the unspecified one, the address by which this machine reaches others.
fn concrete(ip: IpAddr) -> Option<IpAddr> {
    if !ip.is_unspecified() {
        return Some(ip);
    }
    // Nothing is sent: connecting a datagram socket only asks the routing table.
    let (any, elsewhere): (SocketAddr, SocketAddr) = match ip {
        IpAddr::V4(_) => (([0, 0, 0, 0], 0).into(), ([192, 0, 2, 1], 9).into()),
        IpAddr::V6(_) => (([0u16; 8], 0).into(), ([0x2001, 0xdb8, 0, 0, 0, 0, 0, 1], 9).into()),
    };
    let socket = UdpSocket::bind(any).ok()?;
    socket.connect(elsewhere).ok()?;
    Some(socket.local_addr().ok()?.ip()).filter(|ip| !ip.is_unspecified())
}
