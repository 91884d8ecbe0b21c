//! The dialplan as it was read: contexts, extensions, steps.

use std::{collections::BTreeMap, sync::Arc};

use jiff::Zoned;

use super::{Pattern, Times, pattern::More, read};
use crate::asterisk::file::{File, Place, Problem};

/// Contexts with their extensions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dialplan {
    /// By name.
    pub(super) contexts: BTreeMap<Arc<str>, Context>,
    /// Their names in the order of the file.
    pub(super) order: Vec<Arc<str>>,
    pub(super) globals: BTreeMap<String, String>,
    /// At the end of an extension the call ends; otherwise digits are waited for.
    pub(super) auto_fallthrough: bool,
    /// Some contexts are included at times only.
    pub(super) timed: bool,
}

impl Default for Dialplan {
    fn default() -> Self {
        Self {
            contexts: BTreeMap::new(),
            order: Vec::new(),
            globals: BTreeMap::new(),
            auto_fallthrough: true,
            timed: false,
        }
    }
}

/// A set of extensions: what a caller who is in it can reach, with what it includes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Context {
    pub(crate) name: Arc<str>,
    pub(crate) place: Place,
    /// In the order in which they are asked; those that are no patterns are first.
    pub(crate) extensions: Vec<Extension>,
    pub(crate) includes: Vec<Include>,
    /// `switch` lines, which are shown and not followed.
    pub(crate) switches: Vec<String>,
    pub(crate) ignored: Vec<String>,
}

impl Context {
    /// The extensions that are a number, which has no dashes, and all patterns.
    fn candidates(&self, number: &str) -> impl Iterator<Item = &Extension> {
        let literal = |extension: &Extension| extension.pattern.literal().map(|literal| literal.cmp(number));
        let from = self.extensions.partition_point(|extension| literal(extension).is_some_and(|order| order.is_lt()));
        let patterns = self.extensions.partition_point(|extension| literal(extension).is_some());
        let same = self.extensions.get(from..patterns).unwrap_or_default();
        let same = same.iter().take_while(move |extension| literal(extension).is_some_and(|order| order.is_eq()));
        same.chain(self.extensions.get(patterns..).unwrap_or_default())
    }
}

/// `include => context`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Include {
    pub(crate) context: String,
    /// As it is written, with the times.
    pub(crate) text: String,
    pub(crate) times: Option<Times>,
    pub(crate) place: Place,
}

impl Include {
    /// Whether it counts at a time; without a time it may.
    fn holds(&self, now: Option<&Zoned>) -> bool {
        self.times.as_ref().zip(now).is_none_or(|(times, now)| times.contains(now))
    }
}

/// What is done for a number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Extension {
    pub(crate) pattern: Pattern,
    /// Only for callers like this.
    pub(crate) caller: Option<Pattern>,
    /// By priority.
    pub(crate) steps: Vec<Step>,
    pub(crate) hint: Option<(String, Place)>,
}

/// One line of an extension.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) priority: u32,
    pub(crate) label: Option<String>,
    /// The application as it is written.
    pub(crate) application: String,
    /// What is in its parentheses.
    pub(crate) arguments: String,
    pub(crate) place: Place,
}

impl Extension {
    pub(crate) fn step(&self, priority: u32) -> Option<&Step> {
        let found = self.steps.binary_search_by_key(&priority, |step| step.priority).ok()?;
        self.steps.get(found)
    }

    fn is_for(&self, number: &str, caller: &str) -> bool {
        self.pattern.matches(number) && self.takes(caller)
    }

    fn takes(&self, caller: &str) -> bool {
        match &self.caller {
            None => true,
            // Without a number only what is written for that matches.
            Some(pattern) if caller.is_empty() => pattern.as_str().is_empty(),
            Some(pattern) => pattern.matches(caller),
        }
    }

    /// What is asked first: the extension, and of the same one that for a certain caller.
    pub(crate) fn order(&self, other: &Self) -> std::cmp::Ordering {
        self.pattern.order(&other.pattern).then_with(|| match (&self.caller, &other.caller) {
            (Some(a), Some(b)) => a.order(b),
            (a, b) => b.is_some().cmp(&a.is_some()),
        })
    }
}

/// An extension that a number leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Match<'a> {
    /// The context that has it: the one asked, or one that it includes.
    pub context: &'a str,
    /// The extension as it is written, `_1XXX`.
    pub extension: &'a str,
}

/// A step that a position leads to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Found<'a> {
    pub(crate) context: &'a Context,
    pub(crate) extension: &'a Extension,
    pub(crate) step: &'a Step,
}

impl Dialplan {
    /// Reads `extensions.conf`. What is wrong goes to `problems`.
    #[must_use]
    pub fn parse(file: &File, problems: &mut Vec<Problem>) -> Self {
        read::dialplan(file, problems)
    }

    /// The values of `[globals]`.
    #[must_use]
    pub fn globals(&self) -> &BTreeMap<String, String> {
        &self.globals
    }

    /// Whether there is such a context.
    #[must_use]
    pub fn has_context(&self, context: &str) -> bool {
        self.contexts.contains_key(context)
    }

    /// All steps: application, arguments and where they are written.
    pub(crate) fn steps(&self) -> impl Iterator<Item = (&str, &str, &Place)> {
        let extensions = self.contexts.values().flat_map(|context| &context.extensions);
        extensions
            .flat_map(|extension| &extension.steps)
            .map(|step| (step.application.as_str(), step.arguments.as_str(), &step.place))
    }

