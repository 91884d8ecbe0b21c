//! A dialplan thread that runs for a call: what it asks for is done, and it is told how that went.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use super::{
    Switch,
    alarms::Alarm,
    cause::{Cause, Gone, Refusal},
    dial::Dialling,
    leg::{LegKey, Stage},
};
use crate::{
    cdr::Disposition,
    dialplan::{Action, End, Outcome, Thread},
    media::{Order, Source},
};

/// Digits that are kept for a later WaitExten.
const DIGITS: usize = 32;

/// Actions that need no waiting, at one moment: more are a loop.
const STEPS: u32 = 1_000;

/// What a runner runs for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// For who called.
    Main,
    /// It is a Local branch of a runner's Dial; or drives the owner since it took it over.
    Local { parent: u32 },
    /// For a callee, before it is joined with the owner (option `U` of Dial).
    Callee { parent: u32 },
}

/// What a runner waits for.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Wait {
    /// It runs now.
    Nothing,
    /// The sockets of its media; then this is done.
    Media(Action),
    /// Its time.
    Time,
    /// A digit, or its time.
    Exten,
    /// A sound.
    Sound { rest: VecDeque<String>, interruptible: bool },
    /// The end of an echo.
    Echo,
    /// Its channel's end.
    Forever,
    /// Its Dial.
    Dial,
    /// A Local of its Dial that took the owner over, or a callee's subroutine.
    Other,
}

#[derive(Debug)]
pub(super) struct Runner {
    pub(super) thread: Thread,
    /// The leg that it drives; a Local branch has none.
    pub(super) leg: Option<u32>,
    pub(super) role: Role,
    pub(super) wait: Wait,
    pub(super) dial: Option<Dialling>,
    /// What its last Dial came to, for whoever is hung up next.
    pub(super) failure: Option<Gone>,
    digits: VecDeque<char>,
    /// Steps without waiting, at this moment.
    steps: (Option<Instant>, u32),
}

impl Runner {
    pub(super) fn new(thread: Thread, leg: Option<u32>, role: Role) -> Self {
        Self {
            thread,
            leg,
            role,
            wait: Wait::Nothing,
            dial: None,
            failure: None,
            digits: VecDeque::new(),
            steps: (None, 0),
        }
    }
}

impl Switch {
    /// Tells a runner how its action went, and does what it wants next until it waits.
    pub(super) fn run(&mut self, now: Instant, id: u64, number: u32, outcome: Outcome) {
        let mut outcome = outcome;
        loop {
            let Some(runner) = self.calls.get_mut(&id).and_then(|call| call.runners.get_mut(&number)) else { return };
            runner.wait = Wait::Nothing;
            runner.steps = match runner.steps {
                (Some(at), steps) if at == now => (Some(now), steps + 1),
                _ => (Some(now), 1),
            };
            let action = if runner.steps.1 > STEPS {
                tracing::warn!(call = id, context = runner.thread.context(), "the dialplan goes round in circles");
                Action::End(End::Runaway)
            } else {
                runner.thread.resume(outcome, &mut self.world)
            };
            match self.perform(now, id, number, action) {
                Some(next) => outcome = next,
                None => return,
            }
        }
    }

    /// Does an action. `None`: its outcome comes later, or the runner is no more.
    pub(super) fn perform(&mut self, now: Instant, id: u64, number: u32, action: Action) -> Option<Outcome> {
        let runner = self.calls.get_mut(&id)?.runners.get_mut(&number)?;
        let Some(leg) = runner.leg else { return self.perform_local(now, id, number, action) };
        let key = LegKey { call: id, leg };
        match action {
            Action::Answer => {
                if !self.have_media_of(now, id, number, leg, &action) {
                    return None;
                }
                self.answered_for(now, key).then_some(Outcome::Done).or_else(|| self.no_codec(now, id))
            }
            Action::Ringing => {
                self.ring_owner(now, key);
                Some(Outcome::Done)
            }
            Action::Progress => {
                if !self.have_media_of(now, id, number, leg, &action) {
                    return None;
                }
                self.leg_progress(now, key);
                Some(Outcome::Done)
            }
            Action::Busy { wait } => self.indicate(now, id, number, Cause::BUSY, wait),
            Action::Congestion { wait } => self.indicate(now, id, number, Cause::CONGESTION, wait),
            Action::Wait(time) => self.wait_for(now, id, number, Wait::Time, Some(time)),
            Action::WaitExten(time) => {
                let digit = self.calls.get_mut(&id)?.runners.get_mut(&number)?.digits.pop_front();
                match digit {
                    Some(digit) => Some(Outcome::Digit(digit)),
                    None => self.wait_for(now, id, number, Wait::Exten, Some(time)),
                }
            }
            Action::Playback { ref files, early, interruptible } => {
                if !self.have_media_of(now, id, number, leg, &action) {
                    return None;
                }
                if early {
                    self.leg_progress(now, key);
                }
                let mut rest: VecDeque<_> = files.iter().cloned().collect();
                let Some(first) = rest.pop_front() else { return Some(Outcome::Done) };
                self.play(key, Some(Source::File(first.into())));
                self.wait_for(now, id, number, Wait::Sound { rest, interruptible }, None)
            }
            Action::Echo => self.play_on(now, id, number, leg, &action, Source::Echo, (Wait::Echo, None)),
            Action::Milliwatt => self.play_on(now, id, number, leg, &action, Source::Milliwatt, (Wait::Forever, None)),
            Action::Music { time, ref class } => {
                let wait = if time.is_some() { Wait::Time } else { Wait::Forever };
                let music = Source::Music(class.as_deref().map(Into::into));
                self.play_on(now, id, number, leg, &action, music, (wait, time))
            }
            Action::Dial(dial) => self.dial(now, id, number, dial),
            Action::Hangup { cause } => self.thread_over(now, id, number, cause.map(Cause)),
            Action::End(End::NoExtension) => self.thread_over(now, id, number, Some(Cause::NO_ROUTE)),
            Action::End(End::Runaway | End::Error) => self.thread_over(now, id, number, Some(Cause::TEMPORARY_FAILURE)),
            Action::End(End::Finished) => self.thread_over(now, id, number, None),
        }
    }

