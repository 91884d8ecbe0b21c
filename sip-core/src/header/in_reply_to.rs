//! In-Reply-To (RFC 3261 §20.21).

use bytes::{BufMut, Bytes};

use crate::error::ParseError;
use crate::header::macros::text_forms;
use crate::header::{CallId, HeaderName, TypedHeader};
use crate::scan::{self, Cursor};

/// One call that this one returns.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct InReplyTo(pub CallId);

impl TypedHeader for InReplyTo {
    const NAME: HeaderName = HeaderName::IN_REPLY_TO;
    const LIST: bool = true;

    fn parse(value: &Bytes) -> Result<Self, ParseError> {
        scan::value(value, Self::NAME, Cursor::word).map(|call_id| Self(CallId(call_id)))
    }

    fn encode(&self, out: &mut impl BufMut) {
        scan::put_word(&self.0.0, out);
    }
}

text_forms!(InReplyTo);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::macros::examples;

    examples! {
        InReplyTo, the_examples_of_rfc_3261_are_read_and_written,
        same: ["70710@saturn.bell-tel.com", "17320@saturn.bell-tel.com"],
        other: [],
        refused: ["", "a b", "a, b"]
    }
}
