//! What a new call needs.

use bytes::Bytes;
use sip_core::header::{HeaderName, NameAddr, Route};
use sip_core::uri::Uri;

use super::Credentials;
use crate::{Destination, Target};

/// Header fields that the application adds to a message: names and raw values. Values that hold CR, LF or NUL are left
/// out, and so are fields that the agent writes itself.
pub type ExtraHeaders = Vec<(HeaderName, Bytes)>;

/// A call to make (RFC 3261 §13.2).
#[derive(Debug, Clone)]
pub struct Invite {
    /// Where it goes.
    pub target: Target,
    /// Where it goes instead, when that is a URI whose servers are to be located, or several targets: then `target` only
    /// says which listener's address stands in Contact.
    pub destination: Option<Destination>,
    /// Whom it asks for.
    pub request_uri: Uri,
    /// Who calls. The tag is added.
    pub from: NameAddr,
    /// Who is called.
    pub to: NameAddr,
    /// How this side is reached. By default the user of `from` at the advertised address of the listener.
    pub contact: Option<NameAddr>,
    /// Proxies to go through: a pre-loaded route set.
    pub routes: Vec<Route>,
    /// More header fields.
    pub headers: ExtraHeaders,
    /// The offer. Without one, the callee makes it in its 2xx.
    pub offer: Option<Bytes>,
    /// How many hops the request may take; 70 by default (RFC 3261 §8.1.1.6).
    pub max_forwards: Option<u8>,
    /// With what to answer challenges (401, 407).
    pub credentials: Option<Credentials>,
}

impl Invite {
    /// A call without an offer, extra headers or credentials; the fields are there to be set.
    #[must_use]
    pub const fn new(target: Target, request_uri: Uri, from: NameAddr, to: NameAddr) -> Self {
        Self {
            target,
            destination: None,
            request_uri,
            from,
            to,
            contact: None,
            routes: Vec::new(),
            headers: Vec::new(),
            offer: None,
            max_forwards: None,
            credentials: None,
        }
    }
}
