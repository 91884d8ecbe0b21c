//! The comma-separated parameters of challenges and credentials.

use bytes::{BufMut, Bytes, BytesMut};
use smallvec::SmallVec;

use crate::error::ErrorKind;
use crate::header::is_token_byte;

/// More parameters than this in one value are refused.
const MAX_PARAMS: usize = 64;

/// One `name=value` of a challenge or of credentials.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Param {
    name: Bytes,
    value: Bytes,
    quoted: bool,
}

impl Param {
    /// The name, as it was written.
    #[must_use]
    pub fn name(&self) -> &[u8] {
        &self.name
    }

    /// The value, without quotes and escapes.
    #[must_use]
    pub fn value(&self) -> &[u8] {
        &self.value
    }

    /// Whether the value stands in quotes.
    #[must_use]
    pub const fn is_quoted(&self) -> bool {
        self.quoted
    }
}

/// The parameters that a response is computed of and compared with.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Answer<'a> {
    pub(crate) algorithm: Option<&'a [u8]>,
    pub(crate) nonce: Option<&'a [u8]>,
    pub(crate) uri: Option<&'a [u8]>,
    pub(crate) qop: Option<&'a [u8]>,
    pub(crate) cnonce: Option<&'a [u8]>,
    pub(crate) nc: Option<&'a [u8]>,
    pub(crate) response: Option<&'a [u8]>,
}

/// An ordered list of parameters: `auth-param`s joined by commas (RFC 3261 §25.1, RFC 9110 §11.2).
///
/// Unknown parameters are kept. Names are compared without regard to case. A parsed value holds no CR, LF or NUL, and
/// the setters leave these bytes out, so that what is written can never become another header.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct ParamList(SmallVec<[Param; 12]>);

impl ParamList {
    /// An empty list.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Parses the list; the error says what is wrong and at which byte.
    pub(crate) fn parse(bytes: &Bytes, from: usize) -> Result<Self, (ErrorKind, usize)> {
        let mut scanner = Scanner { bytes, at: from };
        let mut list = Self::new();
        loop {
            scanner.skip(|byte| is_space(byte) || byte == b',');
            if scanner.peek().is_none() {
                return Ok(list);
            }
            if list.0.len() == MAX_PARAMS {
                return Err((ErrorKind::TooLarge, scanner.at));
            }
            list.0.push(scanner.param()?);
            scanner.skip(is_space);
            match scanner.peek() {
                None | Some(b',') => {}
                Some(_) => return Err((ErrorKind::Syntax, scanner.at)),
            }
        }
    }

