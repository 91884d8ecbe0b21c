//! How many instructions reading and forwarding takes:
//! `cargo bench -p peers-parse --features instructions --bench instructions`, with valgrind and `gungraun-runner`.

use bytes::Bytes;
use gungraun::{library_benchmark, library_benchmark_group, main};
use peers_parse::{MESSAGES, WORKS, shared};

/// Once before it is counted, so that nothing is done for the first time.
fn prepare(work: usize, message: usize) -> (usize, Bytes) {
    let bytes = shared(MESSAGES[message].1);
    (WORKS[work].run)(&bytes);
    (work, bytes)
}

#[library_benchmark(setup = prepare)]
#[benches::invite((0, 0), (1, 0), (2, 0), (3, 0), (4, 0), (5, 0), (6, 0), (7, 0), (8, 0), (9, 0), (10, 0), (11, 0), (12, 0))]
#[benches::register((0, 1), (1, 1), (2, 1), (3, 1), (4, 1), (5, 1), (6, 1), (7, 1), (8, 1), (9, 1), (10, 1), (11, 1), (12, 1))]
#[benches::ok((0, 2), (1, 2), (2, 2), (3, 2), (4, 2), (5, 2), (6, 2), (7, 2), (8, 2), (9, 2), (10, 2), (11, 2), (12, 2))]
#[benches::large((0, 3), (1, 3), (2, 3), (3, 3), (4, 3), (5, 3), (6, 3), (7, 3), (8, 3), (9, 3), (10, 3), (11, 3), (12, 3))]
fn work((work, bytes): (usize, Bytes)) -> Bytes {
    (WORKS[work].run)(&bytes);
    bytes
}

library_benchmark_group!(name = works, benchmarks = work);
main!(library_benchmark_groups = works);
