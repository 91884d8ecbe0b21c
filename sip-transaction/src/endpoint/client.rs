//! Requests of ours: from the command to the last event.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use bytes::{BufMut, Bytes, BytesMut};
use sip_core::header::HeaderName;
use sip_core::message::Mandatory;
use sip_core::{ErrorKind, Message, Method, ParseError, Part, Request, Response, ident};

use super::attempt::Rest;
use super::{CancelError, ClientId, Endpoint, Event, Failure, Owner, SendError};
use crate::arena::Slot;
use crate::transaction::key::Key;
use crate::transaction::{Action, Actions, ClientEvent, ClientInvite, ClientOther, Lane, Timer};
use crate::transport::via::{OurVia, Path};
use crate::transport::{Destination, ListenerId, Source, Target, Transport, Way};
use crate::wheel::Handle;

#[derive(Debug)]
pub(super) enum Kind {
    Invite(ClientInvite),
    Other(ClientOther),
    /// Nothing was sent yet: servers are being located.
    Locating,
}

/// How far the cancelling of an INVITE is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cancel {
    No,
    /// As soon as a provisional response comes.
    Wanted,
    Sent,
}

/// A request of ours.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) key: Key,
    pub(super) kind: Kind,
    pub(super) path: Path,
    pub(super) message: Bytes,
    pub(super) repeat: Option<Handle>,
    pub(super) end: Option<Handle>,
    pub(super) cancel: Cancel,
    pub(super) cancel_timer: Option<Handle>,
    /// A CANCEL that the endpoint sent, or what is left of an INVITE: nobody is told of its fate.
    pub(super) is_internal: bool,
    /// Where to send it as a datagram when TCP, which was chosen for its size, does not take it.
    pub(super) datagram: Option<(ListenerId, SocketAddr)>,
    /// The ACK to the rejection.
    pub(super) ack: Option<Bytes>,
    /// Whether a response has come.
    pub(super) is_heard: bool,
    /// What else may be tried.
    pub(super) rest: Option<Box<Rest>>,
    pub(super) patience: Option<Handle>,
}

impl Client {
    /// A transaction to which nothing has happened.
    pub(super) const fn new(key: Key, path: Path, message: Bytes) -> Self {
        Self {
            key,
            kind: Kind::Locating,
            path,
            message,
            repeat: None,
            end: None,
            cancel: Cancel::No,
            cancel_timer: None,
            is_internal: false,
            datagram: None,
            ack: None,
            is_heard: false,
            rest: None,
            patience: None,
        }
    }
}

/// A response on its way to the user.
pub(super) type Delivery = (Response, Mandatory, Source);

impl Endpoint {
    /// Sends a request, to which a Via with a new branch is added (RFC 3261 §8.1.1.7, §17.1).
    ///
    /// A request for a UDP target that is over [`Config::datagram_limit`](crate::Config::datagram_limit) goes by TCP
    /// first, and as a datagram when no connection can be had (§18.1.1).
    ///
    /// Of several targets, or the servers of [a URI](Destination::locate), the next one is tried when one fails: under the
    /// same id, with a new branch (RFC 3263 §4.3).
    ///
    /// # Errors
    /// When it cannot even be tried. What goes wrong later is an event.
    pub fn send_request(
        &mut self,
        now: Instant,
        request: Request,
        destination: impl Into<Destination>,
    ) -> Result<ClientId, SendError> {
        self.send_to(now, request, destination.into())
    }

