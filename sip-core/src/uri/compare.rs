//! Comparison of SIP URIs by what they mean (RFC 3261 §19.1.4).

use crate::uri::{SipUri, UriHeaders, escape};

impl SipUri {
    /// Whether both mean the same resource (RFC 3261 §19.1.4). Not transitive: parameters that only one of them has
    /// are mostly ignored.
    #[must_use]
    pub fn equivalent(&self, other: &Self) -> bool {
        self == other || self.means(other)
    }

    fn means(&self, other: &Self) -> bool {
        self.secure == other.secure
            && self.port == other.port
            && self.host.equivalent(&other.host)
            && optional(self.user.as_deref(), other.user.as_deref(), false)
            && optional(self.password.as_deref(), other.password.as_deref(), false)
            && parameters_agree(self, other)
            && parameters_agree(other, self)
            && headers_agree(&self.headers, &other.headers)
    }
}

/// Parameters that must be in both or in neither. The transport counts as a component with a default value.
const NEVER_IGNORED: [&[u8]; 5] = [b"user", b"ttl", b"method", b"maddr", b"transport"];

fn parameters_agree(a: &SipUri, b: &SipUri) -> bool {
    a.params.iter().all(|(name, value)| match b.params.iter().find(|(found, _)| same(name, found, true)) {
        Some((_, other)) => optional(value, other, true),
        None => !NEVER_IGNORED.iter().any(|kept| same(name, kept, true)),
    })
}

/// Headers are never ignored, their order does not count; repeated ones must come as often in both.
fn headers_agree(a: &UriHeaders, b: &UriHeaders) -> bool {
    let count = |list: &UriHeaders, (name, value): (&[u8], &[u8])| {
        list.iter().filter(|(other, text)| same(name, other, true) && same(value, text, false)).count()
    };
    a.iter().count() == b.iter().count() && a.iter().all(|header| count(a, header) == count(b, header))
}

fn optional(a: Option<&[u8]>, b: Option<&[u8]>, ignore_case: bool) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => same(a, b, ignore_case),
        (None, None) => true,
        _ => false,
    }
}

/// Whether two texts are the same when the escapes of all but reserved bytes are resolved.
fn same(mut a: &[u8], mut b: &[u8], ignore_case: bool) -> bool {
    loop {
        match (escape::next(a), escape::next(b)) {
            (None, None) => return true,
            (Some((x, x_escaped, x_rest)), Some((y, y_escaped, y_rest))) => {
                let equal = if ignore_case { x.eq_ignore_ascii_case(&y) } else { x == y };
                // A reserved byte and its escape mean different things (RFC 2396 §2.2).
                if !equal || (x_escaped != y_escaped && b";/?:@&=+$,".contains(&x)) {
                    return false;
                }
                (a, b) = (x_rest, y_rest);
            }
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::uri::Uri;

    fn equivalent(a: &str, b: &str) -> bool {
        let (x, y): (Uri, Uri) = (a.parse().unwrap(), b.parse().unwrap());
        assert_eq!(x.equivalent(&y), y.equivalent(&x), "{a} {b}");
        x.equivalent(&y)
    }

    #[test]
    fn the_equivalent_uris_of_rfc_3261_are_equivalent() {
        for (a, b) in [
            ("sip:%61lice@atlanta.com;transport=TCP", "sip:alice@AtLanTa.CoM;Transport=tcp"),
            ("sip:carol@chicago.com", "sip:carol@chicago.com;newparam=5"),
            ("sip:carol@chicago.com", "sip:carol@chicago.com;security=on"),
            ("sip:carol@chicago.com;newparam=5", "sip:carol@chicago.com;security=on"),
            (
                "sip:biloxi.com;transport=tcp;method=REGISTER?to=sip:bob%40biloxi.com",
                "sip:biloxi.com;method=REGISTER;transport=tcp?to=sip:bob%40biloxi.com",
            ),
            (
                "sip:alice@atlanta.com?subject=project%20x&priority=urgent",
                "sip:alice@atlanta.com?priority=urgent&subject=project%20x",
            ),
        ] {
            assert!(equivalent(a, b), "{a} {b}");
        }
    }

    #[test]
    fn the_different_uris_of_rfc_3261_are_different() {
        for (a, b) in [
            ("SIP:ALICE@AtLanTa.CoM;Transport=udp", "sip:alice@AtLanTa.CoM;Transport=UDP"),
            ("sip:bob@biloxi.com", "sip:bob@biloxi.com:5060"),
            ("sip:bob@biloxi.com", "sip:bob@biloxi.com;transport=udp"),
            ("sip:bob@biloxi.com", "sip:bob@biloxi.com:6000;transport=tcp"),
            ("sip:carol@chicago.com", "sip:carol@chicago.com?Subject=next%20meeting"),
            ("sip:bob@phone21.boxesbybob.com", "sip:bob@192.0.2.4"),
        ] {
            assert!(!equivalent(a, b), "{a} {b}");
        }
    }

    #[test]
    fn equality_is_not_transitive() {
        assert!(equivalent("sip:carol@chicago.com", "sip:carol@chicago.com;security=on"));
        assert!(equivalent("sip:carol@chicago.com", "sip:carol@chicago.com;security=off"));
        assert!(!equivalent("sip:carol@chicago.com;security=on", "sip:carol@chicago.com;security=off"));
    }

    #[test]
    fn schemes_users_passwords_and_special_parameters_must_agree() {
        for (a, b) in [
            ("sip:a@b", "sips:a@b"),
            ("sip:a@b", "sip:b"),
            ("sip:a:@b", "sip:a@b"),
            ("sip:a@b;user=ip", "sip:a@b"),
            ("sip:a@b;ttl=1", "sip:a@b"),
            ("sip:a@b;maddr=c", "sip:a@b"),
            ("sip:a@b;method=INVITE", "sip:a@b"),
            ("sip:a%3Bb@c", "sip:a;b@c"),
            ("sip:a@b?x=1&x=1&y=2", "sip:a@b?x=1&y=2&y=2"),
            ("tel:+1201", "sip:+1201@b;user=phone"),
            ("urn:service:sos", "urn:service:SOS"),
        ] {
            assert!(!equivalent(a, b), "{a} {b}");
        }
        assert!(equivalent("sip:a%3bb@c", "sip:a%3Bb@c"));
        assert!(equivalent("sip:a@[2001:db8::1]", "sip:a@[2001:DB8:0:0::1]"));
        assert!(equivalent("URN:service:sos", "urn:service:sos"));
    }
}
