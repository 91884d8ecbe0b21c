//! `Progress()` and `Proceeding()`: early media begins, or nothing is known yet.

use super::{Application, Flow, anything};
use crate::dialplan::{Action, Pending, Run};

pub(super) const PROGRESS: Application = Application { name: "Progress", check: anything, run };
pub(super) const PROCEEDING: Application = Application { name: "Proceeding", check: anything, run: nothing };

fn run(run: &mut Run<'_>, _: &str) -> Flow {
    if run.thread.facts().answered { Flow::Next } else { Flow::Act(Action::Progress, Pending::Next) }
}

/// The switch says so by itself as soon as a call comes in.
fn nothing(_: &mut Run<'_>, _: &str) -> Flow {
    Flow::Next
}
