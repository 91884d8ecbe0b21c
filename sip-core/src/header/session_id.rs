//! Session-ID (RFC 7989 §5).

use bytes::{BufMut, Bytes};

use crate::error::{ErrorKind, ParseError};
use crate::header::macros::text_forms;
use crate::header::{HeaderName, TypedHeader};
use crate::scan::{self, Cursor, Fault, Scan};
use crate::uri::Params;

/// What identifies a session end to end, across back-to-back user agents: one half from each side.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SessionId {
    /// The sender's half: 32 hexadecimal digits.
    pub local: Bytes,
    /// The other half, and others.
    pub params: Params,
}

impl SessionId {
    /// The half of a side that is not known yet.
    pub const NIL: &'static [u8] = b"00000000000000000000000000000000";

    /// A value of two halves.
    #[must_use]
    pub fn new(local: impl Into<Bytes>, remote: &[u8]) -> Self {
        Self { local: local.into(), params: Params::new().with("remote", Some(remote)) }
    }

    /// The receiver's half. Implementations of RFC 7329 send none.
    #[must_use]
    pub fn remote(&self) -> Option<&[u8]> {
        self.params.value("remote")
    }

    /// Whether messages of this session are to be logged (RFC 8497 §3.1).
    #[must_use]
    pub fn is_logged(&self) -> bool {
        self.params.contains("logme")
    }

    fn scan(cursor: &mut Cursor<'_>) -> Scan<Self> {
        let offset = cursor.offset();
        let local = cursor.token()?;
        let params = Params::scan(cursor)?;
        let valid = is_half(&local) && params.value("remote").is_none_or(is_half);
        if valid { Ok(Self { local, params }) } else { Err(Fault { kind: ErrorKind::Syntax, offset }) }
    }
}

fn is_half(half: &[u8]) -> bool {
    half.len() == 32 && half.iter().all(u8::is_ascii_hexdigit)
}

impl TypedHeader for SessionId {
    const NAME: HeaderName = HeaderName::SESSION_ID;
    const LIST: bool = false;

    fn parse(value: &Bytes) -> Result<Self, ParseError> {
        scan::value(value, Self::NAME, Self::scan)
    }

    fn encode(&self, out: &mut impl BufMut) {
        scan::put_token(&self.local, out);
        self.params.encode(out);
    }
}

text_forms!(SessionId);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::macros::examples;

    examples! {
        SessionId, the_examples_of_rfc_7989_are_read_and_written,
        same: [
            "ab30317f1a784dc48ff824d0d3715d86;remote=47755a9de7794ba387653f2099600ef2",
            "ab30317f1a784dc48ff824d0d3715d86;remote=00000000000000000000000000000000;logme",
            "ab30317f1a784dc48ff824d0d3715d86"
        ],
        other: ["ab30317f1a784dc48ff824d0d3715d86 ;remote=47755a9de7794ba387653f2099600ef2"],
        refused: ["", "ab", "zb30317f1a784dc48ff824d0d3715d86", "ab30317f1a784dc48ff824d0d3715d86;remote=1"]
    }

    #[test]
    fn both_halves_are_found() {
        let id = SessionId::new(&b"ab30317f1a784dc48ff824d0d3715d86"[..], SessionId::NIL);
        assert_eq!(id.remote(), Some(SessionId::NIL));
        assert!(!id.is_logged());
        assert_eq!(id.to_string().parse(), Ok(id));
    }
}
