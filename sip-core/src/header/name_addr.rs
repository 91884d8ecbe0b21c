//! An address with a display name and parameters: what From, To, Contact, Route and others hold (RFC 3261 §20.10).

use std::fmt;
use std::str::FromStr;

use bytes::{BufMut, Bytes};

use crate::error::{ParseError, Part};
use crate::header::is_token;
use crate::scan::{self, Cursor, Scan};
use crate::uri::{Params, Uri};
use crate::view;

/// A URI with an optional display name, and the parameters of the header that it stands in.
///
/// `PartialEq` compares what is written, the quoting of the display name and white space apart.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct NameAddr {
    /// The display name as text: without quotes, escapes resolved.
    pub display: Option<Bytes>,
    /// The URI.
    pub uri: Uri,
    /// The header's parameters, after the closing `>`.
    pub params: Params,
}

impl NameAddr {
    /// An address that is a URI alone.
    #[must_use]
    pub const fn new(uri: Uri) -> Self {
        Self { display: None, uri, params: Params::new() }
    }

    /// Reads an address that is the whole of `bytes`, with or without `<>`.
    ///
    /// # Errors
    /// When the grammar does not allow it.
    pub fn parse(bytes: &Bytes) -> Result<Self, ParseError> {
        scan::whole(bytes, Self::scan).map_err(|fault| fault.within(Part::HeaderLine))
    }

    /// The address with this display name.
    #[must_use]
    pub fn with_display(mut self, display: impl Into<Bytes>) -> Self {
        self.display = Some(display.into());
        self
    }

    /// The address with this parameter: see [`Params::set`].
    #[must_use]
    pub fn with_param(mut self, name: &str, value: Option<&[u8]>) -> Self {
        self.params.set(name, value);
        self
    }

    /// `(name-addr / addr-spec) *(SEMI param)`.
    #[inline]
    pub(crate) fn scan(cursor: &mut Cursor<'_>) -> Scan<Self> {
        let bytes = cursor.bytes();
        Ok(view::NameAddr::scan(cursor)?.keep(&bytes))
    }

    /// `name-addr *(SEMI param)`, where `<>` must be written.
    #[inline]
    pub(crate) fn scan_bracketed(cursor: &mut Cursor<'_>) -> Scan<Self> {
        let bytes = cursor.bytes();
        Ok(view::NameAddr::scan_bracketed(cursor)?.keep(&bytes))
    }

    /// Whether the URI has the `lr` parameter.
    #[must_use]
    pub fn is_loose(&self) -> bool {
        self.uri.as_sip().is_some_and(crate::uri::SipUri::is_loose)
    }

    /// Writes it, the URI always in `<>`.
    pub fn encode(&self, out: &mut impl BufMut) {
        if let Some(display) = &self.display {
            if is_plain(display) {
                out.put_slice(display)
            } else {
                scan::put_quoted(display, out)
            }
            out.put_u8(b' ');
        }
        out.put_u8(b'<');
        self.uri.encode(out);
        out.put_u8(b'>');
        self.params.encode(out);
    }
}

/// Whether a display name can stand without quotes: tokens with one space between them.
fn is_plain(display: &[u8]) -> bool {
    display.split(|&byte| byte == b' ').all(is_token)
}

impl fmt::Display for NameAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        scan::show(f, |out| self.encode(out))
    }
}

impl FromStr for NameAddr {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        Self::parse(&Bytes::copy_from_slice(text.as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> NameAddr {
        text.parse().unwrap()
    }

    #[test]
    fn every_form_of_an_address_is_read() {
        for (text, display, uri, params) in [
            ("sip:a@b;tag=1", None, "sip:a@b", ";tag=1"),
            ("<sip:a@b;lr>;tag=1", None, "sip:a@b;lr", ";tag=1"),
            ("Alice <sip:a@b>", Some("Alice"), "sip:a@b", ""),
            ("Alice B. Carol\t<sip:a@b>", Some("Alice B. Carol"), "sip:a@b", ""),
            ("caller<sip:a@b>", Some("caller"), "sip:a@b", ""),
            ("\"A \\\"B\\\" <;>,\" <sip:a@b?x=y>;q=1", Some("A \"B\" <;>,"), "sip:a@b?x=y", ";q=1"),
            ("\"\"<tel:+1-201>", Some(""), "tel:+1-201", ""),
            ("tel:+1201;tag=2", None, "tel:+1201", ";tag=2"),
            ("<urn:service:sos>", None, "urn:service:sos", ""),
            ("Jürgen <sip:j@b>", Some("Jürgen"), "sip:j@b", ""),
            ("sip:a@b ; tag = x", None, "sip:a@b", "; tag = x"),
            ("<sip:a@b>\r\n ;tag=1", None, "sip:a@b", ";tag=1"),
        ] {
            let address = address(text);
            assert_eq!(address.display.as_deref(), display.map(str::as_bytes), "{text}");
            assert_eq!(address.uri.to_string(), uri, "{text}");
            assert_eq!(address.params.to_string(), params, "{text}");
            assert_eq!(self::address(&address.to_string()), address, "{text}");
        }
    }

    #[test]
    fn a_closing_bracket_before_the_opening_one_is_an_error_and_no_panic() {
        for text in [">sip:a@b<", "a>b<sip:a@b>", "> <sip:a@b>", "\">\" >< sip:a@b"] {
            assert!(text.parse::<NameAddr>().is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in [
            "",
            "<>",
            "<sip:a@b",
            "\"open <sip:a@b>",
            "< sip:a@b >",
            "Bell, Alexander <sip:a@b>",
            "sip:a@b?x=y",
            "sip:a@b,c",
            "<sip:a@b>x",
            "<sip:a@b>;",
            "<sip:a@b>;;x",
            "Alice",
            "\"Alice\" sip:a@b",
            "<sip:a@b> <sip:a@b>",
            "*",
            "a;b <sip:c@d>",
        ] {
            assert!(text.parse::<NameAddr>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_quoted_parameter_may_hold_semicolons_commas_and_brackets() {
        let address = address(r#"<sip:a@b>;+sip.instance="<urn:uuid:1;2,3>";reg-id=1"#);
        assert_eq!(address.params.text("+sip.instance").as_deref(), Some(&b"<urn:uuid:1;2,3>"[..]));
        assert_eq!(address.params.value("reg-id"), Some(&b"1"[..]));
    }

    #[test]
    fn a_display_name_with_a_line_break_cannot_break_a_message() {
        let address = address("sip:a@b").with_display("x\r\nVia: y");
        assert_eq!(address.to_string(), "\"x  Via: y\" <sip:a@b>");
    }
}
