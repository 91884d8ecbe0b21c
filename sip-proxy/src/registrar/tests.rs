use std::net::SocketAddr;

use proptest::prelude::*;
use sip_core::header::{HeaderName, MinExpires, RetryAfter, To, Unsupported};
use sip_core::{Limits, Message};
use sip_transaction::{Endpoint, ListenerConfig, ListenerId, Transport};

use super::*;
use crate::location::memory::ChangeKind;
use crate::tests::epoch;

/// A registrar, and an endpoint that makes listeners and connections for it.
struct Scene {
    now: Instant,
    registrar: Registrar,
    endpoint: Endpoint,
    udp: ListenerId,
    tcp: ListenerId,
}

fn local() -> SocketAddr {
    "192.0.2.9:5060".parse().unwrap()
}

impl Scene {
    fn new(config: Config) -> Self {
        let mut endpoint = Endpoint::new(sip_transaction::Config::default(), [1; 32]);
        let udp = endpoint.add_listener(ListenerConfig::new(Transport::Udp, local()));
        let tcp = endpoint.add_listener(ListenerConfig::new(Transport::Tcp, local()));
        Self { now: epoch(), registrar: Registrar::new(config, [2; 32]), endpoint, udp, tcp }
    }

    fn udp(&self, remote: &str) -> Source {
        let remote = remote.parse().unwrap();
        Source {
            transport: Transport::Udp,
            listener: self.udp,
            remote,
            local: local(),
            connection: None,
            received: None,
        }
    }

    fn tcp(&mut self, remote: &str) -> Source {
        let remote = remote.parse().unwrap();
        let connection = Some(self.endpoint.accept(self.now, self.tcp, local(), remote).unwrap());
        Source { transport: Transport::Tcp, listener: self.tcp, remote, local: local(), connection, received: None }
    }

    /// Registers as alice over UDP.
    fn register(&mut self, cseq: u32, headers: &str) -> Response {
        let source = self.udp("192.0.2.1:5060");
        self.register_from(&source, "1", cseq, headers)
    }

    fn register_from(&mut self, source: &Source, call_id: &str, cseq: u32, headers: &str) -> Response {
        let request = request("sip:example.org", "sip:alice@example.org", call_id, cseq, headers);
        self.registrar.register(self.now, &request, source, Authority::User(b"alice"))
    }

    fn contacts(&self) -> Vec<String> {
        let bindings = self.registrar.location().bindings(self.now, b"sip:alice@example.org");
        bindings.map(|binding| binding.contact.uri.to_string()).collect()
    }

    fn changes(&mut self) -> Vec<ChangeKind> {
        std::iter::from_fn(|| self.registrar.poll_output()).map(|change| change.kind).collect()
    }
}

fn request(uri: &str, to: &str, call_id: &str, cseq: u32, headers: &str) -> Request {
    let headers = headers.lines().map(|line| format!("{line}\r\n")).collect::<String>();
    let text = format!(
        "REGISTER {uri} SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.5;branch=z9hG4bK1\r\nFrom: <sip:alice@example.org>;tag=1\r\n\
         To: <{to}>\r\nCall-ID: {call_id}\r\nCSeq: {cseq} REGISTER\r\n{headers}\r\n"
    );
    match Message::parse(Bytes::from(text), &Limits::default()) {
        Ok(Message::Request(request)) => request,
        other => panic!("{other:?}"),
    }
}

/// The contacts that a response lists.
fn listed(response: &Response) -> Vec<String> {
    assert_eq!(response.status(), StatusCode::OK);
    response.headers().all::<Contact>().map(|contact| contact.unwrap().to_string()).collect()
}

fn status(response: &Response) -> u16 {
    response.status().as_u16()
}

