//! Subject (RFC 3261 §20.36).

use crate::header::macros::text_header;

text_header! {
    /// What the call is about.
    Subject, SUBJECT
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::macros::examples;

    examples! {
        Subject, the_examples_of_rfc_3261_are_read_and_written,
        same: ["Need more boxes", "Tech Support", "", r#"Grüße, "x""#],
        other: [],
        refused: ["a\u{1}b"]
    }
}
