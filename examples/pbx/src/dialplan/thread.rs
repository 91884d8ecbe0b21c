//! Where one channel is in the dialplan.

use std::{sync::Arc, time::Duration};

use super::{
    Action, Dialled, Dialplan, End, Facts, Gosub, Outcome, World,
    run::{Pending, Run},
    variables::{Position, Variables},
};

/// There is no such extension for this caller: the call is refused (404, no route to destination).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no such extension in the context")]
pub struct NoExtension;

/// A channel's run through the dialplan.
///
/// ```
/// # use pbx::{asterisk::file, dialplan::{Action, Dialplan, End, Facts, Outcome, Thread, World}};
/// let text = "[home]\nexten => 600,1,Answer()\n same => n,Echo()\n same => n,Hangup()\n";
/// let mut problems = Vec::new();
/// let file = file::read("extensions.conf", &mut |_| Ok(text.to_owned()), &mut problems).unwrap();
/// let plan = std::sync::Arc::new(Dialplan::parse(&file, &mut problems));
/// let mut world = World::new(&plan, [0; 32], jiff::tz::TimeZone::UTC);
/// let mut thread = Thread::start(plan, "home", "600", Facts::default()).unwrap();
/// assert_eq!(thread.resume(Outcome::Begin, &mut world), Action::Answer);
/// assert_eq!(thread.resume(Outcome::Done, &mut world), Action::Echo);
/// assert_eq!(thread.resume(Outcome::Done, &mut world), Action::Hangup { cause: None });
/// ```
#[derive(Debug, Clone)]
pub struct Thread {
    pub(super) plan: Arc<Dialplan>,
    pub(super) facts: Facts,
    pub(super) variables: Variables,
    pub(super) position: Position,
    pub(super) pending: Pending,
    pub(super) application: String,
    pub(super) data: String,
    /// The arguments of the step that runs, as they stand in the dialplan.
    pub(super) written: String,
    /// Pressed for an extension so far.
    pub(super) digits: String,
    /// How long a further digit is waited for.
    pub(super) digit_time: Duration,
    /// How long a first digit is waited for.
    pub(super) response_time: Duration,
    /// Work that may be done until something is waited for.
    pub(super) fuel: u32,
    /// A second of the wall clock, and how many actions were asked for in it.
    pub(super) pace: (i64, u32),
    /// Started at a subroutine: the last return ends it.
    pub(super) subroutine: bool,
    /// The channel is gone.
    pub(super) gone: bool,
}

impl Thread {
    /// Puts a channel at the first priority of an extension; an empty one is `s`.
    ///
    /// Numbers that hold signs which mean something in the arguments of Dial (`&`, `,`, `@`, `/`, quotes, parentheses and
    /// the like) are nobody's, whatever patterns there are: with `_X.` and `Dial(SIP/${EXTEN})` they would let a caller
    /// choose what is dialled.
    ///
    /// # Errors
    /// When the context, with what it includes, has no such extension for this caller.
    pub fn start(plan: Arc<Dialplan>, context: &str, extension: &str, facts: Facts) -> Result<Self, NoExtension> {
        let extension = if extension.is_empty() { "s" } else { extension };
        if !is_harmless(extension) {
            return Err(NoExtension);
        }
        let found = plan.find(context, extension, &facts.caller.number);
        found.ok_or(NoExtension)?;
        Ok(Self::at(plan, context, extension, 1, facts))
    }

    /// Puts a callee's channel at a subroutine (option `U` of Dial). It ends with [`End::Finished`] once the subroutine
    /// returned; `variable("GOSUB_RESULT")` tells what it wants.
    ///
    /// # Errors
    /// When there is no such place in the dialplan.
    pub fn gosub(plan: Arc<Dialplan>, gosub: &Gosub, facts: Facts) -> Result<Self, NoExtension> {
        let caller = &facts.caller.number;
        let priority =
            plan.priority(&gosub.context, &gosub.extension, &gosub.priority, caller, None).ok_or(NoExtension)?;
        plan.step(&gosub.context, &gosub.extension, priority, caller, None).ok_or(NoExtension)?;
        let mut thread = Self::at(plan, &gosub.context, &gosub.extension, priority, facts);
        thread.subroutine = true;
        let back = thread.position.clone();
        if !thread.variables.enter(back, &gosub.arguments) {
            return Err(NoExtension);
        }
        Ok(thread)
    }

    fn at(plan: Arc<Dialplan>, context: &str, extension: &str, priority: u32, facts: Facts) -> Self {
        Self {
            plan,
            facts,
            variables: Variables::default(),
            position: Position { context: context.to_owned(), extension: extension.to_owned(), priority },
            pending: Pending::Begin,
            application: String::new(),
            data: String::new(),
            written: String::new(),
            digits: String::new(),
            digit_time: Duration::from_secs(5),
            response_time: Duration::from_secs(10),
            fuel: 0,
            pace: (0, 0),
            subroutine: false,
            gone: false,
        }
    }

    /// Tells how the last action went and says what to do next; [`Outcome::Begin`] the first time.
    /// After [`Action::End`] and [`Action::Hangup`] nothing else follows.
    pub fn resume(&mut self, outcome: Outcome, world: &mut World) -> Action {
        if self.gone {
            return Action::End(End::Finished);
        }
        Run { thread: self, world }.resume(outcome)
    }

    /// The channel is gone, for whatever reason (also after [`Action::End`] and [`Action::Hangup`]): runs extension `h`
    /// when there is one, as far as it asks for nothing that needs the channel. `dialled` tells of the Dial that was under
    /// way. A second call does nothing.
    pub fn hang_up(&mut self, cause: u8, dialled: Option<&Dialled>, world: &mut World) {
        if !std::mem::replace(&mut self.gone, true) {
            Run { thread: self, world }.hang_up(cause, dialled);
        }
    }

