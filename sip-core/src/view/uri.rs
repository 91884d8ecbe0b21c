//! URIs over borrowed bytes.

use std::borrow::Cow;

use bytes::{Bytes, BytesMut};

use crate::error::{ErrorKind, ParseError, Part};
use crate::scan::{self, Copied, Fault, Keep, Raw, Scan};
use crate::uri::{self, escape};
use crate::view::{Host, HostPort, Params};

/// A URI of any scheme.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Uri<'a> {
    /// `sip:` or `sips:` (RFC 3261 §19.1).
    Sip(SipUri<'a>),
    /// `tel:` (RFC 3966).
    Tel(TelUri<'a>),
    /// Any other scheme, not looked into.
    Other(AbsoluteUri<'a>),
}

impl<'a> Uri<'a> {
    /// Reads a URI that is the whole of `bytes`.
    ///
    /// # Errors
    /// [`Part::Uri`] when the grammar does not allow it.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, ParseError> {
        Self::scan(&mut Raw::new(bytes)).map_err(|fault| fault.within(Part::Uri))
    }

    /// Reads a URI that reaches to the end of the cursor.
    #[inline]
    pub(crate) fn scan(cursor: &mut Raw<'a>) -> Scan<Self> {
        // The scheme of nearly every URI, without looking for its end.
        if let [b's' | b'S', b'i' | b'I', b'p' | b'P', mark, rest @ ..] = cursor.rest() {
            match (mark, rest.first()) {
                (b':', _) => {
                    cursor.advance(4);
                    return SipUri::scan(cursor, false).map(Self::Sip);
                }
                (b's' | b'S', Some(b':')) => {
                    cursor.advance(5);
                    return SipUri::scan(cursor, true).map(Self::Sip);
                }
                _ => {}
            }
        }
        Self::scan_other(cursor)
    }

    #[inline(never)]
    fn scan_other(cursor: &mut Raw<'a>) -> Scan<Self> {
        let rest = cursor.rest();
        let length = rest.iter().position(|&byte| byte == b':').unwrap_or(0);
        if rest.get(..length).unwrap_or_default().eq_ignore_ascii_case(b"tel") {
            cursor.advance(4);
            return TelUri::scan(cursor).map(Self::Tel);
        }
        AbsoluteUri::scan(cursor, length).map(Self::Other)
    }

    /// The scheme in lower case for those that are known, otherwise as written.
    #[must_use]
    pub fn scheme(&self) -> &'a [u8] {
        match self {
            Self::Sip(uri) if uri.secure => b"sips",
            Self::Sip(_) => b"sip",
            Self::Tel(_) => b"tel",
            Self::Other(uri) => uri.scheme,
        }
    }

    /// The SIP or SIPS URI, if it is one.
    #[must_use]
    pub fn as_sip(&self) -> Option<&SipUri<'a>> {
        match self {
            Self::Sip(uri) => Some(uri),
            _ => None,
        }
    }

    /// The `tel` URI, if it is one.
    #[must_use]
    pub fn as_tel(&self) -> Option<&TelUri<'a>> {
        match self {
            Self::Tel(uri) => Some(uri),
            _ => None,
        }
    }

    /// A URI of its own memory, to be compared, changed or kept.
    #[must_use]
    pub fn to_owned(&self) -> uri::Uri {
        self.keep(&Copied)
    }

    #[inline]
    pub(crate) fn keep(&self, source: &impl Keep) -> uri::Uri {
        match self {
            Self::Sip(uri) => uri::Uri::Sip(uri.keep(source)),
            Self::Tel(uri) => uri::Uri::Tel(uri.keep(source)),
            Self::Other(uri) => uri::Uri::Other(uri.keep(source)),
        }
    }
}

