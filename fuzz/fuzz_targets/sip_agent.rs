//! Random steps of an agent and of a peer that says anything: nothing panics, every session ends once and nothing is
//! told of it afterwards, and when the application has hung up and time has passed, nothing is left.
#![no_main]

mod sip_peer;

use std::time::{Duration, Instant};

use arbitrary::Arbitrary;
use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use sip_core::header::NameAddr;
use sip_core::{Method, Request, Response, StatusCode};
use sip_peer::{Peer, SDP, Say, address};
use sip_transaction::agent::{Agent, Config, Credentials, Event, Invite, Output, SessionId};
use sip_transaction::{Input, ListenerConfig, ListenerId, ServerId, Target, Transport};

#[derive(Arbitrary, Debug)]
enum Step {
    Say(Say),
    Invite { to: u8, offer: bool, credentials: bool },
    Command { pick: u8, command: u8, status: u16, sdp: bool },
    Respond { status: u16 },
    Pass { millis: u16 },
}

struct World {
    agent: Agent,
    listener: ListenerId,
    now: Instant,
    peer: Peer,
    sessions: Vec<SessionId>,
    requests: Vec<(ServerId, Request)>,
}

impl World {
    fn drain(&mut self) {
        while let Some(output) = self.agent.poll_output() {
            match output {
                Output::Datagram { destination, payload, .. } => self.peer.remember(destination, payload),
                Output::Event(Event::Incoming { session, .. }) => {
                    assert!(!self.sessions.contains(&session));
                    self.sessions.push(session);
                }
                Output::Event(Event::Ended { session, .. }) => {
                    let place = self.sessions.iter().position(|known| *known == session);
                    self.sessions.swap_remove(place.expect("a session ends once"));
                }
                Output::Event(Event::InDialog { id, request, .. } | Event::Request { id, request, .. }) => {
                    self.requests.push((id, request));
                }
                Output::Event(event) => {
                    if let Some(session) = event.session() {
                        assert!(self.sessions.contains(&session), "told after the end: {event:?}");
                    }
                }
                Output::Connect { .. } | Output::Write { .. } | Output::Close { .. } | Output::Query { .. } => {}
            }
        }
    }

    fn pass(&mut self, span: Duration) {
        let end = self.now + span;
        while let Some(at) = self.agent.poll_timeout().filter(|at| *at <= end) {
            self.now = self.now.max(at);
            self.agent.handle_timeout(self.now);
            self.drain();
        }
        self.now = end;
    }

    fn step(&mut self, step: Step) {
        let now = self.now;
        match step {
            Step::Say(say) => {
                if let Some((source, payload)) = self.peer.say(say) {
                    self.agent.handle_input(
                        now,
                        Input::Datagram { listener: self.listener, source, payload, received: None },
                    );
                }
            }
            Step::Invite { to, offer, credentials } => {
                let Ok(uri) = "sip:b@192.0.2.2".parse::<sip_core::uri::Uri>() else { return };
                let who = NameAddr::new(uri.clone());
                let mut invite = Invite::new(Target::udp(address(to)), uri, who.clone(), who);
                invite.offer = offer.then(|| Bytes::from_static(SDP.as_bytes()));
                invite.credentials = credentials.then(|| Credentials::new("b", "s"));
                if let Ok(session) = self.agent.invite(now, invite) {
                    self.sessions.push(session);
                }
            }
            Step::Command { pick, command, status, sdp } => {
                let Some(session) = self.sessions.get(usize::from(pick) % self.sessions.len().max(1)).copied() else {
                    return;
                };
                let Some(status) = StatusCode::new(100 + status % 600) else { return };
                let body = sdp.then(|| Bytes::from_static(SDP.as_bytes()));
                let agent = &mut self.agent;
                let _ = match command % 11 {
                    0 => agent.provisional(now, session, status, body, &[]),
                    1 | 2 => agent.answer(now, session, body, &[]),
                    3 => agent.reject(now, session, status, &[]),
                    4 => agent.hangup(now, session, &[]),
                    5 => agent.acknowledge(now, session, body),
                    6 => agent.reinvite(now, session, body, Vec::new()),
                    7 => agent.update(now, session, Bytes::from_static(SDP.as_bytes()), Vec::new()),
                    8 => agent.answer_offer(now, session, body, &[]),
                    9 => agent.withdraw_offer(now, session).or_else(|_| agent.reject_offer(now, session, status, &[])),
                    _ => agent.request(now, session, Method::Info, &[], None).map(drop),
                };
            }
            Step::Respond { status } => {
                if let (Some((id, request)), Some(status)) = (self.requests.pop(), StatusCode::new(100 + status % 600))
                {
                    let _ = self.agent.respond(now, id, Response::to(&request, status).build());
                }
            }
            Step::Pass { millis } => self.pass(Duration::from_millis(u64::from(millis))),
        }
        self.drain();
    }
}

fuzz_target!(|steps: Vec<Step>| {
    let mut agent = Agent::new(Config { sessions: 16, ..Config::default() }, [1; 32]);
    let local = std::net::SocketAddr::from(([192, 0, 2, 1], 5060));
    let listener = agent.add_listener(ListenerConfig::new(Transport::Udp, local));
    agent.trust(address(0).ip());
    let mut world = World {
        agent,
        listener,
        now: Instant::now(),
        peer: Peer::default(),
        sessions: Vec::new(),
        requests: Vec::new(),
    };
    for step in steps.into_iter().take(200) {
        world.step(step);
    }
    for session in world.sessions.clone() {
        let _ = world.agent.hangup(world.now, session, &[]);
    }
    world.drain();
    world.pass(Duration::from_secs(600));
    assert!(world.sessions.is_empty(), "{:?} never ended", world.sessions);
    let snapshot = world.agent.snapshot();
    let connections = snapshot.endpoint.connections;
    assert!(snapshot.is_idle() || connections > 0, "{snapshot:#?}");
});
