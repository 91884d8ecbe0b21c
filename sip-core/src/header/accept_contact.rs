//! Accept-Contact (RFC 3841 §9.2).

use crate::header::macros::star_header;

star_header! {
    /// What a contact should be able to do to get the request.
    AcceptContact, ACCEPT_CONTACT
}

impl AcceptContact {
    /// Whether contacts that do not match are left out.
    #[must_use]
    pub fn is_required(&self) -> bool {
        self.params.contains("require")
    }

    /// Whether contacts that do not say so count as unable.
    #[must_use]
    pub fn is_explicit(&self) -> bool {
        self.params.contains("explicit")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::macros::examples;

    examples! {
        AcceptContact, the_examples_of_rfc_3841_are_read_and_written,
        same: ["*;audio;require", r#"*;methods="BYE";class="business";q=1.0"#, r#"*;mobility="mobile";methods="INVITE""#, r#"*;+sip.fax="t38""#],
        other: ["* ; video ; explicit"],
        refused: ["", "x;a", "*x", "*;"]
    }
}
