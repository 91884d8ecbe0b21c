//! Warning (RFC 3261 §20.43).

use bytes::{BufMut, Bytes};

use crate::error::{ErrorKind, ParseError};
use crate::header::macros::text_forms;
use crate::header::{HeaderName, TypedHeader};
use crate::scan::{self, Fault};

/// One remark about the response.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Warning {
    /// The code, of three digits.
    pub code: u16,
    /// Who says so: a host and port, or a name.
    pub agent: Bytes,
    /// What a person may read, quotes and escapes resolved.
    pub text: Bytes,
}

impl TypedHeader for Warning {
    const NAME: HeaderName = HeaderName::WARNING;
    const LIST: bool = true;

    fn parse(value: &Bytes) -> Result<Self, ParseError> {
        scan::value(value, Self::NAME, |cursor| {
            let offset = cursor.offset();
            let code: u16 = cursor.number_as()?;
            if !(100..=999).contains(&code) || cursor.offset() - offset != 3 {
                return Err(Fault { kind: ErrorKind::OutOfRange, offset });
            }
            if !cursor.peek().is_some_and(|byte| scan::is(byte, scan::SPACE)) {
                return Err(cursor.wrong());
            }
            cursor.skip_space();
            let agent = cursor.some(scan::VALUE)?;
            cursor.skip_space();
            if cursor.peek() != Some(b'"') {
                return Err(cursor.wrong());
            }
            Ok(Self { code, agent, text: cursor.token_or_quoted()? })
        })
    }

    fn encode(&self, out: &mut impl BufMut) {
        crate::write::number(u64::from(self.code), out);
        out.put_u8(b' ');
        scan::put(&self.agent, scan::VALUE, out);
        out.put_u8(b' ');
        scan::put_quoted(&self.text, out);
    }
}

text_forms!(Warning);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::macros::examples;

    examples! {
        Warning, the_examples_of_rfc_3261_are_read_and_written,
        same: [
            "307 isi.edu \"Session parameter 'foo' not understood\"",
            "301 isi.edu \"Incompatible network address type 'E.164'\"",
            "399 [2001:db8::1]:5060 \"a \\\"b\\\"\""
        ],
        other: ["370  devnull   \"Choose a bigger pipe\""],
        refused: ["", "307", "307 isi.edu", "307 isi.edu text", "1812 overture \"In Progress\"", "99 a \"b\"", "307 a \"b"]
    }
}
