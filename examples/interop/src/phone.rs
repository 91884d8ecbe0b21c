//! A small phone of our own, for what real ones cannot be told to do: a SIP user agent over UDP or TCP, written apart from
//! the libraries that it tests.

use crate::wait::PATIENCE;
use crate::wire::Wire;
use md5::{Digest, Md5};
use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// A SIP message as text.
#[derive(Debug, Clone, Default)]
pub struct Message {
    /// The first line.
    pub start: String,
    /// Names and values.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: String,
}

impl Message {
    fn parse(bytes: &[u8]) -> Option<Self> {
        let text = String::from_utf8_lossy(bytes);
        let (head, body) = text.split_once("\r\n\r\n")?;
        let mut lines = head.split("\r\n");
        let start = lines.next()?.to_owned();
        let headers = lines.filter_map(|line| line.split_once(':'));
        let headers = headers.map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned())).collect();
        Some(Self { start, headers, body: body.to_owned() })
    }

    /// The status code of a response.
    pub fn status(&self) -> Option<u16> {
        self.start.strip_prefix("SIP/2.0 ")?.split(' ').next()?.parse().ok()
    }

    /// The method of a request.
    pub fn method(&self) -> Option<&str> {
        if self.status().is_some() { None } else { self.start.split(' ').next() }
    }

    /// The first value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(it, _)| it.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// All values of a header.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.headers.iter().filter(move |(it, _)| it.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// Where its SDP wants audio.
    pub fn media(&self) -> Option<SocketAddr> {
        let host = self.body.lines().find_map(|line| line.strip_prefix("c=IN IP4 "))?.trim();
        let port = self.body.lines().find_map(|line| line.strip_prefix("m=audio "))?.split(' ').next()?;
        format!("{host}:{port}").parse().ok()
    }

    fn branch(&self) -> &str {
        self.header("Via")
            .and_then(|via| via.split_once("branch="))
            .map_or("", |(_, rest)| rest.split([';', ',']).next().unwrap_or(""))
    }

    fn cseq(&self) -> &str {
        self.header("CSeq").unwrap_or("")
    }

    fn call_id(&self) -> &str {
        self.header("Call-ID").unwrap_or("")
    }
}

/// A call of a phone's: what its dialog needs.
#[derive(Debug, Clone)]
pub struct Call {
    /// The Call-ID.
    pub id: String,
    /// The INVITE that began it.
    pub invite: Message,
    local: String,
    remote: String,
    target: String,
    routes: Vec<String>,
    sequence: u32,
    branch: String,
    /// The last INVITE as it was sent.
    sent: String,
}

/// The phone.
#[derive(Debug)]
pub struct Phone {
    /// Its account.
    pub user: String,
    /// Its address.
    pub address: SocketAddr,
    secret: String,
    server: SocketAddr,
    wire: Wire,
    inbox: VecDeque<Message>,
    /// By branch and CSeq of a request: what was answered to it.
    answered: HashMap<String, Option<String>>,
    /// By Call-ID and CSeq of an INVITE: the ACK to its 2xx.
    acknowledged: HashMap<String, String>,
    count: u32,
}

impl Phone {
    /// A phone at an address, for a server.
    ///
    /// # Panics
    ///
    /// When the address is taken.
    pub fn new(address: SocketAddr, server: SocketAddr, user: &str, secret: &str) -> Self {
        Self::with(Wire::udp(address, server), server, user, secret)
    }

    /// A phone that connects to a server from wherever the system lets it.
    ///
    /// # Panics
    ///
    /// When nobody listens there.
    pub fn over_tcp(server: SocketAddr, user: &str, secret: &str) -> Self {
        Self::with(Wire::tcp(server), server, user, secret)
    }

    fn with(wire: Wire, server: SocketAddr, user: &str, secret: &str) -> Self {
        Self {
            user: user.into(),
            address: wire.local(),
            secret: secret.into(),
            server,
            wire,
            inbox: VecDeque::new(),
            answered: HashMap::new(),
            acknowledged: HashMap::new(),
            count: 0,
        }
    }

    /// Registers, with a password when asked; returns the last status.
    pub fn register(&mut self, expires: u32) -> u16 {
        let uri = format!("sip:{}", self.server);
        let id = self.fresh("reg");
        let tag = self.fresh("t");
        let mut credentials = None;
        for sequence in 1.. {
            let branch = self.fresh("z9hG4bK");
            let mut request = self.head("REGISTER", &uri, &branch);
            let own = format!("<sip:{}@{}>", self.user, self.server);
            request += &format!(
                "From: {own};tag={tag}\r\nTo: {own}\r\nCall-ID: {id}\r\nCSeq: {sequence} REGISTER\r\n\
                 Contact: {}\r\nExpires: {expires}\r\n",
                self.contact()
            );
            let response = self.transact(&request, credentials.take(), "", &id, &format!("{sequence} REGISTER"));
            let status = response.status().unwrap_or(0);
            if status == 401 && sequence == 1 {
                credentials = self.answer(&response, "REGISTER", &uri);
            } else {
                return status;
            }
        }
        0
    }

