//! What challenges and credentials have in common: a scheme, then parameters or something else.

use bytes::{BufMut, Bytes};

use super::param::{ParamList, is_space};
use crate::error::{ErrorKind, ParseError, Part};
use crate::header::is_token_byte;

/// Parameters that a digest may have once.
const SINGLE: [&str; 15] = [
    "username",
    "username*",
    "realm",
    "nonce",
    "uri",
    "response",
    "algorithm",
    "cnonce",
    "opaque",
    "qop",
    "nc",
    "userhash",
    "stale",
    "domain",
    "auts",
];

/// A scheme and what follows it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct SchemeValue {
    pub(crate) scheme: Bytes,
    pub(crate) params: ParamList,
    /// What follows a scheme that is not Digest and does not use parameters, such as a Basic or Bearer token.
    pub(crate) other: Bytes,
}

impl SchemeValue {
    /// A digest without parameters.
    pub(crate) fn digest() -> Self {
        Self { scheme: Bytes::from_static(b"Digest"), params: ParamList::new(), other: Bytes::new() }
    }

    /// Parses the value of a header.
    pub(crate) fn parse(value: &Bytes, part: &Part) -> Result<Self, ParseError> {
        let error = |(kind, offset)| ParseError::new(kind, part.clone(), offset);
        let start = value.iter().position(|byte| !is_space(*byte)).unwrap_or(value.len());
        let rest = value.get(start..).unwrap_or_default();
        let len = rest.iter().position(|byte| !is_token_byte(*byte)).unwrap_or(rest.len());
        let end = start + len;
        if len == 0 {
            return Err(error((ErrorKind::Syntax, start)));
        }
        if value.get(end).is_some_and(|byte| !is_space(*byte)) {
            return Err(error((ErrorKind::Syntax, end)));
        }
        let scheme = value.slice(start..end);
        match ParamList::parse(value, end) {
            Ok(params) => {
                let this = Self { scheme, params, other: Bytes::new() };
                if this.is_digest() && this.params.repeats(&SINGLE) {
                    return Err(error((ErrorKind::Repeated, end)));
                }
                Ok(this)
            }
            Err(fault) if scheme.eq_ignore_ascii_case(b"digest") => Err(error(fault)),
            Err(_) => {
                let rest = value.get(end..).unwrap_or_default();
                // The same white space as between parameters, so that what is written reads the same.
                let first = rest.iter().position(|byte| !is_space(*byte)).unwrap_or(rest.len());
                let last = rest.iter().rposition(|byte| !is_space(*byte)).map_or(first, |at| at + 1);
                let trimmed = rest.get(first..last).unwrap_or_default();
                if let Some(at) = trimmed.iter().position(|byte| matches!(byte, b'\r' | b'\n' | 0)) {
                    return Err(error((ErrorKind::Syntax, end + at)));
                }
                Ok(Self { scheme, params: ParamList::new(), other: value.slice_ref(trimmed) })
            }
        }
    }

    /// Whether this is Digest.
    pub(crate) fn is_digest(&self) -> bool {
        &*self.scheme == b"Digest" || self.scheme.eq_ignore_ascii_case(b"digest")
    }

    /// Writes scheme and parameters.
    pub(crate) fn encode(&self, out: &mut impl BufMut) {
        out.put_slice(&self.scheme);
        if !self.params.is_empty() {
            out.put_u8(b' ');
            self.params.encode(out);
        } else if !self.other.is_empty() {
            out.put_u8(b' ');
            out.put_slice(&self.other);
        }
    }
}

/// `true` in any case.
pub(crate) fn is_true(value: Option<&[u8]>) -> bool {
    value.is_some_and(|value| value.eq_ignore_ascii_case(b"true"))
}
