//! Feature-Caps (RFC 6809 §4).

use crate::header::macros::star_header;

star_header! {
    /// What a server on the path can do.
    FeatureCaps, FEATURE_CAPS
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::macros::examples;

    examples! {
        FeatureCaps, the_examples_of_rfc_6809_are_read_and_written,
        same: ["*;+g.3gpp.srvcc", r#"*;+sip.pns="acme";+sip.pnsreg="121""#],
        other: [],
        refused: ["", "x;a", "*x", "*;"]
    }
}
