//! Expires (RFC 3261 §20.19).

use crate::header::macros::seconds_header;

seconds_header! {
    /// How many seconds something is valid. Too large a number counts as the largest.
    Expires, EXPIRES
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::macros::examples;

    examples! {
        Expires, the_examples_of_rfc_3261_are_read_and_written,
        same: ["5", "0", "7200"],
        other: ["10000000000000000"],
        refused: ["", "x", "-1", "5 6"]
    }
}
