//! The switch and four phones on a simulated network.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    net::SocketAddr,
    path::Path,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use bytes::Bytes;
use netsim::{Arrival, Conditions, Network, Node, Simulation};
use pbx::{
    asterisk::file,
    cdr::Record,
    config::{Config, DialplanSource},
    dialplan::Dialplan,
    media::{End, Order},
    status::Status,
    switch::{Event, Output, Switch},
};
use rtp::relay::Side;
use sip_core::StatusCode;
use sip_transaction::{Input, ListenerConfig, ListenerId, Transport, agent::Cause};

use super::phone::{Manner, Phone};

pub const SERVER: &str = "192.0.2.100:5060";

/// The switch with the edges of the program replaced by tables.
pub struct Exchange {
    pub switch: Switch,
    pub listener: ListenerId,
    pub address: SocketAddr,
    /// Where IAX2 is heard.
    pub trunk: SocketAddr,
    /// It does not pass on by which path calls came, as an exchange of another make.
    pub hides_paths: bool,
    /// Calls whose media is open, with the ends of their sides.
    pub open: HashMap<u64, HashMap<Side, End>>,
    pub ports: HashSet<u16>,
    pub orders: HashMap<u64, Vec<Order>>,
    /// Ports that another program has.
    pub taken: HashSet<u16>,
    pub records: Vec<Record>,
    pub drained: bool,
}

impl Exchange {
    pub fn new(now: Instant, change: impl FnOnce(&mut Config)) -> Self {
        Self::at(SERVER.parse().unwrap(), now, change)
    }

    pub fn at(address: SocketAddr, now: Instant, change: impl FnOnce(&mut Config)) -> Self {
        let mut config = Config::parse(Path::new("test"), pbx::config::DEMO).unwrap();
        config.limits.calls_per_account = 10_000;
        config.limits.calls = 10_000;
        config.calls.ring_time = Duration::from_secs(8);
        change(&mut config);
        config.generate_dialplan();
        let wall = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        let mut switch = Switch::new(
            config,
            address.ip(),
            [address.ip().to_string().as_bytes()[address.ip().to_string().len() - 1]; 32],
            now,
            wall,
        );
        let listener = switch.add_listener(ListenerConfig::new(Transport::Udp, address)).unwrap();
        Self {
            switch,
            listener,
            address,
            trunk: SocketAddr::new(address.ip(), 4569),
            hides_paths: false,
            open: HashMap::new(),
            ports: HashSet::new(),
            orders: HashMap::new(),
            taken: HashSet::new(),
            records: Vec::new(),
            drained: false,
        }
    }

    pub fn on_event(&mut self, now: Instant, event: Event) {
        match event {
            Event::Open { call, side, end } => {
                if let End::Rtp(pair) = end {
                    if self.taken.contains(&pair.rtp()) {
                        self.switch.media_failed(now, call, side);
                        return;
                    }
                    assert!(self.ports.insert(pair.rtp()), "port {} is given twice", pair.rtp());
                }
                if let Some(End::Rtp(before)) = self.open.entry(call).or_default().insert(side, end) {
                    self.ports.remove(&before.rtp());
                }
                self.switch.media_ready(now, call, side);
            }
            Event::Order { call, order } => {
                assert!(self.open.contains_key(&call), "an order for media that is not open");
                self.orders.entry(call).or_default().push(order);
            }
            Event::Close { call } => {
                for end in self.open.remove(&call).expect("media is closed once").into_values() {
                    if let End::Rtp(pair) = end {
                        self.ports.remove(&pair.rtp());
                    }
                }
            }
            Event::Record(record) => self.records.push(*record),
            Event::Drained => self.drained = true,
            Event::Changed => {}
            // Nobody speaks here.
            Event::Voice { .. } | Event::Trunk { .. } => {}
        }
    }

    pub fn status(&self, now: Instant) -> Status {
        self.switch.status(now, |_| None)
    }

    /// Whether silence of a call means that both are gone.
    pub fn is_watched(&self, call: u64) -> bool {
        let mut watches = self.orders[&call].iter().rev();
        watches.find_map(|order| if let Order::Watch(watched) = order { Some(*watched) } else { None }) == Some(true)
    }

    pub fn dispositions(&self) -> BTreeMap<&'static str, usize> {
        let mut counts = BTreeMap::new();
        for record in &self.records {
            *counts.entry(record.disposition.as_str()).or_default() += 1;
        }
        counts
    }

    #[track_caller]
    pub fn assert_empty(&self, now: Instant) {
        assert!(self.open.is_empty(), "media is left: {:?}", self.open);
        let left: Vec<_> =
            self.status(now).tables.into_iter().filter(|table| table.per_call && table.size > 0).collect();
        assert!(left.is_empty(), "{left:#?}");
        assert!(self.status(now).calls.is_empty());
    }
}

impl Node for Exchange {
    fn owns(&self, address: SocketAddr) -> bool {
        address == self.address || address == self.trunk
    }

    fn arrive(&mut self, now: Instant, arrival: Arrival) {
        if let Arrival::Datagram { from, to, payload } = arrival {
            let payload = Bytes::from(payload);
            if to == self.trunk {
                self.switch.handle_trunk(now, from, payload);
                return;
            }
            self.switch
                .handle_input(now, Input::Datagram { listener: self.listener, source: from, payload, received: None });
        }
    }

