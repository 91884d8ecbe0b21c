//! Phones that a TCP balancer stands before: reached only down the connection that they registered on, which is kept open.

mod support;

use std::{
    collections::HashMap,
    net::SocketAddr,
    path::Path,
    time::{Duration, Instant, SystemTime},
};

use bytes::Bytes;
use pbx::{
    config::Config,
    status::{Binding, Status},
    switch::{Event, Output, Switch},
};
use sip_transaction::{CloseReason, ConnectionId, Input, ListenerConfig, ListenerId, Transport, agent};
use support::phone::{Manner, Phone};

/// All phones come from here, each by a port of its own.
const BALANCER: &str = "192.0.2.9";

/// A switch and phones whose connections lead through a balancer, without delay.
struct Scene {
    now: Instant,
    switch: Switch,
    listener: ListenerId,
    phones: Vec<Phone>,
    /// The switch's end of each connection: whose it is, and the phone's own end.
    connections: HashMap<ConnectionId, (usize, ConnectionId)>,
    /// What went down connections: whose, and the bytes.
    written: Vec<(usize, Bytes)>,
    /// Connections that the switch wanted to open.
    dialled: Vec<SocketAddr>,
    next_port: u16,
}

impl Scene {
    fn new() -> Self {
        Self::with(|_| {})
    }

    #[expect(clippy::disallowed_methods, reason = "the first moment of a clock that is simulated")]
    fn with(change: impl FnOnce(&mut Config)) -> Self {
        let now = Instant::now();
        let mut config = Config::parse(Path::new("test"), pbx::config::DEMO).unwrap();
        change(&mut config);
        config.generate_dialplan();
        let address: SocketAddr = "192.0.2.100:5060".parse().unwrap();
        let wall = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        let mut switch = Switch::new(config, address.ip(), [5; 32], now, wall);
        let listener = switch.add_listener(ListenerConfig::new(Transport::Tcp, address)).unwrap();
        let phones = (1..=2u8).map(|number| {
            let own = SocketAddr::from(([10, 0, 0, number], 5060));
            let mut phone = Phone::over_tcp(&format!("100{number}"), "1234", own, address, number);
            phone.manner = Manner::Answers(Duration::from_millis(500));
            phone
        });
        let phones = phones.collect();
        Self {
            now,
            switch,
            listener,
            phones,
            connections: HashMap::new(),
            written: Vec::new(),
            dialled: Vec::new(),
            next_port: 40_000,
        }
    }

    /// Carries everything to its end at this moment.
    fn settle(&mut self) {
        loop {
            let mut quiet = true;
            while let Some(output) = self.switch.poll_output() {
                quiet = false;
                self.of_switch(output);
            }
            for index in 0..self.phones.len() {
                for output in self.phones[index].outputs(self.now) {
                    quiet = false;
                    self.of_phone(index, output);
                }
            }
            if quiet {
                return;
            }
        }
    }

    fn of_switch(&mut self, output: Output) {
        match output {
            Output::Write { connection, payload } => {
                let (index, own) = self.connections[&connection];
                self.written.push((index, payload.clone()));
                self.phones[index].handle_input(self.now, Input::Received { connection: own, payload });
            }
            Output::Close { connection } => self.cut(connection),
            Output::Connect { destination, .. } => self.dialled.push(destination),
            Output::Event(Event::Open { call, side, .. }) => self.switch.media_ready(self.now, call, side),
            Output::Event(_) => {}
            Output::Datagram { destination, .. } => panic!("a datagram to {destination}"),
            Output::Query { question, .. } => panic!("asks for {question:?}"),
        }
    }

    fn of_phone(&mut self, index: usize, output: agent::Output) {
        match output {
            agent::Output::Connect { connection, .. } => {
                self.next_port += 1;
                let (local, remote) = ("192.0.2.100:5060".parse().unwrap(), format!("{BALANCER}:{}", self.next_port));
                let accepted = self.switch.accept(self.now, self.listener, local, remote.parse().unwrap()).unwrap();
                self.connections.insert(accepted, (index, connection));
                let own = self.phones[index].address;
                self.phones[index].handle_input(self.now, Input::Connected { connection, local: own });
            }
            agent::Output::Write { connection, payload } => {
                let open = self.connections.iter().find(|(_, of)| **of == (index, connection)).map(|(id, _)| *id);
                if let Some(open) = open {
                    self.switch.handle_input(self.now, Input::Received { connection: open, payload });
                }
            }
            agent::Output::Close { .. } | agent::Output::Query { .. } | agent::Output::Event(_) => {}
            agent::Output::Datagram { destination, .. } => panic!("a datagram to {destination}"),
        }
    }

    /// Both ends of a connection hear that it is closed.
    fn cut(&mut self, connection: ConnectionId) {
        if let Some((index, own)) = self.connections.remove(&connection) {
            let reason = CloseReason::Remote;
            self.switch.handle_input(self.now, Input::Closed { connection, reason });
            self.phones[index].handle_input(self.now, Input::Closed { connection: own, reason });
        }
    }

