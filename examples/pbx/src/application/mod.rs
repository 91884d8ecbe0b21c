//! The applications of the dialplan, one a file.

mod answer;
mod background;
mod busy;
mod dial;
mod echo;
mod exec_if;
mod gosub;
mod goto;
mod goto_if;
mod goto_if_time;
mod hangup;
mod milliwatt;
mod music;
mod noop;
mod playback;
mod progress;
mod read;
mod r#return;
mod ringing;
mod set;
mod verbose;
mod wait;
mod wait_exten;
mod r#while;

pub(crate) use read::{Progress, Reading};

use crate::dialplan::{Action, Check, End, Pending, Run};

/// What an application makes the dialplan do.
#[derive(Debug)]
pub(crate) enum Flow {
    /// Go on with the next step.
    Next,
    /// Go on where the position was put.
    Jumped,
    /// Ask for something, and go on as told once it is done.
    Act(Action, Pending),
    /// End.
    End(End),
}

/// An application.
#[derive(Debug)]
pub struct Application {
    name: &'static str,
    /// Looks at the arguments as they are written.
    check: fn(&mut Check<'_>, &str),
    /// Runs with arguments in which all variables are replaced.
    run: fn(&mut Run<'_>, &str) -> Flow,
}

impl Application {
    /// The name, as Asterisk writes it.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    pub(crate) fn check(&self, check: &mut Check<'_>, arguments: &str) {
        (self.check)(check, arguments);
    }

    pub(crate) fn run(&self, run: &mut Run<'_>, arguments: &str) -> Flow {
        (self.run)(run, arguments)
    }
}

/// All of them, by name.
const APPLICATIONS: [Application; 38] = [
    answer::ANSWER,
    background::BACKGROUND,
    busy::BUSY,
    busy::CONGESTION,
    r#while::CONTINUE_WHILE,
    dial::DIAL,
    echo::ECHO,
    r#while::END_WHILE,
    exec_if::EXEC_IF,
    r#while::EXIT_WHILE,
    gosub::GOSUB,
    gosub::GOSUB_IF,
    goto::GOTO,
    goto_if::GOTO_IF,
    goto_if_time::GOTO_IF_TIME,
    hangup::HANGUP,
    music::SET_MUSIC_ON_HOLD,
    milliwatt::MILLIWATT,
    set::MSET,
    music::MUSIC_ON_HOLD,
    noop::NO_OP,
    playback::PLAYBACK,
    progress::PROCEEDING,
    progress::PROGRESS,
    read::READ,
    r#return::RETURN,
    ringing::RINGING,
    set::SET,
    goto::STACK_POP,
    music::START_MUSIC_ON_HOLD,
    music::STOP_MUSIC_ON_HOLD,
    verbose::LOG,
    verbose::VERBOSE,
    wait::WAIT,
    wait_exten::WAIT_EXTEN,
    r#while::WHILE,
    noop::SET_AMA_FLAGS,
    noop::RESET_CDR,
];

/// An application by its name; case does not matter.
#[must_use]
pub fn find(name: &str) -> Option<&'static Application> {
    APPLICATIONS.iter().find(|application| application.name.eq_ignore_ascii_case(name))
}

/// The names of all applications.
pub fn names() -> impl Iterator<Item = &'static str> {
    APPLICATIONS.iter().map(|application| application.name)
}

/// Any arguments will do.
fn anything(_: &mut Check<'_>, _: &str) {}

/// A time in seconds, `2.5`; at most a day.
fn seconds(text: &str) -> Option<std::time::Duration> {
    let seconds: f64 = text.trim().parse().ok()?;
    std::time::Duration::try_from_secs_f64(seconds.clamp(0.0, 86_400.0)).ok()
}

/// Whether arguments say nothing yet, because of a variable.
fn is_open(text: &str) -> bool {
    text.contains("${") || text.contains("$[")
}

/// Checks a time that may be left out.
fn check_seconds(check: &mut Check<'_>, text: &str) {
    if !text.trim().is_empty() && !is_open(text) && seconds(text).is_none() {
        check.error(format!("expected seconds, found `{}`", text.trim()));
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn applications_are_found_whatever_the_case_and_no_two_have_one_name() {
        assert_eq!(super::find("dial").unwrap().name(), "Dial");
        assert_eq!(super::find("GOTOIF").unwrap().name(), "GotoIf");
        assert!(super::find("VoiceMail").is_none());
        let mut names: Vec<String> = super::names().map(str::to_ascii_lowercase).collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
    }
}
