//! Join (RFC 3911 §7.1).

use crate::header::macros::dialog_header;

dialog_header! {
    /// Which dialog the new one is to be added to.
    Join, JOIN, to_tag "to-tag", from_tag "from-tag"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::macros::examples;

    examples! {
        Join, the_examples_of_rfc_3911_are_read_and_written,
        same: ["12adf2f34456gs5;to-tag=12345;from-tag=54321"],
        other: ["98732@sip.example.com ;from-tag=r33th4x0r ;to-tag=ff87ff"],
        refused: ["", ";to-tag=1", "a b;to-tag=1;from-tag=2", "a"]
    }
}