#[test]
fn a_contact_is_bound_listed_and_forgotten_in_time() {
    let mut scene = Scene::new(Config::default());
    let response = scene.register(1, "Contact: <sip:alice@10.0.0.5>;q=0.5;x=y\nExpires: 120");
    assert_eq!(listed(&response), ["<sip:alice@10.0.0.5>;x=y;q=0.5;expires=120"]);
    assert!(response.headers().require::<To>().unwrap().tag().is_some());
    assert_eq!(scene.changes(), [ChangeKind::Added]);

    // A fraction of a second later there are still 120 seconds, because less would be too little.
    scene.now += Duration::from_millis(500);
    assert_eq!(listed(&scene.register(2, "")), ["<sip:alice@10.0.0.5>;x=y;q=0.5;expires=120"]);
    scene.now += Duration::from_secs(59);
    assert_eq!(listed(&scene.register(3, "")), ["<sip:alice@10.0.0.5>;x=y;q=0.5;expires=61"]);

    let end = scene.registrar.poll_timeout().unwrap();
    scene.now = end - Duration::from_millis(1);
    scene.registrar.handle_timeout(scene.now);
    assert_eq!(scene.contacts(), ["sip:alice@10.0.0.5"]);
    scene.now = end;
    scene.registrar.handle_timeout(end);
    assert!(scene.contacts().is_empty());
    assert_eq!(scene.changes(), [ChangeKind::Expired]);
    assert_eq!(scene.registrar.poll_timeout(), None);
    assert_eq!(scene.registrar.snapshot().location.addresses, 0);
}

#[test]
fn a_call_goes_where_the_registration_came_from() {
    let mut scene = Scene::new(Config::default());
    let source = scene.tcp("203.0.113.7:40123");
    scene.register_from(&source, "1", 1, "Contact: <sip:alice@10.0.0.5:5060;transport=tcp>");
    let targets = scene.registrar.location().targets(scene.now, b"sip:alice@example.org");
    let target = targets[0].target();
    assert_eq!((target.transport, target.remote), (Transport::Tcp, "203.0.113.7:40123".parse().unwrap()));
    assert_eq!(target.connection, source.connection);
    assert!(target.reuse_only);
}

#[test]
fn a_contact_whose_connection_closes_is_unreachable_until_it_registers_again() {
    let mut scene = Scene::new(Config::default());
    let first = scene.tcp("203.0.113.7:40123");
    let other = scene.tcp("203.0.113.7:40124");
    scene.register_from(&first, "1", 1, "Contact: <sip:alice@10.0.0.5;transport=tcp>");
    assert_eq!(scene.registrar.snapshot().location.connections, 1);
    scene.registrar.handle_connection_closed(other.connection.unwrap());
    assert_eq!(scene.registrar.location().targets(scene.now, b"sip:alice@example.org").len(), 1);

    scene.registrar.handle_connection_closed(first.connection.unwrap());
    scene.registrar.handle_connection_closed(first.connection.unwrap());
    assert!(scene.registrar.location().targets(scene.now, b"sip:alice@example.org").is_empty());
    assert_eq!(scene.contacts().len(), 1, "the binding has not ended");
    let snapshot = scene.registrar.snapshot().location;
    assert_eq!((snapshot.unreachable, snapshot.connections, snapshot.bindings), (1, 0, 1));
    assert_eq!(scene.changes(), [ChangeKind::Added, ChangeKind::ConnectionClosed]);

    let again = scene.tcp("203.0.113.7:40125");
    scene.register_from(&again, "1", 2, "Contact: <sip:alice@10.0.0.5;transport=tcp>");
    let targets = scene.registrar.location().targets(scene.now, b"sip:alice@example.org");
    assert_eq!(targets[0].target().connection, again.connection);
    let snapshot = scene.registrar.snapshot().location;
    assert_eq!((snapshot.unreachable, snapshot.connections, snapshot.bindings), (0, 1, 1));
}

#[test]
fn contacts_that_cannot_be_reached_make_room_for_new_ones() {
    let mut config = Config::default();
    config.location.bindings_per_address = 2;
    let mut scene = Scene::new(config);
    for port in 1..=6 {
        // Such a phone names its ephemeral port, a new one with each connection.
        let source = scene.tcp(&format!("203.0.113.7:4000{port}"));
        let response = scene.register_from(&source, "1", port, &format!("Contact: <sip:alice@10.0.0.5:4000{port}>"));
        assert_eq!(status(&response), 200);
        scene.registrar.handle_connection_closed(source.connection.unwrap());
        scene.now += Duration::from_secs(1);
    }
    assert_eq!(scene.contacts(), ["sip:alice@10.0.0.5:40005", "sip:alice@10.0.0.5:40006"]);
    // Contacts that can be reached stay.
    let mut full = Scene::new(scene.registrar.config.clone());
    assert_eq!(status(&full.register(1, "Contact: <sip:a@1.1.1.1>, <sip:b@1.1.1.1>")), 200);
    let refused = full.register(2, "Contact: <sip:c@1.1.1.1>");
    assert_eq!((status(&refused), refused.reason()), (403, &b"Too Many Contacts"[..]));
    assert_eq!(full.contacts().len(), 2);
}

