//! Requests: checked, directed, forwarded (RFC 3261 §16.3 to §16.6, §16.11).

use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

use bytes::{BufMut, Bytes};
use sip_core::header::{HeaderName, MaxForwards, Via};
use sip_core::view::{Contact, HeaderView as _, Host, Mandatory, Message, Route, SipUri, Uri};
use sip_core::write;
use sip_transaction::Transport;

use super::branch::{Names, is, put_hex, read};
use super::patch::Patch;
use super::place::Hopped;
use super::reply::Refusal;
use super::{Class, Cookie, Dropped, Flow, Hop, Label, Proxy, Side, Verb, Verdict};
use crate::dispatcher::{Asked, CallKey, Key, NodeId};

/// What was found in the route of a request.
#[derive(Debug, Default)]
struct Routed<'a> {
    /// How many of its first Route values are ours.
    own: usize,
    /// The cookie in one of them, or in the Request-URI.
    cookie: Option<&'a [u8]>,
    /// The first Route that is not ours.
    next: Option<Route<'a>>,
    /// That one as it is written.
    written: &'a [u8],
    /// Whether the Request-URI is our Record-Route: whoever sent this is a strict router (RFC 3261 §16.4).
    is_strict: bool,
}

/// Where a request goes.
#[derive(Debug, Clone, Copy)]
struct Way {
    transport: Transport,
    remote: SocketAddr,
    node: Option<NodeId>,
}

impl Proxy {
    pub(super) fn handle_request(
        &mut self,
        now: Instant,
        flow: &Flow,
        request: &Message<'_>,
        out: &mut Vec<u8>,
    ) -> Verdict {
        let mut patch = std::mem::take(&mut self.patch);
        patch.clear();
        let result = self.forward(now, flow, request, &mut patch);
        if result.is_ok() {
            patch.write(request.as_bytes(), out);
        }
        self.patch = patch;
        match result {
            Ok(hop) => Verdict::Send(hop),
            Err(Refusal::Nowhere(_)) if request.method() == Some(b"ACK") => self.drop(Dropped::Ack),
            Err(refusal) => self.refuse(flow, request, &refusal, out),
        }
    }

