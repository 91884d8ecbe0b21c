//! The phone itself: its user agent, its connection, its call.
#![expect(clippy::disallowed_methods, reason = "a phone lives by the clock")]

use std::{
    collections::HashMap,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};
use sip_core::{
    Request, StatusCode,
    header::NameAddr,
    sdp::{self, Capabilities, Codec, Origin, Session, Stream},
    uri::{SipUri, Uri},
};
use sip_transaction::{
    ConnectionId, Input, ListenerConfig, Target, Transport,
    agent::{Agent, Cause, Config, Credentials, Event, Invite, Output, SessionId},
    driver,
};
use tokio::{
    sync::{mpsc, watch},
    time::{MissedTickBehavior, interval},
};

use super::{
    Call, Command, Phase, Settings, State,
    registration::{Answer, Registration},
    voice::Voice,
    wire::Wire,
};

/// Often enough for a balancer that cuts connections idle for 50 s (RFC 5626 §4.4.1 advises 95 to 120 s, for NAT).
const KEEP_ALIVE: Duration = Duration::from_secs(25);

/// A connection that does not close is given up after this long without an answer to REGISTER.
const PATIENCE: Duration = Duration::from_secs(5);

pub(super) struct Machine {
    settings: Settings,
    agent: Agent,
    random: ChaCha20Rng,
    registration: Registration,
    connection: Option<ConnectionId>,
    wires: HashMap<ConnectionId, Wire>,
    inputs: mpsc::Receiver<Input>,
    arriving: mpsc::Sender<Input>,
    talk: Option<Talk>,
    state: State,
    tell: watch::Sender<State>,
    /// When the answer to REGISTER is overdue.
    overdue: Option<Instant>,
    leaving: bool,
    done: bool,
}

/// The call that there is.
struct Talk {
    session: SessionId,
    voice: Voice,
    local: Session,
    /// When to answer.
    answer_at: Option<Instant>,
    with: String,
    outgoing: bool,
    phase: Phase,
    since: u64,
}

impl Machine {
    pub(super) fn new(settings: Settings, seed: [u8; 32], tell: watch::Sender<State>) -> Self {
        let mut random = ChaCha20Rng::from_seed(seed);
        let mut below = [0; 32];
        random.fill_bytes(&mut below);
        let config = Config { user_agent: Some(crate::setup::PHONE.to_owned()), ..Config::default() };
        let mut agent = Agent::new(config, below);
        // Nobody connects to a phone; the address only says who it is.
        let own = (settings.address, 5060).into();
        agent.add_listener(ListenerConfig::new(Transport::Tcp, own));
        let mut contact = SipUri::at(own.into());
        contact.user = Some(Bytes::copy_from_slice(settings.account.as_bytes()));
        contact.set_param("transport", Some(b"tcp"));
        let contact = NameAddr::new(Uri::Sip(contact));
        let registration =
            Registration::new(&settings.account, &settings.secret, settings.server, contact, &mut random);
        let (arriving, inputs) = mpsc::channel(256);
        let state = tell.borrow().clone();
        Self {
            settings,
            agent,
            random,
            registration,
            connection: None,
            wires: HashMap::new(),
            inputs,
            arriving,
            talk: None,
            state,
            tell,
            overdue: None,
            leaving: false,
            done: false,
        }
    }

    pub(super) async fn run(mut self, mut orders: mpsc::Receiver<Command>) {
        let mut keep_alive = interval(KEEP_ALIVE);
        let mut look = interval(Duration::from_millis(500));
        keep_alive.set_missed_tick_behavior(MissedTickBehavior::Delay);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        self.register(Instant::now(), true);
        loop {
            self.obey();
            self.publish();
            if self.done {
                return self.finish().await;
            }
            let (next, talking) = (self.next_time(), self.talk.is_some());
            tokio::select! {
                // We hold a sender ourselves: the channel never ends.
                Some(input) = self.inputs.recv() => self.agent.handle_input(Instant::now(), input),
                order = orders.recv() => self.on_command(order.unwrap_or(Command::Leave)),
                () = driver::sleep_until(next) => self.on_time(),
                _ = keep_alive.tick() => self.keep_alive(),
                _ = look.tick(), if talking => {}
            }
        }
    }

