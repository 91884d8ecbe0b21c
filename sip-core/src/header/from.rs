//! From (RFC 3261 §20.20).

use crate::header::macros::tagged_address_header;

tagged_address_header! {
    /// Who sent the request, with the tag of his side of the dialog.
    From, FROM,
    /// The tag, which only requests of RFC 2543 lack.
    tag
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_examples_of_rfc_3261_are_read() {
        for (text, tag) in [
            ("\"A. G. Bell\" <sip:agb@bell-telephone.com> ;tag=a48s", Some("a48s")),
            ("sip:+12125551212@server.phone2net.com;tag=887s", Some("887s")),
            ("Anonymous <sip:c8oqz84zk7z@privacy.org>;tag=hyh8", Some("hyh8")),
            ("<sip:old@example.com>", None),
        ] {
            let from: From = text.parse().unwrap();
            assert_eq!(from.tag(), tag.map(str::as_bytes));
            assert_eq!(from.to_string().parse::<From>().unwrap(), from);
        }
    }

    #[test]
    fn a_tag_is_put_on() {
        let from = From::new("sip:a@b".parse().unwrap()).with_tag(b"1").with_tag(b"2");
        assert_eq!(from.to_string(), "<sip:a@b>;tag=2");
    }
}
