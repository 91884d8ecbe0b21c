//! `Return([value])`: back to the step after Gosub, with the value in `GOSUB_RETVAL`.

use super::{Application, Flow, anything};
use crate::dialplan::{End, Run};

pub(super) const RETURN: Application = Application { name: "Return", check: anything, run };

fn run(run: &mut Run<'_>, arguments: &str) -> Flow {
    let Some(back) = run.thread.leave() else {
        tracing::warn!(channel = run.thread.facts().name, "return without a subroutine");
        return Flow::End(End::Error);
    };
    run.thread.set_variable("GOSUB_RETVAL", arguments);
    if run.thread.is_at_the_end() {
        return Flow::End(End::Finished);
    }
    run.jump(&back.context, &back.extension, back.priority);
    Flow::Jumped
}
