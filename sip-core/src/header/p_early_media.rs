//! P-Early-Media (RFC 5009 §8).

use crate::header::macros::token_header;

token_header! {
    /// One thing about early media: a direction, `gated` or `supported`.
    PEarlyMedia, P_EARLY_MEDIA, list: true, empty: true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::macros::examples;

    examples! {
        PEarlyMedia, the_examples_of_rfc_5009_are_read_and_written,
        same: ["supported", "sendonly", "gated"],
        other: [],
        refused: ["", "a b", "a;b"]
    }
}
