//! `GotoIf(condition?[place if true][:place if false])`.

use super::{Application, Flow, goto::go};
use crate::dialplan::{Check, Run, cut, is_true};

pub(super) const GOTO_IF: Application = Application { name: "GotoIf", check, run };

fn check(check: &mut Check<'_>, arguments: &str) {
    let (_, Some(places)) = cut(arguments, '?') else {
        check.error(format!("expected condition?place:place, found `{arguments}`"));
        return;
    };
    let (yes, no) = cut(places, ':');
    let places = [Some(yes), no].into_iter().flatten().map(str::trim);
    let places: Vec<&str> = places.filter(|place| !place.is_empty()).collect();
    if places.is_empty() {
        check.error("expected a place after `?`");
    }
    for place in places {
        check.place(place);
    }
}

fn run(run: &mut Run<'_>, arguments: &str) -> Flow {
    let (condition, places) = arguments.split_once('?').unwrap_or((arguments, ""));
    choose(run, is_true(condition), places)
}

/// Goes to the first place or to the second, or goes on when there is none.
pub(super) fn choose(run: &mut Run<'_>, first: bool, places: &str) -> Flow {
    let (yes, no) = cut(places, ':');
    let place = if first { yes } else { no.unwrap_or_default() };
    if place.trim().is_empty() { Flow::Next } else { go(run, place) }
}
