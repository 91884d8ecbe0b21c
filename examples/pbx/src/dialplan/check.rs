//! One step of the dialplan under examination: what its application finds wrong with its arguments.

use super::{
    Dialplan,
    plan::{Extension, Step},
};
use crate::asterisk::file::Problem;

/// Given to applications when a file is read.
#[derive(Debug)]
pub(crate) struct Check<'a> {
    pub(crate) plan: &'a Dialplan,
    pub(crate) context: &'a str,
    pub(crate) extension: &'a Extension,
    pub(crate) step: &'a Step,
    pub(crate) problems: &'a mut Vec<Problem>,
}

impl Check<'_> {
    /// Something that makes the dialplan unusable.
    pub(crate) fn error(&mut self, message: impl std::fmt::Display) {
        let message = format!("{}: {message}", self.step.application);
        self.problems.push(Problem::error(&self.step.place, message));
    }

    /// Something that is not done, or will not work.
    pub(crate) fn warning(&mut self, message: impl std::fmt::Display) {
        let message = format!("{}: {message}", self.step.application);
        self.problems.push(Problem::warning(&self.step.place, message));
    }

    /// Something about the step itself.
    pub(crate) fn say(&mut self, error: bool, message: String) {
        let place = &self.step.place;
        self.problems.push(if error { Problem::error(place, message) } else { Problem::warning(place, message) });
    }

    /// Warns of a place `[[context,]extension,]priority` that is not there, as far as it can be known.
    pub(crate) fn place(&mut self, place: &str) {
        if is_variable(place) {
            return;
        }
        let parts = super::split(place);
        let parts: Vec<&str> = parts.iter().map(|part| part.trim()).collect();
        let (context, extension, priority) = match parts.as_slice() {
            [context, extension, priority] => (*context, Some(*extension), *priority),
            [extension, priority] => (self.context, Some(*extension), *priority),
            [priority] if !priority.is_empty() => (self.context, None, *priority),
            _ => {
                self.error(format!("expected [[context,]extension,]priority, found `{place}`"));
                return;
            }
        };
        if !self.plan.has_context(context) {
            self.warning(format!("there is no context `{context}`"));
            return;
        }
        match extension {
            Some(extension) if priority == "1" || self.is_elsewhere(context, extension) => {
                // The caller is not known, so extensions for certain callers count, too.
                if !self.plan.is_reachable(context, extension) {
                    self.warning(format!("there is no extension `{extension}` in context `{context}`"));
                }
            }
            _ => {
                let known = priority.parse::<u32>().is_ok()
                    || self.extension.steps.iter().any(|step| step.label.as_deref() == Some(priority));
                // A label may also stand in a less specific pattern.
                if !known && !self.plan.has_label(priority) {
                    self.warning(format!(
                        "there is no label `{priority}` in extension `{}`",
                        self.extension.pattern.as_str()
                    ));
                }
            }
        }
    }

    fn is_elsewhere(&self, context: &str, extension: &str) -> bool {
        context != self.context || extension != self.extension.pattern.as_str()
    }
}

/// Whether a text becomes something else when the dialplan runs.
pub(crate) fn is_variable(text: &str) -> bool {
    text.contains("${") || text.contains("$[")
}
