//! `MusicOnHold([class[,seconds]])`, and music that goes on beside other steps, which is not supported.

use super::{Application, Flow, check_seconds, seconds};
use crate::dialplan::{Action, Check, Pending, Run, split};

pub(super) const MUSIC_ON_HOLD: Application = Application { name: "MusicOnHold", check, run };
pub(super) const START_MUSIC_ON_HOLD: Application =
    Application { name: "StartMusicOnHold", check: unsupported, run: nothing };
pub(super) const STOP_MUSIC_ON_HOLD: Application =
    Application { name: "StopMusicOnHold", check: unsupported, run: nothing };
pub(super) const SET_MUSIC_ON_HOLD: Application =
    Application { name: "SetMusicOnHold", check: super::anything, run: set };

fn check(check: &mut Check<'_>, arguments: &str) {
    let arguments = split(arguments);
    check_seconds(check, arguments.get(1).map(String::as_str).unwrap_or_default());
}

fn run(_: &mut Run<'_>, arguments: &str) -> Flow {
    let arguments = split(arguments);
    let class = arguments.first().map(|class| class.trim()).filter(|class| !class.is_empty());
    let time = arguments.get(1).and_then(|time| seconds(time));
    Flow::Act(Action::Music { time, class: class.map(str::to_owned) }, Pending::Next)
}

fn unsupported(check: &mut Check<'_>, _: &str) {
    check.warning("music beside other steps is not supported: nothing is played");
}

fn nothing(_: &mut Run<'_>, _: &str) -> Flow {
    Flow::Next
}

fn set(run: &mut Run<'_>, arguments: &str) -> Flow {
    crate::dialplan::set_function(run, "CHANNEL", "musicclass", arguments.trim());
    Flow::Next
}
