//! Dial: several are called at once, the first that answers is joined with who called (as Asterisk's `app_dial`).

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use rtp::relay::Side;

use super::{
    Switch,
    alarms::Alarm,
    cause::{Cause, Gone, Refusal},
    ends::Want,
    leg::{Leg, LegKey, Stage},
    runner::{Role, Wait},
};
use crate::{
    dialplan::{Action, Dial, DialStatus, Dialled, Outcome, Target},
    media::Source,
};

/// Somebody who is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Branch {
    Leg(u32),
    /// A Local channel: the runner of its thread.
    Local(u32),
}

/// A Dial that runs.
#[derive(Debug)]
pub(super) struct Dialling {
    pub(super) spec: Dial,
    began: Instant,
    branches: Vec<Branch>,
    /// Not all targets have been tried yet.
    launching: bool,
    busy: usize,
    congestion: usize,
    unavailable: usize,
    /// Whether anybody could be called at all.
    called: bool,
    /// The most telling of the failures.
    failure: Option<Gone>,
    /// The channel that was tried last, or that answered, and what was dialled of it.
    pub(super) peer: (String, String),
    /// The leg that answered.
    pub(super) winner: Option<u32>,
    pub(super) joined: Option<Instant>,
}

impl Dialling {
    fn new(now: Instant, spec: Dial) -> Self {
        Self {
            spec,
            began: now,
            branches: Vec::new(),
            launching: true,
            busy: 0,
            congestion: 0,
            unavailable: 0,
            called: false,
            failure: None,
            peer: Default::default(),
            winner: None,
            joined: None,
        }
    }

    pub(super) fn add(&mut self, branch: Branch) {
        self.called = true;
        self.branches.push(branch);
    }

    /// Counts a branch that came to nothing.
    pub(super) fn fail(&mut self, gone: Gone) {
        match gone.refusal {
            Refusal::Busy => self.busy += 1,
            Refusal::Congestion => self.congestion += 1,
            Refusal::Unavailable => self.unavailable += 1,
            Refusal::Quiet => {}
        }
        if self.failure.is_none_or(|before| gone.refusal >= before.refusal) {
            self.failure = Some(gone);
        }
    }

    fn remove(&mut self, branch: Branch) -> bool {
        let before = self.branches.len();
        self.branches.retain(|other| *other != branch);
        self.branches.len() < before
    }

    fn is_exhausted(&self) -> bool {
        !self.launching && self.winner.is_none() && self.branches.is_empty()
    }

    /// What a Dial came to in which nobody is left to be called.
    fn exhausted(&self) -> DialStatus {
        match self {
            Self { busy: 1.., .. } => DialStatus::Busy,
            Self { congestion: 1.., .. } => DialStatus::Congestion,
            Self { unavailable: 1.., .. } => DialStatus::ChanUnavail,
            Self { called: false, .. } => DialStatus::ChanUnavail,
            _ => DialStatus::NoAnswer,
        }
    }

    fn told(&self, now: Instant, status: DialStatus, cause: Cause) -> Dialled {
        let (peer, number) = self.peer.clone();
        Dialled {
            status,
            cause: cause.0,
            peer,
            number,
            talked: self.joined.map_or(Duration::ZERO, |at| now.saturating_duration_since(at)),
            total: now.saturating_duration_since(self.began),
        }
    }

    /// What a Dial came to whose channel went away.
    pub(super) fn given_up(&self, now: Instant, cause: Cause, answered: bool) -> Dialled {
        let talked = answered && self.joined.is_some();
        self.told(now, if talked { DialStatus::Answer } else { DialStatus::Cancel }, cause)
    }
}

/// How many calls ring at each account or peer: one that never answers must not take up all that there may be.
#[derive(Debug, Default)]
pub(super) struct Ringing(HashMap<String, usize>);

impl Ringing {
    pub(super) fn enter(&mut self, peer: &str, limit: usize) -> bool {
        let count = self.0.entry(peer.to_owned()).or_default();
        let free = *count < limit;
        *count += usize::from(free);
        free
    }

    /// A leg is answered, or over: `stage` is what it was until now.
    pub(super) fn leave(&mut self, peer: &str, stage: Stage) {
        if stage == Stage::Up {
            return;
        }
        if let Some(count) = self.0.get_mut(peer) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.0.remove(peer);
            }
        }
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

