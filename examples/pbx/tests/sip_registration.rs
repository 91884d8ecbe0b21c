//! This program registers at another SIP server: digest, refresh, 423, failures, and the goodbye.

use std::{
    net::SocketAddr,
    time::{Duration, Instant, SystemTime},
};

use bytes::Bytes;
use pbx::{
    config::{Config, Secret, SipRegistration},
    status::Status,
    switch::Switch,
};
use sip_core::{
    Limits, Message, Request, Response, StatusCode,
    auth::{Algorithm, Challenge, Ha1},
    header::{Authorization, Contact, Expires, HeaderName, MinExpires, WwwAuthenticate},
};
use sip_transaction::{Input, ListenerConfig, ListenerId, Output, Transport};

const HERE: &str = "192.0.2.1:5060";
const THERE: &str = "192.0.2.9:5060";

struct Scene {
    switch: Switch,
    listener: ListenerId,
    now: Instant,
}

impl Scene {
    fn new(change: impl FnOnce(&mut SipRegistration)) -> Self {
        let mut registration =
            SipRegistration::new("4501234", Some(Secret::new("Shai3ohn")), "192.0.2.9".parse().unwrap());
        registration.extension = "reception".to_owned();
        change(&mut registration);
        let mut config = Config::default();
        config.registrations.push(registration);
        #[expect(clippy::disallowed_methods, reason = "the first moment of a clock that is simulated")]
        let now = Instant::now();
        let here: SocketAddr = HERE.parse().unwrap();
        let mut switch = Switch::new(config, here.ip(), [7; 32], now, SystemTime::UNIX_EPOCH);
        let listener = switch.add_listener(ListenerConfig::new(Transport::Udp, here)).unwrap();
        Self { switch, listener, now }
    }

    /// Lets time pass, and gives what was sent to the server last.
    fn after(&mut self, time: Duration) -> Option<Request> {
        let end = self.now + time;
        let mut sent = self.sent();
        while let Some(at) = self.switch.poll_timeout().filter(|at| *at <= end) {
            self.now = self.now.max(at);
            self.switch.handle_timeout(self.now);
            sent = self.sent().or(sent);
        }
        self.now = end;
        sent
    }

    fn sent(&mut self) -> Option<Request> {
        let mut sent = None;
        while let Some(output) = self.switch.poll_output() {
            if let Output::Datagram { destination, payload, .. } = output {
                assert_eq!(destination, THERE.parse().unwrap());
                match Message::parse(payload, &Limits::default()).unwrap() {
                    Message::Request(request) => sent = Some(request),
                    Message::Response(response) => panic!("sent {response:?}"),
                }
            }
        }
        sent
    }

    fn answer(&mut self, response: &Response) -> Option<Request> {
        let (listener, payload) = (self.listener, response.to_bytes());
        let input = Input::Datagram { listener, source: THERE.parse().unwrap(), payload, received: None };
        self.switch.handle_input(self.now, input);
        self.sent()
    }

    /// The state in `sip show registry`.
    fn state(&self) -> &'static str {
        self.status().registrations[0].state
    }

    fn status(&self) -> Status {
        self.switch.status(self.now, |_| None)
    }
}

fn response(request: &Request, status: StatusCode) -> sip_core::ResponseBuilder {
    Response::to(request, status).to_tag(b"there")
}

fn challenge(request: &Request, nonce: &str) -> Response {
    let value = format!("Digest realm=\"provider\", nonce=\"{nonce}\", qop=\"auth\", algorithm=MD5");
    let challenge = Challenge::parse(&Bytes::from(value)).unwrap();
    response(request, StatusCode::UNAUTHORIZED).header(&WwwAuthenticate(challenge)).build()
}

fn granted(request: &Request, seconds: u32) -> Response {
    let contact = request.headers().typed::<Contact>().unwrap().unwrap();
    response(request, StatusCode::OK).header(&contact).header(&Expires(seconds)).build()
}

fn expires(request: &Request) -> u32 {
    request.headers().require::<Expires>().unwrap().0
}

