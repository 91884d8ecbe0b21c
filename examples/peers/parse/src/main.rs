use bytes::Bytes;
use peers_parse::{allocations, MESSAGES};
use sip_core::{Limits, Message};
use std::hint::black_box;
use std::time::Instant;
fn main() {
    if let Some(n) = std::env::args().nth(1) {
        let n: u64 = n.parse().unwrap();
        let bytes = Bytes::from_static(MESSAGES[0].1);
        let limits = Limits::default();
        for _ in 0..n { let parsed = Message::parse(black_box(bytes.clone()), &limits); black_box(&parsed); }
        return;
    }
    for (name, text) in MESSAGES {
        let bytes = Bytes::from_static(text);
        let limits = Limits::default();
        let mut best = f64::MAX;
        for _ in 0..200 {
            let start = Instant::now();
            for _ in 0..1000 {
                let parsed = Message::parse(black_box(bytes.clone()), &limits); black_box(&parsed);
            }
            best = best.min(start.elapsed().as_nanos() as f64 / 1000.0);
        }
        let n = allocations::count(|| { black_box(Message::parse(bytes.clone(), &limits).unwrap()); });
        println!("{name} {best:.0} ns {n} allocations {}", std::mem::size_of::<Message>());
    }
}
