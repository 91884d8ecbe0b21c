//! `WaitExten([seconds[,options]])`: waits for an extension to be pressed.

use super::{Application, Flow, check_seconds, seconds};
use crate::dialplan::{Action, Check, Pending, Run, split};

pub(super) const WAIT_EXTEN: Application = Application { name: "WaitExten", check, run };

fn check(check: &mut Check<'_>, arguments: &str) {
    let arguments = split(arguments);
    check_seconds(check, arguments.first().map(String::as_str).unwrap_or_default());
    let options = arguments.get(1).map(String::as_str).unwrap_or_default();
    if !options.is_empty() && !super::is_open(options) {
        check.warning(format!("option `{options}` is not supported: nothing is played meanwhile"));
    }
}

fn run(run: &mut Run<'_>, arguments: &str) -> Flow {
    let time = split(arguments).first().and_then(|time| seconds(time)).filter(|time| !time.is_zero());
    let time = time.unwrap_or(run.thread.response_time());
    Flow::Act(Action::WaitExten(time), Pending::FirstDigit)
}