    /// Answers the leg of a runner; the owner's answer is the call's.
    pub(super) fn answered_for(&mut self, now: Instant, key: LegKey) -> bool {
        let answered = self.leg_answer(now, key);
        if answered && self.calls.get(&key.call).is_some_and(|call| call.owner == key.leg) {
            self.mark_answered(now, key.call);
            if let Some(call) = self.calls.get_mut(&key.call) {
                for runner in call.runners.values_mut().filter(|runner| runner.leg == Some(key.leg)) {
                    runner.thread.facts_mut().answered = true;
                }
            }
            self.rewatch(key.call);
        }
        answered
    }

    fn no_codec(&mut self, now: Instant, id: u64) -> Option<Outcome> {
        // The caller may be gone instead; its end is then on the way.
        self.refuse_call(now, id, Cause::BEARER.into(), "no_codec");
        None
    }

    /// Waits, perhaps not for ever.
    pub(super) fn wait_for(
        &mut self,
        now: Instant,
        id: u64,
        number: u32,
        wait: Wait,
        time: Option<Duration>,
    ) -> Option<Outcome> {
        let runner = self.calls.get_mut(&id)?.runners.get_mut(&number)?;
        runner.wait = wait;
        // A time beyond the clock's end never comes.
        if let Some(at) = time.and_then(|time| now.checked_add(time)) {
            self.alarms.set(id, Alarm::Wait(number), at);
        }
        None
    }

    /// The time of a runner's wait is over.
    pub(super) fn on_wait_over(&mut self, now: Instant, id: u64, number: u32) {
        let Some(runner) = self.calls.get(&id).and_then(|call| call.runners.get(&number)) else { return };
        if matches!(runner.wait, Wait::Time | Wait::Exten) {
            self.quiet(id, number);
            self.run(now, id, number, Outcome::Timeout);
        }
    }

    /// A sound is over.
    pub(super) fn on_played(&mut self, now: Instant, id: u64, side: rtp::relay::Side, complete: bool) {
        let Some(call) = self.calls.get(&id) else { return };
        let waits = |runner: &Runner| {
            let here = runner.leg.and_then(|leg| call.legs.get(&leg)).is_some_and(|leg| leg.side == side);
            here && matches!(runner.wait, Wait::Sound { .. })
        };
        let Some(number) = call.runners.iter().find(|(_, runner)| waits(runner)).map(|(number, _)| *number) else {
            return;
        };
        if complete && let Some((leg, next)) = self.next_sound(id, number) {
            self.play(LegKey { call: id, leg }, Some(Source::File(next.into())));
            return;
        }
        self.quiet(id, number);
        self.run(now, id, number, if complete { Outcome::Done } else { Outcome::Failed });
    }

    /// The next of several sounds.
    fn next_sound(&mut self, id: u64, number: u32) -> Option<(u32, String)> {
        let runner = self.calls.get_mut(&id)?.runners.get_mut(&number)?;
        let Wait::Sound { rest, .. } = &mut runner.wait else { return None };
        Some((runner.leg?, rest.pop_front()?))
    }

    /// A digit for whatever drives a leg; tells whether something took it.
    pub(super) fn digit_for_runner(&mut self, now: Instant, key: LegKey, digit: char) -> bool {
        let Some(call) = self.calls.get_mut(&key.call) else { return false };
        let id = key.call;
        let number = if call.owner == key.leg {
            call.driver()
        } else {
            call.runners.iter().find(|(_, runner)| runner.leg == Some(key.leg)).map(|(number, _)| *number)
        };
        let Some((number, runner)) = number.and_then(|number| Some((number, call.runners.get_mut(&number)?))) else {
            return false;
        };
        match runner.wait {
            Wait::Exten => {}
            Wait::Sound { interruptible: true, .. } => {}
            Wait::Echo if digit == '#' => {
                self.quiet(id, number);
                self.run(now, id, number, Outcome::Done);
                return true;
            }
            Wait::Dial | Wait::Other => return false,
            _ => {
                if runner.digits.len() < DIGITS {
                    runner.digits.push_back(digit);
                }
                return true;
            }
        }
        self.quiet(id, number);
        self.run(now, id, number, Outcome::Digit(digit));
        true
    }

