//! Content-Type (RFC 3261 §20.15).

use bytes::{BufMut, Bytes};

use crate::error::ParseError;
use crate::header::macros::text_forms;
use crate::header::{HeaderName, MediaType, TypedHeader};
use crate::scan;

/// What the body is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ContentType(pub MediaType);

impl ContentType {
    /// `application/sdp`.
    pub const SDP: Self = Self(MediaType::SDP);

    /// Whether type and subtype are these, in any case; parameters do not count.
    #[must_use]
    pub fn is(&self, kind: &str, subtype: &str) -> bool {
        self.0.is(kind, subtype)
    }

    /// The boundary of a multipart body, quotes removed (RFC 2046 §5.1.1).
    #[must_use]
    pub fn boundary(&self) -> Option<std::borrow::Cow<'_, [u8]>> {
        self.0.params.text("boundary")
    }
}

impl TypedHeader for ContentType {
    const NAME: HeaderName = HeaderName::CONTENT_TYPE;
    const LIST: bool = false;

    fn parse(value: &Bytes) -> Result<Self, ParseError> {
        scan::value(value, Self::NAME, MediaType::scan).map(Self)
    }

    fn encode(&self, out: &mut impl BufMut) {
        self.0.encode(out);
    }
}

text_forms!(ContentType);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::macros::examples;

    examples! {
        ContentType, the_examples_of_rfc_3261_are_read_and_written,
        same: ["application/sdp", "text/html;charset=ISO-8859-4", "message/sipfrag;version=2.0"],
        other: ["multipart/mixed; boundary=\"a b\"", "multipart / signed ;micalg=sha1 ; boundary=boundary42"],
        refused: ["", "application", "application/", "/sdp", "a/b c", "a/b;"]
    }

    #[test]
    fn the_boundary_is_found_with_and_without_quotes() {
        for (text, boundary) in [("multipart/mixed;boundary=a", "a"), ("multipart/mixed; Boundary=\"a;b\"", "a;b")] {
            assert_eq!(text.parse::<ContentType>().unwrap().boundary().as_deref(), Some(boundary.as_bytes()));
        }
        assert!(ContentType::SDP.is("application", "SDP"));
        assert_eq!(ContentType::SDP.boundary(), None);
    }
}
