//! Max-Breadth (RFC 5393 §5.3.1).

use crate::header::macros::number_header;

number_header! {
    /// Into how many branches a request may still be forked.
    MaxBreadth(u32), MAX_BREADTH
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::macros::examples;

    examples! {
        MaxBreadth, the_examples_of_rfc_5393_are_read_and_written,
        same: ["60"],
        other: [],
        refused: ["", "x", "-1", "1 2", "99999999999"]
    }
}
