//! RAck (RFC 3262 §7.2).

use bytes::{BufMut, Bytes};

use crate::error::ParseError;
use crate::header::macros::text_forms;
use crate::header::{CSeq, HeaderName, TypedHeader};
use crate::message::Method;
use crate::scan;

/// Which reliable provisional response a PRACK acknowledges.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RAck {
    /// The RSeq of the response.
    pub response: u32,
    /// The sequence number of its CSeq.
    pub sequence: u32,
    /// The method of its CSeq.
    pub method: Method,
}

impl TypedHeader for RAck {
    const NAME: HeaderName = HeaderName::RACK;
    const LIST: bool = false;

    fn parse(value: &Bytes) -> Result<Self, ParseError> {
        scan::value(value, Self::NAME, |cursor| {
            let response = cursor.number_as()?;
            if !cursor.peek().is_some_and(|byte| scan::is(byte, scan::SPACE)) {
                return Err(cursor.wrong());
            }
            cursor.skip_space();
            let CSeq { sequence, method } = CSeq::scan(cursor)?;
            Ok(Self { response, sequence, method })
        })
    }

    fn encode(&self, out: &mut impl BufMut) {
        crate::write::number(u64::from(self.response), out);
        out.put_u8(b' ');
        crate::write::number(u64::from(self.sequence), out);
        out.put_u8(b' ');
        scan::put_token(self.method.as_bytes(), out);
    }
}

text_forms!(RAck);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::macros::examples;

    examples! {
        RAck, the_example_of_rfc_3262_is_read_and_written,
        same: ["776656 1 INVITE"],
        other: ["01 \t 2   X"],
        refused: ["", "1", "1 INVITE", "1 2", "1 2 ", "1 2 A B", "99999999999 1 INVITE"]
    }
}
