//! How long reading and forwarding takes: `cargo bench -p peers-parse --bench time`.

use bytes::Bytes;
use criterion::{Criterion, criterion_group, criterion_main};
use peers_parse::{MESSAGES, WORKS, shared};

fn works(criterion: &mut Criterion) {
    for (message, text) in MESSAGES {
        let mut group = criterion.benchmark_group(message);
        let bytes: Bytes = shared(text);
        for work in WORKS {
            group.bench_function(format!("{} {}", work.peer, work.name), |bencher| bencher.iter(|| (work.run)(&bytes)));
        }
        group.finish();
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(50).warm_up_time(std::time::Duration::from_millis(200)).measurement_time(std::time::Duration::from_millis(800));
    targets = works
}
criterion_main!(benches);
