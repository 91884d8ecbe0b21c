//! What the proxy does to messages, header by header.

use super::*;
use crate::dispatcher::{self, Algorithm, Destination, List, Set};
use crate::tests::epoch;
use bytes::Bytes;
use sip_core::header::{HeaderName, RecordRoute, Via};
use sip_core::{Limits, Message, Request, Response, StatusCode};

const US: &str = "192.0.2.1:5060";
const CALLER: &str = "198.51.100.7:5070";

fn proxy_with(config: Config, nodes: u8) -> Proxy {
    let now = epoch();
    let secret = Secret::from_seed([7; 32]);
    let mut dispatcher = Dispatcher::new(now, dispatcher::Config::default(), secret.clone(), [8; 32]);
    let destinations = (0..nodes)
        .map(|number| Destination::new(format!("node-{number}"), Transport::Udp, ([10, 0, 0, number], 5060).into()));
    let set = Set::new("all", destinations.collect()).with_algorithm(Algorithm::Hash);
    dispatcher.load(now, List::new(vec![set]).unwrap());
    let mut proxy = Proxy::new(config, &secret, dispatcher);
    for transport in [Transport::Udp, Transport::Tcp] {
        proxy.add_listener(Listener::new(transport, US.parse().unwrap()));
    }
    proxy
}

fn proxy() -> Proxy {
    proxy_with(Config { record_route: true, ..Config::default() }, 5)
}

fn flow(remote: &str) -> Flow {
    Flow { transport: Transport::Udp, listener: 0, remote: remote.parse().unwrap(), connection: None }
}

fn text(method: &str, more: &str) -> String {
    format!(
        "{method} sip:bob@example.com SIP/2.0\r\nVia: SIP/2.0/UDP {CALLER};branch=z9hG4bKabc;rport\r\nMax-Forwards: 70\r\n\
         From: <sip:alice@example.com>;tag=alice\r\nTo: <sip:bob@example.com>\r\nCall-ID: call-1\r\nCSeq: 1 {method}\r\n\
         Contact: <sip:alice@{CALLER}>\r\n{more}Content-Length: 0\r\n\r\n"
    )
}

/// The verdict on a datagram, and what is sent.
fn give(proxy: &mut Proxy, from: &str, text: &str) -> (Verdict, String) {
    let mut out = Vec::new();
    let verdict = proxy.handle_datagram(epoch(), &flow(from), text.as_bytes(), &mut out);
    (verdict, String::from_utf8(out.to_vec()).unwrap())
}

fn sent(proxy: &mut Proxy, from: &str, text: &str) -> (Hop, String) {
    match give(proxy, from, text) {
        (Verdict::Send(hop), sent) => (hop, sent),
        (Verdict::Drop(reason), _) => panic!("dropped: {reason:?}\n{text}"),
    }
}

fn request(text: &str) -> Request {
    match Message::parse(Bytes::copy_from_slice(text.as_bytes()), &Limits::default()).unwrap() {
        Message::Request(request) => request,
        Message::Response(_) => panic!("a response: {text}"),
    }
}

fn status(text: &str) -> StatusCode {
    match Message::parse(Bytes::copy_from_slice(text.as_bytes()), &Limits::default()).unwrap() {
        Message::Response(response) => response.status(),
        Message::Request(_) => panic!("a request: {text}"),
    }
}

fn branch(text: &str) -> String {
    let via = request(text).headers().require::<Via>().unwrap();
    String::from_utf8(via.branch().unwrap().to_vec()).unwrap()
}

/// What a destination answers.
fn answer(text: &str, code: u16) -> String {
    let response = Response::to(&request(text), StatusCode::new(code).unwrap()).to_tag(b"bob").record_route().build();
    String::from_utf8(response.to_bytes().to_vec()).unwrap()
}

#[test]
fn a_request_is_forwarded_byte_for_byte_but_for_what_a_proxy_changes() {
    let mut proxy = proxy_with(Config::default(), 5);
    let odd = text("MESSAGE", "x-Odd :  \u{fc}  value\r\nSubject: two\r\n  lines\r\n");
    let (hop, forwarded) = sent(&mut proxy, CALLER, &odd);
    assert!(hop.node.is_some() && hop.remote.port() == 5060);
    let lines: Vec<&str> = forwarded.split("\r\n").collect();
    assert_eq!(lines[0], "MESSAGE sip:bob@example.com SIP/2.0");
    assert!(lines[1].starts_with("Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK"), "{}", lines[1]);
    assert_eq!(lines[2], format!("Via: SIP/2.0/UDP {CALLER};branch=z9hG4bKabc;rport=5070;received=198.51.100.7"));
    assert_eq!(lines[3], "Max-Forwards: 69");
    assert_eq!(lines[4..].join("\r\n"), odd.split_once("70\r\n").unwrap().1);
}

