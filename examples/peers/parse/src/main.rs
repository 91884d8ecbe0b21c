//! Prints how long reading and forwarding takes, and how many allocations: `cargo run --release -p peers-parse`.
//!
//! With the numbers of a work and a message it measures that alone; with a count behind them it does the work so often and prints nothing, for tools that
//! count instructions: see `instructions` beside this package.
#![expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]

use std::time::{Duration, Instant};

use bytes::Bytes;
use peers_parse::{MESSAGES, WORKS, Work, allocations, shared};

const BATCH: u32 = 500;
const BATCHES: usize = 400;

fn main() {
    let arguments =
        std::env::args().skip(1).map(|argument| argument.parse().expect("a number")).collect::<Vec<usize>>();
    if let [work, message, count] = arguments[..] {
        let bytes = shared(MESSAGES[message].1);
        (0..count).for_each(|_| (WORKS[work].run)(&bytes));
        return;
    }
    if let [work, message] = arguments[..] {
        println!("{:?}", measure(&WORKS[work], &shared(MESSAGES[message].1)));
        return;
    }
    println!("| message | who | work | fastest | median | allocations |");
    println!("|---|---|---|---|---|---|");
    for (message, text) in MESSAGES {
        let bytes = shared(text);
        for work in WORKS {
            let (fastest, median) = measure(&work, &bytes);
            let allocations = allocations::count(|| (work.run)(&bytes));
            println!("| {message} | {} | {} | {fastest} ns | {median} ns | {allocations} |", work.peer, work.name);
        }
    }
}

/// Nanoseconds in the fastest and in the median batch.
fn measure(work: &Work, bytes: &Bytes) -> (u128, u128) {
    let mut batches = (0..BATCHES)
        .map(|_| {
            let start = Instant::now();
            (0..BATCH).for_each(|_| (work.run)(bytes));
            start.elapsed()
        })
        .collect::<Vec<Duration>>();
    batches.sort();
    let each = |duration: Duration| duration.as_nanos() / u128::from(BATCH);
    (each(batches[0]), each(batches[BATCHES / 2]))
}
