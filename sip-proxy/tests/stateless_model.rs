//! Random transitions of a dispatcher's destinations while calls go on: no request of a call begun goes elsewhere while its
//! destination lives, through whichever of two dispatchers it comes.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use rand_chacha::ChaCha8Rng;
use rand_core::{RngCore, SeedableRng};
use sip_core::header::RecordRoute;
use sip_core::{Limits, Message, Request, Response, StatusCode};
use sip_proxy::dispatcher::{self, Algorithm, Destination, Dispatcher, List, Secret, Set};
use sip_proxy::stateless::{Config, Flow, Listener, Proxy, Verdict};
use sip_transaction::Transport;

const NODES: u8 = 6;

/// How far a call of the model is.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Stage {
    Ringing,
    Talking,
    Refused,
    Ended,
}

#[derive(Debug, Clone)]
struct Call {
    node: String,
    stage: Stage,
    routes: String,
    ended: Instant,
}

struct Model {
    random: ChaCha8Rng,
    now: Instant,
    algorithm: Algorithm,
    proxies: Vec<Proxy>,
    calls: BTreeMap<u32, Call>,
    next: u32,
    current: List,
    checked: u64,
    moved: u64,
}

#[expect(clippy::disallowed_methods, reason = "an instant has no other beginning; nothing waits")]
fn epoch() -> Instant {
    Instant::now()
}

fn name(number: u8) -> String {
    format!("node-{number}")
}

fn address(number: u8) -> SocketAddr {
    ([10, 0, 0, number], 5060).into()
}

impl Model {
    fn new(seed: u64, algorithm: Algorithm) -> Self {
        let now = epoch();
        let mut model = Self {
            random: ChaCha8Rng::seed_from_u64(seed),
            now,
            algorithm,
            proxies: Vec::new(),
            calls: BTreeMap::new(),
            next: 0,
            current: List::default(),
            checked: 0,
            moved: 0,
        };
        model.proxies = (0..2).map(|number| model.proxy(number)).collect();
        let list = model.list();
        model.each(|proxy, now| proxy.dispatcher_mut().load(now, list.clone()));
        model.current = list;
        model
    }

    fn proxy(&self, number: u8) -> Proxy {
        let secret = Secret::from_seed([9; 32]);
        let mut config = dispatcher::Config::default();
        config.probe.enabled = false;
        let dispatcher = Dispatcher::new(self.now, config, secret.clone(), [number; 32]);
        let mut proxy = Proxy::new(Config { record_route: true, ..Config::default() }, &secret, dispatcher);
        proxy.add_listener(Listener::new(Transport::Udp, ([192, 0, 2, 1 + number], 5060).into()));
        proxy
    }

    /// A list with some of the nodes, in any order, with any weights.
    fn list(&mut self) -> List {
        let mut numbers: Vec<u8> = (0..NODES).filter(|_| !self.one_in(4)).collect();
        if self.one_in(2) {
            numbers.reverse();
        }
        let nodes = numbers.into_iter().map(|number| {
            let weight = 50 + self.below(100) as u32;
            Destination::new(name(number), Transport::Udp, address(number)).with_weight(weight)
        });
        let set = Set::new("all", nodes.collect()).with_algorithm(self.algorithm);
        List::new(vec![set]).unwrap()
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.random.next_u64() % limit
    }

    fn one_in(&mut self, chances: u64) -> bool {
        self.below(chances) == 0
    }

    fn each(&mut self, mut act: impl FnMut(&mut Proxy, Instant)) {
        let now = self.now;
        self.proxies.iter_mut().for_each(|proxy| act(proxy, now));
    }

    /// Both learn what the other began.
    fn share(&mut self) {
        for (from, to) in [(0, 1), (1, 0)] {
            let told: Vec<_> = std::iter::from_fn(|| self.proxies[from].dispatcher_mut().poll_shared()).collect();
            let now = self.now;
            told.into_iter().for_each(|it| self.proxies[to].dispatcher_mut().learn(now, it));
        }
    }