#[test]
fn a_response_goes_back_by_its_via_without_ours() {
    let mut proxy = proxy();
    let (hop, forwarded) = sent(&mut proxy, CALLER, &text("INVITE", ""));
    let (back, response) = sent(&mut proxy, &hop.remote.to_string(), &answer(&forwarded, 180));
    assert_eq!(back.remote, CALLER.parse().unwrap());
    assert!(response.starts_with("SIP/2.0 180 Ringing\r\nVia: SIP/2.0/UDP 198.51.100.7:5070;branch=z9hG4bKabc"));
    assert!(!response.contains("Via: SIP/2.0/UDP 192.0.2.1"), "{response}");
}

#[test]
fn an_answer_goes_where_its_request_came_from_whatever_the_via_claimed() {
    for (written, back) in [
        (";rport", "203.0.113.9:4000"),
        (";rport;rport", "203.0.113.9:4000"),
        (";rport;rport=53", "203.0.113.9:4000"),
        (";rport=53;rport", "203.0.113.9:4000"),
        (";rport;received=192.0.2.200", "203.0.113.9:4000"),
        (";received=192.0.2.200;rport;received=192.0.2.201", "203.0.113.9:4000"),
        (";received=192.0.2.200", "203.0.113.9:5070"),
        ("", "203.0.113.9:5070"),
    ] {
        let mut proxy = proxy();
        let (hop, sent_on) = sent(&mut proxy, "203.0.113.9:4000", &text("OPTIONS", "").replace(";rport", written));
        let node = hop.remote.to_string();
        let (hop, _) = sent(&mut proxy, &node, &answer(&sent_on, 200));
        assert_eq!(hop.remote.to_string(), back, "{written:?}");
    }
}

#[test]
fn a_response_without_received_and_rport_goes_to_the_address_and_port_of_its_via() {
    let mut proxy = proxy();
    let plain = text("OPTIONS", "").replace(";rport", "");
    let (_, forwarded) = sent(&mut proxy, "198.51.100.7:9999", &plain);
    let (back, _) = sent(&mut proxy, "10.0.0.1:5060", &answer(&forwarded, 200));
    assert_eq!(back.remote, CALLER.parse().unwrap());
    // From another address than it says: there it goes, at the port that it says.
    let (_, forwarded) = sent(&mut proxy, "203.0.113.9:9999", &plain);
    let (back, _) = sent(&mut proxy, "10.0.0.1:5060", &answer(&forwarded, 200));
    assert_eq!(back.remote, "203.0.113.9:5070".parse().unwrap());
}

#[test]
fn cancel_ack_and_retransmissions_have_the_branch_and_destination_of_their_invite() {
    let mut proxy = proxy();
    let (hop, invite) = sent(&mut proxy, CALLER, &text("INVITE", ""));
    let ack = text("ACK", "").replace("To: <sip:bob@example.com>", "To: <sip:bob@example.com>;tag=bob");
    for (again, name) in [(text("INVITE", ""), "INVITE"), (text("CANCEL", ""), "CANCEL"), (ack, "ACK")] {
        let (other, forwarded) = sent(&mut proxy, CALLER, &again);
        assert_eq!((other.remote, branch(&forwarded)), (hop.remote, branch(&invite)), "{name}");
    }
    // Those of RFC 2543 have no branch that says anything.
    let mut old = HashMapped::default();
    for method in ["INVITE", "CANCEL", "INVITE"] {
        let (hop, forwarded) = sent(&mut proxy, CALLER, &text(method, "").replace(";branch=z9hG4bKabc", ""));
        old.insert((hop.remote, branch(&forwarded)));
    }
    assert_eq!(old.len(), 1);
    let other = text("INVITE", "").replace(";branch=z9hG4bKabc", "").replace("CSeq: 1", "CSeq: 2");
    let (hop, forwarded) = sent(&mut proxy, CALLER, &other);
    assert!(old.insert((hop.remote, branch(&forwarded))));
}

