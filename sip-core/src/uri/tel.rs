//! `tel` URIs (RFC 3966).

use std::fmt;
use std::str::FromStr;

use bytes::{BufMut, Bytes, BytesMut};

use crate::error::{ErrorKind, ParseError, Part};
use crate::scan::{self, Copied, Raw};
use crate::uri::{Params, Uri, escape};
use crate::view;

/// A telephone number: global with `+`, or local, which should say its `phone-context`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TelUri {
    /// The number as written, visual separators and a leading `+` included.
    pub number: Bytes,
    /// Its parameters.
    pub params: Params,
}

impl TelUri {
    /// A number without parameters.
    ///
    /// # Errors
    /// [`Part::Uri`] when it is no number.
    pub fn new(number: &str) -> Result<Self, ParseError> {
        let read = view::TelUri::scan(&mut Raw::new(number.as_bytes()));
        read.map(|uri| uri.keep(&Copied)).map_err(|fault| fault.within(Part::Uri))
    }

    /// Whether the number is global, beginning with `+`.
    #[must_use]
    pub fn is_global(&self) -> bool {
        self.number.first() == Some(&b'+')
    }

    /// The number without its visual separators.
    #[must_use]
    pub fn digits(&self) -> Bytes {
        if self.number.iter().any(is_separator) { without_separators(&self.number).into() } else { self.number.clone() }
    }

    /// The `phone-context` parameter, within which a local number is valid.
    #[must_use]
    pub fn phone_context(&self) -> Option<&[u8]> {
        self.params.value("phone-context")
    }

    /// The `ext` parameter.
    #[must_use]
    pub fn extension(&self) -> Option<&[u8]> {
        self.params.value("ext")
    }

    /// The `isub` parameter.
    #[must_use]
    pub fn subaddress(&self) -> Option<&[u8]> {
        self.params.value("isub")
    }

    /// Whether both are the same number: separators and case do not count, every parameter must be in both
    /// (RFC 3966 §4).
    #[must_use]
    pub fn equivalent(&self, other: &Self) -> bool {
        let same = |a: &[u8], b: &[u8]| without_separators(a).eq_ignore_ascii_case(&without_separators(b));
        let within = |a: &Self, b: &Self| {
            a.params.iter().all(|(name, value)| {
                let number = name.eq_ignore_ascii_case(b"ext")
                    || (name.eq_ignore_ascii_case(b"phone-context")
                        && value.is_some_and(|value| value.starts_with(b"+")));
                b.params.iter().any(|(found, other)| {
                    found.eq_ignore_ascii_case(name)
                        && match (value, other) {
                            (Some(value), Some(other)) if number => same(value, other),
                            (Some(value), Some(other)) => {
                                escape::decode(value).eq_ignore_ascii_case(&escape::decode(other))
                            }
                            (None, None) => true,
                            _ => false,
                        }
                })
            })
        };
        same(&self.number, &other.number) && within(self, other) && within(other, self)
    }

    pub(crate) fn address_of_record(&self) -> Bytes {
        let mut out = BytesMut::from(&b"tel:"[..]);
        out.put_slice(&without_separators(&self.number).to_ascii_lowercase());
        if let Some(context) = self.phone_context() {
            out.put_slice(b";phone-context=");
            out.put_slice(&without_separators_if_number(context).to_ascii_lowercase());
        }
        out.freeze()
    }

    /// Writes it.
    pub fn encode(&self, out: &mut impl BufMut) {
        out.put_slice(b"tel:");
        escape::put(&self.number, scan::URI_PARAM, out);
        self.params.encode_uri(out);
    }
}

fn is_separator(byte: &u8) -> bool {
    matches!(byte, b'-' | b'.' | b'(' | b')')
}

fn without_separators(number: &[u8]) -> Vec<u8> {
    number.iter().filter(|byte| !is_separator(byte)).copied().collect()
}

fn without_separators_if_number(context: &[u8]) -> Vec<u8> {
    if context.starts_with(b"+") { without_separators(context) } else { context.to_vec() }
}

impl fmt::Display for TelUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        scan::show(f, |out| self.encode(out))
    }
}

impl FromStr for TelUri {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        match text.parse()? {
            Uri::Tel(uri) => Ok(uri),
            _ => Err(ParseError::new(ErrorKind::Syntax, Part::Uri, 0)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tel(text: &str) -> TelUri {
        text.parse().unwrap()
    }

    #[test]
    fn numbers_of_rfc_3966_are_read_and_written() {
        for text in [
            "tel:+1-201-555-0123",
            "tel:7042;phone-context=example.com",
            "tel:863-1234;phone-context=+1-914-555",
            "tel:+358-555-1234567;postd=pp22",
            "tel:*21#;phone-context=example.com",
            "tel:+1(800)555.0100;ext=12;isub=%41",
        ] {
            assert_eq!(tel(text).to_string(), text);
        }
        let local = tel("tel:863-1234;phone-context=+1-914-555");
        assert!(!local.is_global());
        assert_eq!(local.digits(), &b"8631234"[..]);
        assert_eq!(local.phone_context(), Some(&b"+1-914-555"[..]));
    }

    #[test]
    fn what_is_no_number_is_refused() {
        for text in
            ["tel:", "tel:+", "tel:--", "tel:+12a", "tel:12 34", "tel:alice", "tel:12;", "tel:12?x=y", "tel:1@b"]
        {
            assert!(text.parse::<TelUri>().is_err(), "{text}");
        }
    }

    #[test]
    fn numbers_are_equivalent_by_rfc_3966_section_4() {
        for (a, b, equal) in [
            ("tel:+1-201-555-0123", "TEL:+1(201)555.0123", true),
            ("tel:+12015550123", "tel:12015550123", false),
            ("tel:7042;phone-context=example.com", "tel:7042;Phone-Context=EXAMPLE.com", true),
            ("tel:7042;phone-context=+1-914-555", "tel:7042;phone-context=+1914555", true),
            ("tel:7042;phone-context=example.com", "tel:7042", false),
            ("tel:+1201;ext=1-2;isub=9", "tel:+1201;isub=9;ext=12", true),
            ("tel:+1201;a=1", "tel:+1201;b=1", false),
            ("tel:+1201;a", "tel:+1201;a=1", false),
        ] {
            assert_eq!(tel(a).equivalent(&tel(b)), equal, "{a} {b}");
            assert_eq!(tel(b).equivalent(&tel(a)), equal, "{b} {a}");
        }
    }
}
