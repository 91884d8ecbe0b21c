//! `Busy([seconds])` and `Congestion([seconds])`: the caller hears why it goes no further, then the call ends.

use super::{Application, Flow, check_seconds, seconds};
use crate::dialplan::{Action, Pending, Run};

pub(super) const BUSY: Application = Application { name: "Busy", check: check_seconds, run: busy };
pub(super) const CONGESTION: Application = Application { name: "Congestion", check: check_seconds, run: congestion };

/// Q.850: user busy.
const USER_BUSY: u8 = 17;
/// Q.850: no circuit available.
const NO_CIRCUIT: u8 = 34;

fn busy(run: &mut Run<'_>, arguments: &str) -> Flow {
    run.thread.facts_mut().hangup_cause = USER_BUSY;
    Flow::Act(Action::Busy { wait: seconds(arguments) }, Pending::Tone)
}

fn congestion(run: &mut Run<'_>, arguments: &str) -> Flow {
    run.thread.facts_mut().hangup_cause = NO_CIRCUIT;
    Flow::Act(Action::Congestion { wait: seconds(arguments) }, Pending::Tone)
}
