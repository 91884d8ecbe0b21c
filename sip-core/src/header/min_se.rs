//! Min-SE (RFC 4028 §5).

use crate::header::macros::number_parameter_header;

number_parameter_header! {
    /// The shortest session interval that is accepted.
    MinSe {
        /// The interval in seconds.
        seconds: u32
    }, MIN_SE
}

impl MinSe {
    /// What counts without the header, and the least that may be asked for.
    pub const DEFAULT: u32 = 90;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::macros::examples;

    examples! {
        MinSe, the_examples_of_rfc_4028_are_read_and_written,
        same: ["3600", "60;lr"],
        other: [],
        refused: ["", "x", "-1", "1 2"]
    }
}