type HashMapped = std::collections::HashSet<(SocketAddr, String)>;

#[test]
fn another_proxy_with_the_secret_makes_the_same_branch_and_takes_the_answer() {
    let (mut one, mut two) = (proxy(), proxy());
    let (hop, invite) = sent(&mut one, CALLER, &text("INVITE", ""));
    let (other, cancel) = sent(&mut two, CALLER, &text("CANCEL", ""));
    assert_eq!((hop.remote, branch(&invite)), (other.remote, branch(&cancel)));
    let (back, _) = sent(&mut two, &hop.remote.to_string(), &answer(&invite, 200));
    assert_eq!(back.remote, CALLER.parse().unwrap());
}

#[test]
fn the_last_hop_is_refused_with_483_and_an_ack_with_nothing() {
    let mut proxy = proxy();
    let last = |method| text(method, "").replace("Max-Forwards: 70", "Max-Forwards: 0");
    let (hop, refusal) = sent(&mut proxy, CALLER, &last("INVITE"));
    assert_eq!((status(&refusal), hop.remote), (StatusCode::TOO_MANY_HOPS, CALLER.parse().unwrap()));
    assert!(refusal.contains("received=198.51.100.7") && refusal.contains("To: <sip:bob@example.com>;tag="));
    assert_eq!(sent(&mut proxy, CALLER, &last("INVITE")).1, refusal, "the same again for the same request");
    assert_eq!(give(&mut proxy, CALLER, &last("ACK")).0, Verdict::Drop(Dropped::Ack));
    // Elements of RFC 2543 send none.
    let (_, forwarded) = sent(&mut proxy, CALLER, &text("INVITE", "").replace("Max-Forwards: 70\r\n", ""));
    assert!(forwarded.contains("Max-Forwards: 70\r\n"));
}

#[test]
fn a_request_that_comes_back_unchanged_is_a_loop_and_one_with_another_target_is_not() {
    let mut proxy = proxy();
    let (hop, forwarded) = sent(&mut proxy, CALLER, &text("INVITE", ""));
    let node = hop.remote.to_string();
    let through = forwarded
        .replacen("Via:", "Via: SIP/2.0/UDP 10.0.0.1:5060;branch=z9hG4bKnode\r\nVia:", 1)
        .replace("Max-Forwards: 69", "Max-Forwards: 68");
    assert_eq!(status(&sent(&mut proxy, "203.0.113.1:5060", &through).1), StatusCode::LOOP_DETECTED);
    let joined = through.replace("\r\nVia: SIP/2.0/UDP 192", ", SIP/2.0/UDP 192");
    assert_eq!(status(&sent(&mut proxy, "203.0.113.1:5060", &joined).1), StatusCode::LOOP_DETECTED);
    let spiral = through.replacen("sip:bob@", "sip:carol@", 1);
    assert!(sent(&mut proxy, "203.0.113.1:5060", &spiral).1.starts_with("INVITE sip:carol@"));
    assert!(!node.is_empty());
}

#[test]
fn what_asks_for_extensions_of_proxies_is_refused_with_420() {
    let mut proxy = proxy();
    let (_, refusal) = sent(&mut proxy, CALLER, &text("INVITE", "Proxy-Require: foo\r\n"));
    assert_eq!(status(&refusal), StatusCode::BAD_EXTENSION);
    assert!(refusal.contains("\r\nUnsupported: foo\r\n"));
}

#[test]
fn malformed_requests_are_refused_with_400_to_where_they_came_from() {
    let mut proxy = proxy();
    for (bad, code) in [
        (text("INVITE", "").replace("CSeq: 1 INVITE", "CSeq: 1 BYE"), 400),
        (text("INVITE", "").replace("From: <sip:alice@example.com>;tag=alice", "From: <<<"), 400),
        (text("INVITE", "From: <sip:eve@example.com>;tag=2\r\n"), 400),
        (text("INVITE", "").replace("SIP/2.0\r\nVia", "SIP/3.0\r\nVia"), 505),
        (text("INVITE", "").replace("Content-Length: 0", "Content-Length: 999"), 400),
        (text("INVITE", "Content-Length: 0\r\n"), 400),
        (text("INVITE", "").replacen("sip:bob@example.com", &format!("sip:{}@example.com", "b".repeat(3_000)), 1), 414),
    ] {
        let (hop, refusal) = sent(&mut proxy, CALLER, &bad);
        assert_eq!((status(&refusal).as_u16(), hop.remote), (code, CALLER.parse().unwrap()), "{bad}");
        assert!(refusal.len() <= 3 * bad.len(), "no amplification");
    }
    for bad in ["", "\r\n\r\n", "\0\0\0\0", "nonsense", "SIP/2.0 200 OK\r\n\r\n", "ACK sip:a SIP/2.0\r\nVia: x\r\n\r\n"]
    {
        assert!(matches!(give(&mut proxy, CALLER, bad).0, Verdict::Drop(_)), "{bad:?}");
    }
}