    /// The names of the contexts, in the order of the file.
    pub fn contexts(&self) -> impl Iterator<Item = &str> {
        self.order.iter().map(AsRef::as_ref)
    }

    /// The extension that a caller reaches with a number: that of its first priority. What is included at times only
    /// counts whatever the time is; a [`super::Thread`] sees it at its times only.
    #[must_use]
    pub fn find(&self, context: &str, number: &str, caller: &str) -> Option<Match<'_>> {
        let found = self.step(context, number, 1, caller, None)?;
        Some(Match { context: &found.context.name, extension: found.extension.pattern.as_str() })
    }

    /// All extensions that a number leads to, in the order in which they are asked.
    #[must_use]
    pub fn all(&self, context: &str, number: &str, caller: &str) -> Vec<Match<'_>> {
        let mut all = Vec::new();
        let none: Option<()> = self.search(context, number, caller, None, &mut |context, extension| {
            all.push(Match { context: &context.name, extension: extension.pattern.as_str() });
            None
        });
        debug_assert!(none.is_none());
        all
    }

    /// The step at a position. A less specific extension is asked when the more specific one has no such priority.
    pub(crate) fn step(
        &self,
        context: &str,
        number: &str,
        priority: u32,
        caller: &str,
        now: Option<&Zoned>,
    ) -> Option<Found<'_>> {
        self.search(context, number, caller, now, &mut |context, extension| {
            extension.step(priority).map(|step| Found { context, extension, step })
        })
    }

    /// The priority that a label or a number means in an extension.
    pub(crate) fn priority(
        &self,
        context: &str,
        number: &str,
        label: &str,
        caller: &str,
        now: Option<&Zoned>,
    ) -> Option<u32> {
        if let Ok(priority) = label.parse() {
            return (priority > 0).then_some(priority);
        }
        self.search(context, number, caller, now, &mut |_, extension| {
            let found = extension.steps.iter().find(|step| step.label.as_deref() == Some(label));
            found.map(|step| step.priority)
        })
    }

    /// Whether a number leads somewhere, for some caller.
    pub(crate) fn is_reachable(&self, context: &str, number: &str) -> bool {
        let mut asked = Vec::new();
        let mut open = vec![context];
        while let Some(name) = open.pop() {
            let Some(context) = self.enter(name, &mut asked) else { continue };
            let is_there = if number.starts_with('_') {
                context.extensions.iter().any(|extension| extension.pattern.as_str() == number)
            } else {
                context.candidates(&number.replace('-', "")).any(|extension| extension.pattern.matches(number))
            };
            if is_there {
                return true;
            }
            open.extend(context.includes.iter().map(|include| include.context.as_str()));
        }
        false
    }

    /// Whether any step has this label.
    pub(crate) fn has_label(&self, label: &str) -> bool {
        let mut extensions = self.contexts.values().flat_map(|context| &context.extensions);
        extensions.any(|extension| extension.steps.iter().any(|step| step.label.as_deref() == Some(label)))
    }

    /// Whether a number that begins with these digits and has more could lead somewhere.
    pub(crate) fn more(&self, context: &str, digits: &str, caller: &str, now: Option<&Zoned>) -> bool {
        let mut asked = Vec::new();
        self.more_in(context, digits, caller, now, &mut asked).unwrap_or(false)
    }

    fn more_in<'a>(
        &'a self,
        context: &str,
        digits: &str,
        caller: &str,
        now: Option<&Zoned>,
        asked: &mut Vec<&'a str>,
    ) -> Option<bool> {
        let context = self.enter(context, asked)?;
        for extension in context.extensions.iter().filter(|extension| extension.takes(caller)) {
            match extension.pattern.more(digits) {
                More::No => {}
                More::Never => return Some(false),
                More::Yes if extension.step(1).is_some() => return Some(true),
                More::Yes => {}
            }
        }
        let mut includes = context.includes.iter().filter(|include| include.holds(now));
        includes.find_map(|include| self.more_in(&include.context, digits, caller, now, asked))
    }

    fn search<'a, T>(
        &'a self,
        context: &str,
        number: &str,
        caller: &str,
        now: Option<&Zoned>,
        pick: &mut dyn FnMut(&'a Context, &'a Extension) -> Option<T>,
    ) -> Option<T> {
        let dashless = number.replace('-', "");
        self.search_in(context, &dashless, caller, now, &mut Vec::new(), pick)
    }

    fn search_in<'a, T>(
        &'a self,
        context: &str,
        number: &str,
        caller: &str,
        now: Option<&Zoned>,
        asked: &mut Vec<&'a str>,
        pick: &mut dyn FnMut(&'a Context, &'a Extension) -> Option<T>,
    ) -> Option<T> {
        let context = self.enter(context, asked)?;
        let mut candidates = context.candidates(number).filter(|extension| extension.is_for(number, caller));
        if let Some(found) = candidates.find_map(|extension| pick(context, extension)) {
            return Some(found);
        }
        let mut includes = context.includes.iter().filter(|include| include.holds(now));
        includes.find_map(|include| self.search_in(&include.context, number, caller, now, asked, pick))
    }

    /// A context that was not asked yet: each is asked once, however contexts include each other.
    fn enter<'a>(&'a self, name: &str, asked: &mut Vec<&'a str>) -> Option<&'a Context> {
        let context = self.contexts.get(name)?;
        if asked.len() >= MAX_DEPTH || asked.contains(&&*context.name) {
            return None;
        }
        asked.push(&context.name);
        Some(context)
    }
}

/// How many contexts one search asks.
const MAX_DEPTH: usize = 128;