    fn send(&mut self, text: &str, remote: SocketAddr) -> Option<(String, SocketAddr, String)> {
        let which = self.below(2) as usize;
        let proxy = &mut self.proxies[which];
        let flow = Flow { transport: Transport::Udp, listener: 0, remote, connection: None };
        let mut out = Vec::new();
        match proxy.handle_datagram(self.now, &flow, text.as_bytes(), &mut out) {
            Verdict::Send(hop) => {
                let node = hop.node.and_then(|node| proxy.dispatcher().name(node)).unwrap_or_default().to_owned();
                Some((node, hop.remote, String::from_utf8(out.to_vec()).unwrap()))
            }
            Verdict::Drop(_) => None,
        }
    }

    fn begin(&mut self) {
        let number = self.next;
        self.next += 1;
        let Some((node, _, forwarded)) = self.send(&text("INVITE", number, "", ""), caller(number)) else { return };
        self.share();
        if node.is_empty() {
            assert!(forwarded.starts_with("SIP/2.0 503"), "{forwarded}");
            return;
        }
        let takes_new = self.proxies.iter().any(|proxy| {
            let snapshot = proxy.dispatcher().snapshot(self.now);
            let open = [dispatcher::State::Active, dispatcher::State::Trying];
            snapshot.nodes.iter().any(|it| *it.name == *node && open.contains(&it.state) && !it.sets.is_empty())
        });
        assert!(takes_new, "a new call went to a node that takes none");
        let Message::Request(request) = parse(&forwarded) else { panic!("{forwarded}") };
        let routes = request.headers().all::<RecordRoute>().map(|route| format!("Route: {}\r\n", route.unwrap()));
        let call = Call { node, stage: Stage::Ringing, routes: routes.collect(), ended: self.now };
        if self.one_in(2) {
            self.answer(&request, 180, number);
        }
        let code = if self.one_in(3) { 486 } else { 200 };
        if self.one_in(2) {
            self.calls.insert(number, call);
        } else {
            self.answer(&request, code, number);
            let stage = if code == 200 { Stage::Talking } else { Stage::Refused };
            self.calls.insert(number, Call { stage, ..call });
        }
        self.share();
    }

    /// A destination's answer must come back to the caller, through whichever proxy.
    fn answer(&mut self, request: &Request, code: u16, number: u32) {
        let response = Response::to(request, StatusCode::new(code).unwrap()).to_tag(b"bob").build();
        let text = String::from_utf8(response.to_bytes().to_vec()).unwrap();
        let own = request.headers().get(&sip_core::header::HeaderName::VIA).unwrap();
        let which = usize::from(own.starts_with(b"SIP/2.0/UDP 192.0.2.2"));
        let flow = Flow { transport: Transport::Udp, listener: 0, remote: address(0), connection: None };
        let mut out = Vec::new();
        match self.proxies[which].handle_datagram(self.now, &flow, text.as_bytes(), &mut out) {
            Verdict::Send(hop) => assert_eq!(hop.remote, caller(number)),
            Verdict::Drop(reason) => panic!("an answer was dropped: {reason:?}"),
        }
    }

