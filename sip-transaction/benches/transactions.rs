//! In-memory transactions a second, without sockets; what a transaction key and a timer cost.
//!
//! `cargo bench -p tandem-sip-transaction`. Where the system tells it, time is that on the processor, so that a shared
//! machine gives the same figures as an idle one, but for its caches.
#![expect(clippy::disallowed_methods, reason = "a program owns the clock")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use sip_core::{Limits, Message, Response, StatusCode, framing};
use sip_transaction::{Config, Endpoint, Event, Input, ListenerConfig, ListenerId, Output, Transport};

// Private parts, measured by themselves.
#[allow(dead_code, unreachable_pub, unused_imports)]
#[path = "../src/transaction/key.rs"]
mod key;
#[allow(dead_code, unreachable_pub, unused_imports)]
#[path = "../src/wheel.rs"]
mod wheel;

/// How many transactions one iteration runs.
const BATCH: u64 = 1_000;

fn endpoint() -> (Endpoint, ListenerId) {
    let config = Config { server_transactions: 10_000_000, stranger_transactions: 10_000_000, ..Config::default() };
    let mut endpoint = Endpoint::new(config, [1; 32]);
    let listener = endpoint.add_listener(ListenerConfig::new(Transport::Udp, ([192, 0, 2, 2], 5060).into()));
    (endpoint, listener)
}

/// Requests as phones write them.
fn requests(method: &str) -> Vec<Bytes> {
    let request = |number: u64| {
        Bytes::from(format!(
            "{method} sip:bob@192.0.2.2 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK{number:016x}\r\n\
             Max-Forwards: 70\r\nFrom: \"Alice\" <sip:alice@192.0.2.1>;tag=a{number}\r\nTo: <sip:bob@192.0.2.2>\r\n\
             Call-ID: call-{number}@192.0.2.1\r\nCSeq: 1 {method}\r\nContact: <sip:alice@192.0.2.1:5060>\r\n\
             User-Agent: benchmark\r\nAllow: INVITE, ACK, CANCEL, BYE, OPTIONS\r\nContent-Length: 0\r\n\r\n"
        ))
    };
    (0..BATCH).map(request).collect()
}

/// Hands a datagram over and answers what it asks with these statuses.
fn serve(endpoint: &mut Endpoint, now: Instant, listener: ListenerId, payload: Bytes, statuses: &[StatusCode]) {
    endpoint.handle_input(
        now,
        Input::Datagram { listener, source: ([192, 0, 2, 1], 5060).into(), payload, received: None },
    );
    while let Some(output) = endpoint.poll_output() {
        if let Output::Event(Event::Request { id, request, .. }) = output {
            for status in statuses {
                let response = Response::to(&request, *status).to_tag(b"tag").build();
                endpoint.respond(now, id, response).expect("a new request");
            }
        } else {
            black_box(output);
        }
    }
}

/// A clock to measure with: this thread's time on the processor, or else the time.
struct Stopwatch(Instant, Option<Duration>);

impl Stopwatch {
    fn start() -> Self {
        Self(Instant::now(), Self::on_processor())
    }

    fn stop(self) -> Duration {
        let on_processor = Self::on_processor().zip(self.1).map(|(now, then)| now.saturating_sub(then));
        on_processor.unwrap_or_else(|| self.0.elapsed()).max(Duration::from_nanos(1))
    }

    fn on_processor() -> Option<Duration> {
        let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
        text.split(' ').next()?.parse().ok().map(Duration::from_nanos)
    }
}

/// Measures `run` over and over, without what `setup` takes.
fn measure<T, R>(iterations: u64, mut setup: impl FnMut() -> T, mut run: impl FnMut(T) -> R) -> Duration {
    let mut total = Duration::ZERO;
    // Long enough stretches for a clock that ticks in milliseconds.
    let mut left = iterations;
    while left > 0 {
        let batch = left.min(20);
        left -= batch;
        let inputs: Vec<T> = (0..batch).map(|_| setup()).collect();
        let mut outputs = Vec::with_capacity(inputs.len());
        let stopwatch = Stopwatch::start();
        outputs.extend(inputs.into_iter().map(&mut run));
        total += stopwatch.stop();
    }
    total
}