    fn send_to(&mut self, now: Instant, request: Request, destination: Destination) -> Result<ClientId, SendError> {
        let now = self.clamp(now);
        if matches!(request.method(), Method::Ack | Method::Cancel) {
            return Err(SendError::Method);
        }
        check_mandatory(&request)?;
        if self.clients.len() >= self.config.client_transactions {
            return Err(SendError::Limit);
        }
        let (way, name) = destination.into_parts();
        let target = match way {
            Way::Targets(targets) if targets.len() == 1 => *targets.first().ok_or(SendError::NoTarget)?,
            way => return self.send_somewhere(now, request, way, name),
        };
        let branch = ident::branch(&mut self.random);
        let (path, message, datagram) = self.address(now, &request, &target, name.as_ref(), &branch)?;
        let key = self.secret.client(&branch, request.method());
        let timers = self.config.timers;
        let is_reliable = matches!(path, Path::Connection(_));
        let kind = if *request.method() == Method::Invite {
            Kind::Invite(ClientInvite::new(timers, is_reliable))
        } else {
            Kind::Other(ClientOther::new(timers, is_reliable))
        };
        let slot =
            self.insert_client(Client { kind, datagram, ..Client::new(key, path, message) }).ok_or(SendError::Limit)?;
        self.run_client(now, slot, ClientEvent::Start, None);
        Ok(ClientId(slot))
    }

    /// Sends a request whose target is not certain.
    fn send_somewhere(
        &mut self,
        now: Instant,
        request: Request,
        way: Way,
        name: Option<Arc<str>>,
    ) -> Result<ClientId, SendError> {
        // Until it is sent, it has a key that nothing matches.
        let key = self.secret.client(&ident::branch(&mut self.random), request.method());
        let nowhere = Path::Datagram { listener: ListenerId(u16::MAX), destination: ([0; 4], 0).into() };
        let rest = Some(Rest::new(request, name));
        let client = Client { rest, ..Client::new(key, nowhere, Bytes::new()) };
        let slot = self.insert_client(client).ok_or(SendError::Limit)?;
        let begun = match way {
            Way::Targets(targets) => self.try_targets(now, slot, targets.into_vec()),
            Way::Servers(locator) => self.locate_for(now, slot, locator),
        };
        match begun {
            Ok(()) => Ok(ClientId(slot)),
            Err(error) => {
                self.remove_client(slot, true);
                Err(error)
            }
        }
    }

    /// Sends the ACK to a 2xx (RFC 3261 §13.2.2.4), to which a Via is added. Send the same ACK again for every
    /// retransmission of the 2xx: it gets the same branch.
    ///
    /// # Errors
    /// When it cannot even be tried.
    pub fn send_ack(
        &mut self,
        now: Instant,
        ack: Request,
        destination: impl Into<Destination>,
    ) -> Result<(), SendError> {
        let now = self.clamp(now);
        if !ack.method().is_ack() {
            return Err(SendError::Method);
        }
        check_mandatory(&ack)?;
        match destination.into().into_parts() {
            (Way::Targets(targets), name) => {
                self.send_ack_to_first(now, &ack, &name.unwrap_or_else(|| "".into()), &targets)
            }
            (Way::Servers(locator), _) => self.locate_for_ack(now, ack, locator),
        }
    }

    /// Cancels an INVITE of ours: at once when a provisional response has come, otherwise when it comes
    /// (RFC 3261 §9.1). What is answered to the CANCEL itself is not reported. Go on waiting for the end of the INVITE:
    /// a 487, a 2xx that crossed the CANCEL, or [`Event::ClientFailed`] when there is no final response within 64 T1.
    ///
    /// # Errors
    /// When there is nothing to cancel.
    pub fn cancel(&mut self, now: Instant, id: ClientId) -> Result<(), CancelError> {
        let now = self.clamp(now);
        let client = self.clients.get_mut(id.0).ok_or(CancelError::Unknown)?;
        if let (Kind::Locating, Some(rest)) = (&client.kind, &client.rest)
            && rest.is_invite()
        {
            if let Some(lookup) = rest.lookup() {
                self.seekers.remove(&lookup);
                self.resolver.forget(lookup);
            }
            self.fail_client(id.0, Failure::Cancelled);
            self.remove_client(id.0, true);
            return Ok(());
        }
        let Kind::Invite(invite) = &client.kind else { return Err(CancelError::NotInvite) };
        if !invite.is_pending() {
            return Err(CancelError::Answered);
        }
        if client.cancel == Cancel::No {
            client.cancel = Cancel::Wanted;
            self.cancel_if_due(now, id.0);
        }
        Ok(())
    }