#[test]
fn an_address_of_record_with_a_bound_of_its_own_is_held_to_it() {
    let limited = |displace: bool| {
        let mut scene = Scene::new(Config::default());
        let limit = Limit { bindings: 1, displace };
        scene.registrar.set_limit(Bytes::from_static(b"sip:alice@example.org"), limit);
        assert_eq!(status(&scene.register(1, "Contact: <sip:a@1.1.1.1>")), 200);
        scene
    };
    let mut strict = limited(false);
    assert_eq!(status(&strict.register(2, "Contact: <sip:b@1.1.1.1>")), 403);
    assert_eq!(strict.contacts(), ["sip:a@1.1.1.1"]);
    assert_eq!(status(&strict.register(3, "Contact: <sip:a@1.1.1.1>")), 200, "a refreshed one is none more");

    let mut displacing = limited(true);
    displacing.now += Duration::from_secs(1);
    assert_eq!(status(&displacing.register(2, "Contact: <sip:b@1.1.1.1>")), 200);
    assert_eq!(displacing.contacts(), ["sip:b@1.1.1.1"]);
    assert_eq!(status(&displacing.register(3, "Contact: <sip:c@1.1.1.1>, <sip:d@1.1.1.1>")), 403);
}

#[test]
fn only_the_owner_of_an_address_of_record_may_bind_it() {
    let mut scene = Scene::new(Config::default());
    let source = scene.udp("192.0.2.66:5060");
    let mut attempt = |to: &str, authority: Authority<'_>| {
        let request = request("sip:example.org", to, "1", 1, "Contact: <sip:mallory@192.0.2.66>");
        let response = scene.registrar.register(scene.now, &request, &source, authority);
        (status(&response), scene.registrar.snapshot().location.bindings)
    };
    let mallory = Authority::User(b"mallory");
    // A third party's, a number's, nobody's, and look-alikes.
    assert_eq!(attempt("sip:alice@example.org", mallory), (403, 0));
    assert_eq!(attempt("tel:+15551234567", mallory), (403, 0));
    assert_eq!(attempt("mailto:mallory@example.org", mallory), (403, 0));
    assert_eq!(attempt("tel:mallory", mallory), (400, 0), "letters are no number");
    assert_eq!(attempt("sip:example.org", mallory), (403, 0));
    assert_eq!(attempt("sip:example.org", Authority::User(b"")), (403, 0));
    assert_eq!(attempt("sip:Mallory@example.org", mallory), (403, 0));
    assert_eq!(attempt("sip:alice%20@example.org", Authority::User(b"alice")), (403, 0));
    assert_eq!(attempt("sip:alice;mallory@example.org", mallory), (403, 0));
    assert_eq!(attempt("sip:alice@example.org", Authority::Addresses(&[Bytes::from("sip:bob@example.org")])), (403, 0));
    // One's own, and with a list or trust somebody else's.
    assert_eq!(attempt("sip:mallory@example.org", mallory), (200, 1));
    assert_eq!(
        attempt("sip:alice@example.org", Authority::Addresses(&[Bytes::from("sip:alice@example.org")])),
        (200, 2)
    );
    assert_eq!(attempt("sip:bob@example.org", Authority::Everything), (200, 3));
    assert_eq!(attempt("sip:example.org", Authority::Everything), (404, 3));
    assert_eq!(scene.registrar.snapshot().counters.forbidden, 9);
}

#[test]
fn domains_that_are_not_ours_are_not_found() {
    let config = Config { domains: vec!["example.org".parse().unwrap()], ..Config::default() };
    let mut scene = Scene::new(config);
    let source = scene.udp("192.0.2.1:5060");
    let mut attempt = |uri: &str, to: &str| {
        let request = request(uri, to, "1", 1, "Contact: <sip:alice@10.0.0.5>");
        status(&scene.registrar.register(scene.now, &request, &source, Authority::User(b"alice")))
    };
    assert_eq!(attempt("sip:example.org", "sip:alice@example.org"), 200);
    assert_eq!(attempt("sip:EXAMPLE.ORG", "sip:alice@example.org"), 500, "the same once more is out of order");
    assert_eq!(attempt("sip:example.com", "sip:alice@example.com"), 404);
    assert_eq!(attempt("sip:example.org", "sip:alice@example.com"), 404);
    assert_eq!(attempt("tel:+1", "sip:alice@example.org"), 416);
}

