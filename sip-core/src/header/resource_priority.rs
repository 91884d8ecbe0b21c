//! Resource-Priority (RFC 4412 §3.1).

use crate::header::macros::priority_header;

priority_header! {
    /// One priority that the request claims.
    ResourcePriority, RESOURCE_PRIORITY, empty: false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::macros::examples;

    examples! {
        ResourcePriority, the_examples_of_rfc_4412_are_read_and_written,
        same: ["dsn.flash", "q735.3", "wps.0"],
        other: [],
        refused: ["", "dsn", "dsn.", "a.b.c", ".x"]
    }
}
