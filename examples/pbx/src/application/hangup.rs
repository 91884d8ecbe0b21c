//! `Hangup([cause])`: a Q.850 number, or Asterisk's name for one.

use super::{Application, Flow, is_open};
use crate::dialplan::{Action, Check, Pending, Run};

pub(super) const HANGUP: Application = Application { name: "Hangup", check, run };

/// Asterisk's names.
const NAMES: [(&str, u8); 24] = [
    ("UNALLOCATED", 1),
    ("NO_ROUTE_TRANSIT_NET", 2),
    ("NO_ROUTE_DESTINATION", 3),
    ("NORMAL_CLEARING", 16),
    ("NORMAL", 16),
    ("USER_BUSY", 17),
    ("BUSY", 17),
    ("NO_USER_RESPONSE", 18),
    ("NO_ANSWER", 19),
    ("NOANSWER", 19),
    ("SUBSCRIBER_ABSENT", 20),
    ("CALL_REJECTED", 21),
    ("NUMBER_CHANGED", 22),
    ("DESTINATION_OUT_OF_ORDER", 27),
    ("INVALID_NUMBER_FORMAT", 28),
    ("FACILITY_REJECTED", 29),
    ("NORMAL_UNSPECIFIED", 31),
    ("NORMAL_CIRCUIT_CONGESTION", 34),
    ("CONGESTION", 34),
    ("NETWORK_OUT_OF_ORDER", 38),
    ("NORMAL_TEMPORARY_FAILURE", 41),
    ("FAILURE", 38),
    ("BEARERCAPABILITY_NOTAVAIL", 58),
    ("INTERWORKING", 127),
];

/// A cause from its number or name.
fn cause(text: &str) -> Option<u8> {
    let text = text.trim();
    if let Ok(number) = text.parse::<u8>() {
        return (number < 128).then_some(number);
    }
    let upper = text.to_ascii_uppercase();
    let name = upper.strip_prefix("AST_CAUSE_").unwrap_or(&upper);
    NAMES.iter().find(|(known, _)| *known == name).map(|(_, cause)| *cause)
}

fn check(check: &mut Check<'_>, arguments: &str) {
    if !arguments.trim().is_empty() && !is_open(arguments) && cause(arguments).is_none() {
        check.error(format!("expected a hangup cause such as 16 or USER_BUSY, found `{}`", arguments.trim()));
    }
}

fn run(run: &mut Run<'_>, arguments: &str) -> Flow {
    let cause = cause(arguments);
    if let Some(cause) = cause {
        run.thread.facts_mut().hangup_cause = cause;
    }
    Flow::Act(Action::Hangup { cause }, Pending::Over)
}
