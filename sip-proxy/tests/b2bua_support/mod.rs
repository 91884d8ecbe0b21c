//! A stage for two-leg calls: phones, a B2BUA between them, and a network on a virtual clock.
#![allow(dead_code, reason = "each test file uses its own part")]
#![allow(unreachable_pub, reason = "each test file is a crate of its own")]
#![allow(missing_docs, reason = "test support")]

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use netsim::{Arrival, Conditions, Network, Node, Sent, Simulation};
use sip_core::header::NameAddr;
use sip_core::uri::Uri;
use sip_core::{Request, Response, StatusCode};
use sip_proxy::b2bua::{self, B2bua, CallId, Leg, Plan, Role};
use sip_transaction::agent::{Agent, Config, Credentials, Event, ExtraHeaders, Invite, Output, SessionId};
use sip_transaction::{Input, ListenerConfig, ListenerId, Target, Transport};

pub const PBX: &str = "192.0.2.1:5060";
pub const ALICE: &str = "192.0.2.2:5060";
pub const BOB: &str = "192.0.2.3:5060";
pub const CAROL: &str = "192.0.2.4:5060";

pub fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

pub fn status(code: u16) -> StatusCode {
    StatusCode::new(code).unwrap()
}

/// A description that names its maker.
pub fn sdp(name: &str) -> Bytes {
    Bytes::from(format!(
        "v=0\r\no={name} 1 1 IN IP4 192.0.2.9\r\ns=-\r\nc=IN IP4 192.0.2.9\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n"
    ))
}

/// What the B2BUA's relay makes of it.
pub fn relayed(name: &str) -> Bytes {
    relay(&sdp(name))
}

fn relay(sdp: &Bytes) -> Bytes {
    Bytes::from([sdp.as_ref(), b"a=relayed\r\n"].concat())
}

pub fn address(text: &str) -> NameAddr {
    NameAddr::new(text.parse::<Uri>().unwrap())
}

/// A phone that does what the test says.
pub struct Phone {
    pub agent: Agent,
    pub listener: ListenerId,
    pub address: SocketAddr,
    pub events: VecDeque<Event>,
    pub inbox: Vec<(Instant, Input)>,
}

impl Phone {
    pub fn new(address: &str, seed: u8) -> Self {
        let address: SocketAddr = address.parse().unwrap();
        let mut agent = Agent::new(Config::default(), [seed; 32]);
        let listener = agent.add_listener(ListenerConfig::new(Transport::Udp, address));
        agent.trust(PBX.parse::<SocketAddr>().unwrap().ip());
        Self { agent, listener, address, events: VecDeque::new(), inbox: Vec::new() }
    }

    pub fn invite(&self, user: &str) -> Invite {
        let uri = format!("sip:{user}@192.0.2.1");
        let mut invite = Invite::new(
            Target::udp(PBX.parse().unwrap()),
            uri.parse().unwrap(),
            address("sip:alice@192.0.2.1"),
            address(&uri),
        );
        invite.offer = Some(sdp("alice"));
        invite
    }

    pub fn event(&mut self) -> Event {
        self.events.pop_front().expect("an event")
    }

    pub fn no_event(&self) {
        assert!(self.events.is_empty(), "unexpected: {:?}", self.events[0]);
    }

    /// The call that came in.
    pub fn incoming(&mut self) -> (SessionId, Request, Option<Bytes>) {
        match self.event() {
            Event::Incoming { session, request, sdp, .. } => (session, request, sdp),
            other => panic!("{other:?}"),
        }
    }

    pub fn ended(&mut self) -> sip_transaction::agent::Cause {
        match self.event() {
            Event::Ended { cause, .. } => cause,
            other => panic!("{other:?}"),
        }
    }
}

impl Node for Phone {
    fn owns(&self, address: SocketAddr) -> bool {
        address == self.address
    }

    fn arrive(&mut self, now: Instant, arrival: Arrival) {
        if let Arrival::Datagram { from, payload, .. } = arrival {
            let input =
                Input::Datagram { listener: self.listener, source: from, payload: payload.into(), received: None };
            self.agent.handle_input(now, input);
        }
    }

    fn timeout(&mut self, now: Instant) {
        self.agent.handle_timeout(now);
    }

    fn next_timeout(&self) -> Option<Instant> {
        self.agent.poll_timeout()
    }

    fn flush(&mut self, now: Instant, network: &mut Network) {
        while let Some(output) = self.agent.poll_output() {
            match output {
                Output::Datagram { destination, payload, .. } => network.send(now, self.address, destination, payload),
                Output::Event(event) => self.events.push_back(event),
                other => panic!("only datagrams here: {other:?}"),
            }
        }
    }
}

