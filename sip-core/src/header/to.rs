//! To (RFC 3261 §20.39).

use std::ops::Range;

use bytes::{BufMut, Bytes};

use crate::error::ParseError;
use crate::header::macros::text_forms;
use crate::header::{HeaderName, NameAddr, TypedHeader};
use crate::scan;
use crate::uri::Uri;
use crate::view::{self, HeaderView};

/// Whom the request is for, with the tag of that side of the dialog once there is one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct To {
    /// The address and its parameters.
    pub name_addr: NameAddr,
}

impl To {
    /// A To of a URI alone.
    #[must_use]
    pub const fn new(uri: Uri) -> Self {
        Self { name_addr: NameAddr::new(uri) }
    }

    /// The URI.
    #[must_use]
    pub const fn uri(&self) -> &Uri {
        &self.name_addr.uri
    }

    /// The tag, which a request outside of a dialog lacks.
    #[must_use]
    pub fn tag(&self) -> Option<&[u8]> {
        self.name_addr.params.value("tag")
    }

    /// The value with this tag.
    #[must_use]
    pub fn with_tag(mut self, tag: &[u8]) -> Self {
        self.name_addr.params.set("tag", Some(tag));
        self
    }
}

impl TypedHeader for To {
    const NAME: HeaderName = HeaderName::TO;
    const LIST: bool = false;

    fn parse(value: &Bytes) -> Result<Self, ParseError> {
        scan::value(value, Self::NAME, NameAddr::scan).map(|name_addr| Self { name_addr })
    }

    fn parse_at(message: &Bytes, range: Range<usize>) -> Result<Self, ParseError> {
        let view::To(name_addr) = view::To::parse(message.get(range).unwrap_or_default())?;
        Ok(Self { name_addr: name_addr.keep(&message) })
    }

    fn encode(&self, out: &mut impl BufMut) {
        self.name_addr.encode(out);
    }
}

impl std::convert::From<NameAddr> for To {
    fn from(name_addr: NameAddr) -> Self {
        Self { name_addr }
    }
}

text_forms!(To);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_examples_of_rfc_3261_are_read() {
        for (text, tag) in [
            ("The Operator <sip:operator@cs.columbia.edu>;tag=287447", Some("287447")),
            ("sip:+12125551212@server.phone2net.com", None),
        ] {
            let to: To = text.parse().unwrap();
            assert_eq!(to.tag(), tag.map(str::as_bytes));
            assert_eq!(to.to_string().parse::<To>().unwrap(), to);
        }
    }

    #[test]
    fn an_unterminated_quoted_string_is_refused() {
        assert!("\"Mr. J. User <sip:j.user@example.com>".parse::<To>().is_err());
    }
}
