//! `Goto([[context,]extension,]priority)`, and `StackPop()`, which forgets where a subroutine returns to.

use super::{Application, Flow, anything};
use crate::dialplan::{Check, End, Run, split};

pub(super) const GOTO: Application = Application { name: "Goto", check, run };
pub(super) const STACK_POP: Application = Application { name: "StackPop", check: anything, run: pop };

fn check(check: &mut Check<'_>, arguments: &str) {
    check.place(arguments);
}

fn run(run: &mut Run<'_>, arguments: &str) -> Flow {
    go(run, arguments)
}

fn pop(run: &mut Run<'_>, _: &str) -> Flow {
    run.thread.leave();
    Flow::Next
}

/// Goes to `[[context,]extension,]priority`; without a context or extension it stays in its own.
pub(super) fn go(run: &mut Run<'_>, place: &str) -> Flow {
    match resolve(run, place) {
        Some((context, extension, priority)) => {
            run.jump(&context, &extension, priority);
            Flow::Jumped
        }
        None => {
            tracing::warn!(channel = run.thread.facts().name, place, "there is no such place in the dialplan");
            Flow::End(End::NoExtension)
        }
    }
}

/// What a place means.
pub(super) fn resolve(run: &Run<'_>, place: &str) -> Option<(String, String, u32)> {
    let parts = split(place);
    let parts: Vec<&str> = parts.iter().map(|part| part.trim()).collect();
    let thread = &run.thread;
    let (context, extension, label) = match parts.as_slice() {
        [context, extension, label] => (*context, *extension, *label),
        [extension, label] => (thread.context(), *extension, *label),
        [label] => (thread.context(), thread.extension(), *label),
        _ => return None,
    };
    let extension = if extension.is_empty() { thread.extension() } else { extension };
    let priority = match label.strip_prefix(['+', '-']) {
        // From here.
        Some(distance) => {
            let distance: u32 = distance.parse().ok()?;
            let here = thread.priority();
            if label.starts_with('+') { here.checked_add(distance)? } else { here.checked_sub(distance)? }
        }
        None => run.priority(context, extension, label)?,
    };
    (priority > 0).then(|| (context.to_owned(), extension.to_owned(), priority))
}
