//! `NoOp(anything)`, and steps that mean nothing here: `SetAMAFlags`, `ResetCDR`.

use super::{Application, Flow, anything};
use crate::dialplan::{Check, Run};

pub(super) const NO_OP: Application = Application { name: "NoOp", check: anything, run };
pub(super) const SET_AMA_FLAGS: Application = Application { name: "SetAMAFlags", check: no_effect, run };
pub(super) const RESET_CDR: Application = Application { name: "ResetCDR", check: no_effect, run };

fn no_effect(check: &mut Check<'_>, _: &str) {
    check.warning("has no effect here");
}

fn run(run: &mut Run<'_>, arguments: &str) -> Flow {
    tracing::debug!(channel = run.thread.facts().name, "{arguments}");
    Flow::Next
}