#[test]
fn one_domain_has_one_user_by_whatever_address() {
    let mut scene = Scene::new(Config::one_domain("pbx".parse().unwrap()));
    let source = scene.udp("192.0.2.1:5060");
    for (cseq, host) in [(1, "127.0.0.1"), (2, "localhost:5060"), (3, "[::1]")] {
        let request = request(
            &format!("sip:{host}"),
            &format!("sip:%61lice@{host};user=phone"),
            "1",
            cseq,
            "Contact: <sip:alice@10.0.0.5>",
        );
        let response = scene.registrar.register(scene.now, &request, &source, Authority::User(b"alice"));
        assert_eq!(listed(&response).len(), 1);
    }
    let address = scene.registrar.address(&"sip:alice@192.0.2.9".parse().unwrap()).unwrap();
    assert_eq!(address, "sip:alice@pbx");
    assert_eq!(scene.registrar.location().targets(scene.now, &address).len(), 1);
    assert_eq!(scene.registrar.snapshot().location.addresses, 1);
}

#[test]
fn extensions_that_are_required_must_be_known() {
    let mut scene = Scene::new(Config::default());
    assert_eq!(status(&scene.register(1, "Require: path\nContact: <sip:alice@10.0.0.5>")), 200);
    let refused = scene.register(2, "Require: path, gruu\nRequire: x-y");
    assert_eq!(status(&refused), 420);
    let unknown: Vec<_> = refused.headers().all::<Unsupported>().map(|option| option.unwrap().0).collect();
    assert_eq!(unknown, ["gruu", "x-y"]);
}

#[test]
fn validities_are_bounded() {
    let mut scene = Scene::new(Config::default());
    let brief = scene.register(1, "Contact: <sip:alice@10.0.0.5>;expires=59");
    assert_eq!(status(&brief), 423);
    assert_eq!(brief.headers().require::<MinExpires>().unwrap().0, 60);
    for (cseq, headers, granted) in [
        (2, "Contact: <sip:alice@10.0.0.5>;expires=60", 60),
        (3, "Contact: <sip:alice@10.0.0.5>", 3_600),
        (4, "Contact: <sip:alice@10.0.0.5>\nExpires: 100000", 7_200),
        (5, "Contact: <sip:alice@10.0.0.5>;expires=99999999999999999999", 7_200),
        (6, "Contact: <sip:alice@10.0.0.5>\nExpires: 0 0l@company.com", 3_600),
        (7, "Contact: <sip:alice@10.0.0.5>;expires=90\nExpires: 100", 90),
    ] {
        assert_eq!(listed(&scene.register(cseq, headers)), [format!("<sip:alice@10.0.0.5>;expires={granted}")]);
    }
    // A minimum of more than an hour does not refuse an hour.
    scene.registrar.config.min_expires = Duration::from_secs(7_200);
    assert_eq!(listed(&scene.register(8, "Contact: <sip:alice@10.0.0.5>;expires=3600")).len(), 1);
    assert_eq!(status(&scene.register(9, "Contact: <sip:alice@10.0.0.5>;expires=3599")), 423);
}

#[test]
fn a_request_is_processed_completely_or_not_at_all() {
    let mut scene = Scene::new(Config::default());
    scene.register(5, "Contact: <sip:alice@10.0.0.5>");
    let source = scene.udp("192.0.2.2:5060");
    // The second contact is too brief, or out of order, or not a contact: the first is not bound either.
    for (call_id, cseq, headers, expected) in [
        ("2", 1, "Contact: <sip:alice@10.0.0.6>, <sip:alice@10.0.0.7>;expires=1", 423),
        ("1", 5, "Contact: <sip:alice@10.0.0.6>, <sip:alice@10.0.0.5>", 500),
        ("2", 1, "Contact: <sip:alice@10.0.0.6>, <sip:", 400),
        ("2", 1, "Contact: <sip:alice@10.0.0.6>\nPath: <sip:", 400),
    ] {
        assert_eq!(status(&scene.register_from(&source, call_id, cseq, headers)), expected, "{headers}");
        assert_eq!(scene.contacts(), ["sip:alice@10.0.0.5"]);
    }
    let response =
        scene.register_from(&source, "1", 6, "Contact: <sip:alice@10.0.0.6>\nContact: <sip:alice@10.0.0.5>;expires=0");
    assert_eq!(listed(&response), ["<sip:alice@10.0.0.6>;expires=3600"]);
}

