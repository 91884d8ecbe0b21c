//! The cluster as a whole: starts its parts, carries out orders, takes pictures, and ends.
#![expect(clippy::disallowed_methods, reason = "this is where the parts meet the clock")]

use std::{
    io,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use dispatcher::l4::{self as balancer, Algorithm, Balancer};
use tokio::{
    net::TcpListener,
    sync::{mpsc, watch},
    task::JoinHandle,
    time::{MissedTickBehavior, interval},
};

use crate::{
    cli::{Cli, Program},
    control::{Asked, Control, Order},
    demo::Demo,
    files::{self, Files, FilesError},
    haproxy::{Haproxy, HaproxyError},
    http,
    journal::Journal,
    node::Node,
    phone::{self, Command, Phone},
    picture::{self, Picture},
    place::Place,
    rate::Rate,
    setup::{self, SetupError},
};

/// The tones of the demonstration phones, in hertz: C, E, G and the C above, near enough.
const TONES: [f64; 4] = [523.0, 659.0, 784.0, 1_046.0];

/// How long a demonstration phone rings.
const RING: Duration = Duration::from_millis(1_500);

/// How long the first registration of a phone is waited for before the next one begins: so that they alternate.
const FIRST: Duration = Duration::from_millis(800);

/// Why the cluster cannot start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The page on an address that others can reach.
    #[error(
        "refusing to show the page on {address}: it has no password, and can stop PBXs and place calls; \
         listen on 127.0.0.1, or say --exposed"
    )]
    ExposedPage {
        /// The address.
        address: SocketAddr,
    },
    /// The files cannot be laid out.
    #[error(transparent)]
    Files(#[from] FilesError),
    /// The files say things that are not understood.
    #[error(transparent)]
    Setup(#[from] SetupError),
    /// A PBX does not start.
    #[error("{name}: {problem}")]
    Node {
        /// Its name.
        name: &'static str,
        /// What it says.
        problem: String,
    },
    /// An address cannot be listened on.
    #[error("cannot listen on {address}: {source}{}", hint(source))]
    Bind {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// HAProxy does not run.
    #[error(transparent)]
    Haproxy(#[from] HaproxyError),
    /// A phone does not start.
    #[error("a phone does not start: {0}")]
    Phone(io::Error),
}

fn hint(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::AddrInUse => "; another cluster? Try --loopback 1 and another --http",
        io::ErrorKind::AddrNotAvailable => {
            "; this system gives programs no address of 127.0.0.0/8 but 127.0.0.1 until it is told so: see the README"
        }
        _ => "",
    }
}

#[derive(Debug)]
enum Front {
    Ours(Balancer),
    Haproxy(Haproxy),
    Gone,
}

/// A running cluster.
#[derive(Debug)]
pub struct Cluster {
    /// A handle to see and steer it by.
    pub control: Control,
    /// Where the page is.
    pub page: SocketAddr,
    /// Where phones register.
    pub balancer: SocketAddr,
    task: JoinHandle<()>,
}

impl Cluster {
    /// Starts everything. Call it within a tokio runtime.
    ///
    /// # Errors
    /// Names the part that does not start, and why.
    pub async fn start(cli: &Cli) -> Result<Self, StartError> {
        if cli.exposes_page() {
            return Err(StartError::ExposedPage { address: cli.http });
        }
        let (place, work) = (Place(cli.loopback), cli.work());
        let files = files::lay_out(cli.files.as_deref(), &work, cli.trunk)?;
        let listener =
            TcpListener::bind(cli.http).await.map_err(|source| StartError::Bind { address: cli.http, source })?;
        let page = listener.local_addr().map_err(|source| StartError::Bind { address: cli.http, source })?;

        let mut nodes = setup::nodes(&files, place, &work)?;
        for node in &mut nodes {
            let name = node.name;
            node.start().await.map_err(|problem| StartError::Node { name, problem })?;
        }
        let front = start_front(cli, &files, place, &nodes).await?;
        let phones = start_phones(cli.phones, place).await?;

        let (control, orders, publisher) = Control::new();
        let now = Instant::now();
        let heart = Heart {
            place,
            program: cli.balancer,
            algorithm: algorithm(cli, &files.balancer),
            nodes,
            front,
            phones,
            demo: Demo::new(now, cli.talk()),
            calling: !cli.no_demo_calls,
            rate: Rate::default(),
            journal: Journal::default(),
            last: Picture::default(),
            started: wall(),
        };
        let page_control = control.clone();
        let task = tokio::spawn(async move {
            let page = tokio::spawn(http::serve(listener, page_control));
            heart.run(orders, publisher).await;
            page.abort();
        });
        Ok(Self { control, page, balancer: place.balancer(), task })
    }

    /// Waits until it has ended: after [`Order::End`].
    pub async fn wait(self) {
        // A panic was printed already.
        let _ = self.task.await;
    }
}

/// What the balancer is said to do: by the command line, by its file, or by us.
fn algorithm(cli: &Cli, file: &str) -> String {
    let by_file = file.lines().find_map(|line| line.trim().strip_prefix("balance "));
    let by_file = by_file.filter(|_| cli.balancer == Program::Haproxy);
    match (cli.algorithm, by_file) {
        (Some(algorithm), _) => algorithm.as_str().to_owned(),
        (None, Some(word)) => word.trim().to_owned(),
        (None, None) => Algorithm::default().as_str().to_owned(),
    }
}

async fn start_front(cli: &Cli, files: &Files, place: Place, nodes: &[Node]) -> Result<Front, StartError> {
    let address = place.balancer();
    if cli.balancer == Program::Haproxy {
        let haproxy = Haproxy::start(&files.run, &files.balancer, address, &place.map(), cli.algorithm).await?;
        return Ok(Front::Haproxy(haproxy));
    }
    let servers = (0..).zip(nodes);
    let servers = servers.map(|(index, node)| (node.name.to_owned(), (place.private(index), crate::place::SIP).into()));
    let mut config = balancer::Config::new(address, servers.collect());
    config.algorithm = cli.algorithm.unwrap_or_default();
    let ours = Balancer::start(config).await.map_err(|source| StartError::Bind { address, source })?;
    Ok(Front::Ours(ours))
}

async fn start_phones(count: u8, place: Place) -> Result<Vec<Phone>, StartError> {
    let mut phones = Vec::new();
    for (number, tone) in (0..count).zip(TONES) {
        let phone = Phone::start(phone::Settings {
            account: (1001 + u16::from(number)).to_string(),
            secret: pbx::config::DEMO_SECRET.to_owned(),
            address: place.phone(number),
            server: place.balancer(),
            tone,
            known: TONES.to_vec(),
            ring: RING,
        })
        .map_err(StartError::Phone)?;
        let mut state = phone.watch();
        // One that takes longer registers all the same.
        let _ = tokio::time::timeout(FIRST, state.wait_for(|state| state.registered)).await;
        phones.push(phone);
    }
    Ok(phones)
}

/// The loop around all parts.
struct Heart {
    place: Place,
    program: Program,
    algorithm: String,
    nodes: Vec<Node>,
    front: Front,
    phones: Vec<Phone>,
    demo: Demo,
    calling: bool,
    rate: Rate,
    journal: Journal,
    last: Picture,
    started: u64,
}

impl Heart {
    async fn run(mut self, mut orders: mpsc::Receiver<Asked>, publisher: watch::Sender<Arc<Picture>>) {
        let mut look = interval(Duration::from_millis(250));
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                asked = orders.recv() => {
                    let Some((order, reply)) = asked else { break };
                    let last = order == Order::End;
                    let done = self.carry_out(order).await;
                    // Who asked may have gone.
                    let _ = reply.send(done);
                    if last {
                        break;
                    }
                }
                _ = look.tick() => {}
            }
            self.look(&publisher).await;
        }
        self.end().await;
    }

    async fn carry_out(&mut self, order: Order) -> Result<(), String> {
        match order {
            Order::Call { phone, number } => {
                if self.find_phone(&phone)?.state().call.is_some() {
                    return Err(format!("{phone} is in a call"));
                }
                self.command(&phone, Command::Call(number))
            }
            Order::HangUp { phone } => self.command(&phone, Command::HangUp),
            Order::Reconnect { phone } => self.command(&phone, Command::Reconnect),
            Order::Start { node } => self.find_node(&node)?.start().await,
            Order::Stop { node } => {
                self.find_node(&node)?.stop().await;
                Ok(())
            }
            Order::Calling(calling) => {
                self.calling = calling;
                Ok(())
            }
            Order::End => Ok(()),
        }
    }

    fn find_phone(&self, account: &str) -> Result<&Phone, String> {
        let found = self.phones.iter().find(|phone| phone.state().account == account);
        found.ok_or_else(|| format!("there is no demonstration phone {account}"))
    }

    fn find_node(&mut self, key: &str) -> Result<&mut Node, String> {
        self.nodes.iter_mut().find(|node| node.key == key).ok_or_else(|| format!("there is no PBX {key}"))
    }

    fn command(&self, account: &str, command: Command) -> Result<(), String> {
        let taken = self.find_phone(account)?.command(command);
        if taken { Ok(()) } else { Err(format!("{account} is too busy")) }
    }

    /// Takes a picture, lets demonstration calls go on, and shows what changed.
    async fn look(&mut self, publisher: &watch::Sender<Arc<Picture>>) {
        let mut picture = self.picture().await;
        for (place, command) in self.demo.step(Instant::now(), &picture.phones, self.calling) {
            let is_call = matches!(command, Command::Call(_));
            if self.phones.get(place).is_some_and(|phone| phone.command(command)) && is_call {
                self.demo.made(place);
            }
        }
        self.journal.compare(&self.last, &picture);
        picture.journal = self.journal.entries();
        self.last.clone_from(&picture);
        publisher.send_replace(Arc::new(picture));
    }

    async fn picture(&mut self) -> Picture {
        let at = wall();
        let mut records = Vec::new();
        for node in &mut self.nodes {
            if let Err(error) = node.records.update() {
                tracing::debug!(%error, pbx = node.name, "records cannot be read");
            }
            let of_node = node.records.newest.iter().cloned();
            records.extend(of_node.map(|record| picture::NodeRecord { node: node.key, record }));
        }
        records.sort_by(|one, other| other.record.start.cmp(&one.record.start));
        records.truncate(40);

        let statuses: Vec<_> = self.nodes.iter().map(|node| (node.key, node.status())).collect();
        let (mut bytes, mut datagrams) = (0, 0);
        for status in statuses.iter().filter_map(|(_, status)| status.as_ref()) {
            let (of_bytes, of_datagrams) = setup::trunk_traffic(status);
            bytes += of_bytes;
            datagrams += of_datagrams;
        }
        self.rate.update(Instant::now(), bytes, datagrams);
        Picture {
            at,
            started: self.started,
            calling: self.calling,
            balancer: self.front().await,
            nodes: (0..).zip(&self.nodes).map(|(index, node)| self.node(index, node)).collect(),
            phones: self.phones.iter().map(|phone| setup::phone(phone.state(), &statuses)).collect(),
            guests: setup::guests(&statuses),
            trunk: picture::Trunk {
                calls: setup::crossings(&statuses),
                rate: self.rate.now(),
                history: self.rate.history(),
                datagrams: self.rate.datagrams(),
            },
            records,
            journal: Vec::new(),
        }
    }

    async fn front(&mut self) -> picture::Front {
        let snapshot = match &mut self.front {
            Front::Ours(balancer) => Some(balancer.snapshot()),
            Front::Haproxy(haproxy) => haproxy.snapshot().await,
            Front::Gone => None,
        };
        picture::Front {
            program: if self.program == Program::Haproxy { "HAProxy" } else { "Tandem" },
            address: self.place.balancer().to_string(),
            algorithm: self.algorithm.clone(),
            running: snapshot.is_some(),
            snapshot: snapshot.unwrap_or_default(),
        }
    }

    fn node(&self, index: u8, node: &Node) -> picture::Node {
        let status = node.status();
        picture::Node {
            key: node.key,
            name: node.name,
            running: node.is_running(),
            problem: node.problem.clone(),
            public: self.place.public(index).to_string(),
            private: self.place.private(index).to_string(),
            page: node.page(),
            since: status.as_ref().map(|status| status.started),
            calls: status.as_ref().map_or(0, |status| status.calls.len()),
            ended: status.as_ref().map_or(0, |status| status.calls_ended()),
            peers: status.as_ref().map(|status| setup::peers(status)).unwrap_or_default(),
        }
    }

    /// Phones say goodbye first, while there is somebody to say it to; then the PBXs to each other.
    async fn end(mut self) {
        let phones = std::mem::take(&mut self.phones);
        let mut leaving = tokio::task::JoinSet::new();
        for phone in phones {
            leaving.spawn(phone.leave());
        }
        leaving.join_all().await;
        self.front = Front::Gone;
        for node in &mut self.nodes {
            node.stop().await;
        }
    }
}

fn wall() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
