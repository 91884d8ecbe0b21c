//! `Answer([delay])`: the delay in milliseconds follows the answer.

use std::time::Duration;

use super::{Application, Flow, is_open};
use crate::dialplan::{Action, Check, Pending, Run, split};

pub(super) const ANSWER: Application = Application { name: "Answer", check, run };

fn check(check: &mut Check<'_>, arguments: &str) {
    let delay = split(arguments).into_iter().next().unwrap_or_default();
    if !delay.is_empty() && !is_open(&delay) && delay.trim().parse::<u32>().is_err() {
        check.error(format!("expected milliseconds, found `{delay}`"));
    }
}

fn run(run: &mut Run<'_>, arguments: &str) -> Flow {
    if run.thread.facts().answered {
        return Flow::Next;
    }
    let delay = split(arguments).first().and_then(|delay| delay.trim().parse::<u32>().ok()).unwrap_or(0);
    let delay = Duration::from_millis(u64::from(delay.min(60_000)));
    let then = (!delay.is_zero()).then(|| Box::new((Action::Wait(delay), Pending::Next)));
    Flow::Act(Action::Answer, Pending::Answer(then))
}
