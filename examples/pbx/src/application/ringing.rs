//! `Ringing()`: the caller hears that it rings.

use super::{Application, Flow, anything};
use crate::dialplan::{Action, Pending, Run};

pub(super) const RINGING: Application = Application { name: "Ringing", check: anything, run };

fn run(_: &mut Run<'_>, _: &str) -> Flow {
    Flow::Act(Action::Ringing, Pending::Next)
}