    /// Calls a number, and answers the challenge if there is one.
    pub fn invite(&mut self, number: &str, body: &str) -> Call {
        let server = self.server;
        let uri = format!("sip:{number}@{server}");
        let tag = self.fresh("t");
        let local = format!("<sip:{}@{server}>;tag={tag}", self.user);
        let mut call = Call {
            id: self.fresh("call"),
            invite: Message::default(),
            local,
            remote: format!("<{uri}>"),
            target: uri.clone(),
            routes: Vec::new(),
            sequence: 0,
            branch: String::new(),
            sent: String::new(),
        };
        self.send_invite(&mut call, None, body);
        let response = self.progress(&call);
        if matches!(response.status(), Some(401 | 407)) {
            self.acknowledge_refusal(&call, &response);
            let credentials = self.answer(&response, "INVITE", &uri);
            self.send_invite(&mut call, credentials, body);
        } else {
            self.inbox.push_front(response);
        }
        call
    }

    /// Waits for a response to the call's last INVITE that is not 100.
    ///
    /// # Panics
    ///
    /// When there is none.
    pub fn progress(&mut self, call: &Call) -> Message {
        let cseq = format!("{} INVITE", call.sequence);
        let of_call =
            |message: &Message| message.status().is_some() && message.call_id() == call.id && message.cseq() == cseq;
        let end = Instant::now() + PATIENCE * 2;
        let mut heard = false;
        while Instant::now() < end {
            match self.wait_for(Duration::from_secs(2), of_call) {
                Some(response) if response.status() == Some(100) => heard = true,
                Some(response) => return response,
                None if heard || self.wire.is_reliable() => {}
                None => self.send(&call.sent),
            }
        }
        panic!("{} got no answer to its INVITE {}", self.user, call.id)
    }

    /// Waits for the final response to the call's last INVITE, and acknowledges it.
    pub fn outcome(&mut self, call: &mut Call) -> Message {
        loop {
            let response = self.progress(call);
            match response.status() {
                Some(200..=299) => {
                    self.learn(call, &response);
                    self.acknowledge(call);
                    return response;
                }
                Some(300..) => {
                    self.acknowledge_refusal(call, &response);
                    return response;
                }
                _ => {}
            }
        }
    }

    /// Cancels the call's INVITE; returns the status of the CANCEL itself.
    pub fn cancel(&mut self, call: &Call) -> u16 {
        let mut request = self.head("CANCEL", &call.target, &call.branch);
        request += &format!(
            "From: {}\r\nTo: {}\r\nCall-ID: {}\r\nCSeq: {} CANCEL\r\n",
            call.local, call.remote, call.id, call.sequence
        );
        let cseq = format!("{} CANCEL", call.sequence);
        self.transact(&request, None, "", &call.id, &cseq).status().unwrap_or(0)
    }

    /// Hangs up; returns the status of the BYE.
    pub fn bye(&mut self, call: &mut Call) -> u16 {
        call.sequence += 1;
        let branch = self.fresh("z9hG4bK");
        let request = self.dialog_head("BYE", call, &branch);
        let cseq = format!("{} BYE", call.sequence);
        self.transact(&request, None, "", &call.id, &cseq).status().unwrap_or(0)
    }

    /// Offers something else within the call; acknowledges and returns the final response.
    pub fn reinvite(&mut self, call: &mut Call, body: &str) -> Message {
        self.send_invite(call, None, body);
        self.outcome(call)
    }

    /// Waits for somebody's INVITE.
    pub fn incoming(&mut self) -> Call {
        let invite = self.wait("an INVITE", PATIENCE, |message| message.method() == Some("INVITE"));
        let contact = invite.header("Contact").unwrap_or_default();
        let target = contact.split(['<', '>']).nth(1).unwrap_or(contact).to_owned();
        let tag = self.fresh("t");
        Call {
            id: invite.call_id().to_owned(),
            local: format!("{};tag={tag}", invite.header("To").unwrap_or_default()),
            remote: invite.header("From").unwrap_or_default().to_owned(),
            target,
            routes: invite.all("Record-Route").map(str::to_owned).collect(),
            sequence: 0,
            branch: String::new(),
            sent: String::new(),
            invite,
        }
    }

    /// Answers the call's INVITE.
    pub fn respond(&mut self, call: &Call, status: &str, body: &str) {
        let contact = format!("Contact: {}\r\n", self.contact());
        let request = call.invite.clone();
        self.reply(&request, status, Some(&call.local), &contact, body);
    }

