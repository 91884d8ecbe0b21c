//! Alert-Info (RFC 3261 §20.4).

use crate::header::macros::uri_header;

uri_header! {
    /// A sound to ring with.
    AlertInfo, ALERT_INFO, list: true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::macros::examples;

    examples! {
        AlertInfo, the_examples_of_rfc_3261_are_read_and_written,
        same: ["<http://www.example.com/sounds/moo.wav>", "<urn:alert:service:normal>;appearance=1"],
        other: [],
        refused: ["", "<>", "A <sip:a@b>", "<sip:a@b"]
    }
}
