//! Dialogs: what two user agents know of one another between the first INVITE and the last BYE (RFC 3261 §12).
//!
//! ```text
//!                 1xx with To tag           2xx
//!   (none) ───────────────────────▶ Early ───────▶ Confirmed ──▶ (dropped)
//!      │                              │                ▲             ▲
//!      │             2xx              │                │             │
//!      └──────────────────────────────┼────────────────┘             │
//!                                     └────── 3xx-6xx, BYE ──────────┘
//! ```
//!
//! A dialog is keyed by Call-ID, local tag and remote tag. It holds the two parties, the remote target, the route set
//! and both sequence numbers, and makes the requests that go inside it, past strict routers too. It neither sends nor
//! waits: [`Agent`](crate::agent::Agent) does.

mod id;

use bytes::Bytes;
use sip_core::header::{CSeq, CallId, Contact, From, HeaderName, NameAddr, RecordRoute, Route, To};
use sip_core::uri::{Uri, UriHeaders};
use sip_core::{ErrorKind, Mandatory, Method, ParseError, Part, Request, RequestBuilder, Response};

pub use id::DialogId;

/// The most entries of a route set that are kept; a peer that records more breaks the message size anyway.
const ROUTES: usize = 32;

/// One dialog, early or confirmed (RFC 3261 §12).
#[derive(Debug, Clone)]
pub struct Dialog {
    state: State,
    id: DialogId,
    call_id: CallId,
    local: NameAddr,
    remote: NameAddr,
    target: Uri,
    routes: Vec<Route>,
    local_cseq: Option<u32>,
    remote_cseq: Option<u32>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Early,
    Confirmed,
}

/// A request inside a dialog whose CSeq is not above the last one: answered with 500 (RFC 3261 §12.2.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("sequence number {got} is not above {last}")]
pub struct OutOfOrder {
    /// The number that came.
    pub got: u32,
    /// The highest number seen before it.
    pub last: u32,
}

impl Dialog {
    /// The early dialog that a UAS keeps for a request to which it will answer with `local_tag` (RFC 3261 §12.1.1).
    ///
    /// # Errors
    /// The request has no usable Contact, or a Record-Route that cannot be read.
    pub fn server(request: &Request, mandatory: &Mandatory, local_tag: &[u8]) -> Result<Self, ParseError> {
        let target = contact(request.headers())?;
        let routes = record_routes(request.headers(), false)?;
        let local = mandatory.to.clone().with_tag(local_tag).name_addr;
        let remote = mandatory.from.name_addr.clone();
        let remote_tag = mandatory.from.tag().map(Bytes::copy_from_slice).unwrap_or_default();
        Ok(Self {
            state: State::Early,
            id: DialogId::new(&mandatory.call_id, Bytes::copy_from_slice(local_tag), remote_tag),
            call_id: mandatory.call_id.clone(),
            local,
            remote,
            target,
            routes,
            local_cseq: None,
            remote_cseq: Some(mandatory.cseq.sequence),
        })
    }

    /// The dialog that a response with a To tag makes for the UAC of `request`: early from a provisional response,
    /// confirmed from a 2xx (RFC 3261 §12.1.2).
    ///
    /// A response without a usable Contact, which a 2xx must have, leaves the request's own URI as the remote target.
    ///
    /// # Errors
    /// The response lacks To or holds a Record-Route that cannot be read.
    pub fn client(request: &Request, response: &Response) -> Result<Self, ParseError> {
        let headers = request.headers();
        let call_id: CallId = headers.require()?;
        let from: From = headers.require()?;
        let cseq: CSeq = headers.require()?;
        let to: To = response.headers().require()?;
        let success = response.status().is_success();
        let target = match contact(response.headers()) {
            Ok(target) => target,
            Err(_) => request.uri()?,
        };
        let local_tag = from.tag().map(Bytes::copy_from_slice).unwrap_or_default();
        let remote_tag = to.tag().map(Bytes::copy_from_slice).unwrap_or_default();
        Ok(Self {
            state: if success { State::Confirmed } else { State::Early },
            id: DialogId::new(&call_id, local_tag, remote_tag),
            call_id,
            local: from.name_addr,
            remote: to.name_addr,
            target,
            routes: record_routes(response.headers(), true)?,
            local_cseq: Some(cseq.sequence),
            remote_cseq: None,
        })
    }

    /// The UAS sent a 2xx: the dialog is confirmed.
    pub fn confirm(&mut self) {
        self.state = State::Confirmed;
    }

    /// The UAC received a 2xx in this early dialog: the route set is computed anew from it and the remote target
    /// replaced (RFC 3261 §13.2.2.4). Only the first 2xx does this; for a confirmed dialog it changes nothing.
    pub fn confirm_from(&mut self, response: &Response) {
        if self.state == State::Confirmed {
            return;
        }
        self.state = State::Confirmed;
        if let Ok(routes) = record_routes(response.headers(), true) {
            self.routes = routes;
        }
        self.refresh(response.headers());
    }

    /// A target refresh (re-INVITE, UPDATE, or a 2xx to one): the Contact becomes the remote target. The route set never
    /// changes (RFC 3261 §12.2). A message without a usable Contact changes nothing.
    pub fn refresh(&mut self, headers: &sip_core::Headers) {
        if let Ok(target) = contact(headers) {
            self.target = target;
        }
    }

