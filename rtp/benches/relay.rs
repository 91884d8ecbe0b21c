//! What one packet costs.

use bytes::BytesMut;
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use rtp::g711::Law;
use rtp::relay::{Config, Expected, Relay, Side};
use rtp::{Header, Packet};
use std::hint::black_box;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

const PACKET: Duration = Duration::from_millis(20);

fn start() -> Instant {
    #[expect(clippy::disallowed_methods, reason = "a beginning for the virtual clock")]
    Instant::now()
}

fn addresses() -> (SocketAddr, SocketAddr, SocketAddr) {
    let address = |last, port| SocketAddr::from(([192, 0, 2, last], port));
    (address(1, 4_000), address(2, 5_000), address(66, 4_000))
}

fn encode(ssrc: u32, sequence: u16, out: &mut BytesMut) {
    let header = Header { ssrc, sequence, timestamp: u32::from(sequence) * 160, ..Default::default() };
    header.encode_packet(&[0xff; 160], 0, out);
}

/// A call in which the caller's stream has already begun; with another stream before it if `shifted`.
fn relay(shifted: bool) -> (Relay, Instant) {
    let (alice, bob, _) = addresses();
    let mut now = start();
    let mut relay = Relay::new(now, Config::default());
    relay.expect(now, Side::Caller, Expected::new(alice));
    relay.expect(now, Side::Callee, Expected::new(bob));
    let streams = if shifted { vec![99, 1] } else { vec![1] };
    for ssrc in streams {
        for sequence in 0..5 {
            let mut packet = BytesMut::new();
            encode(ssrc, sequence, &mut packet);
            let _ = black_box(relay.forward(now, Side::Caller, alice, &mut packet));
            now += PACKET;
        }
    }
    (relay, now)
}

fn packets(c: &mut Criterion) {
    let mut packet = BytesMut::new();
    encode(1, 1, &mut packet);
    c.bench_function("parse", |b| b.iter(|| Packet::parse(black_box(&packet)).map(|it| it.sequence())));
}

fn relays(c: &mut Criterion) {
    let (alice, _, stranger) = addresses();
    let mut group = c.benchmark_group("relay");
    group.throughput(Throughput::Elements(1));
    for (name, shifted, source) in
        [("forward", false, alice), ("forward, rewritten", true, alice), ("drop a stranger", false, stranger)]
    {
        let (mut relay, mut now) = relay(shifted);
        let mut sequence = 5u16;
        let mut packet = BytesMut::with_capacity(256);
        encode(1, sequence, &mut packet);
        group.bench_function(name, |b| {
            b.iter(|| {
                // As it comes off the wire: only the header differs from packet to packet.
                if let Some(fixed) = packet.first_chunk_mut::<12>() {
                    fixed[2..4].copy_from_slice(&sequence.to_be_bytes());
                    fixed[4..8].copy_from_slice(&(u32::from(sequence) * 160).to_be_bytes());
                    fixed[8..12].copy_from_slice(&1u32.to_be_bytes());
                }
                sequence = sequence.wrapping_add(1);
                now += PACKET;
                black_box(relay.forward(now, Side::Caller, source, black_box(&mut packet)))
            });
        });
    }
    group.finish();
}

fn codec(c: &mut Criterion) {
    let samples: Vec<i16> = rtp::tone::Tone::milliwatt(8_000).take(160).collect();
    c.bench_function("encode 160 samples", |b| {
        b.iter_batched_ref(
            || Vec::with_capacity(160),
            |out| Law::Mu.encode(black_box(&samples), out),
            BatchSize::SmallInput,
        );
    });
}

criterion_group!(benches, packets, relays, codec);
criterion_main!(benches);
