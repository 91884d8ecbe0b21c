//! Connections: reuse, keep-alives, deadlines, limits, and messages cut anywhere.

mod support;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use sip_transaction::{
    CloseReason, Config, ConnectionId, Endpoint, Event, Failure, Input, Output, Refused, SendError, Target, Transport,
};
use support::{MS, alice, arriving, bob, drain, endpoint, payloads, request, request_with, response};

const SECOND: Duration = Duration::from_secs(1);

fn phone() -> SocketAddr {
    "198.51.100.7:40000".parse().unwrap()
}

/// An endpoint with an accepted connection.
fn accepted(config: Config) -> (Endpoint, ConnectionId, Instant) {
    let (mut endpoint, _, tcp) = endpoint(config);
    let now = support::origin();
    let connection = endpoint.accept(now, tcp, bob(), phone()).unwrap();
    (endpoint, connection, now)
}

fn receive(endpoint: &mut Endpoint, now: Instant, connection: ConnectionId, payload: impl Into<Bytes>) {
    endpoint.handle_input(now, Input::Received { connection, payload: payload.into() });
}

/// Lets time pass and says what was closed, and when after `start`.
fn run(endpoint: &mut Endpoint, start: Instant, span: Duration) -> Vec<(Duration, CloseReason)> {
    let mut closed = Vec::new();
    while let Some(at) = endpoint.poll_timeout().filter(|at| *at <= start + span) {
        endpoint.handle_timeout(at);
        for event in drain(endpoint).0 {
            if let Event::ConnectionClosed { reason, .. } = event {
                closed.push((at - start, reason));
            }
        }
    }
    closed
}

#[test]
fn a_connection_that_says_nothing_is_closed_after_its_first_deadline_and_pings_do_not_help() {
    let (mut endpoint, connection, now) = accepted(Config::default());
    for second in 1..10 {
        receive(&mut endpoint, now + SECOND * second, connection, &b"\r\n\r\n"[..]);
        assert_eq!(payloads(&drain(&mut endpoint).1), ["\r\n"]);
    }
    assert_eq!(run(&mut endpoint, now, SECOND * 60), [(SECOND * 10, CloseReason::Deadline)]);
    assert_eq!(endpoint.snapshot().connections, 0);
    assert_eq!(endpoint.snapshot().timers, 0);
    assert_eq!(endpoint.snapshot().counters.deadlines, 1);
}

#[test]
fn half_a_message_is_waited_for_ten_seconds_however_slowly_it_trickles() {
    let (mut endpoint, connection, now) = accepted(Config::default());
    receive(&mut endpoint, now, connection, arriving("OPTIONS", 1, "h", "z9hG4bK1"));
    let start = now + SECOND * 100;
    let message = arriving("OPTIONS", 2, "h", "z9hG4bK2");
    let mut closed = Vec::new();
    for (second, byte) in message.iter().enumerate().take(60) {
        let at = start + SECOND * second as u32;
        endpoint.handle_timeout(at);
        receive(&mut endpoint, at, connection, vec![*byte]);
        closed.extend(drain(&mut endpoint).0.into_iter().filter_map(|event| match event {
            Event::ConnectionClosed { reason, .. } => Some((second, reason)),
            _ => None,
        }));
    }
    assert_eq!(closed, [(10, CloseReason::Deadline)]);
}

#[test]
fn a_connection_that_carries_nothing_is_closed_when_it_was_idle_too_long() {
    let (mut endpoint, connection, now) = accepted(Config { idle: SECOND * 120, ..Config::default() });
    receive(&mut endpoint, now + SECOND, connection, arriving("OPTIONS", 1, "h", "z9hG4bK1"));
    let (events, _) = drain(&mut endpoint);
    let [Event::Request { id, request, .. }] = &events[..] else { panic!("{events:?}") };
    endpoint.respond(now + SECOND, *id, response(request, 200)).unwrap();
    let _ = drain(&mut endpoint);
    receive(&mut endpoint, now + SECOND * 100, connection, &b"\r\n\r\n"[..]);
    assert_eq!(run(&mut endpoint, now, SECOND * 1_000), [(SECOND * 220, CloseReason::Deadline)]);
}

