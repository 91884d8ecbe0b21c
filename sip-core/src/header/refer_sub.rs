//! Refer-Sub (RFC 4488 §4).

use crate::header::macros::parameter_header;
use crate::scan::{self, Cursor};

parameter_header! {
    /// Whether a REFER creates a subscription.
    ReferSub {
        /// `true` or `false`.
        value: Cursor::token, scan::put_token
    }, REFER_SUB, list: false, empty: false
}

impl ReferSub {
    /// Whether a subscription is wanted or made.
    #[must_use]
    pub fn is_wanted(&self) -> bool {
        !self.value.eq_ignore_ascii_case(b"false")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::macros::examples;

    examples! {
        ReferSub, the_examples_of_rfc_4488_are_read_and_written,
        same: ["false", "true;x=y"],
        other: [],
        refused: ["", ";a=b", "x;"]
    }

    #[test]
    fn only_false_means_no_subscription() {
        assert!(!ReferSub::from_static("false").is_wanted());
        assert!(ReferSub::from_static("true").is_wanted());
    }
}
