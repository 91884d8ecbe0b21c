//! What forwarding costs without sockets, bytes in and bytes out: `cargo bench -p tandem-sip-proxy --bench forward`.
//!
//! With `-- --count N` nothing is timed: N transactions pass, and the allocations a message are printed. Under `valgrind --tool=callgrind` two
//! runs with different N tell the instructions of one transaction: a request and its answer.
#![expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]

use std::hint::black_box;
use std::time::Instant;

use criterion::{Criterion, Throughput};
use sip_core::{Limits, Message, Response, StatusCode};
use sip_proxy::dispatcher::{self, Destination, Dispatcher, List, Secret, Set};
use sip_proxy::stateless::{Config, Flow, Listener, Proxy, Verdict};
use sip_transaction::Transport;

/// A dispatcher with two destinations, and messages to give it.
struct Scene {
    proxy: Proxy,
    now: Instant,
    next: u64,
    request: Vec<u8>,
    response: Vec<u8>,
    out: Vec<u8>,
}

/// After so many calls it remembers as many as it ever will.
const FULL: usize = 210_000;

/// How many digits a call's number has, in its Call-ID, branch and tag.
const DIGITS: usize = 10;

impl Scene {
    fn new(record_route: bool) -> Self {
        let now = Instant::now();
        let secret = Secret::from_seed([7; 32]);
        let settings = dispatcher::Config { share: false, follow_calls: record_route, ..dispatcher::Config::default() };
        let mut dispatcher = Dispatcher::new(now, settings, secret.clone(), [8; 32]);
        let node =
            |number: u8| Destination::new(format!("node-{number}"), Transport::Udp, ([10, 0, 0, number], 5060).into());
        dispatcher.load(now, List::new(vec![Set::new("all", vec![node(1), node(2)])]).expect("a list"));
        let mut proxy = Proxy::new(Config { record_route, ..Config::default() }, &secret, dispatcher);
        proxy.add_listener(Listener::new(Transport::Udp, ([192, 0, 2, 1], 5060).into()));
        Self { proxy, now, next: 0, request: template(), response: Vec::new(), out: Vec::new() }
    }

    /// A request forwarded, its answer made, and that forwarded.
    fn transaction(&mut self) {
        self.next += 1;
        number(&mut self.request, self.next);
        let flow =
            Flow { transport: Transport::Udp, listener: 0, remote: ([198, 51, 100, 7], 5070).into(), connection: None };
        self.out.clear();
        let verdict = self.proxy.handle_datagram(self.now, &flow, black_box(&self.request), &mut self.out);
        assert!(matches!(verdict, Verdict::Send(_)));
        answer(&self.out, &mut self.response);
        let flow = Flow { remote: ([10, 0, 0, 1], 5060).into(), ..flow };
        self.out.clear();
        let verdict = self.proxy.handle_datagram(self.now, &flow, black_box(&self.response), &mut self.out);
        assert!(matches!(verdict, Verdict::Send(_)));
        if self.next.is_multiple_of(1_024) {
            self.proxy.dispatcher_mut().handle_timeout(self.now);
        }
    }
}

