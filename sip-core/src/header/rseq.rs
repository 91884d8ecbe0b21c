//! RSeq (RFC 3262 §7.1).

use crate::header::macros::number_header;

number_header! {
    /// The number of a reliable provisional response.
    RSeq(u32), RSEQ
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::macros::examples;

    examples! {
        RSeq, the_examples_of_rfc_3262_are_read_and_written,
        same: ["988789"],
        other: [],
        refused: ["", "x", "-1", "1 2", "99999999999"]
    }
}