#[test]
fn a_route_of_an_outsider_leads_nowhere_but_to_a_destination() {
    let mut proxy = proxy();
    for trick in [
        "Route: <sip:203.0.113.66;lr>\r\n",
        "Route: <sip:192.0.2.1:5060;lr>, <sip:203.0.113.66;lr>\r\n",
        "Route: <sip:192.0.2.1:5060;lr;n=00>\r\nRoute: <sip:203.0.113.66;lr;transport=tcp>\r\n",
        "Route: <sip:192.0.2.1;lr;n=0100000000000000000000000000000000>\r\n",
    ] {
        for tagged in [false, true] {
            let mut message = text("INVITE", trick).replacen("sip:bob@example.com", "sip:bob@203.0.113.66", 1);
            if tagged {
                message = message.replace("To: <sip:bob@example.com>", "To: <sip:bob@example.com>;tag=x");
            }
            let (hop, _) = sent(&mut proxy, CALLER, &message);
            assert!(hop.node.is_some(), "{trick}");
        }
    }
    assert_eq!(proxy.counters().outward, 0);
    assert!(proxy.counters().forged_cookies >= 4);
}

#[test]
fn forged_vias_and_responses_reach_nobody() {
    let mut proxy = proxy();
    let (hop, forwarded) = sent(&mut proxy, CALLER, &text("INVITE", ""));
    let node = hop.remote.to_string();
    let response = answer(&forwarded, 200);
    let victim = "203.0.113.66";
    for forged in [
        // Another caller below our genuine Via; a Via of ours that we did not write; no Via below; not ours at all.
        response.replace("198.51.100.7:5070;branch=z9hG4bKabc", &format!("{victim};branch=z9hG4bKabc")),
        response.replace("branch=z9hG4bKabc", "branch=z9hG4bKabd"),
        response.replace(&branch(&forwarded), "z9hG4bK0000000000000000.0000000000000000"),
        response.replace("192.0.2.1:5060;", "192.0.2.2:5060;"),
        response.replace("SIP/2.0/UDP 198.51.100.7", "SIP/2.0/SCTP 198.51.100.7"),
        response.replace("received=198.51.100.7", &format!("received={victim}")),
        response.replace("rport=5070", "rport=53"),
    ] {
        let (verdict, _) = give(&mut proxy, &node, &forged);
        assert!(matches!(verdict, Verdict::Drop(_)), "{forged}");
    }
    let line = response.split("\r\n").find(|line| line.contains("z9hG4bKabc")).unwrap();
    let alone = response.replace(&format!("{line}\r\n"), "");
    assert_eq!(give(&mut proxy, &node, &alone).0, Verdict::Drop(Dropped::NoWayBack));
    // And maddr is not followed.
    let aimed = text("OPTIONS", "").replace(";rport", &format!(";rport;maddr={victim}"));
    let (_, forwarded) = sent(&mut proxy, CALLER, &aimed);
    assert_eq!(sent(&mut proxy, &node, &answer(&forwarded, 200)).0.remote, CALLER.parse().unwrap());
}

/// A dialog of a caller, with the route set that both sides have.
fn dialog(proxy: &mut Proxy, from: &str, invite: &str) -> (Hop, String) {
    let (hop, forwarded) = sent(proxy, from, invite);
    let routes: Vec<String> = request(&forwarded)
        .headers()
        .all::<RecordRoute>()
        .map(|route| format!("Route: {}\r\n", route.unwrap()))
        .collect();
    (hop, routes.concat())
}

