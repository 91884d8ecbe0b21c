//! Subscription-State (RFC 6665 §8.2.3).

use crate::header::macros::parameter_header;
use crate::scan::{self, Cursor};

parameter_header! {
    /// How the subscription stands.
    SubscriptionState {
        /// `active`, `pending`, `terminated` or another.
        state: Cursor::token, scan::put_token
    }, SUBSCRIPTION_STATE, list: false, empty: false
}

impl SubscriptionState {
    /// How many seconds are left.
    #[must_use]
    pub fn expires(&self) -> Option<u32> {
        self.params.number("expires")
    }

    /// After how many seconds to try again.
    #[must_use]
    pub fn retry_after(&self) -> Option<u32> {
        self.params.number("retry-after")
    }

    /// Why it ended.
    #[must_use]
    pub fn reason(&self) -> Option<&[u8]> {
        self.params.value("reason")
    }

    /// Whether it is in this state, in any case.
    #[must_use]
    pub fn is(&self, state: &str) -> bool {
        self.state.eq_ignore_ascii_case(state.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::macros::examples;

    examples! {
        SubscriptionState, the_examples_of_rfc_6665_are_read_and_written,
        same: ["active;expires=599", "pending", "terminated;reason=timeout"],
        other: ["active; expires=3599"],
        refused: ["", ";a=b", "x;"]
    }

    #[test]
    fn the_parameters_say_how_long_and_why() {
        let state: SubscriptionState = "terminated;reason=probation;retry-after=30;expires=x".parse().unwrap();
        assert!(state.is("Terminated"));
        assert_eq!(state.reason(), Some(&b"probation"[..]));
        assert_eq!((state.retry_after(), state.expires()), (Some(30), None));
    }
}
