//! The registrar and the authenticator under any sequence of REGISTER requests: every request gets a response that can be
//! read, nobody is accepted without the secret, a refused request changes nothing, and the tables stay bounded, agree with
//! each other and are empty in the end.
#![no_main]

use std::sync::LazyLock;
use std::time::{Duration, Instant};

use arbitrary::Arbitrary;
use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use sip_core::auth::{Algorithm, Challenge, Credentials, Ha1};
use sip_core::header::{Authorization, Contact};
use sip_core::{Limits, Message, Request};
use sip_proxy::authenticator::{self, Authenticator, Decision, Query, Role};
use sip_proxy::registrar::{Authority, Config, Registrar};
use sip_transaction::{ConnectionId, Endpoint, ListenerConfig, Source, Transport};

#[derive(Debug, Arbitrary)]
enum Step {
    Register { user: u8, flow: u8, cseq: u8, call_id: u8, headers: String, knows: bool, nonce: u8, nc: u8 },
    Contacts { user: u8, flow: u8, cseq: u8, contacts: Vec<(u8, Option<u16>, u8)> },
    Raw { flow: u8, bytes: Vec<u8> },
    Close(u8),
    Wait(u16),
}

static EPOCH: LazyLock<Instant> = LazyLock::new(Instant::now);

/// A UDP flow and three connections, as an endpoint names them.
static FLOWS: LazyLock<[Source; 4]> = LazyLock::new(|| {
    let local = "192.0.2.9:5060".parse().unwrap();
    let mut endpoint = Endpoint::new(sip_transaction::Config::default(), [0; 32]);
    let udp = endpoint.add_listener(ListenerConfig::new(Transport::Udp, local));
    let tcp = endpoint.add_listener(ListenerConfig::new(Transport::Tcp, local));
    let flow = |remote: &str| Source {
        transport: Transport::Udp,
        listener: udp,
        remote: remote.parse().unwrap(),
        local,
        connection: None,
        received: None,
    };
    let mut connection = |remote: &str| Source {
        transport: Transport::Tcp,
        listener: tcp,
        connection: Some(endpoint.accept(*EPOCH, tcp, local, remote.parse().unwrap()).unwrap()),
        ..flow(remote)
    };
    let connections = ["203.0.113.1:1001", "203.0.113.1:1002", "203.0.113.1:1003"].map(&mut connection);
    let [a, b, c] = connections;
    [flow("203.0.113.1:5060"), a, b, c]
});

fn flow(which: u8) -> &'static Source {
    &FLOWS[usize::from(which) % 4]
}

fn connection(which: u8) -> Option<ConnectionId> {
    flow(which).connection
}

fn request(user: u8, call_id: u8, cseq: u8, headers: &str) -> Option<Request> {
    let user = user % 4;
    let text = format!(
        "REGISTER sip:example.org SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.5;branch=z9hG4bK1\r\nFrom: <sip:u@example.org>;tag=1\r\n\
         To: <sip:u{user}@example.org>\r\nCall-ID: {}\r\nCSeq: {cseq} REGISTER\r\n{headers}\r\n\r\n",
        call_id % 4
    );
    match Message::parse(Bytes::from(text), &Limits::default()) {
        Ok(Message::Request(request)) => Some(request),
        _ => None,
    }
}

fn lookup(query: &Query<'_>) -> Option<Ha1> {
    query.username.starts_with(b"u").then(|| Ha1::new(query.algorithm, query.username, query.realm, "secret"))
}

struct Scene {
    now: Instant,
    registrar: Registrar,
    authenticator: Authenticator,
    challenges: Vec<Challenge>,
}

impl Scene {
    fn register(&mut self, request: &Request, source: &Source, authority: Authority<'_>) {
        self.registrar.handle_timeout(self.now);
        let before: Vec<_> = self.registrar.location().iter(self.now).map(|(_, binding)| binding.clone()).collect();
        let response = self.registrar.register(self.now, request, source, authority);
        let Ok(Message::Response(read)) = Message::parse(
            response.to_bytes(),
            &Limits { headers: usize::MAX, message: usize::MAX, line: usize::MAX, ..Limits::default() },
        ) else {
            panic!("{response:?}");
        };
        if response.status().as_u16() != 200 {
            let after: Vec<_> = self.registrar.location().iter(self.now).map(|(_, binding)| binding.clone()).collect();
            assert_eq!(before, after);
            return;
        }
        for contact in read.headers().all::<Contact>() {
            assert!(contact.unwrap().expires().unwrap() > 0);
        }
    }

