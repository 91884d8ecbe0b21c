//! Error-Info (RFC 3261 §20.18).

use crate::header::macros::uri_header;

uri_header! {
    /// Where to hear more about a failure.
    ErrorInfo, ERROR_INFO, list: true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::macros::examples;

    examples! {
        ErrorInfo, the_examples_of_rfc_3261_are_read_and_written,
        same: ["<sip:not-in-service-recording@atlanta.com>"],
        other: [],
        refused: ["", "<>", "A <sip:a@b>", "<sip:a@b"]
    }
}
