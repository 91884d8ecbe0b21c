//! Thousands of transactions through a bad network: every one ends, every table is empty, no retransmission is off
//! schedule. `TANDEM_LONG=1` makes the counts a hundred times larger.

mod support;

use std::collections::HashMap;
use std::time::{Duration, Instant};

use netsim::{Conditions, Simulation};
use sip_core::Message;
use sip_core::header::Via;
use sip_transaction::{Config, Target};
use support::{Callee, Caller, MS, Peer, alice, bob};

/// How many transactions to run; far more when there is time.
fn count(usual: u64) -> u64 {
    if std::env::var_os("TANDEM_LONG").is_some() { usual * 100 } else { usual }
}

fn limits() -> Config {
    Config {
        server_transactions: 2_000_000,
        stranger_transactions: 1_000_000,
        client_transactions: 1_000_000,
        ..Config::default()
    }
}

/// Runs a caller against a callee until nothing moves, and checks what must hold whatever happened.
fn run(seed: u64, conditions: Conditions, count: u64, method: fn(u64) -> &'static str, cancels: fn(u64) -> bool) {
    let mut simulation = Simulation::new(seed, conditions);
    simulation.network.is_recording = true;
    let mut caller = Caller::new(simulation.now(), 0, method);
    caller.cancels = cancels;
    let mut alice = Peer::new(alice(), limits(), caller);
    let mut bob = Peer::new(bob(), limits(), Callee::default());
    alice.is_recording = false;
    bob.is_recording = false;
    let mut schedule = Schedule::default();
    // In batches, so that what was recorded can be checked and forgotten.
    let mut left = count;
    while left > 0 {
        let batch = left.min(10_000);
        left -= batch;
        alice.user.left = batch;
        alice.user.next = simulation.now();
        assert!(
            simulation.run_until_quiet(&mut [&mut alice, &mut bob], Duration::from_secs(600)),
            "seed {seed}: still busy: {:?} {:?}",
            alice.endpoint.snapshot(),
            bob.endpoint.snapshot()
        );
        schedule.check(&simulation, seed);
        simulation.network.forget_sent();
        let (caller, callee) = (&alice.user, &bob.user);
        assert_eq!(caller.over.len(), caller.sent.len(), "seed {seed}: a request that never ended");
        assert_eq!(callee.ended.len(), callee.asked.len(), "seed {seed}: a request of others that never ended");
        alice.user.sent.clear();
        alice.user.over.clear();
        alice.user.finals.clear();
        bob.user.ended.clear();
        bob.user.asked.clear();
        for endpoint in [&alice.endpoint, &bob.endpoint] {
            let snapshot = endpoint.snapshot();
            assert!(snapshot.is_idle(), "seed {seed}: {snapshot:?}");
            assert_eq!(snapshot.timers, 0, "seed {seed}");
            assert_eq!(snapshot.unanswered, 0, "seed {seed}");
            assert_eq!(snapshot.counters.malformed, 0, "seed {seed}");
        }
    }
    let counters = simulation.network.counters();
    assert!(conditions.loss == 0.0 || counters.lost > 0, "the network lost nothing");
    assert!(conditions.duplication == 0.0 || counters.duplicated > 0, "the network doubled nothing");
}

/// When each request was sent first.
#[derive(Default)]
struct Schedule {
    requests: HashMap<(Vec<u8>, Vec<u8>), Instant>,
}

impl Schedule {
    /// Requests go out at 0, T1, 3 T1, … after their first time, and at no other.
    fn check(&mut self, simulation: &Simulation, seed: u64) {
        let doubling = [0, 500, 1_500, 3_500, 7_500, 15_500, 31_500].map(MS);
        let capped = [0, 500, 1_500, 3_500, 7_500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500].map(MS);
        for sent in simulation.network.sent() {
            if sent.from != alice() {
                continue;
            }
            let Ok(Message::Request(request)) = Message::parse(sent.payload.clone().into(), &Default::default()) else {
                panic!("seed {seed}: not a request: {sent:?}")
            };
            let via = request.headers().require::<Via>().unwrap();
            let key = (via.branch().unwrap().to_vec(), request.method().as_bytes().to_vec());
            let first = *self.requests.entry(key).or_insert(sent.at);
            let offset = sent.at - first;
            let allowed: &[Duration] = match request.method().as_bytes() {
                b"INVITE" => &doubling,
                b"ACK" => continue,
                _ => &capped,
            };
            // The wheel turns in whole milliseconds: what starts between two of them is less than one late.
            let is_due = allowed.iter().any(|due| (*due..*due + MS(1)).contains(&offset));
            assert!(is_due, "seed {seed}: {} sent at {offset:?}", request.method());
        }
        self.requests.clear();
    }
}

#[test]
fn ten_thousand_invites_under_ten_percent_loss_all_end() {
    run(11, Conditions::bad(0.1), count(10_000), |_| "INVITE", |_| false);
}

#[test]
fn ten_thousand_other_requests_under_ten_percent_loss_all_end() {
    run(12, Conditions::bad(0.1), count(10_000), |_| "MESSAGE", |_| false);
}

#[test]
fn calls_that_are_cancelled_at_once_all_end_under_loss() {
    run(13, Conditions::bad(0.1), count(1_000), |_| "INVITE", |number| number % 2 == 0);
}

#[test]
fn mixed_requests_under_thirty_percent_loss_all_end() {
    let method = |number| if number % 2 == 0 { "INVITE" } else { "OPTIONS" };
    run(14, Conditions::bad(0.3), count(2_000), method, |number| number % 6 == 0);
}

#[test]
fn requests_over_streams_that_are_cut_anywhere_all_end() {
    let mut simulation = Simulation::new(15, Conditions::bad(0.1));
    let total = count(2_000);
    let mut caller = Caller::new(simulation.now(), total, |number| if number % 2 == 0 { "INVITE" } else { "OPTIONS" });
    caller.target = Target::tcp(bob());
    caller.interval = MS(5);
    let mut alice = Peer::new(alice(), limits(), caller);
    let mut bob = Peer::new(bob(), limits(), Callee::default());
    alice.is_recording = false;
    bob.is_recording = false;
    // Cut the connection or hold it up now and then: what waits for an answer on it fails, all else goes on.
    let mut cuts = 0;
    while alice.user.left > 0 {
        simulation.run_for(&mut [&mut alice, &mut bob], MS(1_000));
        let streams: Vec<_> = simulation.network.streams().collect();
        for stream in streams {
            cuts += 1;
            if cuts % 2 == 0 {
                simulation.network.cut(simulation.now(), stream);
            } else {
                simulation.network.stall(simulation.now(), stream, MS(300));
            }
        }
    }
    // The last connection closes for idleness.
    assert!(simulation.run_until_quiet(&mut [&mut alice, &mut bob], Duration::from_secs(10_000)));
    assert!(cuts > 4);
    assert_eq!(alice.user.over.len(), total as usize);
    let failed = alice.user.over.values().filter(|over| **over == "failed").count();
    assert!(failed > 0 && failed < total as usize / 2, "{failed} of {total} failed");
    assert_eq!(bob.user.ended.len(), bob.user.asked.len());
    for endpoint in [&alice.endpoint, &bob.endpoint] {
        let snapshot = endpoint.snapshot();
        assert!(snapshot.is_idle() && snapshot.timers == 0 && snapshot.connections == 0, "{snapshot:?}");
        assert_eq!(snapshot.counters.malformed, 0);
        assert_eq!(snapshot.counters.retransmissions_sent, 0, "nothing is retransmitted over streams");
    }
}