    fn forward(&mut self, now: Instant, flow: &Flow, request: &Message<'_>, patch: &mut Patch) -> Result<Hop, Refusal> {
        let mandatory = request.mandatory().map_err(Refusal::Malformed)?;
        let (headers, method) = (request.headers(), request.method().unwrap_or_default());
        if mandatory.max_forwards == Some(0) {
            return Err(Refusal::TooManyHops);
        }
        let seen = Seen::read(request);
        if seen.requires
            && !matches!(method, b"ACK" | b"CANCEL")
            && let Some(required) = headers.get(&HeaderName::PROXY_REQUIRE)
        {
            return Err(Refusal::Extension(Bytes::copy_from_slice(&required)));
        }
        let via = Hopped::read(mandatory.via);
        let from_tag = mandatory.from.tag().unwrap_or_default();
        let to_tag = mandatory.to.tag().unwrap_or_default();
        let call_id = mandatory.call_id.0;
        let call = self.dispatcher.call_key(call_id);
        let routed = self.read_route(request, seen.routes)?;
        let opened = match routed.cookie {
            Some(written) => {
                let opened = self.cookies.open(written, call, from_tag, to_tag);
                self.counters.forged_cookies += u64::from(opened.is_none());
                opened
            }
            None => None,
        };
        let names = Names { via: &via, call, from_tag, sequence: mandatory.cseq.sequence };
        let way_hash = self.branches.way(names, request.uri_bytes().unwrap_or_default(), routed.written);
        if self.is_loop(request, &via, way_hash, seen.vias > 1) {
            return Err(Refusal::Loop);
        }
        let way = self.direct(now, flow, request, &mandatory, call, &routed, opened)?;
        let listener = self.listener_for(way.transport, way.remote).ok_or(Refusal::Unreachable)?;

        let message = request.as_bytes();
        if routed.is_strict {
            undo_strict_route(request, routed.own, patch);
        } else if routed.own > 0 {
            remove_first(request, routed.own, patch);
        }
        if let Some(node) = way.node
            && self.config.record_route
            && to_tag.is_empty()
            && makes_dialog(method)
        {
            let cookie = Cookie {
                tag: self.dispatcher.tag(node).unwrap_or_default(),
                flow: needs_flow(flow, request, seen.vias).then_some((flow.transport, flow.remote)),
            };
            let cookie = self.cookies.seal(&cookie, call, from_tag);
            let at = headers.spans(&HeaderName::RECORD_ROUTE).next().map_or(headers.start(), |span| span.line.start);
            self.record_route(patch, at, listener, &cookie);
            // One for each side when they are not reached alike (RFC 5658 §2).
            if flow.listener != listener {
                self.record_route(patch, at, flow.listener, &cookie);
            }
        }
        let top = headers.spans(&HeaderName::VIA).next().ok_or(Refusal::Unreachable)?;
        let transaction = self.branches.transaction(names);
        let back = via.back(flow);
        let code = self.branches.back(back, flow.connection, transaction);
        patch.insert(top.line.start, |out| self.put_via(listener, transaction, way_hash, flow.connection, code, out));
        let value = headers.values_within(&top).next().unwrap_or(top.value);
        via.note(flow, message, value, patch);
        match (mandatory.max_forwards, headers.spans(&HeaderName::MAX_FORWARDS).next()) {
            (Some(left), Some(span)) => patch.replace(span.value, |out| write::number(u64::from(left - 1), out)),
            _ => patch.insert(headers.end(), |out| {
                out.extend_from_slice(b"Max-Forwards: ");
                write::number(u64::from(MaxForwards::START.0), out);
                out.extend_from_slice(b"\r\n");
            }),
        }
        if way.transport != Transport::Udp {
            ensure_content_length(request, patch);
        }
        if way.node.is_some() {
            self.counters.inward += 1;
        } else {
            self.counters.outward += 1;
        }
        let class = if seen.has_credentials { Class::WithCredentials } else { Class::Request };
        Ok(Hop {
            transport: way.transport,
            listener,
            remote: way.remote,
            connection: None,
            node: way.node,
            label: Label { verb: Verb::of_token(method), class },
        })
    }

