//! Security-Server (RFC 3329 §2.2).

use crate::header::QValue;
use crate::header::macros::parameter_header;
use crate::scan::{self, Cursor};

parameter_header! {
    /// One mechanism that the server offers.
    SecurityServer {
        /// Its name: `digest`, `tls`, `ipsec-ike`, `ipsec-man` or another.
        mechanism: Cursor::token, scan::put_token
    }, SECURITY_SERVER, list: true, empty: false
}

impl SecurityServer {
    /// The preference, 1 if none is written and 0 if it is no number.
    #[must_use]
    pub fn q(&self) -> QValue {
        QValue::of(&self.params)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::macros::examples;

    examples! {
        SecurityServer, the_examples_of_rfc_3329_are_read_and_written,
        same: ["tls", "ipsec-ike;q=0.1"],
        other: [r#"digest; d-qop=auth; d-ver="0000000000000000000000000000a100""#],
        refused: ["", ";a=b", "x;"]
    }
}
