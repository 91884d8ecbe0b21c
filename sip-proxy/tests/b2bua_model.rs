//! Random steps of three phones, the B2BUA's application and the network: every call ends on every leg, once, and
//! nothing is left in the end.

mod b2bua_support;

use std::time::Duration;

use b2bua_support::{Phone, Stage, sdp, status};
use bytes::Bytes;
use netsim::Conditions;
use proptest::collection::vec;
use proptest::prelude::*;
use sip_core::{Method, Response};
use sip_proxy::b2bua::{self, CallId, DescriptionId};
use sip_transaction::agent::{Event, SessionId};

#[derive(Debug, Clone)]
enum Step {
    Call { user: u8, offer: bool },
    Command { phone: u8, pick: u8, command: Command },
    Respond { phone: u8 },
    Forward { pick: u8 },
    Refuse { pick: u8 },
    Hangup { pick: u8 },
    Loss { share: u8 },
    Run { milliseconds: u16 },
}

#[derive(Debug, Clone, Copy)]
enum Command {
    Provisional(u16, bool),
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
    Refer,
}

fn command() -> impl Strategy<Value = Command> {
    prop_oneof![
        1 => (180u16..184, any::<bool>()).prop_map(|(code, early)| Command::Provisional(code, early)),
        4 => any::<bool>().prop_map(Command::Answer),
        1 => (300u16..700).prop_map(Command::Reject),
        1 => Just(Command::Hangup),
        1 => Just(Command::Acknowledge),
        1 => any::<bool>().prop_map(Command::Reinvite),
        1 => Just(Command::Update),
        2 => Just(Command::AnswerOffer),
        1 => Just(Command::RejectOffer),
        1 => Just(Command::WithdrawOffer),
        1 => Just(Command::Info),
        1 => Just(Command::Refer),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        2 => (any::<u8>(), any::<bool>()).prop_map(|(user, offer)| Step::Call { user, offer }),
        8 => (any::<u8>(), any::<u8>(), command())
            .prop_map(|(phone, pick, command)| Step::Command { phone, pick, command }),
        1 => any::<u8>().prop_map(|phone| Step::Respond { phone }),
        4 => any::<u8>().prop_map(|pick| Step::Forward { pick }),
        1 => any::<u8>().prop_map(|pick| Step::Refuse { pick }),
        1 => any::<u8>().prop_map(|pick| Step::Hangup { pick }),
        1 => (0u8..50).prop_map(|share| Step::Loss { share }),
        8 => (0u16..3_000).prop_map(|milliseconds| Step::Run { milliseconds }),
    ]
}

struct World {
    stage: Stage,
    sessions: [Vec<SessionId>; 3],
    requests: [Vec<(sip_transaction::ServerId, sip_core::Request)>; 3],
    held: Vec<(CallId, DescriptionId)>,
    calls: Vec<CallId>,
}

fn phone(stage: &mut Stage, index: usize) -> &mut Phone {
    match index {
        0 => &mut stage.alice,
        1 => &mut stage.bob,
        _ => &mut stage.carol,
    }
}

impl World {
    fn new() -> Self {
        let mut stage = Stage::new();
        stage.pbx.hold = true;
        stage.pbx.ring = Duration::from_secs(5);
        stage.simulation.network.is_recording = false;
        Self {
            stage,
            sessions: [Vec::new(), Vec::new(), Vec::new()],
            requests: [Vec::new(), Vec::new(), Vec::new()],
            held: Vec::new(),
            calls: Vec::new(),
        }
    }

    fn settle(&mut self) {
        for index in 0..3 {
            while let Some(event) = phone(&mut self.stage, index).events.pop_front() {
                match event {
                    Event::Incoming { session, .. } => self.sessions[index].push(session),
                    Event::InDialog { id, request, .. } => self.requests[index].push((id, request)),
                    Event::Ended { session, .. } => {
                        let place = self.sessions[index].iter().position(|known| *known == session);
                        self.sessions[index].swap_remove(place.expect("a session ends once"));
                    }
                    _ => {}
                }
            }
        }
        self.calls.append(&mut self.stage.pbx.calls);
        let mut ended = Vec::new();
        for event in self.stage.pbx.events.drain(..) {
            match event {
                b2bua::Event::Description { call, id, .. } => self.held.push((call, id)),
                b2bua::Event::Ended { call, .. } => ended.push(call),
                b2bua::Event::Progress { call, .. }
                | b2bua::Event::Answered { call, .. }
                | b2bua::Event::Up { call }
                | b2bua::Event::BranchFailed { call, .. } => {
                    assert!(!ended.contains(&call), "told after the end");
                }
                other => panic!("{other:?}"),
            }
        }
        for call in ended {
            let place = self.calls.iter().position(|known| *known == call);
            self.calls.swap_remove(place.expect("a call ends once"));
            self.held.retain(|(other, _)| *other != call);
        }
    }

    fn run(&mut self, span: Duration) {
        self.stage.run(span);
        self.settle();
    }

