//! The relay under a hostile network: any packets from any of a few sources, the signalling moving the sides meanwhile.
//!
//! Whatever comes, a source that the signalling never named and whose host it never named is not relayed and not sent to.
#![no_main]

use arbitrary::Arbitrary;
use bytes::BytesMut;
use libfuzzer_sys::fuzz_target;
use rtp::relay::{Config, Expected, Relay, Side, Verdict};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

#[derive(Arbitrary, Debug)]
enum Step<'a> {
    Media { caller: bool, source: u8, packet: &'a [u8] },
    Voice { caller: bool, source: u8, ssrc: u8, sequence: u16, timestamp: u32 },
    Control { caller: bool, source: u8, packet: &'a [u8] },
    Expect { caller: bool, address: u8, signalling: Option<u8> },
    Sending { caller: bool, sending: bool },
    Wait { milliseconds: u16 },
}

/// Sources 0 to 7 are named by the signalling at times; 8 to 15 are of hosts that it never names.
fn address(index: u8) -> SocketAddr {
    let (host, port) = if index & 8 == 0 { (1 + (index & 3), 4_000) } else { (100 + (index & 3), 4_000) };
    SocketAddr::from(([192, 0, 2, host], port + u16::from(index & 4) * 10))
}

fn side(caller: bool) -> Side {
    if caller { Side::Caller } else { Side::Callee }
}

fn check(verdict: Verdict, source: u8) {
    if let Verdict::Forward(to) = verdict {
        assert_eq!(source & 8, 0, "a stranger was relayed");
        assert!((0..8).any(|index| address(index).ip() == to.ip()), "sent to a stranger");
    }
}

fuzz_target!(|steps: Vec<Step<'_>>| {
    let mut now = Instant::now();
    let mut relay = Relay::new(now, Config::default());
    for step in steps {
        match step {
            Step::Media { caller, source, packet } => {
                let verdict = relay.forward(now, side(caller), address(source), &mut BytesMut::from(packet));
                check(verdict, source);
            }
            Step::Voice { caller, source, ssrc, sequence, timestamp } => {
                let header = rtp::Header { ssrc: ssrc.into(), sequence, timestamp, ..Default::default() };
                let mut packet = BytesMut::new();
                header.encode_packet(&[0xff; 20], 0, &mut packet);
                let verdict = relay.forward(now, side(caller), address(source), &mut packet);
                assert_eq!(packet.len(), 32);
                check(verdict, source);
            }
            Step::Control { caller, source, packet } => {
                let mut bytes = BytesMut::from(packet);
                let verdict = relay.forward_control(now, side(caller), address(source), &mut bytes);
                assert_eq!(bytes.len(), packet.len());
                check(verdict, source);
            }
            Step::Expect { caller, address: at, signalling } => {
                let media = address(at & 7);
                let expected = match signalling {
                    Some(host) => Expected::signalled(media, address(host & 7).ip()),
                    None => Expected::new(media),
                };
                relay.expect(now, side(caller), expected);
            }
            Step::Sending { caller, sending } => relay.set_sending(now, side(caller), sending),
            Step::Wait { milliseconds } => {
                now += Duration::from_millis(milliseconds.into());
                relay.handle_timeout(now);
                let due = relay.poll_timeout();
                assert!(due.is_none_or(|due| due > now), "a timeout that never ends");
            }
        }
        while relay.poll_event().is_some() {}
    }
});
