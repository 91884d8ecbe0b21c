//! Two legs of a call that hear each other.

use std::time::{Duration, Instant};

use super::{
    Event, Switch,
    alarms::Alarm,
    cause::{Cause, Gone},
    dial::Branch,
    leg::{LegKey, Stage, Told},
    runner::{Role, Runner, Wait},
};
use crate::{
    dialplan::{DialStatus, Facts, Outcome, Thread},
    media::Order,
};

impl Switch {
    /// What a leg tells.
    pub(super) fn on_leg(&mut self, now: Instant, key: LegKey, told: Told) {
        match told {
            Told::Rang => self.on_branch_rang(now, key),
            Told::Progress => self.on_progress(now, key),
            Told::Answered => self.on_answered(now, key),
            Told::Digit { digit, duration, passed } => self.on_digit(now, key, digit, duration, passed),
            Told::Hold(on) => self.on_hold(now, key, on),
            Told::Gone(gone) => self.on_leg_gone(now, key, gone),
        }
    }

    /// A branch sends voice before its answer: the first that does is heard.
    fn on_progress(&mut self, now: Instant, key: LegKey) {
        let own_sound = self.outer_spec(key.call).is_none_or(|spec| spec.ring || spec.music.is_some());
        let Some(leg) = self.leg_mut(key) else { return };
        leg.early = true;
        let Some(call) = self.calls.get_mut(&key.call) else { return };
        let others = call.legs.values().filter(|leg| leg.dialled_by.is_some() && leg.early).count();
        if own_sound || call.joined || others > 1 {
            return;
        }
        let owner = call.key(call.owner);
        if self.leg_progress(now, owner) {
            self.join_media(now, owner, key);
        }
    }

    /// A branch answered: the others are called off.
    fn on_answered(&mut self, now: Instant, key: LegKey) {
        let id = key.call;
        let Some(leg) = self.leg_mut(key).filter(|leg| leg.stage != Stage::Up) else { return };
        let (Some(_), peer, stage) = (leg.dialled_by, leg.peer.clone(), leg.stage) else { return };
        leg.stage = Stage::Up;
        leg.answered = Some(now);
        let channel = leg.channel.clone();
        if let Some(peer) = peer {
            self.ringing.leave(&peer, stage);
        }
        let Some(root) = self.calls.get(&id).and_then(super::Call::driver) else { return };
        let number = self.leg(key).and_then(|leg| leg.dialled_by).unwrap_or(root);
        let of = self.dialling(id, number).map(|dial| dial.peer.1.clone()).unwrap_or_default();
        self.detach_branch(id, Branch::Leg(key.leg), root);
        self.stop_branches(now, id, Some(root), Cause::ANSWERED_ELSEWHERE);
        self.horizon.forget(id);
        let Some(dial) = self.dialling(id, root) else { return };
        dial.winner = Some(key.leg);
        dial.peer = (channel.clone(), of);
        let screen = dial.spec.callee_gosub.clone();
        if let Some(call) = self.calls.get_mut(&id) {
            call.dstchannel = channel;
            if let Some(leg) = call.legs.get_mut(&key.leg) {
                leg.dialled_by = Some(root);
            }
        }
        match screen {
            None => self.join(now, id, root, key.leg),
            Some(gosub) => {
                let facts = self.facts_of(key);
                match Thread::gosub(self.dialplan(), &gosub, facts) {
                    Ok(thread) => {
                        let Some(call) = self.calls.get_mut(&id) else { return };
                        let number = call.number();
                        call.runners.insert(number, Runner::new(thread, Some(key.leg), Role::Callee { parent: root }));
                        self.run(now, id, number, Outcome::Begin);
                    }
                    Err(error) => {
                        tracing::warn!(call = id, %error, "the callee's subroutine is not there");
                        self.join(now, id, root, key.leg);
                    }
                }
            }
        }
    }

    /// What a dialplan that runs for a leg may know of it.
    pub(super) fn facts_of(&self, key: LegKey) -> Facts {
        let Some(leg) = self.leg(key) else { return Facts::default() };
        Facts {
            name: leg.channel.clone(),
            technology: leg.technology,
            peer: leg.peer.clone(),
            unique_id: leg.unique.clone(),
            caller: leg.person.clone(),
            language: "en".to_owned(),
            answered: leg.stage == Stage::Up,
            ..Facts::default()
        }
    }

    /// A callee's subroutine has ended: what it says is done.
    pub(super) fn screened(&mut self, now: Instant, id: u64, number: u32, parent: u32) {
        let Some(runner) = self.drop_runner(now, id, number, Cause::NORMAL) else { return };
        let Some(leg) = runner.leg else { return };
        let result = runner.thread.variable("GOSUB_RESULT").unwrap_or_default();
        let refused = match result.split(':').next().unwrap_or_default() {
            "ABORT" => {
                self.end(now, id, Cause::NORMAL.into());
                return;
            }
            "BUSY" => (DialStatus::Busy, Cause::BUSY),
            "CONGESTION" => (DialStatus::Congestion, Cause::CONGESTION),
            "CONTINUE" => (DialStatus::Answer, Cause::NORMAL),
            _ => {
                self.join(now, id, parent, leg);
                return;
            }
        };
        self.leg_hang_up(now, LegKey { call: id, leg }, refused.1.into());
        if let Some(outcome) = self.conclude(now, id, parent, Some(refused)) {
            self.run(now, id, parent, outcome);
        }
    }

