//! Diversion (RFC 5806 §4).

use crate::header::macros::name_addr_header;

name_addr_header! {
    /// Who sent the call elsewhere, and why.
    Diversion, DIVERSION, list: true, form: scan_bracketed
}

impl Diversion {
    /// Why: `unconditional`, `user-busy`, `no-answer` or another.
    #[must_use]
    pub fn reason(&self) -> Option<std::borrow::Cow<'_, [u8]>> {
        self.0.params.text("reason")
    }

    /// How many diversions happened, 1 if it does not say.
    #[must_use]
    pub fn counter(&self) -> u32 {
        self.0.params.number("counter").unwrap_or(1)
    }

    /// How much of it is secret: `full`, `name`, `uri` or `off`.
    #[must_use]
    pub fn privacy(&self) -> Option<std::borrow::Cow<'_, [u8]>> {
        self.0.params.text("privacy")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::macros::examples;

    examples! {
        Diversion, the_examples_of_rfc_5806_are_read_and_written,
        same: ["<sip:WeSellPizza@p2.isp.com>;reason=time-of-day", r#"<tel:+19195551002>;reason=user-busy;privacy="off";counter=1;screen=no"#],
        other: ["<sip:Bob@uas1.isp.com> ;reason=do-not-disturb"],
        refused: ["", "<>", "<sip:a@b"]
    }

    #[test]
    fn reason_counter_and_privacy_are_found() {
        let diversion: Diversion = "<sip:a@b>;reason=\"user-busy\";counter=2;privacy=full".parse().unwrap();
        assert_eq!(diversion.reason().as_deref(), Some(&b"user-busy"[..]));
        assert_eq!((diversion.counter(), diversion.privacy().as_deref()), (2, Some(&b"full"[..])));
    }
}