    /// Reads which Routes are ours, and the cookie.
    fn read_route<'a>(&self, request: &Message<'a>, has_routes: bool) -> Result<Routed<'a>, Refusal> {
        let mut routed = Routed::default();
        let headers = request.headers();
        if has_routes {
            for (number, route) in headers.all::<Route<'_>>().enumerate() {
                let route = route.map_err(Refusal::Malformed)?;
                match route.uri().as_sip().filter(|uri| self.is_our_uri(uri)) {
                    Some(uri) => {
                        routed.own += 1;
                        if routed.cookie.is_none() {
                            routed.cookie = uri.params.value("n");
                        }
                    }
                    None => {
                        let mut values = values(request).skip(number);
                        routed.written = values.next().unwrap_or_default();
                        routed.next = Some(route);
                        break;
                    }
                }
            }
        }
        // What a strict router sends has our Record-Route as its Request-URI. Only that has the parameter.
        if routed.cookie.is_none()
            && memchr_lr(request.uri_bytes().unwrap_or_default())
            && let Ok(Uri::Sip(uri)) = request.uri()
            && uri.is_loose()
            && self.is_our_uri(&uri)
            && let Some(cookie) = uri.params.value("n")
        {
            routed.is_strict = routed.next.is_some();
            routed.cookie = Some(cookie);
        }
        Ok(routed)
    }

    fn is_our_uri(&self, uri: &SipUri<'_>) -> bool {
        let transport = uri.transport().and_then(Transport::from_token);
        self.is_ours(&uri.host, uri.port, transport.or(uri.port.is_none().then_some(Transport::Udp)))
    }

    /// Whether the request was here before and would take the same way again (RFC 5393 §4.2.1).
    fn is_loop(&self, request: &Message<'_>, top: &Hopped<'_>, way: u64, has_more: bool) -> bool {
        let is_same = |via: &sip_core::view::Via<'_>, branch: &[u8]| {
            read(branch).is_some_and(|(_, half)| is(half, way))
                && self.is_ours(&via.sent_by.host, via.sent_by.port, None)
        };
        if is_same(&top.via, top.branch) {
            return true;
        }
        let is_joined = || request.headers().get(&HeaderName::VIA).is_some_and(|line| line.contains(&b','));
        (has_more || is_joined())
            && request
                .headers()
                .all::<sip_core::view::Via<'_>>()
                .flatten()
                .any(|via| is_same(&via, via.branch().unwrap_or_default()))
    }

    /// Where a request goes: to the destination of its call, or outward.
    #[expect(clippy::too_many_arguments, reason = "all that was read of one request")]
    fn direct(
        &mut self,
        now: Instant,
        flow: &Flow,
        request: &Message<'_>,
        mandatory: &Mandatory<'_>,
        call: CallKey,
        routed: &Routed<'_>,
        opened: Option<(Cookie, Side)>,
    ) -> Result<Way, Refusal> {
        let asked = asked(request.method().unwrap_or_default(), mandatory.to.tag().is_some());
        if let Some((cookie, Side::Called)) = opened {
            if asked == Asked::Ends {
                // The record learns of the end from either side.
                let _ = self.dispatcher.route(now, call, asked, 0, &[], Some(cookie.tag));
            }
            return self.outward(request, routed, cookie.flow);
        }
        let is_inside = || {
            self.dispatcher.at(flow.transport, flow.remote).is_some()
                || self.config.trusted.contains(&flow.remote.ip().to_canonical())
        };
        if opened.is_none() && is_inside() && (routed.next.is_some() || !self.is_for_us(request)) {
            return self.outward(request, routed, None);
        }
        let set = self.set_of(request)?;
        let key = self.key_of(request, mandatory, set);
        let cookie = opened.map(|(cookie, _)| cookie.tag);
        let choice = self.dispatcher.route(now, call, asked, set, &key, cookie).map_err(Refusal::Nowhere)?;
        let (transport, remote) = self.dispatcher.place(choice.node).ok_or(Refusal::Unreachable)?;
        Ok(Way { transport, remote, node: Some(choice.node) })
    }

    /// By the flow of the caller, else by the next Route, else by the Request-URI, if that is an address.
    fn outward(
        &self,
        request: &Message<'_>,
        routed: &Routed<'_>,
        flow: Option<(Transport, SocketAddr)>,
    ) -> Result<Way, Refusal> {
        if let Some((transport, remote)) = flow {
            return Ok(Way { transport, remote, node: None });
        }
        let uri = match &routed.next {
            Some(route) => *route.uri(),
            None => request.uri().map_err(Refusal::Malformed)?,
        };
        let sip = uri.as_sip().ok_or(Refusal::Unreachable)?;
        let transport = match sip.transport() {
            Some(token) => Transport::from_token(token).ok_or(Refusal::Unreachable)?,
            None if sip.secure => Transport::Tls,
            None => Transport::Udp,
        };
        let ip = match sip.params.contains("maddr") {
            // As the owned type reads it.
            true => sip.to_owned().maddr().map_or(sip.host.ip(), |host| host.ip()),
            false => sip.host.ip(),
        };
        let ip = ip.ok_or(Refusal::Unreachable)?;
        let remote = SocketAddr::new(ip, sip.port.unwrap_or(transport.default_port()));
        let host = match ip {
            IpAddr::V4(address) => Host::V4(address),
            IpAddr::V6(address) => Host::V6(address),
        };
        if self.is_ours(&host, Some(remote.port()), Some(transport)) {
            return Err(Refusal::Loop);
        }
        Ok(Way { transport, remote, node: None })
    }

    /// Whether the Request-URI names us or a domain that a set serves.
    fn is_for_us(&self, request: &Message<'_>) -> bool {
        let Ok(Uri::Sip(uri)) = request.uri() else { return true };
        self.is_our_uri(&uri) || uri.host.ip().is_none()
    }

    fn set_of(&self, request: &Message<'_>) -> Result<usize, Refusal> {
        let nowhere = Refusal::Nowhere(crate::dispatcher::Nowhere::NoSet);
        if !self.dispatcher.has_domains() {
            return self.dispatcher.set_for(&[]).ok_or(nowhere);
        }
        let host = match request.uri().map_err(Refusal::Malformed)? {
            Uri::Sip(uri) => uri.host.to_owned().to_string(),
            _ => String::new(),
        };
        self.dispatcher.set_for(host.as_bytes()).ok_or(nowhere)
    }

    /// The bytes that are hashed.
    fn key_of<'a>(&self, request: &Message<'a>, mandatory: &Mandatory<'a>, set: usize) -> Cow<'a, [u8]> {
        let call_id = || Cow::Borrowed(mandatory.call_id.0);
        let uri_bytes = || Cow::Borrowed(request.uri_bytes().unwrap_or_default());
        let owned = |bytes: Bytes| Cow::Owned(bytes.to_vec());
        match self.dispatcher.key_of(set) {
            None | Some(Key::CallId) => call_id(),
            Some(Key::From) => owned(mandatory.from.to_owned().uri().address_of_record()),
            Some(Key::To) => owned(mandatory.to.to_owned().uri().address_of_record()),
            Some(Key::RequestUri) => uri_bytes(),
            Some(Key::User) => match request.uri() {
                Ok(Uri::Sip(uri)) => match uri.user {
                    Some(user) => Cow::Borrowed(user),
                    None => Cow::Owned(uri.host.to_owned().to_string().into_bytes()),
                },
                Ok(other) => Cow::Owned(other.to_owned().to_string().into_bytes()),
                Err(_) => uri_bytes(),
            },
            Some(Key::Header(name)) => request.headers().get(name).unwrap_or_else(call_id),
        }
    }

    fn record_route(&self, patch: &mut Patch, at: usize, listener: u16, cookie: &[u8]) {
        let Some(listener) = self.listeners.get(usize::from(listener)) else { return };
        patch.insert(at, |out| {
            out.extend_from_slice(b"Record-Route: ");
            out.extend_from_slice(&listener.route);
            out.extend_from_slice(cookie);
            out.extend_from_slice(b">\r\n");
        });
    }

    #[inline]
    fn put_via(
        &self,
        listener: u16,
        transaction: u64,
        way: u64,
        connection: Option<u64>,
        code: u64,
        out: &mut Vec<u8>,
    ) {
        let start = self.listeners.get(usize::from(listener)).map(|listener| &listener.via[..]).unwrap_or_default();
        out.extend_from_slice(start);
        out.extend_from_slice(Via::MAGIC_COOKIE);
        put_hex(transaction, out);
        out.push(b'.');
        put_hex(way, out);
        out.extend_from_slice(b";i=");
        if let Some(connection) = connection {
            put_hex(connection, out);
        }
        put_hex(code, out);
        out.extend_from_slice(b"\r\n");
    }
}

