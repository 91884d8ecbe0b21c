//! Calls through two simulated endpoints over a bad network: all end, the tables are empty afterwards, and nothing is sent
//! outside the retransmission schedule.
//!
//! The normal run makes ten thousand calls. `TANDEM_LONG=1 cargo test --release -p tandem-iax2 --test simulation -- --nocapture`
//! makes a million.

mod common {
    pub mod net;
}

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use common::net::{Net, Weather, address};
use iax2::element::Cause;
use iax2::frame::{Command, Frame, Kind};
use iax2::*;

const A: &str = "192.0.2.1:4569";
const B: &str = "192.0.2.2:4569";

/// What was sent of one sequenced frame.
struct Sent {
    times: u8,
    last: Instant,
}

/// Watches every datagram: a sequenced frame is repeated at most four times by schedule, with the R bit, no sooner than
/// the shortest wait after it was sent last, unless a VNAK asked for it.
#[derive(Default)]
struct Watch {
    frames: HashMap<(SocketAddr, u16, u16, u8, u32), Sent>,
    vnaks: HashMap<(SocketAddr, u16), Instant>,
    retransmissions: u64,
    asked_for: u64,
    datagrams: u64,
}

impl Watch {
    fn look(&mut self, net: &mut Net) {
        for (at, from, to, bytes) in net.trace.as_mut().unwrap().drain(..) {
            self.datagrams += 1;
            let Ok(Frame::Full(full)) = Frame::parse(&bytes) else { continue };
            let header = full.header;
            if header.kind == Kind::Iax(Command::Vnak) {
                self.vnaks.insert((to, header.destination_call), at);
            }
            if !header.kind.is_sequenced() || header.source_call == 1 {
                continue;
            }
            let key = (from, header.source_call, header.destination_call, header.oseq, header.timestamp);
            if !header.retransmission {
                self.frames.insert(key, Sent { times: 1, last: at });
                continue;
            }
            let Some(sent) = self.frames.get_mut(&key) else {
                panic!("a repetition of what was never sent: {header:?}");
            };
            // A VNAK arrives within 50 ms and draws one repetition, at once, of all that waits.
            let asked = self.vnaks.get(&(from, header.source_call));
            if asked.is_some_and(|asked| at.saturating_duration_since(*asked) < Duration::from_millis(60)) {
                self.asked_for += 1;
                continue;
            }
            let gap = at - sent.last;
            sent.times += 1;
            self.retransmissions += 1;
            assert!(sent.times <= 5, "{} times {header:?}", sent.times);
            assert!(gap >= Duration::from_millis(100), "after {gap:?}: {header:?}");
            sent.last = at;
        }
        if self.frames.len() > 100_000 {
            let now = net.now;
            self.frames.retain(|_, sent| now - sent.last < Duration::from_secs(30));
            self.vnaks.retain(|_, at| now - *at < Duration::from_secs(30));
        }
    }
}