fn inside(method: &str, from_caller: bool, routes: &str) -> String {
    let message = text(method, routes).replace("z9hG4bKabc", &format!("z9hG4bK{method}"));
    if from_caller {
        message.replace("To: <sip:bob@example.com>", "To: <sip:bob@example.com>;tag=bob").replacen(
            "sip:bob@example.com",
            "sip:bob@10.0.0.77:5060",
            1,
        )
    } else {
        message
            .replacen("sip:bob@example.com", &format!("sip:alice@{CALLER}"), 1)
            .replace("From: <sip:alice@example.com>;tag=alice", "From: <sip:bob@example.com>;tag=bob")
            .replace("To: <sip:bob@example.com>", "To: <sip:alice@example.com>;tag=alice")
    }
}

#[test]
fn requests_within_a_dialog_go_by_the_cookie_whichever_proxy_they_pass() {
    let (mut one, mut two) = (proxy(), proxy());
    let (hop, routes) = dialog(&mut one, CALLER, &text("INVITE", ""));
    assert!(routes.starts_with("Route: <sip:192.0.2.1:5060;lr;n=01"), "{routes}");
    let name = one.dispatcher().name(hop.node.unwrap()).unwrap().to_owned();
    for proxy in [&mut one, &mut two] {
        // The second one has never heard of the call, and now would choose elsewhere.
        proxy.dispatcher_mut().drain(epoch(), &name, None);
        for method in ["ACK", "INVITE", "INFO", "BYE"] {
            let (to_node, forwarded) = sent(proxy, CALLER, &inside(method, true, &routes));
            assert_eq!(to_node.remote, hop.remote, "{method}");
            assert!(!request(&forwarded).headers().contains(&HeaderName::ROUTE));
            // From the called side, from whatever port it sends.
            let (to_caller, forwarded) = sent(proxy, "10.0.0.99:41234", &inside(method, false, &routes));
            assert_eq!((to_caller.remote, to_caller.node), (CALLER.parse().unwrap(), None), "{method}");
            assert!(!request(&forwarded).headers().contains(&HeaderName::ROUTE));
        }
    }
}

#[test]
fn what_is_routed_to_another_proxy_of_the_installation_may_come_here() {
    let mut one = proxy();
    let aliases = vec!["192.0.2.1:5060".parse().unwrap()];
    let mut two = proxy_with(Config { aliases, ..Config::default() }, 5);
    two.listeners.clear();
    two.add_listener(Listener::new(Transport::Udp, "192.0.2.2:5060".parse().unwrap()));
    let (hop, routes) = dialog(&mut one, CALLER, &text("INVITE", ""));
    let name = two.dispatcher().name(hop.node.unwrap()).unwrap().to_owned();
    two.dispatcher_mut().drain(epoch(), &name, None);
    let (to_node, forwarded) = sent(&mut two, CALLER, &inside("BYE", true, &routes));
    assert_eq!(to_node.remote, hop.remote);
    assert!(!request(&forwarded).headers().contains(&HeaderName::ROUTE));
    // An answer on its way to the first may come here too.
    let (_, invite) = sent(&mut one, CALLER, &text("INVITE", ""));
    assert_eq!(sent(&mut two, "10.0.0.1:5060", &answer(&invite, 200)).0.remote, CALLER.parse().unwrap());
}

#[test]
fn a_strict_router_in_front_is_undone() {
    let mut proxy = proxy();
    let (hop, routes) = dialog(&mut proxy, CALLER, &text("INVITE", ""));
    let ours = routes.trim_start_matches("Route: <").trim_end_matches(">\r\n");
    let strict = inside("BYE", true, "Route: <sip:bob@10.0.0.77:5060>\r\n").replacen("sip:bob@10.0.0.77:5060", ours, 1);
    let (to_node, forwarded) = sent(&mut proxy, CALLER, &strict);
    assert_eq!(to_node.remote, hop.remote);
    assert!(forwarded.starts_with("BYE sip:bob@10.0.0.77:5060 SIP/2.0\r\n"), "{forwarded}");
    assert!(!request(&forwarded).headers().contains(&HeaderName::ROUTE));
}

