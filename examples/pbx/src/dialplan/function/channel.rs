//! `CHANNEL`: what is known of the channel.

use crate::dialplan::run::Run;

pub(super) fn read(run: &mut Run<'_>, item: &str) -> Option<String> {
    let thread = &run.thread;
    let facts = &thread.facts;
    let item = item.split(',').next().unwrap_or_default().trim().to_ascii_lowercase();
    Some(match item.as_str() {
        "name" => facts.name.clone(),
        "channeltype" => facts.technology.to_owned(),
        "peername" | "endpoint" => facts.peer.clone()?,
        "uniqueid" | "linkedid" => facts.unique_id.clone(),
        "language" => facts.language.clone(),
        "state" => if facts.answered { "Up" } else { "Ring" }.to_owned(),
        "exten" => thread.position.extension.clone(),
        "context" => thread.position.context.clone(),
        "hangup_cause" => facts.hangup_cause.to_string(),
        _ => facts.items.iter().find(|(name, _)| *name == item)?.1.clone(),
    })
}

pub(super) fn write(run: &mut Run<'_>, item: &str, value: &str) -> bool {
    let facts = &mut run.thread.facts;
    let item = item.trim().to_ascii_lowercase();
    let value: String = value.chars().filter(|character| !character.is_control()).take(80).collect();
    match item.as_str() {
        "language" => facts.language = value,
        // What the switch may look at, and what other steps may read again.
        "musicclass" | "accountcode" | "userfield" | "parkinglot" => {
            match facts.items.iter_mut().find(|(name, _)| *name == item) {
                Some((_, known)) => *known = value,
                None => facts.items.push((item, value)),
            }
        }
        _ => return false,
    }
    true
}