/// A B2BUA that rings whoever its routes name, and relays media in name.
pub struct Pbx {
    pub agent: Agent,
    pub b2bua: B2bua,
    pub listener: ListenerId,
    pub address: SocketAddr,
    pub routes: HashMap<String, Vec<SocketAddr>>,
    pub ring: Duration,
    pub trusted: bool,
    pub credentials: Option<Credentials>,
    pub extra: ExtraHeaders,
    /// Descriptions to refuse.
    pub refuse: Option<(Role, StatusCode)>,
    /// Keep descriptions for the test to forward.
    pub hold: bool,
    pub calls: Vec<CallId>,
    pub events: Vec<b2bua::Event>,
    pub others: Vec<Event>,
}

impl Pbx {
    pub fn new(config: b2bua::Config) -> Self {
        let address = PBX.parse().unwrap();
        let mut agent = Agent::new(Config::default(), [9; 32]);
        let listener = agent.add_listener(ListenerConfig::new(Transport::Udp, address));
        for phone in [ALICE, BOB, CAROL] {
            agent.trust(phone.parse::<SocketAddr>().unwrap().ip());
        }
        Self {
            agent,
            b2bua: B2bua::new(config),
            listener,
            address,
            routes: HashMap::new(),
            ring: Duration::from_secs(30),
            trusted: false,
            credentials: None,
            extra: Vec::new(),
            refuse: None,
            hold: false,
            calls: Vec::new(),
            events: Vec::new(),
            others: Vec::new(),
        }
    }

    fn on_event(&mut self, now: Instant, event: Event) {
        match self.b2bua.handle_event(now, &mut self.agent, event) {
            Some(Event::Incoming { session, request, sdp, .. }) => self.connect(now, session, &request, sdp),
            Some(Event::InDialog { id, request, .. }) => {
                let response = Response::to(&request, StatusCode::NOT_IMPLEMENTED).build();
                self.agent.respond(now, id, response).unwrap();
            }
            Some(other) => self.others.push(other),
            None => {}
        }
        self.take_events(now);
    }

    pub fn take_events(&mut self, now: Instant) {
        while let Some(event) = self.b2bua.poll_event() {
            if let b2bua::Event::Description { call, id, role, sdp, .. } = &event
                && !self.hold
            {
                match self.refuse {
                    Some((refused, status)) if refused == *role => {
                        self.b2bua.refuse(now, &mut self.agent, *call, *id, status).unwrap();
                    }
                    _ => self.b2bua.forward(now, &mut self.agent, *call, *id, relay(sdp)).unwrap(),
                }
            }
            self.events.push(event);
        }
    }

    fn connect(&mut self, now: Instant, session: SessionId, request: &Request, sdp: Option<Bytes>) {
        let uri = request.uri().unwrap();
        let user = uri.as_sip().and_then(|uri| uri.user.clone()).unwrap_or_default();
        let user = String::from_utf8(user.to_vec()).unwrap();
        let targets = self.routes.get(&user).or_else(|| self.routes.get("*")).cloned().unwrap_or_default();
        let branches = targets.iter().map(|target| {
            let to = format!("sip:{user}@{target}");
            let mut invite =
                Invite::new(Target::udp(*target), to.parse().unwrap(), address("sip:caller@192.0.2.1"), address(&to));
            invite.credentials.clone_from(&self.credentials);
            invite.headers.clone_from(&self.extra);
            invite
        });
        let plan = Plan {
            branches: branches.collect(),
            offer: sdp.as_ref().map(relay),
            ring: Some(self.ring),
            trusted: self.trusted,
        };
        match self.b2bua.connect(now, &mut self.agent, session, request, plan) {
            Ok(call) => self.calls.push(call),
            Err(error) => self.agent.reject(now, session, error.status(), &[]).unwrap(),
        }
    }

    /// How the last call ended.
    pub fn end(&self) -> (Option<Leg>, sip_transaction::agent::Cause, Option<u16>) {
        let ends: Vec<_> = self
            .events
            .iter()
            .filter_map(|event| match event {
                b2bua::Event::Ended { by, cause, status, .. } => Some((*by, *cause, status.map(StatusCode::as_u16))),
                _ => None,
            })
            .collect();
        assert_eq!(ends.len(), self.calls.len(), "each call ends once");
        *ends.last().expect("the call ended")
    }

    pub fn has(&self, test: impl Fn(&b2bua::Event) -> bool) -> bool {
        self.events.iter().any(test)
    }
}

