//! Header values over borrowed bytes.

use bytes::Bytes;

use crate::error::{ErrorKind, ParseError, Part};
use crate::header::{self, HeaderName};
use crate::message::Method;
use crate::scan::{self, Fault, Raw, Scan};
use crate::view::{NameAddr, Params, Uri};

/// A header value that is read without being copied or shared. Whoever uses this crate may define his own.
pub trait HeaderView<'a>: Sized {
    /// The name of the header field.
    const NAME: HeaderName;

    /// Whether one line may hold several values with commas between them (RFC 3261 §7.3.1).
    const LIST: bool;

    /// Parses one value, without white space around it and without the other values of its line; folds may be in it.
    ///
    /// # Errors
    /// When the grammar does not allow the value; the offset is that in the value.
    fn parse(value: &'a [u8]) -> Result<Self, ParseError>;
}

macro_rules! name_addr_views {
    ($($(#[$doc:meta])* $type:ident, $name:ident, list: $list:literal, $scan:ident;)*) => {
        $(
            $(#[$doc])*
            #[derive(Debug, Clone, Copy, PartialEq, Eq)]
            pub struct $type<'a>(
                /// The address and its parameters.
                pub NameAddr<'a>,
            );

            impl<'a> $type<'a> {
                /// The URI.
                #[must_use]
                pub const fn uri(&self) -> &Uri<'a> {
                    &self.0.uri
                }

                /// The header's parameters.
                #[must_use]
                pub const fn params(&self) -> &Params<'a> {
                    &self.0.params
                }
            }

            impl<'a> HeaderView<'a> for $type<'a> {
                const NAME: HeaderName = HeaderName::$name;
                const LIST: bool = $list;

                #[inline]
                fn parse(value: &'a [u8]) -> Result<Self, ParseError> {
                    scan::view(value, || Part::Header(Self::NAME), NameAddr::$scan).map(Self)
                }
            }
        )*
    };
}

name_addr_views! {
    /// Who sent the request (RFC 3261 §20.20).
    From, FROM, list: false, scan;
    /// Whom the request is for (RFC 3261 §20.39).
    To, TO, list: false, scan;
    /// One hop that the request must still take (RFC 3261 §20.34).
    Route, ROUTE, list: true, scan_bracketed;
    /// One proxy that wants to stay in the path of the dialog (RFC 3261 §20.30).
    RecordRoute, RECORD_ROUTE, list: true, scan_bracketed;
    /// One hop towards a registered contact (RFC 3327).
    Path, PATH, list: true, scan_bracketed;
    /// An identity that a trusted element vouches for (RFC 3325).
    PAssertedIdentity, P_ASSERTED_IDENTITY, list: true, scan;
    /// Whom to contact (RFC 3515).
    ReferTo, REFER_TO, list: false, scan;
}

impl<'a> From<'a> {
    /// The tag, which only requests of RFC 2543 lack.
    #[must_use]
    pub fn tag(&self) -> Option<&'a [u8]> {
        self.0.params.value("tag")
    }

    /// A value of its own memory.
    #[must_use]
    pub fn to_owned(&self) -> header::From {
        header::From { name_addr: self.0.to_owned() }
    }
}

impl<'a> To<'a> {
    /// The tag, which a request outside of a dialog lacks.
    #[must_use]
    pub fn tag(&self) -> Option<&'a [u8]> {
        self.0.params.value("tag")
    }

    /// A value of its own memory.
    #[must_use]
    pub fn to_owned(&self) -> header::To {
        header::To { name_addr: self.0.to_owned() }
    }
}

/// Where to reach somebody (RFC 3261 §20.10).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Contact<'a> {
    /// `*`, in the removal of all bindings.
    Star,
    /// An address; `expires` and `q` are among its parameters.
    Address(NameAddr<'a>),
}

impl<'a> HeaderView<'a> for Contact<'a> {
    const NAME: HeaderName = HeaderName::CONTACT;
    const LIST: bool = true;

    fn parse(value: &'a [u8]) -> Result<Self, ParseError> {
        scan::view(
            value,
            || Part::Header(Self::NAME),
            |cursor| if cursor.eat(b'*') { Ok(Self::Star) } else { NameAddr::scan(cursor).map(Self::Address) },
        )
    }
}

/// The order of requests within a dialog, and the method once more (RFC 3261 §20.16).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CSeq<'a> {
    /// The sequence number.
    pub sequence: u32,
    /// The method's token as written.
    pub method: &'a [u8],
}

impl<'a> CSeq<'a> {
    #[inline]
    pub(crate) fn scan(cursor: &mut Raw<'a>) -> Scan<Self> {
        let sequence = cursor.number_as()?;
        if cursor.take(scan::SPACE).is_empty() {
            return Err(cursor.wrong());
        }
        let offset = cursor.offset();
        match cursor.take(scan::TOKEN) {
            [] => Err(Fault { kind: ErrorKind::Syntax, offset }),
            method => Ok(Self { sequence, method }),
        }
    }

    /// Whether the method is this one.
    #[must_use]
    pub fn is(&self, method: &Method) -> bool {
        self.method == method.as_bytes()
    }

    /// A value of its own memory.
    #[must_use]
    pub fn to_owned(&self) -> header::CSeq {
        self.keep(&scan::Copied)
    }

    #[inline]
    pub(crate) fn keep(&self, source: &impl scan::Keep) -> header::CSeq {
        header::CSeq { sequence: self.sequence, method: Method::of_token(self.method, source) }
    }
}

impl<'a> HeaderView<'a> for CSeq<'a> {
    const NAME: HeaderName = HeaderName::CSEQ;
    const LIST: bool = false;

    #[inline]
    fn parse(value: &'a [u8]) -> Result<Self, ParseError> {
        scan::view(value, || Part::Header(Self::NAME), Self::scan)
    }
}

/// What all messages of a dialog have in common (RFC 3261 §20.8).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CallId<'a>(
    /// The identifier, compared byte by byte.
    pub &'a [u8],
);

impl<'a> HeaderView<'a> for CallId<'a> {
    const NAME: HeaderName = HeaderName::CALL_ID;
    const LIST: bool = false;

    #[inline]
    fn parse(value: &'a [u8]) -> Result<Self, ParseError> {
        scan::view(value, || Part::Header(Self::NAME), |cursor| cursor.take_some(scan::WORD)).map(Self)
    }
}

macro_rules! number_views {
    ($($(#[$doc:meta])* $type:ident($number:ty), $name:ident;)*) => {
        $(
            $(#[$doc])*
            #[derive(Debug, Clone, Copy, PartialEq, Eq)]
            pub struct $type(
                /// The number.
                pub $number,
            );

            impl HeaderView<'_> for $type {
                const NAME: HeaderName = HeaderName::$name;
                const LIST: bool = false;

                #[inline]
                fn parse(value: &[u8]) -> Result<Self, ParseError> {
                    // As the owned type reads it, which shares nothing.
                    scan::view(value, || Part::Header(Self::NAME), |cursor| cursor.number_as()).map(Self)
                }
            }
        )*
    };
}

number_views! {
    /// How many more hops a request may take (RFC 3261 §20.22).
    MaxForwards(u8), MAX_FORWARDS;
}

/// Reads a value as its owned type, from a copy.
pub(crate) fn copied<H: header::TypedHeader>(value: &[u8]) -> Result<H, ParseError> {
    H::parse(&Bytes::copy_from_slice(value))
}
