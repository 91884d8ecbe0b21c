//! STUN: what is read is written again as it was, and an endpoint that asks and is asked never panics, answers one for
//! one and shortly, and tells once how each flow ends.
#![no_main]

use std::collections::HashSet;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use arbitrary::Arbitrary;
use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use sip_transaction::stun::{Attribute, BINDING, Class, Message, TransactionId, is_stun};
use sip_transaction::{Config, Endpoint, Event, Flow, Input, ListenerConfig, ListenerId, Output, Transport};

#[derive(Arbitrary, Debug)]
enum Step {
    /// Bytes, as they are or behind a header that fits them.
    Datagram {
        from: u8,
        header: Option<(u16, u8)>,
        bytes: Vec<u8>,
    },
    /// An answer to what was asked.
    Answer {
        choice: u8,
        error: bool,
        mapped: Option<u8>,
        elsewhere: bool,
        change: Option<(u8, u8)>,
    },
    Keep {
        to: u8,
        every: Option<Option<u8>>,
    },
    LetGo {
        to: u8,
    },
    Pass {
        millis: u16,
    },
}

fn address(number: u8) -> SocketAddr {
    match number % 3 {
        0 => SocketAddr::from(([192, 0, 2, number % 16], 5060)),
        1 => SocketAddr::from(([0x2001, 0xDB8, 0, 0, 0, 0, 0, u16::from(number % 16)], 5060)),
        _ => SocketAddr::from(([0, 0, 0, 0, 0, 0xFFFF, 0xC000, 0x0200 + u16::from(number % 16)], 5060)),
    }
}

fn round_trip(bytes: &[u8]) {
    if let Ok(message) = Message::parse(bytes) {
        let written = message.to_bytes();
        assert_eq!(written.len(), message.encoded_len());
        assert_eq!(written.len(), bytes.len());
        assert_eq!(Message::parse(&written).as_ref(), Ok(&message));
    }
}

#[derive(Default)]
struct World {
    asked: Vec<(SocketAddr, TransactionId)>,
    kept: HashSet<Flow>,
    answers: usize,
    longest: usize,
}

impl World {
    fn drain(&mut self, endpoint: &mut Endpoint) {
        self.answers = 0;
        self.longest = 0;
        while let Some(output) = endpoint.poll_output() {
            match output {
                Output::Datagram { destination, payload, .. } => {
                    if !is_stun(&payload) {
                        continue;
                    }
                    let message = Message::parse(&payload).expect("what we send can be read");
                    if message.class == Class::Request {
                        self.asked.push((destination, message.transaction));
                    } else {
                        self.answers += 1;
                        self.longest = self.longest.max(payload.len());
                    }
                }
                Output::Event(Event::FlowFailed { flow, .. }) => {
                    assert!(self.kept.remove(&flow), "a flow failed that was not kept, or twice");
                }
                _ => {}
            }
        }
    }
}

fuzz_target!(|steps: Vec<Step>| {
    let config = Config { kept_flows: 8, bindings: 50, bindings_per_address: 10, ..Config::default() };
    let mut endpoint = Endpoint::new(config, [9; 32]);
    let udp = endpoint.add_listener(ListenerConfig::new(Transport::Udp, address(0)));
    let mut world = World::default();
    let mut now = Instant::now();
    for step in steps {
        run(step, &mut endpoint, &mut world, &mut now, udp);
        world.drain(&mut endpoint);
        let snapshot = endpoint.snapshot();
        assert!(snapshot.kept_flows <= 8 && snapshot.outputs == 0);
    }
    // Nobody answers any more: all fail, each once.
    let mut rounds = 0;
    while let Some(at) = endpoint.poll_timeout() {
        endpoint.handle_timeout(at);
        world.drain(&mut endpoint);
        rounds += 1;
        assert!(rounds < 100_000, "time goes on for ever");
    }
    let snapshot = endpoint.snapshot();
    assert_eq!((snapshot.kept_flows, snapshot.timers), (0, 0));
});

fn run(step: Step, endpoint: &mut Endpoint, world: &mut World, now: &mut Instant, udp: ListenerId) {
    match step {
        Step::Datagram { from, header, bytes } => {
            let mut payload = Vec::new();
            if let Some((kind, transaction)) = header {
                payload.extend((kind & 0x3FFF).to_be_bytes());
                payload.extend((bytes.len() as u16).to_be_bytes());
                payload.extend([0x21, 0x12, 0xA4, 0x42]);
                payload.extend([transaction; 12]);
            }
            payload.extend(bytes);
            round_trip(&payload);
            let length = payload.len();
            let payload = Bytes::from(payload);
            let is_stun = is_stun(&payload);
            endpoint
                .handle_input(*now, Input::Datagram { listener: udp, source: address(from), payload, received: None });
            if is_stun {
                world.drain(endpoint);
                assert!(world.answers <= 1 && world.longest <= 3 * length, "more than it may be");
            }
        }
        Step::Answer { choice, error, mapped, elsewhere, change } => {
            let Some((from, transaction)) = world.asked.get(usize::from(choice) % world.asked.len().max(1)).copied()
            else {
                return;
            };
            let class = if error { Class::Error } else { Class::Success };
            let mut answer = Message::new(class, BINDING, transaction);
            answer.attributes.extend(mapped.map(|mapped| Attribute::XorMappedAddress(address(mapped))));
            let mut payload = answer.to_bytes().to_vec();
            if let Some((place, byte)) = change {
                let place = usize::from(place) % payload.len();
                payload[place] = byte;
            }
            round_trip(&payload);
            let source = if elsewhere { address(choice) } else { from };
            endpoint
                .handle_input(*now, Input::Datagram { listener: udp, source, payload: payload.into(), received: None });
        }
        Step::Keep { to, every } => {
            let flow = Flow::Datagram { listener: udp, remote: address(to) };
            let is_kept = match every {
                None => endpoint.keep_alive(*now, flow),
                Some(seconds) => {
                    endpoint.keep_alive_every(*now, flow, seconds.map(|seconds| Duration::from_secs(seconds.into())))
                }
            };
            if is_kept {
                world.kept.insert(flow);
            }
        }
        Step::LetGo { to } => {
            let flow = Flow::Datagram { listener: udp, remote: address(to) };
            endpoint.let_go(flow);
            world.kept.remove(&flow);
        }
        Step::Pass { millis } => {
            *now += Duration::from_millis(u64::from(millis));
            endpoint.handle_timeout(*now);
        }
    }
}
