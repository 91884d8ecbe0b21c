//! Requests of others: from their arrival to the last event.

use std::net::IpAddr;
use std::time::Instant;

use bytes::Bytes;
use sip_core::header::{HeaderName, To};
use sip_core::message::Mandatory;
use sip_core::{Message, Method, Request, Response, StatusCode, ident};

use super::{Ended, Endpoint, Event, Owner, RespondError, ServerId};
use crate::arena::Slot;
use crate::transaction::key::Key;
use crate::transaction::{Action, Actions, Lane, ServerEvent, ServerInvite, ServerOther, Timer};
use crate::transport::Source;
use crate::transport::via::Reply;
use crate::wheel::Handle;

#[derive(Debug)]
enum Kind {
    Invite(ServerInvite),
    Other(ServerOther),
}

/// A request of others.
#[derive(Debug)]
pub(super) struct Server {
    key: Key,
    kind: Kind,
    /// Who sent it.
    address: IpAddr,
    reply: Reply,
    /// The request, until its final response is given.
    request: Option<Bytes>,
    /// The response to repeat.
    last: Option<Bytes>,
    repeat: Option<Handle>,
    end: Option<Handle>,
    /// Bytes and datagrams received and sent, for strangers.
    received: Traffic,
    sent: Traffic,
    /// Nobody vouches for the sender's address: counted among those of its address.
    is_counted: bool,
    /// Nothing shows either that the sender is where he seems to be.
    is_stranger: bool,
    /// The user has taken the request up: what strangers do not get, this one does.
    is_taken: bool,
    /// A CANCEL, which the endpoint answers itself.
    is_internal: bool,
    /// The last event is out.
    is_told: bool,
}

#[derive(Debug, Clone, Copy, Default)]
struct Traffic {
    bytes: usize,
    datagrams: usize,
}

impl Traffic {
    fn add(&mut self, bytes: usize) {
        self.bytes = self.bytes.saturating_add(bytes);
        self.datagrams = self.datagrams.saturating_add(1);
    }
}

impl Endpoint {
    /// Answers a request. A 2xx to an INVITE may be given again until [`Event::ServerEnded`]: retransmitting it is
    /// the user's part (RFC 3261 §13.3.1.4). The response must have the Via of the request, as
    /// [`Response::to`] gives it.
    ///
    /// What would be more than three bytes for each that a [stranger](Self::trust) sent is held back until his request
    /// comes again.
    ///
    /// # Errors
    /// When the transaction is over or the response may not be given.
    pub fn respond(&mut self, now: Instant, id: ServerId, response: Response) -> Result<(), RespondError> {
        let now = self.clamp(now);
        let status = response.status();
        let server = self.servers.get_mut(id.0).filter(|server| !server.is_told).ok_or(RespondError::Unknown)?;
        let event = match status.as_u16() {
            100..=199 => ServerEvent::Provisional,
            200..=299 => ServerEvent::Success,
            _ => ServerEvent::Rejection,
        };
        let is_allowed = match &server.kind {
            Kind::Invite(invite) => invite.is_pending() || (invite.is_accepted() && status.is_success()),
            Kind::Other(other) => other.is_pending(),
        };
        if !is_allowed {
            return Err(RespondError::Answered);
        }
        let is_other = matches!(server.kind, Kind::Other(_));
        if is_other && (status == StatusCode::REQUEST_TIMEOUT || status.is_provisional()) {
            let may_try = status == StatusCode::TRYING && server.reply.transport.is_reliable();
            if !may_try {
                return Err(RespondError::Forbidden);
            }
        }
        let message = response.into_bytes();
        if status.is_success() || (status.is_provisional() && status != StatusCode::TRYING) {
            server.is_taken = true;
        }
        if let Some(server) = self.servers.get_mut(id.0) {
            server.last = Some(message);
            if status.is_final() && server.request.take().is_some() {
                self.unanswered = self.unanswered.saturating_sub(1);
            }
        }
        self.run_server(now, id.0, event);
        Ok(())
    }

