//! `Playback(file[&file…][,options])`: `skip` plays only to answered channels, `noanswer` plays early media.

use super::{Application, Flow, is_open};
use crate::dialplan::{Action, Check, Pending, Run, split};

pub(super) const PLAYBACK: Application = Application { name: "Playback", check, run };

fn check(check: &mut Check<'_>, arguments: &str) {
    let arguments = split(arguments);
    if arguments.first().is_none_or(|files| files.trim().is_empty()) {
        check.error("expected the names of files with & between them");
    }
    let options = arguments.get(1).map(String::as_str).unwrap_or_default();
    for option in options.split('&').map(str::trim).filter(|option| !option.is_empty() && !is_open(option)) {
        match option {
            "skip" | "noanswer" | "s" | "n" => {}
            "say" | "mix" => {
                check.warning(format!("option `{option}` is not supported: a file of that name is played"))
            }
            _ => check.error(format!("unknown option `{option}`: expected skip or noanswer")),
        }
    }
}

fn run(run: &mut Run<'_>, arguments: &str) -> Flow {
    let arguments = split(arguments);
    let files = files(arguments.first().map(String::as_str).unwrap_or_default());
    let options = arguments.get(1).map(String::as_str).unwrap_or_default();
    let has = |wanted: &str| options.split('&').any(|option| option.trim() == wanted);
    let answered = run.thread.facts().answered;
    if !answered && has("skip") || files.is_empty() {
        run.thread.set_variable("PLAYBACKSTATUS", if files.is_empty() { "FAILED" } else { "SUCCESS" });
        return Flow::Next;
    }
    let early = !answered && has("noanswer");
    let action = Action::Playback { files, early, interruptible: false };
    if early { Flow::Act(action, Pending::Play) } else { run.answered(action, Pending::Play) }
}

/// `a&b`: at most a hundred.
pub(super) fn files(text: &str) -> Vec<String> {
    let files = text.split('&').map(str::trim).filter(|file| !file.is_empty());
    files.take(100).map(str::to_owned).collect()
}
