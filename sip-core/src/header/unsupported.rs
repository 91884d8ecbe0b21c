//! Unsupported (RFC 3261 §20.40).

use crate::header::macros::token_header;

token_header! {
    /// One extension that the answering server does not know.
    Unsupported, UNSUPPORTED, list: true, empty: false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::macros::examples;

    examples! {
        Unsupported, the_examples_of_rfc_3261_are_read_and_written,
        same: ["foo"],
        other: [],
        refused: ["", "a b", "a;b"]
    }
}
