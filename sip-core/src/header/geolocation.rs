//! Geolocation (RFC 6442 §4.1).

use crate::header::macros::uri_header;

uri_header! {
    /// Where the location of the sender is to be found.
    Geolocation, GEOLOCATION, list: true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::macros::examples;

    examples! {
        Geolocation, the_examples_of_rfc_6442_are_read_and_written,
        same: ["<cid:target123@atlanta.example.com>", r#"<sips:3sdefrhy2jj7@lis.atlanta.example.com>;inserted-by="x""#],
        other: ["<cid:abcdef@example.com> ;routing-allowed=yes"],
        refused: ["", "<>", "A <sip:a@b>", "<sip:a@b"]
    }
}
