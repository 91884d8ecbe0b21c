//! Five small servers and callers, so that there is something to see.

use std::collections::HashMap;
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use sip_core::header::{HeaderName, RecordRoute, To};
use sip_core::{Limits, Message, Method, Request, Response, StatusCode};

use crate::config::{Common, Config, DestinationConfig, Dns, Http, Probe, SetConfig, Sip};

/// The servers, their weights and how long each thinks before it answers.
const SERVERS: [(&str, u32, u64); 5] =
    [("amsterdam", 100, 4), ("berlin", 100, 6), ("cadiz", 50, 3), ("dublin", 150, 8), ("espoo", 100, 5)];

/// How long a call lasts, on the average.
const TALK: Duration = Duration::from_secs(8);

/// How long an answer is waited for before a call counts as failed.
const PATIENCE: Duration = Duration::from_secs(8);

/// A demonstration whose servers listen.
#[derive(Debug)]
pub struct Demo {
    sip: SocketAddr,
    http: SocketAddr,
    rate: u32,
    servers: Vec<(&'static str, u32, SocketAddr)>,
    /// Calls that went as they should, and that did not.
    outcome: Arc<[AtomicU64; 2]>,
}

impl Demo {
    /// Starts the servers.
    ///
    /// # Errors
    /// When the system gives no sockets.
    pub fn start(sip: SocketAddr, http: SocketAddr, rate: u32) -> io::Result<Self> {
        let mut servers = Vec::new();
        for (name, weight, millis) in SERVERS {
            let socket = UdpSocket::bind(SocketAddr::new(sip.ip(), 0))?;
            servers.push((name, weight, socket.local_addr()?));
            let thread = std::thread::Builder::new().name(name.to_owned());
            thread.spawn(move || serve(&socket, Duration::from_millis(millis)))?;
        }
        Ok(Self { sip, http, rate, servers, outcome: Arc::new([AtomicU64::new(0), AtomicU64::new(0)]) })
    }

    /// The configuration of the dispatcher in front of them.
    #[must_use]
    pub fn config(&self) -> Config {
        let destinations = self.servers.iter().map(|(name, weight, address)| DestinationConfig {
            weight: *weight,
            ..DestinationConfig::new(name, *address)
        });
        Config {
            sip: Sip { udp: vec![self.sip], ..Sip::default() },
            dispatcher: Common::default(),
            probe: Probe { interval: Some(1.0), ..Probe::default() },
            http: Some(Http { listen: self.http, token: None }),
            share: None,
            sets: vec![SetConfig {
                name: "demo".to_owned(),
                algorithm: "hash".to_owned(),
                key: "call-id".to_owned(),
                domains: Vec::new(),
                destinations: destinations.collect(),
                services: Vec::new(),
            }],
            l4: Vec::new(),
            dns: Dns::default(),
        }
    }

    /// Calls that went as they should, and that did not; they are counted on.
    #[must_use]
    pub fn outcome(&self) -> Arc<[AtomicU64; 2]> {
        self.outcome.clone()
    }

