//! What one packet costs.

use criterion::{Criterion, criterion_group, criterion_main};
use std::hint::black_box;

fn parse(c: &mut Criterion) {
    let mut packet = Vec::new();
    rtp::Header::default().encode_packet(&[0xff; 160], 0, &mut packet);
    c.bench_function("parse a packet", |b| b.iter(|| rtp::Packet::parse(black_box(&packet)).map(|it| it.sequence())));
}

criterion_group!(benches, parse);
criterion_main!(benches);
