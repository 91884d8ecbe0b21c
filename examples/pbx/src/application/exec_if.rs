//! `ExecIf(condition?application(arguments)[:application(arguments)])`.

use super::{Application, Flow, check_unknown, find, is_open};
use crate::dialplan::{Check, End, Run, call, cut, is_true};

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
    let choice = if is_true(condition) { yes } else { no.unwrap_or_default() }.trim();
    if choice.is_empty() {
        return Flow::Next;
    }
    match call(choice) {
        // Itself would be a recursion as deep as the arguments are long.
        Some((name, arguments)) if !name.eq_ignore_ascii_case(EXEC_IF.name) => run.execute(name, arguments.to_owned()),
        _ => Flow::End(End::Error),
    }
}
