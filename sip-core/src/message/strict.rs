//! Parsing every header that has a type, for whoever wants to know it all at once.

use super::Headers;
use crate::error::ParseError;
use crate::header::{self, TypedHeader};

impl Headers {
    /// What is wrong with the values of headers that have a type in [`crate::header`], in no order; empty when every
    /// one of them parses. Headers without a type are not looked at.
    #[must_use]
    pub fn malformed(&self) -> Vec<ParseError> {
        let mut found = Vec::new();
        macro_rules! every {
            ($($header:ident),* $(,)?) => {
                $(found.extend(self.errors::<header::$header>());)*
            };
        }
        every!(
            AuthenticationInfo,
            Authorization,
            CSeq,
            CallId,
            Contact,
            From,
            MaxForwards,
            ProxyAuthenticate,
            ProxyAuthenticationInfo,
            ProxyAuthorization,
            RecordRoute,
            Route,
            To,
            Via,
            WwwAuthenticate,
        );
        found
    }

    fn errors<H: TypedHeader>(&self) -> impl Iterator<Item = ParseError> {
        self.all::<H>().filter_map(Result::err)
    }
}
