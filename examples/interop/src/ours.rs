//! An agent of ours on its driver, with sockets, in a thread: a server that answers, and a client that a test commands.

use crate::wait::PATIENCE;
use bytes::Bytes;
use sip_core::header::{HeaderName, NameAddr, To};
use sip_core::uri::Uri;
use sip_core::{Method, Request, Response, StatusCode, ident};
use sip_transaction::agent::{Agent, Config, Event, Invite, SessionId, Snapshot};
use sip_transaction::driver::rustls::{ClientConfig, ServerConfig};
use sip_transaction::driver::{self, Arrival, SocketConfig, Sockets};
use sip_transaction::{Destination, Failure, Target, Transport};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::sync::mpsc as queue;

/// What both sides of a call offer.
pub const SDP: &str = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 30000 RTP/AVP 0\r\n\
                       a=rtpmap:0 PCMU/8000\r\n";

/// Where and how it listens.
#[derive(Debug, Clone, Default)]
pub struct Setup {
    /// The transports and addresses.
    pub listen: Vec<(Transport, SocketAddr)>,
    /// Its certificate, where it listens with one.
    pub server: Option<Arc<ServerConfig>>,
    /// Whom it believes.
    pub client: Option<Arc<ClientConfig>>,
}

enum Command {
    Do(Box<dyn FnOnce(&mut Agent, Instant) + Send>),
    Advance(Duration),
}

/// A running one. It answers for itself: calls of `busy` with 486, of `nobody` with 404, those of `ringing` with 180 and no
/// more, all others with 180 and 200; re-INVITEs and all other requests with 200.
#[derive(Debug)]
pub struct Ours {
    commands: queue::UnboundedSender<Command>,
    events: mpsc::Receiver<Event>,
    seen: VecDeque<Event>,
    thread: Option<JoinHandle<()>>,
}

impl std::fmt::Debug for Command {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Command")
    }
}

