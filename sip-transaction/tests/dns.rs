//! Locating servers (RFC 3263) by asking a real name server on loopback through the driver, and reaching them.
#![cfg(all(feature = "dns", feature = "tls"))]

mod support;
mod wire_support;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hickory_server::Server as DnsServer;
use hickory_server::net::runtime::{Time, TokioRuntimeProvider};
use hickory_server::proto::rr::Name;
use hickory_server::proto::serialize::txt::Parser;
use hickory_server::server::{Request as DnsRequest, RequestHandler, ResponseHandler, ResponseInfo};
use hickory_server::store::in_memory::InMemoryZoneHandler;
use hickory_server::zone_handler::{AxfrPolicy, Catalog, ZoneType};
use sip_core::uri::Uri;
use sip_transaction::driver::{self, Arrival, Events, Handle, SocketConfig, Sockets};
use sip_transaction::resolve::{self, Locator, Lookup, Resolver};
use sip_transaction::{
    Config, Destination, Endpoint, Event, Failure, Input, ListenerConfig, Output, Target, Transport,
};
use support::{origin, request, response};
use tokio::net::{TcpListener, UdpSocket};
use tokio::sync::mpsc;
use tokio::time::timeout;
use wire_support::{Authority, PATIENCE, any, next};

/// A name server for the zone `sip.test`, which tells what it is asked.
struct NameServer {
    address: SocketAddr,
    asked: mpsc::UnboundedReceiver<String>,
    server: DnsServer<Told>,
}

/// Tells of every question before the zone answers it.
struct Told {
    zones: Catalog,
    tell: mpsc::UnboundedSender<String>,
}

#[async_trait::async_trait]
impl RequestHandler for Told {
    async fn handle_request<R: ResponseHandler, T: Time>(&self, request: &DnsRequest, answer: R) -> ResponseInfo {
        let query = request.request_info().unwrap().query;
        let name = query.name().to_string();
        let name = name.trim_end_matches('.');
        let _ = self.tell.send(format!("{} {name} by {:?}", query.query_type(), request.protocol()));
        self.zones.handle_request::<R, T>(request, answer).await
    }
}

impl NameServer {
    /// Serves records, written as in a zone file, on both UDP and TCP at one port. What is not there is not there for 60
    /// seconds.
    async fn start(records: &str) -> Self {
        let origin = Name::from_ascii("sip.test.").unwrap();
        let text = format!("$TTL 300\n@ IN SOA ns.sip.test. hostmaster.sip.test. 1 7200 600 3600 60\n{records}\n");
        // Lines must not begin with blanks: those belong to the name above.
        let text: String = text.lines().map(|line| format!("{}\n", line.trim_start())).collect();
        let (_, zone) = Parser::new(text, None, Some(origin.clone())).parse().expect("a zone file");
        let zone =
            InMemoryZoneHandler::<TokioRuntimeProvider>::new(origin.clone(), zone, ZoneType::Primary, AxfrPolicy::Deny)
                .unwrap();
        let mut zones = Catalog::new();
        zones.upsert(origin.into(), vec![Arc::new(zone)]);
        let (tell, asked) = mpsc::unbounded_channel();
        let mut server = DnsServer::new(Told { zones, tell });
        let (udp, tcp) = loop {
            let udp = UdpSocket::bind(any()).await.unwrap();
            // The port may be taken for TCP.
            if let Ok(tcp) = TcpListener::bind(udp.local_addr().unwrap()).await {
                break (udp, tcp);
            }
        };
        let address = udp.local_addr().unwrap();
        server.register_socket(udp);
        server.register_listener(tcp, Duration::from_secs(5), 4);
        Self { address, asked, server }
    }

    /// What was asked since the last time, sorted.
    fn asked(&mut self) -> Vec<String> {
        let mut asked: Vec<_> = std::iter::from_fn(|| self.asked.try_recv().ok()).collect();
        asked.sort();
        asked
    }

    async fn stop(mut self) {
        self.server.shutdown_gracefully().await.unwrap();
    }
}

/// A resolver whose questions the driver asks.
struct Client {
    resolver: Resolver,
    sockets: Sockets,
}

impl Client {
    fn new(config: resolve::Config, name_server: SocketAddr) -> Self {
        let mut sockets = Sockets::new(SocketConfig::default());
        sockets.use_name_servers(&[name_server]).unwrap();
        Self { resolver: Resolver::new(config, [5; 32]), sockets }
    }