/// What of a request's headers matters, found in one walk over them.
#[derive(Debug)]
struct Seen {
    vias: usize,
    routes: bool,
    requires: bool,
    has_credentials: bool,
}

impl Seen {
    #[inline]
    fn read(request: &Message<'_>) -> Self {
        const NAMES: [HeaderName; 5] = [
            HeaderName::VIA,
            HeaderName::ROUTE,
            HeaderName::PROXY_REQUIRE,
            HeaderName::AUTHORIZATION,
            HeaderName::PROXY_AUTHORIZATION,
        ];
        let [vias, routes, requires, authorized, authorized_here] = request.headers().count(&NAMES);
        Self { vias, routes: routes > 0, requires: requires > 0, has_credentials: authorized + authorized_here > 0 }
    }
}

/// The Route values as they are written.
fn values<'a>(request: &Message<'a>) -> impl Iterator<Item = &'a [u8]> {
    let (headers, message) = (request.headers().clone(), request.as_bytes());
    let spans: Vec<_> = headers.spans(&HeaderName::ROUTE).collect();
    spans.into_iter().flat_map(move |span| {
        let places: Vec<_> = headers.values_within(&span).collect();
        places.into_iter().map(move |place| message.get(place).unwrap_or_default())
    })
}

/// Takes away the first values of Route, joined by commas to others or not.
fn remove_first(request: &Message<'_>, count: usize, patch: &mut Patch) {
    let headers = request.headers();
    let mut left = count;
    for span in headers.spans(&HeaderName::ROUTE) {
        if left == 0 {
            break;
        }
        let mut values = headers.values_within(&span);
        let gone = values.by_ref().take(left).count();
        left -= gone;
        match values.next() {
            Some(stays) => patch.remove(span.value.start..stays.start),
            None => patch.remove(span.line),
        }
    }
}

