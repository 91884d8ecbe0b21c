//! Info-Package (RFC 6086 §7.2).

use crate::header::macros::parameter_header;
use crate::scan::{self, Cursor};

parameter_header! {
    /// The package of an INFO request.
    InfoPackage {
        /// Its name.
        package: Cursor::token, scan::put_token
    }, INFO_PACKAGE, list: false, empty: false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::macros::examples;

    examples! {
        InfoPackage, the_examples_of_rfc_6086_are_read_and_written,
        same: ["foo", "foo;x=y"],
        other: [],
        refused: ["", ";a=b", "x;"]
    }
}
