//! P-Associated-URI (RFC 7315 §4.1).

use crate::header::macros::name_addr_header;

name_addr_header! {
    /// One more address of the registered user.
    PAssociatedUri, P_ASSOCIATED_URI, list: true, form: scan, empty: true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::macros::examples;

    examples! {
        PAssociatedUri, the_examples_of_rfc_7315_are_read_and_written,
        same: ["<sip:user2@example.com>;x=y", "<tel:+1201>"],
        other: [],
        refused: ["", "<>", "<sip:a@b"]
    }
}
