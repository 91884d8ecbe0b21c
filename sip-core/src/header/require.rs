//! Require (RFC 3261 §20.32).

use crate::header::macros::token_header;

token_header! {
    /// One extension that the receiver must know.
    Require, REQUIRE, list: true, empty: false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::macros::examples;

    examples! {
        Require, the_examples_of_rfc_3261_are_read_and_written,
        same: ["100rel"],
        other: [],
        refused: ["", "a b", "a;b"]
    }
}