#[test]
fn limits_hold_for_each_address_and_for_all() {
    let config = Config { connections: 5, connections_per_address: 3, ..Config::default() };
    let (mut endpoint, udp, tcp) = endpoint(config);
    let now = support::origin();
    let from = |host: u8, port: u16| SocketAddr::from(([198, 51, 100, host], port));
    let mut open = Vec::new();
    for port in 0..3 {
        open.push(endpoint.accept(now, tcp, bob(), from(1, port)).unwrap());
    }
    assert_eq!(endpoint.accept(now, tcp, bob(), from(1, 9)), Err(Refused::Address));
    for port in 0..2 {
        open.push(endpoint.accept(now, tcp, bob(), from(2, port)).unwrap());
    }
    assert_eq!(endpoint.accept(now, tcp, bob(), from(3, 1)), Err(Refused::Total));
    assert_eq!(endpoint.accept(now, udp, bob(), from(3, 1)), Err(Refused::Listener));
    assert_eq!(endpoint.send_request(now, request("OPTIONS", 1), Target::tcp(alice())), Err(SendError::Limit));
    assert_eq!(endpoint.snapshot().counters.connections_refused, 2);
    endpoint.handle_input(now, Input::Closed { connection: open[0], reason: CloseReason::Remote });
    endpoint.accept(now, tcp, bob(), from(1, 9)).unwrap();
}

#[test]
fn a_thousand_idle_connections_do_not_disturb_and_are_gone_after_their_deadline() {
    let (mut endpoint, udp, tcp) = endpoint(Config::default());
    let now = support::origin();
    for port in 1..=1_000 {
        endpoint.accept(now, tcp, bob(), SocketAddr::from(([198, 51, 100, 1], port))).unwrap();
    }
    let payload = arriving("OPTIONS", 1, "192.0.2.1", "z9hG4bK1");
    endpoint.handle_input(now, Input::Datagram { listener: udp, source: alice(), payload, received: None });
    assert!(matches!(drain(&mut endpoint).0[..], [Event::Request { .. }]));
    assert_eq!(run(&mut endpoint, now, SECOND * 10).len(), 1_000);
    assert_eq!(endpoint.snapshot().connections, 0);
}

#[test]
fn messages_are_found_wherever_the_stream_was_cut() {
    let mut stream = Vec::new();
    for number in 0..3 {
        stream.extend_from_slice(&arriving("OPTIONS", number, "h", &format!("z9hG4bK{number}")));
        stream.extend_from_slice(b"\r\n\r\n");
    }
    for size in [1, 2, 3, 7, 100, stream.len()] {
        let (mut endpoint, connection, now) = accepted(Config::default());
        for piece in stream.chunks(size) {
            receive(&mut endpoint, now, connection, piece.to_vec());
        }
        let (events, duties) = drain(&mut endpoint);
        assert_eq!(events.len(), 3, "in pieces of {size}");
        assert_eq!(payloads(&duties), ["\r\n", "\r\n", "\r\n"], "in pieces of {size}");
    }
}

#[test]
fn what_is_not_sip_closes_the_connection() {
    for garbage in
        ["GET / HTTP/1.1\r\n\r\n", "\x16\x03\x01\x02\x00", "INVITE sip:x SIP/2.0\r\nContent-Length: -1\r\n\r\n"]
    {
        let (mut endpoint, connection, now) = accepted(Config::default());
        receive(&mut endpoint, now, connection, garbage);
        let (events, duties) = drain(&mut endpoint);
        let reason = CloseReason::Framing;
        assert!(
            matches!(&events[..], [Event::ConnectionClosed { reason: closed, .. }] if *closed == reason),
            "{garbage}: {events:?}"
        );
        assert!(matches!(duties.last(), Some(Output::Close { .. })), "{garbage}: {duties:?}");
        assert_eq!(endpoint.snapshot().counters.malformed, 1);
        // What is still underway finds nothing, and harms nobody.
        receive(&mut endpoint, now, connection, garbage);
        assert!(drain(&mut endpoint).0.is_empty());
    }
}

