//! The method of a request.

use std::fmt;
use std::ops::Range;
use std::str::FromStr;

use bytes::Bytes;

use crate::error::{ErrorKind, ParseError, Part};
use crate::header::is_token;
use crate::scan::Keep;

macro_rules! methods {
    ($($(#[$doc:meta])* $variant:ident = $name:literal;)*) => {
        /// A request method: case-sensitive, known or not (RFC 3261 §7.1).
        #[derive(Debug, Clone, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Method {
            $($(#[$doc])* $variant,)*
            /// Any other token, which [`Method::parse`] never makes of a method listed above.
            Other(Bytes),
        }

        impl Method {
            /// Every method that has a name here.
            pub const KNOWN: &'static [Self] = &[$(Self::$variant),*];

            fn known(name: &[u8]) -> Option<Self> {
                $(if name == $name.as_bytes() { return Some(Self::$variant); })*
                None
            }

            /// The method as it is written.
            #[must_use]
            pub fn as_bytes(&self) -> &[u8] {
                match self {
                    $(Self::$variant => $name.as_bytes(),)*
                    Self::Other(name) => name,
                }
            }
        }
    };
}

methods! {
    /// Begins or changes a session (RFC 3261 §13).
    Invite = "INVITE";
    /// Acknowledges a final response to INVITE (RFC 3261 §13, §17).
    Ack = "ACK";
    /// Ends a session (RFC 3261 §15).
    Bye = "BYE";
    /// Gives up a pending request (RFC 3261 §9).
    Cancel = "CANCEL";
    /// Binds an address of record to contacts (RFC 3261 §10).
    Register = "REGISTER";
    /// Asks for capabilities (RFC 3261 §11).
    Options = "OPTIONS";
    /// Acknowledges a provisional response (RFC 3262).
    Prack = "PRACK";
    /// Changes a session without touching the INVITE transaction (RFC 3311).
    Update = "UPDATE";
    /// Carries application data within a session (RFC 6086).
    Info = "INFO";
    /// Asks for notifications (RFC 6665).
    Subscribe = "SUBSCRIBE";
    /// Notifies of an event (RFC 6665).
    Notify = "NOTIFY";
    /// Asks the other side to contact a third (RFC 3515).
    Refer = "REFER";
    /// Carries an instant message (RFC 3428).
    Message = "MESSAGE";
    /// Publishes event state (RFC 3903).
    Publish = "PUBLISH";
}

impl Method {
    /// Parses a token; known methods match case-sensitively.
    ///
    /// # Errors
    /// When the bytes are not a token (RFC 3261 §25.1).
    pub fn parse(name: &[u8]) -> Result<Self, ParseError> {
        if let Some(known) = Self::known(name) {
            return Ok(known);
        }
        if !is_token(name) {
            return Err(ParseError::new(ErrorKind::Syntax, Part::StartLine, 0));
        }
        Ok(Self::Other(Bytes::copy_from_slice(name)))
    }

    /// The method that a token names; an unknown one takes its bytes from `source`.
    #[inline]
    pub(crate) fn of_token(name: &[u8], source: &impl Keep) -> Self {
        Self::known(name).unwrap_or_else(|| Self::Other(source.keep(name)))
    }

    /// The method at a range that is known to hold a token; unknown ones share the storage.
    pub(crate) fn from_range(bytes: &Bytes, range: Range<u32>) -> Self {
        let range = range.start as usize..range.end as usize;
        match bytes.get(range.clone()) {
            Some(name) => Self::known(name).unwrap_or_else(|| Self::Other(bytes.slice(range))),
            None => Self::Other(Bytes::new()),
        }
    }

    /// Whether this is ACK, to which nothing is ever answered.
    #[must_use]
    pub fn is_ack(&self) -> bool {
        *self == Self::Ack
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(self.as_bytes()))
    }
}

impl FromStr for Method {
    type Err = ParseError;

    fn from_str(name: &str) -> Result<Self, ParseError> {
        Self::parse(name.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_known_method_is_parsed_back_from_its_name() {
        for method in Method::KNOWN {
            assert_eq!(&Method::parse(method.as_bytes()).unwrap(), method);
            assert_eq!(&method.to_string().parse::<Method>().unwrap(), method);
        }
    }

    #[test]
    fn methods_are_case_sensitive_and_unknown_ones_are_kept() {
        let method = Method::parse(b"invite").unwrap();
        assert_eq!(method, Method::Other(Bytes::from_static(b"invite")));
        assert_eq!(Method::parse(b"!interesting-Method0123456789_*+`.%indeed'~").unwrap().as_bytes().len(), 43);
    }

    #[test]
    fn what_is_no_token_is_no_method() {
        for name in [&b""[..], b"IN VITE", b"INVITE\r\n", b"\xff", b"A/B", b"\"x\""] {
            assert!(Method::parse(name).is_err(), "{name:?}");
        }
    }
}
