//! P-Access-Network-Info (RFC 7315 §4.4).

use crate::header::macros::parameter_header;
use crate::scan::{self, Cursor};

parameter_header! {
    /// By which access the sender comes.
    PAccessNetworkInfo {
        /// Its type or class.
        access: Cursor::token, scan::put_token
    }, P_ACCESS_NETWORK_INFO, list: true, empty: false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::macros::examples;

    examples! {
        PAccessNetworkInfo, the_examples_of_rfc_7315_are_read_and_written,
        same: ["3GPP-UTRAN-TDD;utran-cell-id-3gpp=234151D0FCE11", "IEEE-802.11b;i-wlan-node-id=00a0c9123456"],
        other: [r#"3GPP-GERAN; cgi-3gpp="x";np"#],
        refused: ["", ";a=b", "x;"]
    }
}
