//! What a proxy does, and the addresses that it is known by.

use std::net::{IpAddr, SocketAddr};

use bytes::{BufMut, Bytes, BytesMut};
use sip_core::uri::HostPort;
use sip_core::{Limits, view};
use sip_transaction::Transport;

/// Settings of a [`Proxy`](super::Proxy).
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// How large a message may be.
    pub limits: Limits,
    /// Whether requests that make a dialog get a Record-Route, so that what follows passes here too.
    pub record_route: bool,
    /// Addresses whose requests go where their Route or Request-URI says, as those of destinations do.
    pub trusted: Vec<IpAddr>,
    /// Addresses that stand for other proxies of the installation with the same secret: what is routed to them may come here.
    pub aliases: Vec<HostPort>,
    /// What Retry-After says when no destination takes a call, in seconds.
    pub retry_after: u32,
    /// Whom probes come from: the user part of From.
    pub probe_user: String,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            record_route: false,
            trusted: Vec::new(),
            aliases: Vec::new(),
            retry_after: 5,
            probe_user: "dispatcher".to_owned(),
        }
    }
}

/// A listening socket, and the address that others reach it by.
#[derive(Debug, Clone, PartialEq)]
pub struct Listener {
    /// How messages travel through it.
    pub transport: Transport,
    /// The address that it is bound to.
    pub local: SocketAddr,
    /// What stands for it in Via and Record-Route.
    pub advertised: HostPort,
    /// The beginning of the line of our Via, written once.
    pub(super) via: Bytes,
    /// `sip:host:port;lr`, written once.
    pub(super) route: Bytes,
}

impl Listener {
    /// A listener that is known by the address that it is bound to.
    #[must_use]
    pub fn new(transport: Transport, local: SocketAddr) -> Self {
        Self::advertised(transport, local, HostPort::from(local))
    }

    /// A listener that is known by another address.
    #[must_use]
    pub fn advertised(transport: Transport, local: SocketAddr, advertised: HostPort) -> Self {
        let mut via = BytesMut::new();
        via.put_slice(b"Via: SIP/2.0/");
        via.put_slice(transport.token().as_bytes());
        via.put_u8(b' ');
        advertised.encode(&mut via);
        via.put_slice(b";branch=");
        let mut route = BytesMut::new();
        route.put_slice(b"<sip:");
        advertised.encode(&mut route);
        route.put_slice(b";lr");
        if transport != Transport::Udp {
            route.put_slice(b";transport=");
            route.put_slice(transport.token().to_ascii_lowercase().as_bytes());
        }
        route.put_slice(b";n=");
        Self { transport, local, advertised, via: via.freeze(), route: route.freeze() }
    }

    /// Whether a host is this one.
    #[inline]
    pub(super) fn is_host(&self, host: &view::Host<'_>) -> bool {
        host.is(&self.advertised.host) || host.ip() == Some(self.local.ip())
    }
}
