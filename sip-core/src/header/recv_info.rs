//! Recv-Info (RFC 6086 §7.3).

use crate::header::macros::parameter_header;
use crate::scan::{self, Cursor};

parameter_header! {
    /// One package that the sender takes in INFO requests.
    RecvInfo {
        /// Its name.
        package: Cursor::token, scan::put_token
    }, RECV_INFO, list: true, empty: true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::macros::examples;

    examples! {
        RecvInfo, the_examples_of_rfc_6086_are_read_and_written,
        same: ["P", "R", "bar;x=1"],
        other: [],
        refused: ["", ";a=b", "x;"]
    }
}
