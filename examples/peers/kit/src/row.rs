//! One line of a table: the medians of several runs.

use crate::generator::{Load, Measured, measure};
use crate::process::Program;

/// How many runs a line is the median of.
pub const RUNS: usize = 5;

/// How many transactions are kept open at saturation.
pub const WINDOW: usize = 64;

/// What a run showed.
pub struct Row {
    /// Messages a second, requests and answers alike.
    pub rate: f64,
    /// Microseconds of the program a message.
    pub user: f64,
    /// Microseconds of the system a message.
    pub system: f64,
    /// Microseconds that 99 of 100 transactions are within.
    pub p99: f64,
    /// The part of the transactions that was lost.
    pub lost: f64,
}

/// Loads a program, and tells what each transaction of so many messages cost it.
pub fn run(program: &Program, load: &Load, messages: u64) -> Row {
    let before = program.processor();
    let Measured { answered, lost, p99, took } = measure(load);
    let (user, system) = program.processor().since(&before);
    let messages = (answered * messages) as f64;
    Row {
        rate: messages / took.as_secs_f64(),
        user: user.as_secs_f64() * 1e6 / messages,
        system: system.as_secs_f64() * 1e6 / messages,
        p99: p99.as_secs_f64() * 1e6,
        lost: lost as f64 / (answered + lost).max(1) as f64,
    }
}

/// The median of each figure.
pub fn median(runs: &mut [Row]) -> Row {
    let mut middle = |value: fn(&Row) -> f64| {
        runs.sort_by(|a, b| value(a).total_cmp(&value(b)));
        value(&runs[runs.len() / 2])
    };
    Row {
        rate: middle(|it| it.rate),
        user: middle(|it| it.user),
        system: middle(|it| it.system),
        p99: middle(|it| it.p99),
        lost: middle(|it| it.lost),
    }
}