    fn check(&mut self) {
        while self.registrar.poll_output().is_some() {}
        self.registrar.handle_timeout(self.now);
        let snapshot = self.registrar.snapshot().location;
        let all: Vec<_> = self.registrar.location().iter(self.now).collect();
        assert_eq!(snapshot.bindings, all.len());
        assert!(snapshot.addresses <= 3 && snapshot.connections <= 3);
        assert_eq!(self.registrar.poll_timeout(), all.iter().map(|(_, binding)| binding.expires_at).min());
        assert!(self.authenticator.snapshot().nonces <= 3);
    }
}

fuzz_target!(|steps: Vec<Step>| {
    let now = *EPOCH;
    let mut config = Config::default();
    config.location.addresses = 3;
    config.location.bindings_per_address = 3;
    let mut realm = authenticator::Config::new("example.org").with_algorithms(&[Algorithm::Md5, Algorithm::Sha256]);
    realm.remembered_nonces = 3;
    let mut scene = Scene {
        now,
        registrar: Registrar::new(config, [1; 32]),
        authenticator: Authenticator::new(realm, [2; 32], now),
        challenges: Vec::new(),
    };
    let mut used = std::collections::BTreeSet::new();
    for step in steps.into_iter().take(64) {
        match step {
            Step::Register { user, flow: which, cseq, call_id, headers, knows, nonce, nc } => {
                let Some(mut request) = request(user, call_id, cseq, &headers) else { continue };
                let name = format!("u{}", user % 4);
                if let Some(challenge) = scene.challenges.get(usize::from(nonce)) {
                    let password = if knows { "secret" } else { "guess" };
                    let answer = Credentials::answer(
                        challenge,
                        &name,
                        password,
                        request.method(),
                        request.uri_bytes(),
                        "c",
                        nc.into(),
                        request.body(),
                    )
                    .unwrap();
                    let mut edit = request.edit();
                    edit.push_front(&Authorization(answer));
                    request = edit.finish();
                }
                match scene.authenticator.decide(scene.now, &request, Role::Server, lookup) {
                    Decision::Accepted(identity) => {
                        assert!(knows && identity.username == name.as_bytes());
                        assert!(used.insert((nonce / 2, nc)), "accepted twice");
                        scene.register(&request, flow(which), Authority::User(&identity.username));
                    }
                    Decision::Challenge(challenges) if scene.challenges.len() < 250 => {
                        scene.challenges.extend_from_slice(challenges.values());
                    }
                    Decision::Challenge(_) | Decision::Refused { .. } => {}
                }
            }
            Step::Contacts { user, flow: which, cseq, contacts } => {
                let lines: String = contacts
                    .iter()
                    .take(8)
                    .map(|(host, expires, q)| {
                        let expires = expires.map_or(String::new(), |expires| format!(";expires={expires}"));
                        format!("Contact: <sip:u@10.0.0.{}>{expires};q=0.{}\r\n", host % 5, q % 10)
                    })
                    .collect();
                let name = format!("u{}", user % 4);
                if let Some(request) = request(user, 0, cseq, lines.trim_end()) {
                    scene.register(&request, flow(which), Authority::User(name.as_bytes()));
                }
            }
            Step::Raw { flow: which, bytes } => {
                if let Ok(Message::Request(request)) = Message::parse(Bytes::from(bytes), &Limits::default()) {
                    scene.register(&request, flow(which), Authority::Everything);
                    if let Decision::Accepted(identity) =
                        scene.authenticator.decide(scene.now, &request, Role::Proxy, |_| None)
                    {
                        panic!("{identity:?}");
                    }
                }
            }
            Step::Close(which) => {
                if let Some(connection) = connection(which) {
                    scene.registrar.handle_connection_closed(connection);
                }
            }
            Step::Wait(seconds) => {
                scene.now += Duration::from_secs(seconds.into());
                scene.authenticator.handle_timeout(scene.now);
            }
        }
        scene.check();
    }
    while let Some(at) = scene.registrar.poll_timeout() {
        scene.now = at;
        scene.registrar.handle_timeout(at);
    }
    let snapshot = scene.registrar.snapshot().location;
    assert_eq!((snapshot.addresses, snapshot.bindings, snapshot.connections, snapshot.unreachable), (0, 0, 0, 0));
});
