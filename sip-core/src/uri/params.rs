//! The `;name=value` lists of URIs and headers (RFC 3261 §19.1.1, §7.3.1).

use std::borrow::Cow;
use std::fmt;
use std::hash::{Hash, Hasher};

use bytes::{BufMut, Bytes, BytesMut};

use crate::error::{ParseError, Part};
use crate::header::is_token;
use crate::scan::{self, Cursor, Fault, Raw, Scan};
use crate::uri::escape;
use crate::view::{self, scan_brackets};

/// An ordered list of parameters, kept as written and searched when asked.
///
/// Names are compared without regard to case. Values are given as written: a quoted one with its quotes
/// ([`Params::text`] removes them), an escaped one with its escapes.
#[derive(Clone, Default)]
pub struct Params {
    /// Empty, or a well-formed list that begins with `;`.
    raw: Bytes,
}

impl Params {
    /// No parameters.
    #[must_use]
    pub const fn new() -> Self {
        Self { raw: Bytes::new() }
    }

    /// Reads a list of header parameters that begins with `;`, or nothing.
    ///
    /// # Errors
    /// [`Part::HeaderLine`] when an entry has no name, a quote does not end, or something else follows.
    pub fn parse(bytes: &Bytes) -> Result<Self, ParseError> {
        scan::whole(bytes, Self::scan).map_err(|fault| fault.within(Part::HeaderLine))
    }

    /// Reads the parameters of a header, white space allowed.
    #[inline]
    pub(crate) fn scan(cursor: &mut Cursor<'_>) -> Scan<Self> {
        let bytes = cursor.bytes();
        Ok(view::Params::scan(cursor)?.keep(&bytes))
    }

    /// A list that is known to be well formed.
    #[inline]
    pub(crate) fn from_raw(raw: Bytes) -> Self {
        Self { raw }
    }

    /// Reads a list that is not preceded by anything, and so lacks its first `;`.
    pub(crate) fn parse_bare(value: &Bytes) -> Scan<Self> {
        let space = value.len() - value.trim_ascii_start().len();
        let mut list = BytesMut::with_capacity(value.len() + 1);
        list.put_u8(b';');
        list.put_slice(value.trim_ascii_start());
        scan::whole(&list.freeze(), Self::scan)
            .map_err(|fault| Fault { offset: (fault.offset + space).saturating_sub(1), ..fault })
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.raw.is_empty()
    }

    /// The list as written, with its first `;`.
    #[must_use]
    pub fn as_bytes(&self) -> &Bytes {
        &self.raw
    }

    /// The value of the first parameter of this name: `None` if there is none, `Some(None)` if it has no value.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<Option<&[u8]>> {
        if let Some(value) = self.first_value(name) {
            return Some(Some(value));
        }
        self.iter().find(|(found, _)| found.eq_ignore_ascii_case(name.as_bytes())).map(|(_, value)| value)
    }

    /// The value of this name when it is that of the first parameter, written as nearly everybody writes it.
    #[inline]
    fn first_value(&self, name: &str) -> Option<&[u8]> {
        let value = self.raw.strip_prefix(b";")?.strip_prefix(name.as_bytes())?.strip_prefix(b"=")?;
        let end = scan::find_any([b';', b'"', b'<'], value).unwrap_or(value.len());
        let plain = value.get(..end)?;
        let is_plain = matches!(value.get(end), None | Some(b';'))
            && plain.first().is_some_and(|byte| *byte > b' ')
            && plain.last().is_some_and(|byte| *byte > b' ');
        is_plain.then_some(plain)
    }

    /// The value of the first parameter of this name, which must have one.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<&[u8]> {
        self.get(name).flatten()
    }

    /// The value of the first parameter of this name as [`Bytes`] that share memory.
    #[must_use]
    pub fn bytes(&self, name: &str) -> Option<Bytes> {
        self.value(name).map(|value| if value.is_empty() { Bytes::new() } else { self.raw.slice_ref(value) })
    }

    /// The value of the first parameter of this name, quotes removed and `\x` resolved.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<Cow<'_, [u8]>> {
        self.value(name).map(unquote)
    }

    /// The value of the first parameter of this name as a number; too large a one counts as the largest.
    #[must_use]
    pub fn number(&self, name: &str) -> Option<u32> {
        let mut cursor = Raw::new(self.value(name)?);
        let number = cursor.seconds().ok()?;
        cursor.is_empty().then_some(number)
    }

    /// Whether there is a parameter of this name.
    #[must_use]
    pub fn contains(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// All parameters in order, as written.
    pub fn iter(&self) -> ParamsIter<'_> {
        ParamsIter { rest: &self.raw }
    }

    /// Gives the parameter of this name this value, in its place or at the end; further ones of the name go.
    ///
    /// What is not a token, host or quoted string is written as a quoted string. For the parameters of a SIP URI use
    /// [`SipUri::set_param`](crate::uri::SipUri::set_param), which escapes instead. A name that is no token changes
    /// nothing.
    pub fn set(&mut self, name: &str, value: Option<&[u8]>) {
        self.put(name, value, put_value);
    }

    /// As [`Params::set`] in a URI, where the value is escaped already.
    pub(crate) fn set_escaped(&mut self, name: &str, value: Option<&[u8]>) {
        self.put(name, value, |value, out| out.put_slice(value));
    }

    fn put(&mut self, name: &str, value: Option<&[u8]>, put_value: impl Fn(&[u8], &mut BytesMut)) {
        if !is_token(name.as_bytes()) {
            return;
        }
        let mut out = BytesMut::with_capacity(self.raw.len() + name.len() + value.map_or(0, <[u8]>::len) + 4);
        let put_new = |out: &mut BytesMut| {
            put_entry(name.as_bytes(), value.map(|_| &b""[..]), out);
            if let Some(value) = value {
                put_value(value, out);
            }
        };
        let mut written = false;
        for (old, kept) in self.iter() {
            if !old.eq_ignore_ascii_case(name.as_bytes()) {
                put_entry(old, kept, &mut out);
            } else if !written {
                written = true;
                put_new(&mut out);
            }
        }
        if !written {
            put_new(&mut out);
        }
        self.raw = out.freeze();
    }

    /// Removes all parameters of this name, and says whether there were any.
    pub fn remove(&mut self, name: &str) -> bool {
        if !self.contains(name) {
            return false;
        }
        let mut out = BytesMut::with_capacity(self.raw.len());
        for (old, kept) in self.iter() {
            if !old.eq_ignore_ascii_case(name.as_bytes()) {
                put_entry(old, kept, &mut out);
            }
        }
        self.raw = out.freeze();
        true
    }

    /// The list with this parameter set.
    #[must_use]
    pub fn with(mut self, name: &str, value: Option<&[u8]>) -> Self {
        self.set(name, value);
        self
    }

    /// Writes the list.
    pub fn encode(&self, out: &mut impl BufMut) {
        out.put_slice(&self.raw);
    }

    /// Writes the list within a URI, where a quoted value, which only a program can have put there, is escaped.
    pub(crate) fn encode_uri(&self, out: &mut impl BufMut) {
        escape::put(&self.raw, scan::URI_PARAM | scan::PARAM_MARK, out);
    }
}

