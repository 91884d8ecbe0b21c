//! Priority (RFC 3261 §20.26).

use crate::header::macros::token_header;

token_header! {
    /// How urgent the request is to a human.
    Priority, PRIORITY, list: false, empty: false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::macros::examples;

    examples! {
        Priority, the_examples_of_rfc_3261_are_read_and_written,
        same: ["emergency", "non-urgent"],
        other: [],
        refused: ["", "a b", "a;b"]
    }
}
