//! Our registration at a registrar: RFC 5456 §6.1 and figure 1.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use rand_core::RngCore;

use crate::call::Profile;
use crate::element::{AuthMethods, Cause, Element, ElementsBuf, MessageCount, id};
use crate::event::{Event, RegistrationFailure, RegistrationId};
use crate::frame::{Command, Full, FullHeader, Kind};
use crate::link::{Cx, Link};
use crate::reliable::Arrival;

/// State of figure 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    Unregistered,
    Sent,
    Registered,
    Releasing,
    Rejected,
}

/// How an exchange with the registrar ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    Acknowledged { refresh: Duration, apparent: Option<SocketAddr>, messages: Option<MessageCount> },
    Refused { cause: Option<Cause>, text: Option<Bytes> },
    Unauthorized,
    Lost,
}

/// One registration, from exchange to exchange.
#[derive(Debug)]
pub(crate) struct Registration {
    pub(crate) id: RegistrationId,
    pub(crate) profile: Arc<Profile>,
    pub(crate) registrar: SocketAddr,
    pub(crate) refresh: Duration,
    pub(crate) state: State,
    /// The exchange under way.
    pub(crate) leg: Option<u16>,
    /// When the next one begins.
    pub(crate) next: Option<Instant>,
    pub(crate) scheduled: Option<Instant>,
    failures: u32,
    released: bool,
}

impl Registration {
    pub(crate) fn new(
        now: Instant,
        id: RegistrationId,
        profile: Arc<Profile>,
        registrar: SocketAddr,
        refresh: Duration,
    ) -> Self {
        Self {
            id,
            profile,
            registrar,
            refresh,
            state: State::Unregistered,
            leg: None,
            next: Some(now),
            scheduled: None,
            failures: 0,
            released: false,
        }
    }

    /// The program wants it no more.
    pub(crate) fn release(&mut self, now: Instant) {
        self.released = true;
        self.next = Some(now);
    }

    /// Whether the exchange to begin now is a release; `None` when there is nothing to do.
    pub(crate) fn begin(&mut self) -> Option<bool> {
        self.next = None;
        match (self.released, self.state) {
            (false, _) => {
                self.state = State::Sent;
                Some(false)
            }
            (true, State::Registered | State::Sent) => {
                self.state = State::Releasing;
                Some(true)
            }
            (true, _) => None,
        }
    }

    /// Whether nothing is left to do.
    pub(crate) fn is_over(&self) -> bool {
        self.released && self.leg.is_none() && self.next.is_none()
    }

    /// An exchange ended.
    pub(crate) fn on_outcome(&mut self, cx: &mut Cx<'_>, outcome: Outcome) {
        self.leg = None;
        let registration = self.id;
        if self.state == State::Releasing {
            // However it went, the registrar forgets us sooner or later.
            self.state = State::Unregistered;
            self.next = None;
            cx.event(Event::Released(registration));
            return;
        }
        if let Outcome::Acknowledged { refresh, apparent, messages } = outcome {
            self.state = State::Registered;
            self.failures = 0;
            // At a random time before it runs out, so that many do not come at once (RFC 5456 §7.2.2).
            let percent = 70 + cx.rng.next_u32() % 20;
            self.next = Some(cx.now + refresh * percent / 100);
            cx.event(Event::Registered { registration, refresh, apparent });
            if let Some(count) = messages {
                cx.event(Event::Messages { peer: self.profile.name.clone(), count });
            }
        } else {
            self.state = State::Rejected;
            let pause = Duration::from_secs(10 << self.failures.min(5));
            self.failures = self.failures.saturating_add(1);
            self.next = Some(cx.now + pause * (80 + cx.rng.next_u32() % 40) / 100);
            let reason = match outcome {
                Outcome::Refused { cause, text } => RegistrationFailure::Refused { cause, text },
                Outcome::Unauthorized => RegistrationFailure::Unauthorized,
                _ => RegistrationFailure::Timeout,
            };
            cx.event(Event::RegistrationFailed { registration, reason });
        }
        if self.released {
            self.next = Some(cx.now);
        }
    }
}

/// One exchange with a registrar: REGREQ or REGREL, a token, a challenge, its answer.
#[derive(Debug)]
pub(crate) struct Registrant {
    pub(crate) link: Link,
    pub(crate) registration: RegistrationId,
    profile: Arc<Profile>,
    release: bool,
    refresh: Duration,
    token: Bytes,
    answered: u8,
    /// The registrar has to have gone on by now: it may acknowledge a request and never answer it.
    deadline: Instant,
    pub(crate) outcome: Option<Outcome>,
    pub(crate) closed: Option<bool>,
}

impl Registrant {
    pub(crate) fn new(cx: &mut Cx<'_>, local: u16, registration: &Registration, release: bool) -> Self {
        let link = Link::outgoing(cx.now, cx.config.schedule, local, registration.registrar);
        let mut leg = Self {
            link,
            registration: registration.id,
            profile: registration.profile.clone(),
            release,
            refresh: registration.refresh,
            token: Bytes::new(),
            answered: 0,
            deadline: cx.now,
            outcome: None,
            closed: None,
        };
        leg.request(cx, None);
        leg
    }