    /// Begins to call.
    pub fn begin(self) {
        let run = move || {
            if let Err(error) = call(self.sip, self.rate, &self.outcome) {
                tracing::error!(%error, "the demonstration's callers ended");
            }
        };
        // Without a thread there are no calls; the dispatcher serves all the same.
        if let Err(error) = std::thread::Builder::new().name("callers".to_owned()).spawn(run) {
            tracing::error!(%error, "the demonstration has no callers");
        }
    }
}

/// A server that answers everything: OPTIONS at once, INVITE after a while.
fn serve(socket: &UdpSocket, thinks: Duration) {
    let mut buffer = vec![0; 65_535];
    let Ok(local) = socket.local_addr() else { return };
    while let Ok((length, source)) = socket.recv_from(&mut buffer) {
        let bytes = Bytes::copy_from_slice(buffer.get(..length).unwrap_or_default());
        let Ok(Message::Request(request)) = Message::parse(bytes, &Limits::default()) else { continue };
        match request.method() {
            Method::Ack => continue,
            Method::Invite => {
                let _ = socket.send_to(&answer(&request, StatusCode::RINGING, local), source);
                std::thread::sleep(thinks / 4);
            }
            _ => {}
        }
        let _ = socket.send_to(&answer(&request, StatusCode::OK, local), source);
    }
}

fn answer(request: &Request, status: StatusCode, local: SocketAddr) -> Bytes {
    let contact = format!("<sip:{local}>");
    Response::to(request, status).to_tag(b"server").record_route().raw(&HeaderName::CONTACT, contact).build().to_bytes()
}

/// One call of the demonstration.
struct Call {
    number: u64,
    since: Instant,
    /// Until when it talks, once answered.
    until: Option<Instant>,
    /// What the requests within it are made of: target, To and Routes.
    inside: Option<(String, String, String)>,
    is_ending: bool,
}

fn call(server: SocketAddr, rate: u32, outcome: &[AtomicU64; 2]) -> io::Result<()> {
    let socket = UdpSocket::bind(SocketAddr::new(server.ip(), 0))?;
    socket.set_read_timeout(Some(Duration::from_millis(2)))?;
    let local = socket.local_addr()?;
    let mut buffer = vec![0; 65_535];
    let mut calls: HashMap<String, Call> = HashMap::new();
    let pause = Duration::from_secs(1) / rate.max(1);
    let (mut next, mut number, started) = (Instant::now(), 0_u64, Instant::now());
    let epoch = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default().as_millis();
    loop {
        let now = Instant::now();
        while next <= now {
            next += pause;
            number += 1;
            let id = format!("{epoch:x}-{number}@{local}");
            let to = format!("<sip:{}@example.com>", 1_000 + number % 1_000);
            let uri = format!("sip:{}@{server}", 1_000 + number % 1_000);
            let text = request("INVITE", &uri, local, &id, &to, "", number, 1);
            socket.send_to(text.as_bytes(), server)?;
            calls.insert(id, Call { number, since: now, until: None, inside: None, is_ending: false });
        }
        if let Ok((length, _)) = socket.recv_from(&mut buffer) {
            let bytes = Bytes::copy_from_slice(buffer.get(..length).unwrap_or_default());
            if let Ok(Message::Response(response)) = Message::parse(bytes, &Limits::default()) {
                answered(&socket, server, local, &response, &mut calls, outcome)?;
            }
        }
        let mut ended = Vec::new();
        for (id, call) in &mut calls {
            if let (Some(until), Some((target, to, routes))) = (call.until, &call.inside)
                && now >= until
                && !call.is_ending
            {
                call.is_ending = true;
                call.since = now;
                let text = request("BYE", target, local, id, to, routes, call.number, 2);
                socket.send_to(text.as_bytes(), server)?;
            }
            let waits = call.until.is_none() || call.is_ending;
            if waits && now > call.since + PATIENCE {
                ended.push(id.clone());
            }
        }
        for id in ended {
            calls.remove(&id);
            let [_, failed] = outcome;
            let failed = failed.fetch_add(1, Ordering::Relaxed) + 1;
            tracing::warn!(id, failed, after = ?started.elapsed(), "a call of the demonstration failed");
        }
    }
}

fn answered(
    socket: &UdpSocket,
    server: SocketAddr,
    local: SocketAddr,
    response: &Response,
    calls: &mut HashMap<String, Call>,
    outcome: &[AtomicU64; 2],
) -> io::Result<()> {
    let Ok(mandatory) = response.mandatory() else { return Ok(()) };
    let id = String::from_utf8_lossy(&mandatory.call_id.0).into_owned();
    let Some(call) = calls.get_mut(&id) else { return Ok(()) };
    let [went, failed] = outcome;
    match (&mandatory.cseq.method, response.status()) {
        (_, status) if status.is_provisional() => {}
        (Method::Invite, status) if status.is_success() => {
            let headers = response.headers();
            let mut routes: Vec<String> =
                headers.all::<RecordRoute>().flatten().map(|route| format!("Route: {route}\r\n")).collect();
            routes.reverse();
            let contact = headers.get(&HeaderName::CONTACT).unwrap_or_default();
            let target = String::from_utf8_lossy(&contact).trim_matches(['<', '>']).to_owned();
            let to = headers.require::<To>().map(|to| to.to_string()).unwrap_or_default();
            let text = request("ACK", &target, local, &id, &to, &routes.concat(), call.number, 1);
            socket.send_to(text.as_bytes(), server)?;
            // Between a half and one and a half times as long, without chance: calls overlap evenly.
            let part = (call.number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40) as f64 / f64::from(1 << 24);
            call.until.get_or_insert(Instant::now() + TALK.mul_f64(0.5 + part));
            call.inside = Some((target, to, routes.concat()));
        }
        (Method::Bye, status) if status.is_success() => {
            calls.remove(&id);
            went.fetch_add(1, Ordering::Relaxed);
        }
        (_, status) => {
            calls.remove(&id);
            let failed = failed.fetch_add(1, Ordering::Relaxed) + 1;
            tracing::warn!(id, %status, failed, "a call of the demonstration failed");
        }
    }
    Ok(())
}

#[expect(clippy::too_many_arguments, reason = "all that a request is made of")]
fn request(
    method: &str,
    uri: &str,
    local: SocketAddr,
    id: &str,
    to: &str,
    routes: &str,
    number: u64,
    sequence: u32,
) -> String {
    format!(
        "{method} {uri} SIP/2.0\r\nVia: SIP/2.0/UDP {local};branch=z9hG4bK{number}-{method};rport\r\nMax-Forwards: 70\r\n\
         {routes}From: <sip:caller@example.com>;tag=c{number}\r\nTo: {to}\r\nCall-ID: {id}\r\nCSeq: {sequence} {method}\r\n\
         Contact: <sip:caller@{local}>\r\nContent-Length: 0\r\n\r\n"
    )
}
