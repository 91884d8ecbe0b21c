//! Parsing every header that has a type, for whoever wants to know it all at once.

use super::Headers;
use crate::error::ParseError;
use crate::header::{self, TypedHeader};

/// Calls a macro with every type of header.
macro_rules! every_header {
    ($call:ident) => {
        $call! {
            Accept,
            AcceptContact,
            AcceptEncoding,
            AcceptLanguage,
            AcceptResourcePriority,
            AlertInfo,
            Allow,
            AllowEvents,
            AuthenticationInfo,
            Authorization,
            CSeq,
            CallId,
            CallInfo,
            Contact,
            ContentDisposition,
            ContentEncoding,
            ContentLanguage,
            ContentLength,
            ContentType,
            Date,
            Diversion,
            ErrorInfo,
            Event,
            Expires,
            FeatureCaps,
            FlowTimer,
            From,
            Geolocation,
            GeolocationError,
            GeolocationRouting,
            HistoryInfo,
            Identity,
            InReplyTo,
            InfoPackage,
            Join,
            MaxBreadth,
            MaxForwards,
            MimeVersion,
            MinExpires,
            MinSe,
            Organization,
            PAccessNetworkInfo,
            PAssertedIdentity,
            PAssociatedUri,
            PCalledPartyId,
            PChargingFunctionAddresses,
            PChargingVector,
            PEarlyMedia,
            PPreferredIdentity,
            PServedUser,
            PVisitedNetworkId,
            Path,
            Priority,
            Privacy,
            ProxyAuthenticate,
            ProxyAuthenticationInfo,
            ProxyAuthorization,
            ProxyRequire,
            RAck,
            RSeq,
            Reason,
            RecordRoute,
            RecvInfo,
            ReferSub,
            ReferTo,
            ReferredBy,
            RejectContact,
            Replaces,
            ReplyTo,
            RequestDisposition,
            Require,
            ResourcePriority,
            RetryAfter,
            Route,
            SecurityClient,
            SecurityServer,
            SecurityVerify,
            Server,
            ServiceRoute,
            SessionExpires,
            SessionId,
            SipEtag,
            SipIfMatch,
            Subject,
            SubscriptionState,
            Supported,
            TargetDialog,
            Timestamp,
            To,
            Unsupported,
            UserAgent,
            UserToUser,
            Via,
            Warning,
            WwwAuthenticate,
        }
    };
}

impl Headers {
    /// What is wrong with the values of headers that have a type in [`crate::header`], in no order; empty when every
    /// one of them parses. Headers without a type are not looked at.
    #[must_use]
    pub fn malformed(&self) -> Vec<ParseError> {
        let mut found = Vec::new();
        macro_rules! check {
            ($($header:ident,)*) => {
                $(found.extend(self.errors::<header::$header>());)*
            };
        }
        every_header!(check);
        found
    }

    fn errors<H: TypedHeader>(&self) -> impl Iterator<Item = ParseError> {
        self.all::<H>().filter_map(Result::err)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn editing_splits_at_commas_what_reading_splits() {
        let (mut names, mut differing) = (HashSet::new(), Vec::new());
        macro_rules! check {
            ($($header:ident,)*) => {
                $(
                    let name = header::$header::NAME;
                    if name.is_list() != header::$header::LIST {
                        differing.push(name.clone());
                    }
                    assert!(names.insert(name), "two types of one name");
                )*
            };
        }
        every_header!(check);
        assert!(differing.is_empty(), "{differing:?}");
        assert!(names.len() > 90);
    }
}