    /// A request whose mandatory headers were read, and whose Via says where it came from.
    pub(super) fn on_request(
        &mut self,
        now: Instant,
        request: Request,
        mandatory: Mandatory,
        source: Source,
        length: usize,
    ) {
        match request.method() {
            Method::Ack => self.on_ack(now, request, mandatory, source),
            Method::Cancel => self.on_cancel(now, request, &mandatory, source, length),
            method => {
                let key = self.secret.server(&request, &mandatory, method);
                if self.is_repeated(now, key, length) {
                    return;
                }
                let Some(slot) = self.insert_server(key, &request, &mandatory, source, length, false) else {
                    self.shed(&request, &mandatory, source, length);
                    return;
                };
                self.counters.requests += 1;
                self.tell(Event::Request { id: ServerId(slot), request, mandatory, source });
                self.run_server(now, slot, ServerEvent::Start);
            }
        }
    }

    pub(super) fn on_server_timer(&mut self, now: Instant, slot: Slot, timer: Timer) {
        if let Some(server) = self.servers.get_mut(slot) {
            *server.lane(timer.lane()) = None;
            self.run_server(now, slot, ServerEvent::Timer(timer));
        }
    }

    /// An ACK belongs to a rejection of ours, or to the user (RFC 3261 §17.2.1).
    fn on_ack(&mut self, now: Instant, request: Request, mandatory: Mandatory, source: Source) {
        let key = self.secret.server(&request, &mandatory, &Method::Invite);
        if let Some(slot) = self.server_keys.get(&key).copied()
            && let Some(server) = self.servers.get(slot)
            && let Kind::Invite(invite) = &server.kind
            && !invite.is_accepted()
        {
            self.run_server(now, slot, ServerEvent::Ack);
            return;
        }
        // To a 2xx: with a branch of its own by the RFC, with that of the INVITE by some.
        self.tell(Event::Ack { request, mandatory, source });
    }

    /// A CANCEL is answered here; the user is told when its INVITE waits for an answer (RFC 3261 §9.2).
    fn on_cancel(&mut self, now: Instant, cancel: Request, mandatory: &Mandatory, source: Source, length: usize) {
        let key = self.secret.server(&cancel, mandatory, &Method::Cancel);
        if self.is_repeated(now, key, length) {
            return;
        }
        let invite_key = self.secret.server(&cancel, mandatory, &Method::Invite);
        let invite = self.server_keys.get(&invite_key).copied();
        let Some(invite) = invite.filter(|slot| self.may_cancel(*slot, &cancel, &source)) else {
            self.counters.stray_cancels += 1;
            self.answer(&cancel, mandatory, source, length, StatusCode::CALL_DOES_NOT_EXIST);
            return;
        };
        let Some(slot) = self.insert_server(key, &cancel, mandatory, source, length, true) else {
            self.shed(&cancel, mandatory, source, length);
            return;
        };
        let mut response = Response::to(&cancel, StatusCode::OK);
        // The tag of the INVITE's response, if it has one (RFC 3261 §9.2).
        response = match self.servers.get(invite).and_then(Server::last_to_tag) {
            Some(tag) => response.to_tag(&tag),
            None => response.to_tag(&ident::tag(&mut self.random)),
        };
        self.run_server(now, slot, ServerEvent::Start);
        // The endpoint's own answer is refused by nothing that the user would have to know of.
        let _ = self.respond(now, ServerId(slot), response.build());
        if self.servers.get(invite).is_some_and(Server::is_pending) {
            self.tell(Event::Cancelled { invite: ServerId(invite), cancel });
        }
    }

    /// Whether a CANCEL comes from where its INVITE came from: its branch alone would let whoever overheard or guessed
    /// it end the call.
    fn may_cancel(&self, invite: Slot, cancel: &Request, source: &Source) -> bool {
        let Some(server) = self.servers.get(invite) else { return false };
        if !matches!(server.kind, Kind::Invite(_)) || server.address != source.remote.ip() {
            return false;
        }
        let Some(request) = &server.request else { return true };
        match Message::parse(request.clone(), &self.config.limits) {
            Ok(invite) => invite.headers().get(&HeaderName::CALL_ID) == cancel.headers().get(&HeaderName::CALL_ID),
            Err(_) => true,
        }
    }

    /// Handles a request that came before.
    fn is_repeated(&mut self, now: Instant, key: Key, length: usize) -> bool {
        let Some(slot) = self.server_keys.get(&key).copied() else { return false };
        self.counters.retransmissions_received += 1;
        if let Some(server) = self.servers.get_mut(slot) {
            server.received.add(length);
        }
        self.run_server(now, slot, ServerEvent::Request);
        true
    }