    /// Some request of a call that was begun.
    fn go_on(&mut self) {
        let numbers: Vec<u32> = self.calls.keys().copied().collect();
        if numbers.is_empty() {
            return;
        }
        let number = numbers[self.below(numbers.len() as u64) as usize];
        let call = self.calls[&number].clone();
        let methods: &[&str] = match call.stage {
            Stage::Ringing => &["INVITE", "CANCEL"],
            Stage::Refused => &["INVITE", "ACK", "CANCEL"],
            Stage::Talking => &["ACK", "BYE", "re-INVITE", "INFO"],
            Stage::Ended => &["BYE"],
        };
        let method = methods[self.below(methods.len() as u64) as usize];
        // Without its route set, as some phones would have it, the record must do.
        let bare = self.one_in(3);
        let routes = if bare { "" } else { &call.routes };
        let message = match (call.stage, method) {
            (Stage::Talking | Stage::Ended, "re-INVITE") => text("INVITE", number, ";tag=bob", routes),
            (Stage::Talking | Stage::Ended, method) => text(method, number, ";tag=bob", routes),
            (_, "ACK") => text("ACK", number, ";tag=bob", ""),
            (_, method) => text(method, number, "", ""),
        };
        let sent = self.send(&message, caller(number));
        self.share();
        let Some((node, ..)) = sent else { panic!("{method} of {call:?} was dropped") };
        if node != call.node {
            for proxy in &self.proxies {
                let snapshot = proxy.dispatcher().snapshot(self.now);
                eprintln!("{:#?}", snapshot.nodes.iter().filter(|it| *it.name == *call.node).collect::<Vec<_>>());
                let key = format!("{number}@model");
                let explained = proxy.dispatcher().explain(self.now, "all", key.as_bytes());
                eprintln!("{:?}", explained.map(|it| (it.recorded, it.chosen, it.why)));
            }
        }
        assert_eq!(node, call.node, "{method} of {number}, {call:?}, {:?}", self.algorithm);
        self.checked += 1;
        if method == "BYE" && call.stage == Stage::Talking {
            let ended = Call { stage: Stage::Ended, ended: self.now, ..call };
            self.calls.insert(number, ended);
        }
    }

    fn disturb(&mut self) {
        let node = name(self.below(u64::from(NODES)) as u8);
        match self.below(9) {
            0 => self.each(|proxy, now| {
                let _ = proxy.dispatcher_mut().drain(now, &node, None);
            }),
            1 => self.each(|proxy, now| {
                let within = Some(Duration::from_secs(20));
                let _ = proxy.dispatcher_mut().drain(now, &node, within);
            }),
            2 => self.each(|proxy, _| {
                let _ = proxy.dispatcher_mut().disable(&node);
            }),
            3 | 4 => self.each(|proxy, _| {
                let _ = proxy.dispatcher_mut().enable(&node);
            }),
            5 => {
                self.each(|proxy, _| {
                    let _ = proxy.dispatcher_mut().set_alive(&node, false);
                });
                // A disabled one is not told: it may live for one and not matter for the other.
                let is_dead = self.proxies.iter().any(|proxy| {
                    let snapshot = proxy.dispatcher().snapshot(self.now);
                    snapshot.nodes.iter().any(|it| *it.name == *node && !it.is_alive)
                });
                if is_dead {
                    let before = self.calls.len();
                    self.calls.retain(|_, call| call.node != node);
                    self.moved += (before - self.calls.len()) as u64;
                }
            }
            6 => {
                self.each(|proxy, _| {
                    let _ = proxy.dispatcher_mut().set_alive(&node, true);
                });
            }
            7 => {
                let list = self.list();
                self.each(|proxy, now| proxy.dispatcher_mut().load(now, list.clone()));
                self.current = list;
                // One may have forgotten a destination that left the list sooner than the other: let them agree.
                for number in 0..NODES {
                    self.each(|proxy, _| {
                        let _ = proxy.dispatcher_mut().enable(&name(number));
                        let _ = proxy.dispatcher_mut().set_alive(&name(number), true);
                    });
                }
            }
            _ => self.each(|proxy, now| {
                // The same list again, in parts of a second.
                let _ = proxy.dispatcher().snapshot(now);
            }),
        }
    }

    fn wait(&mut self) {
        let pause = Duration::from_millis(self.below(2_000));
        self.now += pause;
        let now = self.now;
        self.each(|proxy, now| proxy.dispatcher_mut().handle_timeout(now));
        // What is over is remembered for 64 s; what rings, for 244.
        self.calls.retain(|_, call| match call.stage {
            Stage::Talking => true,
            Stage::Ended | Stage::Refused => now < call.ended + Duration::from_secs(30),
            Stage::Ringing => now < call.ended + Duration::from_secs(200),
        });
    }

