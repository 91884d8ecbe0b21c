//! A scene for call flows: an agent, the clock, and peers whose every message the test writes itself.
#![allow(dead_code, reason = "each test file uses its own part")]
#![allow(unreachable_pub, reason = "each test file is a crate of its own")]
#![allow(missing_docs, reason = "test support")]

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use sip_core::header::{CSeq, Contact, HeaderName, NameAddr, To};
use sip_core::uri::Uri;
use sip_core::{Limits, Message, Request, Response, StatusCode};
use sip_transaction::agent::{Agent, Config, Event, Invite, SessionId};
use sip_transaction::{ConnectionId, Input, ListenerConfig, ListenerId, Output, Target, Transport};

pub const US: &str = "192.0.2.1:5060";
pub const PEER: &str = "192.0.2.2:5060";
pub const OFFER: &str =
    "v=0\r\no=- 1 1 IN IP4 192.0.2.2\r\ns=-\r\nc=IN IP4 192.0.2.2\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n";
pub const ANSWER: &str =
    "v=0\r\no=- 2 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio 5000 RTP/AVP 0\r\n";

pub fn sdp(text: &str) -> Option<Bytes> {
    Some(Bytes::copy_from_slice(text.as_bytes()))
}

pub fn status(code: u16) -> StatusCode {
    StatusCode::new(code).unwrap()
}

pub fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

/// A message that the agent sent.
#[derive(Debug, Clone)]
pub struct Wire {
    pub to: Option<SocketAddr>,
    pub connection: Option<ConnectionId>,
    pub message: Message,
    pub text: String,
}

impl Wire {
    pub fn request(&self) -> &Request {
        match &self.message {
            Message::Request(request) => request,
            Message::Response(_) => panic!("a response: {}", self.text),
        }
    }

    pub fn response(&self) -> &Response {
        match &self.message {
            Message::Response(response) => response,
            Message::Request(_) => panic!("a request: {}", self.text),
        }
    }

    pub fn header(&self, name: &'static str) -> String {
        let value = self.message.headers().get(&HeaderName::from_static(name));
        String::from_utf8(value.unwrap_or_else(|| panic!("no {name} in {}", self.text)).to_vec()).unwrap()
    }

    pub fn has(&self, name: &'static str) -> bool {
        self.message.headers().contains(&HeaderName::from_static(name))
    }

    pub fn to_tag(&self) -> String {
        let to: To = self.message.headers().require().unwrap();
        String::from_utf8(to.tag().expect("a To tag").to_vec()).unwrap()
    }

    pub fn cseq(&self) -> u32 {
        self.message.headers().require::<CSeq>().unwrap().sequence
    }

    pub fn start_line(&self) -> &str {
        self.text.lines().next().unwrap()
    }
}

/// The agent, the clock, and what came out.
pub struct Scene {
    pub agent: Agent,
    pub now: Instant,
    pub udp: ListenerId,
    pub tcp: ListenerId,
    pub sent: VecDeque<Wire>,
    pub events: VecDeque<Event>,
    pub connects: VecDeque<(ConnectionId, SocketAddr)>,
    pub closed: Vec<ConnectionId>,
    branch: u32,
}

impl Scene {
    pub fn new() -> Self {
        Self::with(Config::default())
    }

    pub fn with(config: Config) -> Self {
        let mut agent = Agent::new(config, [1; 32]);
        let udp = agent.add_listener(ListenerConfig::new(Transport::Udp, US.parse().unwrap()));
        let tcp = agent.add_listener(ListenerConfig::new(Transport::Tcp, US.parse().unwrap()));
        agent.trust("192.0.2.2".parse().unwrap());
        #[expect(clippy::disallowed_methods, reason = "the virtual clock begins somewhere")]
        let now = Instant::now();
        Self {
            agent,
            now,
            udp,
            tcp,
            sent: VecDeque::new(),
            events: VecDeque::new(),
            connects: VecDeque::new(),
            closed: Vec::new(),
            branch: 0,
        }
    }

    pub fn drain(&mut self) {
        while let Some(output) = self.agent.poll_output() {
            let (to, connection, payload) = match output {
                Output::Datagram { destination, payload, .. } => (Some(destination), None, payload),
                Output::Write { connection, payload } => (None, Some(connection), payload),
                Output::Connect { connection, destination, .. } => {
                    self.connects.push_back((connection, destination));
                    continue;
                }
                Output::Close { connection } => {
                    self.closed.push(connection);
                    continue;
                }
                Output::Query { .. } => continue,
                Output::Event(event) => {
                    self.events.push_back(event);
                    continue;
                }
            };
            let text = String::from_utf8(payload.to_vec()).unwrap();
            let message = Message::parse(payload, &Limits::default()).expect("the agent writes SIP");
            self.sent.push_back(Wire { to, connection, message, text });
        }
    }

    /// A datagram comes from the peer.
    pub fn receive(&mut self, text: impl AsRef<str>) {
        self.receive_from(PEER, text);
    }

