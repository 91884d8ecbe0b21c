//! `Verbose([level,]message)` and `Log(level,message)`: into the log.

use super::{Application, Flow, anything};
use crate::dialplan::Run;

pub(super) const VERBOSE: Application = Application { name: "Verbose", check: anything, run };
pub(super) const LOG: Application = Application { name: "Log", check: anything, run: log };

fn run(run: &mut Run<'_>, arguments: &str) -> Flow {
    let message = match arguments.split_once(',') {
        Some((level, message)) if level.trim().parse::<u32>().is_ok() => message,
        _ => arguments,
    };
    tracing::debug!(channel = run.thread.facts().name, "{}", message.trim());
    Flow::Next
}

fn log(run: &mut Run<'_>, arguments: &str) -> Flow {
    let (level, message) = arguments.split_once(',').unwrap_or(("", arguments));
    let channel = &run.thread.facts().name;
    match level.trim().to_ascii_uppercase().as_str() {
        "ERROR" | "WARNING" => tracing::warn!(channel, "{}", message.trim()),
        _ => tracing::debug!(channel, "{}", message.trim()),
    }
    Flow::Next
}
