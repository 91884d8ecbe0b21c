//! `extensions.conf` into a [`Dialplan`].

use std::{collections::BTreeMap, sync::Arc};

use super::{
    Dialplan, Pattern,
    check::{Check, is_variable},
    expression, function,
    plan::{Context, Extension, Include, Step},
    special,
    substitute::{Scope, inside as inside_of, substitute, unclosed},
    times::Times,
};
use crate::{
    application,
    asterisk::{
        file::{Entry, File, Place, Problem, Section},
        read_yes,
    },
};

/// How many steps a dialplan has at most.
const MAX_STEPS: usize = 200_000;

pub(super) fn dialplan(file: &File, problems: &mut Vec<Problem>) -> Dialplan {
    let mut reader = Reader { plan: Dialplan::default(), problems, steps: 0, hinted: false };
    for section in file.used() {
        match section.name.as_str() {
            "general" => reader.general(section),
            "globals" => reader.globals(section),
            _ => reader.context(section),
        }
    }
    let mut plan = reader.plan;
    for context in plan.contexts.values_mut() {
        context.extensions.sort_by(Extension::order);
    }
    examine(&plan, problems);
    special::examine(&plan, problems);
    // What was found while reading and what was found later belong together.
    problems.sort_by(|a, b| a.place.cmp(&b.place));
    plan
}

/// Only globals are known while a file is read.
struct Globals<'a>(&'a BTreeMap<String, String>);

impl Scope for Globals<'_> {
    fn variable(&mut self, name: &str) -> Option<String> {
        self.0.get(name).cloned()
    }

    fn function(&mut self, name: &str, arguments: &str) -> Option<String> {
        name.eq_ignore_ascii_case("GLOBAL").then(|| self.variable(arguments.trim()))?
    }

    fn spend(&mut self, _: u32) -> bool {
        true
    }
}

struct Reader<'a> {
    plan: Dialplan,
    problems: &'a mut Vec<Problem>,
    steps: usize,
    /// That hints do nothing was said.
    hinted: bool,
}