    pub fn receive_from(&mut self, source: &str, text: impl AsRef<str>) {
        let payload = Bytes::copy_from_slice(text.as_ref().as_bytes());
        let input = Input::Datagram { listener: self.udp, source: source.parse().unwrap(), payload, received: None };
        self.agent.handle_input(self.now, input);
        self.drain();
    }

    pub fn accept(&mut self, remote: &str) -> ConnectionId {
        let local = US.parse().unwrap();
        let connection = self.agent.accept(self.now, self.tcp, local, remote.parse().unwrap()).unwrap();
        self.drain();
        self.events.retain(|event| !matches!(event, Event::ConnectionOpened { .. }));
        connection
    }

    pub fn receive_on(&mut self, connection: ConnectionId, text: impl AsRef<str>) {
        let payload = Bytes::copy_from_slice(text.as_ref().as_bytes());
        self.agent.handle_input(self.now, Input::Received { connection, payload });
        self.drain();
    }

    /// Time passes, every timer firing when it is due.
    pub fn wait(&mut self, span: Duration) {
        let end = self.now + span;
        while let Some(at) = self.agent.poll_timeout() {
            if at > end {
                break;
            }
            self.now = self.now.max(at);
            self.agent.handle_timeout(self.now);
            self.drain();
        }
        self.now = end;
        self.drain();
    }

    /// The next message that the agent sent begins like this.
    pub fn expect(&mut self, start: &str) -> Wire {
        self.drain();
        let wire = self.sent.pop_front().unwrap_or_else(|| panic!("nothing was sent, expected {start}"));
        assert!(wire.text.starts_with(start), "expected {start}, got {}", wire.text);
        wire
    }

    pub fn silence(&mut self) {
        self.drain();
        assert!(self.sent.is_empty(), "unexpected: {}", self.sent[0].text);
    }

    pub fn event(&mut self) -> Event {
        self.drain();
        self.events.pop_front().expect("an event")
    }

    pub fn no_event(&mut self) {
        self.drain();
        assert!(self.events.is_empty(), "unexpected: {:?}", self.events[0]);
    }

    pub fn branch(&mut self) -> String {
        self.branch += 1;
        format!("z9hG4bKpeer{}", self.branch)
    }

    /// Everything is over, after the longest time that transactions linger.
    pub fn assert_idle(&mut self) {
        self.wait(Duration::from_secs(70));
        self.sent.clear();
        let snapshot = self.agent.snapshot();
        assert!(snapshot.is_idle(), "{snapshot:#?}");
    }

    /// An INVITE comes from the peer.
    pub fn incoming(&mut self, call: &mut PeerCall) -> SessionId {
        let text = call.invite(self.branch(), "");
        self.receive(text);
        match self.event() {
            Event::Incoming { session, .. } => session,
            other => panic!("{other:?}"),
        }
    }

    /// The peer calls, is answered, and acknowledges.
    pub fn established_from_peer(&mut self) -> (PeerCall, SessionId) {
        let mut call = PeerCall::new("call-in");
        let session = self.incoming(&mut call);
        self.agent.answer(self.now, session, sdp(ANSWER), &[]).unwrap();
        let ok = self.expect("SIP/2.0 200");
        call.take_tag(&ok);
        let ack = call.ack(self.branch());
        self.receive(ack);
        assert!(matches!(self.event(), Event::Acknowledged { .. }));
        self.silence();
        (call, session)
    }

    /// This side calls the peer; the INVITE.
    pub fn call(&mut self, invite: Invite) -> (SessionId, Wire) {
        let session = self.agent.invite(self.now, invite).unwrap();
        let wire = self.expect("INVITE ");
        (session, wire)
    }

    /// This side calls and the peer answers.
    pub fn established_to_peer(&mut self) -> (Callee, SessionId) {
        let (session, wire) = self.call(invite());
        let callee = Callee::new(&wire, "bob");
        self.receive(callee.respond(&wire, 200, Some(ANSWER)));
        self.expect("ACK ");
        assert!(matches!(self.event(), Event::Answered { .. }));
        (callee, session)
    }
}

pub fn address(text: &str) -> NameAddr {
    NameAddr::new(text.parse::<Uri>().unwrap())
}

/// A call of ours to the peer, with an offer.
pub fn invite() -> Invite {
    let mut invite = Invite::new(
        Target::udp(PEER.parse().unwrap()),
        "sip:bob@192.0.2.2".parse().unwrap(),
        address("sip:alice@192.0.2.1"),
        address("sip:bob@192.0.2.2"),
    );
    invite.offer = sdp(OFFER);
    invite
}

/// A call that the peer makes.
pub struct PeerCall {
    pub call_id: String,
    pub our_tag: Option<String>,
    pub cseq: u32,
    pub offer: Option<&'static str>,
    pub contact: String,
    pub invite_branch: String,
}

impl PeerCall {
    pub fn new(call_id: &str) -> Self {
        Self {
            call_id: call_id.to_owned(),
            our_tag: None,
            cseq: 1,
            offer: Some(OFFER),
            contact: "<sip:peer@192.0.2.2:5060>".to_owned(),
            invite_branch: String::new(),
        }
    }

