//! Session-Expires (RFC 4028 §4).

use crate::header::Refresher;
use crate::header::macros::number_parameter_header;

number_parameter_header! {
    /// How long the session lasts without a refresh, and who refreshes it.
    SessionExpires {
        /// The interval in seconds.
        seconds: u32
    }, SESSION_EXPIRES
}

impl SessionExpires {
    /// Who refreshes the session, if that is said.
    #[must_use]
    pub fn refresher(&self) -> Option<Refresher> {
        Refresher::parse(self.params.value("refresher")?)
    }

    /// The value with this refresher.
    #[must_use]
    pub fn with_refresher(mut self, refresher: Refresher) -> Self {
        self.params.set("refresher", Some(refresher.as_str().as_bytes()));
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::macros::examples;

    examples! {
        SessionExpires, the_examples_of_rfc_4028_are_read_and_written,
        same: ["4000;refresher=uac", "1800"],
        other: ["300 ; refresher=UAS"],
        refused: ["", "x", "-1", "1 2", "99999999999"]
    }

    #[test]
    fn the_refresher_is_one_of_two() {
        assert_eq!(SessionExpires::new(90).refresher(), None);
        assert_eq!("90;refresher=UAS".parse::<SessionExpires>().unwrap().refresher(), Some(Refresher::Uas));
        assert_eq!("90;refresher=x".parse::<SessionExpires>().unwrap().refresher(), None);
        assert_eq!(SessionExpires::new(90).with_refresher(Refresher::Uac).to_string(), "90;refresher=uac");
    }
}
