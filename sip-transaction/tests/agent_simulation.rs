//! Agents call one another over a bad network: every call ends on both sides, and every table is empty in the end.

mod agent_support;

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use agent_support::{ANSWER, OFFER, address, sdp};
use bytes::Bytes;
use netsim::{Arrival, Conditions, Network, Node, Simulation};
use sip_core::{Method, Response, StatusCode};
use sip_transaction::agent::{Agent, Cause, Config, Event, Invite, Output, SessionId};
use sip_transaction::{Input, ListenerConfig, ListenerId, Target, Transport};

/// What is to be done to a session later.
#[derive(Debug, Clone, Copy)]
enum Deed {
    Ring,
    Answer,
    Reject,
    Hold,
    Info,
    Hangup,
}

/// An agent that does with its calls what a number in the request says.
struct Phone {
    agent: Agent,
    listener: ListenerId,
    address: SocketAddr,
    agenda: std::collections::BTreeMap<(Instant, u64), (SessionId, Deed)>,
    order: u64,
    now: Instant,
    alive: HashSet<SessionId>,
    begun: u64,
    causes: HashMap<&'static str, u64>,
}

impl Phone {
    fn new(address: &str, seed: u8, now: Instant) -> Self {
        let address = address.parse().unwrap();
        let mut agent = Agent::new(Config::default(), [seed; 32]);
        let listener = agent.add_listener(ListenerConfig::new(Transport::Udp, address));
        Self {
            agent,
            listener,
            address,
            agenda: Default::default(),
            order: 0,
            now,
            alive: HashSet::new(),
            begun: 0,
            causes: HashMap::new(),
        }
    }

    fn plan(&mut self, after: u64, session: SessionId, deed: Deed) {
        self.order += 1;
        self.agenda.insert((self.now + Duration::from_millis(after), self.order), (session, deed));
    }

    /// `number` says how the call goes.
    fn call(&mut self, now: Instant, to: SocketAddr, number: u64) {
        self.now = now;
        let uri = format!("sip:{number}@{to}");
        let mut invite =
            Invite::new(Target::udp(to), uri.parse().unwrap(), address("sip:a@example.com"), address(&uri));
        if !number.is_multiple_of(5) {
            invite.offer = sdp(OFFER);
        }
        let session = self.agent.invite(now, invite).unwrap();
        self.alive.insert(session);
        self.begun += 1;
        match number % 7 {
            // Given up at some time around the answer.
            0 => self.plan(number * 37 % 900, session, Deed::Hangup),
            1 => self.plan(2_000, session, Deed::Hold),
            2 => self.plan(1_500, session, Deed::Info),
            _ => {}
        }
        self.plan(4_000 + number * 13 % 4_000, session, Deed::Hangup);
    }