impl Switch {
    /// Calls all targets of a Dial.
    pub(super) fn dial(&mut self, now: Instant, id: u64, number: u32, spec: Box<Dial>) -> Option<Outcome> {
        if spec.targets.is_empty() {
            let dialled = Dialled { status: DialStatus::InvalidArgs, ..Dialled::default() };
            return self.over(id, number, dialled, None);
        }
        // Sockets only when there is somebody to talk to.
        let needs = self.needs_of(now, id, &spec);
        if !needs.is_empty() && !self.have_media(now, id, number, &needs, &Action::Dial(spec.clone())) {
            return None;
        }
        let runner = self.calls.get_mut(&id)?.runners.get_mut(&number)?;
        runner.failure = None;
        runner.wait = Wait::Dial;
        runner.dial = Some(Dialling::new(now, *spec.clone()));
        for target in &spec.targets {
            self.try_target(now, id, number, target);
            // A Local branch may have taken the caller over, or the call may be gone.
            if self.dialling(id, number).is_none_or(|dial| dial.winner.is_some()) || !self.waits_for_dial(id, number) {
                return None;
            }
        }
        let dialling = self.dialling(id, number)?;
        dialling.launching = false;
        if dialling.is_exhausted() {
            return self.conclude(now, id, number, None);
        }
        // Somebody is called now: how a Dial before this one ended no longer counts.
        self.calls.get_mut(&id)?.otherwise = crate::cdr::Disposition::NoAnswer;
        if let Some(at) = spec.timeout.and_then(|timeout| now.checked_add(timeout)) {
            self.alarms.set(id, Alarm::Ring(number), at);
        }
        self.indicate_dialling(now, id, number);
        None
    }

    fn waits_for_dial(&self, id: u64, number: u32) -> bool {
        self.calls.get(&id).and_then(|call| call.runners.get(&number)).is_some_and(|runner| runner.wait == Wait::Dial)
    }

    pub(super) fn dialling(&mut self, id: u64, number: u32) -> Option<&mut Dialling> {
        self.calls.get_mut(&id)?.runners.get_mut(&number)?.dial.as_mut()
    }

    /// The sides of the media that a Dial needs: ports for the callees on SIP, and the owner's own, whom they talk to.
    fn needs_of(&self, now: Instant, id: u64, spec: &Dial) -> Vec<(Side, Want)> {
        let Some(call) = self.calls.get(&id) else { return Vec::new() };
        let (mut sip, mut any) = (false, spec.music.is_some());
        for target in &spec.targets {
            match target {
                Target::Sip { peer, .. } => sip |= self.sip_reaches(now, peer, &spec.hosts),
                Target::Iax { .. } => any = true,
                Target::Local { .. } | Target::Unknown { .. } => {}
            }
        }
        let mut needs = Vec::new();
        if sip || any {
            needs.extend(self.need(call.key(call.owner)));
        }
        if sip {
            needs.push((call.other_side(), Want::Ports));
        }
        needs
    }

    fn try_target(&mut self, now: Instant, id: u64, number: u32, target: &Target) {
        let tried = match target {
            Target::Sip { technology, peer, extension } => {
                self.sip_dial(now, id, number, technology, peer, extension.as_deref())
            }
            Target::Iax { peer, extension, context } => {
                vec![self.try_trunk(now, id, number, peer, extension.as_deref(), context.as_deref())]
            }
            Target::Local { extension, context } => {
                self.local_dial(now, id, number, extension, context);
                return;
            }
            Target::Unknown { technology, resource } => {
                tracing::warn!(call = id, "no such technology: {technology}/{resource}");
                vec![Err(Cause(66).into())]
            }
        };
        for result in tried {
            match result {
                Ok(leg) => {
                    let leg = self.leg(LegKey { call: id, leg });
                    let Some(channel) = leg.map(|leg| leg.channel.clone()) else { continue };
                    let (of, branch) = (dialled_part(target), leg.map(|leg| Branch::Leg(leg.number)));
                    if let Some(dial) = self.dialling(id, number) {
                        dial.called = true;
                        dial.branches.extend(branch);
                        dial.peer = (channel.clone(), of);
                    }
                    if let Some(call) = self.calls.get_mut(&id) {
                        call.dstchannel = channel;
                    }
                }
                Err(gone) => {
                    if let Some(dial) = self.dialling(id, number) {
                        dial.fail(gone);
                    }
                }
            }
        }
    }