    /// A response whose mandatory headers were read.
    pub(super) fn on_response(&mut self, now: Instant, response: Response, mandatory: Mandatory, source: Source) {
        let branch = mandatory.via.branch().unwrap_or_default();
        let key = self.secret.client(branch, &mandatory.cseq.method);
        let Some(slot) = self.client_keys.get(&key).copied() else {
            self.counters.stray_responses += 1;
            return;
        };
        let event = match response.status().as_u16() {
            100..=199 => ClientEvent::Provisional,
            200..=299 => ClientEvent::Success,
            _ => ClientEvent::Rejection,
        };
        self.on_heard(now, slot);
        self.run_client(now, slot, event, Some((response, mandatory, source)));
        self.cancel_if_due(now, slot);
    }

    pub(super) fn on_client_timer(&mut self, now: Instant, slot: Slot, timer: Timer) {
        if let Some(client) = self.clients.get_mut(slot) {
            *client.lane(timer.lane()) = None;
            self.run_client(now, slot, ClientEvent::Timer(timer), None);
        }
    }

    /// 64 T1 after a CANCEL, the INVITE counts as ended (RFC 3261 §9.1).
    pub(super) fn on_cancel_timer(&mut self, slot: Slot) {
        if let Some(client) = self.clients.get_mut(slot) {
            client.cancel_timer = None;
            self.fail_client(slot, Failure::Timeout);
            self.remove_client(slot, true);
        }
    }

    /// The connection that a client transaction waits on is gone.
    pub(super) fn on_client_unreachable(&mut self, now: Instant, slot: Slot) {
        if self.fall_back(now, slot) {
            return;
        }
        self.run_client(now, slot, ClientEvent::TransportError, None);
    }

    /// Finds the way of a request, gives it its Via, and chooses TCP when it is too large for a datagram.
    #[expect(clippy::type_complexity, reason = "three things that are one answer")]
    pub(super) fn address(
        &mut self,
        now: Instant,
        request: &Request,
        target: &Target,
        name: Option<&Arc<str>>,
        branch: &[u8],
    ) -> Result<(Path, Bytes, Option<(ListenerId, SocketAddr)>), SendError> {
        let listener = self.listener_for(target).ok_or(SendError::NoListener)?;
        if target.transport.is_reliable() {
            let (id, listener) = self.connection_for(now, target, name, listener)?;
            return Ok((Path::Connection(id), self.with_via(request, target.transport, listener, branch), None));
        }
        let destination = target.remote;
        let message = self.with_via(request, target.transport, listener, branch);
        let may_switch = self.config.large_requests_by_tcp && message.len() > self.config.datagram_limit;
        let era = self.era(now);
        if may_switch && !self.without_tcp.contains(&(destination, era)) {
            let stream = Target { transport: Transport::Tcp, listener: None, connection: None, ..*target };
            let chosen = self.listener_for(&stream).unwrap_or(listener);
            if let Ok((id, chosen)) = self.connection_for(now, &stream, None, chosen) {
                let message = self.with_via(request, Transport::Tcp, chosen, branch);
                return Ok((Path::Connection(id), message, Some((listener, destination))));
            }
        }
        Ok((Path::Datagram { listener, destination }, message, None))
    }

    fn with_via(&self, request: &Request, transport: Transport, listener: ListenerId, branch: &[u8]) -> Bytes {
        let Some(config) = self.listener(listener) else { return request.to_bytes() };
        let mut edit = request.edit();
        edit.push_front(&OurVia::new(transport, &config.advertised, branch));
        // A stream needs it; a builder puts it, a forwarded datagram may lack it.
        edit.ensure_content_length();
        let mut out = BytesMut::with_capacity(edit.encoded_len());
        edit.write(&mut out);
        out.freeze()
    }