    /// A callee is gone in its subroutine.
    pub(super) fn stop_screening(&mut self, now: Instant, id: u64, parent: u32, cause: Cause) {
        let Some(call) = self.calls.get(&id) else { return };
        let callee = |runner: &Runner| runner.role == Role::Callee { parent };
        let number = call.runners.iter().find(|(_, runner)| callee(runner)).map(|(number, _)| *number);
        if let Some(number) = number {
            self.drop_runner(now, id, number, cause);
        }
    }

    /// Joins the owner with the leg that answered: answers the owner, when he is not yet.
    fn join(&mut self, now: Instant, id: u64, root: u32, leg: u32) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        call.bridged = Some(leg);
        let (owner, callee) = (call.key(call.owner), call.key(leg));
        if let Some(runner) = call.runners.get_mut(&root) {
            runner.wait = Wait::Dial;
        }
        // The callee's end may be a trunk's, which needs nobody's leave.
        if let Some((side, super::ends::Want::Trunk)) = self.need(callee) {
            self.open_trunk(now, id, side);
            self.tell_format(callee);
        }
        if !self.answered_for(now, owner) {
            tracing::debug!(call = id, "the two have no codec in common");
            self.refuse_call(now, id, Cause::BEARER.into(), "no_codec");
            return;
        }
        let talk = self.dialling(id, root).and_then(|dial| {
            dial.joined = Some(now);
            dial.spec.talk_time
        });
        if let Some(at) = talk.and_then(|time| now.checked_add(time)) {
            self.alarms.set(id, Alarm::Talk, at);
        }
        self.join_media(now, owner, callee);
        for (from, to) in [(owner, callee), (callee, owner)] {
            if self.leg(from).is_some_and(|leg| leg.holds) {
                self.leg_hold(now, to, true);
            }
        }
        self.rewatch(id);
        self.tell(Event::Changed);
    }

    /// Lets two legs hear each other.
    pub(super) fn join_media(&mut self, now: Instant, owner: LegKey, callee: LegKey) {
        for key in [owner, callee] {
            if let Some((side, super::ends::Want::Trunk)) = self.need(key) {
                self.open_trunk(now, key.call, side);
                self.tell_format(key);
            }
            self.play(key, None);
        }
        if let Some(call) = self.calls.get_mut(&owner.call)
            && !std::mem::replace(&mut call.joined, true)
        {
            self.order(owner.call, Order::Bridge(true));
        }
        self.align(now, owner, callee);
    }

    /// The owner and his partner no longer hear each other.
    pub(super) fn part_media(&mut self, id: u64) {
        if let Some(call) = self.calls.get_mut(&id)
            && std::mem::replace(&mut call.joined, false)
        {
            self.order(id, Order::Bridge(false));
        }
    }

    /// The media of a leg is told its format again: its end is another now.
    fn tell_format(&mut self, key: LegKey) {
        if let Some((side, Some(format))) = self.leg(key).map(|leg| (leg.side, leg.format)) {
            self.order(key.call, Order::Format { side, format });
        }
    }

    /// The leg that the owner talked with hung up.
    pub(super) fn on_partner_gone(&mut self, now: Instant, id: u64, cause: Cause) {
        self.alarms.cancel(id, Alarm::Talk);
        self.stop_collecting(id);
        let Some(call) = self.calls.get_mut(&id) else { return };
        call.bridged = None;
        let (owner, driver) = (call.key(call.owner), call.driver());
        self.part_media(id);
        let Some(number) = driver.filter(|_| self.leg(owner).is_some()) else { return };
        if !self.dialling(id, number).is_some_and(|dial| dial.spec.go_on) {
            self.end(now, id, Gone::cause(cause));
            return;
        }
        self.leg_hold(now, owner, false);
        if let Some(outcome) = self.conclude(now, id, number, Some((DialStatus::Answer, cause))) {
            self.rewatch(id);
            self.run(now, id, number, outcome);
        }
    }

    /// Two have talked as long as they may.
    pub(super) fn on_talk_over(&mut self, now: Instant, id: u64) {
        let Some(bridged) = self.calls.get(&id).and_then(|call| call.bridged) else { return };
        self.leg_hang_up(now, LegKey { call: id, leg: bridged }, Cause::NORMAL.into());
        self.on_partner_gone(now, id, Cause::NORMAL);
    }

    fn on_hold(&mut self, now: Instant, key: LegKey, on: bool) {
        let Some(leg) = self.leg_mut(key) else { return };
        leg.holds = on;
        let partner = self.calls.get(&key.call).and_then(|call| call.partner(key.leg));
        if let Some(partner) = partner {
            self.leg_hold(now, LegKey { call: key.call, leg: partner }, on);
        }
        self.rewatch(key.call);
        self.tell(Event::Changed);
    }

    /// A key: for the dialplan, for a transfer, or for the other side.
    fn on_digit(&mut self, now: Instant, key: LegKey, digit: char, duration: Duration, passed: bool) {
        if self.digit_for_transfer(now, key, digit) || self.digit_for_runner(now, key, digit) || passed {
            return;
        }
        let partner = self.calls.get(&key.call).and_then(|call| call.partner(key.leg));
        if let Some(partner) = partner {
            self.leg_digit(now, LegKey { call: key.call, leg: partner }, digit, duration);
        }
    }
}
