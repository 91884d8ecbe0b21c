//! A media type, as Content-Type and Accept have it (RFC 3261 §25.1, RFC 2046).

use std::fmt;
use std::str::FromStr;

use bytes::{BufMut, Bytes};

use crate::error::{ParseError, Part};
use crate::scan::{self, Cursor, Scan};
use crate::uri::Params;

/// A type, a subtype and parameters.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct MediaType {
    /// The type as written, such as `application`, or `*`.
    pub kind: Bytes,
    /// The subtype as written, such as `sdp`, or `*`.
    pub subtype: Bytes,
    /// The parameters.
    pub params: Params,
}

impl MediaType {
    /// `application/sdp`.
    pub const SDP: Self = Self::from_static("application", "sdp");

    /// A type that is known when the program is written.
    #[must_use]
    pub const fn from_static(kind: &'static str, subtype: &'static str) -> Self {
        Self {
            kind: Bytes::from_static(kind.as_bytes()),
            subtype: Bytes::from_static(subtype.as_bytes()),
            params: Params::new(),
        }
    }

    /// Reads a media type that is the whole of `bytes`.
    ///
    /// # Errors
    /// When it is none.
    pub fn parse(bytes: &Bytes) -> Result<Self, ParseError> {
        scan::whole(bytes, Self::scan).map_err(|fault| fault.within(Part::HeaderLine))
    }

    pub(crate) fn scan(cursor: &mut Cursor<'_>) -> Scan<Self> {
        let kind = cursor.token()?;
        if !cursor.separator(b'/') {
            return Err(cursor.wrong());
        }
        let subtype = cursor.token()?;
        Ok(Self { kind, subtype, params: Params::scan(cursor)? })
    }

    /// Whether type and subtype are these, in any case; parameters do not count.
    #[must_use]
    pub fn is(&self, kind: &str, subtype: &str) -> bool {
        self.kind.eq_ignore_ascii_case(kind.as_bytes()) && self.subtype.eq_ignore_ascii_case(subtype.as_bytes())
    }

    /// Whether this range, which may hold `*`, takes in `other`; parameters do not count.
    #[must_use]
    pub fn takes(&self, other: &Self) -> bool {
        let takes = |range: &Bytes, one: &Bytes| range == "*" || range.eq_ignore_ascii_case(one);
        takes(&self.kind, &other.kind) && takes(&self.subtype, &other.subtype)
    }

    /// Writes it.
    pub fn encode(&self, out: &mut impl BufMut) {
        scan::put_token(&self.kind, out);
        out.put_u8(b'/');
        scan::put_token(&self.subtype, out);
        self.params.encode(out);
    }
}

impl fmt::Display for MediaType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        scan::show(f, |out| self.encode(out))
    }
}

impl FromStr for MediaType {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        Self::parse(&Bytes::copy_from_slice(text.as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_take_in_types_in_any_case() {
        let range: MediaType = "Application/*".parse().unwrap();
        assert!(range.takes(&MediaType::SDP));
        assert!(!range.takes(&"text/plain".parse().unwrap()));
        assert!("*/*".parse::<MediaType>().unwrap().takes(&MediaType::SDP));
        assert!("APPLICATION / SDP".parse::<MediaType>().unwrap().is("application", "sdp"));
    }
}