    /// Sends a request as a datagram whose size chose TCP, when TCP failed before an answer came.
    fn fall_back(&mut self, now: Instant, slot: Slot) -> bool {
        let Some(client) = self.clients.get_mut(slot) else { return false };
        let is_waiting = match &client.kind {
            Kind::Invite(invite) => invite.is_pending() && !invite.is_proceeding(),
            Kind::Other(_) => true,
            Kind::Locating => false,
        };
        let Some((listener, destination)) = client.datagram.take().filter(|_| is_waiting) else { return false };
        let Ok(Message::Request(request)) = Message::parse(client.message.clone(), &no_limits()) else { return false };
        let Ok(via) = request.headers().require::<sip_core::header::Via>() else { return false };
        let branch = Bytes::copy_from_slice(via.branch().unwrap_or_default());
        let mut edit = request.edit();
        edit.pop_front(&HeaderName::VIA);
        let message = self.with_via(&edit.finish(), Transport::Udp, listener, &branch);
        self.counters.fallbacks += 1;
        self.without_tcp.insert((destination, self.era(now)));
        let timers = self.config.timers;
        let handles = self.clients.get_mut(slot).map(|client| {
            client.path = Path::Datagram { listener, destination };
            client.message = message;
            client.kind = match client.kind {
                Kind::Invite(_) => Kind::Invite(ClientInvite::new(timers, false)),
                Kind::Other(_) => Kind::Other(ClientOther::new(timers, false)),
                Kind::Locating => Kind::Locating,
            };
            [client.repeat.take(), client.end.take()]
        });
        for handle in handles.into_iter().flatten().flatten() {
            self.wheel.stop(handle);
        }
        self.run_client(now, slot, ClientEvent::Start, None);
        true
    }

    pub(super) fn insert_client(&mut self, client: Client) -> Option<Slot> {
        let (key, path) = (client.key, client.path);
        let slot = self.clients.insert(client)?;
        self.enter_client(slot, key, path);
        Some(slot)
    }

    /// Lets a transaction be found by its key and its connection.
    pub(super) fn enter_client(&mut self, slot: Slot, key: Key, path: Path) {
        self.client_keys.insert(key, slot);
        if let Path::Connection(id) = path
            && let Some(connection) = self.connections.get_mut(id)
        {
            connection.clients.insert(slot);
        }
    }

    pub(super) fn run_client(&mut self, now: Instant, slot: Slot, event: ClientEvent, delivery: Option<Delivery>) {
        let Some(client) = self.clients.get_mut(slot) else { return };
        let is_response = matches!(event, ClientEvent::Provisional | ClientEvent::Success | ClientEvent::Rejection);
        let mut actions = Actions::new();
        client.on_event(event, &mut actions);
        if is_response && !actions.contains(&Action::Deliver) {
            self.counters.retransmissions_received += 1;
        }
        if self.fail_over(now, slot, &actions, delivery.as_ref()) {
            return;
        }
        let mut delivery = delivery;
        let mut is_stuck = false;
        let mut has_failed = false;
        for action in actions {
            match action {
                Action::Send | Action::SendAgain | Action::Repeat => {
                    let Some(client) = self.clients.get(slot) else { return };
                    let (path, message) = (client.path, client.message.clone());
                    self.counters.retransmissions_sent += u64::from(action == Action::SendAgain);
                    is_stuck |= !self.transmit(path, message);
                }
                Action::Acknowledge => {
                    let response = delivery.as_ref().map(|(response, ..)| response);
                    is_stuck |= !self.acknowledge(slot, response);
                }
                Action::Deliver => {
                    let is_internal = self.clients.get(slot).is_some_and(|client| client.is_internal);
                    if let Some((response, mandatory, source)) = delivery.take()
                        && !is_internal
                    {
                        self.counters.responses += 1;
                        self.tell(Event::Response { id: ClientId(slot), response, mandatory, source });
                    }
                }
                Action::Start(timer, span) => {
                    let handle = self.wheel.start(now, now + span, Owner::Client(slot, timer));
                    self.set_client_lane(slot, timer.lane(), Some(handle));
                }
                Action::Stop(lane) => self.set_client_lane(slot, lane, None),
                Action::TimedOut => {
                    has_failed = true;
                    self.fail_client(slot, Failure::Timeout);
                }
                Action::Undeliverable => {
                    has_failed = true;
                    self.fail_client(slot, Failure::Transport);
                }
                Action::Terminate => {
                    self.remove_client(slot, has_failed);
                    return;
                }
                Action::SendTrying | Action::DeliverAck | Action::Acknowledged => {}
            }
        }
        if let Some(client) = self.clients.get_mut(slot)
            && !client.is_pending()
            && let Some(handle) = client.cancel_timer.take()
        {
            self.wheel.stop(handle);
        }
        if is_stuck {
            self.run_client(now, slot, ClientEvent::TransportError, None);
        }
    }

