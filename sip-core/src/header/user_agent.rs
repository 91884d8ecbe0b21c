//! User-Agent (RFC 3261 §20.41).

use crate::header::macros::text_header;

text_header! {
    /// The software that sent the request.
    UserAgent, USER_AGENT
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::macros::examples;

    examples! {
        UserAgent, the_examples_of_rfc_3261_are_read_and_written,
        same: ["Softphone Beta1.5", "Linphone/2.1.1 (eXosip2/3.0.3)"],
        other: [],
        refused: ["a\u{1}b"]
    }
}
