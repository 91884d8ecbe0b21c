//! Request-Disposition (RFC 3841 §9.1).

use crate::header::macros::token_header;

token_header! {
    /// One wish about how the request is routed.
    RequestDisposition, REQUEST_DISPOSITION, list: true, empty: false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::macros::examples;

    examples! {
        RequestDisposition, the_examples_of_rfc_3841_are_read_and_written,
        same: ["proxy", "recurse", "no-fork"],
        other: [],
        refused: ["", "a b", "a;b"]
    }
}
