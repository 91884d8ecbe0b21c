//! MIME-Version (RFC 3261 §20.24).

use bytes::{BufMut, Bytes};

use crate::error::ParseError;
use crate::header::macros::text_forms;
use crate::header::{HeaderName, TypedHeader};
use crate::scan;

/// The version of MIME that the body follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct MimeVersion {
    /// What stands before the point.
    pub major: u32,
    /// What stands behind it.
    pub minor: u32,
}

impl MimeVersion {
    /// The only version there is.
    pub const V1: Self = Self { major: 1, minor: 0 };
}

impl TypedHeader for MimeVersion {
    const NAME: HeaderName = HeaderName::MIME_VERSION;
    const LIST: bool = false;

    fn parse(value: &Bytes) -> Result<Self, ParseError> {
        scan::value(value, Self::NAME, |cursor| {
            let major = cursor.number_as()?;
            if !cursor.eat(b'.') {
                return Err(cursor.wrong());
            }
            Ok(Self { major, minor: cursor.number_as()? })
        })
    }

    fn encode(&self, out: &mut impl BufMut) {
        crate::write::number(u64::from(self.major), out);
        out.put_u8(b'.');
        crate::write::number(u64::from(self.minor), out);
    }
}

text_forms!(MimeVersion);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::macros::examples;

    examples! {
        MimeVersion, the_example_of_rfc_3261_is_read_and_written,
        same: ["1.0"],
        other: ["01.00"],
        refused: ["", "1", "1.", ".0", "1.0.0", "1 .0"]
    }
}
