//! Requests: checked, directed, forwarded (RFC 3261 §16.3 to §16.6, §16.11).

use std::net::SocketAddr;
use std::time::Instant;

use bytes::{BufMut, Bytes, BytesMut};
use sip_core::header::{Contact, HeaderName, MaxForwards, Route, Via};
use sip_core::uri::{SipUri, Uri};
use sip_core::{Edit, Mandatory, Method, Request};
use sip_transaction::Transport;

use super::branch::{Names, put_hex, read};
use super::reply::{Refusal, Written, note_source, way_back};
use super::{Class, Cookie, Dropped, Flow, Hop, Label, Proxy, Side, Verb, Verdict};
use crate::dispatcher::{Asked, CallKey, Key, NodeId};

/// What was found in the route of a request.
#[derive(Debug, Default)]
struct Routed {
    /// How many of its first Route values are ours.
    own: usize,
    /// The cookie in one of them, or in the Request-URI.
    cookie: Option<Bytes>,
    /// The first Route that is not ours.
    next: Option<Route>,
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
        request: &Request,
        out: &mut BytesMut,
    ) -> Verdict {
        match self.forward(now, flow, request, out) {
            Ok(hop) => Verdict::Send(hop),
            Err(Refusal::Nowhere(_)) if *request.method() == Method::Ack => self.drop(Dropped::Ack),
            Err(refusal) => self.refuse(flow, request, &refusal, out),
        }
    }

    fn forward(&mut self, now: Instant, flow: &Flow, request: &Request, out: &mut BytesMut) -> Result<Hop, Refusal> {
        let mandatory = request.mandatory().map_err(Refusal::Malformed)?;
        let headers = request.headers();
        if mandatory.max_forwards == Some(0) {
            return Err(Refusal::TooManyHops);
        }
        if let Some(required) = headers.get(&HeaderName::PROXY_REQUIRE)
            && !matches!(request.method(), Method::Ack | Method::Cancel)
        {
            return Err(Refusal::Extension(required));
        }
        let from_tag = mandatory.from.tag().unwrap_or_default();
        let to_tag = mandatory.to.tag().unwrap_or_default();
        let call_id = &mandatory.call_id.0;
        let call = self.dispatcher.call_key(call_id);
        let routed = self.read_route(request)?;
        let opened = match &routed.cookie {
            Some(written) => {
                let opened = self.cookies.open(written, call, from_tag, to_tag);
                self.counters.forged_cookies += u64::from(opened.is_none());
                opened
            }
            None => None,
        };
        let names = Names { via: &mandatory.via, call_id, from_tag, sequence: mandatory.cseq.sequence };
        let next = routed.next.as_ref().map(ToString::to_string).unwrap_or_default();
        let way_hash = self.branches.way(names, request.uri_bytes(), next.as_bytes());
        if self.is_loop(request, &mandatory.via, way_hash) {
            return Err(Refusal::Loop);
        }
        let way = self.direct(now, flow, request, &mandatory, call, &routed, opened)?;
        let listener = self.listener_for(way.transport, way.remote).ok_or(Refusal::Unreachable)?;

        let mut edit = request.edit();
        for _ in 0..routed.own {
            edit.pop_front(&HeaderName::ROUTE);
        }
        if routed.is_strict {
            undo_strict_route(request, &mut edit, routed.own);
        }
        edit.replace(&MaxForwards(mandatory.max_forwards.map_or(MaxForwards::START.0, |left| left - 1)));
        let transaction = self.branches.transaction(names);
        let mut via = mandatory.via.clone();
        if note_source(&mut via, flow) {
            edit.replace_first(&via);
        }
        if let Some(node) = way.node
            && self.config.record_route
            && to_tag.is_empty()
            && makes_dialog(request.method())
        {
            let cookie = Cookie {
                tag: self.dispatcher.tag(node).unwrap_or_default(),
                flow: needs_flow(flow, request).then_some((flow.transport, flow.remote)),
            };
            let cookie = self.cookies.seal(&cookie, call, from_tag);
            // One for each side when they are not reached alike (RFC 5658 §2).
            if flow.listener != listener {
                self.record_route(&mut edit, flow.listener, &cookie);
            }
            self.record_route(&mut edit, listener, &cookie);
        }
        let back = way_back(&via, flow.transport).ok_or(Refusal::Unreachable)?;
        edit.push_front(&self.via(listener, transaction, way_hash, back, flow.connection));
        if way.transport != Transport::Udp {
            edit.ensure_content_length();
        }
        edit.write(out);
        if way.node.is_some() {
            self.counters.inward += 1;
        } else {
            self.counters.outward += 1;
        }
        let has_credentials =
            headers.contains(&HeaderName::PROXY_AUTHORIZATION) || headers.contains(&HeaderName::AUTHORIZATION);
        let class = if has_credentials { Class::WithCredentials } else { Class::Request };
        Ok(Hop {
            transport: way.transport,
            listener,
            remote: way.remote,
            connection: None,
            node: way.node,
            label: Label { verb: Verb::of(request.method()), class },
        })
    }

    /// Reads which Routes are ours, and the cookie.
    fn read_route(&self, request: &Request) -> Result<Routed, Refusal> {
        let mut routed = Routed::default();
        if request.headers().contains(&HeaderName::ROUTE) {
            for route in request.headers().all::<Route>() {
                let route = route.map_err(Refusal::Malformed)?;
                match route.0.uri.as_sip().filter(|uri| self.is_our_uri(uri)) {
                    Some(uri) => {
                        routed.own += 1;
                        if routed.cookie.is_none() {
                            routed.cookie = uri.params.bytes("n");
                        }
                    }
                    None => {
                        routed.next = Some(route);
                        break;
                    }
                }
            }
        }
        // What a strict router sends has our Record-Route as its Request-URI. Only that has the parameter.
        if routed.cookie.is_none()
            && memchr_lr(request.uri_bytes())
            && let Ok(Uri::Sip(uri)) = request.uri()
            && uri.is_loose()
            && self.is_our_uri(&uri)
            && let Some(cookie) = uri.params.bytes("n")
        {
            routed.is_strict = routed.next.is_some();
            routed.cookie = Some(cookie);
        }
        Ok(routed)
    }

    fn is_our_uri(&self, uri: &SipUri) -> bool {
        let transport = uri.transport().and_then(Transport::from_token);
        self.is_ours(&uri.host_port(), transport.or(uri.port.is_none().then_some(Transport::Udp)))
    }

    /// Whether the request was here before and would take the same way again (RFC 5393 §4.2.1).
    fn is_loop(&self, request: &Request, top: &Via, way: u64) -> bool {
        let is_same = |via: &Via| {
            let half = || via.branch().and_then(read).map(|(_, half)| half);
            self.is_ours(&via.sent_by, None) && half() == Some(way)
        };
        let single = request.headers().get_all(&HeaderName::VIA).nth(1).is_none()
            && request.headers().get(&HeaderName::VIA).is_none_or(|line| !line.contains(&b','));
        if single { is_same(top) } else { request.headers().all::<Via>().flatten().any(|via| is_same(&via)) }
    }

    /// Where a request goes: to the destination of its call, or outward.
    #[expect(clippy::too_many_arguments, reason = "all that was read of one request")]
    fn direct(
        &mut self,
        now: Instant,
        flow: &Flow,
        request: &Request,
        mandatory: &Mandatory,
        call: CallKey,
        routed: &Routed,
        opened: Option<(Cookie, Side)>,
    ) -> Result<Way, Refusal> {
        let asked = asked(request.method(), mandatory.to.tag().is_some());
        if let Some((cookie, Side::Called)) = opened {
            if asked == Asked::Ends {
                // The record learns of the end from either side.
                let _ = self.dispatcher.route(now, call, asked, 0, &[], Some(cookie.tag));
            }
            return self.outward(request, routed, cookie.flow);
        }
        let is_inside = self.dispatcher.at(flow.transport, flow.remote).is_some()
            || self.config.trusted.contains(&flow.remote.ip().to_canonical());
        if opened.is_none() && is_inside && (routed.next.is_some() || !self.is_for_us(request)) {
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
        request: &Request,
        routed: &Routed,
        flow: Option<(Transport, SocketAddr)>,
    ) -> Result<Way, Refusal> {
        if let Some((transport, remote)) = flow {
            return Ok(Way { transport, remote, node: None });
        }
        let own;
        let uri = match &routed.next {
            Some(route) => &route.0.uri,
            None => {
                own = request.uri().map_err(Refusal::Malformed)?;
                &own
            }
        };
        let sip = uri.as_sip().ok_or(Refusal::Unreachable)?;
        let transport = match sip.transport() {
            Some(token) => Transport::from_token(token).ok_or(Refusal::Unreachable)?,
            None if sip.secure => Transport::Tls,
            None => Transport::Udp,
        };
        let host = sip.maddr().unwrap_or_else(|| sip.host.clone());
        let ip = host.ip().ok_or(Refusal::Unreachable)?;
        let remote = SocketAddr::new(ip, sip.port.unwrap_or(transport.default_port()));
        if self.is_ours(&remote.into(), Some(transport)) {
            return Err(Refusal::Loop);
        }
        Ok(Way { transport, remote, node: None })
    }

    /// Whether the Request-URI names us or a domain that a set serves.
    fn is_for_us(&self, request: &Request) -> bool {
        let Ok(Uri::Sip(uri)) = request.uri() else { return true };
        self.is_our_uri(&uri) || uri.host.ip().is_none()
    }

    fn set_of(&self, request: &Request) -> Result<usize, Refusal> {
        let nowhere = Refusal::Nowhere(crate::dispatcher::Nowhere::NoSet);
        if !self.dispatcher.has_domains() {
            return self.dispatcher.set_for(&[]).ok_or(nowhere);
        }
        let host = match request.uri().map_err(Refusal::Malformed)? {
            Uri::Sip(uri) => uri.host.to_string(),
            _ => String::new(),
        };
        self.dispatcher.set_for(host.as_bytes()).ok_or(nowhere)
    }

    /// The bytes that are hashed.
    fn key_of(&self, request: &Request, mandatory: &Mandatory, set: usize) -> Bytes {
        let call_id = || mandatory.call_id.0.clone();
        match self.dispatcher.key_of(set) {
            None | Some(Key::CallId) => call_id(),
            Some(Key::From) => mandatory.from.uri().address_of_record(),
            Some(Key::To) => mandatory.to.uri().address_of_record(),
            Some(Key::RequestUri) => Bytes::copy_from_slice(request.uri_bytes()),
            Some(Key::User) => match request.uri() {
                Ok(Uri::Sip(uri)) => uri.user.unwrap_or_else(|| uri.host.to_string().into()),
                Ok(other) => other.to_string().into(),
                Err(_) => Bytes::copy_from_slice(request.uri_bytes()),
            },
            Some(Key::Header(name)) => request.headers().get(name).unwrap_or_else(call_id),
        }
    }

    fn record_route(&self, edit: &mut Edit<Request>, listener: u16, cookie: &[u8]) {
        let Some(listener) = self.listeners.get(usize::from(listener)) else { return };
        let mut value = BytesMut::with_capacity(listener.route.len() + cookie.len() + 1);
        value.put_slice(&listener.route);
        value.put_slice(cookie);
        value.put_u8(b'>');
        edit.push_front(&Written::<true>(value.freeze()));
    }

    fn via(
        &self,
        listener: u16,
        transaction: u64,
        way: u64,
        back: SocketAddr,
        connection: Option<u64>,
    ) -> Written<false> {
        let start = self.listeners.get(usize::from(listener)).map(|listener| &listener.via[..]).unwrap_or_default();
        let mut value = Vec::with_capacity(start.len() + 96);
        value.extend_from_slice(start);
        value.extend_from_slice(Via::MAGIC_COOKIE);
        put_hex(transaction, &mut value);
        value.push(b'.');
        put_hex(way, &mut value);
        value.extend_from_slice(b";i=");
        if let Some(connection) = connection {
            put_hex(connection, &mut value);
        }
        put_hex(self.branches.back(back, connection, transaction), &mut value);
        Written(value.into())
    }
}