    pub fn take_tag(&mut self, response: &Wire) {
        self.our_tag = Some(response.to_tag());
    }

    pub fn message(&self, method: &str, cseq: u32, branch: &str, extra: &str, body: Option<&str>) -> String {
        self.message_by("UDP", "192.0.2.2:5060;rport", method, cseq, branch, extra, body)
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of a message")]
    pub fn message_by(
        &self,
        transport: &str,
        sent_by: &str,
        method: &str,
        cseq: u32,
        branch: &str,
        extra: &str,
        body: Option<&str>,
    ) -> String {
        let tag = self.our_tag.as_ref().map(|tag| format!(";tag={tag}")).unwrap_or_default();
        let (media, body) = match body {
            Some(body) => ("Content-Type: application/sdp\r\n", body),
            None => ("", ""),
        };
        format!(
            "{method} sip:600@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/{transport} {sent_by};branch={branch}\r\nMax-Forwards: 70\r\n\
             From: <sip:peer@192.0.2.2>;tag=peer\r\nTo: <sip:600@192.0.2.1>{tag}\r\nCall-ID: {}\r\nCSeq: {cseq} {method}\r\n\
             Contact: {}\r\n{extra}{media}Content-Length: {}\r\n\r\n{body}",
            self.call_id,
            self.contact,
            body.len()
        )
    }

    /// The INVITE, or a re-INVITE with the next number once the call has a tag.
    pub fn invite(&mut self, branch: String, extra: &str) -> String {
        if self.our_tag.is_some() {
            self.cseq += 1;
        }
        self.invite_branch = branch;
        self.message("INVITE", self.cseq, &self.invite_branch, extra, self.offer)
    }

    pub fn ack(&self, branch: String) -> String {
        self.message("ACK", self.cseq, &branch, "", None)
    }

    pub fn ack_with(&self, branch: String, body: &str) -> String {
        self.message("ACK", self.cseq, &branch, "", Some(body))
    }

    pub fn cancel(&self) -> String {
        let mut text = self.message("CANCEL", self.cseq, &self.invite_branch, "Reason: SIP;cause=200\r\n", None);
        // A CANCEL has the INVITE's To, without a tag of ours.
        if let Some(tag) = &self.our_tag {
            text = text.replace(&format!(";tag={tag}"), "");
        }
        text
    }

    /// Any other request inside the dialog.
    pub fn request(&mut self, method: &str, branch: String, extra: &str, body: Option<&str>) -> String {
        self.cseq += 1;
        self.message(method, self.cseq, &branch, extra, body)
    }

    pub fn bye(&mut self, branch: String) -> String {
        self.request("BYE", branch, "", None)
    }
}

/// The peer as callee of a call of ours.
pub struct Callee {
    pub tag: String,
    pub call_id: String,
    pub our_tag: String,
    pub cseq: u32,
    pub contact: String,
}

impl Callee {
    pub fn new(invite: &Wire, tag: &str) -> Self {
        let from: sip_core::header::From = invite.message.headers().require().unwrap();
        Self {
            tag: tag.to_owned(),
            call_id: invite.header("Call-ID"),
            our_tag: String::from_utf8(from.tag().unwrap().to_vec()).unwrap(),
            cseq: 0,
            contact: format!("sip:{tag}@192.0.2.2:5060"),
        }
    }

    /// A response to a request of ours.
    pub fn respond(&self, request: &Wire, code: u16, body: Option<&str>) -> String {
        self.respond_with(request, code, &[], body)
    }

    pub fn respond_with(
        &self,
        request: &Wire,
        code: u16,
        headers: &[(&'static str, &str)],
        body: Option<&str>,
    ) -> String {
        let mut builder = Response::to(request.request(), status(code));
        if code > 100 {
            builder = builder.to_tag(self.tag.as_bytes()).header(&Contact::new(self.contact.parse().unwrap()));
        }
        for (name, value) in headers {
            builder = builder.raw(&HeaderName::from_static(name), value);
        }
        if let Some(body) = body {
            builder = builder.body("application/sdp", Bytes::copy_from_slice(body.as_bytes()));
        }
        String::from_utf8(builder.build().to_bytes().to_vec()).unwrap()
    }

    /// A request of the peer inside the dialog.
    pub fn request(&mut self, method: &str, branch: String, extra: &str, body: Option<&str>) -> String {
        if method != "ACK" {
            self.cseq += 1;
        }
        let (media, body) = match body {
            Some(body) => ("Content-Type: application/sdp\r\n", body),
            None => ("", ""),
        };
        format!(
            "{method} sip:alice@192.0.2.1:5060 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.2:5060;rport;branch={branch}\r\n\
             Max-Forwards: 70\r\nFrom: <sip:bob@192.0.2.2>;tag={}\r\nTo: <sip:alice@192.0.2.1>;tag={}\r\nCall-ID: {}\r\n\
             CSeq: {} {method}\r\nContact: <{}>\r\n{extra}{media}Content-Length: {}\r\n\r\n{body}",
            self.tag,
            self.our_tag,
            self.call_id,
            self.cseq,
            self.contact,
            body.len()
        )
    }
}
