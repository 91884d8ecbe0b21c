//! SIP-ETag (RFC 3903 §11.3.1).

use crate::header::macros::token_header;

token_header! {
    /// The name of what was published.
    SipEtag, SIP_ETAG, list: false, empty: false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::macros::examples;

    examples! {
        SipEtag, the_examples_of_rfc_3903_are_read_and_written,
        same: ["dx200xyz", "12345"],
        other: [],
        refused: ["", "a b", "a;b"]
    }
}