/// What kind of request it is.
fn asked(method: &Method, is_inside_dialog: bool) -> Asked {
    match method {
        Method::Bye => Asked::Ends,
        Method::Cancel | Method::Ack => Asked::Belongs,
        _ if is_inside_dialog => Asked::Belongs,
        Method::Invite => Asked::Invite,
        _ => Asked::Alone,
    }
}

fn makes_dialog(method: &Method) -> bool {
    matches!(method, Method::Invite | Method::Subscribe | Method::Refer | Method::Notify)
}

/// Whether the caller is reached only down the flow that it uses: a connection, or a Contact that is not where it sends from
/// although nobody is between.
fn needs_flow(flow: &Flow, request: &Request) -> bool {
    if flow.transport != Transport::Udp {
        return true;
    }
    let headers = request.headers();
    if headers.get_all(&HeaderName::VIA).nth(1).is_some() {
        return false;
    }
    let Ok(Some(Contact::Address { name_addr, .. })) = headers.typed::<Contact>() else { return false };
    let Some(uri) = name_addr.uri.as_sip() else { return false };
    let port = uri.port.unwrap_or(Transport::Udp.default_port());
    uri.host.ip().is_some_and(|ip| SocketAddr::new(ip, port) != flow.remote)
}

/// Whether a URI may have the parameter of loose routers, at little cost.
fn memchr_lr(uri: &[u8]) -> bool {
    uri.windows(4).any(|window| window.eq_ignore_ascii_case(b";lr;"))
}

/// The last Route becomes the Request-URI (RFC 3261 §16.4).
fn undo_strict_route(request: &Request, edit: &mut Edit<Request>, own: usize) {
    let mut routes: Vec<Route> = request.headers().all::<Route>().flatten().skip(own).collect();
    if let Some(last) = routes.pop() {
        edit.set_uri(&last.0.uri);
        edit.remove(&HeaderName::ROUTE);
        for route in &routes {
            edit.push_back(route);
        }
    }
}