impl Reader<'_> {
    fn error(&mut self, place: &Place, message: impl Into<String>) {
        self.problems.push(Problem::error(place, message));
    }

    fn warning(&mut self, place: &Place, message: impl Into<String>) {
        self.problems.push(Problem::warning(place, message));
    }

    fn general(&mut self, section: &Section) {
        for entry in &section.entries {
            let key = entry.key.to_ascii_lowercase();
            // What is done anyway, and why nothing else is.
            let (way, why) = match key.as_str() {
                "autofallthrough" => (None, ""),
                "static" | "writeprotect" => (Some(true), "this file is never written here"),
                "clearglobalvars" => (Some(false), "this file is read once, when the program starts"),
                "priorityjumping" => (Some(false), "read DIALSTATUS instead"),
                // Faster in Asterisk, and otherwise the same.
                "extenpatternmatchnew" => continue,
                "userscontext" => {
                    self.warning(&entry.place, "`userscontext` is left out: users.conf is not read here");
                    continue;
                }
                _ => {
                    self.warning(&entry.place, format!("unknown key `{}` in [general]", entry.key));
                    continue;
                }
            };
            let Some(yes) = read_yes(&entry.value) else {
                self.error(&entry.place, format!("{}: expected yes or no, found `{}`", entry.key, entry.value));
                continue;
            };
            match way {
                None => self.plan.auto_fallthrough = yes,
                Some(way) if way != yes => {
                    self.warning(&entry.place, format!("`{}={}` is left out: {why}", entry.key, entry.value));
                }
                Some(_) => {}
            }
        }
    }

    fn globals(&mut self, section: &Section) {
        for entry in &section.entries {
            let value = substitute(&entry.value, &mut Globals(&self.plan.globals));
            self.plan.globals.insert(entry.key.clone(), value);
        }
    }

    fn context(&mut self, section: &Section) {
        let name: Arc<str> = section.name.as_str().into();
        // The same context may be written in several places.
        let mut context = self.plan.contexts.remove(&name).unwrap_or_else(|| {
            self.plan.order.push(name.clone());
            Context {
                name: name.clone(),
                place: section.place.clone(),
                extensions: Vec::new(),
                includes: Vec::new(),
                switches: Vec::new(),
                ignored: Vec::new(),
            }
        });
        let mut last = Last::default();
        let mut known: BTreeMap<String, usize> = BTreeMap::new();
        for (place, extension) in context.extensions.iter().enumerate() {
            known.insert(identity(extension), place);
        }
        for entry in &section.entries {
            let place = &entry.place;
            match entry.key.to_ascii_lowercase().as_str() {
                "exten" => self.exten(&mut context, &mut known, &mut last, entry),
                "same" => self.same(&mut context, &mut known, &mut last, entry),
                "include" => self.include(&mut context, entry),
                "switch" | "lswitch" | "eswitch" => {
                    self.warning(place, format!("`{}` is not supported: {} is not asked", entry.key, entry.value));
                    context.switches.push(entry.value.clone());
                }
                "ignorepat" => context.ignored.push(entry.value.clone()),
                "autohints" => match read_yes(&entry.value) {
                    Some(false) => {}
                    Some(true) => self.warning(place, "`autohints` is left out: lines are not watched here"),
                    None => self.error(place, format!("autohints: expected yes or no, found `{}`", entry.value)),
                },
                key => self
                    .error(place, format!("unknown key `{key}`: expected exten, same, include, switch or ignorepat")),
            }
        }
        self.plan.contexts.insert(name, context);
    }

    fn include(&mut self, context: &mut Context, entry: &Entry) {
        let text = substitute(&entry.value, &mut Globals(&self.plan.globals));
        let (name, times) = match text.split_once([',', '|']) {
            Some((name, times)) => (name.trim(), Some(times)),
            None => (text.trim(), None),
        };
        if name.is_empty() {
            self.error(&entry.place, "expected the name of a context");
            return;
        }
        let times = match times.map(Times::parse).transpose() {
            Ok(times) => times,
            Err(error) => {
                self.error(&entry.place, format!("{error}, found `{text}`"));
                return;
            }
        };
        self.plan.timed |= times.is_some();
        if context.includes.iter().any(|known| known.text == text.trim()) {
            self.warning(&entry.place, format!("`{name}` is included already"));
            return;
        }
        let include =
            Include { context: name.to_owned(), text: text.trim().to_owned(), times, place: entry.place.clone() };
        context.includes.push(include);
    }

    fn exten(&mut self, context: &mut Context, known: &mut Known, last: &mut Last, entry: &Entry) {
        // Until this line is understood there is nothing that `same` could go on with.
        last.extension = None;
        let (extension, rest) = take_part(&entry.value);
        let Some(rest) = rest else {
            self.error(
                &entry.place,
                format!("expected extension,priority,application(arguments), found `{}`", entry.value),
            );
            return;
        };
        let extension = substitute(extension.trim(), &mut Globals(&self.plan.globals));
        last.extension = Some(extension);
        self.step(context, known, last, rest, entry);
    }

    fn same(&mut self, context: &mut Context, known: &mut Known, last: &mut Last, entry: &Entry) {
        if last.extension.is_none() {
            // What is wrong with the line before was said there.
            if !last.broken {
                self.error(
                    &entry.place,
                    "`same` goes on with the extension above, but there is none: expected exten =>",
                );
            }
            return;
        }
        self.step(context, known, last, &entry.value, entry);
    }

    /// `priority,application(arguments)` of the extension in `last`.
    fn step(&mut self, context: &mut Context, known: &mut Known, last: &mut Last, rest: &str, entry: &Entry) {
        let place = &entry.place;
        let Some(name) = last.extension.clone() else { return };
        let (pattern, caller) = match patterns(&name) {
            Ok(patterns) => patterns,
            Err(error) => {
                self.error(place, format!("extension `{name}`: {error}"));
                last.extension = None;
                last.broken = true;
                return;
            }
        };
        let (priority, rest) = match rest.split_once(',') {
            Some((priority, rest)) => (priority, rest.trim()),
            None => (rest, ""),
        };
        let found = known.entry(name.clone()).or_insert_with(|| {
            context.extensions.push(Extension { pattern, caller, steps: Vec::new(), hint: None });
            context.extensions.len() - 1
        });
        let Some(extension) = context.extensions.get_mut(*found) else { return };
        if priority.trim().eq_ignore_ascii_case("hint") {
            extension.hint = Some((rest.to_owned(), place.clone()));
            if !std::mem::replace(&mut self.hinted, true) {
                self.warning(place, "hints are shown and nothing else, here and below: lines are not watched here");
            }
            return;
        }
        let (priority, label) = match last.priority(priority) {
            Ok(priority) => priority,
            Err(message) => return self.error(place, message),
        };
        last.priority = Some(priority);
        if rest.is_empty() {
            return self.error(place, "expected an application after the priority");
        }
        let Some((application, arguments)) = super::call(rest) else {
            return self.error(place, format!("expected `)` at the end of `{rest}`"));
        };
        if let Some((name, _)) = application.split_once([',', '|', ' ']) {
            let message = format!("expected {name}(arguments), found `{rest}`");
            return self.error(place, message);
        }
        if application.is_empty() {
            return self.error(place, format!("expected an application before `(`, found `{rest}`"));
        }
        let step = Step {
            priority,
            label,
            application: application::find(application).map_or(application, |known| known.name()).to_owned(),
            arguments: arguments.to_owned(),
            place: place.clone(),
        };
        let label = step.label.as_ref();
        if let Some(twice) =
            label.and_then(|label| extension.steps.iter().find(|step| step.label.as_ref() == Some(label)))
        {
            let message = format!("the label is used already, at {}: the first one counts", twice.place);
            self.problems.push(Problem::warning(place, message));
        }
        match extension.steps.binary_search_by_key(&priority, |step| step.priority) {
            Ok(twice) => {
                let first = extension.steps.get(twice).map(|step| step.place.to_string()).unwrap_or_default();
                let message =
                    format!("priority {priority} of `{name}` is written already, at {first}: the first one counts");
                self.warning(place, message);
            }
            Err(_) if self.steps >= MAX_STEPS => {
                if self.steps == MAX_STEPS {
                    self.error(place, "more than 200,000 steps: the rest is not read");
                }
                self.steps = MAX_STEPS + 1;
            }
            Err(at) => {
                extension.steps.insert(at, step);
                self.steps += 1;
            }
        }
    }
}

