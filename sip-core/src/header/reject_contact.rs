//! Reject-Contact (RFC 3841 §9.2).

use crate::header::macros::star_header;

star_header! {
    /// What a contact should not be to get the request.
    RejectContact, REJECT_CONTACT
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::macros::examples;

    examples! {
        RejectContact, the_examples_of_rfc_3841_are_read_and_written,
        same: [r#"*;actor="msg-taker";video"#],
        other: [],
        refused: ["", "x;a", "*x", "*;"]
    }
}
