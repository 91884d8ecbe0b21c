//! Content-Encoding (RFC 3261 §20.12).

use crate::header::macros::token_header;

token_header! {
    /// One coding that was applied to the body.
    ContentEncoding, CONTENT_ENCODING, list: true, empty: false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::macros::examples;

    examples! {
        ContentEncoding, the_examples_of_rfc_3261_are_read_and_written,
        same: ["gzip", "tar"],
        other: [],
        refused: ["", "a b", "a;b"]
    }
}
