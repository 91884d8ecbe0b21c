//! The engine: runs steps until something has to be waited for.

use std::time::Duration;

use jiff::Zoned;

use super::{
    Action, DialStatus, Dialled, End, Outcome, Thread, World, function,
    substitute::{Scope, substitute},
    variables::Position,
};
use crate::application::{self, Flow, Progress, Reading};

/// Work that may be done until something is waited for: ten thousand steps, or the like of variables and expressions.
const FUEL: u32 = 100_000;
/// What a step costs.
const STEP: u32 = 10;
/// How many actions one channel may ask for in a second of the wall clock.
const PACE: u32 = 1_000;
/// How long the tone of a refused call is heard.
const TONE: Duration = Duration::from_secs(10);

/// What a thread waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Pending {
    /// To be started.
    Begin,
    /// Something after which the next step follows.
    Next,
    /// The answer; then this, unless it is nothing but the answer.
    Answer(Option<Box<(Action, Pending)>>),
    /// Playback.
    Play,
    /// Background: a digit begins an extension.
    Background,
    /// WaitExten: a digit begins an extension.
    FirstDigit,
    /// A further digit of an extension.
    Digit,
    /// Read.
    Read(Box<Reading>),
    /// Dial; whether the caller goes on when the callee hung up.
    Dial { go_on: bool },
    /// A tone after which the channel is hung up.
    Tone,
    /// Nothing: it is over.
    Over,
}

/// A thread that is running.
pub(crate) struct Run<'a> {
    pub(crate) thread: &'a mut Thread,
    pub(crate) world: &'a mut World,
}

