//! Extensions that Asterisk goes to by itself and this program does not.

use super::Dialplan;
use crate::asterisk::file::Problem;

/// Their names, and why nothing leads there but a jump.
const ONLY_BY_JUMP: &[(&str, &str)] = &[
    ("o", "no application here lets a caller leave for the operator, as VoiceMail and Directory do"),
    ("a", "no application here lets a caller leave for an assistant, as VoiceMail and Directory do"),
    ("T", "TIMEOUT(absolute) is not supported"),
    ("fax", "fax tones are not listened for"),
];

/// Applications that lead to an extension which their arguments name.
const JUMPS: &[&str] = &["Goto", "GotoIf", "GotoIfTime", "Gosub", "GosubIf", "ExecIf", "Dial"];

/// Warns of special extensions that no step names: they are loaded and shown, but only a jump or a number that is dialled
/// gets there.
pub(super) fn examine(plan: &Dialplan, problems: &mut Vec<Problem>) {
    for context in plan.contexts.values() {
        for extension in &context.extensions {
            let name = extension.pattern.as_str();
            let Some((_, why)) = ONLY_BY_JUMP.iter().find(|(special, _)| *special == name) else { continue };
            let Some(first) = extension.steps.first() else { continue };
            if !is_named(plan, name) {
                let message = format!("`{name}` is reached by Goto, or by who dials it, and not by itself: {why}");
                problems.push(Problem::warning(&first.place, message));
            }
        }
    }
}

fn is_named(plan: &Dialplan, name: &str) -> bool {
    let mut jumps = plan.steps().filter(|(application, ..)| JUMPS.contains(application));
    jumps.any(|(_, arguments, _)| {
        arguments.split([',', '?', ':', '(', ')', '/', '@', '&']).any(|word| word.trim() == name)
    })
}