#[test]
fn requests_that_come_late_change_nothing() {
    let mut scene = Scene::new(Config::default());
    assert_eq!(status(&scene.register(7, "Contact: <sip:alice@10.0.0.5>")), 200);
    for (cseq, headers) in [
        (7, "Contact: <sip:alice@10.0.0.5>;expires=0"),
        (6, "Contact: <sip:alice@10.0.0.5>"),
        (7, "Contact: *\nExpires: 0"),
    ] {
        assert_eq!(status(&scene.register(cseq, headers)), 500, "{headers}");
        assert_eq!(scene.contacts().len(), 1);
    }
    // A phone that was restarted has another Call-ID, and begins again.
    let source = scene.udp("192.0.2.1:5060");
    assert_eq!(status(&scene.register_from(&source, "another", 1, "Contact: <sip:alice@10.0.0.5>")), 200);
    assert_eq!(status(&scene.register_from(&source, "another", 2, "Contact: <sip:alice@10.0.0.5>;expires=0")), 200);
    assert!(scene.contacts().is_empty());
    assert_eq!(scene.registrar.snapshot().counters.out_of_order, 3);
}

#[test]
fn a_star_removes_everything_and_stands_alone() {
    let mut scene = Scene::new(Config::default());
    scene.register(1, "Contact: <sip:alice@10.0.0.5>, <sip:alice@10.0.0.6>");
    for headers in [
        "Contact: *",
        "Contact: *\nExpires: 1",
        "Contact: *, <sip:alice@10.0.0.5>\nExpires: 0",
        "Contact: <sip:alice@10.0.0.5>\nContact: *\nExpires: 0",
        "Contact: *;expires=0",
    ] {
        assert_eq!(status(&scene.register(2, headers)), 400, "{headers}");
        assert_eq!(scene.contacts().len(), 2);
    }
    assert!(listed(&scene.register(2, "Contact: *\nExpires: 0")).is_empty());
    assert!(scene.contacts().is_empty());
    use ChangeKind::{Added, Removed};
    assert_eq!(scene.changes(), [Added, Added, Removed, Removed]);
}

#[test]
fn a_contact_named_twice_is_one() {
    let mut scene = Scene::new(Config::default());
    let response = scene.register(1, "Contact: <sip:alice@10.0.0.5>;expires=60, <sip:alice@10.0.0.5>;expires=90");
    assert_eq!(listed(&response), ["<sip:alice@10.0.0.5>;expires=90"]);
    let response = scene.register(2, "Contact: <sip:alice@10.0.0.5>;expires=60, <sip:alice@10.0.0.5>;expires=0");
    assert!(listed(&response).is_empty());
}

#[test]
fn contacts_are_compared_as_uris() {
    let mut scene = Scene::new(Config::default());
    scene.register(1, "Contact: <sip:alice@host.example>");
    let response = scene.register(2, "Contact: <sip:%61lice@HOST.example;x=y>;expires=70");
    assert_eq!(listed(&response), ["<sip:%61lice@HOST.example;x=y>;expires=70"]);
    assert_eq!(listed(&scene.register(3, "Contact: <sip:alice@host.example:5060>")).len(), 2);
}

#[test]
fn the_same_flow_of_an_instance_replaces_its_contact() {
    let mut scene = Scene::new(Config::default());
    let contact = |port, flow| {
        format!("Contact: <sip:alice@10.0.0.5:{port}>;reg-id={flow};+sip.instance=\"<urn:uuid:0-1>\";expires=60")
    };
    assert_eq!(listed(&scene.register(1, &contact(1, 1))).len(), 1);
    assert_eq!(listed(&scene.register(2, &contact(2, 1))).len(), 1);
    assert_eq!(scene.contacts(), ["sip:alice@10.0.0.5:2"]);
    assert_eq!(listed(&scene.register(3, &contact(3, 2))).len(), 2);
}