/// Adds a Content-Length where there is none, which a datagram may lack but a stream must not (RFC 3261 §18.3).
pub(super) fn ensure_content_length(message: &Message<'_>, patch: &mut Patch) {
    if !message.headers().contains(&HeaderName::CONTENT_LENGTH) {
        patch.insert(message.headers().end(), |out| {
            out.extend_from_slice(b"Content-Length: ");
            write::number(message.body().len() as u64, out);
            out.extend_from_slice(b"\r\n");
        });
    }
}

/// What kind of request it is.
fn asked(method: &[u8], is_inside_dialog: bool) -> Asked {
    match method {
        b"BYE" => Asked::Ends,
        b"CANCEL" | b"ACK" => Asked::Belongs,
        _ if is_inside_dialog => Asked::Belongs,
        b"INVITE" => Asked::Invite,
        _ => Asked::Alone,
    }
}

fn makes_dialog(method: &[u8]) -> bool {
    matches!(method, b"INVITE" | b"SUBSCRIBE" | b"REFER" | b"NOTIFY")
}

/// Whether the caller is reached only down the flow that it uses: a connection, or a Contact that is not where it sends from
/// although nobody is between.
fn needs_flow(flow: &Flow, request: &Message<'_>, vias: usize) -> bool {
    if flow.transport != Transport::Udp {
        return true;
    }
    if vias > 1 {
        return false;
    }
    let Ok(Some(Contact::Address(address))) = request.headers().typed::<Contact<'_>>() else { return false };
    let Some(uri) = address.uri.as_sip() else { return false };
    let port = uri.port.unwrap_or(Transport::Udp.default_port());
    uri.host.ip().is_some_and(|ip| SocketAddr::new(ip, port) != flow.remote)
}

/// Whether a URI may have the parameter of loose routers, at little cost.
fn memchr_lr(uri: &[u8]) -> bool {
    uri.windows(4).any(|window| window.eq_ignore_ascii_case(b";lr;"))
}

/// The last Route becomes the Request-URI (RFC 3261 §16.4).
fn undo_strict_route(request: &Message<'_>, own: usize, patch: &mut Patch) {
    let values: Vec<&[u8]> = values(request).filter(|value| Route::parse(value).is_ok()).skip(own).collect();
    let Some((last, others)) = values.split_last() else { return };
    let (Ok(last), Some(place)) = (Route::parse(last), request.uri_span()) else { return };
    patch.replace(place, |out| last.uri().to_owned().encode(out));
    for span in request.headers().spans(&HeaderName::ROUTE) {
        patch.remove(span.line);
    }
    patch.insert(request.headers().end(), |out| {
        for other in others {
            out.put_slice(b"Route: ");
            out.put_slice(other);
            out.put_slice(b"\r\n");
        }
    });
}