impl Ours {
    /// Starts one.
    ///
    /// # Panics
    ///
    /// When an address is taken.
    pub fn start(setup: Setup) -> Self {
        let (commands, queue) = queue::unbounded_channel();
        let (telling, events) = mpsc::channel();
        let (ready, is_ready) = mpsc::channel();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async {
                let (agent, sockets) = open(&setup);
                ready.send(()).expect("the test");
                run(agent, sockets, queue, telling).await;
            });
        });
        is_ready.recv().expect("listening");
        Self { commands, events, seen: VecDeque::new(), thread: Some(thread) }
    }

    /// Lets the agent do something.
    ///
    /// # Panics
    ///
    /// When its thread has ended.
    pub fn ask<T: Send + 'static>(&self, what: impl FnOnce(&mut Agent, Instant) -> T + Send + 'static) -> T {
        let (answer, answered) = mpsc::channel();
        let command = Command::Do(Box::new(move |agent, now| drop(answer.send(what(agent, now)))));
        assert!(self.commands.send(command).is_ok(), "the agent's thread has ended");
        answered.recv().expect("the agent's thread")
    }

    /// Table sizes and counters.
    pub fn snapshot(&self) -> Snapshot {
        self.ask(|agent, _| agent.snapshot())
    }

    /// Calls somebody.
    ///
    /// # Panics
    ///
    /// When it cannot even be tried.
    pub fn call(&self, uri: &str, destination: impl Into<Destination>) -> SessionId {
        let destination: Destination = destination.into();
        let target: Target = destination.targets()[0];
        let name = |text: &str| NameAddr::new(text.parse::<Uri>().expect("a URI"));
        let uri_of_callee = uri.parse().expect("a URI");
        let mut invite = Invite::new(target, uri_of_callee, name("sip:alice@example.com"), name(uri));
        invite.destination = Some(destination);
        invite.offer = Some(Bytes::from_static(SDP.as_bytes()));
        self.ask(move |agent, now| agent.invite(now, invite)).expect("a call")
    }

    /// Hangs up, or cancels.
    ///
    /// # Panics
    ///
    /// When there is no such session.
    pub fn hangup(&self, session: SessionId) {
        self.ask(move |agent, now| agent.hangup(now, session, &[])).expect("a session");
    }

    /// Sends a request outside of calls and waits for its final response.
    ///
    /// # Errors
    ///
    /// When there is none.
    ///
    /// # Panics
    ///
    /// When it cannot be sent.
    pub fn request(
        &mut self,
        method: Method,
        uri: &str,
        contact: Option<&str>,
        destination: impl Into<Destination>,
    ) -> Result<Response, Failure> {
        let destination: Destination = destination.into();
        let (uri, contact) = (uri.to_owned(), contact.map(str::to_owned));
        let id = self.ask(move |agent, now| {
            let request = outside(method, &uri, contact.as_deref());
            agent.send_request(now, request, destination).expect("a request to send")
        });
        self.wait("a final response", |event| match event {
            Event::Response { id: answered, response, .. } if *answered == id && response.status().is_final() => {
                Some(Ok(response.clone()))
            }
            Event::Failed { id: failed, reason } if *failed == id => Some(Err(*reason)),
            _ => None,
        })
    }

    /// Waits for an event. Those that are not the one are kept for others to be waited for.
    ///
    /// # Panics
    ///
    /// When it does not come in time; says what was awaited.
    pub fn wait<T>(&mut self, what: &str, is: impl Fn(&Event) -> Option<T>) -> T {
        if let Some(index) = self.seen.iter().position(|event| is(event).is_some()) {
            return self.seen.remove(index).and_then(|event| is(&event)).expect("an event");
        }
        let end = Instant::now() + PATIENCE;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let Ok(event) = self.events.recv_timeout(left) else {
                panic!("waited in vain for {what}; what came: {:#?}", self.seen)
            };
            match is(&event) {
                Some(found) => return found,
                None => self.seen.push_back(event),
            }
        }
    }

    /// Waits a moment until no call is left; then lets the time of the last transactions and of calls that the other side
    /// forgot pass (64*T1, twice), which is not waited for but told: the clock is an input. Every table must be empty then.
    ///
    /// # Panics
    ///
    /// When one is not.
    pub fn finish(mut self) -> Snapshot {
        let end = Instant::now() + Duration::from_secs(3);
        let is_over = |now: Snapshot| now.sessions == 0 && now.lingering == 0 && now.endpoint.unanswered == 0;
        while !is_over(self.snapshot()) && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(20));
        }
        for _ in 0..800 {
            if self.snapshot().is_idle() {
                break;
            }
            let _ = self.commands.send(Command::Advance(Duration::from_millis(100)));
        }
        let last = self.snapshot();
        assert!(last.is_idle(), "tables that are not empty: {last:#?}");
        eprintln!("tables empty: {last:?}");
        let (nobody, _) = queue::unbounded_channel();
        self.commands = nobody;
        if let Some(thread) = self.thread.take() {
            thread.join().expect("the agent's thread");
        }
        last
    }
}

fn open(setup: &Setup) -> (Agent, Sockets) {
    let mut sockets = Sockets::new(SocketConfig::default());
    if let Some(client) = &setup.client {
        sockets.set_client_tls(client.clone());
    }
    let mut agent = Agent::new(Config::default(), driver::seed().expect("a seed"));
    for (transport, address) in &setup.listen {
        let bound = if transport.is_secure() {
            sockets.bind_tls(*transport, *address, setup.server.clone().expect("a certificate"))
        } else {
            sockets.bind(*transport, *address)
        };
        agent.add_listener(bound.unwrap_or_else(|error| panic!("{transport} at {address}: {error}")));
        agent.trust(address.ip());
    }
    (agent, sockets)
}

