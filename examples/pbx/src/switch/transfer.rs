//! Blind transfer by keys: `#`, the number, `#` or three seconds of nothing (options `t` and `T` of Dial); and hanging up
//! by `*` (options `h` and `H`).

use std::time::{Duration, Instant};

use super::{
    Switch,
    alarms::Alarm,
    call::Identity,
    cause::Cause,
    leg::LegKey,
    runner::{Role, Runner},
};
use crate::{
    cdr::Disposition,
    dialplan::{Outcome, Thread},
    media::Source,
};

/// How long the next digit may take.
const PATIENCE: Duration = Duration::from_secs(3);

/// The longest number.
const LONGEST: usize = 40;

/// Digits of a transfer that is being dialled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Collecting {
    /// Who transfers.
    leg: u32,
    digits: String,
}

impl Switch {
    /// A key of somebody who talks; tells whether it was for us.
    pub(super) fn digit_for_transfer(&mut self, now: Instant, key: LegKey, digit: char) -> bool {
        let id = key.call;
        let Some(call) = self.calls.get_mut(&id) else { return false };
        if call.partner(key.leg).is_none() {
            return false;
        }
        if let Some(collecting) = &mut call.collecting {
            if collecting.leg != key.leg {
                return false;
            }
            if digit == '#' {
                self.transfer(now, id);
                return true;
            }
            if collecting.digits.len() < LONGEST {
                collecting.digits.push(digit);
            }
            self.await_digit(now, id);
            return true;
        }
        let by_owner = key.leg == call.owner;
        let Some(spec) = self.outer_spec(id) else { return false };
        let (transfers, hangs_up) = if by_owner {
            (spec.caller_may_transfer, spec.caller_may_hang_up)
        } else {
            (spec.callee_may_transfer, spec.callee_may_hang_up)
        };
        match digit {
            '*' if hangs_up => {
                self.on_talk_over(now, id);
                true
            }
            '#' if transfers => {
                self.collect(now, id, key.leg);
                true
            }
            _ => false,
        }
    }

    fn await_digit(&mut self, now: Instant, id: u64) {
        if let Some(at) = now.checked_add(PATIENCE) {
            self.alarms.set(id, Alarm::Transfer, at);
        }
    }

    /// The other side hears music while the number is dialled.
    fn collect(&mut self, now: Instant, id: u64, leg: u32) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        call.collecting = Some(Collecting { leg, digits: String::new() });
        let (own, other) = (call.key(leg), call.partner(leg).map(|other| call.key(other)));
        self.part_media(id);
        self.play(own, Some(Source::Silence));
        if let Some(other) = other {
            self.play(other, Some(Source::Music(None)));
        }
        self.rewatch(id);
        self.await_digit(now, id);
    }

    /// A transfer comes to nothing, without the media being told.
    pub(super) fn stop_collecting(&mut self, id: u64) {
        self.alarms.cancel(id, Alarm::Transfer);
        if let Some(call) = self.calls.get_mut(&id) {
            call.collecting = None;
        }
    }

    /// The number is complete: whom the transferring side talked with goes there.
    pub(super) fn transfer(&mut self, now: Instant, id: u64) {
        let Some(collecting) = self.calls.get_mut(&id).and_then(|call| call.collecting.take()) else { return };
        self.alarms.cancel(id, Alarm::Transfer);
        let Some(call) = self.calls.get(&id) else { return };
        let (by, Some(partner)) = (call.key(collecting.leg), call.partner(collecting.leg)) else { return };
        let context = self.transfer_context(by);
        let facts = self.facts_of(LegKey { call: id, leg: partner });
        let number = collecting.digits;
        match Thread::start(self.dialplan(), &context, &number, facts) {
            Ok(thread) if !number.is_empty() => {
                tracing::debug!(call = id, to = %number, %context, "transferred");
                self.hand_over(now, id, by, partner, thread, (context, number));
            }
            _ => {
                // Back to each other.
                let Some(call) = self.calls.get(&id) else { return };
                if let Some(bridged) = call.bridged {
                    self.join_media(now, call.key(call.owner), call.key(bridged));
                    self.rewatch(id);
                }
            }
        }
    }

    /// `TRANSFER_CONTEXT` when the dialplan set it, else the context of who transfers.
    fn transfer_context(&self, by: LegKey) -> String {
        let call = self.calls.get(&by.call);
        let driver = call.and_then(|call| call.runners.get(&call.driver()?));
        let set =
            driver.and_then(|runner| runner.thread.variable("TRANSFER_CONTEXT")).filter(|context| !context.is_empty());
        set.or_else(|| self.leg(by).map(|leg| leg.context.clone())).unwrap_or_default()
    }

    fn hand_over(
        &mut self,
        now: Instant,
        id: u64,
        by: LegKey,
        partner: u32,
        mut thread: Thread,
        (context, number): (String, String),
    ) {
        if let Some(leg) = self.leg(by) {
            thread.set_variable("BLINDTRANSFER", &leg.channel.clone());
        }
        self.alarms.cancel(id, Alarm::Talk);
        let Some(call) = self.calls.get(&id) else { return };
        if call.owner == by.leg {
            self.new_owner(now, id, partner, context, number);
        } else {
            // The thread that called goes on elsewhere: it is not over.
            self.forget_runners(id);
        }
        self.leg_hang_up(now, by, Cause::NORMAL.into());
        let Some(call) = self.calls.get_mut(&id) else { return };
        call.bridged = None;
        let number = call.number();
        let mut runner = Runner::new(thread, Some(partner), Role::Main);
        runner.thread.facts_mut().answered = true;
        call.runners.insert(number, runner);
        call.active.push(number);
        let key = call.key(partner);
        self.leg_hold(now, key, false);
        self.play(key, Some(Source::Silence));
        self.run(now, id, number, Outcome::Begin);
    }

    /// Who called leaves: his record is written, and the other becomes the caller of the same call.
    fn new_owner(&mut self, now: Instant, id: u64, partner: u32, context: String, number: String) {
        self.stop_runners(now, id, Cause::NORMAL);
        if let Some(call) = self.calls.remove(&id) {
            self.write_record(now, &call);
            self.calls.insert(id, call);
        }
        let Some(call) = self.calls.get_mut(&id) else { return };
        let Some(leg) = call.legs.get_mut(&partner) else { return };
        leg.dialled_by = None;
        call.identity =
            Identity { person: leg.person.clone(), channel: leg.channel.clone(), unique: leg.unique.clone() };
        call.account = leg.peer.clone();
        call.owner = partner;
        call.context = context;
        call.dialled = number;
        call.started = now;
        call.answered = Some(now);
        call.dstchannel.clear();
        call.otherwise = Disposition::NoAnswer;
    }

    /// All runners of a call go without their threads being told.
    fn forget_runners(&mut self, id: u64) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        let runners: Vec<_> = call.runners.keys().copied().collect();
        call.runners.clear();
        call.active.clear();
        for number in runners {
            self.alarms.cancel(id, Alarm::Wait(number));
            self.alarms.cancel(id, Alarm::Ring(number));
        }
    }
}
