//! The dialplan as it was read.

use std::collections::BTreeMap;

use crate::asterisk::file::{File, Problem};

/// Contexts with their extensions.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Dialplan {
    globals: BTreeMap<String, String>,
}

/// An extension that a number leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Match<'a> {
    /// The context that has it: the one asked, or one that it includes.
    pub context: &'a str,
    /// The extension as it is written, `_1XXX`.
    pub extension: &'a str,
}

impl Dialplan {
    /// Reads `extensions.conf`. What is wrong goes to `problems`.
    #[must_use]
    pub fn parse(file: &File, problems: &mut Vec<Problem>) -> Self {
        let _ = (file, problems);
        Self::default()
    }

    /// The values of `[globals]`.
    #[must_use]
    pub fn globals(&self) -> &BTreeMap<String, String> {
        &self.globals
    }

    /// Whether there is such a context.
    #[must_use]
    pub fn has_context(&self, context: &str) -> bool {
        let _ = context;
        false
    }

    /// The extension that a caller reaches with a number: its first priority.
    #[must_use]
    pub fn find(&self, context: &str, number: &str, caller: &str) -> Option<Match<'_>> {
        let _ = (context, number, caller);
        None
    }

    /// The lines of `dialplan show`, of one context or all.
    #[must_use]
    pub fn lines(&self, context: Option<&str>) -> Vec<String> {
        let _ = context;
        Vec::new()
    }
}
