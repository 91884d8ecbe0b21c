//! Accept (RFC 3261 §20.1).

use bytes::{BufMut, Bytes};

use crate::error::ParseError;
use crate::header::macros::text_forms;
use crate::header::{HeaderName, MediaType, QValue, TypedHeader};
use crate::scan;

/// One media type, or range of them, that the sender takes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Accept(pub MediaType);

impl Accept {
    /// The preference, 1 if none is written and 0 if it is no number.
    #[must_use]
    pub fn q(&self) -> QValue {
        QValue::of(&self.0.params)
    }

    /// Whether it takes this type at all.
    #[must_use]
    pub fn takes(&self, media_type: &MediaType) -> bool {
        self.0.takes(media_type) && self.q().thousandths() > 0
    }
}

impl TypedHeader for Accept {
    const NAME: HeaderName = HeaderName::ACCEPT;
    const LIST: bool = true;
    const EMPTY: bool = true;

    fn parse(value: &Bytes) -> Result<Self, ParseError> {
        scan::value(value, Self::NAME, MediaType::scan).map(Self)
    }

    fn encode(&self, out: &mut impl BufMut) {
        self.0.encode(out);
    }
}

text_forms!(Accept);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::macros::examples;

    examples! {
        Accept, the_examples_of_rfc_3261_are_read_and_written,
        same: ["application/sdp;level=1", "application/x-private", "text/html", "*/*;q=0.1"],
        other: ["text / * ; q = 0"],
        refused: ["", "text", "text/html;"]
    }

    #[test]
    fn a_preference_of_zero_takes_nothing() {
        assert!("application/*;q=0.001".parse::<Accept>().unwrap().takes(&MediaType::SDP));
        assert!(!"application/sdp;q=0".parse::<Accept>().unwrap().takes(&MediaType::SDP));
    }
}