    /// Puts a request into the table, unless a limit says no.
    fn insert_server(
        &mut self,
        key: Key,
        request: &Request,
        mandatory: &Mandatory,
        source: Source,
        length: usize,
        is_internal: bool,
    ) -> Option<Slot> {
        let address = source.remote.ip();
        let is_counted = !self.trusted.contains(&address);
        let mut held = is_counted.then(|| self.strangers.entry(address).or_default());
        let limit = self.config.server_transactions;
        let is_full = self.servers.len() >= limit
            || held
                .as_ref()
                .is_some_and(|held| **held >= self.config.stranger_transactions || self.counted >= limit - limit / 4);
        // There are no more CANCELs here than INVITEs that they match.
        if is_full && !is_internal {
            if held.is_some_and(|held| *held == 0) {
                self.strangers.remove(&address);
            }
            return None;
        }
        if let Some(held) = &mut held {
            self.counted += 1;
            **held += 1;
        }
        let is_reliable = source.transport.is_reliable();
        let timers = self.config.timers;
        let kind = if *request.method() == Method::Invite {
            Kind::Invite(ServerInvite::new(timers, self.config.trying_after, is_reliable))
        } else {
            Kind::Other(ServerOther::new(timers, is_reliable))
        };
        let mut received = Traffic::default();
        received.add(length);
        let slot = self.servers.insert(Server {
            key,
            kind,
            address,
            reply: Reply::new(&mandatory.via, &source),
            request: Some(request.to_bytes()),
            last: None,
            repeat: None,
            end: None,
            received,
            sent: Traffic::default(),
            is_counted,
            is_stranger: is_counted && !is_reliable,
            is_taken: false,
            is_internal,
            is_told: false,
        });
        let Some(slot) = slot else {
            self.uncount(address, is_counted);
            return None;
        };
        self.server_keys.insert(key, slot);
        self.unanswered += 1;
        Some(slot)
    }

    fn run_server(&mut self, now: Instant, slot: Slot, event: ServerEvent) {
        let Some(server) = self.servers.get_mut(slot) else { return };
        let mut actions = Actions::new();
        match &mut server.kind {
            Kind::Invite(invite) => invite.on_event(event, &mut actions),
            Kind::Other(other) => other.on_event(event, &mut actions),
        }
        let mut is_stuck = false;
        let mut ended = Ended::Completed;
        for action in actions {
            match action {
                Action::Send => is_stuck |= !self.send_if_allowed(now, slot),
                Action::SendAgain => {
                    if self.may_send(slot, 0, true) {
                        self.counters.retransmissions_sent += 1;
                        is_stuck |= !self.send_last(now, slot);
                    }
                }
                Action::Repeat => match self.servers.get(slot).is_some_and(|server| server.last.is_some()) {
                    true => is_stuck |= !self.send_if_allowed(now, slot),
                    false => self.send_trying(now, slot),
                },
                Action::SendTrying => self.send_trying(now, slot),
                Action::Start(timer, span) => {
                    let handle = self.wheel.start(now, now + span, Owner::Server(slot, timer));
                    self.set_server_lane(slot, timer.lane(), Some(handle));
                }
                Action::Stop(lane) => self.set_server_lane(slot, lane, None),
                Action::TimedOut => {
                    self.counters.server_timeouts += 1;
                    ended = Ended::Timeout;
                }
                Action::Undeliverable => ended = Ended::Transport,
                Action::Acknowledged => self.tell_ended(slot, Ended::Acknowledged),
                Action::Terminate => {
                    if is_stuck {
                        ended = Ended::Transport;
                    }
                    self.tell_ended(slot, ended);
                    self.remove_server(slot);
                    return;
                }
                Action::Acknowledge | Action::Deliver | Action::DeliverAck => {}
            }
        }
        if is_stuck {
            self.run_server(now, slot, ServerEvent::TransportError);
        }
    }

    /// Sends the last response, or holds it back until a stranger has asked often enough. `false` when it cannot be sent.
    fn send_if_allowed(&mut self, now: Instant, slot: Slot) -> bool {
        let length = self.servers.get(slot).and_then(|server| server.last.as_ref()).map_or(0, Bytes::len);
        !self.may_send(slot, length, false) || self.send_last(now, slot)
    }