impl Run<'_> {
    pub(super) fn resume(mut self, outcome: Outcome) -> Action {
        let second = self.world.epoch.div_euclid(1_000_000);
        let (before, actions) = self.thread.pace;
        self.thread.pace = if before == second { (second, actions.saturating_add(1)) } else { (second, 0) };
        if self.thread.pace.1 > PACE {
            return self.over(End::Runaway);
        }
        self.thread.fuel = FUEL;
        match std::mem::replace(&mut self.thread.pending, Pending::Over) {
            Pending::Begin => {}
            Pending::Next => self.next(),
            Pending::Answer(then) => {
                self.thread.facts.answered |= outcome == Outcome::Done;
                match then {
                    None => self.next(),
                    Some(then) => {
                        let (action, pending) = *then;
                        self.thread.pending = pending;
                        return action;
                    }
                }
            }
            Pending::Play => {
                let failed = outcome == Outcome::Failed;
                self.thread.variables.set("PLAYBACKSTATUS", if failed { "FAILED" } else { "SUCCESS" });
                self.next();
            }
            Pending::Background => match outcome {
                Outcome::Digit(digit) => {
                    self.thread.digits = digit.to_string();
                    if let Some(action) = self.collect() {
                        return action;
                    }
                }
                outcome => {
                    let failed = outcome == Outcome::Failed;
                    self.thread.variables.set("BACKGROUNDSTATUS", if failed { "FAILED" } else { "SUCCESS" });
                    self.next();
                }
            },
            Pending::FirstDigit => match outcome {
                Outcome::Digit(digit) => {
                    self.thread.digits = digit.to_string();
                    if let Some(action) = self.collect() {
                        return action;
                    }
                }
                // Nothing was pressed: the next step, or `t` when there is none.
                _ if self.has(&self.thread.position.extension, self.thread.position.priority.saturating_add(1)) => {
                    self.next();
                }
                _ => {
                    if let Some(action) = self.timeout() {
                        return action;
                    }
                }
            },
            Pending::Digit => {
                let settled = match outcome {
                    Outcome::Digit(digit) => {
                        self.thread.digits.push(digit);
                        self.collect()
                    }
                    _ if self.thread.digits.is_empty() => self.timeout(),
                    _ => self.settle(),
                };
                if let Some(action) = settled {
                    return action;
                }
            }
            Pending::Read(mut reading) => match reading.on(&outcome) {
                Progress::Ask(action) => {
                    self.thread.pending = Pending::Read(reading);
                    return action;
                }
                Progress::Over(variable, digits, status) => {
                    self.thread.variables.set(&variable, &digits);
                    self.thread.variables.set("READSTATUS", status);
                    self.next();
                }
            },
            Pending::Dial { go_on } => {
                let dialled = match outcome {
                    Outcome::Dialled(dialled) => dialled,
                    _ => Dialled::default(),
                };
                self.note(&dialled);
                if dialled.status == DialStatus::Answer && !go_on {
                    return Action::Hangup { cause: Some(dialled.cause) };
                }
                self.next();
            }
            Pending::Tone => return Action::Hangup { cause: None },
            Pending::Over => return Action::End(End::Finished),
        }
        self.run()
    }

    /// Runs `h`, which is a step like any other but that nothing is there to act on.
    pub(super) fn hang_up(mut self, cause: u8, dialled: Option<&Dialled>) {
        let dialling = matches!(self.thread.pending, Pending::Dial { .. });
        if matches!(self.thread.pending, Pending::Read(_)) {
            self.thread.variables.set("READSTATUS", "HANGUP");
        }
        self.thread.pending = Pending::Over;
        match dialled {
            Some(dialled) => self.note(dialled),
            None if dialling => {
                let cancelled = Dialled { status: DialStatus::Cancel, cause, ..Dialled::default() };
                self.note(&cancelled);
            }
            None => {}
        }
        self.thread.facts.hangup_cause = cause;
        // Of a subroutine on the callee's channel there is no `h`: it is not this channel's dialplan.
        if self.thread.subroutine || !self.has("h", 1) {
            return;
        }
        self.thread.position.extension = "h".to_owned();
        self.thread.position.priority = 1;
        self.thread.fuel = FUEL;
        // An action ends it: nobody is there for whom it could be done.
        let action = self.run();
        tracing::debug!(channel = self.thread.facts.name, ?action, "hangup extension is done");
        self.thread.pending = Pending::Over;
    }

    fn run(&mut self) -> Action {
        let plan = self.thread.plan.clone();
        let now = self.now();
        loop {
            if !self.spend(STEP) {
                return self.over(End::Runaway);
            }
            let Position { context, extension, priority } = &self.thread.position;
            let caller = &self.thread.facts.caller.number;
            let Some(found) = plan.step(context, extension, *priority, caller, now.as_ref()) else {
                let known = *priority > 1 && plan.step(context, extension, 1, caller, now.as_ref()).is_some();
                match if known { self.fall_through() } else { self.invalid() } {
                    Some(action) => return action,
                    None => continue,
                }
            };
            self.thread.written.clone_from(&found.step.arguments);
            tracing::debug!(
                channel = self.thread.facts.name,
                context = %found.context.name,
                extension = self.thread.position.extension,
                priority = self.thread.position.priority,
                application = found.step.application,
                "step"
            );
            let flow = match application::run_written(self, &found.step.application, &found.step.arguments) {
                Some(flow) => flow,
                None => {
                    let data = substitute(&found.step.arguments, self);
                    self.execute(&found.step.application, data)
                }
            };
            match flow {
                Flow::Next => self.next(),
                Flow::Jumped => {}
                Flow::Act(action, pending) => {
                    self.thread.pending = pending;
                    return action;
                }
                Flow::End(end) => return self.over(end),
            }
        }
    }

    /// Runs one application. Also what ExecIf does.
    pub(crate) fn execute(&mut self, name: &str, data: String) -> Flow {
        let Some(application) = application::find(name) else {
            tracing::warn!(application = name, "there is no such application");
            return Flow::End(End::Error);
        };
        self.note_step(application.name(), data.clone());
        application.run(self, &data)
    }

    /// What runs last, unless the channel is gone.
    pub(crate) fn note_step(&mut self, application: &str, data: String) {
        if !self.thread.gone {
            application.clone_into(&mut self.thread.application);
            self.thread.data = data;
        }
    }

    fn next(&mut self) {
        let priority = &mut self.thread.position.priority;
        *priority = priority.saturating_add(1);
    }

    fn over(&mut self, end: End) -> Action {
        if end == End::Runaway {
            tracing::warn!(
                channel = self.thread.facts.name,
                context = self.thread.position.context,
                extension = self.thread.position.extension,
                "the dialplan runs in circles"
            );
        }
        self.thread.pending = Pending::Over;
        Action::End(end)
    }

    /// Whether there is such a step in the context that the channel is in.
    pub(crate) fn has(&self, extension: &str, priority: u32) -> bool {
        self.exists(&self.thread.position.context, extension, priority)
    }

    /// Whether there is such a step.
    pub(crate) fn exists(&self, context: &str, extension: &str, priority: u32) -> bool {
        let caller = &self.thread.facts.caller.number;
        self.thread.plan.step(context, extension, priority, caller, self.now().as_ref()).is_some()
    }

    /// The priority that a label or a number means.
    pub(crate) fn priority(&self, context: &str, extension: &str, label: &str) -> Option<u32> {
        let caller = &self.thread.facts.caller.number;
        self.thread.plan.priority(context, extension, label, caller, self.now().as_ref())
    }

    /// The application of a step.
    pub(crate) fn application(&self, context: &str, extension: &str, priority: u32) -> Option<String> {
        let caller = &self.thread.facts.caller.number;
        let found = self.thread.plan.step(context, extension, priority, caller, self.now().as_ref())?;
        Some(found.step.application.clone())
    }

    /// The time, when the dialplan depends on it.
    fn now(&self) -> Option<Zoned> {
        self.thread.plan.timed.then(|| self.world.now())
    }

    /// Goes to a place.
    pub(crate) fn jump(&mut self, context: &str, extension: &str, priority: u32) {
        self.thread.position = Position { context: context.to_owned(), extension: extension.to_owned(), priority };
    }

    fn jump_here(&mut self, extension: &str) {
        self.thread.position.extension = extension.to_owned();
        self.thread.position.priority = 1;
    }

    /// The end of an extension.
    fn fall_through(&mut self) -> Option<Action> {
        if self.thread.gone || self.thread.subroutine {
            return Some(self.over(End::Finished));
        }
        if !self.thread.plan.auto_fallthrough {
            self.thread.digits.clear();
            self.thread.pending = Pending::Digit;
            return Some(Action::WaitExten(self.thread.response_time));
        }
        let status = self.thread.variables.get("DIALSTATUS").unwrap_or_default();
        let action = match status {
            "CONGESTION" | "CHANUNAVAIL" => Action::Congestion { wait: Some(TONE) },
            "BUSY" => Action::Busy { wait: Some(TONE) },
            _ => return Some(self.over(End::Finished)),
        };
        self.thread.pending = Pending::Tone;
        Some(action)
    }

    /// An extension that is not there: `i`.
    fn invalid(&mut self) -> Option<Action> {
        let extension = self.thread.position.extension.clone();
        if self.thread.gone || extension == "i" || !self.invalid_extension(&extension) {
            return Some(self.over(End::NoExtension));
        }
        None
    }

    fn invalid_extension(&mut self, extension: &str) -> bool {
        for handler in ["i", "e"] {
            if self.has(handler, 1) {
                self.thread.variables.set("INVALID_EXTEN", extension);
                self.jump_here(handler);
                return true;
            }
        }
        tracing::debug!(channel = self.thread.facts.name, extension, "there is no such extension, and no `i`");
        false
    }

    /// Nothing was pressed: `t`.
    fn timeout(&mut self) -> Option<Action> {
        match ["t", "e"].into_iter().find(|handler| self.has(handler, 1)) {
            Some(handler) => {
                self.jump_here(handler);
                None
            }
            None => Some(self.over(End::Finished)),
        }
    }

    /// A digit was pressed: waits for more when more could follow.
    fn collect(&mut self) -> Option<Action> {
        let now = self.now();
        let thread = &mut *self.thread;
        let (context, caller) = (&thread.position.context, &thread.facts.caller.number);
        if thread.digits.len() < 80 && thread.plan.more(context, &thread.digits, caller, now.as_ref()) {
            thread.pending = Pending::Digit;
            return Some(Action::WaitExten(thread.digit_time));
        }
        self.settle()
    }

    /// The digits are all there.
    fn settle(&mut self) -> Option<Action> {
        let digits = std::mem::take(&mut self.thread.digits);
        if self.has(&digits, 1) {
            self.jump_here(&digits);
        } else if !self.invalid_extension(&digits) {
            return Some(self.over(End::NoExtension));
        }
        None
    }

    /// Sets what Dial tells.
    fn note(&mut self, dialled: &Dialled) {
        let answered = dialled.status == DialStatus::Answer;
        let thread = &mut *self.thread;
        let seconds = |duration: Duration| if answered { duration.as_secs().to_string() } else { String::new() };
        thread.variables.set("DIALSTATUS", dialled.status.as_str());
        thread.variables.set("DIALEDPEERNAME", &dialled.peer);
        thread.variables.set("DIALEDPEERNUMBER", &dialled.number);
        thread.variables.set("ANSWEREDTIME", &seconds(dialled.talked));
        thread.variables.set("DIALEDTIME", &dialled.total.as_secs().to_string());
        thread.facts.hangup_cause = dialled.cause;
        // Dial answers the caller as soon as the callee answers.
        thread.facts.answered |= answered;
    }

    /// Answers first when the channel is not answered yet.
    pub(crate) fn answered(&self, action: Action, pending: Pending) -> Flow {
        if self.thread.facts.answered {
            Flow::Act(action, pending)
        } else {
            Flow::Act(Action::Answer, Pending::Answer(Some(Box::new((action, pending)))))
        }
    }
}

impl Scope for Run<'_> {
    fn variable(&mut self, name: &str) -> Option<String> {
        match name {
            "EPOCH" => Some(self.world.epoch.div_euclid(1_000_000).to_string()),
            _ => self.thread.variable(name).or_else(|| self.world.global(name).map(str::to_owned)),
        }
    }

    fn function(&mut self, name: &str, arguments: &str) -> Option<String> {
        function::read(self, name, arguments)
    }

    fn spend(&mut self, work: u32) -> bool {
        let left = self.thread.fuel.checked_sub(work);
        self.thread.fuel = left.unwrap_or(0);
        left.is_some()
    }
}
