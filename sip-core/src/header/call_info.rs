//! Call-Info (RFC 3261 §20.9).

use crate::header::macros::uri_header;

uri_header! {
    /// Something to know about the caller or the called.
    CallInfo, CALL_INFO, list: true
}

impl CallInfo {
    /// What the URI is for: `icon`, `info`, `card` or another.
    #[must_use]
    pub fn purpose(&self) -> Option<&[u8]> {
        self.params.value("purpose")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::macros::examples;

    examples! {
        CallInfo, the_examples_of_rfc_3261_are_read_and_written,
        same: ["<http://wwww.example.com/alice/photo.jpg>;purpose=icon"],
        other: ["<http://www.example.com/alice/> ;purpose=info", "cid:abcdef2@example.com;purpose=EmergencyCallData.cap"],
        refused: ["", "<>", "A <sip:a@b>", "<sip:a@b"]
    }
}