    /// Takes the sequence number of a request that came inside the dialog (RFC 3261 §12.2.2).
    ///
    /// # Errors
    /// The number is not above the last one: answer 500.
    pub fn receive(&mut self, sequence: u32) -> Result<(), OutOfOrder> {
        match self.remote_cseq {
            Some(last) if sequence <= last => Err(OutOfOrder { got: sequence, last }),
            _ => {
                self.remote_cseq = Some(sequence);
                Ok(())
            }
        }
    }

    /// Begins the next request inside the dialog: a new sequence number, the parties with their tags, Request-URI and
    /// Route by the route set (RFC 3261 §12.2.1.1). ACK and CANCEL take no new number; see [`Dialog::ack`].
    pub fn request(&mut self, method: Method) -> RequestBuilder {
        let sequence = self.next_sequence();
        self.begin(method, sequence)
    }

    /// The ACK to a 2xx of the INVITE that was sent with `sequence` (RFC 3261 §13.2.2.4).
    #[must_use]
    pub fn ack(&self, sequence: u32) -> RequestBuilder {
        self.begin(Method::Ack, sequence)
    }

    /// Takes the next sequence number, for a request that is sent again with credentials (RFC 3261 §22.2).
    pub fn next_sequence(&mut self) -> u32 {
        // The RFC bounds sequence numbers by 2^31; a dialog that gets there has other troubles.
        let sequence = self.local_cseq.map_or(1, |last| last.saturating_add(1));
        self.local_cseq = Some(sequence);
        sequence
    }

    /// The key of the dialog.
    #[must_use]
    pub const fn id(&self) -> &DialogId {
        &self.id
    }

    /// The Call-ID.
    #[must_use]
    pub const fn call_id(&self) -> &CallId {
        &self.call_id
    }

    /// Whether a 2xx has been sent or received.
    #[must_use]
    pub fn is_confirmed(&self) -> bool {
        self.state == State::Confirmed
    }

    /// This side's name and address, with its tag.
    #[must_use]
    pub const fn local(&self) -> &NameAddr {
        &self.local
    }

    /// The other side's name and address, with its tag.
    #[must_use]
    pub const fn remote(&self) -> &NameAddr {
        &self.remote
    }

    /// The remote target: where the peer's Contact points.
    #[must_use]
    pub const fn remote_target(&self) -> &Uri {
        &self.target
    }

    /// The route set, nearest first.
    #[must_use]
    pub fn routes(&self) -> &[Route] {
        &self.routes
    }

    /// The last sequence number sent, if any.
    #[must_use]
    pub const fn local_sequence(&self) -> Option<u32> {
        self.local_cseq
    }

    /// The last sequence number received, if any.
    #[must_use]
    pub const fn remote_sequence(&self) -> Option<u32> {
        self.remote_cseq
    }

    /// The URI whose host the next request goes to: the first route, else the remote target (RFC 3261 §8.1.2).
    #[must_use]
    pub fn next_hop(&self) -> &Uri {
        self.routes.first().map_or(&self.target, |route| &route.0.uri)
    }

    fn begin(&self, method: Method, sequence: u32) -> RequestBuilder {
        let from = From { name_addr: self.local.clone() };
        let to = To { name_addr: self.remote.clone() };
        match self.routes.split_first() {
            // A strict router takes itself from the Request-URI and the target from the last Route.
            Some((first, rest)) if !first.is_loose() => {
                let mut builder =
                    Request::builder(method, &strict_uri(&first.0.uri), &from, &to, &self.call_id, sequence);
                for route in rest {
                    builder = builder.header(route);
                }
                builder.header(&Route(NameAddr::new(self.target.clone())))
            }
            _ => {
                let mut builder = Request::builder(method, &self.target, &from, &to, &self.call_id, sequence);
                for route in &self.routes {
                    builder = builder.header(route);
                }
                builder
            }
        }
    }
}

/// The first route as a Request-URI: the `method` parameter and URI headers are not allowed there (RFC 3261 §19.1.1).
fn strict_uri(uri: &Uri) -> Uri {
    match uri {
        Uri::Sip(sip) => {
            let mut sip = sip.clone();
            sip.params.remove("method");
            sip.headers = UriHeaders::default();
            Uri::Sip(sip)
        }
        other => other.clone(),
    }
}

/// The URI of the first Contact.
fn contact(headers: &sip_core::Headers) -> Result<Uri, ParseError> {
    match headers.require::<Contact>()? {
        Contact::Address { name_addr, .. } => Ok(name_addr.uri),
        Contact::Star => Err(ParseError::new(ErrorKind::Syntax, Part::Header(HeaderName::CONTACT), 0)),
    }
}

/// The route set that a message records: as written for a UAS, reversed for a UAC.
fn record_routes(headers: &sip_core::Headers, reversed: bool) -> Result<Vec<Route>, ParseError> {
    let mut routes = Vec::new();
    for entry in headers.all::<RecordRoute>() {
        if routes.len() == ROUTES {
            return Err(ParseError::new(ErrorKind::TooLarge, Part::Header(HeaderName::RECORD_ROUTE), 0));
        }
        routes.push(Route(entry?.0));
    }
    if reversed {
        routes.reverse();
    }
    Ok(routes)
}