/// Lets time pass until everything has ended; says what time it is then.
fn expire(endpoint: &mut Endpoint, now: Instant) -> Instant {
    let now = now + Duration::from_secs(100);
    endpoint.handle_timeout(now);
    while endpoint.poll_output().is_some() {}
    assert!(endpoint.snapshot().is_idle());
    now
}

fn read(payload: &Bytes) -> sip_core::Request {
    let frame = framing::datagram(payload.clone(), &Limits::default());
    let framing::Frame::Message(Message::Request(request)) = frame else { unreachable!("a request") };
    request
}

fn transactions(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("server");
    group.throughput(Throughput::Elements(BATCH)).sample_size(20);
    let options = requests("OPTIONS");
    group.bench_function("options, answered and ended", |bencher| {
        let (mut endpoint, listener) = endpoint();
        let mut now = Instant::now();
        bencher.iter_custom(|iterations| {
            measure(
                iterations,
                || (),
                |()| {
                    for payload in &options {
                        serve(&mut endpoint, now, listener, payload.clone(), &[StatusCode::OK]);
                    }
                    now = expire(&mut endpoint, now);
                },
            )
        });
    });
    let invites = requests("INVITE");
    let acks: Vec<Bytes> = invites
        .iter()
        .map(|invite| {
            let text = String::from_utf8_lossy(invite);
            text.replacen("INVITE", "ACK", 1).replace("CSeq: 1 INVITE", "CSeq: 1 ACK").into()
        })
        .collect();
    group.bench_function("invite, ringing, rejected, acknowledged and ended", |bencher| {
        let (mut endpoint, listener) = endpoint();
        let mut now = Instant::now();
        bencher.iter_custom(|iterations| {
            measure(
                iterations,
                || (),
                |()| {
                    for (invite, ack) in invites.iter().zip(&acks) {
                        let statuses = [StatusCode::RINGING, StatusCode::BUSY_HERE];
                        serve(&mut endpoint, now, listener, invite.clone(), &statuses);
                        serve(&mut endpoint, now, listener, ack.clone(), &[]);
                    }
                    now = expire(&mut endpoint, now);
                },
            )
        });
    });
    group.bench_function("options, retransmitted", |bencher| {
        let (mut endpoint, listener) = endpoint();
        let now = Instant::now();
        for payload in &options {
            serve(&mut endpoint, now, listener, payload.clone(), &[StatusCode::OK]);
        }
        bencher.iter_custom(|iterations| {
            measure(
                iterations,
                || (),
                |()| {
                    for payload in &options {
                        serve(&mut endpoint, now, listener, payload.clone(), &[]);
                    }
                },
            )
        });
    });
    // The part of all these that is not the transaction's: reading the request and writing the answer.
    group.bench_function("options, read and answered without a transaction", |bencher| {
        bencher.iter_custom(|iterations| {
            measure(
                iterations,
                || (),
                |()| {
                    for payload in &options {
                        let request = read(payload);
                        black_box(request.mandatory().expect("whole"));
                        black_box(Response::to(&request, StatusCode::OK).to_tag(b"tag").build().to_bytes());
                    }
                },
            )
        });
    });
    group.finish();
}

fn parts(criterion: &mut Criterion) {
    let secret = key::Secret::new(1, 2);
    let request = read(&requests("INVITE")[0]);
    let mandatory = request.mandatory().expect("whole");
    criterion.bench_function("key", |bencher| {
        bencher.iter_custom(|iterations| {
            let stopwatch = Stopwatch::start();
            for _ in 0..iterations {
                black_box(secret.server(black_box(&request), &mandatory, request.method()));
            }
            stopwatch.stop()
        });
    });
    let mut wheel = wheel::Wheel::new();
    let now = Instant::now();
    for number in 0..1_000_000_u64 {
        wheel.start(now, now + Duration::from_millis(number * 7_919 % 32_000), number);
    }
    let mut number = 0;
    criterion.bench_function("start and stop a timer among a million", |bencher| {
        bencher.iter_custom(|iterations| {
            let stopwatch = Stopwatch::start();
            for _ in 0..iterations {
                number += 1;
                let handle = wheel.start(now, now + Duration::from_millis(number * 7_919 % 32_000), number);
                wheel.stop(black_box(handle));
            }
            stopwatch.stop()
        });
    });
}

criterion_group!(benches, transactions, parts);
criterion_main!(benches);
