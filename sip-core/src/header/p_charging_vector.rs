//! P-Charging-Vector (RFC 7315 §4.6).

use crate::header::macros::bare_parameter_header;

bare_parameter_header! {
    /// What ties the charging records of a call together.
    PChargingVector, P_CHARGING_VECTOR, list: false
}

impl PChargingVector {
    /// The charging identifier.
    #[must_use]
    pub fn icid_value(&self) -> Option<std::borrow::Cow<'_, [u8]>> {
        self.params.text("icid-value")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::macros::examples;

    examples! {
        PChargingVector, the_examples_of_rfc_7315_are_read_and_written,
        same: ["icid-value=1234bc9876e;icid-generated-at=192.0.6.8;orig-ioi=home1.net"],
        other: [r#"icid-value="a;b" ; transit-ioi="x.1, y.2""#],
        refused: ["", "=x", "a=1;"]
    }

    #[test]
    fn white_space_after_an_empty_value_is_not_kept() {
        use crate::header::{HeaderName, canonical};
        let read = |line: &'static [u8]| canonical(&HeaderName::P_CHARGING_VECTOR, &line.into()).unwrap().unwrap();
        assert_eq!(read(b"p=  "), read(b"p="));
    }
}