/// Extensions of a context by how they are written.
type Known = BTreeMap<String, usize>;

fn identity(extension: &Extension) -> String {
    match &extension.caller {
        Some(caller) => format!("{}/{}", extension.pattern.as_str(), caller.as_str()),
        None => extension.pattern.as_str().to_owned(),
    }
}

/// What `n` and `same` go on with.
#[derive(Debug, Default)]
struct Last {
    extension: Option<String>,
    priority: Option<u32>,
    /// The extension above was not understood.
    broken: bool,
}

impl Last {
    /// `1`, `n`, `s`, with `+2` and `(label)` behind.
    fn priority(&self, text: &str) -> Result<(u32, Option<String>), String> {
        let text = text.trim();
        let expected = || format!("expected a priority such as 1, n, n(label) or hint, found `{text}`");
        let (text_, label) = match text.split_once('(') {
            None => (text.to_owned(), None),
            Some((before, rest)) => {
                let (label, after) =
                    rest.split_once(')').ok_or_else(|| format!("expected `)` after the label in `{text}`"))?;
                let label = label.trim();
                if label.is_empty() || label.bytes().all(|byte| byte.is_ascii_digit()) {
                    return Err(format!("expected a label that is no number in `{text}`"));
                }
                (format!("{before}{after}"), Some(label.to_owned()))
            }
        };
        let (base, plus) = match text_.split_once('+') {
            Some((base, plus)) => (base.trim(), plus.trim().parse::<u32>().map_err(|_| expected())?),
            None => (text_.trim(), 0),
        };
        let base = match base.to_ascii_lowercase().as_str() {
            "n" | "next" => match self.priority {
                Some(last) => last.checked_add(1),
                None => return Err("`n` follows another priority, and there is none above: expected 1".to_owned()),
            },
            "s" | "same" => match self.priority {
                Some(last) => Some(last),
                None => return Err("`s` is the priority above, and there is none: expected 1".to_owned()),
            },
            number => number.parse().ok(),
        };
        let priority = base.and_then(|base: u32| base.checked_add(plus));
        let priority = priority.filter(|&priority| (1..1_000_000).contains(&priority)).ok_or_else(expected)?;
        Ok((priority, label))
    }
}

/// Splits at the first comma that stands in no brackets.
fn take_part(text: &str) -> (&str, Option<&str>) {
    let mut brackets = false;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'[' => brackets = true,
            b']' => brackets = false,
            b',' if !brackets => return (text.get(..at).unwrap_or_default(), text.get(at + 1..)),
            _ => {}
        }
    }
    // A bracket that is not closed must not hide the comma.
    match text.split_once(',') {
        Some((before, after)) => (before, Some(after)),
        None => (text, None),
    }
}