    /// Lets what was said last leave. Who waits for the phone's end says for how long.
    async fn finish(mut self) {
        let finished = async {
            for (_, wire) in self.wires.drain() {
                wire.finish().await;
            }
        };
        // What still arrives is of no use, but a connection would wait for it to be taken.
        let take = async { while self.inputs.recv().await.is_some() {} };
        tokio::select! {
            () = finished => {}
            () = take => {}
        }
    }

    fn next_time(&self) -> Option<Instant> {
        let answer_at = self.talk.as_ref().and_then(|talk| talk.answer_at);
        [self.agent.poll_timeout(), self.registration.due, self.overdue, answer_at].into_iter().flatten().min()
    }

    fn on_time(&mut self) {
        let now = Instant::now();
        self.agent.handle_timeout(now);
        if self.registration.due.is_some_and(|due| due <= now) {
            self.register(now, true);
        }
        if self.overdue.is_some_and(|overdue| overdue <= now) {
            self.overdue = None;
            self.state.problem = Some("no answer to REGISTER".to_owned());
            self.disconnect(now);
        }
        if let Some(talk) = &mut self.talk
            && talk.answer_at.is_some_and(|at| at <= now)
        {
            talk.answer_at = None;
            let (session, answer) = (talk.session, talk.local.to_bytes());
            // A caller who has just given up is told of by an event.
            if self.agent.answer(now, session, Some(answer), &[]).is_ok() {
                self.enter(Phase::Up);
            }
        }
    }

    fn on_command(&mut self, command: Command) {
        let now = Instant::now();
        match command {
            Command::Call(number) if self.talk.is_none() && !self.leaving => self.call(now, &number),
            Command::Call(_) => {}
            Command::HangUp => self.hang_up(now),
            Command::Reconnect => {
                self.hang_up(now);
                self.obey();
                self.disconnect(now);
            }
            Command::Leave => {
                self.hang_up(now);
                self.leaving = true;
                if self.state.registered {
                    self.register(now, false);
                } else {
                    self.done = true;
                }
            }
        }
    }

    fn keep_alive(&mut self) {
        if let Some(wire) = self.connection.and_then(|id| self.wires.get(&id)) {
            wire.write(Bytes::from_static(b"\r\n\r\n"));
        }
    }

    /// Does what the agent wants until it wants nothing.
    fn obey(&mut self) {
        while let Some(output) = self.agent.poll_output() {
            match output {
                Output::Connect { connection, destination, .. } => {
                    let wire = Wire::open(connection, self.settings.address, destination, self.arriving.clone());
                    self.wires.insert(connection, wire);
                }
                Output::Write { connection, payload } => {
                    if let Some(wire) = self.wires.get(&connection) {
                        wire.write(payload);
                    }
                }
                Output::Close { connection } => {
                    self.wires.remove(&connection);
                }
                // A phone on TCP sends no datagrams, and one that knows its server's address asks for no names.
                Output::Datagram { .. } | Output::Query { .. } => {}
                Output::Event(event) => self.on_event(Instant::now(), event),
            }
        }
    }

    fn on_event(&mut self, now: Instant, event: Event) {
        match event {
            Event::ConnectionOpened { source } => {
                self.connection = source.connection;
                self.state.local = Some(source.local.to_string());
            }
            Event::ConnectionClosed { connection, .. } => self.on_closed(now, connection),
            Event::Response { id, response, .. } => {
                let answer = self.registration.answer(now, id, &response, &mut self.random);
                self.on_answer(now, answer);
            }
            Event::Failed { id, .. } if self.registration.is_ours(id) => {
                self.state.registered = false;
                self.state.problem = Some("the server cannot be reached".to_owned());
                self.overdue = None;
                self.registration.retry(now, &mut self.random);
                self.done |= self.leaving;
            }
            Event::Incoming { session, request, sdp, .. } => self.on_incoming(now, session, &request, sdp),
            Event::Progress { session, sdp, .. } if self.is_talk(session) => {
                self.take_description(sdp.as_deref());
                self.enter(Phase::Ringing);
            }
            Event::Answered { session, sdp, .. } if self.is_talk(session) => {
                self.take_description(sdp.as_deref());
                self.enter(Phase::Up);
            }
            Event::Rejected { session, response } if self.is_talk(session) => {
                self.state.problem = Some(format!("call refused: {}", response.status().as_u16()));
            }
            Event::Offer { session, sdp, .. } => self.on_offer(now, session, sdp),
            Event::InDialog { id, request, .. } | Event::Request { id, request, .. } => {
                let status = StatusCode::OK;
                // Whoever asked may have gone.
                let _ = self.agent.respond(now, id, sip_core::Response::to(&request, status).build());
            }
            Event::Ended { session, cause, .. } if self.is_talk(session) => {
                if let Cause::Transport | Cause::Timeout | Cause::Gone = cause {
                    self.state.problem = Some("the call was cut".to_owned());
                }
                self.talk = None;
            }
            _ => {}
        }
    }

