//! `Wait(seconds)`.

use super::{Application, Flow, check_seconds, seconds};
use crate::dialplan::{Action, Check, Pending, Run};

pub(super) const WAIT: Application = Application { name: "Wait", check, run };

fn check(check: &mut Check<'_>, arguments: &str) {
    if arguments.trim().is_empty() {
        check.error("expected seconds");
    }
    check_seconds(check, arguments);
}

fn run(_: &mut Run<'_>, arguments: &str) -> Flow {
    match seconds(arguments) {
        Some(time) if !time.is_zero() => Flow::Act(Action::Wait(time), Pending::Next),
        _ => Flow::Next,
    }
}
