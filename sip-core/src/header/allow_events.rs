//! Allow-Events (RFC 6665 §8.2.2).

use crate::header::macros::token_header;

token_header! {
    /// One event package that can be subscribed to.
    AllowEvents, ALLOW_EVENTS, list: true, empty: false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::macros::examples;

    examples! {
        AllowEvents, the_examples_of_rfc_6665_are_read_and_written,
        same: ["presence", "spirits-INDPs"],
        other: [],
        refused: ["", "a b", "a;b"]
    }
}
