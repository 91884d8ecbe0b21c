//! `Milliwatt([options])`: 1004 Hz at 0 dBm0.

use super::{Application, Flow};
use crate::dialplan::{Action, Check, Pending, Run};

pub(super) const MILLIWATT: Application = Application { name: "Milliwatt", check, run };

fn check(check: &mut Check<'_>, arguments: &str) {
    match arguments.trim() {
        "" | "m" => {}
        "o" => check.warning("option `o` is not supported: the tone is 1004 Hz at 0 dBm0"),
        other => check.error(format!("unknown option `{other}`: expected none or m")),
    }
}

fn run(_: &mut Run<'_>, _: &str) -> Flow {
    Flow::Act(Action::Milliwatt, Pending::Next)
}