    fn cut_all_of(&mut self, index: usize) {
        let all: Vec<_> = self.connections.iter().filter(|(_, of)| of.0 == index).map(|(id, _)| *id).collect();
        all.into_iter().for_each(|connection| self.cut(connection));
        self.settle();
    }

    fn run(&mut self, span: Duration) {
        let end = self.now + span;
        self.settle();
        loop {
            let timers = self.phones.iter().filter_map(Phone::poll_timeout).chain(self.switch.poll_timeout());
            match timers.min().filter(|at| *at <= end) {
                Some(at) => self.now = at.max(self.now + Duration::from_millis(1)).min(end),
                None => self.now = end,
            }
            self.switch.handle_timeout(self.now);
            for phone in &mut self.phones {
                phone.handle_timeout(self.now);
            }
            self.settle();
            if self.now >= end {
                return;
            }
        }
    }

    fn register(&mut self, index: usize) {
        let now = self.now;
        self.phones[index].register(now);
        self.run(Duration::from_secs(1));
        assert!(self.phones[index].registered);
    }

    fn status(&self) -> Status {
        self.switch.status(self.now, |_| None)
    }

    fn binding(&self, index: usize) -> Binding {
        self.status().accounts[index].bindings[0].clone()
    }

    fn call(&mut self) -> bool {
        let now = self.now;
        self.phones[0].call(now, "1002", true, Duration::from_secs(3));
        self.run(Duration::from_secs(40));
        self.phones[0].outcomes.pop().expect("it ended").answered
    }
}

#[test]
fn a_phone_is_called_down_its_connection_and_never_by_its_contact() {
    let mut scene = Scene::new();
    scene.register(0);
    scene.register(1);
    let binding = scene.binding(1);
    assert!(binding.address.starts_with(BALANCER) && binding.contact.contains("10.0.0.2"), "{binding:?}");
    assert!(scene.call());
    assert_eq!(scene.dialled, [], "nobody is connected to");
    let invites = scene.written.iter().filter(|(index, bytes)| *index == 1 && bytes.starts_with(b"INVITE ")).count();
    assert_eq!(invites, 1);
}

#[test]
fn each_connection_hears_a_double_crlf_every_25_seconds_and_no_longer_than_it_is_needed() {
    let mut scene = Scene::new();
    scene.register(0);
    scene.register(1);
    scene.written.clear();
    scene.run(Duration::from_secs(110));
    for index in 0..2 {
        let pings = scene.written.iter().filter(|(of, bytes)| *of == index && &bytes[..] == b"\r\n\r\n").count();
        assert_eq!(pings, 4, "phone {index}");
    }
    scene.cut_all_of(0);
    scene.run(Duration::from_secs(60));
    let kept = scene.status().tables.iter().find(|table| table.name == "keep_alives").map(|table| table.size);
    assert_eq!(kept, Some(1));
}

#[test]
fn a_phone_whose_connection_closed_is_unreachable_at_once_until_it_registers_again() {
    let mut scene = Scene::new();
    scene.register(0);
    scene.register(1);
    scene.cut_all_of(1);
    assert!(!scene.binding(1).reachable);
    let began = scene.now;
    assert!(!scene.call(), "nobody is there");
    assert!(scene.dialled.is_empty(), "{:?}", scene.dialled);
    let ended = scene.status().totals.calls;
    assert_eq!(ended.get("FAILED"), Some(&1), "{ended:?} since {began:?}");
    scene.register(1);
    let bindings = scene.status().accounts[1].bindings.clone();
    assert!(bindings.iter().any(|binding| binding.reachable), "{bindings:?}");
    assert!(scene.call());
}

#[test]
fn a_balancer_that_is_named_may_bring_more_connections_than_one_phone_and_others_may_not() {
    let mut scene = Scene::with(|config| config.sip.balancers = vec![BALANCER.parse().unwrap()]);
    let local = "192.0.2.100:5060".parse().unwrap();
    let mut accepted = |host: &str| {
        let from = |port| format!("{host}:{port}").parse().unwrap();
        (10_000..10_200)
            .filter(|port| scene.switch.accept(scene.now, scene.listener, local, from(*port)).is_ok())
            .count()
    };
    assert_eq!(accepted(BALANCER), 200);
    assert_eq!(accepted("192.0.2.10"), 100);
}

#[test]
fn one_phone_with_a_wrong_password_bans_no_other_phone_of_its_balancer() {
    for (balancers, reached) in [(vec![BALANCER.parse().unwrap()], true), (vec![], false)] {
        let mut scene = Scene::with(|config| config.sip.balancers = balancers);
        scene.phones[0] =
            Phone::over_tcp("1001", "wrong", "10.0.0.1:5060".parse().unwrap(), "192.0.2.100:5060".parse().unwrap(), 1);
        for _ in 0..12 {
            let now = scene.now;
            scene.phones[0].register(now);
            scene.run(Duration::from_secs(1));
        }
        assert!(!scene.phones[0].registered);
        let now = scene.now;
        scene.phones[1].register(now);
        scene.run(Duration::from_secs(1));
        assert_eq!(scene.phones[1].registered, reached);
    }
}