/// A SIP or SIPS URI: user, password, parameters and headers as written, escapes included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SipUri<'a> {
    /// Whether the scheme is `sips`.
    pub secure: bool,
    /// The user part as written. It may hold `;`, `?` and `/`.
    pub user: Option<&'a [u8]>,
    /// The password as written.
    pub password: Option<&'a [u8]>,
    /// The host.
    pub host: Host<'a>,
    /// The port, if one is written.
    pub port: Option<u16>,
    /// The URI's parameters.
    pub params: Params<'a>,
    /// The URI's headers as written, what stands from `?` on.
    pub headers: &'a [u8],
}

impl<'a> SipUri<'a> {
    /// Reads what stands after the scheme, to the end of the cursor.
    #[inline]
    pub(crate) fn scan(cursor: &mut Raw<'a>, secure: bool) -> Scan<Self> {
        let rest = cursor.rest();
        let mut split = None;
        let mut escapes = false;
        let mut length = 0;
        for &byte in rest {
            if !scan::is(byte, scan::USER) {
                break;
            }
            if byte == b':' && split.is_none() {
                split = Some(length);
            }
            escapes |= byte == b'%';
            length += 1;
        }
        let mut user = None;
        let mut password = None;
        let start = cursor.offset();
        if rest.get(length) == Some(&b'@') {
            let name = split.unwrap_or(length);
            if name == 0 {
                return Err(cursor.wrong());
            }
            if escapes && !escape::is_well_formed(rest.get(..length).unwrap_or_default()) {
                return Err(Fault { kind: ErrorKind::Syntax, offset: start });
            }
            user = rest.get(..name);
            password = split.and_then(|at| rest.get(at + 1..length));
            cursor.advance(length + 1);
        } else if length < rest.len() && memchr::memchr(b'@', rest).is_some() {
            // What no user part may hold.
            return Err(Fault { kind: ErrorKind::Syntax, offset: start + length });
        }
        let HostPort { host, port } = HostPort::scan(cursor)?;
        let (mut params, mut headers) = (Params::default(), &[][..]);
        if !cursor.is_empty() {
            params = Params::scan_uri(cursor)?;
            if !cursor.is_empty() {
                headers = scan_headers(cursor)?;
                if !cursor.is_empty() {
                    return Err(cursor.wrong());
                }
            }
        }
        Ok(Self { secure, user, password, host, port, params, headers })
    }

    /// The user part with its escapes resolved, once. It may hold any byte, zero too.
    #[must_use]
    pub fn user_text(&self) -> Option<Cow<'a, [u8]>> {
        self.user.map(escape::decode)
    }

    /// The `transport` parameter as written.
    #[must_use]
    pub fn transport(&self) -> Option<&'a [u8]> {
        self.params.value("transport")
    }

    /// Whether the `lr` parameter is there: the element routes loosely (RFC 3261 §16.12).
    #[must_use]
    pub fn is_loose(&self) -> bool {
        self.params.contains("lr")
    }

    /// A URI of its own memory.
    #[must_use]
    pub fn to_owned(&self) -> uri::SipUri {
        self.keep(&Copied)
    }

    #[inline]
    pub(crate) fn keep(&self, source: &impl Keep) -> uri::SipUri {
        uri::SipUri {
            secure: self.secure,
            user: self.user.map(|user| source.keep(user)),
            password: self.password.map(|password| source.keep(password)),
            host: self.host.keep(source),
            port: self.port,
            params: self.params.keep(source),
            headers: keep_headers(self.headers, source),
        }
    }
}

/// Headers that are well formed; what should have been escaped, as in the examples of RFC 4244, is escaped.
#[inline]
fn keep_headers(raw: &[u8], source: &impl Keep) -> uri::UriHeaders {
    if scan::all(raw, scan::USER) {
        return uri::UriHeaders::from_raw(source.keep(raw));
    }
    let mut out = BytesMut::with_capacity(raw.len() + 16);
    escape::put(raw, scan::USER, &mut out);
    uri::UriHeaders::from_raw(out.freeze())
}

