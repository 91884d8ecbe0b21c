//! Reason (RFC 3326 §2).

use crate::header::macros::parameter_header;
use crate::scan::{self, Cursor};

parameter_header! {
    /// Why a request or response was sent.
    Reason {
        /// Whose causes these are: `SIP`, `Q.850` or another.
        protocol: Cursor::token, scan::put_token
    }, REASON, list: true, empty: false
}

impl Reason {
    /// The cause, a status code for `SIP`.
    #[must_use]
    pub fn cause(&self) -> Option<u32> {
        self.params.number("cause")
    }

    /// What a person may read.
    #[must_use]
    pub fn text(&self) -> Option<std::borrow::Cow<'_, [u8]>> {
        self.params.text("text")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::macros::examples;

    examples! {
        Reason, the_examples_of_rfc_3326_are_read_and_written,
        same: [r#"SIP;cause=200;text="Call completed elsewhere""#, r#"Q.850;cause=16;text="Terminated""#, r#"SIP;cause=600;text="Busy Everywhere""#],
        other: [r#"SIP ;cause=580 ;text="Precondition Failure""#],
        refused: ["", ";a=b", "x;"]
    }

    #[test]
    fn the_cause_and_the_text_are_found() {
        let reason: Reason = "Q.850;cause=16;text=\"Terminated; normally\"".parse().unwrap();
        assert_eq!(reason.cause(), Some(16));
        assert_eq!(reason.text().as_deref(), Some(&b"Terminated; normally"[..]));
    }
}
