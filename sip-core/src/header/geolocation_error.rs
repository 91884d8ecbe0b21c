//! Geolocation-Error (RFC 6442 §4.4).

use crate::header::macros::number_parameter_header;

number_parameter_header! {
    /// What was wrong with a location.
    GeolocationError {
        /// The code, of up to three digits.
        code: u16
    }, GEOLOCATION_ERROR
}

impl GeolocationError {
    /// What a person may read.
    #[must_use]
    pub fn text(&self) -> Option<std::borrow::Cow<'_, [u8]>> {
        self.params.text("code")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::macros::examples;

    examples! {
        GeolocationError, the_examples_of_rfc_6442_are_read_and_written,
        same: [r#"300;code="Dereference Failure""#],
        other: [r#"100 ; code="Cannot Process Location""#],
        refused: ["", "x", r#";code="x""#]
    }
}
