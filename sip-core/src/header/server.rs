//! Server (RFC 3261 §20.35).

use crate::header::macros::text_header;

text_header! {
    /// The software that sent the response.
    Server, SERVER
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::macros::examples;

    examples! {
        Server, the_examples_of_rfc_3261_are_read_and_written,
        same: ["HomeServer v2"],
        other: [],
        refused: ["a\u{1}b"]
    }
}
