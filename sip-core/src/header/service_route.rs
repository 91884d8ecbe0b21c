//! Service-Route (RFC 3608 §5).

use crate::header::macros::name_addr_header;

name_addr_header! {
    /// One proxy that requests of the registered user are to go through.
    ServiceRoute, SERVICE_ROUTE, list: true, form: scan_bracketed
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::macros::examples;

    examples! {
        ServiceRoute, the_examples_of_rfc_3608_are_read_and_written,
        same: ["<sip:P2.HOME.EXAMPLE.COM;lr>", "<sip:HSP.HOME.EXAMPLE.COM;lr>"],
        other: [],
        refused: ["", "sip:a@b"]
    }
}