    /// Sends the last response, first or again. Whether that was possible.
    fn send_last(&mut self, now: Instant, slot: Slot) -> bool {
        let Some(server) = self.servers.get_mut(slot) else { return true };
        let Some(message) = server.last.clone() else { return true };
        server.sent.add(message.len());
        let reply = server.reply;
        match self.send_reply(now, reply, message) {
            Some(path) => {
                if let Some(server) = self.servers.get_mut(slot) {
                    server.reply.path = path;
                }
                true
            }
            None => false,
        }
    }

    /// Says 100 (RFC 3261 §8.2.6.1). For strangers only when they have asked twice, so that one datagram is left for
    /// the final response.
    fn send_trying(&mut self, now: Instant, slot: Slot) {
        let Some(server) = self.servers.get(slot) else { return };
        let is_stranger = server.is_stranger && !server.is_taken;
        let has_budget = server.received.datagrams >= server.sent.datagrams + 2;
        let address = server.address;
        let Some(request) = server.request.clone() else { return };
        if is_stranger && !has_budget && !self.trusted.contains(&address) {
            return;
        }
        let Ok(Message::Request(request)) = Message::parse(request, &self.config.limits) else { return };
        let message = Response::to(&request, StatusCode::TRYING).build().to_bytes();
        if let Some(server) = self.servers.get_mut(slot) {
            server.last = Some(message);
        }
        self.send_last(now, slot);
    }

    /// Whether a response may go to whoever sent the request: strangers get nothing that a timer asks for, and at most
    /// three bytes for each of theirs (the rule of RFC 9000 §8.1).
    fn may_send(&mut self, slot: Slot, length: usize, is_timed: bool) -> bool {
        let Some(server) = self.servers.get(slot) else { return false };
        if !server.is_stranger || server.is_taken {
            return true;
        }
        let fits = server.sent.bytes + length <= server.received.bytes.saturating_mul(3);
        let address = server.address;
        if (fits && !is_timed) || self.trusted.contains(&address) {
            return true;
        }
        self.counters.amplification_prevented += 1;
        false
    }

    fn set_server_lane(&mut self, slot: Slot, lane: Lane, handle: Option<Handle>) {
        let Some(server) = self.servers.get_mut(slot) else { return };
        if let Some(old) = std::mem::replace(server.lane(lane), handle) {
            self.wheel.stop(old);
        }
    }

    fn tell_ended(&mut self, slot: Slot, ended: Ended) {
        let Some(server) = self.servers.get_mut(slot) else { return };
        if !std::mem::replace(&mut server.is_told, true) && !server.is_internal {
            self.queue.push_server_ended(ServerId(slot), ended);
        }
    }

    fn remove_server(&mut self, slot: Slot) {
        let Some(server) = self.servers.remove(slot) else { return };
        self.server_keys.remove(&server.key);
        for handle in [server.repeat, server.end].into_iter().flatten() {
            self.wheel.stop(handle);
        }
        if server.request.is_some() {
            self.unanswered = self.unanswered.saturating_sub(1);
        }
        self.uncount(server.address, server.is_counted);
    }

    /// One transaction fewer of an address that nobody vouches for.
    fn uncount(&mut self, address: IpAddr, is_counted: bool) {
        if is_counted && let Some(held) = self.strangers.get_mut(&address) {
            self.counted -= 1;
            *held -= 1;
            if *held == 0 {
                self.strangers.remove(&address);
            }
        }
    }
}

impl Server {
    fn lane(&mut self, lane: Lane) -> &mut Option<Handle> {
        match lane {
            Lane::Repeat => &mut self.repeat,
            Lane::End => &mut self.end,
        }
    }

    fn is_pending(&self) -> bool {
        match &self.kind {
            Kind::Invite(invite) => invite.is_pending(),
            Kind::Other(other) => other.is_pending(),
        }
    }

    /// The To tag of the last response.
    fn last_to_tag(&self) -> Option<Bytes> {
        let last = Message::parse(self.last.clone()?, &sip_core::Limits::default()).ok()?;
        let to = last.headers().require::<To>().ok()?;
        to.tag().map(Bytes::copy_from_slice)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_transaction_takes_less_than_640_bytes_beside_its_messages() {
        // Its entry with its generation, its key with its slot, and three timers; twice that at worst, while tables grow.
        let entry = size_of::<Option<Server>>() + 8;
        let key = size_of::<(Key, Slot)>() + 1;
        let timers = 3 * 48;
        assert!(entry + key + timers < 640, "{entry} + {key} + {timers}");
    }
}