#[test]
fn a_request_without_content_length_is_answered_and_its_connection_closed() {
    let (mut endpoint, connection, now) = accepted(Config::default());
    let text = String::from_utf8(arriving("OPTIONS", 1, "h", "z9hG4bK1").to_vec()).unwrap();
    receive(&mut endpoint, now, connection, text.replace("Content-Length: 0\r\n", ""));
    let (events, duties) = drain(&mut endpoint);
    assert!(matches!(events[..], [Event::ConnectionClosed { .. }]), "{events:?}");
    let [Output::Write { payload, .. }, Output::Close { .. }] = &duties[..] else { panic!("{duties:?}") };
    assert_eq!(support::parse_response(payload).status().as_u16(), 400);
}

#[test]
fn requests_share_a_connection_and_responses_come_down_the_one_that_their_request_came_by() {
    let (mut endpoint, _, _) = endpoint(Config::default());
    let now = support::origin();
    let first = endpoint.send_request(now, request("OPTIONS", 1), Target::tcp(alice())).unwrap();
    endpoint.send_request(now, request("OPTIONS", 2), Target::tcp(alice())).unwrap();
    let (_, duties) = drain(&mut endpoint);
    let [Output::Connect { connection, transport: Transport::Tcp, destination, .. }] = duties[..] else {
        panic!("{duties:?}")
    };
    assert_eq!(destination, alice());
    endpoint.handle_input(now, Input::Connected { connection, local: "192.0.2.2:40001".parse().unwrap() });
    let (events, duties) = drain(&mut endpoint);
    assert!(matches!(events[..], [Event::ConnectionOpened { .. }]));
    let sent = payloads(&duties);
    assert_eq!(sent.len(), 2);
    assert!(sent[0].starts_with(b"OPTIONS") && sent[0].windows(8).any(|bytes| bytes == b"SIP/2.0/"));
    assert!(String::from_utf8_lossy(&sent[0]).contains("Via: SIP/2.0/TCP 192.0.2.2:5060;"));
    let answer = response(&support::parse_request(&sent[0]), 200).to_bytes();
    receive(&mut endpoint, now, connection, answer);
    let (events, _) = drain(&mut endpoint);
    let [Event::Response { id, source, .. }, Event::ClientEnded { .. }] = &events[..] else { panic!("{events:?}") };
    assert_eq!((*id, source.connection), (first, Some(connection)));

    // A request that comes down it is answered down it, whatever its Via says.
    receive(&mut endpoint, now, connection, arriving("OPTIONS", 3, "203.0.113.9:9", "z9hG4bK3"));
    let (events, _) = drain(&mut endpoint);
    let [Event::Request { id, request, .. }] = &events[..] else { panic!("{events:?}") };
    endpoint.respond(now, *id, response(request, 200)).unwrap();
    let (_, duties) = drain(&mut endpoint);
    assert!(matches!(&duties[..], [Output::Write { connection: down, .. }] if *down == connection), "{duties:?}");
}

#[test]
fn a_phone_is_reached_down_its_connection_or_not_at_all() {
    let (mut endpoint, connection, now) = accepted(Config::default());
    receive(&mut endpoint, now, connection, arriving("REGISTER", 1, "10.0.0.1", "z9hG4bK1"));
    let (events, _) = drain(&mut endpoint);
    let [Event::Request { source, .. }] = &events[..] else { panic!("{events:?}") };
    let target = Target::from(source);
    endpoint.send_request(now, request("OPTIONS", 2), target).unwrap();
    assert!(matches!(drain(&mut endpoint).1[..], [Output::Write { .. }]));
    endpoint.handle_input(now, Input::Closed { connection, reason: CloseReason::Remote });
    let (events, _) = drain(&mut endpoint);
    assert!(matches!(
        events[..],
        [Event::ConnectionClosed { .. }, Event::ClientFailed { reason: Failure::Transport, .. }]
    ));
    assert_eq!(endpoint.send_request(now, request("OPTIONS", 3), target), Err(SendError::ConnectionClosed));
}

