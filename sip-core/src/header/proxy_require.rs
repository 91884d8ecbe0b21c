//! Proxy-Require (RFC 3261 §20.29).

use crate::header::macros::token_header;

token_header! {
    /// One extension that every proxy on the way must know.
    ProxyRequire, PROXY_REQUIRE, list: true, empty: false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::macros::examples;

    examples! {
        ProxyRequire, the_examples_of_rfc_3261_are_read_and_written,
        same: ["foo"],
        other: [],
        refused: ["", "a b", "a;b"]
    }
}
