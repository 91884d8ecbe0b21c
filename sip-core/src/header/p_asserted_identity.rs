//! P-Asserted-Identity (RFC 3325 §9.1).

use crate::header::macros::name_addr_header;

name_addr_header! {
    /// Who the trusted network says that the sender is.
    PAssertedIdentity, P_ASSERTED_IDENTITY, list: true, form: scan
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::macros::examples;

    examples! {
        PAssertedIdentity, the_examples_of_rfc_3325_are_read_and_written,
        same: ["<tel:+14085264000>"],
        other: [r#""Cullen Jennings" <sip:fluffy@cisco.com>"#, "tel:+14085264000"],
        refused: ["", "<>", "<sip:a@b"]
    }
}
