//! Random steps of two agents and of the network between them: nothing panics, each session ends once, and nothing is
//! left in the end.

mod agent_support;

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use agent_support::{ANSWER, OFFER, address, sdp, status};
use bytes::Bytes;
use proptest::collection::vec;
use proptest::prelude::*;
use sip_core::{Method, Response};
use sip_transaction::agent::{Agent, Config, Event, Invite, Output, SessionId};
use sip_transaction::{Input, ListenerConfig, ListenerId, ServerId, Target, Transport};

#[derive(Debug, Clone)]
enum Step {
    Invite { side: bool, offer: bool },
    Command { side: bool, pick: u8, command: Command },
    Respond { side: bool, pick: u8 },
    Deliver { pick: u8 },
    DeliverAll,
    Duplicate { pick: u8 },
    Lose { pick: u8 },
    Stray { side: bool, pick: u8, cut: u16 },
    Wait { milliseconds: u16 },
}

#[derive(Debug, Clone, Copy)]
enum Command {
    Provisional(u16),
    Answer(bool),
    Reject(u16),
    Hangup,
    Acknowledge,
    Reinvite(bool),
    Update,
    AnswerOffer,
    RejectOffer,
    WithdrawOffer,
    Info,
}

fn command() -> impl Strategy<Value = Command> {
    prop_oneof![
        (100u16..200).prop_map(Command::Provisional),
        any::<bool>().prop_map(Command::Answer),
        (200u16..700).prop_map(Command::Reject),
        Just(Command::Hangup),
        Just(Command::Acknowledge),
        any::<bool>().prop_map(Command::Reinvite),
        Just(Command::Update),
        Just(Command::AnswerOffer),
        Just(Command::RejectOffer),
        Just(Command::WithdrawOffer),
        Just(Command::Info),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        2 => (any::<bool>(), any::<bool>()).prop_map(|(side, offer)| Step::Invite { side, offer }),
        8 => (any::<bool>(), any::<u8>(), command())
            .prop_map(|(side, pick, command)| Step::Command { side, pick, command }),
        1 => (any::<bool>(), any::<u8>()).prop_map(|(side, pick)| Step::Respond { side, pick }),
        4 => any::<u8>().prop_map(|pick| Step::Deliver { pick }),
        6 => Just(Step::DeliverAll),
        1 => any::<u8>().prop_map(|pick| Step::Duplicate { pick }),
        1 => any::<u8>().prop_map(|pick| Step::Lose { pick }),
        1 => (any::<bool>(), any::<u8>(), any::<u16>()).prop_map(|(side, pick, cut)| Step::Stray { side, pick, cut }),
        2 => (0u16..5_000).prop_map(|milliseconds| Step::Wait { milliseconds }),
    ]
}

struct Side {
    agent: Agent,
    listener: ListenerId,
    sessions: Vec<SessionId>,
    requests: Vec<(ServerId, sip_core::Request)>,
}

struct World {
    sides: [Side; 2],
    /// What is on its way, and to which side.
    wires: VecDeque<(usize, Bytes)>,
    /// Everything that ever was, for strays.
    history: Vec<Bytes>,
    now: Instant,
}

const ADDRESSES: [&str; 2] = ["192.0.2.1:5060", "192.0.2.2:5060"];

impl World {
    fn new() -> Self {
        let sides = [0, 1].map(|side: usize| {
            let mut agent = Agent::new(Config { sessions: 8, ..Config::default() }, [side as u8 + 1; 32]);
            let local = ADDRESSES[side].parse().unwrap();
            let listener = agent.add_listener(ListenerConfig::new(Transport::Udp, local));
            agent.trust(ADDRESSES[1 - side].parse::<std::net::SocketAddr>().unwrap().ip());
            Side { agent, listener, sessions: Vec::new(), requests: Vec::new() }
        });
        #[expect(clippy::disallowed_methods, reason = "the virtual clock begins somewhere")]
        let now = Instant::now();
        Self { sides, wires: VecDeque::new(), history: Vec::new(), now }
    }

    fn drain(&mut self) {
        for index in 0..2 {
            let side = &mut self.sides[index];
            while let Some(output) = side.agent.poll_output() {
                match output {
                    Output::Datagram { payload, .. } => {
                        if self.history.len() < 256 {
                            self.history.push(payload.clone());
                        }
                        self.wires.push_back((1 - index, payload));
                    }
                    Output::Event(Event::Incoming { session, .. }) => side.sessions.push(session),
                    Output::Event(Event::InDialog { id, request, .. } | Event::Request { id, request, .. }) => {
                        side.requests.push((id, request));
                    }
                    Output::Event(Event::Ended { session, .. }) => {
                        let place = side.sessions.iter().position(|known| *known == session);
                        side.sessions.swap_remove(place.expect("a session ends once, after it began"));
                    }
                    Output::Event(event) => {
                        if let Some(session) = event.session() {
                            assert!(side.sessions.contains(&session), "told after the end: {event:?}");
                        }
                    }
                    other => panic!("only datagrams here: {other:?}"),
                }
            }
        }
    }

    fn deliver(&mut self, place: usize) {
        if let Some((to, payload)) = self.wires.remove(place) {
            let side = &mut self.sides[to];
            let source = ADDRESSES[1 - to].parse().unwrap();
            side.agent
                .handle_input(self.now, Input::Datagram { listener: side.listener, source, payload, received: None });
            self.drain();
        }
    }

