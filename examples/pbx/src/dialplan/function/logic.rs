//! `IF`, `ISNULL`, `EXISTS`, `DIALPLAN_EXISTS`.

use crate::dialplan::{
    arguments::{is_true, split},
    run::Run,
};

/// `IF(condition?yes:no)`.
pub(super) fn if_(_: &mut Run<'_>, arguments: &str) -> Option<String> {
    let (condition, values) = arguments.split_once('?')?;
    let (yes, no) = choice(values);
    let value = if is_true(condition) { yes } else { no };
    Some(value.trim().trim_matches('"').to_owned())
}

/// `yes:no`; a colon in quotes does not count.
pub(super) fn choice(values: &str) -> (&str, &str) {
    let mut quoted = false;
    for (at, character) in values.char_indices() {
        match character {
            '"' => quoted = !quoted,
            ':' if !quoted => {
                return (values.get(..at).unwrap_or_default(), values.get(at + 1..).unwrap_or_default());
            }
            _ => {}
        }
    }
    (values, "")
}

pub(super) fn is_null(_: &mut Run<'_>, arguments: &str) -> Option<String> {
    Some(u8::from(arguments.is_empty()).to_string())
}

pub(super) fn exists(_: &mut Run<'_>, arguments: &str) -> Option<String> {
    Some(u8::from(!arguments.is_empty()).to_string())
}

/// `DIALPLAN_EXISTS(context,extension,priority)`.
pub(super) fn dialplan_exists(run: &mut Run<'_>, arguments: &str) -> Option<String> {
    let parts = split(arguments);
    let exists = match parts.as_slice() {
        [context] => run.thread.plan.has_context(context),
        [context, extension] => run.exists(context, extension, 1),
        [context, extension, label, ..] => {
            run.priority(context, extension, label).is_some_and(|priority| run.exists(context, extension, priority))
        }
        [] => false,
    };
    Some(u8::from(exists).to_string())
}
