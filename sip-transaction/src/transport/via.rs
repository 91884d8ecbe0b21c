//! The topmost Via: ours on what we send, theirs on what comes (RFC 3261 §18.1.1, §18.2.1, §18.2.2, RFC 3581).

use std::net::SocketAddr;

use bytes::{BufMut, Bytes, BytesMut};
use sip_core::header::{HeaderName, TypedHeader, Via};
use sip_core::uri::HostPort;
use sip_core::{ParseError, Request};

use super::{ConnectionId, ListenerId, Source, Transport};

/// A Via of ours, written once.
#[derive(Debug)]
pub(crate) struct OurVia(Bytes);

impl OurVia {
    /// The Via of a request that goes out. `rport` asks for the address that the other side sees (RFC 3581 §3).
    pub(crate) fn new(transport: Transport, advertised: &HostPort, branch: &[u8]) -> Self {
        let mut out = BytesMut::with_capacity(96);
        out.put_slice(b"SIP/2.0/");
        out.put_slice(transport.token().as_bytes());
        out.put_u8(b' ');
        advertised.encode(&mut out);
        out.put_slice(b";rport;branch=");
        out.put_slice(branch);
        Self(out.freeze())
    }
}

impl TypedHeader for OurVia {
    const NAME: HeaderName = HeaderName::VIA;
    const LIST: bool = true;

    fn parse(value: &Bytes) -> Result<Self, ParseError> {
        Ok(Self(value.clone()))
    }

    fn encode(&self, out: &mut impl BufMut) {
        out.put_slice(&self.0);
    }
}

/// How a message leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Path {
    /// As a datagram.
    Datagram { listener: ListenerId, destination: SocketAddr },
    /// Down a connection.
    Connection(ConnectionId),
}

/// Where the responses to a request go.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reply {
    pub(crate) path: Path,
    /// Where to open a connection to when the one that the request came by is gone.
    pub(crate) fallback: SocketAddr,
    pub(crate) transport: Transport,
    pub(crate) listener: ListenerId,
}

impl Reply {
    /// RFC 3261 §18.2.2 and RFC 3581 §4: down the same connection, or to the address that the request came from, at
    /// the port of the Via unless it asks for the one that the request came from.
    ///
    /// `maddr` is not followed: it would let anybody aim our responses at anybody.
    pub(crate) fn new(via: &Via, source: &Source) -> Self {
        let port = via.sent_by.port.unwrap_or_else(|| source.transport.default_port());
        let fallback = SocketAddr::new(source.remote.ip(), port);
        let path = match source.connection {
            Some(connection) => Path::Connection(connection),
            None => {
                let destination = if via.params.contains("rport") { source.remote } else { fallback };
                Path::Datagram { listener: source.listener, destination }
            }
        };
        Self { path, fallback, transport: source.transport, listener: source.listener }
    }
}

/// Notes in the topmost Via where a request really came from: `received` when its sent-by says otherwise, and `rport`
/// when it was asked for. Returns the request with that Via, unless nothing had to be changed.
pub(crate) fn note_source(request: &Request, via: &mut Via, source: &Source) -> Option<Request> {
    let address = source.remote.ip().to_canonical();
    let (mut asks, mut claims) = (false, false);
    for (name, _) in via.params.iter() {
        asks |= name.eq_ignore_ascii_case(b"rport");
        claims |= name.eq_ignore_ascii_case(b"received");
    }
    if !asks && !claims && via.sent_by.host.ip() == Some(address) {
        return None;
    }
    via.set_received(address);
    if asks {
        via.set_rport(source.remote.port());
    }
    let mut edit = request.edit();
    edit.replace_first(via);
    Some(edit.finish())
}