    /// Answers any request with what it needs.
    pub fn reply(&mut self, request: &Message, status: &str, to: Option<&str>, more: &str, body: &str) {
        let mut text = format!("SIP/2.0 {status}\r\n");
        for name in ["Via", "Record-Route"] {
            request.all(name).for_each(|value| text += &format!("{name}: {value}\r\n"));
        }
        let to = to.or(request.header("To")).unwrap_or_default();
        text += &format!(
            "From: {}\r\nTo: {to}\r\nCall-ID: {}\r\nCSeq: {}\r\n{more}",
            request.header("From").unwrap_or_default(),
            request.call_id(),
            request.cseq()
        );
        let text = finish(&text, body);
        self.send(&text);
        self.answered.insert(key(request), Some(text));
    }

    /// Waits for a request of a call's and takes it out.
    pub fn request(&mut self, call: &Call, method: &str) -> Message {
        self.wait(method, PATIENCE, |message| message.method() == Some(method) && message.call_id() == call.id)
    }

    /// As [`request`](Self::request), but there need not be one.
    pub fn request_within(&mut self, call: &Call, method: &str, patience: Duration) -> Option<Message> {
        self.wait_for(patience, |message| message.method() == Some(method) && message.call_id() == call.id)
    }

    /// Whether the server closed the phone's connection.
    pub fn is_cut_off(&mut self) -> bool {
        self.wire.is_closed()
    }

    /// Waits for BYE, and answers it.
    pub fn wait_for_bye(&mut self, call: &Call) {
        let bye = self.request(call, "BYE");
        self.reply(&bye, "200 OK", None, "", "");
    }

    /// Whether the phone heard nothing of a call's end so far: looks, does not wait.
    pub fn is_hung_up(&mut self, call: &Call) -> bool {
        self.receive(Duration::from_millis(1));
        self.inbox.iter().any(|message| message.method() == Some("BYE") && message.call_id() == call.id)
    }

    /// Waits for a message.
    ///
    /// # Panics
    ///
    /// When it does not come.
    pub fn wait(&mut self, what: &str, patience: Duration, wanted: impl Fn(&Message) -> bool) -> Message {
        self.wait_for(patience, wanted).unwrap_or_else(|| {
            let seen: Vec<&str> = self.inbox.iter().map(|message| message.start.as_str()).collect();
            panic!("{} waited {patience:?} in vain for {what}; it has {seen:?}", self.user)
        })
    }

    fn wait_for(&mut self, patience: Duration, wanted: impl Fn(&Message) -> bool) -> Option<Message> {
        let end = Instant::now() + patience;
        loop {
            if let Some(index) = self.inbox.iter().position(&wanted) {
                return self.inbox.remove(index);
            }
            let left = end.checked_duration_since(Instant::now())?;
            self.receive(left.min(Duration::from_millis(100)));
        }
    }

    /// Takes in at least one datagram, if one comes in time.
    fn receive(&mut self, patience: Duration) {
        let Some(bytes) = self.wire.receive(patience.max(Duration::from_millis(1))) else { return };
        let Some(message) = Message::parse(&bytes) else { return };
        if message.method().is_some() {
            // What was answered is answered again, what is being answered is not asked twice.
            let key = key(&message);
            match self.answered.get(&key).cloned() {
                Some(Some(answer)) => return self.send(&answer),
                Some(None) => return,
                None => self.answered.insert(key, None),
            };
            if message.method() == Some("CANCEL") {
                self.reply(&message, "200 OK", None, "", "");
            }
        } else if message.status().is_some_and(|status| (200..300).contains(&status)) {
            if let Some(ack) = self.acknowledged.get(&format!("{} {}", message.call_id(), message.cseq())).cloned() {
                return self.send(&ack);
            }
        }
        self.inbox.push_back(message);
    }

    fn send_invite(&mut self, call: &mut Call, credentials: Option<String>, body: &str) {
        call.sequence += 1;
        call.branch = self.fresh("z9hG4bK");
        let head = self.dialog_head("INVITE", call, &call.branch);
        let contact = format!("Contact: {}\r\n", self.contact());
        call.sent = finish(&format!("{head}{contact}{}", credentials.unwrap_or_default()), body);
        self.send(&call.sent);
    }

    /// Sends a request until it is answered by anything, 100 included.
    fn transact(&mut self, head: &str, credentials: Option<String>, body: &str, id: &str, cseq: &str) -> Message {
        let text = finish(&format!("{head}{}", credentials.unwrap_or_default()), body);
        let end = Instant::now() + PATIENCE;
        while Instant::now() < end {
            self.send(&text);
            let wanted =
                |message: &Message| message.status().is_some() && message.call_id() == id && message.cseq() == cseq;
            if let Some(response) = self.wait_for(Duration::from_secs(2), wanted) {
                return response;
            }
        }
        panic!("{} got no answer to {cseq}", self.user)
    }