    async fn locate(&mut self, now: Instant, uri: &str) -> Vec<Target> {
        let uri: Uri = uri.parse().unwrap();
        let lookup = match self.resolver.locate(now, Locator::try_from(&uri).unwrap()).unwrap() {
            Lookup::Located(targets) => return targets,
            Lookup::Waiting(lookup) => lookup,
        };
        loop {
            match self.resolver.poll_output() {
                Some(resolve::Output::Query { query, question }) => {
                    self.sockets.transmit::<Event>(Output::Query { query, question });
                }
                Some(resolve::Output::Located { lookup: located, targets }) => {
                    assert_eq!(located, lookup);
                    return targets;
                }
                None => match timeout(PATIENCE, self.sockets.recv()).await.expect("no answer") {
                    Arrival::Input(Input::Answer { query, answer }) => self.resolver.handle_answer(now, query, answer),
                    other => panic!("{other:?}"),
                },
            }
        }
    }
}

fn show(targets: &[Target]) -> Vec<String> {
    targets.iter().map(|target| format!("{} {}", target.transport, target.remote)).collect()
}

const ALL: resolve::Config = {
    let mut config = DEFAULT;
    config.tls = true;
    config
};

const DEFAULT: resolve::Config = resolve::Config { answer_within: Duration::from_secs(20), ..resolve::Config::DEFAULT };

/// The zone of RFC 3263 §4.1 and what it has no example of.
const ZONE: &str = r#"
    @ IN NAPTR 50 50 "s" "SIPS+D2T" "" _sips._tcp.sip.test.
    @ IN NAPTR 90 50 "s" "SIP+D2T" "" _sip._tcp.sip.test.
    @ IN NAPTR 100 50 "S" "sip+d2u" "" _sip._udp.sip.test.
    @ IN A 192.0.2.100
    _sips._tcp IN SRV 0 1 5061 server1.sip.test.
    _sip._tcp IN SRV 0 1 5060 server1.sip.test.
    _sip._tcp IN SRV 1 1 5062 server2.sip.test.
    _sip._udp IN SRV 0 0 5070 Server1.SIP.test.
    server1 IN A 192.0.2.1
    server1 IN AAAA 2001:db8::1
    server2 IN A 192.0.2.2
    server2 IN A 192.0.2.3
    four IN A 192.0.2.4
    six IN AAAA 2001:db8::6
    alias IN CNAME four.sip.test.
    _sip._tcp.srvonly IN SRV 0 0 5080 alias.sip.test.
    _sip._udp.closed IN SRV 0 0 0 .
    closed IN A 192.0.2.60
"#;

#[tokio::test]
async fn the_rules_of_section_4_hold_with_a_real_name_server() {
    let name_server = NameServer::start(ZONE).await;
    for (config, uri, expected) in [
        (ALL, "sip:sip.test", &["TLS 192.0.2.1:5061", "TLS [2001:db8::1]:5061"][..]),
        (ALL, "sips:sip.test", &["TLS 192.0.2.1:5061", "TLS [2001:db8::1]:5061"]),
        (
            DEFAULT,
            "sip:sip.test",
            &["TCP 192.0.2.1:5060", "TCP [2001:db8::1]:5060", "TCP 192.0.2.2:5062", "TCP 192.0.2.3:5062"],
        ),
        (resolve::Config { tcp: false, ..DEFAULT }, "sip:SIP.Test.", &["UDP 192.0.2.1:5070", "UDP [2001:db8::1]:5070"]),
        (ALL, "sip:sip.test;transport=udp", &["UDP 192.0.2.1:5070", "UDP [2001:db8::1]:5070"]),
        (ALL, "sip:sip.test:5090", &["UDP 192.0.2.100:5090"]),
        (ALL, "sip:sip.test:5090;transport=tcp", &["TCP 192.0.2.100:5090"]),
        (ALL, "sip:four.sip.test", &["UDP 192.0.2.4:5060"]),
        (ALL, "sips:six.sip.test", &["TLS [2001:db8::6]:5061"]),
        (resolve::Config { ipv6: false, ..ALL }, "sip:six.sip.test", &[]),
        (ALL, "sip:alias.sip.test:5060", &["UDP 192.0.2.4:5060"]),
        (ALL, "sip:srvonly.sip.test", &["TCP 192.0.2.4:5080"]),
        (ALL, "sip:closed.sip.test;transport=udp", &[]),
        (ALL, "sip:nowhere.sip.test", &[]),
        (ALL, "sip:192.0.2.7", &["UDP 192.0.2.7:5060"]),
    ] {
        let mut client = Client::new(config, name_server.address);
        let mut targets = show(&client.locate(origin(), uri).await);
        // Of two addresses of one server, either may come first.
        targets.sort_by_key(|target| target.rsplit(':').next().map(str::to_owned));
        let mut expected = expected.to_vec();
        expected.sort_by_key(|target| target.rsplit(':').next().map(str::to_owned));
        if uri == "sip:sip.test" && targets.len() == 4 {
            targets[2..].sort();
        }
        assert_eq!(targets, expected, "{uri}");
    }
    name_server.stop().await;
}

