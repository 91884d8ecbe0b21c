//! Datagrams: to whom each belongs, and what strangers get.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use super::{Endpoint, Leg, with_leg};
use crate::call::Call;
use crate::config::{PeerAddress, TokenPolicy};
use crate::element::{DateTime, Element, Elements, ElementsBuf, id};
use crate::event::{CallId, Output};
use crate::frame::{Command, Frame, Full, FullHeader, Kind, Video};
use crate::link::{Cx, Link};
use crate::registrar::{Greeting, Registrar};

/// Our number in answers that keep no state, as Asterisk's.
const STATELESS: u16 = 1;

impl Endpoint {
    pub(super) fn on_datagram(&mut self, source: SocketAddr, datagram: &Bytes) {
        self.counters.received += 1;
        match Frame::parse(datagram) {
            Err(error) => {
                self.counters.malformed += 1;
                tracing::trace!(%source, %error, "malformed datagram");
            }
            Ok(Frame::Full(full)) => self.on_full(source, datagram, &full),
            Ok(Frame::Mini(mini)) => {
                if let Some(number) = self.find_media(source, mini.source_call) {
                    self.media(number, |call, cx| call.on_mini(cx, datagram));
                }
            }
            Ok(Frame::Video(video)) => {
                if let Some(number) = self.find_media(source, video.source_call) {
                    let payload = datagram.slice(Video::HEADER_LEN..);
                    self.media(number, |call, cx| call.on_video(cx, video.timestamp, video.mark, payload));
                }
            }
            Ok(Frame::Trunk(trunk)) => {
                for entry in trunk.entries() {
                    let Ok(entry) = entry else {
                        self.counters.malformed += 1;
                        break;
                    };
                    // One of an unknown call is skipped by its length.
                    if let Some(number) = self.find_media(source, entry.source_call) {
                        let payload = datagram.slice_ref(entry.payload);
                        let time = trunk.header.timestamp;
                        self.media(number, |call, cx| call.on_trunked(cx, entry.timestamp, time, payload));
                    }
                }
            }
            Ok(Frame::Meta(_)) => self.counters.ignored += 1,
        }
    }

    fn find_media(&mut self, source: SocketAddr, call: u16) -> Option<u16> {
        let found = self.by_remote.get(&(source, call)).copied();
        if found.is_none() {
            self.counters.unknown_call += 1;
        }
        found
    }