    /// What a runner plays to its leg ends, and so does its time.
    pub(super) fn quiet(&mut self, id: u64, number: u32) {
        self.alarms.cancel(id, Alarm::Wait(number));
        let leg = self.calls.get(&id).and_then(|call| call.runners.get(&number)).and_then(|runner| runner.leg);
        if let Some(leg) = leg {
            self.play(LegKey { call: id, leg }, Some(Source::Silence));
        }
    }

    /// Plays something to a leg whose media is open.
    #[expect(clippy::too_many_arguments, reason = "the parts of one action")]
    fn play_on(
        &mut self,
        now: Instant,
        id: u64,
        number: u32,
        leg: u32,
        action: &Action,
        source: Source,
        (wait, time): (Wait, Option<Duration>),
    ) -> Option<Outcome> {
        if !self.have_media_of(now, id, number, leg, action) {
            return None;
        }
        self.play(LegKey { call: id, leg }, Some(source));
        self.rewatch(id);
        self.wait_for(now, id, number, wait, time)
    }

    /// What a leg hears instead of its partner.
    pub(super) fn play(&mut self, key: LegKey, source: Option<Source>) {
        if let Some(leg) = self.leg(key) {
            let side = leg.side;
            if self.is_open(key.call, side) {
                self.order(key.call, Order::Source { side, source });
            }
        }
    }

    /// Busy and Congestion: who is not answered hears it by his leg's end, others as silence until they hang up.
    fn indicate(
        &mut self,
        now: Instant,
        id: u64,
        number: u32,
        cause: Cause,
        wait: Option<Duration>,
    ) -> Option<Outcome> {
        let call = self.calls.get_mut(&id)?;
        let runner = call.runners.get(&number)?;
        let leg = runner.leg.and_then(|leg| call.legs.get(&leg))?;
        if leg.stage == Stage::Up {
            let key = call.key(leg.number);
            let tone = if cause == Cause::BUSY { Source::Busy } else { Source::Congestion };
            self.play(key, Some(tone));
            let forever = if wait.is_some() { Wait::Time } else { Wait::Forever };
            return self.wait_for(now, id, number, forever, wait);
        }
        // After a Dial the caller hears what its callee said.
        let same = |failure: &Gone| (failure.refusal == Refusal::Busy) == (cause == Cause::BUSY);
        let gone = runner.failure.filter(same).unwrap_or(cause.into());
        call.otherwise = if cause == Cause::BUSY { Disposition::Busy } else { Disposition::Failed };
        self.thread_gone(now, id, number, gone);
        None
    }

    /// A thread has ended. With it the call ends, or the branch that it is.
    pub(super) fn thread_over(&mut self, now: Instant, id: u64, number: u32, cause: Option<Cause>) -> Option<Outcome> {
        let call = self.calls.get_mut(&id)?;
        let gone = match cause {
            Some(cause) => Gone::cause(cause),
            None => {
                let runner = call.runners.get(&number)?;
                let facts = Cause(runner.thread.facts().hangup_cause);
                let natural = if facts == Cause::NONE { Cause::NORMAL } else { facts };
                runner.failure.filter(|_| facts != Cause::NONE).unwrap_or(natural.into())
            }
        };
        self.thread_gone(now, id, number, gone);
        None
    }

    fn thread_gone(&mut self, now: Instant, id: u64, number: u32, gone: Gone) {
        let Some(role) = self.calls.get(&id).and_then(|call| call.runners.get(&number)).map(|runner| runner.role)
        else {
            return;
        };
        match role {
            Role::Main => self.end(now, id, gone),
            Role::Local { parent } => self.local_over(now, id, number, parent, gone),
            Role::Callee { parent } => self.screened(now, id, number, parent),
        }
    }

    /// Takes a runner away; its thread runs `h`.
    pub(super) fn drop_runner(&mut self, now: Instant, id: u64, number: u32, cause: Cause) -> Option<Runner> {
        self.alarms.cancel(id, Alarm::Wait(number));
        self.alarms.cancel(id, Alarm::Ring(number));
        let call = self.calls.get_mut(&id)?;
        let mut runner = call.runners.remove(&number)?;
        call.active.retain(|active| *active != number);
        let dialled = runner.dial.as_ref().map(|dial| dial.given_up(now, cause, false));
        runner.thread.hang_up(cause.0, dialled.as_ref(), &mut self.world);
        Some(runner)
    }
}