#[tokio::test]
async fn a_number_asks_nothing_and_a_port_asks_for_addresses_alone() {
    let mut name_server = NameServer::start(ZONE).await;
    let mut client = Client::new(ALL, name_server.address);
    client.locate(origin(), "sip:192.0.2.7").await;
    client.locate(origin(), "sip:a@sip.test;maddr=192.0.2.8").await;
    assert_eq!(name_server.asked(), Vec::<String>::new());
    client.locate(origin(), "sip:server1.sip.test:5060").await;
    assert_eq!(name_server.asked(), ["A server1.sip.test by Udp", "AAAA server1.sip.test by Udp"]);
    client.locate(origin(), "sips:sip.test").await;
    // The addresses are known.
    assert_eq!(name_server.asked(), ["NAPTR sip.test by Udp", "SRV _sips._tcp.sip.test by Udp"]);
}

#[tokio::test]
async fn that_there_is_nothing_is_not_asked_twice_while_it_holds() {
    let mut name_server = NameServer::start(ZONE).await;
    let mut client = Client::new(ALL, name_server.address);
    let now = origin();
    // The name does not exist.
    assert!(client.locate(now, "sip:nowhere.sip.test:5060").await.is_empty());
    assert_eq!(name_server.asked(), ["A nowhere.sip.test by Udp", "AAAA nowhere.sip.test by Udp"]);
    assert!(client.locate(now + Duration::from_secs(59), "sip:nowhere.sip.test:5060").await.is_empty());
    assert_eq!(name_server.asked().len(), 0);
    // The zone says 60 seconds, whatever the record's own time would be.
    assert!(client.locate(now + Duration::from_secs(61), "sip:nowhere.sip.test:5060").await.is_empty());
    assert_eq!(name_server.asked().len(), 2);
    // The name exists and has no such records; those that it has hold for 300 seconds.
    assert_eq!(client.locate(now, "sip:four.sip.test").await.len(), 1);
    assert_eq!(name_server.asked().len(), 6);
    assert_eq!(client.locate(now + Duration::from_secs(59), "sip:four.sip.test").await.len(), 1);
    assert_eq!(name_server.asked().len(), 0);
    assert_eq!(client.locate(now + Duration::from_secs(61), "sip:four.sip.test").await.len(), 1);
    let asked = name_server.asked();
    assert_eq!(asked.len(), 5, "{asked:?}");
    assert!(!asked.iter().any(|question| question.starts_with("A ")), "{asked:?}");
}

#[tokio::test]
async fn calls_are_spread_by_the_weights_of_the_zone() {
    let name_server = NameServer::start(
        "_sip._udp IN SRV 1 75 5060 a
         _sip._udp IN SRV 1 25 5060 b
         _sip._udp IN SRV 2 9 5060 c
         a IN A 192.0.2.1
         b IN A 192.0.2.2
         c IN A 192.0.2.3",
    )
    .await;
    let mut client = Client::new(DEFAULT, name_server.address);
    let mut first = BTreeMap::<_, u32>::new();
    for _ in 0..1_000 {
        let targets = client.locate(origin(), "sip:sip.test;transport=udp").await;
        assert_eq!(targets.len(), 3);
        assert_eq!(targets[2].remote.ip().to_string(), "192.0.2.3");
        *first.entry(targets[0].remote.ip().to_string()).or_default() += 1;
    }
    assert!((690..810).contains(&first["192.0.2.1"]), "{first:?}");
}

#[tokio::test]
async fn an_answer_too_large_for_a_datagram_is_fetched_over_tcp() {
    let mut records = String::new();
    for number in 0..100 {
        records += &format!("_sip._udp IN SRV {number} 1 5060 a-server-with-a-long-name-{number}\n");
        records += &format!("a-server-with-a-long-name-{number} IN A 192.0.2.{number}\n");
    }
    let mut name_server = NameServer::start(&records).await;
    let mut client = Client::new(resolve::Config { records: 200, servers: 3, ..DEFAULT }, name_server.address);
    let targets = client.locate(origin(), "sip:sip.test;transport=udp").await;
    assert_eq!(show(&targets), ["UDP 192.0.2.0:5060", "UDP 192.0.2.1:5060", "UDP 192.0.2.2:5060"]);
    let asked = name_server.asked();
    assert!(asked.contains(&"SRV _sip._udp.sip.test by Tcp".to_owned()), "{asked:?}");
}

