//! `While(condition)` … `EndWhile()`, with `ExitWhile()` and `ContinueWhile()`.

use super::{Application, Flow, anything};
use crate::dialplan::{Check, End, Run, Scope as _, is_true};

pub(super) const WHILE: Application = Application { name: "While", check, run };
pub(super) const END_WHILE: Application = Application { name: "EndWhile", check: anything, run: again };
pub(super) const EXIT_WHILE: Application = Application { name: "ExitWhile", check: anything, run: leave };
pub(super) const CONTINUE_WHILE: Application = Application { name: "ContinueWhile", check: anything, run: again };

fn check(check: &mut Check<'_>, _: &str) {
    let mut depth = 0_usize;
    for step in check.extension.steps.iter().filter(|step| step.priority >= check.step.priority) {
        if step.application.eq_ignore_ascii_case(WHILE.name) {
            depth += 1;
        } else if step.application.eq_ignore_ascii_case(END_WHILE.name) {
            depth = depth.saturating_sub(1);
        }
        if depth == 0 {
            return;
        }
    }
    check.error("expected EndWhile further down in the extension");
}

fn run(run: &mut Run<'_>, condition: &str) -> Flow {
    if is_true(condition) { Flow::Next } else { leave_after(run, 0) }
}

fn leave(run: &mut Run<'_>, _: &str) -> Flow {
    leave_after(run, 1)
}

/// To the step after the EndWhile of this loop; `open` loops were entered before this step.
fn leave_after(run: &mut Run<'_>, open: usize) -> Flow {
    seek(run, open, true)
}

fn again(run: &mut Run<'_>, _: &str) -> Flow {
    seek(run, 1, false)
}

/// The end of the loop that this step is in, or its beginning.
fn seek(run: &mut Run<'_>, mut open: usize, forward: bool) -> Flow {
    let thread = &run.thread;
    let (context, extension) = (thread.context().to_owned(), thread.extension().to_owned());
    let mut priority = thread.priority();
    if !forward {
        priority = priority.saturating_sub(1);
    } else if open > 0 {
        priority = priority.saturating_add(1);
    }
    let (opens, closes) = if forward { (WHILE.name, END_WHILE.name) } else { (END_WHILE.name, WHILE.name) };
    while priority > 0
        && let Some(name) = run.application(&context, &extension, priority)
    {
        if !run.spend(10) {
            return Flow::End(End::Runaway);
        }
        if name.eq_ignore_ascii_case(opens) {
            open += 1;
        } else if name.eq_ignore_ascii_case(closes) {
            open = open.saturating_sub(1);
        }
        if open == 0 {
            run.jump(&context, &extension, if forward { priority.saturating_add(1) } else { priority });
            return Flow::Jumped;
        }
        priority = if forward { priority.saturating_add(1) } else { priority - 1 };
    }
    tracing::warn!(channel = run.thread.facts().name, "a loop has no beginning or no end");
    Flow::End(End::Error)
}
