//! `Set(name=value)` and `MSet(name=value,…)`; a name may be a function.

use super::{Application, Flow, is_open};
use crate::dialplan::{Check, Run, call, is_writable, set_function, split};

pub(super) const SET: Application = Application { name: "Set", check, run };
pub(super) const MSET: Application = Application { name: "MSet", check: check_all, run: run_all };

fn check(check: &mut Check<'_>, arguments: &str) {
    let Some((name, _)) = assignment(arguments) else {
        check.error(format!("expected name=value, found `{arguments}`"));
        return;
    };
    if is_open(name) && !name.contains('(') {
        return;
    }
    match call(name) {
        Some((function, _)) if name.contains('(') && !is_open(function) && !is_writable(function) => {
            check.warning(format!("there is no function `{function}` that can be set"));
        }
        Some((function, "absolute")) if function.eq_ignore_ascii_case("TIMEOUT") => {
            check.warning("TIMEOUT(absolute) is not supported: the call is not limited");
        }
        None => check.error(format!("expected `)` in `{name}`")),
        Some(("", _)) => check.error("expected a name before `=`"),
        Some(_) => {}
    }
}

fn check_all(checked: &mut Check<'_>, arguments: &str) {
    for argument in split(arguments) {
        check(checked, &argument);
    }
}

fn run(run: &mut Run<'_>, arguments: &str) -> Flow {
    if let Some((name, value)) = assignment(arguments) {
        set(run, name, value);
    }
    Flow::Next
}

fn run_all(run: &mut Run<'_>, arguments: &str) -> Flow {
    for argument in split(arguments).iter().take(99) {
        if let Some((name, value)) = assignment(argument) {
            set(run, name, value);
        }
    }
    Flow::Next
}

/// The first `=` that stands in no parentheses.
fn assignment(text: &str) -> Option<(&str, &str)> {
    let mut depth = 0_usize;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'(' | b'{' => depth += 1,
            b')' | b'}' => depth = depth.saturating_sub(1),
            b'=' if depth == 0 => return Some((text.get(..at)?.trim(), text.get(at + 1..)?)),
            _ => {}
        }
    }
    None
}

fn set(run: &mut Run<'_>, name: &str, value: &str) {
    match call(name) {
        Some((function, arguments)) if name.contains('(') => set_function(run, function, arguments, value),
        _ => run.thread.set_variable(name, value),
    }
}
