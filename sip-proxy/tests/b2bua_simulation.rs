//! Two-leg calls over a bad network: both legs of every call end, and every table is empty in the end.
//!
//! 2,000 calls by default; 100,000 with `TANDEM_LONG=1`.

mod b2bua_support;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use b2bua_support::{ALICE, BOB, CAROL, PBX, Pbx, address, sdp};
use netsim::{Arrival, Conditions, Network, Node, Simulation};
use sip_core::{Method, Response, StatusCode};
use sip_proxy::b2bua::{self, Config};
use sip_transaction::agent::{Agent, Cause, Config as AgentConfig, Event, Invite, Output, SessionId};
use sip_transaction::{Input, ListenerConfig, ListenerId, Target, Transport};

/// What is to be done to a session later.
#[derive(Debug, Clone, Copy)]
enum Deed {
    Ring,
    Early,
    Answer,
    Busy,
    Hold,
    Withdraw,
    Info,
    Hangup,
}

/// A phone that does with its calls what a number in them says.
struct Robot {
    agent: Agent,
    listener: ListenerId,
    address: SocketAddr,
    agenda: BTreeMap<(Instant, u64), (SessionId, Deed)>,
    order: u64,
    now: Instant,
    alive: HashSet<SessionId>,
    begun: u64,
    causes: HashMap<&'static str, u64>,
    salt: u64,
}

impl Robot {
    fn new(address: &str, seed: u8, now: Instant) -> Self {
        let address: SocketAddr = address.parse().unwrap();
        let mut agent = Agent::new(AgentConfig::default(), [seed; 32]);
        let listener = agent.add_listener(ListenerConfig::new(Transport::Udp, address));
        agent.trust(PBX.parse::<SocketAddr>().unwrap().ip());
        Self {
            agent,
            listener,
            address,
            agenda: BTreeMap::new(),
            order: 0,
            now,
            alive: HashSet::new(),
            begun: 0,
            causes: HashMap::new(),
            salt: u64::from(seed),
        }
    }

    fn plan(&mut self, after: u64, session: SessionId, deed: Deed) {
        self.order += 1;
        self.agenda.insert((self.now + Duration::from_millis(after), self.order), (session, deed));
    }

    fn call(&mut self, now: Instant, number: u64) {
        self.now = now;
        let uri = format!("sip:{number}@192.0.2.1");
        let target = Target::udp(PBX.parse().unwrap());
        let mut invite = Invite::new(target, uri.parse().unwrap(), address("sip:a@192.0.2.1"), address(&uri));
        if !number.is_multiple_of(5) {
            invite.offer = Some(sdp("alice"));
        }
        let session = self.agent.invite(now, invite).unwrap();
        self.alive.insert(session);
        self.begun += 1;
        match number % 7 {
            // Given up at some time around the answer.
            0 => self.plan(number * 37 % 1_200, session, Deed::Hangup),
            1 => self.plan(2_000, session, Deed::Hold),
            2 => self.plan(1_500, session, Deed::Info),
            3 => {
                self.plan(1_800, session, Deed::Hold);
                self.plan(1_800 + number % 300, session, Deed::Withdraw);
            }
            _ => {}
        }
        self.plan(4_000 + number * 13 % 4_000, session, Deed::Hangup);
    }

    fn perform(&mut self, session: SessionId, deed: Deed) {
        let now = self.now;
        // What the session does not allow any more is refused; that is part of the game.
        let _ = match deed {
            Deed::Ring => self.agent.provisional(now, session, StatusCode::RINGING, None, &[]),
            Deed::Early => self.agent.provisional(now, session, StatusCode::SESSION_PROGRESS, Some(sdp("early")), &[]),
            Deed::Answer => self.agent.answer(now, session, Some(sdp("answer")), &[]),
            Deed::Busy => self.agent.reject(now, session, StatusCode::BUSY_HERE, &[]),
            Deed::Hold => self.agent.reinvite(now, session, Some(sdp("hold")), Vec::new()),
            Deed::Withdraw => self.agent.withdraw_offer(now, session),
            Deed::Info => self.agent.request(now, session, Method::Info, &[], None).map(drop),
            Deed::Hangup => self.agent.hangup(now, session, &[]),
        };
    }