#[test]
fn the_path_is_kept_and_given_back() {
    let mut scene = Scene::new(Config::default());
    let response =
        scene.register(1, "Contact: <sip:alice@10.0.0.5>\nPath: <sip:p1;lr>, <sip:p2;lr>\nRecord-Route: <sip:x>");
    let path: Vec<_> = response.headers().all::<Path>().map(|path| path.unwrap().0.uri.to_string()).collect();
    assert_eq!(path, ["sip:p1;lr", "sip:p2;lr"]);
    assert!(!response.headers().contains(&HeaderName::RECORD_ROUTE));
    let targets = scene.registrar.location().targets(scene.now, b"sip:alice@example.org");
    assert_eq!(targets[0].path.len(), 2);
}

#[test]
fn the_preferred_contacts_come_first_and_of_these_the_latest() {
    let mut scene = Scene::new(Config::default());
    scene.register(1, "Contact: <sip:a@10.0.0.1>;q=0.3, <sip:b@10.0.0.1>;q=0.9");
    scene.now += Duration::from_secs(1);
    scene.register(2, "Contact: <sip:c@10.0.0.1>;q=0.9, <sip:d@10.0.0.1>");
    let targets = scene.registrar.location().targets(scene.now, b"sip:alice@example.org");
    let uris: Vec<_> = targets.iter().map(|binding| binding.contact.uri.to_string()).collect();
    assert_eq!(uris, ["sip:d@10.0.0.1", "sip:c@10.0.0.1", "sip:b@10.0.0.1", "sip:a@10.0.0.1"]);
}

#[test]
fn the_date_is_in_the_answer_when_the_time_of_day_is_known() {
    let mut scene = Scene::new(Config::default());
    assert!(!scene.register(1, "").headers().contains(&HeaderName::DATE));
    scene.registrar.handle_wall_clock(scene.now, Duration::from_secs(1_000_000_000));
    scene.now += Duration::from_secs(40);
    let response = scene.register(2, "");
    assert_eq!(response.headers().get(&HeaderName::DATE).unwrap(), "Sun, 09 Sep 2001 01:47:20 GMT");
}

#[test]
fn other_methods_are_not_for_a_registrar() {
    let mut scene = Scene::new(Config::default());
    let source = scene.udp("192.0.2.1:5060");
    let text = "INVITE sip:example.org SIP/2.0\r\nVia: SIP/2.0/UDP a;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\n\
                To: <sip:a@b>\r\nCall-ID: 1\r\nCSeq: 1 INVITE\r\n\r\n";
    let Ok(Message::Request(invite)) = Message::parse(Bytes::from(text), &Limits::default()) else { panic!() };
    let response = scene.registrar.register(scene.now, &invite, &source, Authority::Everything);
    assert_eq!(status(&response), 405);
    assert_eq!(response.headers().get(&HeaderName::ALLOW).unwrap(), "REGISTER");
}

#[test]
fn a_full_store_refuses_new_users_and_serves_the_known() {
    let mut config = Config::default();
    config.location.addresses = 1;
    let mut scene = Scene::new(config);
    let source = scene.udp("192.0.2.1:5060");
    assert_eq!(status(&scene.register(1, "Contact: <sip:alice@10.0.0.5>")), 200);
    let bob = request("sip:example.org", "sip:bob@example.org", "1", 1, "Contact: <sip:bob@10.0.0.5>");
    let refused = scene.registrar.register(scene.now, &bob, &source, Authority::User(b"bob"));
    assert_eq!(status(&refused), 503);
    assert!(refused.headers().require::<RetryAfter>().unwrap().seconds > 0);
    assert_eq!(status(&scene.register(2, "Contact: <sip:alice@10.0.0.5>")), 200);
    scene.register(3, "Contact: <sip:alice@10.0.0.5>;expires=0");
    assert_eq!(status(&scene.registrar.register(scene.now, &bob, &source, Authority::User(b"bob"))), 200);
}

#[test]
fn changes_that_nobody_takes_are_dropped_and_counted() {
    let mut config = Config::default();
    config.location.outputs = 2;
    let mut scene = Scene::new(config);
    scene.register(1, "Contact: <sip:a@10.0.0.1>, <sip:b@10.0.0.1>, <sip:c@10.0.0.1>");
    assert_eq!(scene.registrar.snapshot().location.dropped_changes, 1);
    assert_eq!(scene.changes().len(), 2);
}

