//! `ExecIf(condition?application(arguments)[:application(arguments)])`.

use super::{Application, Flow, check_unknown, find, is_open};
use crate::dialplan::{Check, End, Run, call, cut, is_true, substitute};

pub(super) const EXEC_IF: Application = Application { name: "ExecIf", check, run };

fn check(check: &mut Check<'_>, arguments: &str) {
    let (_, Some(choices)) = cut(arguments, '?') else {
        check.error(format!("expected condition?application(arguments), found `{arguments}`"));
        return;
    };
    let (yes, no) = cut(choices, ':');
    for choice in [Some(yes), no].into_iter().flatten().map(str::trim).filter(|choice| !choice.is_empty()) {
        match call(choice) {
            None => check.error(format!("expected `)` after `{choice}`")),
            Some((name, _)) if is_open(name) => {}
            Some((name, arguments)) => match find(name) {
                Some(application) if application.name() != EXEC_IF.name => application.check(check, arguments),
                Some(_) => check.error("expected an application other than ExecIf itself"),
                None => check_unknown(check, name),
            },
        }
    }
}

fn run(run: &mut Run<'_>, arguments: &str) -> Flow {
    let (condition, choices) = arguments.split_once('?').unwrap_or((arguments, ""));
    let (yes, no) = cut(choices, ':');
    choose(run, if is_true(condition) { yes } else { no.unwrap_or_default() })
}

/// Runs with arguments as they are written: what is replaced in them cannot become another application, or end one.
/// `None` when variables make more of them than that: then they are to be replaced first.
pub(super) fn run_written(run: &mut Run<'_>, written: &str) -> Option<Flow> {
    let (condition, choices) = cut(written, '?');
    let choices = choices?;
    let condition = substitute(condition, run);
    run.note_step(EXEC_IF.name, format!("{condition}?{choices}"));
    let (yes, no) = cut(choices, ':');
    let choice = if is_true(&condition) { yes } else { no.unwrap_or_default() }.trim();
    let (name, inside) = match call(choice) {
        Some((name, inside)) if !name.contains('$') => (name, inside),
        // The name, and perhaps more, is a variable's.
        _ => return Some(choose_replaced(run, choice)),
    };
    if name.is_empty() {
        return Some(Flow::Next);
    }
    let inside = substitute(inside, run);
    Some(execute(run, name, inside))
}

fn choose_replaced(run: &mut Run<'_>, choice: &str) -> Flow {
    let choice = substitute(choice, run);
    choose(run, &choice)
}

fn choose(run: &mut Run<'_>, choice: &str) -> Flow {
    let choice = choice.trim();
    if choice.is_empty() {
        return Flow::Next;
    }
    match call(choice) {
        Some((name, arguments)) => execute(run, name, arguments.to_owned()),
        None => Flow::End(End::Error),
    }
}

fn execute(run: &mut Run<'_>, name: &str, arguments: String) -> Flow {
    // Itself would be a recursion as deep as the arguments are long.
    if name.eq_ignore_ascii_case(EXEC_IF.name) { Flow::End(End::Error) } else { run.execute(name, arguments) }
}
