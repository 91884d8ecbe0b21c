//! Referred-By (RFC 3892 §3).

use crate::header::macros::name_addr_header;

name_addr_header! {
    /// Who sent the REFER that led here.
    ReferredBy, REFERRED_BY, list: false, form: scan
}

impl ReferredBy {
    /// The Content-ID of the body part that proves it.
    #[must_use]
    pub fn content_id(&self) -> Option<std::borrow::Cow<'_, [u8]>> {
        self.0.params.text("cid")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::macros::examples;

    examples! {
        ReferredBy, the_examples_of_rfc_3892_are_read_and_written,
        same: [r#"<sip:referrer@referrer.example>;cid="20398823.2UWQFN309shb3@referrer.example""#],
        other: ["sip:r@ref.example"],
        refused: ["", "<>", "<alice@example.com>", ">a<"]
    }
}