    /// The value of the first parameter of that name, without quotes and escapes.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        self.0.iter().find(|param| param.name.eq_ignore_ascii_case(name.as_bytes())).map(Param::value)
    }

    /// What a response is computed of and compared with, in one pass: the first parameter of each name.
    pub(crate) fn answer(&self) -> Answer<'_> {
        let mut answer = Answer::default();
        for param in &self.0 {
            // By its length a name can be one of two at most, and nearly all write it in lower case.
            let is = |name: &[u8]| param.name == name || param.name.eq_ignore_ascii_case(name);
            let value = match param.name.len() {
                2 if is(b"nc") => &mut answer.nc,
                3 if is(b"uri") => &mut answer.uri,
                3 if is(b"qop") => &mut answer.qop,
                5 if is(b"nonce") => &mut answer.nonce,
                6 if is(b"cnonce") => &mut answer.cnonce,
                8 if is(b"response") => &mut answer.response,
                9 if is(b"algorithm") => &mut answer.algorithm,
                _ => continue,
            };
            value.get_or_insert(param.value());
        }
        answer
    }

    /// All parameters in order.
    pub fn iter(&self) -> impl Iterator<Item = &Param> {
        self.0.iter()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Sets a parameter whose value stands in quotes: in place when it is there, else at the end.
    pub fn set_quoted(&mut self, name: &'static str, value: impl AsRef<[u8]>) {
        self.set(name, Bytes::from(printable(value.as_ref())), true);
    }

    /// Sets a parameter whose value is a token. Bytes that end a token are left out.
    pub fn set_token(&mut self, name: &'static str, value: impl AsRef<[u8]>) {
        let value: Vec<u8> = value.as_ref().iter().copied().filter(|byte| is_bare(*byte)).collect();
        self.set(name, Bytes::from(value), false);
    }

    /// Removes every parameter of that name.
    pub fn remove(&mut self, name: &str) {
        self.0.retain(|param| !param.name.eq_ignore_ascii_case(name.as_bytes()));
    }

    /// Writes the list, joined by a comma and a space.
    pub fn encode(&self, out: &mut impl BufMut) {
        for (index, param) in self.0.iter().enumerate() {
            if index > 0 {
                out.put_slice(b", ");
            }
            out.put_slice(&param.name);
            out.put_u8(b'=');
            if !param.quoted {
                out.put_slice(&param.value);
                continue;
            }
            out.put_u8(b'"');
            for &byte in &param.value {
                if matches!(byte, b'"' | b'\\') {
                    out.put_u8(b'\\');
                }
                out.put_u8(byte);
            }
            out.put_u8(b'"');
        }
    }

    /// Whether one of the names occurs twice.
    pub(crate) fn repeats(&self, names: &[&str]) -> bool {
        names
            .iter()
            .any(|name| self.0.iter().filter(|param| param.name.eq_ignore_ascii_case(name.as_bytes())).nth(1).is_some())
    }

    fn set(&mut self, name: &'static str, value: Bytes, quoted: bool) {
        match self.0.iter_mut().find(|param| param.name.eq_ignore_ascii_case(name.as_bytes())) {
            Some(param) => (param.value, param.quoted) = (value, quoted),
            None => self.0.push(Param { name: Bytes::from_static(name.as_bytes()), value, quoted }),
        }
    }
}

/// A place in the bytes of a value.
struct Scanner<'a> {
    bytes: &'a Bytes,
    at: usize,
}

impl Scanner<'_> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn skip(&mut self, wanted: impl Fn(u8) -> bool) {
        while self.peek().is_some_and(&wanted) {
            self.at += 1;
        }
    }

    fn take(&mut self, wanted: impl Fn(u8) -> bool) -> Bytes {
        let start = self.at;
        self.skip(wanted);
        self.bytes.slice(start..self.at)
    }

    fn param(&mut self) -> Result<Param, (ErrorKind, usize)> {
        let name = self.take(is_token_byte);
        if name.is_empty() {
            return Err((ErrorKind::Syntax, self.at));
        }
        self.skip(is_space);
        match self.peek() {
            Some(b'=') => self.at += 1,
            Some(_) => return Err((ErrorKind::Syntax, self.at)),
            None => return Err((ErrorKind::Truncated, self.at)),
        }
        self.skip(is_space);
        if self.peek() == Some(b'"') {
            self.at += 1;
            return Ok(Param { name, value: self.quoted()?, quoted: true });
        }
        Ok(Param { name, value: self.take(is_bare), quoted: false })
    }

    /// The rest of a quoted string, past its first quote.
    fn quoted(&mut self) -> Result<Bytes, (ErrorKind, usize)> {
        let start = self.at;
        let mut unescaped: Option<BytesMut> = None;
        while let Some(byte) = self.peek() {
            match byte {
                b'"' => {
                    let value = match unescaped {
                        Some(value) => value.freeze(),
                        None => self.bytes.slice(start..self.at),
                    };
                    self.at += 1;
                    return Ok(value);
                }
                b'\\' => {
                    let before = self.bytes.get(start..self.at).unwrap_or_default();
                    let value = unescaped.get_or_insert_with(|| BytesMut::from(before));
                    self.at += 1;
                    match self.peek() {
                        None => return Err((ErrorKind::Truncated, self.at)),
                        Some(b'\r' | b'\n' | 0) => return Err((ErrorKind::Syntax, self.at)),
                        Some(escaped) => value.put_u8(escaped),
                    }
                }
                b'\r' | b'\n' | 0 => return Err((ErrorKind::Syntax, self.at)),
                _ => {
                    if let Some(value) = &mut unescaped {
                        value.put_u8(byte);
                    }
                }
            }
            self.at += 1;
        }
        Err((ErrorKind::Truncated, self.at))
    }
}

