//! Content-Language (RFC 3261 §20.13).

use crate::header::macros::token_header;

token_header! {
    /// One language of the body.
    ContentLanguage, CONTENT_LANGUAGE, list: true, empty: false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::macros::examples;

    examples! {
        ContentLanguage, the_examples_of_rfc_3261_are_read_and_written,
        same: ["fr", "en-GB"],
        other: [],
        refused: ["", "a b", "a;b"]
    }
}
