//! Random steps of a B2BUA, its application, and peers that say anything: nothing panics, every call ends once, and when
//! the application has hung up and time has passed, no session, call or timer is left.
#![no_main]

mod sip_peer;

use std::time::{Duration, Instant};

use arbitrary::Arbitrary;
use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use sip_core::header::NameAddr;
use sip_core::{Response, StatusCode};
use sip_peer::{Peer, SDP, Say, address};
use sip_proxy::b2bua::{self, B2bua, CallId, DescriptionId, Plan};
use sip_transaction::agent::{Agent, Config, Event, Invite, Output};
use sip_transaction::{Input, ListenerConfig, ListenerId, Target, Transport};

#[derive(Arbitrary, Debug)]
enum Step {
    Say(Say),
    Forward { pick: u8 },
    Refuse { pick: u8, status: u16 },
    Fork { pick: u8, to: u8 },
    Hangup { pick: u8 },
    Pass { millis: u16 },
}

struct World {
    agent: Agent,
    b2bua: B2bua,
    listener: ListenerId,
    now: Instant,
    peer: Peer,
    calls: Vec<CallId>,
    held: Vec<(CallId, DescriptionId)>,
    count: u8,
}

fn invite(to: u8) -> Option<Invite> {
    let uri: sip_core::uri::Uri = "sip:b@192.0.2.2".parse().ok()?;
    let who = NameAddr::new(uri.clone());
    Some(Invite::new(Target::udp(address(to)), uri, who.clone(), who))
}

impl World {
    fn drain(&mut self) {
        while let Some(output) = self.agent.poll_output() {
            let event = match output {
                Output::Datagram { destination, payload, .. } => {
                    self.peer.remember(destination, payload);
                    continue;
                }
                Output::Event(event) => event,
                Output::Connect { .. } | Output::Write { .. } | Output::Close { .. } | Output::Query { .. } => continue,
            };
            match self.b2bua.handle_event(self.now, &mut self.agent, event) {
                Some(Event::Incoming { session, request, sdp, .. }) => {
                    self.count = self.count.wrapping_add(1);
                    let plan = Plan {
                        branches: (0..self.count % 4).filter_map(invite).collect(),
                        offer: sdp,
                        ring: Some(Duration::from_secs(20)),
                        trusted: false,
                    };
                    match self.b2bua.connect(self.now, &mut self.agent, session, &request, plan) {
                        Ok(call) => self.calls.push(call),
                        Err(error) => {
                            let _ = self.agent.reject(self.now, session, error.status(), &[]);
                        }
                    }
                }
                Some(Event::InDialog { id, request, .. } | Event::Request { id, request, .. }) => {
                    let response = Response::to(&request, StatusCode::NOT_IMPLEMENTED).build();
                    let _ = self.agent.respond(self.now, id, response);
                }
                _ => {}
            }
            self.events();
        }
        self.events();
    }

    fn events(&mut self) {
        while let Some(event) = self.b2bua.poll_event() {
            match event {
                b2bua::Event::Description { call, id, .. } => self.held.push((call, id)),
                b2bua::Event::Ended { call, .. } => {
                    let place = self.calls.iter().position(|known| *known == call);
                    self.calls.swap_remove(place.expect("a call ends once"));
                }
                _ => {}
            }
        }
    }

    fn pass(&mut self, span: Duration) {
        let end = self.now + span;
        let next = |world: &Self| [world.agent.poll_timeout(), world.b2bua.poll_timeout()].into_iter().flatten().min();
        while let Some(at) = next(self).filter(|at| *at <= end) {
            self.now = self.now.max(at);
            self.agent.handle_timeout(self.now);
            self.b2bua.handle_timeout(self.now, &mut self.agent);
            self.drain();
        }
        self.now = end;
    }

    fn call(&self, pick: u8) -> Option<CallId> {
        self.calls.get(usize::from(pick) % self.calls.len().max(1)).copied()
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Say(say) => {
                if let Some((source, payload)) = self.peer.say(say) {
                    self.agent.handle_input(
                        self.now,
                        Input::Datagram { listener: self.listener, source, payload, received: None },
                    );
                }
            }
            Step::Forward { pick } if !self.held.is_empty() => {
                let (call, id) = self.held.swap_remove(usize::from(pick) % self.held.len());
                let sdp = Bytes::from_static(SDP.as_bytes());
                let _ = self.b2bua.forward(self.now, &mut self.agent, call, id, sdp);
            }
            Step::Refuse { pick, status } if !self.held.is_empty() => {
                let (call, id) = self.held.swap_remove(usize::from(pick) % self.held.len());
                if let Some(status) = StatusCode::new(300 + status % 400) {
                    let _ = self.b2bua.refuse(self.now, &mut self.agent, call, id, status);
                }
            }
            Step::Fork { pick, to } => {
                if let (Some(call), Some(invite)) = (self.call(pick), invite(to)) {
                    let _ = self.b2bua.fork(self.now, &mut self.agent, call, invite);
                }
            }
            Step::Hangup { pick } => {
                if let Some(call) = self.call(pick) {
                    self.b2bua.hangup(self.now, &mut self.agent, call).expect("the call is alive");
                }
            }
            Step::Pass { millis } => self.pass(Duration::from_millis(u64::from(millis))),
            Step::Forward { .. } | Step::Refuse { .. } => {}
        }
        self.drain();
    }
}

fuzz_target!(|steps: Vec<Step>| {
    let mut agent = Agent::new(Config { sessions: 32, ..Config::default() }, [1; 32]);
    let local = std::net::SocketAddr::from(([192, 0, 2, 1], 5060));
    let listener = agent.add_listener(ListenerConfig::new(Transport::Udp, local));
    for peer in 0..3 {
        agent.trust(address(peer).ip());
    }
    let mut world = World {
        agent,
        b2bua: B2bua::new(b2bua::Config { calls: 8, ..b2bua::Config::default() }),
        listener,
        now: Instant::now(),
        peer: Peer::default(),
        calls: Vec::new(),
        held: Vec::new(),
        count: 0,
    };
    for step in steps.into_iter().take(200) {
        world.step(step);
    }
    for call in world.calls.clone() {
        let _ = world.b2bua.hangup(world.now, &mut world.agent, call);
    }
    world.drain();
    world.pass(Duration::from_secs(600));
    assert!(world.calls.is_empty(), "{:?} never ended", world.calls);
    let (agent, b2bua) = (world.agent.snapshot(), world.b2bua.snapshot());
    assert!(b2bua.is_idle(), "{b2bua:#?}");
    assert!(agent.is_idle() || agent.endpoint.connections > 0, "{agent:#?}");
});
