//! A dialplan on a stage: a text, a caller, and a script of what happens and what is done.

use std::{sync::Arc, time::Duration};

use jiff::tz::TimeZone;
use pbx::{
    asterisk::file,
    dialplan::{Action, CallerId, Dial, DialStatus, Dialled, Dialplan, Facts, Outcome, Target, Thread, World},
};

/// Tuesday, 14 November 2023, 22:13:20 UTC.
pub(crate) const NOW: i64 = 1_700_000_000;

/// Reads a dialplan, and the problems that it has.
pub(crate) fn read(text: &str) -> (Arc<Dialplan>, Vec<String>) {
    let mut problems = Vec::new();
    let file = file::read("extensions.conf", &mut |_| Ok(text.to_owned()), &mut problems).unwrap();
    let plan = Dialplan::parse(&file, &mut problems);
    (Arc::new(plan), problems.iter().map(ToString::to_string).collect())
}

/// Reads a dialplan without problems.
pub(crate) fn plan(text: &str) -> Arc<Dialplan> {
    let (plan, problems) = read(text);
    assert_eq!(problems, Vec::<String>::new(), "{text}");
    plan
}

pub(crate) fn facts() -> Facts {
    Facts {
        name: "SIP/1001-00000001".to_owned(),
        technology: "SIP",
        peer: Some("1001".to_owned()),
        unique_id: "tandem-1700000000.1".to_owned(),
        caller: CallerId { number: "1001".to_owned(), name: "Alice".to_owned() },
        language: "en".to_owned(),
        ..Facts::default()
    }
}

/// A channel in a dialplan.
pub(crate) struct Stage {
    pub(crate) thread: Thread,
    pub(crate) world: World,
}

impl Stage {
    pub(crate) fn new(text: &str, context: &str, extension: &str) -> Self {
        Self::with(&plan(text), context, extension, facts())
    }

    pub(crate) fn with(plan: &Arc<Dialplan>, context: &str, extension: &str, facts: Facts) -> Self {
        let mut world = World::new(plan, [7; 32], TimeZone::UTC);
        world.set_clock(NOW * 1_000_000);
        Self { thread: Thread::start(plan.clone(), context, extension, facts).unwrap(), world }
    }

    /// What is done after something happened.
    pub(crate) fn after(&mut self, happened: &str) -> String {
        shown(&self.thread.resume(outcome(happened), &mut self.world))
    }

    /// Each line: what happened, and what is done then.
    pub(crate) fn script(&mut self, lines: &[(&str, &str)]) {
        for (happened, done) in lines {
            assert_eq!(self.after(happened), *done, "after {happened}");
        }
    }

    pub(crate) fn variable(&self, name: &str) -> String {
        self.thread.variable(name).unwrap_or_default()
    }
}

/// `begin`, `done`, `failed`, `timeout`, `digit 5`, `dialled BUSY 17`.
fn outcome(happened: &str) -> Outcome {
    let words: Vec<&str> = happened.split(' ').collect();
    match words.as_slice() {
        ["begin"] => Outcome::Begin,
        ["done"] => Outcome::Done,
        ["failed"] => Outcome::Failed,
        ["timeout"] => Outcome::Timeout,
        ["digit", digit] => Outcome::Digit(digit.chars().next().unwrap()),
        ["dialled", status, cause] => Outcome::Dialled(dialled(status, cause.parse().unwrap())),
        _ => panic!("{happened}"),
    }
}

pub(crate) fn dialled(status: &str, cause: u8) -> Dialled {
    use DialStatus::{Answer, Busy, Cancel, ChanUnavail, Congestion, NoAnswer};
    let all = [Answer, Busy, NoAnswer, Cancel, Congestion, ChanUnavail];
    let status = all.into_iter().find(|known| known.as_str() == status).unwrap();
    Dialled {
        status,
        cause,
        peer: "SIP/1002-00000002".to_owned(),
        number: "1002".to_owned(),
        talked: Duration::from_secs(7),
        total: Duration::from_secs(12),
    }
}

fn shown(action: &Action) -> String {
    match action {
        Action::Dial(dial) => shown_dial(dial),
        Action::Wait(time) => format!("Wait {time:?}"),
        Action::WaitExten(time) => format!("WaitExten {time:?}"),
        Action::Playback { files, early, interruptible } => {
            let early = if *early { " early" } else { "" };
            let interruptible = if *interruptible { " until a digit" } else { "" };
            format!("Playback {}{early}{interruptible}", files.join("+"))
        }
        Action::Hangup { cause: Some(cause) } => format!("Hangup {cause}"),
        Action::Hangup { cause: None } => "Hangup".to_owned(),
        Action::Busy { wait } => format!("Busy {wait:?}"),
        Action::Congestion { wait } => format!("Congestion {wait:?}"),
        Action::Music { time, class } => format!("Music {class:?} {time:?}"),
        Action::End(end) => format!("End {end:?}"),
        other => format!("{other:?}"),
    }
}

fn shown_dial(dial: &Dial) -> String {
    let targets = dial.targets.iter().map(|target| match target {
        Target::Sip { technology, peer, extension: None } => format!("{technology}/{peer}"),
        Target::Sip { technology, peer, extension: Some(extension) } => format!("{technology}/{extension}@{peer}"),
        Target::Iax { peer, extension, context } => {
            let place = [extension.as_deref().unwrap_or("-"), context.as_deref().unwrap_or("-")].join("@");
            format!("IAX2/{}/{place}", peer.name)
        }
        Target::Local { extension, context } => format!("Local/{extension}@{context}"),
        Target::Unknown { technology, .. } => format!("{technology}?"),
    });
    let mut shown = format!("Dial {}", targets.collect::<Vec<_>>().join("&"));
    if let Some(time) = dial.timeout {
        shown.push_str(&format!(" {time:?}"));
    }
    for (is_set, option) in [(dial.ring, " r"), (dial.go_on, " g")] {
        if is_set {
            shown.push_str(option);
        }
    }
    shown
}
