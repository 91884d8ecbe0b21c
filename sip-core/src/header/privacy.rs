//! Privacy (RFC 3323 §4.2).

use bytes::{BufMut, Bytes};

use crate::error::ParseError;
use crate::header::macros::text_forms;
use crate::header::{HeaderName, TypedHeader};
use crate::scan;

/// What the user wants to be kept secret: `header`, `session`, `user`, `id`, `history`, `none`, `critical`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Privacy(pub Vec<Bytes>);

impl Privacy {
    /// Whether this kind is asked for, in any case.
    #[must_use]
    pub fn contains(&self, kind: &str) -> bool {
        self.0.iter().any(|found| found.eq_ignore_ascii_case(kind.as_bytes()))
    }
}

impl TypedHeader for Privacy {
    const NAME: HeaderName = HeaderName::PRIVACY;
    // The grammar has semicolons alone, but commas are seen and mean the same.
    const LIST: bool = true;

    fn parse(value: &Bytes) -> Result<Self, ParseError> {
        scan::value(value, Self::NAME, |cursor| {
            let mut kinds = vec![cursor.token()?];
            while cursor.separator(b';') {
                kinds.push(cursor.token()?);
            }
            Ok(Self(kinds))
        })
    }

    fn encode(&self, out: &mut impl BufMut) {
        for (i, kind) in self.0.iter().enumerate() {
            if i > 0 {
                out.put_u8(b';');
            }
            scan::put_token(kind, out);
        }
    }
}

text_forms!(Privacy);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::macros::examples;

    examples! {
        Privacy, the_examples_of_rfc_3323_are_read_and_written,
        same: ["id", "header;user;critical", "none"],
        other: ["user ; id"],
        refused: ["", ";", "id;", "a b"]
    }

    #[test]
    fn kinds_are_found_in_any_case() {
        let privacy: Privacy = "Header;critical".parse().unwrap();
        assert!(privacy.contains("header") && privacy.contains("CRITICAL"));
        assert!(!privacy.contains("id"));
    }
}
