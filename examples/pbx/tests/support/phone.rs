//! A phone on our own crates, sans-IO: it registers, calls, and takes calls as it is told to.

use std::{
    collections::{BTreeMap, HashMap},
    net::SocketAddr,
    time::{Duration, Instant},
};

use bytes::Bytes;
use sip_core::{
    Method, Request, Response, StatusCode,
    auth::{self, Challenge},
    header::{Authorization, CallId, Contact, Expires, From, NameAddr, To, WwwAuthenticate},
    sdp::{self, Capabilities, Codec, Origin, Session, Stream},
};
use sip_transaction::{
    ClientId, Input, ListenerConfig, ListenerId, Target, Transport,
    agent::{self, Agent, Cause, Credentials, Event, Invite, SessionId},
};

/// What a phone does with a call that comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// It rings, and answers after this long.
    Answers(Duration),
    /// It is busy.
    Busy,
    /// It rings until the caller has enough.
    Rings,
    /// It is heard at once, and answers after this long.
    Early(Duration),
    /// It refuses with this status.
    Refuses(u16),
}

/// What became of a call that the phone made.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    pub number: String,
    pub answered: bool,
    pub cause: Cause,
}

#[derive(Debug, Clone, Copy)]
enum Deed {
    Answer,
    Hangup,
}

pub struct Phone {
    pub agent: Agent,
    pub user: String,
    pub secret: String,
    pub address: SocketAddr,
    pub server: SocketAddr,
    pub manner: Manner,
    pub listener: ListenerId,
    /// Where its media is, for its descriptions.
    pub media: SocketAddr,
    pub registered: bool,
    /// The last final status of a REGISTER.
    pub register_status: Option<u16>,
    pub outcomes: Vec<Outcome>,
    /// The remote descriptions of calls that are up.
    pub remote: HashMap<SessionId, Session>,
    /// Calls that came.
    pub taken: usize,
    /// Who the last call said he is, and the request that brought it.
    pub last_invite: Option<Request>,
    /// The last provisional status of a call that was made, and whether it had a description.
    pub progress: Vec<(u16, bool)>,
    /// The last refusal of a call that was made.
    pub refusal: Option<Response>,
    /// It does not answer what is asked outside of calls.
    pub is_silent: bool,
    /// Keys that came by INFO.
    pub pressed: String,
    /// Whether it knows telephone events.
    pub events: bool,
    /// The codecs that it has.
    pub codecs: Vec<Codec>,
    pub transport: Transport,
    calls: HashMap<SessionId, (String, bool)>,
    offers: HashMap<SessionId, Bytes>,
    agenda: BTreeMap<(Instant, u64), (SessionId, Deed)>,
    order: u64,
    registering: Option<(ClientId, Request)>,
    cseq: u32,
}

impl Phone {
    pub fn new(user: &str, secret: &str, address: SocketAddr, server: SocketAddr, seed: u8) -> Self {
        Self::over(Transport::Udp, user, secret, address, server, seed)
    }

    pub fn over_tcp(user: &str, secret: &str, address: SocketAddr, server: SocketAddr, seed: u8) -> Self {
        Self::over(Transport::Tcp, user, secret, address, server, seed)
    }

    fn over(transport: Transport, user: &str, secret: &str, address: SocketAddr, server: SocketAddr, seed: u8) -> Self {
        let mut agent = Agent::new(agent::Config::default(), [seed; 32]);
        let listener = agent.add_listener(ListenerConfig::new(transport, address));
        agent.trust(server.ip());
        Self {
            agent,
            user: user.to_owned(),
            secret: secret.to_owned(),
            address,
            server,
            manner: Manner::Answers(Duration::from_millis(100)),
            listener,
            media: SocketAddr::new(address.ip(), 40_000),
            registered: false,
            register_status: None,
            outcomes: Vec::new(),
            remote: HashMap::new(),
            taken: 0,
            last_invite: None,
            progress: Vec::new(),
            refusal: None,
            is_silent: false,
            pressed: String::new(),
            events: true,
            codecs: vec![Codec::pcma(), Codec::pcmu()],
            transport,
            calls: HashMap::new(),
            offers: HashMap::new(),
            agenda: BTreeMap::new(),
            order: 0,
            registering: None,
            cseq: 0,
        }
    }

    pub fn register(&mut self, now: Instant) {
        let request = self.register_request(None);
        self.send_register(now, request);
    }

    fn register_request(&mut self, challenge: Option<&Challenge>) -> Request {
        self.cseq += 1;
        let own = format!("sip:{}@{}", self.user, self.server);
        let uri = format!("sip:{}", self.server).parse().unwrap();
        let from = From::new(own.parse().unwrap()).with_tag(b"reg");
        let to = To::new(own.parse().unwrap());
        let call_id = CallId(Bytes::from(format!("reg-{}", self.user)));
        let contact: NameAddr = format!("<sip:{}@{}>", self.user, self.address).parse().unwrap();
        let mut builder = Request::builder(Method::Register, &uri, &from, &to, &call_id, self.cseq)
            .header(&Contact::from(contact))
            .header(&Expires(600));
        if let Some(challenge) = challenge {
            let answer = auth::Credentials::answer(
                challenge,
                &self.user,
                &self.secret,
                &Method::Register,
                uri.to_string(),
                "c0ffee",
                1,
                b"",
            );
            builder = builder.header(&Authorization(answer.unwrap()));
        }
        builder.build()
    }