/// A request with what an INVITE of a phone has.
fn template() -> Vec<u8> {
    let body = "v=0\r\no=alice 53655765 2353687637 IN IP4 192.0.2.101\r\ns=-\r\nc=IN IP4 192.0.2.101\r\nt=0 0\r\n\
                m=audio 49172 RTP/AVP 0 8 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:101 telephone-event/8000\r\n";
    format!(
        "INVITE sip:bob@192.0.2.1:5060 SIP/2.0\r\nVia: SIP/2.0/UDP 198.51.100.7:5070;branch=z9hG4bK@@@@@@@@@@;rport\r\nMax-Forwards: 70\r\n\
         From: \"Alice\" <sip:alice@example.com>;tag=9fxced76sl@@@@@@@@@@\r\nTo: \"Bob\" <sip:bob@example.com>\r\n\
         Call-ID: @@@@@@@@@@-3848276298220188511@example.com\r\nCSeq: 1 INVITE\r\nContact: <sip:alice@198.51.100.7:5070>\r\n\
         User-Agent: peers\r\nAllow: INVITE, ACK, BYE, CANCEL, OPTIONS\r\nContent-Type: application/sdp\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// Puts a call's number in its three places.
fn number(request: &mut [u8], number: u64) {
    let digits = format!("{number:0DIGITS$}").into_bytes();
    let text = String::from_utf8_lossy(request).into_owned();
    for (before, skip) in [("branch=z9hG4bK", 0), ("tag=9fxced76sl", 0), ("Call-ID: ", 0)] {
        let at = text.find(before).expect("a template") + before.len() + skip;
        request[at..at + DIGITS].copy_from_slice(&digits);
    }
}

/// What a server would answer, without a parser of its own: the lines of dialogs and transactions, and no body.
fn answer(request: &[u8], response: &mut Vec<u8>) {
    response.clear();
    response.extend_from_slice(b"SIP/2.0 200 OK\r\n");
    for line in request.split_inclusive(|byte| *byte == b'\n') {
        if line == b"\r\n" {
            break;
        }
        match line {
            [b'T', b'o', ..] => {
                response.extend_from_slice(&line[..line.len() - 2]);
                response.extend_from_slice(b";tag=server\r\n");
            }
            [b'V', b'i', ..] | [b'F', b'r', ..] | [b'C', b'a', ..] | [b'C', b'S', ..] | [b'R', b'e', ..] => {
                response.extend_from_slice(line);
            }
            _ => {}
        }
    }
    response.extend_from_slice(b"Content-Length: 0\r\n\r\n");
}

/// A request and its answer.
type Pair = (Vec<u8>, Vec<u8>);

/// Messages that were made before, so that nothing but forwarding is measured.
fn prepared(record_route: bool, before: usize, count: usize) -> (Scene, Vec<Pair>) {
    let mut scene = Scene::new(record_route);
    (0..before).for_each(|_| scene.transaction());
    let mut maker = Scene::new(record_route);
    maker.next = scene.next;
    let messages = (0..count)
        .map(|_| {
            maker.transaction();
            (maker.request.clone(), maker.response.clone())
        })
        .collect();
    (scene, messages)
}

#[inline(never)]
fn forward(scene: &mut Scene, (request, response): &Pair) {
    let outside =
        Flow { transport: Transport::Udp, listener: 0, remote: ([198, 51, 100, 7], 5070).into(), connection: None };
    let inside = Flow { remote: ([10, 0, 0, 1], 5060).into(), ..outside };
    for (flow, message) in [(outside, request), (inside, response)] {
        scene.out.clear();
        black_box(scene.proxy.handle_datagram(scene.now, &flow, message, &mut scene.out));
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if let Some(at) = arguments.iter().position(|it| it == "--count") {
        let count: usize = arguments.get(at + 1).and_then(|it| it.parse().ok()).expect("how many");
        let (mut scene, messages) = prepared(false, 1_000, count);
        let counted = allocation_counter::measure(|| messages.iter().for_each(|pair| forward(&mut scene, pair)));
        println!("allocations a message: {:.4}", counted.count_total as f64 / (count * 2).max(1) as f64);
        return;
    }
    // What is measured is right.
    let mut scene = Scene::new(false);
    scene.transaction();
    let message = Message::parse(scene.request.clone().into(), &Limits::default()).expect("a request");
    let Message::Request(request) = message else { panic!("a request") };
    assert_eq!(Response::to(&request, StatusCode::OK).build().headers().len(), 6);

    let mut criterion = Criterion::default().configure_from_args();
    for (name, record_route) in [("stateless", false), ("record-route", true)] {
        // When it is only looked whether it runs, a little is enough.
        let (before, count) = if arguments.iter().any(|it| it == "--test") { (1_000, 100) } else { (FULL, 200_000) };
        let (mut scene, messages) = prepared(record_route, before, count);
        let mut turn = messages.iter().cycle();
        let mut group = criterion.benchmark_group("forward");
        group.throughput(Throughput::Elements(2));
        group.bench_function(name, |bencher| {
            bencher.iter(|| forward(&mut scene, turn.next().expect("a circle")));
        });
        group.finish();
    }
    criterion.final_summary();
}
