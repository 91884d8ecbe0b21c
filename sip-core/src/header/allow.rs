//! Allow (RFC 3261 §20.5).

use bytes::{BufMut, Bytes};

use crate::error::{ErrorKind, ParseError};
use crate::header::macros::text_forms;
use crate::header::{HeaderName, TypedHeader};
use crate::message::Method;
use crate::scan::{self, Fault};

/// One method that the sender knows.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Allow(pub Method);

impl TypedHeader for Allow {
    const NAME: HeaderName = HeaderName::ALLOW;
    const LIST: bool = true;
    const EMPTY: bool = true;

    fn parse(value: &Bytes) -> Result<Self, ParseError> {
        scan::value(value, Self::NAME, |cursor| {
            let offset = cursor.offset();
            let method = cursor.take(scan::TOKEN);
            Method::parse(method).map(Self).map_err(|_| Fault { kind: ErrorKind::Syntax, offset })
        })
    }

    fn encode(&self, out: &mut impl BufMut) {
        scan::put_token(self.0.as_bytes(), out);
    }
}

text_forms!(Allow);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::macros::examples;

    examples! {
        Allow, the_examples_of_rfc_3261_are_read_and_written,
        same: ["INVITE", "ACK", "OPTIONS", "CANCEL", "BYE", "X-NEW"],
        other: [],
        refused: ["", "A B", "a/b"]
    }

    #[test]
    fn methods_are_case_sensitive() {
        assert_eq!("INVITE".parse(), Ok(Allow(Method::Invite)));
        assert_ne!("invite".parse(), Ok(Allow(Method::Invite)));
    }
}