    fn on_event(&mut self, event: Event) {
        match event {
            Event::Incoming { session, request, .. } => {
                assert!(self.alive.insert(session), "a session begins once");
                self.begun += 1;
                let uri = request.uri().unwrap();
                let user = uri.as_sip().and_then(|uri| uri.user.clone()).unwrap();
                let number: u64 = std::str::from_utf8(&user).unwrap().parse::<u64>().unwrap() + self.salt;
                match number % 3 {
                    0 => {}
                    1 => self.plan(number % 200, session, Deed::Ring),
                    _ => self.plan(number % 200, session, Deed::Early),
                }
                match number % 11 {
                    0 => self.plan(300, session, Deed::Busy),
                    1 => {
                        self.plan(250, session, Deed::Answer);
                        self.plan(300 + number % 2_000, session, Deed::Hangup);
                    }
                    2 => {
                        self.plan(250, session, Deed::Answer);
                        self.plan(2_000, session, Deed::Hold);
                    }
                    3 => {
                        self.plan(250, session, Deed::Answer);
                        self.plan(4_000 + number * 13 % 4_000, session, Deed::Hangup);
                    }
                    // Never answers.
                    4 => {}
                    _ => self.plan(number * 29 % 1_000, session, Deed::Answer),
                }
            }
            Event::Answered { session, owing: true, .. } | Event::OfferAnswered { session, owing: true, .. } => {
                let _ = self.agent.acknowledge(self.now, session, Some(sdp("late")));
            }
            Event::Offer { session, .. } => {
                let _ = self.agent.answer_offer(self.now, session, Some(sdp("held")), &[]);
            }
            Event::InDialog { id, request, .. } => {
                let _ = self.agent.respond(self.now, id, Response::to(&request, StatusCode::OK).build());
            }
            Event::Ended { session, cause, .. } => {
                assert!(self.alive.remove(&session), "a session ends once");
                let name = match cause {
                    Cause::Hangup => "hangup",
                    Cause::Bye => "bye",
                    Cause::Cancelled => "cancelled",
                    Cause::Rejected(_) => "rejected",
                    Cause::NotAcknowledged => "not acknowledged",
                    Cause::Timeout => "timeout",
                    Cause::Gone => "gone",
                    Cause::Protocol => "protocol",
                    _ => "other",
                };
                *self.causes.entry(name).or_default() += 1;
            }
            other => {
                if let Some(session) = other.session() {
                    assert!(self.alive.contains(&session), "nothing is told of a session that ended: {other:?}");
                }
            }
        }
    }
}

impl Node for Robot {
    fn owns(&self, address: SocketAddr) -> bool {
        address == self.address
    }

    fn arrive(&mut self, now: Instant, arrival: Arrival) {
        self.now = now;
        if let Arrival::Datagram { from, payload, .. } = arrival {
            let input =
                Input::Datagram { listener: self.listener, source: from, payload: payload.into(), received: None };
            self.agent.handle_input(now, input);
        }
    }

    fn timeout(&mut self, now: Instant) {
        self.now = now;
        while let Some(entry) = self.agenda.first_entry() {
            if entry.key().0 > now {
                break;
            }
            let (session, deed) = entry.remove();
            self.perform(session, deed);
        }
        self.agent.handle_timeout(now);
    }

    fn next_timeout(&self) -> Option<Instant> {
        let own = self.agenda.first_key_value().map(|(key, _)| key.0);
        [own, self.agent.poll_timeout()].into_iter().flatten().min()
    }

    fn flush(&mut self, now: Instant, network: &mut Network) {
        self.now = now;
        while let Some(output) = self.agent.poll_output() {
            match output {
                Output::Datagram { destination, payload, .. } => network.send(now, self.address, destination, payload),
                Output::Event(event) => self.on_event(event),
                other => panic!("only datagrams here: {other:?}"),
            }
        }
    }
}

