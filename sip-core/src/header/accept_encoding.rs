//! Accept-Encoding (RFC 3261 §20.2).

use crate::header::QValue;
use crate::header::macros::parameter_header;
use crate::scan::{self, Cursor};

parameter_header! {
    /// One coding that the answer may have.
    AcceptEncoding {
        /// Its name, or `*`.
        coding: Cursor::token, scan::put_token
    }, ACCEPT_ENCODING, list: true, empty: true
}

impl AcceptEncoding {
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
        AcceptEncoding, the_examples_of_rfc_3261_are_read_and_written,
        same: ["gzip", "*;q=0"],
        other: [],
        refused: ["", ";a=b", "x;"]
    }
}