async fn run(
    mut agent: Agent,
    mut sockets: Sockets,
    mut commands: queue::UnboundedReceiver<Command>,
    telling: mpsc::Sender<Event>,
) {
    let mut ahead = Duration::ZERO;
    loop {
        while let Some(output) = agent.poll_output() {
            if let Some(event) = sockets.transmit(output) {
                answer(&mut agent, Instant::now() + ahead, &event);
                let _ = telling.send(event);
            }
        }
        let timeout = agent.poll_timeout().map(|at| at.checked_sub(ahead).unwrap_or_else(Instant::now));
        tokio::select! {
            command = commands.recv() => match command {
                Some(Command::Do(what)) => what(&mut agent, Instant::now() + ahead),
                Some(Command::Advance(time)) => {
                    ahead += time;
                    agent.handle_timeout(Instant::now() + ahead);
                }
                None => return,
            },
            arrival = sockets.recv() => match arrival {
                Arrival::Input(input) => agent.handle_input(Instant::now() + ahead, input),
                Arrival::Connection(incoming) => {
                    let (listener, local, remote) = (incoming.listener(), incoming.local(), incoming.remote());
                    let id = agent.accept(Instant::now() + ahead, listener, local, remote);
                    sockets.attach(incoming, id.ok());
                }
            },
            () = driver::sleep_until(timeout) => agent.handle_timeout(Instant::now() + ahead),
        }
    }
}

/// What it does by itself. A peer that was faster, as one that cancels before it is answered, makes commands fail: no harm.
fn answer(agent: &mut Agent, now: Instant, event: &Event) {
    let sdp = Some(Bytes::from_static(SDP.as_bytes()));
    match event {
        Event::Incoming { session, request, .. } => {
            let user = request.uri().ok().and_then(|uri| uri.as_sip().and_then(|uri| uri.user.clone()));
            let _ = match user.as_deref() {
                Some(b"busy") => agent.reject(now, *session, StatusCode::BUSY_HERE, &[]),
                Some(b"nobody") => agent.reject(now, *session, StatusCode::NOT_FOUND, &[]),
                Some(b"ringing") => agent.provisional(now, *session, StatusCode::RINGING, None, &[]),
                _ => agent
                    .provisional(now, *session, StatusCode::RINGING, None, &[])
                    .and_then(|()| agent.answer(now, *session, sdp, &[])),
            };
        }
        Event::Offer { session, .. } => drop(agent.answer_offer(now, *session, sdp, &[])),
        Event::InDialog { id, request, .. } => {
            let _ = agent.respond(now, *id, Response::to(request, StatusCode::OK).build());
        }
        Event::Request { id, request, .. } => {
            let mut response = Response::to(request, StatusCode::OK).to_tag(b"ours");
            // A registrar tells what is registered.
            for name in [HeaderName::CONTACT, HeaderName::EXPIRES] {
                if *request.method() == Method::Register
                    && let Some(value) = request.headers().get(&name)
                {
                    response = response.raw(&name, value);
                }
            }
            let _ = agent.respond(now, *id, response.build());
        }
        _ => {}
    }
}

fn outside(method: Method, uri: &str, contact: Option<&str>) -> Request {
    let uri: Uri = uri.parse().expect("a URI");
    let text = |bytes: Bytes| String::from_utf8_lossy(&bytes).into_owned();
    let mut random = rand_core_seed();
    let from = format!("<sip:alice@example.com>;tag={}", text(ident::tag(&mut random)));
    let to: To = match method {
        Method::Register => "<sip:alice@example.com>".parse().expect("To"),
        _ => format!("<{uri}>").parse().expect("To"),
    };
    let call_id = sip_core::header::CallId(ident::call_id(&mut random));
    let builder = Request::builder(method, &uri, &from.parse().expect("From"), &to, &call_id, 1);
    match contact {
        Some(contact) => builder.raw(&HeaderName::CONTACT, contact).build(),
        None => builder.build(),
    }
}

fn rand_core_seed() -> impl rand_core::RngCore {
    use rand_core::SeedableRng;
    rand_chacha::ChaCha12Rng::from_seed(driver::seed().expect("a seed"))
}
