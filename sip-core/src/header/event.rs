//! Event (RFC 6665 §8.2.1).

use crate::header::macros::parameter_header;
use crate::scan::{self, Cursor};

parameter_header! {
    /// What is subscribed to or told about.
    Event {
        /// The event package with its templates, case-sensitive.
        package: Cursor::token, scan::put_token
    }, EVENT, list: false, empty: false
}

impl Event {
    /// What tells apart several subscriptions to the same package.
    #[must_use]
    pub fn id(&self) -> Option<&[u8]> {
        self.params.value("id")
    }

    /// Whether both belong to the same subscription: package and id agree byte by byte.
    #[must_use]
    pub fn matches(&self, other: &Self) -> bool {
        self.package == other.package && self.id() == other.id()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::macros::examples;

    examples! {
        Event, the_examples_of_rfc_6665_are_read_and_written,
        same: ["presence", "presence.winfo;id=7"],
        other: ["dialog ; id=x"],
        refused: ["", ";a=b", "x;"]
    }

    #[test]
    fn events_match_by_package_and_id_alone() {
        let event: Event = "refer;id=93809824".parse().unwrap();
        assert!(event.matches(&"refer;x=y;id=93809824".parse().unwrap()));
        assert!(!event.matches(&"refer".parse().unwrap()));
        assert!(!event.matches(&"Refer;id=93809824".parse().unwrap()));
    }
}