impl Node for Pbx {
    fn owns(&self, address: SocketAddr) -> bool {
        address == self.address
    }

    fn arrive(&mut self, now: Instant, arrival: Arrival) {
        if let Arrival::Datagram { from, payload, .. } = arrival {
            let input =
                Input::Datagram { listener: self.listener, source: from, payload: payload.into(), received: None };
            self.agent.handle_input(now, input);
        }
    }

    fn timeout(&mut self, now: Instant) {
        self.agent.handle_timeout(now);
        self.b2bua.handle_timeout(now, &mut self.agent);
        self.take_events(now);
    }

    fn next_timeout(&self) -> Option<Instant> {
        [self.agent.poll_timeout(), self.b2bua.poll_timeout()].into_iter().flatten().min()
    }

    fn flush(&mut self, now: Instant, network: &mut Network) {
        while let Some(output) = self.agent.poll_output() {
            match output {
                Output::Datagram { destination, payload, .. } => network.send(now, self.address, destination, payload),
                Output::Event(event) => self.on_event(now, event),
                other => panic!("only datagrams here: {other:?}"),
            }
        }
    }
}

/// Three phones and a B2BUA on a network that takes 5 ms.
pub struct Stage {
    pub simulation: Simulation,
    pub alice: Phone,
    pub bob: Phone,
    pub carol: Phone,
    pub pbx: Pbx,
}

impl Stage {
    pub fn new() -> Self {
        Self::with(b2bua::Config::default())
    }

    pub fn with(config: b2bua::Config) -> Self {
        let mut simulation = Simulation::new(1, Conditions { delay: ms(5), ..Conditions::PERFECT });
        simulation.network.is_recording = true;
        let mut pbx = Pbx::new(config);
        pbx.routes.insert("bob".to_owned(), vec![BOB.parse().unwrap()]);
        pbx.routes.insert("both".to_owned(), vec![BOB.parse().unwrap(), CAROL.parse().unwrap()]);
        Self { simulation, alice: Phone::new(ALICE, 2), bob: Phone::new(BOB, 3), carol: Phone::new(CAROL, 4), pbx }
    }

    pub fn now(&self) -> Instant {
        self.simulation.now()
    }

    pub fn run(&mut self, span: Duration) {
        let Self { simulation, alice, bob, carol, pbx } = self;
        simulation.run_for(&mut [alice, bob, carol, pbx], span);
    }

    /// Long enough for a message to cross twice and be answered.
    pub fn settle(&mut self) {
        self.run(ms(50));
    }

    /// Alice calls; the session at her side.
    pub fn call(&mut self, user: &str) -> SessionId {
        let invite = self.alice.invite(user);
        self.call_with(invite)
    }

    pub fn call_with(&mut self, invite: Invite) -> SessionId {
        let now = self.now();
        let session = self.alice.agent.invite(now, invite).unwrap();
        self.settle();
        session
    }

    /// Alice and Bob talk; the sessions at their sides.
    pub fn talk(&mut self) -> (SessionId, SessionId) {
        let alice = self.call("bob");
        let (bob, ..) = self.bob.incoming();
        let now = self.now();
        self.bob.agent.answer(now, bob, Some(sdp("bob")), &[]).unwrap();
        self.settle();
        assert!(matches!(self.alice.event(), Event::Answered { .. }));
        assert!(matches!(self.bob.event(), Event::Acknowledged { .. }));
        assert!(self.pbx.has(|event| matches!(event, b2bua::Event::Up { .. })));
        (alice, bob)
    }

    /// What a phone was sent, as text.
    pub fn sent_to(&self, to: &str) -> Vec<String> {
        let to: SocketAddr = to.parse().unwrap();
        let texts = self.simulation.network.sent().iter().filter(|sent| sent.to == to);
        texts.map(|Sent { payload, .. }| String::from_utf8(payload.clone()).unwrap()).collect()
    }

    /// After the longest time that anything lingers, nothing is left anywhere.
    pub fn assert_idle(&mut self) {
        self.run(Duration::from_secs(80));
        for (name, agent) in [
            ("pbx", &self.pbx.agent),
            ("alice", &self.alice.agent),
            ("bob", &self.bob.agent),
            ("carol", &self.carol.agent),
        ] {
            let snapshot = agent.snapshot();
            assert!(snapshot.is_idle(), "{name}: {snapshot:#?}");
        }
        let snapshot = self.pbx.b2bua.snapshot();
        assert!(snapshot.is_idle(), "{snapshot:#?}");
    }
}
