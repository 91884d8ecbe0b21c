//! Bytes on the wire of trunks beside RTP's, allocations, memory of a call, and the cost of trunked voice.
//!
//! The table of the README: `cargo test --release -p tandem-iax2 --test efficiency -- --nocapture`.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use iax2::frame::{Frame, TrunkWriter};
use iax2::*;

/// IPv4 and UDP headers.
const IP_UDP: usize = 28;

/// Bytes of one interval of trunked calls, IP and UDP included.
fn trunked(calls: usize, payload: usize, timestamps: bool) -> usize {
    let mut writer = TrunkWriter::new(timestamps, 1240);
    let voice = vec![0; payload];
    let mut bytes = 0;
    for call in 0..calls as u16 {
        if !writer.push(0x4000 + call, 20, &voice) {
            bytes += writer.finish(20, <[u8]>::len).unwrap() + IP_UDP;
            assert!(writer.push(0x4000 + call, 20, &voice));
        }
    }
    bytes + writer.finish(20, <[u8]>::len).unwrap() + IP_UDP
}

#[test]
fn a_trunk_of_a_hundred_g711_calls_costs_six_percent_over_the_voice_itself() {
    println!("| payload | calls | voice alone | trunk | with timestamps | mini frames | RTP |");
    println!("|---|---|---|---|---|---|---|");
    for payload in [160, 20] {
        for calls in [1, 10, 100, 1_000] {
            let bare = payload * calls;
            let over = |bytes: usize| (bytes as f64 / bare as f64 - 1.0) * 100.0;
            let (plain, stamped) = (trunked(calls, payload, false), trunked(calls, payload, true));
            let mini = calls * (payload + 4 + IP_UDP);
            let rtp = calls * (payload + 12 + IP_UDP);
            println!(
                "| {payload} bytes | {calls} | {bare} | {plain} (+{:.1} %) | {stamped} (+{:.1} %) | {mini} (+{:.1} %) | {rtp} (+{:.1} %) |",
                over(plain),
                over(stamped),
                over(mini),
                over(rtp)
            );
            if (payload, calls) == (160, 100) {
                assert!(over(plain) <= 6.0 && over(stamped) <= 7.2 && over(rtp) >= 25.0 - 0.01);
            }
        }
    }
}

#[test]
fn trunk_entries_are_encoded_and_decoded_without_allocating() {
    for timestamps in [false, true] {
        let mut writer = TrunkWriter::new(timestamps, 1240);
        let voice = [0; 160];
        let round = |writer: &mut TrunkWriter| {
            let mut seen = 0usize;
            let mut read = |bytes: &[u8]| {
                if let Ok(Frame::Trunk(trunk)) = Frame::parse(bytes) {
                    seen += trunk.entries().filter(Result::is_ok).count();
                }
            };
            for call in 0..1_000u16 {
                if !writer.push(0x4000 + call, 20, &voice) {
                    writer.finish(20, &mut read);
                    writer.push(0x4000 + call, 20, &voice);
                }
            }
            writer.finish(20, &mut read);
            seen
        };
        assert_eq!(round(&mut writer), 1_000, "the buffer is there now");
        let info = allocation_counter::measure(|| {
            for _ in 0..100 {
                assert_eq!(round(&mut writer), 1_000);
            }
        });
        assert_eq!(info.count_total, 0, "100,000 entries both ways");
    }
}

struct Pair {
    ends: [(SocketAddr, Endpoint); 2],
    now: Instant,
    voice: u64,
    calls: Vec<CallId>,
    datagrams: u64,
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
        Self { ends, now, voice: 0, calls: Vec::new(), datagrams: 0 }
    }

    fn carry(&mut self) {
        loop {
            let mut quiet = true;
            for side in [0, 1] {
                let source = self.ends[side].0;
                while let Some(output) = self.ends[side].1.poll_output() {
                    quiet = false;
                    match output {
                        Output::Datagram { payload, .. } => {
                            self.datagrams += 1;
                            self.ends[1 - side].1.handle_input(self.now, Input::Datagram { source, payload });
                        }
                        Output::Event(Event::Voice { .. }) => self.voice += 1,
                        Output::Event(Event::Incoming { call, .. }) => {
                            self.ends[side].1.answer(self.now, call).unwrap();
                            self.calls.push(call);
                        }
                        Output::Event(_) => {}
                    }
                }
            }
            if quiet {
                break;
            }
        }
    }

    fn connect(&mut self, calls: usize) -> Vec<CallId> {
        (0..calls)
            .map(|_| {
                let now = self.now;
                let call = self.ends[0].1.dial(now, "peer", &NewCall::to("1")).unwrap();
                self.carry();
                call
            })
            .collect()
    }
}

#[test]
fn a_running_call_takes_less_than_two_kilobytes() {
    const CALLS: usize = 2_000;
    let mut pair = Pair::new(Some(TrunkMode::default()));
    // The tables' first growth is not a call's.
    pair.connect(10);
    let info = allocation_counter::measure(|| {
        let ours = pair.connect(CALLS);
        for call in ours {
            let now = pair.now;
            pair.ends[0].1.send_voice(now, call, &[0; 160]).unwrap();
        }
        pair.carry();
    });
    // Both endpoints are in this process: each has its side of each call.
    let each = info.bytes_current as usize / CALLS / 2;
    println!("{each} bytes a running call and side");
    assert!(each <= 2_000, "{each}");
}

#[test]
fn two_thousand_trunked_calls_fit_one_core() {
    let long = !cfg!(debug_assertions);
    let (calls, seconds) = if long { (2_000, 20u32) } else { (200, 2) };
    let mut pair = Pair::new(Some(TrunkMode { timestamps: true }));
    let ours = pair.connect(calls);
    let theirs = pair.calls.clone();
    let voice = [0x55; 160];
    #[expect(clippy::disallowed_methods, reason = "time is what is measured")]
    let begin = Instant::now();
    for _ in 0..seconds * 50 {
        let now = pair.now;
        for (one, other) in ours.iter().zip(&theirs) {
            pair.ends[0].1.send_voice(now, *one, &voice).unwrap();
            pair.ends[1].1.send_voice(now, *other, &voice).unwrap();
        }
        pair.now += Duration::from_millis(20);
        for side in [0, 1] {
            pair.ends[side].1.handle_timeout(pair.now);
        }
        pair.carry();
    }
    let spent = begin.elapsed();
    let share = spent.as_secs_f64() / f64::from(seconds) * 100.0;
    println!(
        "{calls} trunked calls, both ways, both endpoints in one thread: {:.1} % of a core, {} datagrams, {} frames of voice in {spent:?}",
        share, pair.datagrams, pair.voice
    );
    assert_eq!(pair.voice, u64::from(seconds) * 50 * calls as u64 * 2);
    if long {
        assert!(share < 100.0, "not in real time: {share}");
    }
}
