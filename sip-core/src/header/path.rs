//! Path (RFC 3327 §4).

use crate::header::macros::name_addr_header;

name_addr_header! {
    /// One proxy between the registrar and the contact.
    Path, PATH, list: true, form: scan_bracketed
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::macros::examples;

    examples! {
        Path, the_examples_of_rfc_3327_are_read_and_written,
        same: ["<sip:P3.EXAMPLEHOME.COM;lr>", "<sip:P1.EXAMPLEVISITED.COM;lr>;x=y"],
        other: [],
        refused: ["", "sip:a@b"]
    }
}