#[test]
fn a_cookie_of_another_call_or_made_up_is_counted_and_counts_for_nothing() {
    let mut proxy = proxy();
    let (_, routes) = dialog(&mut proxy, CALLER, &text("INVITE", ""));
    let stolen = inside("BYE", false, &routes).replace("Call-ID: call-1", "Call-ID: call-2");
    let (hop, _) = sent(&mut proxy, "203.0.113.66:5060", &stolen);
    assert!(hop.node.is_some(), "it goes to a destination, not to whom it names");
    let swapped = inside("BYE", false, &routes).replace("tag=alice", "tag=mallory");
    assert!(sent(&mut proxy, "203.0.113.66:5060", &swapped).0.node.is_some());
    assert_eq!(proxy.counters().forged_cookies, 2);
}

#[test]
fn callers_on_a_connection_or_behind_nat_are_reached_by_their_flow() {
    let mut proxy = proxy();
    // Behind NAT: the Contact is not where it sends from.
    let (_, routes) = dialog(&mut proxy, "203.0.113.5:62000", &text("INVITE", ""));
    let (hop, _) = sent(&mut proxy, "10.0.0.99:5060", &inside("BYE", false, &routes));
    assert_eq!((hop.transport, hop.remote), (Transport::Udp, "203.0.113.5:62000".parse().unwrap()));
    // On a connection: the response finds it by its number, the BYE by its address.
    let tcp = Flow {
        transport: Transport::Tcp,
        listener: 1,
        remote: "203.0.113.5:40000".parse().unwrap(),
        connection: Some(77),
    };
    let invite = text("INVITE", "").replace("SIP/2.0/UDP", "SIP/2.0/TCP").replace("call-1", "call-tcp");
    let mut out = Vec::new();
    let Verdict::Send(hop) = proxy.handle_datagram(epoch(), &tcp, invite.as_bytes(), &mut out) else { panic!() };
    let forwarded = String::from_utf8(out.to_vec()).unwrap();
    assert_eq!(hop.transport, Transport::Udp);
    let routes: Vec<RecordRoute> = request(&forwarded).headers().all().flatten().collect();
    assert_eq!(routes.len(), 2, "one for each side (RFC 5658)");
    assert!(routes[1].to_string().contains(";transport=tcp") && !routes[0].to_string().contains("transport"));
    let (back, response) = sent(&mut proxy, "10.0.0.1:5060", &answer(&forwarded, 200));
    assert_eq!((back.transport, back.connection, back.remote), (Transport::Tcp, Some(77), tcp.remote));
    // A connection's number that we did not write is not believed.
    let forged = answer(&forwarded, 200).replace(";i=000000000000004d", ";i=000000000000004e");
    assert_eq!(give(&mut proxy, "10.0.0.1:5060", &forged).0, Verdict::Drop(Dropped::Forged));
    assert!(response.contains("Content-Length: 0"));
    let both = routes.iter().map(|route| format!("Route: {route}\r\n")).collect::<String>();
    let bye = inside("BYE", false, &both).replace("call-1", "call-tcp");
    let (hop, _) = sent(&mut proxy, "10.0.0.99:5060", &bye);
    assert_eq!((hop.transport, hop.remote), (Transport::Tcp, tcp.remote));
}

#[test]
fn a_destination_sends_where_its_route_or_request_uri_says() {
    let mut proxy = proxy();
    let call = text("INVITE", "").replacen("sip:bob@example.com", "sip:bob@203.0.113.8:5062", 1);
    let (hop, _) = sent(&mut proxy, "10.0.0.2:5060", &call);
    assert_eq!((hop.node, hop.remote), (None, "203.0.113.8:5062".parse().unwrap()));
    let routed = text("INVITE", "Route: <sip:192.0.2.1:5060;lr>, <sip:203.0.113.9;lr>\r\n");
    let (hop, forwarded) = sent(&mut proxy, "10.0.0.2:5060", &routed);
    assert_eq!((hop.node, hop.remote), (None, "203.0.113.9:5060".parse().unwrap()));
    assert!(forwarded.contains("Route: <sip:203.0.113.9;lr>\r\n"), "{forwarded}");
    // To a name of ours it is a call like others; to our own address it would be a loop.
    assert!(sent(&mut proxy, "10.0.0.2:5060", &text("INVITE", "")).0.node.is_some());
    let named = text("INVITE", "Route: <sip:proxy.example.org;lr>\r\n").replace("call-1", "call-3");
    assert_eq!(status(&sent(&mut proxy, "10.0.0.2:5060", &named).1), StatusCode::BAD_GATEWAY);
}