#[test]
fn the_answer_to_a_request_whose_connection_is_gone_goes_by_a_new_one() {
    let (mut endpoint, connection, now) = accepted(Config::default());
    receive(&mut endpoint, now, connection, arriving("OPTIONS", 1, "phone.example:5080", "z9hG4bK1"));
    let (events, _) = drain(&mut endpoint);
    let [Event::Request { id, request, .. }] = &events[..] else { panic!("{events:?}") };
    endpoint.handle_input(now, Input::Closed { connection, reason: CloseReason::Remote });
    endpoint.respond(now, *id, response(request, 200)).unwrap();
    let (_, duties) = drain(&mut endpoint);
    let expected = SocketAddr::new(phone().ip(), 5080);
    assert!(
        matches!(duties[..], [Output::Connect { destination, .. }] if destination == expected),
        "the address it came from and the port of its Via: {duties:?}"
    );
}

#[test]
fn a_connection_that_does_not_open_in_time_fails_what_waits_for_it() {
    let (mut endpoint, ..) = endpoint(Config::default());
    let now = support::origin();
    endpoint.send_request(now, request("INVITE", 1), Target::tcp(alice())).unwrap();
    let _ = drain(&mut endpoint);
    endpoint.handle_timeout(now + SECOND * 5);
    let (events, duties) = drain(&mut endpoint);
    assert!(matches!(
        events[..],
        [
            Event::ConnectionClosed { reason: CloseReason::Deadline, .. },
            Event::ClientFailed { reason: Failure::Transport, .. }
        ]
    ));
    assert!(matches!(duties[..], [Output::Close { .. }]));
    assert!(endpoint.snapshot().is_idle());
    assert_eq!(endpoint.snapshot().timers, 0);
}

#[test]
fn what_waits_for_a_connection_to_open_is_bounded() {
    let (mut endpoint, ..) = endpoint(Config { connect_queue: 10_000, ..Config::default() });
    let now = support::origin();
    let mut failed = 0;
    for number in 0..100 {
        let message = request_with("MESSAGE", number, "", &[b'x'; 900]);
        endpoint.send_request(now, message, Target::tcp(alice())).unwrap();
        failed += drain(&mut endpoint)
            .0
            .iter()
            .filter(|event| matches!(event, Event::ClientFailed { reason: Failure::Transport, .. }))
            .count();
    }
    assert!((90..95).contains(&failed), "{failed} failed");
}

#[test]
fn a_slow_reader_is_counted_and_its_requests_fail() {
    let (mut endpoint, connection, now) = accepted(Config::default());
    let source = endpoint.connection(connection).unwrap();
    endpoint.send_request(now, request("OPTIONS", 1), Target::from(&source)).unwrap();
    endpoint.handle_input(now, Input::Closed { connection, reason: CloseReason::SlowReader });
    let (events, _) = drain(&mut endpoint);
    assert!(matches!(events.last(), Some(Event::ClientFailed { .. })));
    assert_eq!(endpoint.snapshot().counters.slow_readers, 1);
}

#[test]
fn time_that_runs_backwards_is_taken_as_standing_still() {
    let (mut endpoint, udp, _) = endpoint(Config::default());
    let now = support::origin() + SECOND * 1_000;
    endpoint.send_request(now, request("OPTIONS", 1), Target::udp(alice())).unwrap();
    endpoint.handle_timeout(now - SECOND * 500);
    let payload = arriving("OPTIONS", 1, "192.0.2.1", "z9hG4bK1");
    endpoint
        .handle_input(now - SECOND * 100, Input::Datagram { listener: udp, source: alice(), payload, received: None });
    let _ = drain(&mut endpoint);
    endpoint.handle_timeout(now + MS(499));
    assert!(drain(&mut endpoint).1.is_empty());
    endpoint.handle_timeout(now + MS(500));
    assert_eq!(drain(&mut endpoint).1.len(), 1);
}