    fn set_client_lane(&mut self, slot: Slot, lane: Lane, handle: Option<Handle>) {
        let Some(client) = self.clients.get_mut(slot) else { return };
        if let Some(old) = std::mem::replace(client.lane(lane), handle) {
            self.wheel.stop(old);
        }
    }

    pub(super) fn fail_client(&mut self, slot: Slot, reason: Failure) {
        if self.clients.get(slot).is_some_and(|client| !client.is_internal) {
            self.counters.client_failures += 1;
            self.tell(Event::ClientFailed { id: ClientId(slot), reason });
        }
    }

    pub(super) fn remove_client(&mut self, slot: Slot, has_failed: bool) {
        let Some(client) = self.clients.remove(slot) else { return };
        self.client_keys.remove(&client.key);
        for handle in [client.repeat, client.end, client.cancel_timer, client.patience].into_iter().flatten() {
            self.wheel.stop(handle);
        }
        if let Path::Connection(id) = client.path
            && let Some(connection) = self.connections.get_mut(id)
        {
            connection.clients.remove(&slot);
        }
        if !client.is_internal && !has_failed {
            self.queue.push_client_ended(ClientId(slot));
        }
    }

    /// Sends the ACK to a rejection: the same one each time.
    fn acknowledge(&mut self, slot: Slot, response: Option<&Response>) -> bool {
        let Some(client) = self.clients.get_mut(slot) else { return true };
        if client.ack.is_none()
            && let Some(response) = response
        {
            client.ack = ack_to(&client.message, response);
        }
        match (client.path, client.ack.clone()) {
            (path, Some(ack)) => self.transmit(path, ack),
            (_, None) => true,
        }
    }

    /// Sends a CANCEL that is wanted, once the INVITE's state allows it.
    fn cancel_if_due(&mut self, now: Instant, slot: Slot) {
        let Some(client) = self.clients.get_mut(slot) else { return };
        let Kind::Invite(invite) = &client.kind else { return };
        if client.cancel != Cancel::Wanted || !invite.is_proceeding() {
            return;
        }
        client.cancel = Cancel::Sent;
        let path = client.path;
        let Some(message) = derive(&client.message, "CANCEL", None) else { return };
        let Some(branch) = branch_of(&message) else { return };
        let handle = self.wheel.start(now, now + self.config.timers.timeout(), Owner::Cancelled(slot));
        if let Some(client) = self.clients.get_mut(slot) {
            client.cancel_timer = Some(handle);
        }
        let is_reliable = matches!(path, Path::Connection(_));
        let cancel = self.insert_client(Client {
            kind: Kind::Other(ClientOther::new(self.config.timers, is_reliable)),
            is_internal: true,
            ..Client::new(self.secret.client(&branch, &Method::Cancel), path, message)
        });
        if let Some(cancel) = cancel {
            self.run_client(now, cancel, ClientEvent::Start, None);
        }
    }
}

