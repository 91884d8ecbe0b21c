//! Target-Dialog (RFC 4538 §7).

use crate::header::macros::dialog_header;

dialog_header! {
    /// A dialog that proves the right to be answered.
    TargetDialog, TARGET_DIALOG, local_tag "local-tag", remote_tag "remote-tag"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::macros::examples;

    examples! {
        TargetDialog, the_examples_of_rfc_4538_are_read_and_written,
        same: ["fa77as7dad8-sd98ajzz@host.example.com;local-tag=kkaz-;remote-tag=6544"],
        other: ["090459243588173445;local-tag=7553452 ;remote-tag=31kdl4i3k"],
        refused: ["", ";to-tag=1", "a b;to-tag=1;from-tag=2", "a"]
    }
}