    fn step(&mut self, step: Step) {
        let now = self.stage.now();
        match step {
            Step::Call { user, offer } => {
                let user = ["bob", "both", "nobody"][usize::from(user) % 3];
                let mut invite = self.stage.alice.invite(user);
                invite.offer = offer.then(|| sdp("alice"));
                let session = self.stage.alice.agent.invite(now, invite).unwrap();
                self.sessions[0].push(session);
            }
            Step::Command { phone: index, pick, command } => {
                let index = usize::from(index) % 3;
                if self.sessions[index].is_empty() {
                    return;
                }
                let session = self.sessions[index][usize::from(pick) % self.sessions[index].len()];
                let agent = &mut phone(&mut self.stage, index).agent;
                // Most are refused in most states; refusing is all that they may do then.
                let _ = match command {
                    Command::Provisional(code, early) => {
                        agent.provisional(now, session, status(code), early.then(|| sdp("early")), &[])
                    }
                    Command::Answer(with) => agent.answer(now, session, with.then(|| sdp("answer")), &[]),
                    Command::Reject(code) => agent.reject(now, session, status(code), &[]),
                    Command::Hangup => agent.hangup(now, session, &[]),
                    Command::Acknowledge => agent.acknowledge(now, session, Some(sdp("late"))),
                    Command::Reinvite(with) => agent.reinvite(now, session, with.then(|| sdp("hold")), Vec::new()),
                    Command::Update => agent.update(now, session, sdp("update"), Vec::new()),
                    Command::AnswerOffer => agent.answer_offer(now, session, Some(sdp("held")), &[]),
                    Command::RejectOffer => agent.reject_offer(now, session, status(488), &[]),
                    Command::WithdrawOffer => agent.withdraw_offer(now, session),
                    Command::Info => {
                        let body = Some(("application/dtmf-relay", Bytes::from_static(b"Signal=1\r\n")));
                        agent.request(now, session, Method::Info, &[], body).map(drop)
                    }
                    Command::Refer => agent.request(now, session, Method::Refer, &[], None).map(drop),
                };
            }
            Step::Respond { phone: index } => {
                let index = usize::from(index) % 3;
                if let Some((id, request)) = self.requests[index].pop() {
                    let response = Response::to(&request, status(200)).build();
                    let _ = phone(&mut self.stage, index).agent.respond(now, id, response);
                }
            }
            Step::Forward { pick } if !self.held.is_empty() => {
                let (call, id) = self.held.swap_remove(usize::from(pick) % self.held.len());
                let pbx = &mut self.stage.pbx;
                let _ = pbx.b2bua.forward(now, &mut pbx.agent, call, id, sdp("relayed"));
                pbx.take_events(now);
            }
            Step::Refuse { pick } if !self.held.is_empty() => {
                let (call, id) = self.held.swap_remove(usize::from(pick) % self.held.len());
                let pbx = &mut self.stage.pbx;
                let _ = pbx.b2bua.refuse(now, &mut pbx.agent, call, id, status(488));
                pbx.take_events(now);
            }
            Step::Hangup { pick } if !self.calls.is_empty() => {
                let call = self.calls[usize::from(pick) % self.calls.len()];
                let pbx = &mut self.stage.pbx;
                pbx.b2bua.hangup(now, &mut pbx.agent, call).expect("the call is alive");
                pbx.take_events(now);
            }
            Step::Loss { share } => {
                self.stage.simulation.network.conditions = Conditions::bad(f64::from(share) / 100.0);
            }
            Step::Run { milliseconds } => self.stage.run(Duration::from_millis(u64::from(milliseconds))),
            Step::Forward { .. } | Step::Refuse { .. } | Step::Hangup { .. } => {}
        }
        self.settle();
    }

    fn finish(&mut self) {
        self.stage.simulation.network.conditions = Conditions::bad(0.0);
        for _ in 0..2 {
            self.run(Duration::from_secs(1));
            let now = self.stage.now();
            for index in 0..3 {
                for session in self.sessions[index].clone() {
                    let _ = phone(&mut self.stage, index).agent.hangup(now, session, &[]);
                }
            }
            self.run(Duration::from_secs(100));
        }
        self.run(Duration::from_secs(400));
        assert!(self.calls.is_empty(), "{:?} never ended", self.calls);
        assert!(self.sessions.iter().all(Vec::is_empty), "{:?} never ended", self.sessions);
        self.stage.assert_idle();
    }
}

/// As many cases as `PROPTEST_CASES` says, or few: each lives through minutes of four agents' time.
fn config() -> ProptestConfig {
    let config = ProptestConfig::default();
    let cases = if std::env::var_os("PROPTEST_CASES").is_some() { config.cases } else { 64 };
    ProptestConfig { cases, ..config }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn whatever_the_phones_do_every_call_ends_on_every_leg_and_nothing_is_left(steps in vec(step(), 1..60)) {
        let mut world = World::new();
        for step in steps {
            world.step(step);
        }
        world.finish();
    }
}
