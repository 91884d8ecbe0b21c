//! `GLOBAL`, `LOCAL`, `SET`, `EVAL`.

use crate::dialplan::{
    run::Run,
    substitute::{Scope, substitute},
};

pub(super) fn global(run: &mut Run<'_>, name: &str) -> Option<String> {
    run.world.global(name.trim()).map(str::to_owned)
}

pub(super) fn set_global(run: &mut Run<'_>, name: &str, value: &str) -> bool {
    run.world.set_global(name.trim(), value);
    true
}

pub(super) fn local(run: &mut Run<'_>, name: &str) -> Option<String> {
    run.thread.variables.local(name.trim()).map(str::to_owned)
}

pub(super) fn set_local(run: &mut Run<'_>, name: &str, value: &str) -> bool {
    run.thread.variables.set_local(name.trim(), value)
}

/// `SET(name=value)`: sets it and is the value.
pub(super) fn set(run: &mut Run<'_>, arguments: &str) -> Option<String> {
    let (name, value) = arguments.split_once('=')?;
    run.thread.variables.set(name.trim(), value);
    Some(value.to_owned())
}

/// `EVAL(text)`: what the text becomes when its variables are replaced once more.
pub(super) fn eval(run: &mut Run<'_>, text: &str) -> Option<String> {
    // A text that evaluates itself would go on for ever.
    run.spend(1_000).then(|| substitute(text, run))
}