    fn try_trunk(
        &mut self,
        now: Instant,
        id: u64,
        number: u32,
        peer: &crate::dialplan::IaxPeerRef,
        extension: Option<&str>,
        context: Option<&str>,
    ) -> Result<u32, Gone> {
        let call = self.calls.get_mut(&id).ok_or(Cause::NORMAL)?;
        if !call.has_room_for_leg() {
            return Err(Cause::CONGESTION.into());
        }
        let leg = call.number();
        let caller = call.identity.person.number.clone();
        let call = self.calls.get(&id).ok_or(Cause::NORMAL)?;
        if !self.horizon.may_dial(call, &caller, &peer.name, self.place_of(peer)) {
            tracing::debug!(call = id, peer = %peer.name, "not dialled: the call came from there");
            return Err(Cause::EXCHANGE_ROUTING.into());
        }
        self.iax_dial(now, LegKey { call: id, leg }, number, peer, extension, context)?;
        self.horizon.note(id, &caller, extension.unwrap_or("s"));
        Ok(leg)
    }

    /// What the caller hears while others are called.
    fn indicate_dialling(&mut self, now: Instant, id: u64, number: u32) {
        let Some((owner, number)) = self
            .calls
            .get(&id)
            .and_then(|call| Some((call.key(call.owner), call.driver()?)))
            .filter(|(_, driver)| *driver == number)
        else {
            return;
        };
        let Some(dial) = self.dialling(id, number) else { return };
        if let Some(class) = dial.spec.music.clone() {
            self.leg_progress(now, owner);
            self.play(owner, Some(Source::Music((!class.is_empty()).then(|| class.into()))));
        } else if dial.spec.ring {
            self.ring_owner(now, owner);
        }
    }

    /// The caller hears ringing: told so, or by a tone when he is answered already.
    pub(super) fn ring_owner(&mut self, now: Instant, owner: LegKey) {
        let Some(leg) = self.leg(owner) else { return };
        if leg.stage == Stage::Up || leg.early {
            self.play(owner, Some(Source::Ringback));
        } else {
            self.leg_ring(now, owner);
        }
    }

    /// The Dial of the runner that drives the owner: what its options say counts for all branches.
    pub(super) fn outer_spec(&self, id: u64) -> Option<&Dial> {
        let call = self.calls.get(&id)?;
        Some(&call.runners.get(&call.driver()?)?.dial.as_ref()?.spec)
    }

    /// A branch rings.
    pub(super) fn on_branch_rang(&mut self, now: Instant, key: LegKey) {
        let Some(leg) = self.leg_mut(key).filter(|leg| leg.stage == Stage::Down && leg.dialled_by.is_some()) else {
            return;
        };
        leg.stage = Stage::Ringing;
        self.tell(super::Event::Changed);
        let Some(spec) = self.outer_spec(key.call) else { return };
        if spec.music.is_none()
            && let Some(owner) =
                self.calls.get(&key.call).filter(|call| call.bridged.is_none()).map(|call| call.key(call.owner))
        {
            self.ring_owner(now, owner);
        }
    }

    /// A branch came to nothing.
    pub(super) fn on_branch_gone(&mut self, now: Instant, id: u64, leg: &Leg, gone: Gone) {
        let Some(number) = leg.dialled_by else { return };
        self.branch_over(now, id, number, Branch::Leg(leg.number), gone);
    }

    pub(super) fn branch_over(&mut self, now: Instant, id: u64, number: u32, branch: Branch, gone: Gone) {
        let Some(dial) = self.dialling(id, number) else { return };
        let screened = matches!(branch, Branch::Leg(leg) if dial.winner == Some(leg));
        if screened {
            // It hung up before it was joined.
            dial.winner = None;
            dial.fail(gone);
            self.stop_screening(now, id, number, gone.cause);
        } else if dial.remove(branch) {
            dial.fail(gone);
        } else {
            return;
        }
        if self.dialling(id, number).is_some_and(|dial| dial.is_exhausted())
            && let Some(outcome) = self.conclude(now, id, number, None)
        {
            self.run(now, id, number, outcome);
        }
    }

