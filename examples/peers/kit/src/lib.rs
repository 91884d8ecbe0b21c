//! What benchmarks beside other programs share: a generator of load, programs as processes, and what they cost a message.
#![expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]

pub mod generator;
pub mod process;
mod row;

pub use generator::{Kind, Load, Measured, measure};
pub use process::{Memory, Processor, Program, folder};
pub use row::{RUNS, Row, WINDOW, median, run};
