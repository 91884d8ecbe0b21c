//! User-to-User (RFC 7433 §4.1).

use crate::header::macros::parameter_header;
use crate::scan::{self, Cursor};

parameter_header! {
    /// Data that the users' applications exchange.
    UserToUser {
        /// The data as text, hexadecimal by default.
        data: Cursor::token_or_quoted, scan::put_token_or_quoted
    }, USER_TO_USER, list: true, empty: false
}

impl UserToUser {
    /// The package that it belongs to.
    #[must_use]
    pub fn purpose(&self) -> Option<&[u8]> {
        self.params.value("purpose")
    }

    /// How it is written.
    #[must_use]
    pub fn encoding(&self) -> Option<&[u8]> {
        self.params.value("encoding")
    }

    /// What it is.
    #[must_use]
    pub fn content(&self) -> Option<&[u8]> {
        self.params.value("content")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::macros::examples;

    examples! {
        UserToUser, the_examples_of_rfc_7433_are_read_and_written,
        same: ["56a390f3d2b7310023a2;encoding=hex;purpose=foo;content=bar", r#""a b";encoding=x"#],
        other: [],
        refused: ["", ";encoding=hex"]
    }
}