impl Client {
    fn on_event(&mut self, event: ClientEvent, actions: &mut Actions) {
        match &mut self.kind {
            Kind::Invite(invite) => invite.on_event(event, actions),
            Kind::Other(other) => other.on_event(event, actions),
            // Nothing was sent that anything could happen to.
            Kind::Locating => {}
        }
    }

    fn lane(&mut self, lane: Lane) -> &mut Option<Handle> {
        match lane {
            Lane::Repeat => &mut self.repeat,
            Lane::End => &mut self.end,
        }
    }

    fn is_pending(&self) -> bool {
        match &self.kind {
            Kind::Invite(invite) => invite.is_pending(),
            Kind::Other(_) | Kind::Locating => true,
        }
    }
}

/// The ACK to a rejection.
pub(super) fn ack_to(invite: &Bytes, response: &Response) -> Option<Bytes> {
    derive(invite, "ACK", Some(&response.headers().get(&HeaderName::TO)?))
}

/// What every request must have (RFC 3261 §8.1.1), as far as it is not ours to add.
fn check_mandatory(request: &Request) -> Result<(), ParseError> {
    for name in [HeaderName::FROM, HeaderName::TO, HeaderName::CALL_ID, HeaderName::CSEQ] {
        if !request.headers().contains(&name) {
            return Err(ParseError::new(ErrorKind::Missing, Part::Header(name), 0));
        }
    }
    Ok(())
}

/// Our own messages are as long as they are.
fn no_limits() -> sip_core::Limits {
    let most = u32::MAX as usize;
    sip_core::Limits { message: most, headers: most, line: most, uri: most, body: most }
}

/// The ACK to a rejection (RFC 3261 §17.1.1.3) or the CANCEL (§9.1) of an INVITE of ours: its Request-URI, topmost Via,
/// Route, From, To, Call-ID and the number of its CSeq, byte for byte.
fn derive(invite: &Bytes, method: &str, to: Option<&Bytes>) -> Option<Bytes> {
    let Ok(Message::Request(invite)) = Message::parse(invite.clone(), &no_limits()) else { return None };
    let headers = invite.headers();
    let mut out = BytesMut::with_capacity(512);
    out.put_slice(method.as_bytes());
    out.put_u8(b' ');
    out.put_slice(invite.uri_bytes());
    out.put_slice(b" SIP/2.0\r\n");
    let mut line = |name: &HeaderName, value: &[u8]| {
        out.put_slice(name.as_str().as_bytes());
        out.put_slice(b": ");
        out.put_slice(value);
        out.put_slice(b"\r\n");
    };
    // Ours is the only value of its line.
    line(&HeaderName::VIA, &headers.get(&HeaderName::VIA)?);
    line(&HeaderName::MAX_FORWARDS, b"70");
    for route in headers.get_all(&HeaderName::ROUTE) {
        line(&HeaderName::ROUTE, &route);
    }
    line(&HeaderName::FROM, &headers.get(&HeaderName::FROM)?);
    match to {
        Some(to) => line(&HeaderName::TO, to),
        None => line(&HeaderName::TO, &headers.get(&HeaderName::TO)?),
    }
    line(&HeaderName::CALL_ID, &headers.get(&HeaderName::CALL_ID)?);
    let sequence = headers.get(&HeaderName::CSEQ)?;
    let sequence = sequence.split(|byte| byte.is_ascii_whitespace()).next().unwrap_or_default();
    line(&HeaderName::CSEQ, &[sequence, b" ", method.as_bytes()].concat());
    line(&HeaderName::CONTENT_LENGTH, b"0");
    out.put_slice(b"\r\n");
    Some(out.freeze())
}

/// The branch of a message of ours.
fn branch_of(message: &Bytes) -> Option<Bytes> {
    let message = Message::parse(message.clone(), &no_limits()).ok()?;
    let via = message.headers().require::<sip_core::header::Via>().ok()?;
    via.branch().map(Bytes::copy_from_slice)
}