    fn acknowledge(&mut self, call: &Call) {
        let branch = self.fresh("z9hG4bK");
        let text = finish(&self.dialog_head("ACK", call, &branch), "");
        self.send(&text);
        self.acknowledged.insert(format!("{} {} INVITE", call.id, call.sequence), text);
    }

    fn acknowledge_refusal(&mut self, call: &Call, response: &Message) {
        let mut text = self.head("ACK", &call.target, &call.branch);
        text += &format!(
            "From: {}\r\nTo: {}\r\nCall-ID: {}\r\nCSeq: {} ACK\r\n",
            call.local,
            response.header("To").unwrap_or_default(),
            call.id,
            call.sequence
        );
        self.send(&finish(&text, ""));
    }

    fn contact(&self) -> String {
        let parameter = if self.wire.is_reliable() { ";transport=tcp" } else { "" };
        format!("<sip:{}@{}{parameter}>", self.user, self.address)
    }

    fn learn(&self, call: &mut Call, response: &Message) {
        call.remote = response.header("To").unwrap_or_default().to_owned();
        if let Some(contact) = response.header("Contact") {
            call.target = contact.split(['<', '>']).nth(1).unwrap_or(contact).to_owned();
        }
        let mut routes: Vec<String> = response.all("Record-Route").map(str::to_owned).collect();
        routes.reverse();
        call.routes = routes;
    }

    fn head(&self, method: &str, uri: &str, branch: &str) -> String {
        format!(
            "{method} {uri} SIP/2.0\r\nVia: SIP/2.0/{} {};branch={branch};rport\r\nMax-Forwards: 70\r\n",
            self.wire.transport(),
            self.address
        )
    }

    fn dialog_head(&self, method: &str, call: &Call, branch: &str) -> String {
        let mut text = self.head(method, &call.target, branch);
        call.routes.iter().for_each(|route| text += &format!("Route: {route}\r\n"));
        text + &format!(
            "From: {}\r\nTo: {}\r\nCall-ID: {}\r\nCSeq: {} {method}\r\n",
            call.local, call.remote, call.id, call.sequence
        )
    }

    /// The header that answers a challenge, MD5 being the one that every phone knows.
    fn answer(&mut self, response: &Message, method: &str, uri: &str) -> Option<String> {
        let proxy = response.status() == Some(407);
        let name = if proxy { "Proxy-Authenticate" } else { "WWW-Authenticate" };
        let challenge = response.all(name).find(|it| !it.contains("algorithm=SHA"))?.to_owned();
        let value = |name: &str| {
            let (_, rest) = challenge.split_once(&format!("{name}="))?;
            Some(rest.trim_start_matches('"').split(['"', ',']).next().unwrap_or_default().to_owned())
        };
        let (realm, nonce) = (value("realm")?, value("nonce")?);
        let cnonce = self.fresh("c");
        let secret = hash(&format!("{}:{realm}:{}", self.user, self.secret));
        let what = hash(&format!("{method}:{uri}"));
        let answer = hash(&format!("{secret}:{nonce}:00000001:{cnonce}:auth:{what}"));
        let opaque = value("opaque").map(|opaque| format!(", opaque=\"{opaque}\"")).unwrap_or_default();
        let header = if proxy { "Proxy-Authorization" } else { "Authorization" };
        Some(format!(
            "{header}: Digest username=\"{}\", realm=\"{realm}\", nonce=\"{nonce}\", uri=\"{uri}\", response=\"{answer}\", \
             algorithm=MD5, qop=auth, nc=00000001, cnonce=\"{cnonce}\"{opaque}\r\n",
            self.user
        ))
    }

    fn send(&self, text: &str) {
        // A full buffer or a server that just ended: the retransmission will tell.
        self.wire.send(text.as_bytes());
    }

    fn fresh(&mut self, prefix: &str) -> String {
        self.count += 1;
        format!("{prefix}{}x{}x{}", self.address.port(), std::process::id(), self.count)
    }
}

/// An SDP body for audio at an address: G.711 of both laws and telephone-event.
pub fn sdp(address: SocketAddr, direction: &str) -> String {
    let (host, port) = (address.ip(), address.port());
    format!(
        "v=0\r\no=- {port} {} IN IP4 {host}\r\ns=-\r\nc=IN IP4 {host}\r\nt=0 0\r\nm=audio {port} RTP/AVP 0 8 101\r\n\
         a=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\n\
         a=ptime:20\r\na={direction}\r\n",
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |it| it.as_millis())
    )
}

fn finish(head: &str, body: &str) -> String {
    let kind = if body.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
    format!("{head}{kind}Content-Length: {}\r\n\r\n{body}", body.len())
}

fn key(request: &Message) -> String {
    format!("{} {}", request.branch(), request.cseq())
}

fn hash(text: &str) -> String {
    Md5::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}