    fn request(&mut self, cx: &mut Cx<'_>, answer: Option<&ElementsBuf>) {
        self.deadline = cx.now + cx.config.schedule.give_up();
        let mut list = ElementsBuf::new();
        let name = &self.profile.config.credentials.username;
        list.push(&Element::Username(name.as_deref().unwrap_or(&self.profile.name).as_bytes()));
        if !self.release {
            list.push(&Element::Refresh(u16::try_from(self.refresh.as_secs()).unwrap_or(u16::MAX)));
        }
        if let Some(answer) = answer {
            list.append(answer);
        }
        list.push(&Element::CallToken(if answer.is_some() { &[] } else { &self.token }));
        self.link.command(cx, if self.release { Command::RegRel } else { Command::RegReq }, &list);
    }

    fn end(&mut self, outcome: Outcome, linger: bool) {
        if self.closed.is_none() {
            self.link.reliable.abandon();
            self.outcome = Some(outcome);
            self.closed = Some(linger);
        }
    }

    pub(crate) fn on_full(&mut self, cx: &mut Cx<'_>, full: &Full<'_>, size: usize) {
        let header = full.header;
        let Ok(elements) = full.elements() else { return };
        if header.kind == Kind::Iax(Command::CallToken) {
            let token = elements.data(id::CALL_TOKEN).filter(|token| !token.is_empty());
            if let Some(token) = token.filter(|_| self.token.is_empty() && self.link.remote == 0) {
                self.token = Bytes::copy_from_slice(token);
                self.link.restart();
                self.request(cx, None);
            }
            return;
        }
        if self.link.remote == 0 {
            self.link.remote = header.source_call;
        }
        if self.link.receive(cx, &header, size) == Arrival::Next {
            match header.kind {
                Kind::Iax(Command::RegAuth) if self.answered < 3 => {
                    self.answered += 1;
                    let methods = match elements.get(id::AUTH_METHODS) {
                        Some(Element::AuthMethods(methods)) => methods,
                        _ => AuthMethods::empty(),
                    };
                    let challenge = elements.data(id::CHALLENGE).unwrap_or_default();
                    let mut answer = ElementsBuf::new();
                    let profile = self.profile.clone();
                    let answered = profile.config.credentials.answer(methods, challenge, cx.rng, |element| {
                        answer.push(&element);
                    });
                    match answered {
                        Some(()) => self.request(cx, Some(&answer)),
                        None => self.end(Outcome::Unauthorized, true),
                    }
                }
                Kind::Iax(Command::RegAck) => {
                    let refresh = match elements.get(id::REFRESH) {
                        Some(Element::Refresh(seconds)) if seconds > 0 => seconds,
                        // RFC 5456 §8.6.18.
                        _ => 60,
                    };
                    let apparent = match elements.get(id::APPARENT_ADDRESS) {
                        Some(Element::ApparentAddress(address)) => Some(address),
                        _ => None,
                    };
                    let messages = match elements.get(id::MESSAGE_COUNT) {
                        Some(Element::MessageCount(count)) => Some(count),
                        _ => None,
                    };
                    let refresh = Duration::from_secs(u64::from(refresh));
                    self.end(Outcome::Acknowledged { refresh, apparent, messages }, true);
                }
                Kind::Iax(Command::RegRej | Command::Reject | Command::Hangup) => {
                    let cause = match elements.get(id::CAUSE_CODE) {
                        Some(Element::CauseCode(cause)) => Some(cause),
                        _ => None,
                    };
                    let text = elements.data(id::CAUSE).map(Bytes::copy_from_slice);
                    self.end(Outcome::Refused { cause, text }, true);
                }
                // A release may be acknowledged without a word (figure 1), and nothing else is said here.
                _ => {}
            }
        } else if header.kind == Kind::Iax(Command::Inval) {
            self.end(Outcome::Lost, false);
        }
        self.link.flush(cx);
    }

    pub(crate) fn on_timeout(&mut self, cx: &mut Cx<'_>) {
        if self.link.on_timeout(cx).is_err() || self.deadline <= cx.now {
            self.end(Outcome::Lost, false);
        }
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        Some(self.link.poll_timeout().map_or(self.deadline, |due| due.min(self.deadline)))
    }
}

/// The numbers of a frame that a finished exchange still acknowledges.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tomb {
    pub(crate) address: SocketAddr,
    pub(crate) remote: u16,
    pub(crate) oseq: u8,
    pub(crate) iseq: u8,
    pub(crate) first: u32,
}

impl Tomb {
    /// What a full frame to a finished exchange gets: an acknowledgement when it came before, else INVAL.
    pub(crate) fn answer(&self, local: u16, header: &FullHeader) -> Option<FullHeader> {
        let reply = |command, iseq| FullHeader {
            source_call: local,
            retransmission: false,
            destination_call: self.remote,
            timestamp: header.timestamp,
            oseq: self.oseq,
            iseq,
            kind: Kind::Iax(command),
        };
        if !header.kind.is_sequenced() {
            None
        } else if header.oseq.wrapping_sub(self.iseq) >= 128 {
            Some(reply(Command::Ack, self.iseq))
        } else {
            Some(reply(Command::Inval, self.iseq))
        }
    }
}
