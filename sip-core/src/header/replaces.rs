//! Replaces (RFC 3891 §6.1).

use crate::header::macros::dialog_header;

dialog_header! {
    /// Which dialog the new one takes the place of.
    Replaces, REPLACES, to_tag "to-tag", from_tag "from-tag"
}

impl Replaces {
    /// Whether only an early dialog may be replaced.
    #[must_use]
    pub fn is_early_only(&self) -> bool {
        self.params.contains("early-only")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::macros::examples;

    examples! {
        Replaces, the_examples_of_rfc_3891_are_read_and_written,
        same: ["98732@sip.example.com;from-tag=r33th4x0r;to-tag=ff87ff", "12adf2f34456gs5;to-tag=12345;from-tag=54321;early-only"],
        other: ["87134@171.161.34.23;to-tag=24796; from-tag=0"],
        refused: ["", ";to-tag=1", "a b;to-tag=1;from-tag=2", "a"]
    }
}