    fn timeout(&mut self, now: Instant) {
        self.switch.handle_timeout(now);
    }

    fn next_timeout(&self) -> Option<Instant> {
        self.switch.poll_timeout()
    }

    fn flush(&mut self, now: Instant, network: &mut Network) {
        while let Some(output) = self.switch.poll_output() {
            match output {
                Output::Datagram { destination, payload, .. } => {
                    network.send(now, self.address, destination, payload.to_vec());
                }
                Output::Event(Event::Trunk { destination, payload }) => {
                    let mut payload = payload.to_vec();
                    if self.hides_paths {
                        hide_path(&mut payload);
                    }
                    network.send(now, self.trunk, destination, payload);
                }
                Output::Event(event) => self.on_event(now, event),
                other => panic!("only datagrams here: {other:?}"),
            }
        }
    }
}

/// Makes the variable that carries a path another one.
fn hide_path(payload: &mut [u8]) {
    let name = b"TANDEMPATH=";
    if let Some(place) = payload.windows(name.len()).position(|window| window == name) {
        payload[place] = b'X';
    }
}

/// A phone as a node of the network.
pub struct Station(pub Phone);

impl Node for Station {
    fn owns(&self, address: SocketAddr) -> bool {
        address == self.0.address
    }

    fn arrive(&mut self, now: Instant, arrival: Arrival) {
        if let Arrival::Datagram { from, payload, .. } = arrival {
            self.0.handle_datagram(now, from, payload.into());
        }
    }

    fn timeout(&mut self, now: Instant) {
        self.0.handle_timeout(now);
    }

    fn next_timeout(&self) -> Option<Instant> {
        self.0.poll_timeout()
    }

    fn flush(&mut self, now: Instant, network: &mut Network) {
        for (to, payload) in self.0.drive(now) {
            network.send(now, self.0.address, to, payload.to_vec());
        }
    }
}

/// The switch and four phones: 1001 calls, 1002 answers, 1003 is busy, 1004 rings for ever.
pub struct Scene {
    pub simulation: Simulation,
    pub exchange: Exchange,
    pub phones: Vec<Station>,
}

impl Scene {
    pub fn new(seed: u64, conditions: Conditions, change: impl FnOnce(&mut Config)) -> Self {
        let simulation = Simulation::new(seed, conditions);
        let exchange = Exchange::new(simulation.now(), change);
        let manners = [
            Manner::Answers(Duration::from_millis(300)),
            Manner::Answers(Duration::from_millis(700)),
            Manner::Busy,
            Manner::Rings,
        ];
        let phones = manners
            .into_iter()
            .zip(1u8..)
            .map(|(manner, number)| {
                let address = SocketAddr::from(([192, 0, 2, number], 5060));
                let mut phone = Phone::new(&format!("100{number}"), "1234", address, exchange.address, number);
                phone.manner = manner;
                Station(phone)
            })
            .collect();
        Self { simulation, exchange, phones }
    }

    pub fn now(&self) -> Instant {
        self.simulation.now()
    }

    pub fn run(&mut self, span: Duration) {
        let Self { simulation, exchange, phones } = self;
        let mut nodes: Vec<&mut dyn Node> = vec![exchange];
        nodes.extend(phones.iter_mut().map(|phone| phone as &mut dyn Node));
        simulation.run_for(&mut nodes, span);
    }

    pub fn register_all(&mut self) {
        // REGISTER may be lost eleven times in a row in theory; here it is tried until it is there.
        for _ in 0..5 {
            let now = self.now();
            for phone in self.phones.iter_mut().filter(|phone| !phone.0.registered) {
                phone.0.register(now);
            }
            self.run(Duration::from_secs(35));
        }
        assert!(self.phones.iter().all(|phone| phone.0.registered));
    }

    /// Registrations last ten minutes.
    pub fn register_again(&mut self) {
        self.phones.iter_mut().for_each(|phone| phone.0.registered = false);
        self.register_all();
    }

    pub fn caller(&mut self) -> &mut Phone {
        &mut self.phones[0].0
    }

    /// Calls a number for some seconds, and tells how it went.
    pub fn call(&mut self, number: &str, seconds: u64) -> (bool, Cause) {
        let now = self.now();
        self.caller().call(now, number, true, Duration::from_secs(seconds));
        self.run(Duration::from_secs(seconds + 60));
        let outcome = self.caller().outcomes.pop().expect("the call ended");
        assert_eq!(outcome.number, number);
        (outcome.answered, outcome.cause)
    }

    pub fn last_record(&self) -> &Record {
        self.exchange.records.last().unwrap()
    }
}

pub fn rejected(status: StatusCode) -> (bool, Cause) {
    (false, Cause::Rejected(status))
}

pub const CLEAN: Conditions = Conditions { delay: Duration::from_millis(5), ..Conditions::PERFECT };

/// A dialplan in place of the generated one.
pub fn set_dialplan(config: &mut Config, text: &str) {
    let mut problems = Vec::new();
    let file = file::read("extensions.conf", &mut |_: &str| Ok(text.to_owned()), &mut problems).unwrap();
    config.dialplan = Arc::new(Dialplan::parse(&file, &mut problems));
    config.dialplan_source = DialplanSource::Text(text.to_owned());
    assert!(!problems.iter().any(file::Problem::is_error), "{problems:#?}");
}
