//! P-Served-User (RFC 8498 §6).

use crate::header::macros::name_addr_header;

name_addr_header! {
    /// Which user a server serves, and in which role.
    PServedUser, P_SERVED_USER, list: false, form: scan
}

impl PServedUser {
    /// `orig` or `term`.
    #[must_use]
    pub fn session_case(&self) -> Option<&[u8]> {
        self.0.params.value("sescase")
    }

    /// `reg` or `unreg`.
    #[must_use]
    pub fn registration_state(&self) -> Option<&[u8]> {
        self.0.params.value("regstate")
    }

    /// Whether the call was diverted by the user (RFC 8498 §4).
    #[must_use]
    pub fn is_diverted(&self) -> bool {
        self.0.params.contains("orig-cdiv")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::macros::examples;

    examples! {
        PServedUser, the_examples_of_rfc_8498_are_read_and_written,
        same: ["<sip:user@example.com>;sescase=orig;regstate=reg"],
        other: ["<sip:user@example.com>; orig-cdiv; regstate=reg", "<sip:user@example.com>; sescase=term; regstate=unreg"],
        refused: ["", "<>", "<sip:a@b"]
    }

    #[test]
    fn role_state_and_diversion_are_found() {
        let user: PServedUser = "<sip:user@example.com>; orig-cdiv; regstate=reg".parse().unwrap();
        assert!(user.is_diverted());
        assert_eq!((user.session_case(), user.registration_state()), (None, Some(&b"reg"[..])));
    }
}
