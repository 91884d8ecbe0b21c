//! Prints what server transactions cost: `cargo run --release -p peers-transactions`.
//!
//! With the number of a work and a count behind it, it does only that and prints nothing, for tools that count
//! instructions: see `instructions` beside this package.
#![expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]

use std::time::{Duration, Instant};

use peers_transactions::allocations;
use peers_transactions::load::{Load, Work};

/// How many transactions run at the same time.
const SIZES: [usize; 2] = [1_000, LARGEST];
const LARGEST: usize = 100_000;
/// How many are measured of each.
const TRANSACTIONS: usize = 1_000_000;

fn main() {
    let arguments =
        std::env::args().skip(1).map(|argument| argument.parse().expect("a number")).collect::<Vec<usize>>();
    if let [work, rounds] = arguments[..] {
        let work = Work::ALL[work];
        let messages: Vec<_> = (0..1_000).map(|number| work.messages(number)).collect();
        let mut load = Load::new();
        (0..rounds).for_each(|_| load.round(work, &messages));
        return;
    }
    println!("| transaction | at a time | fastest | median | a second | allocations |");
    println!("|---|---|---|---|---|---|");
    for work in Work::ALL {
        for size in SIZES {
            let messages: Vec<_> = (0..size as u64).map(|number| work.messages(number)).collect();
            let mut load = Load::new();
            load.round(work, &messages);
            let before = allocations::count();
            load.round(work, &messages);
            let allocated = (allocations::count() - before) as f64 / size as f64;
            // The clock of a thread may tick in milliseconds: long stretches.
            let repeated = (LARGEST / size).max(1);
            let mut rounds: Vec<Duration> = (0..TRANSACTIONS / LARGEST)
                .map(|_| {
                    let start = on_processor();
                    (0..repeated).for_each(|_| load.round(work, &messages));
                    on_processor() - start
                })
                .collect();
            rounds.sort();
            let each = |round: Duration| round.as_nanos() / LARGEST as u128;
            let median = each(rounds[rounds.len() / 2]);
            println!(
                "| {} | {size} | {} ns | {median} ns | {} | {allocated:.1} |",
                work.name(),
                each(rounds[0]),
                1_000_000_000 / median.max(1),
            );
        }
    }
    println!();
    println!("| held | bytes | of them messages |");
    println!("|---|---|---|");
    for (name, answers) in [("INVITE", 0), ("INVITE, 180", 1), ("INVITE, 180, 486", 2)] {
        let held = peers_transactions::held(Work::Rejected, answers, LARGEST);
        println!("| {name} | {} | {} |", held.each, held.stored);
    }
}

/// This thread's time on the processor, or else the time.
fn on_processor() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    match text.split(' ').next().and_then(|number| number.parse().ok()) {
        Some(nanoseconds) => Duration::from_nanos(nanoseconds),
        None => {
            static START: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
            START.get_or_init(Instant::now).elapsed()
        }
    }
}
