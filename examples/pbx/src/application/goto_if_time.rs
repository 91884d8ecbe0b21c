//! `GotoIfTime(times,weekdays,days,months?[place if in them][:place if not])`.

use super::{Application, Flow, goto_if::choose, is_open};
use crate::dialplan::{Check, Run, Times, cut};

pub(super) const GOTO_IF_TIME: Application = Application { name: "GotoIfTime", check, run };

fn check(check: &mut Check<'_>, arguments: &str) {
    let (times, Some(places)) = cut(arguments, '?') else {
        check.error(format!("expected times,weekdays,days,months?place:place, found `{arguments}`"));
        return;
    };
    if !is_open(times) {
        match Times::parse(times) {
            Ok(_) if times.split([',', '|']).count() > 4 => {
                check.warning("a time zone is not supported: times are those of the PBX");
            }
            Ok(_) => {}
            Err(error) => check.error(format!("{error}, found `{times}`")),
        }
    }
    let (yes, no) = cut(places, ':');
    for place in [Some(yes), no].into_iter().flatten().map(str::trim).filter(|place| !place.is_empty()) {
        check.place(place);
    }
}

fn run(run: &mut Run<'_>, arguments: &str) -> Flow {
    let (times, places) = arguments.split_once('?').unwrap_or((arguments, ""));
    let now = run.world.now();
    let is_in = Times::parse(times).is_ok_and(|times| times.contains(&now));
    choose(run, is_in, places)
}