#[tokio::test]
async fn a_zone_that_nobody_serves_is_a_failure_and_is_not_asked_again_at_once() {
    let mut name_server = NameServer::start(ZONE).await;
    let mut client = Client::new(DEFAULT, name_server.address);
    let now = origin();
    assert!(client.locate(now, "sip:elsewhere.test:5060").await.is_empty());
    assert_ne!(name_server.asked().len(), 0);
    assert!(client.locate(now + Duration::from_secs(4), "sip:elsewhere.test:5060").await.is_empty());
    assert_eq!(name_server.asked().len(), 0);
}

/// A server of SIP over one transport.
struct SipServer {
    handle: Handle,
    events: Events,
    port: u16,
}

impl SipServer {
    fn start(transport: Transport, authority: &Authority) -> Self {
        let mut sockets = Sockets::new(SocketConfig::default());
        let mut endpoint = Endpoint::new(Config::default(), driver::seed().unwrap());
        let bound = match transport {
            Transport::Tls => sockets.bind_tls(transport, any(), authority.server(&["sip.test"])).unwrap(),
            _ => sockets.bind(transport, any()).unwrap(),
        };
        let port = bound.local.port();
        endpoint.add_listener(bound);
        let (handle, events) = driver::spawn(endpoint, sockets);
        Self { handle, events, port }
    }

    /// Answers everything in the background.
    fn answering(self, status: u16) {
        let Self { handle, mut events, .. } = self;
        tokio::spawn(async move {
            while let Some(event) = events.recv().await {
                if let Event::Request { id, request, .. } = event {
                    let _ = handle.respond(id, response(&request, status)).await;
                }
            }
        });
    }
}

/// A client with every transport, which waits 300 ms for a server when there are others.
fn sip_client(resolve: resolve::Config, name_server: SocketAddr, authority: &Authority) -> (Handle, Events) {
    let mut sockets = Sockets::new(SocketConfig::default());
    sockets.use_name_servers(&[name_server]).unwrap();
    sockets.set_client_tls(authority.client());
    let config = Config { resolve, next_target_after: Some(Duration::from_millis(300)), ..Config::default() };
    let mut endpoint = Endpoint::new(config, driver::seed().unwrap());
    endpoint.add_listener(sockets.bind(Transport::Udp, any()).unwrap());
    endpoint.add_listener(ListenerConfig::new(Transport::Tcp, any()));
    endpoint.add_listener(ListenerConfig::new(Transport::Tls, any()));
    driver::spawn(endpoint, sockets)
}

fn locate(uri: &str) -> Destination {
    Destination::locate(&uri.parse().unwrap()).unwrap()
}

/// The final status, the transport and the port of the server that a request found.
async fn send(client: &Handle, events: &mut Events, method: &str, uri: &str) -> (u16, Transport, u16) {
    static CALLS: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(1);
    let call = CALLS.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let id = client.send_request(request(method, call), locate(uri)).await.unwrap().unwrap();
    loop {
        match next(events).await {
            Event::Response { id: answered, response, source, .. }
                if answered == id && response.status().is_final() =>
            {
                return (response.status().as_u16(), source.transport, source.remote.port());
            }
            Event::ClientFailed { id: failed, reason } if failed == id => panic!("{method} {uri}: {reason}"),
            _ => {}
        }
    }
}

