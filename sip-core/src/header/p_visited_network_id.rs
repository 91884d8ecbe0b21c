//! P-Visited-Network-ID (RFC 7315 §4.3).

use crate::header::macros::parameter_header;
use crate::scan::{self, Cursor};

parameter_header! {
    /// The network that the user visits.
    PVisitedNetworkId {
        /// Its name as text.
        network: Cursor::token_or_quoted, scan::put_token_or_quoted
    }, P_VISITED_NETWORK_ID, list: true, empty: false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::macros::examples;

    examples! {
        PVisitedNetworkId, the_examples_of_rfc_7315_are_read_and_written,
        same: ["other.net", r#""Visited network number 1""#],
        other: [r#""other.net";x=y"#],
        refused: ["", ";a=b", "x;"]
    }
}