fn put_entry(name: &[u8], value: Option<&[u8]>, out: &mut BytesMut) {
    out.put_u8(b';');
    out.put_slice(name);
    if let Some(value) = value {
        out.put_u8(b'=');
        out.put_slice(value);
    }
}

fn put_value(value: &[u8], out: &mut BytesMut) {
    let plain =
        !value.is_empty() && value.iter().all(|&byte| scan::is(byte, scan::TOKEN) || b"[]:/&$()".contains(&byte));
    if plain || is_delimited(value) { out.put_slice(value) } else { scan::put_quoted(value, out) }
}

/// Whether a value is a quoted string or a URI in brackets as it is.
fn is_delimited(value: &[u8]) -> bool {
    if !matches!(value.first(), Some(b'"' | b'<')) || memchr::memchr2(b'\r', b'\n', value).is_some() {
        return false;
    }
    let mut cursor = Raw::new(value);
    let read = if value.starts_with(b"<") { scan_brackets(&mut cursor).is_ok() } else { cursor.quoted().is_ok() };
    read && cursor.is_empty()
}

/// What a value means: the content of a quoted string, or the value itself.
pub(crate) fn unquote(value: &[u8]) -> Cow<'_, [u8]> {
    match value {
        [b'"', content @ .., b'"'] => scan::unescape(content).map_or(Cow::Borrowed(content), Cow::Owned),
        _ => Cow::Borrowed(value),
    }
}

fn trim(mut bytes: &[u8]) -> &[u8] {
    while let [first, rest @ ..] = bytes {
        if !scan::is(*first, scan::SPACE) {
            break;
        }
        bytes = rest;
    }
    while let [rest @ .., last] = bytes {
        if !scan::is(*last, scan::SPACE) {
            break;
        }
        bytes = rest;
    }
    bytes
}

/// The parameters of a list, one by one, as written: see [`Params::iter`].
#[derive(Debug, Clone)]
pub struct ParamsIter<'a> {
    rest: &'a [u8],
}

impl<'a> ParamsIter<'a> {
    pub(crate) fn new(rest: &'a [u8]) -> Self {
        Self { rest }
    }
}

impl<'a> Iterator for ParamsIter<'a> {
    type Item = (&'a [u8], Option<&'a [u8]>);

