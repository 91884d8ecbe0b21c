//! Trunk entries a second, and frames.
#![allow(missing_docs, reason = "criterion's macros write a function without")]

use std::hint::black_box;

use bytes::BytesMut;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use iax2::frame::{Frame, TrunkWriter};
use iax2::{Element, ElementsBuf};

/// Encodes and decodes a thousand entries, in frames of 1,240 bytes, as a trunk of a thousand calls has them each 20 ms.
fn trunk(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("trunk entries encoded and decoded");
    for (name, timestamps, payload) in [
        ("G.711", false, 160),
        ("G.711 with timestamps", true, 160),
        ("20 bytes", false, 20),
        ("20 bytes with timestamps", true, 20),
    ] {
        let mut writer = TrunkWriter::new(timestamps, 1240);
        let voice = vec![0x55u8; payload];
        let read = |bytes: &[u8]| match Frame::parse(bytes) {
            Ok(Frame::Trunk(trunk)) => {
                let lengths = trunk.entries().flatten().map(|e| e.payload.len() + usize::from(e.source_call));
                lengths.sum::<usize>()
            }
            _ => 0,
        };
        group.throughput(Throughput::Elements(1_000));
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let mut sum = 0;
                for call in 0..1_000u16 {
                    if !writer.push(0x4000 + call, 20, black_box(&voice)) {
                        sum += writer.finish(20, read).unwrap_or(0);
                        writer.push(0x4000 + call, 20, &voice);
                    }
                }
                sum + writer.finish(20, read).unwrap_or(0)
            });
        });
    }
    group.finish();
}

fn full(criterion: &mut Criterion) {
    let list: ElementsBuf = [
        Element::Version(2),
        Element::CalledNumber(b"600"),
        Element::CalledContext(b"inside"),
        Element::Username(b"alice"),
        Element::CallToken(b""),
    ]
    .into_iter()
    .collect();
    let mut bytes = BytesMut::new();
    bytes.extend_from_slice(&[0x81, 0x23, 0, 0, 0, 0, 0, 3, 0, 0, 6, 1]);
    bytes.extend_from_slice(list.as_bytes());
    let mut group = criterion.benchmark_group("full frame");
    group.throughput(Throughput::Elements(1));
    group.bench_function("NEW with five elements parsed", |bencher| {
        bencher.iter(|| match Frame::parse(black_box(&bytes)) {
            Ok(Frame::Full(full)) => full.elements().map_or(0, |elements| elements.iter().count()),
            _ => 0,
        });
    });
    group.finish();
}

criterion_group!(benches, trunk, full);
criterion_main!(benches);