    fn send_register(&mut self, now: Instant, request: Request) {
        let target = Target::new(self.transport, self.server);
        let id = self.agent.send_request(now, request.clone(), target).unwrap();
        self.registering = Some((id, request));
    }

    /// Calls a number, with an offer or without, and hangs up after a time.
    pub fn call(&mut self, now: Instant, number: &str, with_offer: bool, hangup: Duration) -> SessionId {
        let uri = format!("sip:{number}@{}", self.server);
        let own: NameAddr = format!("<sip:{}@{}>", self.user, self.server).parse().unwrap();
        let to: NameAddr = format!("<{uri}>").parse().unwrap();
        let mut invite = Invite::new(Target::new(self.transport, self.server), uri.parse().unwrap(), own, to);
        invite.credentials = Some(Credentials::new(self.user.clone(), self.secret.clone()));
        invite.offer = with_offer.then(|| sdp::offer(&self.capabilities()).to_bytes());
        let session = self.agent.invite(now, invite).unwrap();
        self.calls.insert(session, (number.to_owned(), false));
        self.plan(now + hangup, session, Deed::Hangup);
        session
    }

    /// Holds or resumes the only call that is up, by a re-INVITE.
    /// # Panics
    /// When there is none.
    pub fn set_direction(&mut self, now: Instant, direction: sdp::Direction) {
        let session = *self.calls.keys().next().expect("a call");
        let mut capabilities = self.capabilities();
        capabilities.origin.increment();
        for stream in &mut capabilities.streams {
            stream.direction = direction;
        }
        let offer = sdp::offer(&capabilities).to_bytes();
        self.agent.reinvite(now, session, Some(offer), Vec::new()).unwrap();
    }

    /// Presses a key in every call that is up, by INFO.
    pub fn press(&mut self, now: Instant, digit: char) {
        for session in self.calls.keys().copied().collect::<Vec<_>>() {
            let body = Bytes::from(format!("Signal={digit}\r\nDuration=100\r\n"));
            // Those that are not up know no keys.
            let _ = self.agent.request(now, session, Method::Info, &[], Some(("application/dtmf-relay", body)));
        }
    }

    /// Hangs up all calls.
    pub fn hang_up(&mut self, now: Instant) {
        for session in self.calls.keys().copied().collect::<Vec<_>>() {
            let _ = self.agent.hangup(now, session, &[]);
        }
    }

    /// Calls that are not over.
    pub fn busy_with(&self) -> usize {
        self.calls.len()
    }

    fn capabilities(&self) -> Capabilities {
        let mut stream = Stream::audio(self.media.port());
        for codec in &self.codecs {
            stream = stream.with_codec(codec.clone());
        }
        if self.events {
            stream = stream.with_telephone_event("0-16");
        }
        Capabilities::new(Origin::new("-", 1, 1, self.media.ip())).with_stream(stream)
    }

    fn plan(&mut self, at: Instant, session: SessionId, deed: Deed) {
        self.order += 1;
        self.agenda.insert((at, self.order), (session, deed));
    }

    pub fn handle_input(&mut self, now: Instant, input: Input) {
        self.agent.handle_input(now, input);
    }

    pub fn handle_datagram(&mut self, now: Instant, source: SocketAddr, payload: Bytes) {
        self.handle_input(now, Input::Datagram { listener: self.listener, source, payload, received: None });
    }

    pub fn handle_timeout(&mut self, now: Instant) {
        while let Some(entry) = self.agenda.first_entry()
            && entry.key().0 <= now
        {
            let (session, deed) = entry.remove();
            // What the session does not allow any more is refused; that is part of the game.
            let _ = match deed {
                Deed::Answer => self.answer(now, session),
                Deed::Hangup => self.agent.hangup(now, session, &[]),
            };
        }
        self.agent.handle_timeout(now);
    }

    pub fn poll_timeout(&self) -> Option<Instant> {
        let own = self.agenda.first_key_value().map(|(key, _)| key.0);
        [own, self.agent.poll_timeout()].into_iter().flatten().min()
    }

    /// The datagrams to send.
    pub fn drive(&mut self, now: Instant) -> Vec<(SocketAddr, Bytes)> {
        let mut datagrams = Vec::new();
        while let Some(output) = self.agent.poll_output() {
            match output {
                agent::Output::Datagram { destination, payload, .. } => datagrams.push((destination, payload)),
                agent::Output::Event(event) => self.on_event(now, event),
                other => panic!("only datagrams here: {other:?}"),
            }
        }
        datagrams
    }

    /// What is to be done, also with connections.
    pub fn outputs(&mut self, now: Instant) -> Vec<agent::Output> {
        let mut outputs = Vec::new();
        while let Some(output) = self.agent.poll_output() {
            match output {
                agent::Output::Event(event) => self.on_event(now, event),
                other => outputs.push(other),
            }
        }
        outputs
    }

