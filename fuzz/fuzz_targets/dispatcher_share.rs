//! The protocol between dispatchers: any datagrams, genuine ones in any order among them, teach only what was told, once, and draw no more
//! bytes than came.
#![no_main]

use std::collections::HashSet;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use sip_proxy::dispatcher::{CallKey, PeerConfig, Phase, Secret, Share, ShareConfig, Shared};

#[derive(Debug, Arbitrary)]
enum Step {
    Tell(u64),
    Wait(u16),
    Deliver,
    Replay(u16),
    Raw(Vec<u8>),
    Change(u16, u16, u8),
    Restart,
}

fn share(now: Instant, port: u16, seed: u8) -> Share {
    let peer = PeerConfig { address: SocketAddr::from(([127, 0, 0, 1], port)) };
    Share::new(now, ShareConfig::new(Secret::from_seed([9; 32]), vec![peer]), [seed; 32])
}

fuzz_target!(|steps: Vec<Step>| {
    let mut now = Instant::now();
    let (mut one, mut two) = (share(now, 2, 1), share(now, 1, 2));
    let (from_one, from_two) = (SocketAddr::from(([127, 0, 0, 1], 1)), SocketAddr::from(([127, 0, 0, 1], 2)));
    let (mut told, mut learned) = (HashSet::new(), HashSet::new());
    let mut history: Vec<Vec<u8>> = Vec::new();
    for (number, step) in steps.into_iter().take(200).enumerate() {
        match step {
            Step::Tell(call) => {
                let call = u128::from(call) << 16 | number as u128;
                told.insert(call);
                one.tell(Shared { call: CallKey::from_bytes(call.to_be_bytes()), tag: 1, phase: Phase::Setup });
            }
            Step::Wait(millis) => {
                now += Duration::from_millis(u64::from(millis));
                one.handle_timeout(now);
                two.handle_timeout(now);
            }
            Step::Deliver => {
                while let Some((_, datagram)) = one.poll_output() {
                    history.push(datagram.to_vec());
                    two.handle_datagram(now, from_one, &datagram);
                }
                while let Some((_, datagram)) = two.poll_output() {
                    one.handle_datagram(now, from_two, &datagram);
                }
            }
            Step::Replay(which) if !history.is_empty() => {
                let datagram = &history[usize::from(which) % history.len()];
                two.handle_datagram(now, from_one, datagram);
            }
            Step::Raw(bytes) => two.handle_datagram(now, from_one, &bytes),
            Step::Change(which, place, with) if !history.is_empty() && with != 0 => {
                let mut datagram = history[usize::from(which) % history.len()].clone();
                let place = usize::from(place) % datagram.len();
                datagram[place] ^= with;
                let forged = two.counters().forged;
                two.handle_datagram(now, from_one, &datagram);
                assert_eq!(two.counters().forged, forged + 1);
            }
            Step::Restart => one = share(now, 2, number as u8),
            Step::Replay(_) | Step::Change(..) => {}
        }
        while let Some(call) = two.poll_learned() {
            let call = u128::from_be_bytes(call.call.to_bytes());
            assert!(told.contains(&call), "what nobody told was learned");
            assert!(learned.insert(call), "it was learned twice");
        }
        assert!(one.poll_learned().is_none());
    }
});
