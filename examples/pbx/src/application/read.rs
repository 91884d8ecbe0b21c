//! `Read(variable[,file[&file…][,digits[,options[,attempts[,seconds]]]]])`: digits into a variable, until `#`, until there
//! are enough or until none follows; `READSTATUS` says which.

use std::time::Duration;

use super::{Application, Flow, is_open, playback::files, seconds};
use crate::dialplan::{Action, Check, Outcome, Pending, Run, split};

pub(super) const READ: Application = Application { name: "Read", check, run };

/// The most digits.
const MAX_DIGITS: usize = 255;

/// Digits that are being read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reading {
    variable: String,
    /// What is played before each attempt.
    files: Vec<String>,
    early: bool,
    most: usize,
    /// Further attempts when nothing is pressed.
    attempts: u32,
    /// How long a first digit is waited for, and a further one.
    first: Duration,
    further: Duration,
    digits: String,
}

/// What becomes of it.
pub(crate) enum Progress {
    /// This is to be done next.
    Ask(Action),
    /// It is over: the variable, its digits, and the status.
    Over(String, String, &'static str),
}

impl Reading {
    /// What an attempt begins with.
    fn attempt(&self) -> Action {
        if self.files.is_empty() {
            return Action::WaitExten(self.first);
        }
        Action::Playback { files: self.files.clone(), early: self.early, interruptible: true }
    }

    /// Goes on after something happened.
    pub(crate) fn on(&mut self, outcome: &Outcome) -> Progress {
        match outcome {
            Outcome::Digit('#') => self.over("OK"),
            Outcome::Digit(digit) => {
                self.digits.push(*digit);
                if self.digits.len() >= self.most {
                    self.over("OK")
                } else {
                    Progress::Ask(Action::WaitExten(self.further))
                }
            }
            Outcome::Timeout if self.digits.is_empty() && self.attempts > 0 => {
                self.attempts -= 1;
                Progress::Ask(self.attempt())
            }
            Outcome::Timeout => self.over("TIMEOUT"),
            // The files are over.
            _ => Progress::Ask(Action::WaitExten(self.first)),
        }
    }

    fn over(&mut self, status: &'static str) -> Progress {
        Progress::Over(std::mem::take(&mut self.variable), std::mem::take(&mut self.digits), status)
    }
}

fn check(check: &mut Check<'_>, arguments: &str) {
    let arguments = split(arguments);
    let part = |place: usize| arguments.get(place).map_or("", |part| part.trim());
    if part(0).is_empty() {
        check.error("expected the name of a variable");
    }
    for (place, what) in [(2, "a number of digits"), (4, "a number of attempts")] {
        let text = part(place);
        if !text.is_empty() && !is_open(text) && text.parse::<u32>().is_err() {
            check.error(format!("expected {what}, found `{text}`"));
        }
    }
    super::check_seconds(check, part(5));
    if is_open(part(3)) {
        return;
    }
    for option in part(3).chars() {
        match option {
            's' | 'n' => {}
            'i' | 't' => check.warning(format!("option `{option}` is not supported and left out")),
            _ => check.error(format!("unknown option `{option}`: expected s or n")),
        }
    }
}

fn run(run: &mut Run<'_>, arguments: &str) -> Flow {
    let arguments = split(arguments);
    let part = |place: usize| arguments.get(place).map_or("", |part| part.trim());
    let answered = run.thread.facts().answered;
    if !answered && part(3).contains('s') {
        run.thread.set_variable("READSTATUS", "SKIPPED");
        return Flow::Next;
    }
    let time = seconds(part(5)).filter(|time| !time.is_zero());
    let reading = Reading {
        variable: part(0).to_owned(),
        files: files(part(1)),
        early: !answered,
        most: part(2).parse().ok().filter(|&most| most > 0).unwrap_or(MAX_DIGITS).min(MAX_DIGITS),
        attempts: part(4).parse().unwrap_or(1_u32).clamp(1, 100) - 1,
        first: time.unwrap_or(run.thread.response_time()),
        further: time.unwrap_or(run.thread.digit_time()),
        digits: String::new(),
    };
    if answered || part(3).contains('n') {
        return Flow::Act(reading.attempt(), Pending::Read(Box::new(reading)));
    }
    let reading = Reading { early: false, ..reading };
    run.answered(reading.attempt(), Pending::Read(Box::new(reading)))
}
