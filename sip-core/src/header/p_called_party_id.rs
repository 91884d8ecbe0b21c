//! P-Called-Party-ID (RFC 7315 §4.2).

use crate::header::macros::name_addr_header;

name_addr_header! {
    /// Which of his addresses the user was called by.
    PCalledPartyId, P_CALLED_PARTY_ID, list: false, form: scan
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::macros::examples;

    examples! {
        PCalledPartyId, the_examples_of_rfc_7315_are_read_and_written,
        same: ["<sip:user1-business@example.com>"],
        other: ["sip:user1-business@example.com"],
        refused: ["", "<>", "<sip:a@b"]
    }
}