    fn on_closed(&mut self, now: Instant, connection: ConnectionId) {
        self.wires.remove(&connection);
        if self.connection.is_some_and(|ours| ours != connection) {
            return;
        }
        self.connection = None;
        self.state.local = None;
        self.state.registered = false;
        self.overdue = None;
        // The server that had the call has gone, or the balancer has cut us off from it.
        self.hang_up(now);
        self.talk = None;
        self.registration.retry(now, &mut self.random);
        self.done |= self.leaving;
    }

    fn on_answer(&mut self, now: Instant, answer: Answer) {
        match answer {
            Answer::Accepted => {
                self.overdue = None;
                self.state.registered = !self.leaving;
                self.state.problem = None;
                self.done |= self.leaving;
            }
            Answer::Again(request) => self.send_register(now, *request),
            Answer::Refused(status) => {
                self.overdue = None;
                self.state.registered = false;
                self.state.problem = Some(format!("registration refused: {}", status.as_u16()));
                self.done |= self.leaving;
            }
            Answer::Other => {}
        }
    }

    fn register(&mut self, now: Instant, stay: bool) {
        if stay && self.registration.is_pending() {
            return;
        }
        let request = self.registration.request(stay);
        self.send_register(now, request);
    }

    fn send_register(&mut self, now: Instant, request: Request) {
        match self.agent.send_request(now, request.clone(), self.target()) {
            Ok(id) => {
                self.registration.sent(id, request);
                self.overdue = Some(now + PATIENCE);
            }
            Err(error) => {
                self.state.problem = Some(error.to_string());
                self.registration.retry(now, &mut self.random);
            }
        }
    }

    /// Down the connection that there is, or a new one.
    fn target(&self) -> Target {
        Target { connection: self.connection, ..Target::tcp(self.settings.server) }
    }

    fn disconnect(&mut self, now: Instant) {
        match self.connection {
            // Closing is told with an event.
            Some(connection) => self.agent.close(now, connection),
            None => self.registration.retry(now, &mut self.random),
        }
    }

    fn call(&mut self, now: Instant, number: &str) {
        let Some(voice) = self.open_voice() else { return };
        let local = sdp::offer(&self.capabilities(&voice));
        let party = |user: &str| {
            let mut uri = SipUri::at(self.settings.server.into());
            uri.user = Some(Bytes::copy_from_slice(user.as_bytes()));
            Uri::Sip(uri)
        };
        let (own, other) = (party(&self.settings.account), party(number));
        let mut invite = Invite::new(self.target(), other.clone(), NameAddr::new(own), NameAddr::new(other));
        invite.offer = Some(local.to_bytes());
        invite.credentials = Some(Credentials::new(self.settings.account.clone(), self.settings.secret.clone()));
        self.state.problem = None;
        match self.agent.invite(now, invite) {
            Ok(session) => self.begin(session, voice, local, number, true),
            Err(error) => self.state.problem = Some(error.to_string()),
        }
    }

    fn on_incoming(&mut self, now: Instant, session: SessionId, request: &Request, offer: Option<Bytes>) {
        let answered = self.ring(now, session, request, offer);
        if let Err(status) = answered {
            // A caller who has given up already needs no refusal.
            let _ = self.agent.reject(now, session, status, &[]);
        }
    }

