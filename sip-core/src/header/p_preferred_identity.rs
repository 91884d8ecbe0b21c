//! P-Preferred-Identity (RFC 3325 §9.2).

use crate::header::macros::name_addr_header;

name_addr_header! {
    /// Which of his identities the sender wants to be asserted.
    PPreferredIdentity, P_PREFERRED_IDENTITY, list: true, form: scan
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::macros::examples;

    examples! {
        PPreferredIdentity, the_examples_of_rfc_3325_are_read_and_written,
        same: ["Cullen <sip:fluffy@cisco.com>"],
        other: [r#""Cullen Jennings" <sip:fluffy@cisco.com>"#],
        refused: ["", "<>", "<sip:a@b"]
    }
}
