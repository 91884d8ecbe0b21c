//! Accept-Language (RFC 3261 §20.3).

use crate::header::QValue;
use crate::header::macros::parameter_header;
use crate::scan::{self, Cursor};

parameter_header! {
    /// One language that the sender reads.
    AcceptLanguage {
        /// Its name, or `*`.
        language: Cursor::token, scan::put_token
    }, ACCEPT_LANGUAGE, list: true, empty: true
}

impl AcceptLanguage {
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
        AcceptLanguage, the_examples_of_rfc_3261_are_read_and_written,
        same: ["da", "en-gb;q=0.8", "en;q=0.7"],
        other: [],
        refused: ["", ";a=b", "x;"]
    }
}
