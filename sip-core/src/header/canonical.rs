//! Every header that has a type, by its name.

use bytes::{BufMut, Bytes, BytesMut};

use crate::error::ParseError;
use crate::header::*;

macro_rules! typed_headers {
    ($($type:ident)*) => {
        /// The names of the headers that have a type here. All others are read as raw values.
        pub static TYPED: [HeaderName; [$(stringify!($type)),*].len()] = [$($type::NAME),*];

        /// Whether the values of each may be joined by commas.
        #[cfg(test)]
        const LISTS: [bool; TYPED.len()] = [$($type::LIST),*];

        /// Reads all values of a header line as the type of its name, and writes them as this crate does: `None` if
        /// the name has no type. Whoever only wants to know whether a line is well-formed looks at the result.
        ///
        /// ```
        /// use sip_core::header::{HeaderName, canonical};
        ///
        /// let line = canonical(&HeaderName::CONTACT, &b"sip:a@example.com ; q=.5,<sip:b@example.com>"[..].into());
        /// assert_eq!(line.unwrap()?, &b"<sip:a@example.com>;q=0.5, <sip:b@example.com>"[..]);
        /// # Ok::<(), sip_core::ParseError>(())
        /// ```
        ///
        /// # Errors
        /// The first value that its type refuses; the offset is that in the line.
        #[must_use]
        pub fn canonical(name: &HeaderName, line: &Bytes) -> Option<Result<Bytes, ParseError>> {
            $(if *name == $type::NAME { return Some(rewrite::<$type>(line)); })*
            None
        }
    };
}

typed_headers! {
    Accept AcceptContact AcceptEncoding AcceptLanguage AcceptResourcePriority AlertInfo Allow AllowEvents
    AuthenticationInfo Authorization CSeq CallId CallInfo Contact ContentDisposition ContentEncoding ContentLanguage
    ContentLength ContentType Date Diversion ErrorInfo Event Expires FeatureCaps FlowTimer From Geolocation
    GeolocationError GeolocationRouting HistoryInfo Identity InReplyTo InfoPackage Join MaxBreadth MaxForwards
    MimeVersion MinExpires MinSe Organization PAccessNetworkInfo PAssertedIdentity PAssociatedUri PCalledPartyId
    PChargingFunctionAddresses PChargingVector PEarlyMedia PPreferredIdentity PServedUser PVisitedNetworkId Path
    Priority Privacy ProxyAuthenticate ProxyAuthenticationInfo ProxyAuthorization ProxyRequire RAck RSeq Reason
    RecordRoute RecvInfo ReferSub ReferTo ReferredBy RejectContact Replaces ReplyTo RequestDisposition Require
    ResourcePriority RetryAfter Route SecurityClient SecurityServer SecurityVerify Server ServiceRoute SessionExpires
    SessionId SipEtag SipIfMatch Subject SubscriptionState Supported TargetDialog Timestamp To Unsupported UserAgent
    UserToUser Via Warning WwwAuthenticate
}

fn rewrite<H: TypedHeader>(line: &Bytes) -> Result<Bytes, ParseError> {
    let mut out = BytesMut::with_capacity(line.len());
    for (offset, value) in Values::of::<H>(line.clone()) {
        let typed = H::parse(&value).map_err(|error| ParseError { offset: error.offset + offset, ..error })?;
        if !out.is_empty() {
            out.put_slice(b", ");
        }
        typed.encode(&mut out);
    }
    Ok(out.freeze())
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::header::Known;

    #[test]
    fn every_type_has_a_name_of_its_own() {
        assert_eq!(TYPED.iter().collect::<HashSet<_>>().len(), TYPED.len());
    }

    #[test]
    fn the_page_of_headers_lists_every_name_that_has_no_type() {
        let page: String = include_str!("mod.rs").lines().filter_map(|line| line.strip_prefix("//!")).collect();
        let (_, raw) = page.split_once("Every other header").unwrap();
        for name in Known::LONG {
            let listed = raw.contains(&format!("`{name}`"));
            let typed = TYPED.iter().any(|typed| typed.as_str() == *name);
            assert!(listed != typed, "{name} is typed: {typed}, listed as raw: {listed}");
        }
    }

    #[test]
    fn editing_splits_at_commas_what_reading_splits() {
        for (name, list) in TYPED.iter().zip(LISTS) {
            assert_eq!(name.is_list(), list, "{name}");
        }
    }

    #[test]
    fn every_value_of_a_line_is_read() {
        let line = Bytes::from_static(b"SIP/2.0/UDP a;branch=z9hG4bK1, SIP/2.0/TCP ?");
        let error = canonical(&HeaderName::VIA, &line).unwrap().unwrap_err();
        assert_eq!(error.offset, 43);
        assert_eq!(canonical(&HeaderName::SUPPORTED, &Bytes::new()), Some(Ok(Bytes::new())));
        assert!(canonical(&HeaderName::REQUIRE, &Bytes::new()).unwrap().is_err());
        assert_eq!(canonical(&HeaderName::from_static("X-Unknown"), &line), None);
    }
}