#[derive(Debug, Clone)]
enum Step {
    Register { user: u8, contacts: Vec<(u8, Option<u16>)>, cseq: u32, connection: Option<usize> },
    Star { user: u8, cseq: u32 },
    Close(usize),
    Wait(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0u8..3, proptest::collection::vec((0u8..4, proptest::option::of(0u16..200)), 0..4), 1u32..30, proptest::option::of(0usize..3))
            .prop_map(|(user, contacts, cseq, connection)| Step::Register { user, contacts, cseq, connection }),
        1 => (0u8..3, 1u32..30).prop_map(|(user, cseq)| Step::Star { user, cseq }),
        1 => (0usize..3).prop_map(Step::Close),
        2 => (0u64..4_000).prop_map(Step::Wait),
    ]
}

proptest! {
    #[test]
    fn the_tables_agree_whatever_happens_and_are_empty_in_the_end(steps in proptest::collection::vec(step(), 1..60)) {
        let mut config = Config::default();
        config.location.bindings_per_address = 3;
        config.location.addresses = 2;
        let mut scene = Scene::new(config);
        let flows: Vec<Source> = (0..3).map(|port| scene.tcp(&format!("203.0.113.7:{}", 4_000 + port))).collect();
        for step in steps {
            let before: Vec<_> = scene.registrar.location().iter(scene.now).map(|(_, binding)| binding.clone()).collect();
            match step {
                Step::Register { user, contacts, cseq, connection } => {
                    let source = connection.map_or_else(|| scene.udp("192.0.2.1:5060"), |index| flows[index]);
                    let lines: String = contacts.iter().map(|(host, expires)| {
                        let expires = expires.map_or(String::new(), |expires| format!(";expires={expires}"));
                        format!("Contact: <sip:u@10.0.0.{host}>{expires}\n")
                    }).collect();
                    let name = format!("u{user}");
                    let request = request("sip:example.org", &format!("sip:{name}@example.org"), "1", cseq, &lines);
                    let response = scene.registrar.register(scene.now, &request, &source, Authority::User(name.as_bytes()));
                    let after: Vec<_> = scene.registrar.location().iter(scene.now).map(|(_, binding)| binding.clone()).collect();
                    if response.status() == StatusCode::OK {
                        let address = format!("sip:{name}@example.org");
                        let stored = scene.registrar.location().bindings(scene.now, address.as_bytes()).count();
                        prop_assert_eq!(listed(&response).len(), stored);
                    } else {
                        prop_assert_eq!(before, after, "a refused request changes nothing");
                    }
                }
                Step::Star { user, cseq } => {
                    let name = format!("u{user}");
                    let to = format!("sip:{name}@example.org");
                    let request = request("sip:example.org", &to, "1", cseq, "Contact: *\nExpires: 0");
                    let source = scene.udp("192.0.2.1:5060");
                    let response = scene.registrar.register(scene.now, &request, &source, Authority::User(name.as_bytes()));
                    if response.status() == StatusCode::OK {
                        prop_assert_eq!(scene.registrar.location().bindings(scene.now, to.as_bytes()).count(), 0);
                    }
                }
                Step::Close(index) => {
                    let connection = flows[index].connection.unwrap();
                    scene.registrar.handle_connection_closed(connection);
                    let is_used = scene.registrar.location().iter(scene.now).any(|(_, binding)| {
                        binding.is_usable(scene.now) && binding.source.connection == Some(connection)
                    });
                    prop_assert!(!is_used);
                }
                Step::Wait(seconds) => {
                    scene.now += Duration::from_secs(seconds);
                    scene.registrar.handle_timeout(scene.now);
                }
            }
            scene.changes();
            let all: Vec<_> = scene.registrar.location().iter(scene.now).collect();
            let snapshot = scene.registrar.snapshot().location;
            prop_assert_eq!(snapshot.bindings, all.len());
            prop_assert!(snapshot.addresses <= 2);
            let unreachable = all.iter().filter(|(_, binding)| binding.reachability != Reachability::Reachable).count();
            prop_assert_eq!(snapshot.unreachable, unreachable);
            prop_assert_eq!(scene.registrar.poll_timeout(), all.iter().map(|(_, binding)| binding.expires_at).min());
        }
        while let Some(at) = scene.registrar.poll_timeout() {
            scene.now = at;
            scene.registrar.handle_timeout(at);
        }
        let snapshot = scene.registrar.snapshot().location;
        prop_assert_eq!((snapshot.addresses, snapshot.bindings, snapshot.unreachable, snapshot.connections), (0, 0, 0, 0));
    }
}