#[test]
fn without_a_destination_the_caller_is_told_when_to_come_back() {
    let mut proxy = proxy();
    assert!((0..5).all(|number| proxy.dispatcher_mut().disable(&format!("node-{number}"))));
    let (_, refusal) = sent(&mut proxy, CALLER, &text("INVITE", ""));
    assert_eq!(status(&refusal), StatusCode::SERVICE_UNAVAILABLE);
    assert!(refusal.contains("\r\nRetry-After: 5\r\n"));
    assert!(!proxy_with(Config::default(), 0).dispatcher().is_ready());
}

#[test]
fn a_destination_that_answers_with_garbage_harms_nobody() {
    let mut proxy = proxy();
    let (hop, forwarded) = sent(&mut proxy, CALLER, &text("INVITE", ""));
    let node = hop.remote.to_string();
    let good = answer(&forwarded, 200);
    let mut random = 1_u64;
    for _ in 0..5_000 {
        let mut bytes = good.clone().into_bytes();
        for _ in 0..1 + random % 4 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let place = (random >> 33) as usize % bytes.len();
            bytes[place] = (random >> 24) as u8;
        }
        let mut out = Vec::new();
        let verdict = proxy.handle_datagram(epoch(), &flow(&node), &bytes, &mut out);
        // What is still an answer to this caller goes to him, what became a request is refused; nothing goes anywhere else.
        if let Verdict::Send(hop) = verdict {
            let is_refusal = matches!(hop.label.class, Class::Refusal(_));
            let place = if is_refusal { node.parse() } else { CALLER.parse() };
            assert_eq!(hop.remote, place.unwrap(), "{}", String::from_utf8_lossy(&out));
        }
    }
    assert_eq!(sent(&mut proxy, &node, &good).0.remote, CALLER.parse().unwrap());
}

#[test]
fn probes_are_told_by_their_branch() {
    let mut proxy = proxy();
    let later = epoch() + std::time::Duration::from_secs(1);
    let mut out = Vec::new();
    let mut hops = Vec::new();
    while let Some(hop) = proxy.poll_probe(later, &mut out) {
        let given = std::mem::take(&mut out);
        let probe = String::from_utf8(given).unwrap();
        assert_eq!(request(&probe).mandatory().unwrap().max_forwards, Some(1));
        hops.push(hop.remote);
        assert_eq!(give(&mut proxy, &hop.remote.to_string(), &answer(&probe, 200)).0, Verdict::Drop(Dropped::Probe));
    }
    hops.sort();
    hops.dedup();
    assert_eq!(hops.len(), 5);
    assert!(proxy.dispatcher().snapshot(later).nodes.iter().all(|node| node.probes_answered == 1));
}

#[test]
fn sets_are_told_apart_by_domain_and_keys_are_what_they_say() {
    use crate::dispatcher::Key;
    let now = epoch();
    let mut proxy = proxy();
    let set = |name: &str, first: u8, domain: Option<&str>, key: Key| {
        let nodes = (first..first + 4)
            .map(|number| Destination::new(format!("n{number}"), Transport::Udp, ([10, 0, 0, number], 5060).into()));
        let mut set = Set::new(name, nodes.collect()).with_key(key);
        set.domains = domain.into_iter().map(std::convert::Into::into).collect();
        set
    };
    let sets = vec![
        set("one", 10, Some("one.example"), Key::From),
        set("two", 20, Some("two.example"), Key::User),
        set("rest", 30, None, Key::Header(HeaderName::from_static("X-Tenant"))),
    ];
    proxy.dispatcher_mut().load(now, List::new(sets).unwrap());
    let ask = |proxy: &mut Proxy, host: &str, call: usize, more: &str| {
        let message = text("INVITE", more).replacen("example.com", host, 1).replace("call-1", &format!("call-{call}"));
        sent(proxy, CALLER, &message).0.remote.ip()
    };
    for (host, more, first) in
        [("one.example", "", 10), ("TWO.example", "", 20), ("other.example", "x-tenant: 42\r\n", 30)]
    {
        let places: std::collections::BTreeSet<_> =
            (10..40).map(|call| ask(&mut proxy, host, call * 100 + first, more)).collect();
        assert_eq!(places.len(), 1, "one key, one destination: {host}");
        let std::net::IpAddr::V4(ip) = places.into_iter().next().unwrap() else { panic!() };
        assert!((first as u8..first as u8 + 4).contains(&ip.octets()[3]), "{ip}");
    }
}