    /// Media changes no tables: only its events may have to be relayed.
    fn media(&mut self, number: u16, take: impl FnOnce(&mut Call, &mut Cx<'_>)) {
        let before = self.out.len();
        let mut bridged = false;
        let mut sent = false;
        with_leg!(self, number, |leg, cx| if let Leg::Call(call) = leg {
            let outstanding = call.link.reliable.outstanding();
            take(call, cx);
            bridged = call.bridged.is_some();
            sent = call.link.reliable.outstanding() != outstanding;
        });
        if bridged {
            self.relay(number, before, false);
        }
        if sent {
            self.reschedule_leg(number);
        }
    }

    fn on_full(&mut self, source: SocketAddr, datagram: &Bytes, full: &Full<'_>) {
        let header = full.header;
        if header.destination_call == 0 {
            // A repetition of what began an exchange belongs to it.
            if let Some(number) = self.by_remote.get(&(source, header.source_call)).copied() {
                if self.slot(number).is_some() {
                    self.deliver(number, source, datagram);
                    return;
                }
                let same = self.tombs.get(&number).is_some_and(|tomb| tomb.first == header.timestamp);
                if header.retransmission || same {
                    self.answer_tomb(number, source, &header);
                    return;
                }
            }
            self.on_stranger(source, full, datagram.len());
        } else if self.slot(header.destination_call).is_some() {
            self.deliver(header.destination_call, source, datagram);
        } else if self.tombs.contains_key(&header.destination_call) {
            self.answer_tomb(header.destination_call, source, &header);
        } else {
            // Frames for unknown calls draw nothing.
            self.counters.unknown_call += 1;
        }
    }

    fn answer_tomb(&mut self, number: u16, source: SocketAddr, header: &FullHeader) {
        let Some(tomb) = self.tombs.get(&number).copied() else { return };
        if tomb.address == source
            && tomb.remote == header.source_call
            && let Some(answer) = tomb.answer(number, header)
        {
            self.reply(source, answer, &[]);
        } else {
            self.counters.unknown_call += 1;
        }
    }

    fn deliver(&mut self, number: u16, source: SocketAddr, datagram: &Bytes) {
        let Some(slot) = self.slot(number) else { return };
        let link = slot.leg.link();
        // The first four bytes are never encrypted.
        let Ok(outer) = Full::parse(datagram) else { return };
        let header = outer.header;
        // Without a known number of the peer's only the answer to our first frame fits, from where it was sent to.
        let known = link.address == source && (link.remote == 0 || link.remote == header.source_call);
        let before = self.out.len();
        let voice = matches!(header.kind, Kind::Voice(_) | Kind::Video(_));
        if !known {
            let taken = with_leg!(self, number, |leg, cx| match leg {
                Leg::Call(call) if call.is_transferring() => {
                    call.on_aside(cx, source, &outer);
                    true
                }
                _ => false,
            });
            if taken != Some(true) {
                self.counters.unknown_call += 1;
                return;
            }
        } else {
            let size = datagram.len();
            let opened = with_leg!(self, number, |leg, cx| match leg {
                Leg::Call(call) => match call.open(datagram) {
                    Some(plain) => {
                        call.on_full(cx, &plain, size);
                        true
                    }
                    None => false,
                },
                Leg::Registrant(leg) => {
                    leg.on_full(cx, &outer, size);
                    true
                }
                Leg::Registrar(leg) => {
                    leg.on_full(cx, &outer, size);
                    true
                }
                Leg::Poke(leg) => {
                    leg.on_full(cx, &outer, size);
                    true
                }
            });
            if opened != Some(true) {
                self.counters.malformed += 1;
            }
        }
        self.settle(number, before, voice);
    }

    /// Sends a frame that is not remembered.
    fn reply(&mut self, to: SocketAddr, header: FullHeader, payload: &[u8]) {
        let mut frame = BytesMut::with_capacity(FullHeader::LEN + payload.len());
        Full { header, payload }.encode(&mut frame);
        self.out.push_back(Output::Datagram { destination: to, payload: frame.freeze() });
    }

    fn reply_to(&mut self, to: SocketAddr, header: &FullHeader, command: Command, payload: &[u8]) {
        let reply = FullHeader {
            source_call: STATELESS,
            retransmission: false,
            destination_call: header.source_call,
            timestamp: header.timestamp,
            oseq: 0,
            iseq: header.oseq.wrapping_add(1),
            kind: Kind::Iax(command),
        };
        self.reply(to, reply, payload);
    }

    /// The first frame of an exchange.
    fn on_stranger(&mut self, source: SocketAddr, full: &Full<'_>, size: usize) {
        let header = full.header;
        let Kind::Iax(command) = header.kind else {
            self.counters.ignored += 1;
            return;
        };
        let Ok(elements) = full.elements() else {
            self.counters.malformed += 1;
            return;
        };
        if header.source_call == 0 || header.oseq != 0 {
            self.counters.ignored += 1;
            return;
        }
        match command {
            // At once, with or without a token: the answer is no longer than the question.
            Command::Poke => self.reply_to(source, &header, Command::Pong, &[]),
            Command::New => self.on_new(source, &header, &elements, size),
            Command::RegReq | Command::RegRel => self.on_register(source, &header, &elements, size),
            // An unknown command outside of a call draws nothing.
            _ => self.counters.ignored += 1,
        }
    }

    /// Whether a request may go on, and whether its sender is proven to be where it says; else it was answered.
    fn admit(
        &mut self,
        source: SocketAddr,
        header: &FullHeader,
        elements: &Elements<'_>,
        policy: TokenPolicy,
        used: bool,
        refusal: Command,
    ) -> Option<bool> {
        match elements.data(id::CALL_TOKEN) {
            Some([]) => {
                let now = self.now;
                let token = self.mint.mint(now, source, &mut self.rng);
                let list: ElementsBuf = [Element::CallToken(token.as_bytes())].into_iter().collect();
                self.counters.tokens_sent += 1;
                self.reply_to(source, header, Command::CallToken, list.as_bytes());
                None
            }
            Some(token) => {
                if self.mint.check(self.now, source, token) {
                    Some(true)
                } else {
                    self.counters.tokens_refused += 1;
                    self.reply_to(source, header, refusal, &[]);
                    None
                }
            }
            None => {
                let exempt = self.config.token_exempt.iter().any(|network| network.contains(source.ip()));
                let required = match policy {
                    TokenPolicy::Required => true,
                    TokenPolicy::NotRequired => false,
                    TokenPolicy::Auto => used,
                };
                if required && !exempt {
                    self.counters.tokens_refused += 1;
                    self.reply_to(source, header, refusal, &[]);
                    return None;
                }
                // Strangers share a budget of their own.
                if self.unvalidated >= self.config.max_unvalidated {
                    self.counters.refused_by_limit += 1;
                    return None;
                }
                Some(false)
            }
        }
    }

    fn on_new(&mut self, source: SocketAddr, header: &FullHeader, elements: &Elements<'_>, size: usize) {
        // VERSION comes first (RFC 5456 §6.2.2), and is 2.
        if elements.iter().next() != Some(Element::Version(2)) {
            self.counters.malformed += 1;
            self.reply_to(source, header, Command::Reject, &[]);
            return;
        }
        let username = elements.data(id::USERNAME);
        let context = elements.text(id::CALLED_CONTEXT);
        let name = match username {
            Some(username) => std::str::from_utf8(username).ok().and_then(|name| self.peers.get_key_value(name)),
            None => None,
        }
        .map(|(name, _)| name.clone());
        let (policy, used) = match name.as_ref().and_then(|name| self.peers.get(name)) {
            Some(peer) => (peer.profile.config.token, peer.used_token.0),
            None => (self.config.token_policy, false),
        };
        let Some(proven) = self.admit(source, header, elements, policy, used, Command::Reject) else { return };
        // A name that nobody has costs no search that a known one does not.
        let name = if username.is_some() { name } else { self.match_guest(source, context) };
        let peer = name.as_ref().and_then(|name| self.peers.get_mut(name));
        let mut profile = None;
        let mut decoy = true;
        let mut full_up = false;
        if let Some(peer) = peer {
            peer.used_token.0 |= proven;
            let config = &peer.profile.config;
            full_up = peer.calls >= config.max_calls;
            decoy = !config.may_call || !config.allows(source.ip()) || !config.allows_context(context) || full_up;
            profile = Some(peer.profile.clone());
        }
        if profile.is_none() && username.is_none() {
            // Nobody to challenge: there is no name that could be guessed.
            self.reply_to(source, header, Command::Reject, &[]);
            return;
        }
        if full_up {
            self.counters.refused_by_limit += 1;
        }
        let trunked = profile.as_ref().is_some_and(|profile| profile.config.trunk.is_some());
        let Some(number) = self.allocate(trunked, source.ip(), false) else { return };
        let id = CallId { number, generation: self.next_generation() };
        let work = self.work;
        let call = Call::incoming(&mut self.cx(), id, profile, decoy, work, source, header, elements, size, proven);
        self.insert(number, Leg::Call(Box::new(call)), name);
    }

    /// The peer that a NEW without USERNAME is of: guests before those with secrets, those of this address before any.
    fn match_guest(&self, source: SocketAddr, context: Option<&str>) -> Option<Arc<str>> {
        let score = |peer: &crate::peer::Peer| {
            let config = &peer.profile.config;
            if !config.may_call || !config.allows(source.ip()) || !config.allows_context(context) {
                return None;
            }
            // Among several that register, the one that did from there.
            let here = !config.allowed.is_empty() || peer.address() == Some(source);
            Some(match (peer.profile.demand.is_free(), here) {
                (true, true) => 4,
                (true, false) => 3,
                (false, true) => 2,
                (false, false) => 1,
            })
        };
        let scored = self.peers.iter().filter_map(|(name, peer)| Some((score(peer)?, name)));
        // The name decides between equals, so that the answer is always the same.
        scored.max_by(|a, b| a.0.cmp(&b.0).then_with(|| b.1.cmp(a.1))).map(|(_, name)| name.clone())
    }

    fn on_register(&mut self, source: SocketAddr, header: &FullHeader, elements: &Elements<'_>, size: usize) {
        let Some(username) = elements.data(id::USERNAME) else {
            self.counters.malformed += 1;
            return;
        };
        let found = std::str::from_utf8(username).ok().and_then(|name| self.peers.get_key_value(name));
        let name = found.map(|(name, _)| name.clone());
        let (policy, used) = match name.as_ref().and_then(|name| self.peers.get(name)) {
            Some(peer) => (peer.profile.config.token, peer.used_token.1),
            None => (self.config.token_policy, false),
        };
        let Some(proven) = self.admit(source, header, elements, policy, used, Command::RegRej) else { return };
        let (mut profile, mut greeting, mut messages) = (None, Greeting::Challenge, None);
        if let Some(peer) = name.as_ref().and_then(|name| self.peers.get_mut(name)) {
            peer.used_token.1 |= proven;
            if !peer.profile.config.allows(source.ip()) {
                greeting = Greeting::Refuse;
            }
            // Only a dynamic peer registers; another is challenged and refused as an unknown one is.
            if peer.profile.config.address == PeerAddress::Dynamic {
                profile = Some(peer.profile.clone());
                messages = peer.messages;
            }
        }
        let Some(number) = self.allocate(false, source.ip(), false) else { return };
        let link = Link::incoming(self.now, self.config.schedule, number, source, header, size, proven);
        let work = self.work;
        let leg =
            Registrar::incoming(&mut self.cx(), number, profile, greeting, work, messages, link, header, elements);
        self.insert(number, Leg::Registrar(Box::new(leg)), None);
    }

    /// Whether a call is answered (both its sides talk).
    pub fn is_up(&self, call: CallId) -> bool {
        self.call(call).is_some_and(Call::is_up)
    }

    /// Whether a call is encrypted.
    pub fn is_encrypted(&self, call: CallId) -> bool {
        self.call(call).is_some_and(Call::is_encrypted)
    }

    /// What a call's voice was like on arrival.
    pub fn report(&self, call: CallId) -> Option<crate::Report> {
        self.call(call).map(Call::report)
    }

    /// The format of a call's voice, once that is agreed.
    pub fn format(&self, call: CallId) -> Option<crate::Format> {
        self.call(call).and_then(Call::format)
    }

    /// Whether anything came from the peer of a call of ours yet, be it only a token or a challenge: one that is not there is
    /// told so from one that is slow.
    pub fn is_heard(&self, call: CallId) -> bool {
        self.call(call).is_some_and(Call::is_heard)
    }

    /// The peer's number of a call; 0 while it is not known.
    pub fn remote_number(&self, call: CallId) -> u16 {
        self.call(call).map_or(0, |call| call.link.remote)
    }

    /// Sequence numbers of a call: of our next frame, and of the peer's.
    pub fn sequence_numbers(&self, call: CallId) -> Option<(u8, u8)> {
        self.call(call).map(|call| call.link.reliable.numbers())
    }

    /// Where a call's peer is.
    pub fn call_address(&self, call: CallId) -> Option<SocketAddr> {
        self.call(call).map(|call| call.link.address)
    }
}
