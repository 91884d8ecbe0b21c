//! An address with a display name and parameters over borrowed bytes.

use std::borrow::Cow;

use bytes::Bytes;

use crate::error::{ErrorKind, ParseError, Part};
use crate::header;
use crate::scan::{self, Copied, Fault, Keep, Raw, Scan};
use crate::view::{Params, Uri};

/// A URI with an optional display name, and the parameters of the header that it stands in (RFC 3261 §20.10).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NameAddr<'a> {
    /// The display name without its quotes, escapes as written: see [`NameAddr::display_text`].
    pub display: Option<&'a [u8]>,
    /// The URI.
    pub uri: Uri<'a>,
    /// The header's parameters, after the closing `>`.
    pub params: Params<'a>,
}

impl<'a> NameAddr<'a> {
    /// Reads an address that is the whole of `bytes`, with or without `<>`.
    ///
    /// # Errors
    /// When the grammar does not allow it.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, ParseError> {
        scan::view(bytes, || Part::HeaderLine, Self::scan)
    }

    /// `(name-addr / addr-spec) *(SEMI param)`: in the form without `<>` everything from the first `;` on belongs to
    /// the header, and `?` or `,` may not stand in the URI (RFC 3261 §20).
    #[inline]
    pub(crate) fn scan(cursor: &mut Raw<'a>) -> Scan<Self> {
        cursor.skip_space();
        let start = cursor.offset();
        let rest = cursor.rest();
        if matches!(rest.first(), Some(b'"' | b'<')) {
            return Self::scan_bracketed(cursor);
        }
        let stop =
            rest.iter().position(|byte| matches!(byte, b'<' | b';' | b',' | b'?' | b' ' | b'\t' | b'\r' | b'\n'));
        let length = stop.unwrap_or(rest.len());
        // A display name may be followed by white space or the bracket; a URI alone ends with its first parameter.
        let tail = rest.get(length..).unwrap_or_default();
        if tail.iter().find(|&&byte| !scan::is(byte, scan::TOKEN | scan::SPACE)) == Some(&b'<') {
            return Self::scan_bracketed(cursor);
        }
        if matches!(tail.first(), Some(b'?' | b',')) {
            return Err(Fault { kind: ErrorKind::Syntax, offset: start + length });
        }
        let uri = Uri::scan(&mut cursor.part(start, start + length))?;
        cursor.advance(length);
        Ok(Self { display: None, uri, params: Params::scan(cursor)? })
    }

    /// `name-addr *(SEMI param)`, where `<>` must be written.
    pub(crate) fn scan_bracketed(cursor: &mut Raw<'a>) -> Scan<Self> {
        cursor.skip_space();
        let display = match cursor.peek() {
            Some(b'<') => None,
            Some(b'"') => Some(cursor.quoted()?),
            _ => {
                // Tokens with white space between them; text that is not ASCII is let through.
                let mut end = 0;
                let mut length = 0;
                let rest = cursor.rest();
                for &byte in rest {
                    if scan::is(byte, scan::TOKEN) || !byte.is_ascii() {
                        end = length + 1;
                    } else if !scan::is(byte, scan::SPACE) {
                        break;
                    }
                    length += 1;
                }
                cursor.advance(length);
                if end > 0 { rest.get(..end) } else { None }
            }
        };
        cursor.skip_space();
        let uri = scan_brackets(cursor)?;
        Ok(Self { display, uri, params: Params::scan(cursor)? })
    }

    /// The display name as text, escapes resolved.
    #[must_use]
    pub fn display_text(&self) -> Option<Cow<'a, [u8]>> {
        self.display.map(|display| scan::unescape(display).map_or(Cow::Borrowed(display), Cow::Owned))
    }

    /// Whether the URI has the `lr` parameter.
    #[must_use]
    pub fn is_loose(&self) -> bool {
        self.uri.as_sip().is_some_and(super::SipUri::is_loose)
    }

    /// An address of its own memory.
    #[must_use]
    pub fn to_owned(&self) -> header::NameAddr {
        self.keep(&Copied)
    }

    #[inline]
    pub(crate) fn keep(&self, source: &impl Keep) -> header::NameAddr {
        header::NameAddr {
            display: self
                .display
                .map(|display| scan::unescape(display).map_or_else(|| source.keep(display), Bytes::from)),
            uri: self.uri.keep(source),
            params: self.params.keep(source),
        }
    }
}

/// Reads `<URI>`.
#[inline]
pub(crate) fn scan_brackets<'a>(cursor: &mut Raw<'a>) -> Scan<Uri<'a>> {
    if !cursor.eat(b'<') {
        return Err(cursor.wrong());
    }
    let start = cursor.offset();
    let Some(length) = scan::find(b'>', cursor.rest()) else {
        return Err(Fault { kind: ErrorKind::Truncated, offset: cursor.end() });
    };
    let uri = Uri::scan(&mut cursor.part(start, start + length))?;
    cursor.advance(length + 1);
    Ok(uri)
}

/// Goes over `<URI>`.
pub(crate) fn skip_brackets(cursor: &mut Raw<'_>) -> Scan<()> {
    scan_brackets(cursor).map(drop)
}
