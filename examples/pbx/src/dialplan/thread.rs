//! Where one channel is in the dialplan.

use std::sync::Arc;

use super::{Action, Dialled, Dialplan, End, Facts, Gosub, Outcome, World};

/// There is no such extension for this caller: the call is refused (404, no route to destination).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no such extension in the context")]
pub struct NoExtension;

/// A channel's run through the dialplan.
#[derive(Debug, Clone)]
pub struct Thread {
    plan: Arc<Dialplan>,
    facts: Facts,
    context: String,
    extension: String,
    priority: u32,
}

impl Thread {
    /// Puts a channel at the first priority of an extension; an empty one is `s`.
    ///
    /// # Errors
    /// When the context, with what it includes, has no such extension for this caller.
    pub fn start(plan: Arc<Dialplan>, context: &str, extension: &str, facts: Facts) -> Result<Self, NoExtension> {
        let extension = if extension.is_empty() { "s" } else { extension };
        plan.find(context, extension, &facts.caller.number).ok_or(NoExtension)?;
        Ok(Self { context: context.to_owned(), extension: extension.to_owned(), priority: 1, plan, facts })
    }

    /// Puts a callee's channel at a subroutine (option `U` of Dial). It ends with [`End::Finished`] once the subroutine
    /// returned; `variable("GOSUB_RESULT")` tells what it wants.
    ///
    /// # Errors
    /// When there is no such place in the dialplan.
    pub fn gosub(plan: Arc<Dialplan>, gosub: &Gosub, facts: Facts) -> Result<Self, NoExtension> {
        Self::start(plan, &gosub.context, &gosub.extension, facts)
    }

    /// Tells how the last action went and says what to do next; [`Outcome::Begin`] the first time.
    /// After [`Action::End`] and [`Action::Hangup`] nothing else follows.
    pub fn resume(&mut self, outcome: Outcome, world: &mut World) -> Action {
        let _ = (outcome, world);
        Action::End(End::Finished)
    }

    /// The channel is gone, for whatever reason (also after [`Action::End`] and [`Action::Hangup`]): runs extension `h`
    /// when there is one. `dialled` tells of the Dial that was under way. A second call does nothing.
    pub fn hang_up(&mut self, cause: u8, dialled: Option<&Dialled>, world: &mut World) {
        let _ = (cause, dialled, world);
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

    /// A channel variable, also one that the dialplan makes by itself (`EXTEN`, `CALLERID(num)` …).
    #[must_use]
    pub fn variable(&self, name: &str) -> Option<String> {
        let _ = name;
        None
    }

    /// Sets a channel variable.
    pub fn set_variable(&mut self, name: &str, value: &str) {
        let _ = (name, value);
    }

    /// Variables that a channel made by this one inherits: those set with `_` and `__`, as they are to be set there.
    #[must_use]
    pub fn inherited(&self) -> Vec<(String, String)> {
        Vec::new()
    }

    /// The application that runs or ran last, `Dial`.
    #[must_use]
    pub fn application(&self) -> &str {
        ""
    }

    /// Its arguments, with variables replaced.
    #[must_use]
    pub fn data(&self) -> &str {
        ""
    }

    /// The context that it is in.
    #[must_use]
    pub fn context(&self) -> &str {
        &self.context
    }

    /// The number that is being run.
    #[must_use]
    pub fn extension(&self) -> &str {
        &self.extension
    }

    /// The step of the extension.
    #[must_use]
    pub fn priority(&self) -> u32 {
        self.priority
    }
}