    /// The channel's facts.
    #[must_use]
    pub fn facts(&self) -> &Facts {
        &self.facts
    }

    /// The channel's facts, to be kept up to date.
    pub fn facts_mut(&mut self) -> &mut Facts {
        &mut self.facts
    }

    /// The dialplan that it runs.
    #[must_use]
    pub fn plan(&self) -> &Arc<Dialplan> {
        &self.plan
    }

    /// A channel variable, also one that the channel has by itself (`EXTEN`, `HANGUPCAUSE` …).
    #[must_use]
    pub fn variable(&self, name: &str) -> Option<String> {
        self.built_in(name).or_else(|| self.variables.get(name).map(str::to_owned))
    }

    /// Sets a channel variable; an empty value removes it. With `_` before the name it is inherited by channels that this
    /// one makes, with `__` by those that they make, too.
    pub fn set_variable(&mut self, name: &str, value: &str) {
        self.variables.set(name, value);
    }

    /// Variables that a channel made by this one inherits, to be set there.
    #[must_use]
    pub fn inherited(&self) -> Vec<(String, String)> {
        self.variables.inherited()
    }

    /// The application that runs or ran last, `Dial`. Extension `h` does not count.
    #[must_use]
    pub fn application(&self) -> &str {
        &self.application
    }

    /// Its arguments, with variables replaced.
    #[must_use]
    pub fn data(&self) -> &str {
        &self.data
    }

    /// The context that it is in.
    #[must_use]
    pub fn context(&self) -> &str {
        &self.position.context
    }

    /// The number that is being run.
    #[must_use]
    pub fn extension(&self) -> &str {
        &self.position.extension
    }

    /// The step of the extension.
    #[must_use]
    pub fn priority(&self) -> u32 {
        self.position.priority
    }

    /// Whether a host stands as it is in the step that runs, or in a global of the file: it is no caller's choice.
    pub(crate) fn names_host(&self, host: &str) -> bool {
        stands_in(&self.written, host) || self.plan.globals().values().any(|value| stands_in(value, host))
    }

    /// How long a first digit is waited for.
    pub(crate) fn response_time(&self) -> Duration {
        self.response_time
    }

    /// How long a further digit is waited for.
    pub(crate) fn digit_time(&self) -> Duration {
        self.digit_time
    }

    /// Enters a subroutine. False when that is too deep.
    pub(crate) fn enter(&mut self, back: Position, arguments: &[String]) -> bool {
        self.variables.enter(back, arguments)
    }

    /// Leaves a subroutine: where it was called from.
    pub(crate) fn leave(&mut self) -> Option<Position> {
        self.variables.leave()
    }

    /// Whether the subroutine that it was started at has returned.
    pub(crate) fn is_at_the_end(&self) -> bool {
        self.subroutine && !self.variables.is_in_subroutine()
    }

    fn built_in(&self, name: &str) -> Option<String> {
        let facts = &self.facts;
        Some(match name {
            "EXTEN" => self.position.extension.clone(),
            "CONTEXT" => self.position.context.clone(),
            "PRIORITY" => self.position.priority.to_string(),
            "CHANNEL" => facts.name.clone(),
            "UNIQUEID" => facts.unique_id.clone(),
            "HANGUPCAUSE" => facts.hangup_cause.to_string(),
            "CALLERID" => facts.caller.to_string(),
            "CALLERIDNUM" => facts.caller.number.clone(),
            "CALLERIDNAME" => facts.caller.name.clone(),
            "LANGUAGE" => facts.language.clone(),
            _ => return None,
        })
    }
}

/// Whether a number that somebody dialled means nothing but itself wherever the dialplan puts it.
fn is_harmless(number: &str) -> bool {
    let harmful = |character: char| {
        character.is_control() || character.is_whitespace() || "&,|\"'(){}[]$\\;<>@/?=`:^".contains(character)
    };
    number.len() <= 80 && !number.contains(harmful)
}

/// Whether a text has a host as a word of its own: not as a part of a longer address, nor with another port.
fn stands_in(text: &str, host: &str) -> bool {
    let goes_on = |character: char| character.is_alphanumeric() || ".:-_[]${}".contains(character);
    text.match_indices(host).any(|(at, found)| {
        let (before, after) = (text.get(..at).unwrap_or_default(), text.get(at + found.len()..).unwrap_or_default());
        // A user and his secret end with `@`, a technology with `/`.
        !host.is_empty() && !before.ends_with(goes_on) && !after.starts_with(goes_on)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_stands_in_a_text_only_as_a_whole() {
        for (text, host, stands) in [
            ("SIP/192.0.2.9", "192.0.2.9", true),
            ("SIP/${EXTEN}@192.0.2.9:5070,20", "192.0.2.9:5070", true),
            ("IAX2/me:hush@[2001:db8::1]/${EXTEN}", "[2001:db8::1]", true),
            ("SIP/192.0.2.99", "192.0.2.9", false),
            ("SIP/192.0.2.9:5070", "192.0.2.9", false),
            ("SIP/192.0.2.9", "192.0.2.9:5070", false),
            ("SIP/192.0.2.9${EXTEN}", "192.0.2.9", false),
            ("SIP/192.0.2.99&SIP/192.0.2.9", "192.0.2.9", true),
            ("SIP/${EXTEN}", "192.0.2.9", false),
            ("SIP/${EXTEN}", "", false),
        ] {
            assert_eq!(stands_in(text, host), stands, "{host} in {text}");
        }
    }
}
