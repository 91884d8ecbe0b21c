//! Reply-To (RFC 3261 §20.31).

use crate::header::macros::name_addr_header;

name_addr_header! {
    /// Whom to call back.
    ReplyTo, REPLY_TO, list: false, form: scan
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::macros::examples;

    examples! {
        ReplyTo, the_examples_of_rfc_3261_are_read_and_written,
        same: ["Bob <sip:bob@biloxi.com>"],
        other: ["sip:bob@biloxi.com;x=1"],
        refused: ["", "<>", "<sip:a@b"]
    }
}