    fn deliver_all(&mut self) {
        for _ in 0..1_000 {
            if self.wires.is_empty() {
                return;
            }
            self.deliver(0);
        }
        panic!("the two never fall silent");
    }

    fn wait(&mut self, span: Duration, deliver: bool) {
        let end = self.now + span;
        loop {
            let next = self.sides.iter().filter_map(|side| side.agent.poll_timeout()).min();
            let Some(at) = next.filter(|at| *at <= end) else { break };
            self.now = self.now.max(at);
            for side in &mut self.sides {
                side.agent.handle_timeout(self.now);
            }
            self.drain();
            if deliver {
                self.deliver_all();
            }
        }
        self.now = end;
    }

    fn command(&mut self, side: usize, pick: u8, command: Command) {
        let now = self.now;
        let side = &mut self.sides[side];
        if side.sessions.is_empty() {
            return;
        }
        let session = side.sessions[usize::from(pick) % side.sessions.len()];
        let agent = &mut side.agent;
        // Most are refused in most states; refusing is all that they may do then.
        let _ = match command {
            Command::Provisional(code) => agent.provisional(now, session, status(code), sdp(ANSWER), &[]),
            Command::Answer(with) => agent.answer(now, session, with.then(|| sdp(ANSWER)).flatten(), &[]),
            Command::Reject(code) => agent.reject(now, session, status(code), &[]),
            Command::Hangup => agent.hangup(now, session, &[]),
            Command::Acknowledge => agent.acknowledge(now, session, sdp(ANSWER)),
            Command::Reinvite(with) => agent.reinvite(now, session, with.then(|| sdp(OFFER)).flatten(), Vec::new()),
            Command::Update => agent.update(now, session, Bytes::from(OFFER), Vec::new()),
            Command::AnswerOffer => agent.answer_offer(now, session, sdp(ANSWER), &[]),
            Command::RejectOffer => agent.reject_offer(now, session, status(488), &[]),
            Command::WithdrawOffer => agent.withdraw_offer(now, session),
            Command::Info => agent.request(now, session, Method::Info, &[], None).map(drop),
        };
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Invite { side, offer } => {
                let (side, other) = (usize::from(side), usize::from(!side));
                let uri = format!("sip:x@{}", ADDRESSES[other]);
                let target = Target::udp(ADDRESSES[other].parse().unwrap());
                let mut invite = Invite::new(target, uri.parse().unwrap(), address("sip:a@example.com"), address(&uri));
                invite.offer = offer.then(|| sdp(OFFER)).flatten();
                let side = &mut self.sides[side];
                if let Ok(session) = side.agent.invite(self.now, invite) {
                    side.sessions.push(session);
                }
            }
            Step::Command { side, pick, command } => self.command(usize::from(side), pick, command),
            Step::Respond { side, pick } => {
                let side = &mut self.sides[usize::from(side)];
                if !side.requests.is_empty() {
                    let place = usize::from(pick) % side.requests.len();
                    let (id, request) = side.requests.swap_remove(place);
                    // Its call may have ended, and with it the request.
                    let _ = side.agent.respond(self.now, id, Response::to(&request, status(200)).build());
                }
            }
            Step::Deliver { pick } if !self.wires.is_empty() => self.deliver(usize::from(pick) % self.wires.len()),
            Step::DeliverAll => self.deliver_all(),
            Step::Duplicate { pick } if !self.wires.is_empty() => {
                let copy = self.wires[usize::from(pick) % self.wires.len()].clone();
                self.wires.push_back(copy);
            }
            Step::Lose { pick } if !self.wires.is_empty() => {
                self.wires.remove(usize::from(pick) % self.wires.len());
            }
            Step::Stray { side, pick, cut } if !self.history.is_empty() => {
                let message = &self.history[usize::from(pick) % self.history.len()];
                // Whole, or cut short.
                let length = if cut.is_multiple_of(3) { message.len() } else { usize::from(cut) % message.len() };
                self.wires.push_back((usize::from(side), message.slice(..length)));
            }
            Step::Wait { milliseconds } => self.wait(Duration::from_millis(u64::from(milliseconds)), false),
            Step::Deliver { .. } | Step::Duplicate { .. } | Step::Lose { .. } | Step::Stray { .. } => {}
        }
        self.drain();
    }

    /// Everybody hangs up, and the network works again.
    fn finish(&mut self) {
        for _ in 0..2 {
            for index in 0..2 {
                for session in self.sides[index].sessions.clone() {
                    let _ = self.sides[index].agent.hangup(self.now, session, &[]);
                }
            }
            self.drain();
            self.deliver_all();
            self.wait(Duration::from_secs(100), true);
        }
        self.wait(Duration::from_secs(400), true);
        for side in &self.sides {
            let snapshot = side.agent.snapshot();
            assert!(side.sessions.is_empty(), "{} sessions never ended: {snapshot:#?}", side.sessions.len());
            assert!(snapshot.is_idle(), "{snapshot:#?}");
        }
    }
}

proptest! {
    #[test]
    fn whatever_two_agents_do_every_session_ends_and_nothing_is_left(steps in vec(step(), 1..80)) {
        let mut world = World::new();
        for step in steps {
            world.step(step);
        }
        world.finish();
    }
}