fn run(calls: usize, seed: u64) {
    #[expect(clippy::disallowed_methods, reason = "how long it takes is part of the report")]
    let begin = Instant::now();
    let (a, b) = (address(A), address(B));
    let fine = Weather { delay: Duration::from_millis(10), jitter: Duration::from_millis(40), ..Weather::FINE };
    let mut net = Net::new(seed, fine);
    for (at, other, name) in [(a, b, "b"), (b, a, "a")] {
        net.add(at, Config::default());
        let mut peer = PeerConfig::new(name).with_secret("1234").at(other);
        peer.credentials = Credentials::new(if name == "b" { "a" } else { "b" }, "1234");
        net.at(at, |e, now| e.add_peer(now, peer)).unwrap();
    }
    net.trace = Some(Vec::new());
    let mut watch = Watch::default();
    // Calls whose end the program has not heard of, and when it means to hang up.
    let mut open: HashMap<(SocketAddr, CallId), Option<Instant>> = HashMap::new();
    let (mut begun, mut answered, mut offered, mut refused) = (0usize, 0u64, 0u64, 0u64);
    let mut reasons: HashMap<&'static str, u64> = HashMap::new();
    while begun < calls || !open.is_empty() {
        // The weather changes every so often: up to 30 % loss, duplication, overtaking.
        if begun % 500 == 0 {
            let random = net.random();
            net.weather.loss = (random % 31) as u32;
            net.weather.duplicate = (random >> 8) as u32 % 11;
        }
        if begun < calls {
            begun += 1;
            let (from, peer) = if net.random().is_multiple_of(2) { (a, "b") } else { (b, "a") };
            match net.at(from, |e, now| e.dial(now, peer, &NewCall::to("600"))) {
                Ok(call) => {
                    // Some callers give up before anything is known.
                    let patience = 500 + net.random() % 30_000;
                    open.insert((from, call), Some(net.now + Duration::from_millis(patience)));
                }
                Err(_) => refused += 1,
            }
        }
        net.run(Duration::from_millis(25));
        watch.look(&mut net);
        for (at, event) in std::mem::take(&mut net.events) {
            match event {
                Event::Incoming { call, .. } => {
                    offered += 1;
                    let random = net.random();
                    open.insert((at, call), Some(net.now + Duration::from_millis(200 + random % 20_000)));
                    let _state = match random % 10 {
                        0 => net.at(at, |e, now| e.hang_up(now, call, Cause::BUSY, Some("busy"))),
                        1 => net.at(at, |e, now| e.accept(now, call, None)),
                        2 => Ok(()),
                        _ => net.at(at, |e, now| {
                            e.accept(now, call, None)?;
                            e.ring(now, call)?;
                            e.answer(now, call)
                        }),
                    };
                }
                Event::Answered(call) => {
                    answered += 1;
                    let _sent = net.at(at, |e, now| {
                        e.send_dtmf(now, call, '1', DtmfPhase::Begin)?;
                        e.send_dtmf(now, call, '1', DtmfPhase::End)?;
                        e.send_text(now, call, "hello")
                    });
                }
                Event::Ended { call, reason } => {
                    assert!(open.remove(&(at, call)).is_some(), "told twice of an end");
                    let name = match reason {
                        Ended::Local => "local",
                        Ended::Hangup { .. } => "hangup",
                        Ended::Rejected { .. } => "rejected",
                        Ended::Timeout => "timeout",
                        Ended::Invalid => "invalid",
                        _ => "other",
                    };
                    *reasons.entry(name).or_default() += 1;
                }
                _ => {}
            }
        }
        let now = net.now;
        let due: Vec<_> = open
            .iter_mut()
            .filter_map(|(key, at)| {
                at.filter(|at| *at <= now).map(|_| {
                    *at = None;
                    *key
                })
            })
            .collect();
        for (at, call) in due {
            let _ended = net.at(at, |e, now| e.hang_up(now, call, Cause::NORMAL, None));
        }
        watch.look(&mut net);
        assert!(open.len() < 20_000, "calls that do not end");
    }
    net.run(Duration::from_secs(120));
    watch.look(&mut net);
    for endpoint in net.endpoints.values() {
        let s = endpoint.snapshot();
        assert_eq!(
            (s.calls, s.exchanges, s.unvalidated, s.lingering, s.indexed, s.addresses, s.trunks, s.timers),
            (0, 0, 0, 0, 0, 0, 0, 0),
            "{s:?}"
        );
    }
    assert!(answered as usize > calls / 4, "most of them talk");
    let mut reasons: Vec<_> = reasons.into_iter().collect();
    reasons.sort_unstable();
    eprintln!(
        "{begun} calls ({refused} refused by limits), {offered} offered, {answered} answered, ends {reasons:?}; \
         {} datagrams, {} retransmissions by schedule, {} asked for by VNAK; {:?} of virtual time in {:?}",
        watch.datagrams,
        watch.retransmissions,
        watch.asked_for,
        net.now - net.start,
        begin.elapsed()
    );
}

#[test]
fn all_calls_end_and_leave_nothing_behind_whatever_the_network_does() {
    let long = std::env::var_os("TANDEM_LONG").is_some();
    run(if long { 1_000_000 } else { 10_000 }, 2026);
}
