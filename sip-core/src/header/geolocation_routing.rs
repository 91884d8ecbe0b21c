//! Geolocation-Routing (RFC 6442 §4.2).

use crate::header::macros::token_header;

token_header! {
    /// Whether the location may be used to route: `yes` or `no`.
    GeolocationRouting, GEOLOCATION_ROUTING, list: false, empty: false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::macros::examples;

    examples! {
        GeolocationRouting, the_examples_of_rfc_6442_are_read_and_written,
        same: ["yes", "no"],
        other: [],
        refused: ["", "a b", "a;b"]
    }
}
