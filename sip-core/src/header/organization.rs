//! Organization (RFC 3261 §20.25).

use crate::header::macros::text_header;

text_header! {
    /// The organisation of the sender.
    Organization, ORGANIZATION
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::macros::examples;

    examples! {
        Organization, the_examples_of_rfc_3261_are_read_and_written,
        same: ["Boxes by Bob", ""],
        other: [],
        refused: ["a\u{1}b"]
    }
}
