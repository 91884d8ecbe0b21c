//! Supported (RFC 3261 §20.37).

use crate::header::macros::token_header;

token_header! {
    /// One extension that the sender knows.
    Supported, SUPPORTED, list: true, empty: true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::macros::examples;

    examples! {
        Supported, the_examples_of_rfc_3261_are_read_and_written,
        same: ["100rel", "timer"],
        other: [],
        refused: ["", "a b", "a;b"]
    }
}
