//! To (RFC 3261 §20.39).

use crate::header::macros::tagged_address_header;

tagged_address_header! {
    /// Whom the request is for, with the tag of that side of the dialog once there is one.
    To, TO,
    /// The tag, which a request outside of a dialog lacks.
    tag
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_examples_of_rfc_3261_are_read() {
        for (text, tag) in [
            ("The Operator <sip:operator@cs.columbia.edu>;tag=287447", Some("287447")),
            ("sip:+12125551212@server.phone2net.com", None),
        ] {
            let to: To = text.parse().unwrap();
            assert_eq!(to.tag(), tag.map(str::as_bytes));
            assert_eq!(to.to_string().parse::<To>().unwrap(), to);
        }
    }

    #[test]
    fn an_unterminated_quoted_string_is_refused() {
        assert!("\"Mr. J. User <sip:j.user@example.com>".parse::<To>().is_err());
    }
}