    /// Nobody answered in the time that a Dial rings.
    pub(super) fn on_ring_over(&mut self, now: Instant, id: u64, number: u32) {
        let Some(dial) = self.dialling(id, number).filter(|dial| dial.winner.is_none()) else { return };
        dial.failure = Some(Cause::NO_ANSWER.into());
        self.stop_branches(now, id, Some(number), Cause::NORMAL);
        if let Some(outcome) = self.conclude(now, id, number, Some((DialStatus::NoAnswer, Cause::NO_ANSWER))) {
            self.run(now, id, number, outcome);
        }
    }

    /// Ends the branches of a runner's Dial, and what they led to; or of all, but for one.
    pub(super) fn stop_branches(&mut self, now: Instant, id: u64, of: Option<u32>, cause: Cause) {
        let mut of = of;
        let mut queue = Vec::new();
        while let Some(number) = of.take().or_else(|| queue.pop()) {
            self.alarms.cancel(id, Alarm::Ring(number));
            let branches = self.dialling(id, number).map(|dial| std::mem::take(&mut dial.branches)).unwrap_or_default();
            for branch in branches {
                match branch {
                    Branch::Leg(leg) => {
                        self.leg_hang_up(now, LegKey { call: id, leg }, cause.into());
                    }
                    Branch::Local(runner) => queue.push(runner),
                }
            }
            let is_branch = self
                .calls
                .get(&id)
                .and_then(|call| call.runners.get(&number))
                .is_some_and(|runner| matches!(runner.role, Role::Local { .. }) && runner.leg.is_none());
            if is_branch {
                self.drop_runner(now, id, number, cause);
            }
        }
    }

    /// Takes one branch out of the Dials that lead to it, so that the rest can be ended.
    pub(super) fn keep_branch(&mut self, id: u64, number: u32, branch: Branch) {
        if let Some(dial) = self.dialling(id, number) {
            dial.remove(branch);
        }
    }

    /// A Dial is over: its outcome.
    pub(super) fn conclude(
        &mut self,
        now: Instant,
        id: u64,
        number: u32,
        how: Option<(DialStatus, Cause)>,
    ) -> Option<Outcome> {
        self.alarms.cancel(id, Alarm::Ring(number));
        let dial = self.calls.get_mut(&id)?.runners.get_mut(&number)?.dial.take()?;
        let failure = dial.failure;
        let (status, cause) = how.unwrap_or_else(|| {
            let cause = failure.map_or(Cause::NO_ROUTE, |gone| gone.cause);
            (dial.exhausted(), cause)
        });
        let dialled = dial.told(now, status, cause);
        tracing::debug!(call = id, status = status.as_str(), cause = cause.0, "dialling ended");
        self.over(id, number, dialled, failure)
    }

    fn over(&mut self, id: u64, number: u32, dialled: Dialled, failure: Option<Gone>) -> Option<Outcome> {
        let call = self.calls.get_mut(&id)?;
        let failure = failure.filter(|_| dialled.status != DialStatus::Answer);
        if call.active.contains(&number) {
            call.otherwise = super::call::disposition(dialled.status);
        }
        let owner = call.key(call.owner);
        call.runners.get_mut(&number)?.failure = failure;
        if call.driver() == Some(number) {
            // Neither ringing nor music goes on.
            self.play(owner, Some(Source::Silence));
        }
        self.tell(super::Event::Changed);
        Some(Outcome::Dialled(dialled))
    }
}

/// What was dialled of a target, without the technology.
fn dialled_part(target: &Target) -> String {
    match target {
        Target::Sip { peer, extension, .. } => match extension {
            Some(extension) => format!("{peer}/{extension}"),
            None => peer.clone(),
        },
        Target::Iax { peer, extension, .. } => match extension {
            Some(extension) => format!("{}/{extension}", peer.name),
            None => peer.name.clone(),
        },
        Target::Local { extension, context } => format!("{extension}@{context}"),
        Target::Unknown { resource, .. } => resource.clone(),
    }
}