#[test]
fn it_registers_proves_its_password_and_refreshes_before_the_end() {
    let mut scene = Scene::new(|_| {});
    let first = scene.after(Duration::ZERO).unwrap();
    assert_eq!(first.uri_bytes(), b"sip:192.0.2.9");
    assert_eq!(expires(&first), 3600);
    let contact = first.headers().get(&HeaderName::CONTACT).unwrap();
    assert_eq!(contact, "<sip:reception@192.0.2.1:5060>".as_bytes());
    assert_eq!(scene.state(), "Request Sent");

    let second = scene.answer(&challenge(&first, "n1")).unwrap();
    let credentials = second.headers().require::<Authorization>().unwrap().0;
    let ha1 = Ha1::new(Algorithm::Md5, "4501234", "provider", "Shai3ohn");
    assert!(credentials.verify(&ha1, second.method(), second.body()), "{second:?}");
    let (one, two) = (first.mandatory().unwrap(), second.mandatory().unwrap());
    assert_eq!((one.call_id, one.cseq.sequence + 1), (two.call_id, two.cseq.sequence));
    assert_eq!(scene.state(), "Auth. Sent");

    assert!(scene.answer(&granted(&second, 120)).is_none());
    assert_eq!(scene.state(), "Registered");
    assert!(scene.after(Duration::from_secs(89)).is_none(), "it is not refreshed too early");
    let refresh = scene.after(Duration::from_secs(2)).unwrap();
    assert!(refresh.mandatory().unwrap().cseq.sequence > two.cseq.sequence);
    scene.answer(&granted(&refresh, 120));
    assert_eq!(scene.state(), "Registered");
}

#[test]
fn a_wrong_password_is_shown_and_tried_again_only_later() {
    let mut scene = Scene::new(|registration| registration.retry = Duration::from_secs(20));
    let first = scene.after(Duration::ZERO).unwrap();
    let second = scene.answer(&challenge(&first, "n1")).unwrap();
    assert!(scene.answer(&challenge(&second, "n2")).is_none());
    assert_eq!(scene.state(), "No Authentication");
    assert!(scene.after(Duration::from_secs(19)).is_none());
    assert!(scene.after(Duration::from_secs(2)).is_some());
}

#[test]
fn a_server_that_wants_longer_registrations_gets_them() {
    let mut scene = Scene::new(|registration| registration.expires = Duration::from_secs(60));
    let first = scene.after(Duration::ZERO).unwrap();
    let brief = response(&first, StatusCode::INTERVAL_TOO_BRIEF).header(&MinExpires(1800)).build();
    assert_eq!(expires(&scene.answer(&brief).unwrap()), 1800);
}

#[test]
fn a_silent_server_is_tried_again_for_ever() {
    let mut scene = Scene::new(|registration| registration.retry = Duration::from_secs(20));
    assert!(scene.after(Duration::from_secs(33)).is_some());
    assert_eq!(scene.state(), "Timeout");
    assert!(scene.after(Duration::from_secs(20)).is_some(), "it tries again");
    let last = scene.after(Duration::from_secs(3600)).unwrap();
    scene.answer(&granted(&last, 120));
    assert!(scene.after(Duration::from_secs(600)).is_some());
}

#[test]
fn the_server_is_told_when_the_program_ends() {
    let mut scene = Scene::new(|_| {});
    let first = scene.after(Duration::ZERO).unwrap();
    scene.answer(&granted(&first, 3600));
    scene.switch.drain(scene.now);
    let goodbye = scene.sent().unwrap();
    assert_eq!(expires(&goodbye), 0);
    let again = scene.answer(&challenge(&goodbye, "n9")).unwrap();
    assert_eq!(expires(&again), 0);
    scene.answer(&granted(&again, 0));
    assert_eq!(scene.state(), "Unregistered");
    assert!(scene.after(Duration::from_secs(7200)).is_none());
}

#[test]
fn a_server_whose_name_is_unknown_is_shown_as_silent() {
    let mut scene = Scene::new(|registration| registration.host = "sip.invalid".parse().unwrap());
    assert!(scene.after(Duration::from_secs(1)).is_none());
    assert_eq!(scene.state(), "Timeout");
}