/// What may stand in a quoted string, escaped or not.
fn printable(value: &[u8]) -> Vec<u8> {
    value.iter().copied().filter(|byte| !matches!(byte, b'\r' | b'\n' | 0)).collect()
}

/// White space between parameters, folds included.
pub(crate) const fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

/// What we take as a value without quotes. More than a token: some leave the quotes off a nonce or a URI.
const fn is_bare(byte: u8) -> bool {
    byte > b' ' && byte != 0x7f && !matches!(byte, b',' | b'"')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(text: &str) -> Result<ParamList, (ErrorKind, usize)> {
        ParamList::parse(&Bytes::copy_from_slice(text.as_bytes()), 0)
    }

    fn encode(list: &ParamList) -> String {
        let mut out = Vec::new();
        list.encode(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn unknown_parameters_and_their_order_are_kept() {
        let text = r#"realm="a, b", x-thing="1", algorithm=MD5, other=2"#;
        assert_eq!(encode(&parse(text).unwrap()), text);
    }

    #[test]
    fn escapes_are_taken_off_and_put_back() {
        let list = parse(r#"realm="say \"hi\" to \\me\x""#).unwrap();
        assert_eq!(list.get("REALM"), Some(&br#"say "hi" to \mex"#[..]));
        assert_eq!(encode(&list), r#"realm="say \"hi\" to \\mex""#);
    }

    #[test]
    fn white_space_folds_and_empty_elements_are_allowed() {
        let list = parse(" ,a = 1 ,\r\n\t b=\"2\" , ,").unwrap();
        assert_eq!(encode(&list), r#"a=1, b="2""#);
        assert!(parse("  , ,").unwrap().is_empty());
    }

    #[test]
    fn a_missing_comma_quote_or_name_is_an_error_with_its_place() {
        assert_eq!(parse(r#"a="1" b="2""#), Err((ErrorKind::Syntax, 6)));
        assert_eq!(parse(r#"a="1"#), Err((ErrorKind::Truncated, 4)));
        assert_eq!(parse(r#"a="1\"#), Err((ErrorKind::Truncated, 5)));
        assert_eq!(parse("=1"), Err((ErrorKind::Syntax, 0)));
        assert_eq!(parse("a"), Err((ErrorKind::Truncated, 1)));
        assert_eq!(parse("a=\"1\r\nVia: x\""), Err((ErrorKind::Syntax, 4)));
    }

    #[test]
    fn the_number_of_parameters_is_bounded() {
        let many = (0..MAX_PARAMS).map(|index| format!("p{index}=1")).collect::<Vec<_>>().join(",");
        assert!(parse(&many).is_ok());
        assert_eq!(parse(&format!("{many},q=1")).unwrap_err().0, ErrorKind::TooLarge);
    }

    #[test]
    fn line_ends_cannot_be_smuggled_in() {
        let mut list = ParamList::new();
        list.set_quoted("realm", "a\r\nVia: b\0");
        list.set_token("nc", "1, x\r\n");
        assert_eq!(encode(&list), r#"realm="aVia: b", nc=1x"#);
    }

    #[test]
    fn setting_again_replaces_in_place() {
        let mut list = parse("a=1, b=2").unwrap();
        list.set_quoted("A", "3");
        assert_eq!(encode(&list), r#"a="3", b=2"#);
        list.remove("a");
        assert_eq!(encode(&list), "b=2");
    }

    proptest! {
        #[test]
        fn what_is_parsed_is_written_and_parsed_the_same(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            if let Ok(list) = ParamList::parse(&Bytes::from(bytes), 0) {
                let mut out = Vec::new();
                list.encode(&mut out);
                prop_assert_eq!(ParamList::parse(&Bytes::from(out), 0).unwrap(), list);
            }
        }

        #[test]
        fn any_quoted_value_survives(value in "[^\r\n\0]{0,40}") {
            let mut list = ParamList::new();
            list.set_quoted("v", &value);
            let mut out = Vec::new();
            list.encode(&mut out);
            let again = ParamList::parse(&Bytes::from(out), 0).unwrap();
            prop_assert_eq!(again.get("v"), Some(value.as_bytes()));
        }
    }
}
