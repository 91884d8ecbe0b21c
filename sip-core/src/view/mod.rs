//! Reading without owning: the same index and the same grammar over `&[u8]`, for those who have no
//! [`Bytes`](bytes::Bytes) or need the values only for a moment. Nothing is copied, shared or counted.
//!
//! ```
//! use sip_core::header::{HeaderName, UserAgent};
//! use sip_core::{Limits, view};
//!
//! let datagram: &[u8] = b"INVITE sip:bob@biloxi.example.com SIP/2.0\r\n\
//!     Via: SIP/2.0/UDP pc33.atlanta.example.com;branch=z9hG4bK776asdhds\r\n\
//!     To: Bob <sip:bob@biloxi.example.com>\r\n\
//!     f: Alice <sip:alice@atlanta.example.com>;tag=1928301774\r\n\
//!     CSeq: 314159 INVITE\r\nUser-Agent: Example/1.0\r\nContent-Length: 4\r\n\r\nbody";
//! let message = view::Message::parse(datagram, &Limits::default())?;
//! assert_eq!(message.method(), Some(&b"INVITE"[..]));
//! assert_eq!(message.uri()?.as_sip().and_then(|uri| uri.user), Some(&b"bob"[..]));
//! assert_eq!(message.body(), b"body");
//!
//! let from = message.headers().require::<view::From>()?;
//! assert_eq!(from.tag(), Some(&b"1928301774"[..]));
//! let via = message.headers().require::<view::Via>()?;
//! assert_eq!(via.branch(), Some(&b"z9hG4bK776asdhds"[..]));
//!
//! // Raw values, and every type of `header`, whose value is then copied.
//! assert_eq!(message.headers().get(&HeaderName::CSEQ).as_deref(), Some(&b"314159 INVITE"[..]));
//! assert_eq!(message.headers().owned::<UserAgent>()?.unwrap().to_string(), "Example/1.0");
//!
//! // What is to be kept or edited becomes owned.
//! let owned = message.to_owned();
//! assert_eq!(owned.headers().require::<sip_core::header::From>()?, from.to_owned());
//! # Ok::<(), sip_core::ParseError>(())
//! ```
//!
//! The owned types are made from these: whatever one of them reads, the other reads, and whatever one refuses, the
//! other refuses at the same byte. [`crate::Headers::view`] gives these values of an owned message.

mod header;
mod headers;
mod host;
mod mandatory;
mod message;
mod name_addr;
mod params;
mod uri;
mod via;

pub use header::{
    CSeq, CallId, Contact, From, HeaderView, MaxForwards, PAssertedIdentity, Path, RecordRoute, ReferTo, Route, To,
};
pub(crate) use headers::first;
pub use headers::{Headers, Span};
pub use host::{Host, HostPort};
pub use mandatory::Mandatory;
pub use message::Message;
pub use name_addr::NameAddr;
pub(crate) use name_addr::scan_brackets;
pub use params::Params;
pub(crate) use uri::scan_owned;
pub use uri::{AbsoluteUri, SipUri, TelUri, Uri};
pub use via::{NewVia, Via};
