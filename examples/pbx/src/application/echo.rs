//! `Echo()`: the caller hears itself until it presses `#`.

use super::{Application, Flow, anything};
use crate::dialplan::{Action, Pending, Run};

pub(super) const ECHO: Application = Application { name: "Echo", check: anything, run };

fn run(_: &mut Run<'_>, _: &str) -> Flow {
    Flow::Act(Action::Echo, Pending::Next)
}
