//! A back-to-back user agent: two sessions, one call (RFC 7092).
//!
//! [`B2bua`] answers a caller's session (leg A) by calling others (legs B, the branches): several at once, the first that
//! answers wins, the others are cancelled. It couples the two sides until both have ended: provisional responses and early
//! media, the answer, re-INVITE and UPDATE both ways (hold and resume), INFO, and whatever ends a call. Nothing of one
//! side's Call-ID, tags, Via, Route, Contact or credentials crosses; what does is listed in [`Policy`].
//!
//! Session descriptions stop on their way: [`Event::Description`] hands one to the application, which rewrites it for its
//! relay (or does not) and lets it go on with [`forward`](B2bua::forward). The caller's first offer is in the [`Plan`].
//!
//! # How it is driven
//!
//! The commands take the [`Agent`] whose sessions they act on, in place of outputs that the caller would have to apply to
//! it: an agent's commands may fail, and the B2BUA needs to know at once when one does. One caller owns both:
//!
//! ```text
//! while let Some(output) = agent.poll_output() {
//!     match output {
//!         Output::Event(event) => {
//!             if let Some(event) = b2bua.handle_event(now, &mut agent, event) {
//!                 // not a call of the B2BUA's: the application's own
//!             }
//!             while let Some(event) = b2bua.poll_event() { … }
//!         }
//!         duty => driver.perform(duty),
//!     }
//! }
//! ```

mod call;
mod config;
mod event;
mod inside;
mod policy;
mod progress;
mod renegotiation;
mod snapshot;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::{Duration, Instant};

use bytes::Bytes;
use sip_core::{Request, Response, StatusCode};
use sip_transaction::ClientId;
use sip_transaction::agent::{Agent, Cause, Event as AgentEvent, ExtraHeaders, Invite, InviteError, SessionId};

use call::{Branch, Call, Description, Phase, Step};
use policy::passed_reason;

pub use self::call::Plan;
pub use self::config::Config;
pub use self::event::{Event, Leg, Role};
pub use self::policy::{Policy, best, told};
pub use self::snapshot::{Counters, Snapshot};

/// A call of a [`B2bua`]. Numbers are not used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CallId(u64);

impl CallId {
    /// The id as a number, for logs and tables.
    #[must_use]
    pub const fn as_u64(self) -> u64 {
        self.0
    }
}

/// A session description on its way across. Numbers are not used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DescriptionId(u64);

/// Why a command of a [`B2bua`] was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// There is no such call or description: the call ended, or it was forwarded already.
    #[error("no such call or description")]
    Unknown,
    /// There are as many calls or branches as the configuration allows.
    #[error("too many calls or branches")]
    Limit,
    /// The caller's request may take no further hop (RFC 7332).
    #[error("too many hops")]
    Hops,
    /// The call is not in the state for it.
    #[error("not in this state")]
    State,
    /// The branch cannot be called.
    #[error(transparent)]
    Invite(#[from] InviteError),
}

impl CallError {
    /// What to answer to the caller.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        match self {
            Self::Unknown | Self::State => StatusCode::SERVER_INTERNAL_ERROR,
            Self::Limit => StatusCode::SERVICE_UNAVAILABLE,
            Self::Hops => StatusCode::TOO_MANY_HOPS,
            Self::Invite(error) => error.status(),
        }
    }
}

/// Calls of two sides each, over the sessions of an [`Agent`].
#[derive(Debug)]
pub struct B2bua {
    config: Config,
    calls: HashMap<CallId, Call>,
    /// Calls that are over but for their sessions.
    ending: usize,
    sessions: HashMap<SessionId, (CallId, Leg)>,
    passed: HashMap<ClientId, CallId>,
    /// Ring times: when, and of which call.
    timers: BTreeMap<(Instant, u64), CallId>,
    events: VecDeque<Event>,
    next: u64,
    counters: Counters,
}

