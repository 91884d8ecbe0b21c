//! `Background(file[&file…][,options])`: plays, and a digit begins an extension.

use super::{Application, Flow, is_open, playback::files};
use crate::dialplan::{Action, Check, Pending, Run, split};

pub(super) const BACKGROUND: Application = Application { name: "Background", check, run };

fn check(check: &mut Check<'_>, arguments: &str) {
    let arguments = split(arguments);
    if arguments.first().is_none_or(|files| files.trim().is_empty()) {
        check.error("expected the names of files with & between them");
    }
    let options = arguments.get(1).map(String::as_str).unwrap_or_default();
    if is_open(options) {
        return;
    }
    for option in options.chars().filter(|option| !option.is_whitespace()) {
        match option {
            's' | 'n' => {}
            'm' | 'p' => check.warning(format!("option `{option}` is not supported: every digit counts")),
            _ => check.error(format!("unknown option `{option}`: expected s or n")),
        }
    }
    if arguments.get(3).is_some_and(|context| !context.is_empty()) {
        check.warning("the context of digits is not supported: they are looked up in the channel's own");
    }
}

fn run(run: &mut Run<'_>, arguments: &str) -> Flow {
    let arguments = split(arguments);
    let files = files(arguments.first().map(String::as_str).unwrap_or_default());
    let options = arguments.get(1).map(String::as_str).unwrap_or_default();
    let answered = run.thread.facts().answered;
    if files.is_empty() || !answered && options.contains('s') {
        return Flow::Next;
    }
    let early = !answered && options.contains('n');
    let action = Action::Playback { files, early, interruptible: true };
    if early { Flow::Act(action, Pending::Background) } else { run.answered(action, Pending::Background) }
}
