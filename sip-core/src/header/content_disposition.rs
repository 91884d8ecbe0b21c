//! Content-Disposition (RFC 3261 §20.11).

use crate::header::macros::parameter_header;
use crate::scan::{self, Cursor};

parameter_header! {
    /// How the body is to be taken.
    ContentDisposition {
        /// What it is for: `session`, `render`, `icon`, `alert` or another.
        disposition: Cursor::token, scan::put_token
    }, CONTENT_DISPOSITION, list: false, empty: false
}

impl ContentDisposition {
    /// Whether a receiver who cannot handle the body may ignore it: `handling=optional`.
    #[must_use]
    pub fn is_optional(&self) -> bool {
        self.params.value("handling").is_some_and(|value| value.eq_ignore_ascii_case(b"optional"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::macros::examples;

    examples! {
        ContentDisposition, the_examples_of_rfc_3261_are_read_and_written,
        same: ["session", "attachment;filename=smime.p7m;handling=required"],
        other: ["attachment; filename=smime.p7m ; handling=optional"],
        refused: ["", ";a=b", "x;"]
    }

    #[test]
    fn handling_is_required_unless_it_says_otherwise() {
        assert!(!ContentDisposition::from_static("session").is_optional());
        assert!("render;handling=Optional".parse::<ContentDisposition>().unwrap().is_optional());
    }
}