    fn answer(&mut self, now: Instant, session: SessionId) -> Result<(), agent::SessionError> {
        let description = match self.offers.get(&session) {
            Some(offer) => {
                let offer = Session::parse(offer).unwrap();
                let Ok(answer) = sdp::answer(&offer, &self.capabilities()) else {
                    return self.agent.reject(now, session, StatusCode::NOT_ACCEPTABLE_HERE, &[]);
                };
                answer
            }
            None => sdp::offer(&self.capabilities()),
        };
        self.agent.answer(now, session, Some(description.to_bytes()), &[])
    }

    fn on_event(&mut self, now: Instant, event: Event) {
        match event {
            Event::Incoming { session, sdp, request, .. } => {
                self.taken += 1;
                self.last_invite = Some(request);
                self.calls.insert(session, (String::new(), false));
                if let Some(sdp) = sdp {
                    self.remote.insert(session, Session::parse(&sdp).unwrap());
                    self.offers.insert(session, sdp);
                }
                match self.manner {
                    Manner::Busy => self.agent.reject(now, session, StatusCode::BUSY_HERE, &[]).unwrap(),
                    Manner::Rings => self.agent.provisional(now, session, StatusCode::RINGING, None, &[]).unwrap(),
                    Manner::Refuses(status) => {
                        self.agent.reject(now, session, StatusCode::new(status).unwrap(), &[]).unwrap();
                    }
                    Manner::Early(after) => {
                        let offer = Session::parse(&self.offers[&session]).unwrap();
                        let answer = sdp::answer(&offer, &self.capabilities()).unwrap().to_bytes();
                        self.agent.provisional(now, session, StatusCode::SESSION_PROGRESS, Some(answer), &[]).unwrap();
                        self.plan(now + after, session, Deed::Answer);
                    }
                    Manner::Answers(after) => {
                        self.agent.provisional(now, session, StatusCode::RINGING, None, &[]).unwrap();
                        self.plan(now + after, session, Deed::Answer);
                    }
                }
            }
            Event::Answered { session, sdp, owing, .. } => {
                if let Some(call) = self.calls.get_mut(&session) {
                    call.1 = true;
                }
                let sdp = sdp.expect("a 2xx has a description");
                let description = Session::parse(&sdp).unwrap();
                if owing {
                    let answer = sdp::answer(&description, &self.capabilities()).unwrap().to_bytes();
                    self.agent.acknowledge(now, session, Some(answer)).unwrap();
                }
                self.remote.insert(session, description);
            }
            Event::Progress { response, sdp, .. } => {
                self.progress.push((response.status().as_u16(), sdp.is_some()));
            }
            Event::InDialog { id, request, .. } => {
                if let Some(signal) = std::str::from_utf8(request.body()).unwrap().strip_prefix("Signal=") {
                    self.pressed.extend(signal.chars().next());
                }
                let _ = self.agent.respond(now, id, Response::to(&request, StatusCode::OK).build());
            }
            Event::Offer { session, sdp, .. } => {
                let offer = Session::parse(&sdp.expect("an offer")).unwrap();
                let answer = sdp::answer(&offer, &self.capabilities()).unwrap().to_bytes();
                self.remote.insert(session, offer);
                self.agent.answer_offer(now, session, Some(answer), &[]).unwrap();
            }
            Event::OfferAnswered { session, sdp: Some(sdp), .. } => {
                self.remote.insert(session, Session::parse(&sdp).unwrap());
            }
            Event::Ended { session, cause, .. } => {
                self.remote.remove(&session);
                self.offers.remove(&session);
                self.agenda.retain(|_, (planned, _)| *planned != session);
                let (number, answered) = self.calls.remove(&session).expect("a call ends once");
                if !number.is_empty() {
                    self.outcomes.push(Outcome { number, answered, cause });
                }
            }
            Event::Response { id, response, .. } => self.on_registered(now, id, &response),
            Event::Rejected { response, .. } => self.refusal = Some(response),
            Event::Request { .. } if self.is_silent => {}
            Event::Request { id, request, .. } => {
                let _ = self.agent.respond(now, id, Response::to(&request, StatusCode::OK).build());
            }
            _ => {}
        }
    }

    fn on_registered(&mut self, now: Instant, id: ClientId, response: &Response) {
        let Some((_, request)) = self.registering.take_if(|(known, _)| *known == id) else { return };
        if !response.status().is_final() {
            self.registering = Some((id, request));
            return;
        }
        self.register_status = Some(response.status().as_u16());
        let tried = request.headers().typed::<Authorization>().unwrap().is_some();
        if response.status() == StatusCode::UNAUTHORIZED && !tried {
            let challenges: Vec<_> =
                response.headers().all::<WwwAuthenticate>().map(|challenge| challenge.unwrap().0).collect();
            let challenge = auth::choose(&challenges).unwrap();
            let request = self.register_request(Some(challenge));
            self.send_register(now, request);
        } else {
            self.registered = response.status().is_success();
        }
    }
}
