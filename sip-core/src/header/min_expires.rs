//! Min-Expires (RFC 3261 §20.23).

use crate::header::macros::number_header;

number_header! {
    /// The shortest validity in seconds that a registrar accepts.
    MinExpires(u32), MIN_EXPIRES
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::macros::examples;

    examples! {
        MinExpires, the_examples_of_rfc_3261_are_read_and_written,
        same: ["60"],
        other: [],
        refused: ["", "x", "-1", "1 2", "99999999999"]
    }
}
