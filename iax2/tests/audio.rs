//! Voice of many calls for two minutes each, which holds one wrap of the short timestamp: delivered in order with the
//! timestamps that were sent, by mini frames and by trunks of both formats.
//!
//! The normal run has 60 calls of each kind; `TANDEM_LONG=1 cargo test --release -p tandem-iax2 --test audio -- --nocapture`
//! has ten thousand.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use iax2::*;

struct Pair {
    ends: [(SocketAddr, Endpoint); 2],
    now: Instant,
    heard: Vec<(CallId, u32, u8)>,
    events: Vec<(usize, Event)>,
}

impl Pair {
    fn new(trunk: Option<TrunkMode>) -> Self {
        #[expect(clippy::disallowed_methods, reason = "a virtual clock begins somewhere")]
        let now = Instant::now();
        let addresses: [SocketAddr; 2] = ["192.0.2.1:4569".parse().unwrap(), "192.0.2.2:4569".parse().unwrap()];
        let ends = [0, 1].map(|n| {
            let mut config = Config::default();
            config.max_legs_per_address = 16_000;
            let mut endpoint = Endpoint::new(now, config, [n as u8 + 1; 32]);
            let mut peer = PeerConfig::new("peer").at(addresses[1 - n]);
            peer.trunk = trunk;
            endpoint.add_peer(now, peer).unwrap();
            (addresses[n], endpoint)
        });
        Self { ends, now, heard: Vec::new(), events: Vec::new() }
    }

    /// Carries datagrams until there are none.
    fn carry(&mut self) {
        loop {
            let mut quiet = true;
            for side in [0, 1] {
                let source = self.ends[side].0;
                while let Some(output) = self.ends[side].1.poll_output() {
                    quiet = false;
                    match output {
                        Output::Datagram { payload, .. } => {
                            self.ends[1 - side].1.handle_input(self.now, Input::Datagram { source, payload });
                        }
                        Output::Event(Event::Voice { call, timestamp, payload, .. }) => {
                            self.heard.push((call, timestamp, payload[0]));
                        }
                        Output::Event(event) => self.events.push((side, event)),
                    }
                }
            }
            if quiet {
                break;
            }
        }
    }

    fn advance(&mut self, time: Duration) {
        self.now += time;
        for side in [0, 1] {
            self.ends[side].1.handle_timeout(self.now);
        }
        self.carry();
    }
}

fn talk(calls: usize, trunk: Option<TrunkMode>) -> u64 {
    let mut pair = Pair::new(trunk);
    let mut ids = Vec::new();
    for _ in 0..calls {
        let now = pair.now;
        ids.push(pair.ends[0].1.dial(now, "peer", &NewCall::to("1")).unwrap());
        pair.carry();
        let Some((1, Event::Incoming { call, .. })) = pair.events.pop() else { panic!("{:?}", pair.events) };
        pair.ends[1].1.answer(now, call).unwrap();
        pair.carry();
        pair.events.clear();
        // Each call has its own phase against the trunk's interval.
        pair.advance(Duration::from_micros(137));
    }
    let mut next = std::collections::HashMap::new();
    let mut frames = 0u64;
    let start = pair.now;
    for n in 0..6_000u32 {
        pair.now = pair.now.max(start + Duration::from_millis(20) * n);
        for id in &ids {
            let now = pair.now;
            // The first timestamp is anything; here the wrap comes at another moment for each call.
            let timestamp = 20 * (u32::from(id.number()) % 977) + n * 20 + 20;
            let payload = [n as u8; 20];
            pair.ends[0].1.send_voice_at(now, *id, Format::G729, timestamp, &payload).unwrap();
        }
        pair.carry();
        pair.advance(Duration::from_millis(20));
        for (call, timestamp, byte) in std::mem::take(&mut pair.heard) {
            frames += 1;
            let last: &mut (u32, u8) = next.entry(call).or_insert((timestamp, byte));
            assert_eq!((timestamp, byte), *last, "{trunk:?}");
            *last = (timestamp + 20, byte.wrapping_add(1));
        }
        pair.events.clear();
    }
    assert_eq!(next.len(), calls);
    // The first of each was 20 to 19,560 ms: all wrapped once, none lost its place.
    assert!(next.values().all(|(timestamp, _)| *timestamp > 120_000 && *timestamp < 140_000));
    assert_eq!(frames, calls as u64 * 6_000);
    frames
}

#[test]
fn two_minutes_of_voice_keep_order_and_timestamps_through_the_wrap_by_all_three_ways() {
    let long = std::env::var_os("TANDEM_LONG").is_some();
    let (batch, batches) = if long { (1_000, 10) } else { (60, 1) };
    for trunk in [None, Some(TrunkMode { timestamps: false }), Some(TrunkMode { timestamps: true })] {
        #[expect(clippy::disallowed_methods, reason = "how long it takes is part of the report")]
        let begin = Instant::now();
        let frames: u64 = (0..batches).map(|_| talk(batch, trunk)).sum();
        eprintln!("{} calls, {trunk:?}: {frames} frames in {:?}", batch * batches, begin.elapsed());
    }
}
