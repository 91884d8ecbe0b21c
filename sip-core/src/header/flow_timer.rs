//! Flow-Timer (RFC 5626 §11.1).

use crate::header::macros::number_header;

number_header! {
    /// After how many silent seconds the server gives up a flow.
    FlowTimer(u32), FLOW_TIMER
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::macros::examples;

    examples! {
        FlowTimer, the_examples_of_rfc_5626_are_read_and_written,
        same: ["126"],
        other: [],
        refused: ["", "x", "-1", "1 2", "99999999999"]
    }
}