impl B2bua {
    /// A B2BUA without calls.
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self {
            config,
            calls: HashMap::new(),
            ending: 0,
            sessions: HashMap::new(),
            passed: HashMap::new(),
            timers: BTreeMap::new(),
            events: VecDeque::new(),
            next: 0,
            counters: Counters::default(),
        }
    }

    /// Takes over a session that came in and rings the branches of a plan. `request` is the session's INVITE.
    ///
    /// When no branch can be called, the caller is told, and [`Event::Ended`] follows.
    ///
    /// # Errors
    /// The session stays the application's, to be refused with [`CallError::status`].
    pub fn connect(
        &mut self,
        now: Instant,
        agent: &mut Agent,
        caller: SessionId,
        request: &Request,
        plan: Plan,
    ) -> Result<CallId, CallError> {
        if self.calls.len().saturating_sub(self.ending) >= self.config.calls
            || plan.branches.len() > self.config.branches
        {
            return Err(CallError::Limit);
        }
        if self.sessions.contains_key(&caller) || !agent.is_alive(caller) {
            return Err(CallError::State);
        }
        let hops = match request.headers().typed::<sip_core::header::MaxForwards>() {
            Ok(Some(hops)) => hops.0.checked_sub(1).ok_or(CallError::Hops)?,
            _ => 69,
        };
        let id = CallId(self.number());
        let call = Call {
            phase: Phase::Ringing,
            caller,
            caller_ended: false,
            offered: plan.offer.is_some(),
            trusted: plan.trusted,
            hops,
            headers: self.config.policy.crossing(request.headers(), plan.trusted),
            offer: plan.offer,
            branches: Vec::new(),
            chosen: None,
            early: None,
            ring: None,
            descriptions: Vec::new(),
            renegotiation: None,
            owing: false,
            acknowledged: false,
            passed: Vec::new(),
        };
        self.calls.insert(id, call);
        self.sessions.insert(caller, (id, Leg::A));
        self.counters.calls += 1;
        self.set_ring(now, id, plan.ring.unwrap_or(self.config.ring));
        for invite in plan.branches {
            // A branch that cannot be called counts as one that was not reached.
            let _ = self.ring(now, agent, id, invite);
        }
        self.conclude_if_exhausted(now, agent, id);
        Ok(id)
    }

    /// Rings one more target of a call that nobody has answered yet, while another branch rings.
    ///
    /// # Errors
    /// The call is answered or over, or the target cannot be called.
    pub fn fork(&mut self, now: Instant, agent: &mut Agent, call: CallId, invite: Invite) -> Result<u16, CallError> {
        let entry = self.calls.get(&call).ok_or(CallError::Unknown)?;
        if entry.phase != Phase::Ringing {
            return Err(CallError::State);
        }
        if entry.branches.len() >= self.config.branches {
            return Err(CallError::Limit);
        }
        self.ring(now, agent, call, invite)
    }

    /// Lets a description go on its way, rewritten or as it came.
    ///
    /// # Errors
    /// When the call or its exchange ended meanwhile.
    pub fn forward(
        &mut self,
        now: Instant,
        agent: &mut Agent,
        call: CallId,
        id: DescriptionId,
        sdp: Bytes,
    ) -> Result<(), CallError> {
        let entry = self.calls.get_mut(&call).ok_or(CallError::Unknown)?;
        let description = entry.take(id).ok_or(CallError::Unknown)?;
        self.carry(now, agent, call, description, Some(sdp));
        Ok(())
    }

    /// Stops a description that cannot be used, such as one without a codec in common. An offer inside the call is
    /// refused with the status and the call goes on; early media is left out; anything else ends the call.
    ///
    /// # Errors
    /// When the call or its exchange ended meanwhile.
    pub fn refuse(
        &mut self,
        now: Instant,
        agent: &mut Agent,
        call: CallId,
        id: DescriptionId,
        status: StatusCode,
    ) -> Result<(), CallError> {
        let entry = self.calls.get_mut(&call).ok_or(CallError::Unknown)?;
        let description = entry.take(id).ok_or(CallError::Unknown)?;
        match description.step {
            Step::Provisional(_) => self.carry(now, agent, call, description, None),
            Step::Reinvite => {
                entry.renegotiation = None;
                if let Some(session) = entry.session(description.from) {
                    // When it has ended meanwhile, its end is on the way.
                    let _ = agent.reject_offer(now, session, status, &[]);
                }
            }
            Step::Answer | Step::Acknowledge | Step::AnswerOffer | Step::AcknowledgeOffer => {
                self.finish(now, agent, call, None, Cause::Protocol, Some(status), None);
            }
        }
        Ok(())
    }

    /// Ends a call: whatever rings is cancelled, whatever is up gets BYE, a caller who waits is told 480.
    ///
    /// # Errors
    /// When there is no such call. To hang up twice is harmless.
    pub fn hangup(&mut self, now: Instant, agent: &mut Agent, call: CallId) -> Result<(), CallError> {
        if !self.calls.contains_key(&call) {
            return Err(CallError::Unknown);
        }
        let status = StatusCode::TEMPORARILY_UNAVAILABLE;
        self.finish(now, agent, call, None, Cause::Hangup, Some(status), None);
        Ok(())
    }

    /// What an agent told. What is about no call of ours is given back: it is the application's.
    pub fn handle_event(&mut self, now: Instant, agent: &mut Agent, event: AgentEvent) -> Option<AgentEvent> {
        let Some(&(call, leg)) = event.session().and_then(|session| self.sessions.get(&session)) else {
            return Some(event);
        };
        match event {
            AgentEvent::Progress { response, sdp, .. } => self.on_progress(now, agent, call, leg, &response, sdp),
            AgentEvent::Answered { response, sdp, owing, .. } => {
                self.on_answered(now, agent, call, leg, &response, sdp, owing);
            }
            AgentEvent::Rejected { response, .. } => self.on_rejected(call, leg, response),
            AgentEvent::Acknowledged { sdp, .. } => self.on_acknowledged(now, agent, call, leg, sdp),
            AgentEvent::Offer { request, sdp, .. } => self.on_offer(now, agent, call, leg, &request, sdp),
            AgentEvent::OfferWithdrawn { .. } => self.on_offer_withdrawn(now, agent, call, leg),
            AgentEvent::OfferAnswered { sdp, owing, .. } => {
                self.on_offer_answered(now, agent, call, leg, sdp, owing);
            }
            AgentEvent::OfferRejected { status, .. } => self.on_offer_rejected(now, agent, call, leg, status),
            AgentEvent::InDialog { session, id, request } => {
                return self.on_inside(now, agent, call, leg, session, id, request);
            }
            AgentEvent::InDialogAnswered { session, id, result } => {
                return self.on_inside_answered(now, agent, session, id, result);
            }
            AgentEvent::Ended { session, cause, reason } => {
                self.on_ended(now, agent, call, leg, session, cause, reason);
            }
            // A call is ours only after its Incoming; the rest is about no session.
            other => return Some(other),
        }
        None
    }

    /// Time passed. Early or twice is harmless.
    pub fn handle_timeout(&mut self, now: Instant, agent: &mut Agent) {
        while let Some(entry) = self.timers.first_entry() {
            if entry.key().0 > now {
                return;
            }
            let id = entry.remove();
            let Some(call) = self.calls.get_mut(&id) else { continue };
            call.ring = None;
            if call.phase == Phase::Ringing {
                self.counters.no_answer += 1;
                let status = self.config.no_answer;
                self.finish(now, agent, id, None, Cause::Timeout, Some(status), None);
            }
        }
    }

    /// What to tell the application; call until `None` after every other call.
    #[must_use]
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// When to call [`handle_timeout`](Self::handle_timeout).
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.timers.first_key_value().map(|(key, _)| key.0)
    }

    /// The call and the side that a session belongs to.
    #[must_use]
    pub fn call_of(&self, session: SessionId) -> Option<(CallId, Leg)> {
        self.sessions.get(&session).copied()
    }

    /// The session of a side of a call, while it lives.
    #[must_use]
    pub fn session_of(&self, call: CallId, leg: Leg) -> Option<SessionId> {
        self.calls.get(&call)?.session(leg)
    }

    /// The branch that answered a call.
    #[must_use]
    pub fn chosen(&self, call: CallId) -> Option<u16> {
        self.calls.get(&call)?.chosen
    }

    /// Table sizes and counters.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        Snapshot {
            calls: self.calls.len().saturating_sub(self.ending),
            ending: self.ending,
            sessions: self.sessions.len(),
            passed: self.passed.len(),
            timers: self.timers.len(),
            events: self.events.len(),
            counters: self.counters,
        }
    }

    fn number(&mut self) -> u64 {
        self.next = self.next.wrapping_add(1);
        self.next
    }

    fn tell(&mut self, event: Event) {
        self.events.push_back(event);
    }

    fn set_ring(&mut self, now: Instant, id: CallId, after: Duration) {
        // A time beyond the clock's end never comes; the agent's own limit does.
        let Some(at) = now.checked_add(after) else { return };
        let key = (at, self.number());
        if let Some(call) = self.calls.get_mut(&id) {
            call.ring = Some(key);
            self.timers.insert(key, id);
        }
    }

    fn stop_ring(&mut self, id: CallId) {
        if let Some(key) = self.calls.get_mut(&id).and_then(|call| call.ring.take()) {
            self.timers.remove(&key);
        }
    }

    /// Calls a branch.
    fn ring(&mut self, now: Instant, agent: &mut Agent, id: CallId, mut invite: Invite) -> Result<u16, CallError> {
        let call = self.calls.get_mut(&id).ok_or(CallError::Unknown)?;
        let number = u16::try_from(call.branches.len()).map_err(|_| CallError::Limit)?;
        invite.offer.clone_from(&call.offer);
        invite.max_forwards = Some(invite.max_forwards.map_or(call.hops, |hops| hops.min(call.hops)));
        let mut headers: ExtraHeaders = call.headers.clone();
        headers.append(&mut invite.headers);
        invite.headers = headers;
        match agent.invite(now, invite) {
            Ok(session) => {
                call.branches.push(Branch { session: Some(session), failed: None });
                self.sessions.insert(session, (id, Leg::B(number)));
                Ok(number)
            }
            Err(error) => {
                let status = StatusCode::SERVICE_UNAVAILABLE;
                call.branches.push(Branch { session: None, failed: Some(status) });
                self.tell(Event::BranchFailed { call: id, branch: number, status, response: None });
                Err(error.into())
            }
        }
    }

    /// Holds a description up for the application.
    fn hold_up(&mut self, id: CallId, from: Leg, role: Role, step: Step, headers: ExtraHeaders, sdp: Bytes) -> bool {
        let number = DescriptionId(self.number());
        let room = self.config.descriptions;
        let Some(call) = self.calls.get_mut(&id) else { return false };
        if call.descriptions.len() >= room {
            return false;
        }
        let branch = match from {
            Leg::B(branch) => branch,
            Leg::A => call.chosen.unwrap_or_default(),
        };
        call.descriptions.push(Description { id: number, from, step, headers });
        self.tell(Event::Description { call: id, id: number, from, branch, role, sdp });
        true
    }

    /// Ends a call, from whichever side or from here.
    #[expect(clippy::too_many_arguments, reason = "the parts of one event")]
    fn finish(
        &mut self,
        now: Instant,
        agent: &mut Agent,
        id: CallId,
        by: Option<Leg>,
        cause: Cause,
        status: Option<StatusCode>,
        reason: Option<Bytes>,
    ) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        if call.phase == Phase::Ending {
            return;
        }
        let answered = call.phase == Phase::Up;
        call.phase = Phase::Ending;
        call.descriptions.clear();
        call.renegotiation = None;
        self.ending += 1;
        self.counters.ended += 1;
        let headers = passed_reason(reason.as_ref());
        let status = status.filter(|_| !answered);
        if let Some(session) = call.session(Leg::A) {
            let refused = match status {
                Some(status) => agent.reject(now, session, status, &headers).is_ok(),
                None => false,
            };
            if !refused {
                // It may have ended by itself: its end is then on the way.
                let _ = agent.hangup(now, session, &headers);
            }
        }
        for session in call.living() {
            let _ = agent.hangup(now, session, &headers);
        }
        self.stop_ring(id);
        self.tell(Event::Ended { call: id, by, cause, status, reason });
        self.reap(id);
    }

    /// Forgets a call whose sessions have all ended.
    fn reap(&mut self, id: CallId) {
        if self.calls.get(&id).is_some_and(|call| call.phase == Phase::Ending && call.is_empty())
            && let Some(call) = self.calls.remove(&id)
        {
            for passed in call.passed {
                self.passed.remove(&passed.sent);
            }
            self.ending = self.ending.saturating_sub(1);
        }
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of one event")]
    fn on_ended(
        &mut self,
        now: Instant,
        agent: &mut Agent,
        id: CallId,
        leg: Leg,
        session: SessionId,
        cause: Cause,
        reason: Option<Bytes>,
    ) {
        self.sessions.remove(&session);
        let Some(call) = self.calls.get_mut(&id) else { return };
        match leg {
            Leg::A => {
                call.caller_ended = true;
                let cancelled = call.phase != Phase::Up && cause == Cause::Cancelled;
                let status = cancelled.then_some(StatusCode::REQUEST_TERMINATED);
                self.finish(now, agent, id, Some(leg), cause, status, reason);
            }
            Leg::B(number) => {
                let chosen = call.chosen == Some(number);
                let phase = call.phase;
                let Some(branch) = call.branches.get_mut(usize::from(number)) else { return };
                branch.session = None;
                if chosen {
                    // Whoever hung up before the caller was answered is not available to him.
                    let status = (phase == Phase::Answering).then_some(StatusCode::TEMPORARILY_UNAVAILABLE);
                    self.finish(now, agent, id, Some(leg), cause, status, reason);
                } else if branch.failed.is_none() {
                    let status = match cause {
                        Cause::Rejected(status) => status,
                        Cause::Timeout => StatusCode::REQUEST_TIMEOUT,
                        Cause::Transport => StatusCode::SERVICE_UNAVAILABLE,
                        _ => StatusCode::TEMPORARILY_UNAVAILABLE,
                    };
                    branch.failed = Some(status);
                    if phase == Phase::Ringing {
                        self.tell(Event::BranchFailed { call: id, branch: number, status, response: None });
                    }
                }
                self.conclude(now, agent, id);
            }
        }
        self.reap(id);
    }

    fn on_rejected(&mut self, id: CallId, leg: Leg, response: Response) {
        let Leg::B(number) = leg else { return };
        let Some(call) = self.calls.get_mut(&id) else { return };
        let Some(branch) = call.branches.get_mut(usize::from(number)) else { return };
        let status = response.status();
        branch.failed = Some(status);
        if call.phase == Phase::Ringing {
            self.tell(Event::BranchFailed { call: id, branch: number, status, response: Some(response) });
        }
        // The branch's end follows at once, and with it what the call makes of it.
    }

    /// Tells the caller when a branch declined for all, or none is left.
    fn conclude(&mut self, now: Instant, agent: &mut Agent, id: CallId) {
        let Some(call) = self.calls.get(&id) else { return };
        if call.phase != Phase::Ringing {
            return;
        }
        let declined = call.branches.iter().any(|branch| branch.failed.is_some_and(|status| status.class() == 6));
        if declined {
            self.conclude_now(now, agent, id);
        } else {
            self.conclude_if_exhausted(now, agent, id);
        }
    }

    fn conclude_if_exhausted(&mut self, now: Instant, agent: &mut Agent, id: CallId) {
        if self.calls.get(&id).is_some_and(|call| call.phase == Phase::Ringing && call.is_exhausted()) {
            self.conclude_now(now, agent, id);
        }
    }

    fn conclude_now(&mut self, now: Instant, agent: &mut Agent, id: CallId) {
        let Some(call) = self.calls.get(&id) else { return };
        let status = best(call.branches.iter().filter_map(|branch| branch.failed));
        let status = told(status.unwrap_or(StatusCode::TEMPORARILY_UNAVAILABLE));
        self.counters.refused += 1;
        self.finish(now, agent, id, None, Cause::Rejected(status), Some(status), None);
    }
}
