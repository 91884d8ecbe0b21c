//! Where requests inside a dialog go, and how this side is reached.

use std::net::SocketAddr;

use bytes::Bytes;
use sip_core::Request;
use sip_core::header::{NameAddr, Via};
use sip_core::uri::{SipUri, Uri};

use crate::dialog::Dialog;
use crate::{Endpoint, ListenerConfig, ListenerId, Source, Target, Transport};

/// The numeric address that a URI names, and its transport.
fn numeric(uri: &Uri) -> Option<(SocketAddr, Option<Transport>)> {
    let sip = uri.as_sip()?;
    let transport = match sip.transport() {
        Some(token) => Some(Transport::from_token(token)?),
        None if sip.secure => Some(Transport::Tls),
        None => None,
    };
    let default = transport.map_or(5060, Transport::default_port);
    Some((SocketAddr::new(sip.host.ip()?, sip.port.unwrap_or(default)), transport))
}

/// Where to send requests to a peer whose INVITE, re-INVITE or UPDATE came from `source`.
///
/// A peer next to us is reached down the flow that its request came by, because what its Contact says may be true only
/// behind its NAT (RFC 5626 §5.3, RFC 3581). Two cases differ: one that sent no `rport` and stands at the address that
/// it names, where the port in its Contact counts, and one behind proxies, where the first route counts, or Contact,
/// if it is an address.
pub(super) fn toward_sender(source: &Source, request: &Request, dialog: &Dialog) -> Target {
    let flow = Target::from(source);
    let mut vias = request.headers().all::<Via>();
    let top = vias.next().and_then(Result::ok);
    let proxied = vias.next().is_some() || !dialog.routes().is_empty();
    let Some((hop, transport)) = numeric(dialog.next_hop()) else { return flow };
    let same_transport = transport.is_none_or(|transport| transport == source.transport);
    if source.connection.is_some() {
        // The connection as long as it lasts; then the address, where it is that of the machine we talk to.
        let reachable = hop.ip() == source.remote.ip();
        return match (same_transport, reachable, proxied) {
            (true, true, _) => Target { remote: hop, reuse_only: false, ..flow },
            (true, false, true) => Target { transport: source.transport, ..Target::new(source.transport, hop) },
            _ => flow,
        };
    }
    if proxied && hop.ip() != source.remote.ip() && same_transport && !hop.ip().is_unspecified() {
        return Target { remote: hop, ..flow };
    }
    let symmetric = top.is_none_or(|via| via.rport().is_some());
    if !symmetric && hop.ip() == source.remote.ip() && same_transport && hop.port() != 0 {
        return Target { remote: hop, ..flow };
    }
    flow
}

/// After an answer: the connection that it came by serves the dialog from now on.
pub(super) fn toward_answerer(target: &Target, source: &Source) -> Target {
    if source.connection.is_some() && target.transport == source.transport {
        return Target { connection: source.connection, ..*target };
    }
    *target
}

/// The listener that messages to a target leave by.
fn listener<'a>(endpoint: &'a Endpoint, target: &Target) -> Option<&'a ListenerConfig> {
    if let Some(found) = target.listener.and_then(|id| endpoint.listener(id)) {
        return Some(found);
    }
    let fits = |listener: &&ListenerConfig| {
        listener.transport == target.transport && listener.local.is_ipv4() == target.remote.is_ipv4()
    };
    let all = || (0..u16::MAX).map_while(|number| endpoint.listener(ListenerId(number)));
    all().find(fits).or_else(|| all().find(|it| it.transport == target.transport))
}

/// The Contact that this side gives to a peer that is reached by `target` (RFC 3261 §8.1.1.8, §12.1.1).
pub(super) fn contact(endpoint: &Endpoint, target: &Target, user: Option<&Bytes>, secure: bool) -> NameAddr {
    let place = match listener(endpoint, target) {
        Some(listener) => listener.advertised.clone(),
        // Nothing can be sent without a listener either.
        None => SocketAddr::from(([0, 0, 0, 0], 0)).into(),
    };
    let mut uri = SipUri::at(place);
    uri.user = user.cloned();
    uri.secure = secure;
    let transport = match target.transport {
        Transport::Udp => None,
        Transport::Tls if secure => None,
        Transport::Tcp => Some("tcp"),
        Transport::Tls => Some("tls"),
        // RFC 7118 §5.2: the parameter is `ws` for both.
        Transport::Ws | Transport::Wss => Some("ws"),
    };
    if let Some(token) = transport {
        uri.set_param("transport", Some(token.as_bytes()));
    }
    NameAddr::new(Uri::Sip(uri))
}
