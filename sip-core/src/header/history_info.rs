//! History-Info (RFC 7044 §5).

use crate::header::macros::name_addr_header;

name_addr_header! {
    /// One target that the request had on its way.
    HistoryInfo, HISTORY_INFO, list: true, form: scan_bracketed
}

impl HistoryInfo {
    /// Its place in the tree of targets, such as `1.2.1`.
    #[must_use]
    pub fn index(&self) -> Option<&[u8]> {
        self.0.params.value("index")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::macros::examples;

    examples! {
        HistoryInfo, the_examples_of_rfc_7044_are_read_and_written,
        same: ["<sip:bob@biloxi.example.com>;index=1", "<sip:bob@192.0.2.5?Reason=SIP%3Bcause%3D302>;index=1.1;rc=1"],
        other: [r#"<sip:UserA@ims.example.com?Reason=SIP; cause=302; text="Moved Temporarily">; index=1.1"#],
        refused: ["", "<>", "<sip:a@b"]
    }
}