/// `extension` or `extension/caller`.
fn patterns(text: &str) -> Result<(Pattern, Option<Pattern>), super::PatternError> {
    let mut brackets = false;
    let slash = text.bytes().position(|byte| {
        brackets = byte == b'[' || brackets && byte != b']';
        byte == b'/' && !brackets
    });
    let (extension, caller) = match slash {
        Some(at) => (text.get(..at).unwrap_or_default(), text.get(at + 1..)),
        None => (text, None),
    };
    Ok((Pattern::parse(extension.trim())?, caller.map(|caller| Pattern::caller(caller.trim())).transpose()?))
}

/// Looks at the whole for what leads nowhere.
fn examine(plan: &Dialplan, problems: &mut Vec<Problem>) {
    for context in plan.contexts.values() {
        for include in &context.includes {
            if !plan.has_context(&include.context) {
                let message = format!("there is no context `{}` that could be included", include.context);
                problems.push(Problem::warning(&include.place, message));
            }
        }
        for extension in &context.extensions {
            examine_extension(plan, context, extension, problems);
        }
    }
}

fn examine_extension(plan: &Dialplan, context: &Context, extension: &Extension, problems: &mut Vec<Problem>) {
    let name = extension.pattern.as_str();
    if let Some(first) = extension.steps.first() {
        if extension.pattern.matches_all() {
            let message = format!("`{name}` also takes the special extensions i, t, h and s: better write _X.");
            problems.push(Problem::warning(&first.place, message));
        }
        // Others of the context that match the same number may have the first priority.
        let elsewhere = || {
            let mut others = context.extensions.iter().filter(|other| other.step(1).is_some());
            others.any(|other| match extension.pattern.literal() {
                Some(number) => other.pattern.matches(number),
                None => other.pattern == extension.pattern,
            })
        };
        if first.priority != 1 && !elsewhere() {
            let message =
                format!("`{name}` begins with priority {}: nobody gets there without priority 1", first.priority);
            problems.push(Problem::warning(&first.place, message));
        }
    }
    for step in &extension.steps {
        let mut check = Check { plan, context: &context.name, extension, step, problems };
        match application::find(&step.application) {
            _ if is_variable(&step.application) => {}
            Some(application) => application.check(&mut check, &step.arguments),
            None => application::check_unknown(&mut check, &step.application),
        }
        if let Some(missing) = unclosed(&step.arguments) {
            check.error(format!("expected `{missing}` in `{}`", step.arguments));
        } else {
            examine_text(&step.arguments, &mut check, 0);
        }
    }
}

/// Functions that are not there, and expressions that cannot be understood.
fn examine_text(text: &str, check: &mut Check<'_>, depth: u32) {
    if depth > 20 {
        return;
    }
    let mut rest = text;
    while let Some((_, after)) = rest.split_once('$') {
        rest = after;
        if let Some(inside) = after.strip_prefix('{') {
            let name = inside.split(['(', '}', ':', '$', '{', ')']).next().unwrap_or_default();
            let is_call = inside.get(name.len()..).is_some_and(|behind| behind.starts_with('('));
            if is_call && !function::is_known(name.trim()) {
                let names: Vec<&str> = function::names().collect();
                check.warning(format!(
                    "unknown function `{}`, it is always empty: expected one of {}",
                    name.trim(),
                    names.join(" ")
                ));
            }
        } else if let Some(inside) = after.strip_prefix('[') {
            let (inside, _, _) = inside_of(inside, true);
            let plain = plain(inside);
            if let Err(error) = expression::check(&plain, &mut Globals(&BTreeMap::new())) {
                check.warning(format!("the expression $[{inside}] is not understood: {error}"));
            }
        }
    }
}

/// An expression with some number for each variable.
fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let (mut depth, mut dollar) = (0_usize, false);
    for character in text.chars() {
        match character {
            '{' | '[' if dollar || depth > 0 => {
                if depth == 0 {
                    plain.pop();
                    plain.push('1');
                }
                depth += 1;
            }
            '}' | ']' if depth > 0 => depth -= 1,
            _ if depth > 0 => {}
            _ => plain.push(character),
        }
        dollar = character == '$';
    }
    plain
}