    fn perform(&mut self, session: SessionId, deed: Deed) {
        let now = self.now;
        // What the session does not allow any more is refused; that is part of the game.
        let _ = match deed {
            Deed::Ring => self.agent.provisional(now, session, StatusCode::RINGING, None, &[]),
            Deed::Answer => self.agent.answer(now, session, sdp(ANSWER), &[]),
            Deed::Reject => self.agent.reject(now, session, StatusCode::BUSY_HERE, &[]),
            Deed::Hold => self.agent.reinvite(now, session, sdp(OFFER), Vec::new()),
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
                let number: u64 = std::str::from_utf8(&user).unwrap().parse().unwrap();
                if !number.is_multiple_of(3) {
                    self.plan(number % 200, session, Deed::Ring);
                }
                match number % 11 {
                    0 => self.plan(300, session, Deed::Reject),
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
                    _ => self.plan(number * 29 % 1_000, session, Deed::Answer),
                }
            }
            Event::Answered { session, owing: true, .. } | Event::OfferAnswered { session, owing: true, .. } => {
                let _ = self.agent.acknowledge(self.now, session, sdp(ANSWER));
            }
            Event::Offer { session, .. } => {
                let _ = self.agent.answer_offer(self.now, session, sdp(ANSWER), &[]);
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

impl Node for Phone {
    fn owns(&self, address: SocketAddr) -> bool {
        address == self.address
    }

    fn arrive(&mut self, now: Instant, arrival: Arrival) {
        self.now = now;
        if let Arrival::Datagram { from, payload, .. } = arrival {
            let payload = Bytes::from(payload);
            self.agent
                .handle_input(now, Input::Datagram { listener: self.listener, source: from, payload, received: None });
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
                Output::Datagram { destination, payload, .. } => {
                    network.send(now, self.address, destination, payload);
                }
                Output::Event(event) => self.on_event(event),
                other => panic!("only datagrams here: {other:?}"),
            }
        }
    }
}

fn run(calls: u64, loss: f64, seed: u64) -> (Phone, Phone, Duration) {
    let mut simulation = Simulation::new(seed, Conditions::bad(loss));
    let start = simulation.now();
    let mut alice = Phone::new("192.0.2.1:5060", 1, start);
    let mut bob = Phone::new("192.0.2.2:5060", 2, start);
    alice.agent.trust(bob.address.ip());
    bob.agent.trust(alice.address.ip());
    for number in 0..calls {
        alice.call(simulation.now(), bob.address, number);
        simulation.run_for(&mut [&mut alice, &mut bob], Duration::from_millis(10));
    }
    simulation.run_until_quiet(&mut [&mut alice, &mut bob], Duration::from_secs(600));
    let elapsed = simulation.elapsed();
    for phone in [&alice, &bob] {
        let snapshot = phone.agent.snapshot();
        assert!(phone.alive.is_empty(), "{} calls never ended: {snapshot:#?}", phone.alive.len());
        assert!(snapshot.is_idle(), "{snapshot:#?}");
        assert_eq!(snapshot.counters.ended, phone.begun);
    }
    eprintln!("loss {loss}: {calls} calls, caller {:?}, callee {:?}, {elapsed:?} simulated", alice.causes, bob.causes);
    (alice, bob, elapsed)
}

#[test]
fn ten_thousand_calls_at_ten_percent_loss_all_end_and_leave_nothing() {
    let (alice, bob, _) = run(10_000, 0.1, 1);
    assert_eq!(alice.begun, 10_000);
    // Two in eleven end early by themselves, one in seven is given up; nearly all others must be answered.
    let answered = alice.agent.snapshot().counters.answered;
    assert!(answered > 7_000, "only {answered} were answered");
    assert!(alice.agent.snapshot().counters.acks_resent > 500, "ACKs were lost and sent again");
    assert!(bob.agent.snapshot().counters.answers_resent > 1_000, "2xx were sent again");
    assert!(alice.agent.snapshot().counters.glare > 10, "offers crossed");
}

#[test]
fn calls_over_a_network_that_loses_two_in_five_end_too() {
    run(500, 0.4, 2);
}

#[test]
fn calls_over_a_perfect_network_are_acknowledged_at_once() {
    let mut simulation = Simulation::new(3, Conditions { delay: Duration::from_millis(10), ..Conditions::PERFECT });
    let mut alice = Phone::new("192.0.2.1:5060", 1, simulation.now());
    let mut bob = Phone::new("192.0.2.2:5060", 2, simulation.now());
    for number in 0..500 {
        alice.call(simulation.now(), bob.address, number);
        simulation.run_for(&mut [&mut alice, &mut bob], Duration::from_millis(10));
    }
    assert!(simulation.run_until_quiet(&mut [&mut alice, &mut bob], Duration::from_secs(300)));
    for phone in [&alice, &bob] {
        let snapshot = phone.agent.snapshot();
        assert!(snapshot.is_idle(), "{snapshot:#?}");
        assert_eq!(snapshot.counters.not_acknowledged, 0);
        assert_eq!(snapshot.counters.unknown_dialog, 0);
        assert!(!phone.causes.contains_key("timeout"), "{:?}", phone.causes);
    }
}
