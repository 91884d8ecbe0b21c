//! From (RFC 3261 §20.20).

use std::ops::Range;

use bytes::{BufMut, Bytes};

use crate::error::ParseError;
use crate::header::macros::text_forms;
use crate::header::{HeaderName, NameAddr, TypedHeader};
use crate::scan;
use crate::uri::Uri;
use crate::view::{self, HeaderView};

/// Who sent the request, with the tag of his side of the dialog.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct From {
    /// The address and its parameters.
    pub name_addr: NameAddr,
}

impl From {
    /// A From of a URI alone.
    #[must_use]
    pub const fn new(uri: Uri) -> Self {
        Self { name_addr: NameAddr::new(uri) }
    }

    /// The URI.
    #[must_use]
    pub const fn uri(&self) -> &Uri {
        &self.name_addr.uri
    }

    /// The tag, which only requests of RFC 2543 lack.
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

impl TypedHeader for From {
    const NAME: HeaderName = HeaderName::FROM;
    const LIST: bool = false;

    fn parse(value: &Bytes) -> Result<Self, ParseError> {
        scan::value(value, Self::NAME, NameAddr::scan).map(|name_addr| Self { name_addr })
    }

    fn parse_at(message: &Bytes, range: Range<usize>) -> Result<Self, ParseError> {
        let view::From(name_addr) = view::From::parse(message.get(range).unwrap_or_default())?;
        Ok(Self { name_addr: name_addr.keep(&message) })
    }

    fn encode(&self, out: &mut impl BufMut) {
        self.name_addr.encode(out);
    }
}

impl std::convert::From<NameAddr> for From {
    fn from(name_addr: NameAddr) -> Self {
        Self { name_addr }
    }
}

text_forms!(From);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_examples_of_rfc_3261_are_read() {
        for (text, tag) in [
            ("\"A. G. Bell\" <sip:agb@bell-telephone.com> ;tag=a48s", Some("a48s")),
            ("sip:+12125551212@server.phone2net.com;tag=887s", Some("887s")),
            ("Anonymous <sip:c8oqz84zk7z@privacy.org>;tag=hyh8", Some("hyh8")),
            ("<sip:old@example.com>", None),
        ] {
            let from: From = text.parse().unwrap();
            assert_eq!(from.tag(), tag.map(str::as_bytes));
            assert_eq!(from.to_string().parse::<From>().unwrap(), from);
        }
    }

    #[test]
    fn a_tag_is_put_on() {
        let from = From::new("sip:a@b".parse().unwrap()).with_tag(b"1").with_tag(b"2");
        assert_eq!(from.to_string(), "<sip:a@b>;tag=2");
    }
}