fn scan_headers<'a>(cursor: &mut Raw<'a>) -> Scan<&'a [u8]> {
    let start = cursor.offset();
    if !cursor.eat(b'?') {
        return Ok(&[]);
    }
    loop {
        let name = cursor.offset();
        if take_header(cursor, false).is_empty() || !cursor.eat(b'=') {
            return Err(cursor.wrong());
        }
        take_header(cursor, true);
        if !escape::is_well_formed(cursor.raw_since(name)) {
            return Err(Fault { kind: ErrorKind::Syntax, offset: name });
        }
        if !cursor.eat(b'&') {
            return Ok(cursor.raw_since(start));
        }
    }
}

fn take_header<'a>(cursor: &mut Raw<'a>, value: bool) -> &'a [u8] {
    let rest = cursor.rest();
    let length = rest
        .iter()
        .position(|&byte| {
            !scan::is(byte, if value { scan::TEXT } else { scan::USER })
                || matches!(byte, b'<' | b'>')
                || byte == b'&'
                || (byte == b'=' && !value)
        })
        .unwrap_or(rest.len());
    cursor.advance(length);
    rest.get(..length).unwrap_or_default()
}

/// A telephone number (RFC 3966).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TelUri<'a> {
    /// The number as written, visual separators and a leading `+` included.
    pub number: &'a [u8],
    /// Its parameters.
    pub params: Params<'a>,
}

impl<'a> TelUri<'a> {
    /// Reads what stands after the scheme, to the end of the cursor.
    pub(crate) fn scan(cursor: &mut Raw<'a>) -> Scan<Self> {
        let start = cursor.offset();
        let global = cursor.eat(b'+');
        let mut digits = 0;
        while let Some(byte) = cursor.peek() {
            match byte {
                b'0'..=b'9' => digits += 1,
                b'-' | b'.' | b'(' | b')' => {}
                b'a'..=b'f' | b'A'..=b'F' | b'*' | b'#' if !global => digits += 1,
                _ => break,
            }
            cursor.advance(1);
        }
        if digits == 0 {
            return Err(cursor.wrong());
        }
        let number = cursor.raw_since(start);
        let params = Params::scan_uri(cursor)?;
        if cursor.is_empty() { Ok(Self { number, params }) } else { Err(cursor.wrong()) }
    }

    pub(crate) fn keep(&self, source: &impl Keep) -> uri::TelUri {
        uri::TelUri { number: source.keep(self.number), params: self.params.keep(source) }
    }
}

/// A URI that is only a scheme and what follows its colon (RFC 3986).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AbsoluteUri<'a> {
    /// The scheme as written, without the colon.
    pub scheme: &'a [u8],
    /// Everything after the colon.
    pub opaque: &'a [u8],
}

impl<'a> AbsoluteUri<'a> {
    fn scan(cursor: &mut Raw<'a>, length: usize) -> Scan<Self> {
        let scheme = cursor.rest().get(..length).unwrap_or_default();
        let valid = scheme.first().is_some_and(u8::is_ascii_alphabetic)
            && scheme.iter().all(|&byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'));
        if !valid {
            return Err(cursor.wrong());
        }
        cursor.advance(length + 1);
        let opaque = cursor.take_some(scan::URI)?;
        if cursor.is_empty() { Ok(Self { scheme, opaque }) } else { Err(cursor.wrong()) }
    }

    pub(crate) fn keep(&self, source: &impl Keep) -> uri::AbsoluteUri {
        uri::AbsoluteUri { scheme: source.keep(self.scheme), opaque: source.keep(self.opaque) }
    }
}

impl std::convert::From<&Uri<'_>> for uri::Uri {
    fn from(uri: &Uri<'_>) -> Self {
        uri.to_owned()
    }
}

/// As [`Uri::scan`], for owned values that share the memory.
pub(crate) fn scan_owned(cursor: &mut scan::Cursor<'_>) -> Scan<uri::Uri> {
    let bytes: &Bytes = cursor.bytes();
    Ok(Uri::scan(cursor)?.keep(&bytes))
}
