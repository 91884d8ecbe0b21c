//! SIP-If-Match (RFC 3903 §11.3.2).

use crate::header::macros::token_header;

token_header! {
    /// The name of what is published anew.
    SipIfMatch, SIP_IF_MATCH, list: false, empty: false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::macros::examples;

    examples! {
        SipIfMatch, the_examples_of_rfc_3903_are_read_and_written,
        same: ["dx200xyz"],
        other: [],
        refused: ["", "a b", "a;b"]
    }
}
