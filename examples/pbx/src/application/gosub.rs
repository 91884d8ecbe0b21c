//! `Gosub([[context,]extension,]priority[(arguments)])` and `GosubIf(condition?place:place)`.

use super::{Application, Flow, goto::resolve};
use crate::dialplan::{Check, End, Position, Run, call, cut, is_true, split};

pub(super) const GOSUB: Application = Application { name: "Gosub", check, run };
pub(super) const GOSUB_IF: Application = Application { name: "GosubIf", check: check_if, run: run_if };

fn check(check: &mut Check<'_>, arguments: &str) {
    match place(arguments) {
        Some((place, _)) => check.place(place),
        None => check.error("expected `)` after the arguments of the subroutine"),
    }
}

fn check_if(checked: &mut Check<'_>, arguments: &str) {
    let (_, Some(places)) = cut(arguments, '?') else {
        checked.error(format!("expected condition?place:place, found `{arguments}`"));
        return;
    };
    let (yes, no) = cut(places, ':');
    for place in [Some(yes), no].into_iter().flatten().map(str::trim).filter(|place| !place.is_empty()) {
        check(checked, place);
    }
}

fn run(run: &mut Run<'_>, arguments: &str) -> Flow {
    enter(run, arguments)
}

fn run_if(run: &mut Run<'_>, arguments: &str) -> Flow {
    let (condition, places) = arguments.split_once('?').unwrap_or((arguments, ""));
    let (yes, no) = cut(places, ':');
    let place = if is_true(condition) { yes } else { no.unwrap_or_default() };
    if place.trim().is_empty() { Flow::Next } else { enter(run, place) }
}

/// The place, and what is in the parentheses behind it; a variable before them is part of the place.
fn place(text: &str) -> Option<(&str, &str)> {
    let (before, _) = cut(text, '(');
    if before.len() == text.len() && !text.ends_with(')') {
        return Some((text, ""));
    }
    call(text)
}

fn enter(run: &mut Run<'_>, arguments: &str) -> Flow {
    let found = place(arguments).and_then(|(place, arguments)| Some((resolve(run, place)?, arguments)));
    let found = found.filter(|((context, extension, priority), _)| run.exists(context, extension, *priority));
    let Some(((context, extension, priority), arguments)) = found else {
        tracing::warn!(channel = run.thread.facts().name, arguments, "there is no such subroutine");
        return Flow::End(End::NoExtension);
    };
    let arguments = if arguments.is_empty() { Vec::new() } else { split(arguments) };
    let thread = &run.thread;
    let back = Position {
        context: thread.context().to_owned(),
        extension: thread.extension().to_owned(),
        priority: thread.priority().saturating_add(1),
    };
    if !run.thread.enter(back, &arguments) {
        tracing::warn!(channel = run.thread.facts().name, "subroutines stand too deep in each other");
        return Flow::End(End::Runaway);
    }
    run.jump(&context, &extension, priority);
    Flow::Jumped
}
