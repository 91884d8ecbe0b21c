//! Route (RFC 3261 §20.34).

use crate::header::macros::name_addr_header;

name_addr_header! {
    /// One hop that the request must still take.
    Route, ROUTE, list: true, form: scan_bracketed
}

impl Route {
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
    fn loose_and_strict_hops_are_told_apart() {
        let loose: Route = "<sip:bigbox3.site3.atlanta.com;lr>;x=y".parse().unwrap();
        assert!(loose.is_loose());
        assert_eq!(loose.to_string(), "<sip:bigbox3.site3.atlanta.com;lr>;x=y");
        let strict: Route = "<sip:p1.example.com>".parse().unwrap();
        assert!(!strict.is_loose());
    }

    #[test]
    fn a_hop_without_brackets_is_refused() {
        assert!("sip:p1.example.com;lr".parse::<Route>().is_err());
    }
}
