//! A registration that comes to us: RFC 5456 §6.1, the registrar's side.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::auth::{Demand, Verdict};
use crate::call::Profile;
use crate::element::{AuthMethods, Cause, Element, Elements, ElementsBuf, MessageCount, id};
use crate::frame::{Command, Full, FullHeader, Kind};
use crate::link::{Cx, Link};
use crate::reliable::Arrival;

/// What a proven registration does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdicts {
    Bind(Duration),
    Unbind,
}

/// One exchange with a registrant.
#[derive(Debug)]
pub(crate) struct Registrar {
    pub(crate) link: Link,
    pub(crate) profile: Option<Arc<Profile>>,
    name: Vec<u8>,
    challenge: Vec<u8>,
    decoy: bool,
    work: usize,
    messages: Option<MessageCount>,
    answered: bool,
    pub(crate) deadline: Option<Instant>,
    pub(crate) verdict: Option<Verdicts>,
    pub(crate) closed: Option<bool>,
}

/// How a REGREQ is met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Greeting {
    /// A challenge.
    Challenge,
    /// The peer may not come from there: refused without one.
    Refuse,
}

impl Registrar {
    #[expect(clippy::too_many_arguments, reason = "all of it is known only to the endpoint")]
    pub(crate) fn incoming(
        cx: &mut Cx<'_>,
        local: u16,
        profile: Option<Arc<Profile>>,
        greeting: Greeting,
        work: usize,
        messages: Option<MessageCount>,
        link: Link,
        header: &FullHeader,
        elements: &Elements<'_>,
    ) -> Self {
        debug_assert_eq!(link.local, local);
        let decoy = profile.is_none();
        let name = elements.data(id::USERNAME).unwrap_or_default().to_vec();
        let deadline = Some(cx.now + cx.config.setup_timeout);
        let mut leg = Self {
            link,
            profile,
            name,
            challenge: Vec::new(),
            decoy,
            work,
            messages,
            answered: false,
            deadline,
            verdict: None,
            closed: None,
        };
        let free = leg.profile.as_ref().is_some_and(|profile| profile.demand.is_free());
        match (greeting, header.kind) {
            (Greeting::Refuse, _) => leg.refuse(cx),
            (Greeting::Challenge, Kind::Iax(command)) if free => leg.grant(cx, command, elements),
            (Greeting::Challenge, _) => leg.challenge(cx),
        }
        leg.link.flush(cx);
        leg
    }

    fn challenge(&mut self, cx: &mut Cx<'_>) {
        let methods = match &self.profile {
            Some(profile) => profile.demand.methods(),
            None => cx.config.decoy_methods,
        };
        self.challenge = crate::auth::challenge(cx.rng).into_bytes();
        let mut list = ElementsBuf::new();
        list.push(&Element::AuthMethods(methods));
        if methods.intersects(AuthMethods::MD5 | AuthMethods::RSA) {
            list.push(&Element::Challenge(&self.challenge));
        }
        list.push(&Element::Username(&self.name));
        self.link.command(cx, Command::RegAuth, &list);
    }

    fn refuse(&mut self, cx: &mut Cx<'_>) {
        self.answered = true;
        self.link.flush(cx);
        let list: ElementsBuf = [Element::Cause(b"Registration Refused"), Element::CauseCode(Cause::FACILITY_REJECTED)]
            .into_iter()
            .collect();
        self.link.command(cx, Command::RegRej, &list);
    }

    fn grant(&mut self, cx: &mut Cx<'_>, command: Command, elements: &Elements<'_>) {
        self.answered = true;
        let Some(profile) = &self.profile else { return };
        let mut list = ElementsBuf::new();
        list.push(&Element::Username(&self.name));
        if let Some(date) = cx.wall {
            list.push(&Element::DateTime(date));
        }
        if command == Command::RegRel {
            self.verdict = Some(Verdicts::Unbind);
        } else {
            let wanted = match elements.get(id::REFRESH) {
                Some(Element::Refresh(seconds)) => Duration::from_secs(u64::from(seconds)),
                _ => Duration::from_secs(60),
            };
            let config = &profile.config;
            let refresh = wanted.max(config.min_refresh).min(config.max_refresh).max(Duration::from_secs(1));
            let seconds = u16::try_from(refresh.as_secs()).unwrap_or(u16::MAX);
            list.push(&Element::Refresh(seconds));
            list.push(&Element::ApparentAddress(self.link.address));
            if let Some(count) = self.messages {
                list.push(&Element::MessageCount(count));
            }
            self.verdict = Some(Verdicts::Bind(Duration::from_secs(u64::from(seconds))));
        }
        self.link.command(cx, Command::RegAck, &list);
    }

    pub(crate) fn on_full(&mut self, cx: &mut Cx<'_>, full: &Full<'_>, size: usize) {
        let header = full.header;
        let arrival = self.link.receive(cx, &header, size);
        if arrival == Arrival::Next
            && let Kind::Iax(command) = header.kind
        {
            match (command, full.elements()) {
                (Command::RegReq | Command::RegRel, Ok(elements)) if !self.answered => {
                    let nobody = Demand::default();
                    let demand = self.profile.as_ref().map_or(&nobody, |profile| &profile.demand);
                    let verdict = demand.verify(&self.challenge, &elements, self.work);
                    // The answer must be for the name that was challenged.
                    let same = elements.data(id::USERNAME) == Some(&self.name);
                    if self.decoy || verdict == Verdict::Wrong || !same {
                        self.refuse(cx);
                    } else {
                        self.grant(cx, command, &elements);
                    }
                }
                (Command::Hangup | Command::Reject, _) => {
                    self.link.reliable.abandon();
                    self.closed = Some(true);
                }
                _ => {}
            }
        } else if header.kind == Kind::Iax(Command::Inval) {
            self.link.reliable.abandon();
            self.closed = Some(false);
        }
        self.link.flush(cx);
        if self.answered && self.link.reliable.outstanding() == 0 {
            self.closed.get_or_insert(false);
        }
    }

    pub(crate) fn on_timeout(&mut self, cx: &mut Cx<'_>) {
        let late = !self.answered && self.deadline.is_some_and(|at| at <= cx.now);
        if self.link.on_timeout(cx).is_err() || late {
            self.link.reliable.abandon();
            self.closed = Some(false);
        }
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        let deadline = self.deadline.filter(|_| !self.answered);
        [deadline, self.link.poll_timeout()].into_iter().flatten().min()
    }
}