#[tokio::test]
async fn naptr_chooses_tls_or_tcp_or_udp_by_what_both_have() {
    let authority = Authority::new();
    let servers = [Transport::Tls, Transport::Tcp, Transport::Udp].map(|kind| SipServer::start(kind, &authority));
    let [tls, tcp, udp] = [servers[0].port, servers[1].port, servers[2].port];
    servers.into_iter().for_each(|server| server.answering(200));
    let name_server = NameServer::start(&format!(
        r#"@ IN NAPTR 50 50 "s" "SIPS+D2T" "" _sips._tcp.sip.test.
           @ IN NAPTR 90 50 "s" "SIP+D2T" "" _sip._tcp.sip.test.
           @ IN NAPTR 100 50 "s" "SIP+D2U" "" _sip._udp.sip.test.
           _sips._tcp IN SRV 0 0 {tls} host.sip.test.
           _sip._tcp IN SRV 0 0 {tcp} host.sip.test.
           _sip._udp IN SRV 0 0 {udp} host.sip.test.
           host IN A 127.0.0.1"#
    ))
    .await;
    for (config, uri, expected) in [
        // The certificate is of the domain in the URI, not of the host that the records name.
        (ALL, "sip:sip.test", (200, Transport::Tls, tls)),
        (DEFAULT, "sip:sip.test", (200, Transport::Tcp, tcp)),
        (resolve::Config { tcp: false, ..DEFAULT }, "sip:sip.test", (200, Transport::Udp, udp)),
        (ALL, "sips:sip.test", (200, Transport::Tls, tls)),
    ] {
        let (client, mut events) = sip_client(config, name_server.address, &authority);
        assert_eq!(send(&client, &mut events, "OPTIONS", uri).await, expected, "{uri}");
    }
}

#[tokio::test]
async fn every_kind_of_request_goes_to_the_next_server_when_the_first_refuses_is_silent_or_answers_503() {
    let authority = Authority::new();
    let refusing = {
        let listener = std::net::TcpListener::bind(any()).unwrap();
        listener.local_addr().unwrap().port()
    };
    let silent = std::net::UdpSocket::bind(any()).unwrap();
    let overloaded = SipServer::start(Transport::Udp, &authority);
    let [tcp, udp] = [Transport::Tcp, Transport::Udp].map(|kind| SipServer::start(kind, &authority));
    let name_server = NameServer::start(&format!(
        "_sip._tcp.refusing IN SRV 1 0 {refusing} host.sip.test.
         _sip._tcp.refusing IN SRV 2 0 {tcp} host.sip.test.
         _sip._udp.silent IN SRV 1 0 {silent} host.sip.test.
         _sip._udp.silent IN SRV 2 0 {udp} host.sip.test.
         _sip._udp.overloaded IN SRV 1 0 {overloaded} host.sip.test.
         _sip._udp.overloaded IN SRV 2 0 {udp} host.sip.test.
         host IN A 127.0.0.1",
        tcp = tcp.port,
        udp = udp.port,
        silent = silent.local_addr().unwrap().port(),
        overloaded = overloaded.port,
    ))
    .await;
    let (good_tcp, good_udp) = ((200, Transport::Tcp, tcp.port), (200, Transport::Udp, udp.port));
    tcp.answering(200);
    udp.answering(200);
    overloaded.answering(503);
    for (uri, expected) in
        [("sip:refusing.sip.test", good_tcp), ("sip:silent.sip.test", good_udp), ("sip:overloaded.sip.test", good_udp)]
    {
        for method in ["OPTIONS", "REGISTER", "INVITE", "MESSAGE", "SUBSCRIBE"] {
            // A new one each time: it knows nothing of servers that failed.
            let (client, mut events) = sip_client(DEFAULT, name_server.address, &authority);
            assert_eq!(send(&client, &mut events, method, uri).await, expected, "{method} {uri}");
            let snapshot = client.snapshot().await.unwrap();
            assert_eq!(snapshot.counters.failovers, 1, "{method} {uri}");
        }
    }
}

#[tokio::test]
async fn when_the_first_server_dies_requests_go_to_the_second_and_later_ones_do_so_at_once() {
    let authority = Authority::new();
    for transport in [Transport::Tcp, Transport::Udp] {
        let [mut first, second] = [0; 2].map(|_| SipServer::start(transport, &authority));
        let ports = [first.port, second.port];
        let service = transport.token().to_ascii_lowercase();
        let name_server = NameServer::start(&format!(
            "_sip._{service} IN SRV 10 0 {} host.sip.test.
             _sip._{service} IN SRV 20 0 {} host.sip.test.
             host IN A 127.0.0.1",
            ports[0], ports[1],
        ))
        .await;
        second.answering(200);
        let (client, mut events) = sip_client(DEFAULT, name_server.address, &authority);
        let asked = send(&client, &mut events, "OPTIONS", "sip:sip.test");
        let answered = async {
            let Event::Request { id, request, .. } = next(&mut first.events).await else { panic!("no request") };
            first.handle.respond(id, response(&request, 200)).await.unwrap().unwrap();
        };
        assert_eq!(tokio::join!(asked, answered).0, (200, transport, ports[0]));
        // It dies: its loop ends, and its sockets are closed.
        drop(first);
        let mut failovers = Vec::new();
        for _ in 0..3 {
            assert_eq!(send(&client, &mut events, "OPTIONS", "sip:sip.test").await, (200, transport, ports[1]));
            failovers.push(client.snapshot().await.unwrap().counters.failovers);
        }
        // What failed is avoided from then on. A connection that is found closed may cost no failover at all.
        assert_eq!(failovers, [failovers[0]; 3], "{transport}");
        assert!(failovers[0] <= 1);
        if transport == Transport::Udp {
            assert_eq!(failovers[0], 1);
        }
    }
}

