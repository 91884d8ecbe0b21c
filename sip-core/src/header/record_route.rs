//! Record-Route (RFC 3261 §20.30).

use crate::header::macros::name_addr_header;

name_addr_header! {
    /// One proxy that wants to stay in the path of the dialog.
    RecordRoute, RECORD_ROUTE, list: true, form: scan_bracketed
}

impl RecordRoute {
    /// Whether the hop is a loose router, with the `lr` parameter in its URI (RFC 3261 §16.12).
    #[must_use]
    pub fn is_loose(&self) -> bool {
        self.0.is_loose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_rfc_3261_is_read() {
        let route: RecordRoute = "<sip:server10.biloxi.com;lr>".parse().unwrap();
        assert!(route.is_loose());
        assert_eq!(route.to_string(), "<sip:server10.biloxi.com;lr>");
    }
}
