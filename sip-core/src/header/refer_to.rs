//! Refer-To (RFC 3515 §2.1).

use crate::header::macros::name_addr_header;

name_addr_header! {
    /// Whom the receiver of a REFER is to contact.
    ReferTo, REFER_TO, list: false, form: scan
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::macros::examples;

    examples! {
        ReferTo, the_examples_of_rfc_3515_are_read_and_written,
        same: ["<sip:alice@atlanta.example.com>", "<sip:dave@denver.example.org?Replaces=12345%40192.168.118.3%3Bto-tag%3D12345%3Bfrom-tag%3D5FFE-3994>", "<sip:carol@cleveland.example.org;method=SUBSCRIBE>"],
        other: ["sip:a@b;x=1"],
        refused: ["", "<>", "<sip:a@b"]
    }
}