#[tokio::test]
async fn a_name_server_that_is_gone_fails_the_request_in_time() {
    let gone = {
        let socket = std::net::UdpSocket::bind(any()).unwrap();
        socket.local_addr().unwrap()
    };
    let authority = Authority::new();
    let config = resolve::Config { answer_within: Duration::from_millis(500), ..DEFAULT };
    let (client, mut events) = sip_client(config, gone, &authority);
    let id = client.send_request(request("OPTIONS", 1), locate("sip:sip.test:5060")).await.unwrap().unwrap();
    let Event::ClientFailed { id: failed, reason } = next(&mut events).await else { panic!("not failed") };
    assert_eq!((failed, reason), (id, Failure::Unlocated));
}

#[tokio::test]
async fn aliases_that_lead_in_circles_end_in_nothing() {
    let name_server = NameServer::start(
        "one IN CNAME two.sip.test.
         two IN CNAME one.sip.test.
         self IN CNAME self.sip.test.
         _sip._udp.three IN SRV 0 0 5060 one.sip.test.",
    )
    .await;
    let mut client = Client::new(DEFAULT, name_server.address);
    for uri in ["sip:one.sip.test:5060", "sip:self.sip.test:5060", "sip:three.sip.test;transport=udp"] {
        assert_eq!(client.locate(origin(), uri).await, [], "{uri}");
    }
}

/// An answer with one address to a question, in the clear of RFC 1035 §4.
fn forged(question: &[u8], id: [u8; 2], question_name: &[u8]) -> Vec<u8> {
    // ID, flags of an answer, one question, one record.
    let mut answer = vec![id[0], id[1], 0x84, 0, 0, 1, 0, 1, 0, 0, 0, 0];
    answer.extend_from_slice(question_name);
    // The type and class of the question, which end it: A or AAAA, of the internet.
    let name_end = question[12..].iter().position(|byte| *byte == 0).unwrap() + 13;
    answer.extend_from_slice(&question[name_end..name_end + 4]);
    // The name of the question, A, of the internet, for a minute, 192.0.2.66.
    answer.extend_from_slice(&[0xC0, 0x0C, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 66]);
    answer
}

#[tokio::test]
async fn answers_to_questions_that_were_not_asked_are_not_believed() {
    let hostile = UdpSocket::bind(any()).await.unwrap();
    let address = hostile.local_addr().unwrap();
    tokio::spawn(async move {
        let mut buffer = [0; 2_048];
        while let Ok((length, from)) = hostile.recv_from(&mut buffer).await {
            let question = &buffer[..length];
            let id = [question[0], question[1]];
            let name_end = question[12..].iter().position(|byte| *byte == 0).unwrap() + 13;
            let name = &question[12..name_end];
            let mut answers = vec![
                b"nonsense".to_vec(),
                vec![0xFF; 300],
                // Another transaction, and another name.
                forged(question, [!id[0], id[1]], name),
                forged(question, id, b"\x05other\x04test\0"),
            ];
            if name.starts_with(b"\x05right") {
                answers = vec![forged(question, id, name)];
            }
            for answer in answers {
                let _ = hostile.send_to(&answer, from).await;
            }
        }
    });
    let authority = Authority::new();
    let config = resolve::Config { ipv6: false, answer_within: Duration::from_millis(700), ..DEFAULT };
    let (client, mut events) = sip_client(config, address, &authority);
    let id = client.send_request(request("OPTIONS", 1), locate("sip:sip.test:5060")).await.unwrap().unwrap();
    let Event::ClientFailed { id: failed, reason } = next(&mut events).await else { panic!("not failed") };
    assert_eq!((failed, reason), (id, Failure::Unlocated));
    // What is forged here would be believed if it were true.
    let mut client = Client::new(resolve::Config { ipv6: false, ..DEFAULT }, address);
    assert_eq!(show(&client.locate(origin(), "sip:right.test:5060").await), ["UDP 192.0.2.66:5060"]);
}