/// The B2BUA, whose events are checked and forgotten.
struct Middle {
    pbx: Pbx,
    alive: HashSet<b2bua::CallId>,
    ended: u64,
}

impl Middle {
    fn check(&mut self) {
        self.alive.extend(self.pbx.calls.drain(..));
        for event in self.pbx.events.drain(..) {
            if let b2bua::Event::Ended { call, .. } = event {
                assert!(self.alive.remove(&call), "a call ends once");
                self.ended += 1;
            }
        }
        self.pbx.others.clear();
    }
}

impl Node for Middle {
    fn owns(&self, address: SocketAddr) -> bool {
        self.pbx.owns(address)
    }

    fn arrive(&mut self, now: Instant, arrival: Arrival) {
        self.pbx.arrive(now, arrival);
    }

    fn timeout(&mut self, now: Instant) {
        self.pbx.timeout(now);
    }

    fn next_timeout(&self) -> Option<Instant> {
        self.pbx.next_timeout()
    }

    fn flush(&mut self, now: Instant, network: &mut Network) {
        self.pbx.flush(now, network);
        self.check();
    }
}

fn run(calls: u64, loss: f64, seed: u64) {
    let mut simulation = Simulation::new(seed, Conditions::bad(loss));
    let start = simulation.now();
    let mut alice = Robot::new(ALICE, 2, start);
    let mut bob = Robot::new(BOB, 3, start);
    let mut carol = Robot::new(CAROL, 4, start);
    let mut pbx = Pbx::new(Config::default());
    pbx.ring = Duration::from_secs(10);
    pbx.routes.insert("*".to_owned(), vec![bob.address, carol.address]);
    let mut middle = Middle { pbx, alive: HashSet::new(), ended: 0 };
    for number in 0..calls {
        alice.call(simulation.now(), number);
        simulation.run_for(&mut [&mut alice, &mut bob, &mut carol, &mut middle], Duration::from_millis(10));
    }
    let nodes: &mut [&mut dyn Node] = &mut [&mut alice, &mut bob, &mut carol, &mut middle];
    assert!(simulation.run_until_quiet(nodes, Duration::from_secs(900)), "something goes on for ever");
    for (name, robot) in [("alice", &alice), ("bob", &bob), ("carol", &carol)] {
        let snapshot = robot.agent.snapshot();
        assert!(robot.alive.is_empty(), "{name}: {} calls never ended: {snapshot:#?}", robot.alive.len());
        assert!(snapshot.is_idle(), "{name}: {snapshot:#?}");
        assert_eq!(snapshot.counters.ended, robot.begun);
    }
    let (agent, b2bua) = (middle.pbx.agent.snapshot(), middle.pbx.b2bua.snapshot());
    assert!(middle.alive.is_empty(), "{} calls never ended: {b2bua:#?}", middle.alive.len());
    assert!(agent.is_idle(), "{agent:#?}");
    assert!(b2bua.is_idle(), "{b2bua:#?}");
    assert_eq!(b2bua.counters.calls, middle.ended);
    assert_eq!(b2bua.counters.calls, agent.counters.incoming);
    assert!(b2bua.counters.calls > calls * 9 / 10, "nearly all INVITEs came through: {}", b2bua.counters.calls);
    assert!(b2bua.counters.answered > calls / 2, "only {} were answered", b2bua.counters.answered);
    assert!(b2bua.counters.renegotiations > 0 && b2bua.counters.passed > 0);
    eprintln!(
        "loss {loss}: {calls} calls in {:?} simulated, caller {:?}, callees {:?} {:?}, {:?}",
        simulation.elapsed(),
        alice.causes,
        bob.causes,
        carol.causes,
        b2bua.counters
    );
}

#[test]
fn two_leg_calls_at_ten_percent_loss_all_end_on_both_legs_and_leave_nothing() {
    let long = std::env::var_os("TANDEM_LONG").is_some_and(|value| value == "1");
    run(if long { 100_000 } else { 2_000 }, 0.1, 1);
}

#[test]
fn two_leg_calls_over_a_network_that_loses_two_in_five_end_too() {
    run(300, 0.4, 2);
}
