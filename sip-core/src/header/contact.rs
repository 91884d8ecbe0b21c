//! Contact (RFC 3261 §20.10).

use bytes::{BufMut, Bytes};

use crate::error::ParseError;
use crate::header::macros::text_forms;
use crate::header::{HeaderName, NameAddr, QValue, TypedHeader};
use crate::scan::{self, Scan};
use crate::uri::Uri;

/// Where a user can be reached, or `*`: all bindings of a registration.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[expect(clippy::large_enum_variant, reason = "nearly every contact is an address, and a box would allocate")]
pub enum Contact {
    /// `*`, which removes all bindings together with `Expires: 0`.
    Star,
    /// An address.
    Address {
        /// The address, and the parameters but for the two below.
        name_addr: NameAddr,
        /// How many seconds the binding is valid. What is no number counts as 3600, what is too large as the largest.
        expires: Option<u32>,
        /// The preference among several contacts.
        q: Option<QValue>,
    },
}

impl Contact {
    /// A contact that is a URI alone.
    #[must_use]
    pub const fn new(uri: Uri) -> Self {
        Self::Address { name_addr: NameAddr::new(uri), expires: None, q: None }
    }

    /// The address, unless it is `*`.
    #[must_use]
    pub const fn name_addr(&self) -> Option<&NameAddr> {
        match self {
            Self::Star => None,
            Self::Address { name_addr, .. } => Some(name_addr),
        }
    }

    /// The URI, unless it is `*`.
    #[must_use]
    pub fn uri(&self) -> Option<&Uri> {
        self.name_addr().map(|name_addr| &name_addr.uri)
    }

    /// How many seconds the binding is valid, if that is written here.
    #[must_use]
    pub const fn expires(&self) -> Option<u32> {
        match self {
            Self::Star => None,
            Self::Address { expires, .. } => *expires,
        }
    }

    /// The preference, if one is written.
    #[must_use]
    pub const fn q(&self) -> Option<QValue> {
        match self {
            Self::Star => None,
            Self::Address { q, .. } => *q,
        }
    }

    /// The contact with this validity in seconds; `*` stays as it is.
    #[must_use]
    pub fn with_expires(mut self, seconds: u32) -> Self {
        if let Self::Address { expires, .. } = &mut self {
            *expires = Some(seconds);
        }
        self
    }

    fn address(mut name_addr: NameAddr, at: usize) -> Scan<Self> {
        let expires = name_addr.params.get("expires").map(|value| seconds(value.unwrap_or_default()));
        let q = match name_addr.params.get("q") {
            None => None,
            Some(value) => Some(
                QValue::parse(value.unwrap_or_default())
                    .ok_or(scan::Fault { kind: crate::error::ErrorKind::OutOfRange, offset: at })?,
            ),
        };
        // Most contacts have neither, and keep sharing the message's memory.
        if expires.is_some() {
            name_addr.params.remove("expires");
        }
        if q.is_some() {
            name_addr.params.remove("q");
        }
        Ok(Self::Address { name_addr, expires, q })
    }
}

/// The seconds of an `expires` parameter (RFC 3261 §20.10, RFC 4475 §3.1.2.4).
fn seconds(value: &[u8]) -> u32 {
    if value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
        return 3600;
    }
    value.iter().fold(0u32, |seconds, digit| seconds.saturating_mul(10).saturating_add(u32::from(digit - b'0')))
}

impl TypedHeader for Contact {
    const NAME: HeaderName = HeaderName::CONTACT;
    const LIST: bool = true;

    fn parse(value: &Bytes) -> Result<Self, ParseError> {
        scan::value(value, Self::NAME, |cursor| {
            // A token may begin with a star, and so may a display name.
            if cursor.rest().trim_ascii() == b"*" {
                cursor.take(scan::TEXT | scan::SPACE);
                return Ok(Self::Star);
            }
            let name_addr = NameAddr::scan(cursor)?;
            Self::address(name_addr, cursor.offset())
        })
    }

    fn encode(&self, out: &mut impl BufMut) {
        let (name_addr, expires, q) = match self {
            Self::Star => return out.put_u8(b'*'),
            Self::Address { name_addr, expires, q } => (name_addr, expires, q),
        };
        name_addr.encode(out);
        if let Some(q) = q {
            out.put_slice(b";q=");
            out.put_slice(q.to_string().as_bytes());
        }
        if let Some(expires) = expires {
            out.put_slice(b";expires=");
            crate::write::number(u64::from(*expires), out);
        }
    }
}

impl std::convert::From<NameAddr> for Contact {
    fn from(name_addr: NameAddr) -> Self {
        Self::Address { name_addr, expires: None, q: None }
    }
}

text_forms!(Contact);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_examples_of_rfc_3261_are_read() {
        let contact: Contact =
            "\"Mr. Watson\" <sip:watson@worcester.bell-telephone.com>;q=0.7; expires=3600".parse().unwrap();
        assert_eq!(contact.q(), QValue::new(700));
        assert_eq!(contact.expires(), Some(3600));
        assert!(contact.name_addr().unwrap().params.is_empty());
        assert_eq!(contact.to_string().parse::<Contact>().unwrap(), contact);
        let mailto: Contact = "\"Mr. Watson\" <mailto:watson@bell-telephone.com> ;q=0.1".parse().unwrap();
        assert_eq!(mailto.uri().unwrap().scheme(), b"mailto");
        assert_eq!("*".parse(), Ok(Contact::Star));
    }

    #[test]
    fn a_strange_validity_counts_as_an_hour_and_a_huge_one_as_the_longest() {
        for (text, seconds) in [("x", 3600), ("", 3600), ("280297596632815", u32::MAX), ("0", 0), ("\"60\"", 3600)] {
            let contact: Contact = format!("<sip:a@b>;expires={text};x=1").parse().unwrap();
            assert_eq!(contact.expires(), Some(seconds), "{text}");
            assert_eq!(contact.name_addr().unwrap().params.to_string(), ";x=1");
        }
    }

    #[test]
    fn headers_in_the_uri_must_stand_in_brackets() {
        assert!("sip:user@example.com?Route=%3Csip:sip.example.com%3E".parse::<Contact>().is_err());
        let contact: Contact = "<sip:user@example.com?Route=%3Csip:sip.example.com%3E>".parse().unwrap();
        let headers = &contact.uri().and_then(Uri::as_sip).unwrap().headers;
        assert_eq!(headers.get("route").as_deref(), Some(&b"<sip:sip.example.com>"[..]));
    }

    #[test]
    fn a_star_before_an_address_is_its_display_name() {
        for text in ["* <sip:a@b>", "*<sip:a@b>", "** c <sip:a@b>;q=0.5"] {
            let contact: Contact = text.parse().unwrap();
            assert_eq!(contact.uri().unwrap().to_string(), "sip:a@b", "{text}");
            assert_eq!(contact.to_string().parse(), Ok(contact), "{text}");
        }
        assert_eq!(" * ".parse(), Ok(Contact::Star));
    }

    #[test]
    fn wrong_preferences_and_empty_parameters_are_refused() {
        for text in ["<sip:a@b>;q=2", "\"Joe\" <sip:joe@example.org>;;;;", "* x", "<sip:a@b>;q"] {
            assert!(text.parse::<Contact>().is_err(), "{text}");
        }
    }
}
