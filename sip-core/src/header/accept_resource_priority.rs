//! Accept-Resource-Priority (RFC 4412 §3.2).

use crate::header::macros::priority_header;

priority_header! {
    /// One priority that the server knows.
    AcceptResourcePriority, ACCEPT_RESOURCE_PRIORITY, empty: true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::macros::examples;

    examples! {
        AcceptResourcePriority, the_examples_of_rfc_4412_are_read_and_written,
        same: ["dsn.flash-override", "dsn.routine"],
        other: [],
        refused: ["", "dsn", "dsn.", "a.b.c", ".x"]
    }
}