    /// One proxy dies and comes back with nothing but its configuration, and what the other tells it.
    fn restart(&mut self) {
        let which = self.below(2) as usize;
        let other = 1 - which;
        let mut proxy = self.proxy(which as u8);
        let snapshot = self.proxies[other].dispatcher().snapshot(self.now);
        proxy.dispatcher_mut().load(self.now, self.current.clone());
        for node in &snapshot.nodes {
            let dispatcher = proxy.dispatcher_mut();
            dispatcher.set_alive(&node.name, node.is_alive);
            let _ = match node.state {
                dispatcher::State::Draining => dispatcher.drain(self.now, &node.name, None),
                dispatcher::State::Disabled => dispatcher.disable(&node.name),
                _ => true,
            };
            // What is not in the configuration is not known to who begins with it.
            if node.sets.is_empty() {
                self.calls.retain(|_, call| *call.node != *node.name);
            }
        }
        for call in self.proxies[other].dispatcher().calls() {
            proxy.dispatcher_mut().learn(self.now, call);
        }
        self.proxies[which] = proxy;
    }

    fn run(&mut self, steps: u32) {
        for _ in 0..steps {
            match self.below(20) {
                0..=4 => self.begin(),
                5..=15 => self.go_on(),
                16 => self.disturb(),
                17 if self.one_in(8) => self.restart(),
                _ => self.wait(),
            }
        }
        // After the last call has been over for long enough, nothing is left.
        self.calls.clear();
        for _ in 0..20 {
            self.now += Duration::from_secs(3_600);
            self.each(|proxy, now| proxy.dispatcher_mut().handle_timeout(now));
        }
        self.each(|proxy, now| {
            let snapshot = proxy.dispatcher().snapshot(now);
            assert_eq!(snapshot.record, [0; 4]);
            assert!(snapshot.nodes.iter().all(|node| node.setup + node.talking == 0));
        });
    }
}

fn caller(number: u32) -> SocketAddr {
    ([198, 51, 100, (number % 250) as u8], 5060).into()
}

fn text(method: &str, number: u32, to_tag: &str, routes: &str) -> String {
    let caller = caller(number);
    format!(
        "{method} sip:bob@example.com SIP/2.0\r\nVia: SIP/2.0/UDP {caller};branch=z9hG4bK{number}{to_tag}\r\n\
         Max-Forwards: 70\r\n{routes}From: <sip:alice@example.com>;tag=alice\r\nTo: <sip:bob@example.com>{to_tag}\r\n\
         Call-ID: {number}@model\r\nCSeq: 1 {method}\r\nContact: <sip:alice@{caller}>\r\nContent-Length: 0\r\n\r\n"
    )
    .replace("z9hG4bK", if to_tag.is_empty() { "z9hG4bKinvite" } else { "z9hG4bKinside" })
    .replace(&format!("{number};tag=bob\r\nMax"), &format!("{number}\r\nMax"))
}

fn parse(text: &str) -> Message {
    Message::parse(Bytes::copy_from_slice(text.as_bytes()), &Limits::default()).unwrap()
}

#[test]
fn no_request_of_a_call_begun_goes_elsewhere_while_its_node_lives() {
    let long = std::env::var_os("TANDEM_LONG").is_some();
    let (seeds, steps) = if long { (200, 5_000) } else { (12, 1_500) };
    let (mut checked, mut moved) = (0, 0);
    for algorithm in [Algorithm::Hash, Algorithm::RoundRobin, Algorithm::LeastCalls, Algorithm::Random] {
        for seed in 0..seeds {
            let mut model = Model::new(seed, algorithm);
            model.run(steps);
            checked += model.checked;
            moved += model.moved;
        }
    }
    eprintln!("{checked} requests went where their call is; {moved} calls lost their node");
    assert!(checked > 1_000 && moved > 10);
}
