//! `CALLERID`: who calls.

use crate::dialplan::{CallerId, run::Run};

pub(super) fn read(run: &mut Run<'_>, item: &str) -> Option<String> {
    let caller = &run.thread.facts.caller;
    match item_name(item).as_str() {
        "num" | "number" | "ani" | "ani-num" => Some(caller.number.clone()),
        "name" | "ani-name" => Some(caller.name.clone()),
        "all" | "ani-all" => Some(format!("\"{}\" <{}>", caller.name, caller.number)),
        "dnid" => Some(run.thread.position.extension.clone()),
        _ => None,
    }
}

pub(super) fn write(run: &mut Run<'_>, item: &str, value: &str) -> bool {
    let caller = &mut run.thread.facts.caller;
    let value: String = value.chars().filter(|character| !character.is_control()).take(80).collect();
    match item_name(item).as_str() {
        "num" | "number" => caller.number = value.trim().to_owned(),
        "name" => caller.name = value.trim().trim_matches('"').to_owned(),
        "all" => *caller = both(&value),
        _ => return false,
    }
    true
}

/// The first argument; a second one, an address, is not needed.
fn item_name(item: &str) -> String {
    item.split(',').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// `"Alice" <1001>`, `Alice <1001>` or `1001`.
fn both(text: &str) -> CallerId {
    let text = text.trim();
    if let Some((name, number)) = text.split_once('<') {
        let number = number.split('>').next().unwrap_or_default();
        return CallerId { number: number.trim().to_owned(), name: name.trim().trim_matches('"').to_owned() };
    }
    let bare = text.trim_matches('"');
    let is_number =
        !bare.is_empty() && bare.chars().all(|character| character.is_ascii_digit() || "*#+-.".contains(character));
    match is_number {
        true => CallerId { number: bare.to_owned(), name: String::new() },
        false => CallerId { number: String::new(), name: bare.to_owned() },
    }
}
