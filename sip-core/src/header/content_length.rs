//! Content-Length (RFC 3261 §20.14).

use crate::header::macros::number_header;

number_header! {
    /// How many bytes the body has.
    ContentLength(u32), CONTENT_LENGTH
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::macros::examples;

    examples! {
        ContentLength, the_examples_of_rfc_3261_are_read_and_written,
        same: ["349", "0"],
        other: [],
        refused: ["", "x", "-1", "1 2", "99999999999"]
    }
}