    fn next(&mut self) -> Option<Self::Item> {
        let entry = self.rest.strip_prefix(b";")?;
        // As nearly every entry is: without quotes and brackets.
        let stop = scan::find_any([b';', b'"', b'<'], entry).unwrap_or(entry.len());
        let (plain, rest) = entry.split_at_checked(stop)?;
        if matches!(rest.first(), None | Some(b';')) {
            self.rest = rest;
            return Some(split(plain, scan::find(b'=', plain)));
        }
        let mut equals = None;
        let mut quoted = false;
        let mut bracketed = false;
        let mut escaped = false;
        let mut end = entry.len();
        for (i, &byte) in entry.iter().enumerate() {
            match byte {
                _ if escaped => escaped = false,
                b'\\' if quoted => escaped = true,
                b'>' if !quoted => bracketed = false,
                _ if bracketed => {}
                b'"' => quoted = !quoted,
                b'<' if !quoted => bracketed = true,
                b'=' if equals.is_none() => equals = Some(i),
                b';' if !quoted && !bracketed => {
                    end = i;
                    break;
                }
                _ => {}
            }
        }
        let (entry, rest) = entry.split_at_checked(end)?;
        self.rest = rest;
        Some(split(entry, equals))
    }
}

/// The name and the value of an entry whose equals sign is there.
fn split(entry: &[u8], equals: Option<usize>) -> (&[u8], Option<&[u8]>) {
    match equals.and_then(|at| Some((entry.get(..at)?, entry.get(at + 1..)?))) {
        Some((name, value)) => (trim(name), Some(trim(value))),
        None => (trim(entry), None),
    }
}

impl<'a> IntoIterator for &'a Params {
    type Item = (&'a [u8], Option<&'a [u8]>);
    type IntoIter = ParamsIter<'a>;

    fn into_iter(self) -> ParamsIter<'a> {
        self.iter()
    }
}

/// Same names and values in the same order, as written; white space between them does not count.
impl PartialEq for Params {
    fn eq(&self, other: &Self) -> bool {
        self.raw == other.raw || self.iter().eq(other.iter())
    }
}

impl Eq for Params {}

impl Hash for Params {
    fn hash<H: Hasher>(&self, state: &mut H) {
        for entry in self {
            entry.hash(state);
        }
    }
}

impl fmt::Debug for Params {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Params").field(&self.raw).finish()
    }
}

impl fmt::Display for Params {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        scan::show(f, |out| self.encode(out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn a_parameter_is_found_at_once_as_it_is_found_by_going_through_all(
            list in "(;( ?(a|A|ab|b|rport)( ?= ?(\"[;x]\"|<;>|[x\t]?y?| )?)? ?)){0,4}",
        ) {
            let params = Params::from_raw(Bytes::from(list));
            for name in ["a", "ab", "b", "rport", "c"] {
                let found = params.iter().find(|(other, _)| other.eq_ignore_ascii_case(name.as_bytes()));
                proptest::prop_assert_eq!(params.get(name), found.map(|(_, value)| value));
            }
        }
    }

    fn params(text: &'static str) -> Params {
        Params::parse(&Bytes::from_static(text.as_bytes())).unwrap()
    }

    #[test]
    fn quoted_values_may_hold_semicolons_commas_and_angles() {
        let params = params(r#";a="x;y=1,z>\"" ; b = "";c"#);
        assert_eq!(params.get("A"), Some(Some(&br#""x;y=1,z>\"""#[..])));
        assert_eq!(params.text("a").as_deref(), Some(&br#"x;y=1,z>""#[..]));
        assert_eq!(params.text("b").as_deref(), Some(&b""[..]));
        assert_eq!(params.get("c"), Some(None));
        assert_eq!(params.get("y"), None);
        assert_eq!(params.iter().count(), 3);
    }

    #[test]
    fn a_uri_in_brackets_is_one_value() {
        let params = params(";info=<https://a.example;x=y>;alg=ES256");
        assert_eq!(params.value("info"), Some(&b"<https://a.example;x=y>"[..]));
        assert_eq!(params.value("alg"), Some(&b"ES256"[..]));
    }

    #[test]
    fn setting_keeps_the_place_and_removes_doubles() {
        let mut list = params(";a=1;b=2;A=3");
        list.set("a", Some(b"9"));
        assert_eq!(list.to_string(), ";a=9;b=2");
        list.set("c", Some(b"two words"));
        list.set("d", None);
        assert_eq!(list.to_string(), r#";a=9;b=2;c="two words";d"#);
        assert!(list.remove("B"));
        assert!(!list.remove("b"));
        assert_eq!(list.to_string(), r#";a=9;c="two words";d"#);
    }

    #[test]
    fn a_value_that_would_break_the_message_is_quoted_without_its_line_breaks() {
        let list = Params::new().with("a", Some(b"x\r\nVia: y")).with("b\r\n", None);
        assert_eq!(list.to_string(), r#";a="x  Via: y""#);
    }

    #[test]
    fn empty_entries_and_open_quotes_are_refused() {
        for text in [";", ";;", ";a;;b", ";=1", ";a=\"x", ";a=1,b", ";a=<x>", ";a=<b:c", "a=1"] {
            assert!(Params::parse(&Bytes::from_static(text.as_bytes())).is_err(), "{text}");
        }
    }

    #[test]
    fn white_space_does_not_count_in_comparison() {
        assert_eq!(params("; a = 1 ;\tb"), params(";a=1;b"));
        assert_ne!(params(";a=1;b"), params(";b;a=1"));
    }
}