    fn ring(
        &mut self,
        now: Instant,
        session: SessionId,
        request: &Request,
        offer: Option<Bytes>,
    ) -> Result<(), StatusCode> {
        if self.talk.is_some() || self.leaving {
            return Err(StatusCode::BUSY_HERE);
        }
        let voice = self.open_voice().ok_or(StatusCode::SERVICE_UNAVAILABLE)?;
        let capabilities = self.capabilities(&voice);
        let local = match &offer {
            Some(offer) => {
                let offer = Session::parse(offer).map_err(|_| StatusCode::BAD_REQUEST)?;
                let answer = sdp::answer(&offer, &capabilities).map_err(|_| StatusCode::NOT_ACCEPTABLE_HERE)?;
                voice.aim(aim(&answer, &offer));
                answer
            }
            None => sdp::offer(&capabilities),
        };
        let from = request.headers().typed::<sip_core::header::From>().ok().flatten();
        let with = from.as_ref().and_then(|from| from.uri().as_sip()?.user.clone());
        let with = String::from_utf8_lossy(&with.unwrap_or_default()).into_owned();
        self.begin(session, voice, local, &with, false);
        if let Some(talk) = &mut self.talk {
            talk.phase = Phase::Ringing;
            talk.answer_at = Some(now + self.settings.ring);
        }
        let _ = self.agent.provisional(now, session, StatusCode::RINGING, None, &[]);
        Ok(())
    }

    fn begin(&mut self, session: SessionId, voice: Voice, local: Session, with: &str, outgoing: bool) {
        let (with, since) = (with.to_owned(), wall());
        let talk = Talk { session, voice, local, answer_at: None, with, outgoing, phase: Phase::Calling, since };
        self.talk = Some(talk);
    }

    fn on_offer(&mut self, now: Instant, session: SessionId, offer: Option<Bytes>) {
        let Some(talk) = self.talk.as_ref().filter(|talk| talk.session == session) else { return };
        let capabilities = self.capabilities(&talk.voice);
        let offer = offer.and_then(|offer| Session::parse(&offer).ok());
        let answer = match &offer {
            Some(offer) => sdp::answer(offer, &capabilities).ok(),
            None => Some(sdp::offer(&capabilities)),
        };
        let done = match answer {
            Some(answer) => {
                if let Some(offer) = &offer {
                    talk.voice.aim(aim(&answer, offer));
                }
                self.agent.answer_offer(now, session, Some(answer.to_bytes()), &[])
            }
            None => self.agent.reject_offer(now, session, StatusCode::NOT_ACCEPTABLE_HERE, &[]),
        };
        if let Err(error) = done {
            tracing::debug!(%error, "an offer was not answered");
        }
    }

    fn take_description(&self, answer: Option<&[u8]>) {
        let Some(talk) = &self.talk else { return };
        if let Some(answer) = answer.and_then(|answer| Session::parse(answer).ok()) {
            talk.voice.aim(aim(&talk.local, &answer));
        }
    }

    fn enter(&mut self, phase: Phase) {
        if let Some(talk) = self.talk.as_mut().filter(|talk| talk.phase != phase && talk.phase != Phase::Up) {
            talk.phase = phase;
            talk.since = wall();
        }
    }

    fn hang_up(&mut self, now: Instant) {
        if let Some(talk) = &self.talk {
            // The end, if it was not told already, is told by an event.
            let _ = self.agent.hangup(now, talk.session, &[]);
        }
    }

    fn is_talk(&self, session: SessionId) -> bool {
        self.talk.as_ref().is_some_and(|talk| talk.session == session)
    }

    fn open_voice(&mut self) -> Option<Voice> {
        let (settings, ssrc) = (&self.settings, self.random.next_u32());
        match Voice::start(settings.address, settings.tone, settings.known.clone(), ssrc) {
            Ok(voice) => Some(voice),
            Err(error) => {
                self.state.problem = Some(format!("no socket for media: {error}"));
                None
            }
        }
    }

    fn capabilities(&self, voice: &Voice) -> Capabilities {
        let (address, port) = (voice.local.ip(), voice.local.port());
        let origin = Origin::new("-", u64::from(port), 1, address);
        let stream = Stream::audio(port).with_codec(Codec::pcmu()).with_codec(Codec::pcma()).with_ptime(20);
        Capabilities::new(origin).with_address(address).with_stream(stream)
    }

    fn publish(&mut self) {
        self.state.call = self.talk.as_ref().map(|talk| Call {
            with: talk.with.clone(),
            outgoing: talk.outgoing,
            phase: talk.phase,
            since: talk.since,
            heard: talk.voice.heard.borrow().clone(),
        });
        self.tell.send_if_modified(|told| {
            let changed = *told != self.state;
            if changed {
                told.clone_from(&self.state);
            }
            changed
        });
    }
}

/// Where to send, as two descriptions have it.
fn aim(local: &Session, remote: &Session) -> Option<std::net::SocketAddr> {
    let flow = sdp::flow(local, remote, 0)?;
    flow.remote.filter(|_| flow.sends)
}

fn wall() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
