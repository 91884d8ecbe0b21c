//! Local channels: a thread that runs as a branch of a Dial. Whom it dials is called for the same caller; when it answers
//! or plays something itself, it takes the caller over.

use std::time::Instant;

use super::{
    Switch,
    cause::{Cause, Gone},
    dial::Branch,
    leg::LegKey,
    runner::{Role, Runner, Wait},
};
use crate::dialplan::{Action, DialStatus, Facts, Outcome, Thread};

/// How deep Local channels may dial each other.
const DEPTH: usize = 8;

impl Switch {
    /// Runs a thread as a branch of a Dial.
    pub(super) fn local_dial(&mut self, now: Instant, id: u64, parent: u32, extension: &str, context: &str) {
        match self.local_branch(now, id, parent, extension, context) {
            Ok(number) => {
                if let Some(dial) = self.dialling(id, parent) {
                    dial.add(Branch::Local(number));
                }
                self.run(now, id, number, Outcome::Begin);
            }
            Err(gone) => {
                if let Some(dial) = self.dialling(id, parent) {
                    dial.fail(gone);
                }
            }
        }
    }

    fn local_branch(
        &mut self,
        now: Instant,
        id: u64,
        parent: u32,
        extension: &str,
        context: &str,
    ) -> Result<u32, Gone> {
        let (name, unique_id) = self.name_channel(now, "Local", &format!("{extension}@{context}"));
        let call = self.calls.get_mut(&id).ok_or(Cause::NORMAL)?;
        let mut depth = 0;
        let mut above = Some(parent);
        while let Some(runner) = above.and_then(|number| call.runners.get(&number)) {
            depth += 1;
            above = match runner.role {
                Role::Local { parent } => Some(parent),
                _ => None,
            };
        }
        if depth > DEPTH {
            tracing::warn!(call = id, extension, context, "Local channels are too deep");
            return Err(Cause::EXCHANGE_ROUTING.into());
        }
        if !call.take_local(now) {
            tracing::warn!(call = id, extension, context, "too many Local channels");
            return Err(Cause::CONGESTION.into());
        }
        let dialling = call.runners.get(&parent).ok_or(Cause::NORMAL)?;
        let from = dialling.thread.facts();
        let facts = Facts {
            name,
            technology: "Local",
            peer: None,
            unique_id,
            caller: from.caller.clone(),
            language: from.language.clone(),
            ..Facts::default()
        };
        let inherited = dialling.thread.inherited();
        let mut thread = Thread::start(dialling.thread.plan().clone(), context, extension, facts)
            .map_err(|_| Gone::cause(Cause::NO_ROUTE))?;
        for (name, value) in inherited {
            thread.set_variable(&name, &value);
        }
        let number = call.number();
        call.runners.insert(number, Runner::new(thread, None, Role::Local { parent }));
        Ok(number)
    }

    /// Does an action of a thread that is still a branch.
    pub(super) fn perform_local(&mut self, now: Instant, id: u64, number: u32, action: Action) -> Option<Outcome> {
        match action {
            Action::Answer
            | Action::Playback { .. }
            | Action::Echo
            | Action::Milliwatt
            | Action::Music { .. }
            | Action::WaitExten(_) => {
                self.take_over(now, id, number);
                self.perform(now, id, number, action)
            }
            Action::Ringing => {
                let music = self.outer_spec(id).is_some_and(|spec| spec.music.is_some());
                let owner = self.calls.get(&id).map(|call| call.key(call.owner))?;
                if !music {
                    self.ring_owner(now, owner);
                }
                Some(Outcome::Done)
            }
            Action::Progress => Some(Outcome::Done),
            Action::Busy { .. } => self.thread_over(now, id, number, Some(Cause::BUSY)),
            Action::Congestion { .. } => self.thread_over(now, id, number, Some(Cause::CONGESTION)),
            Action::Wait(time) => self.wait_for(now, id, number, Wait::Time, Some(time)),
            Action::Dial(dial) => self.dial(now, id, number, dial),
            Action::Hangup { cause } => self.thread_over(now, id, number, cause.map(Cause)),
            Action::End(_) => self.thread_over(now, id, number, None),
        }
    }

    /// A branch drives the caller from now on: all others end.
    fn take_over(&mut self, now: Instant, id: u64, number: u32) {
        let Some(root) = self.calls.get(&id).and_then(super::Call::driver) else { return };
        self.detach_branch(id, Branch::Local(number), root);
        self.stop_branches(now, id, Some(root), Cause::ANSWERED_ELSEWHERE);
        let Some(call) = self.calls.get_mut(&id) else { return };
        let owner = call.owner;
        call.active.push(number);
        if let Some(runner) = call.runners.get_mut(&root) {
            runner.wait = Wait::Other;
            if let Some(dial) = &mut runner.dial {
                dial.joined = Some(now);
            }
        }
        if let Some(runner) = call.runners.get_mut(&number) {
            runner.leg = Some(owner);
            runner.role = Role::Local { parent: root };
            if let Some(dial) = call.runners.get_mut(&root).and_then(|runner| runner.dial.as_mut()) {
                dial.winner = None;
            }
        }
        let key = LegKey { call: id, leg: owner };
        self.play(key, Some(crate::media::Source::Silence));
    }

    /// Takes a branch out of the Dial that made it.
    pub(super) fn detach_branch(&mut self, id: u64, branch: Branch, root: u32) {
        let Some(call) = self.calls.get(&id) else { return };
        let parent = match branch {
            Branch::Leg(leg) => call.legs.get(&leg).and_then(|leg| leg.dialled_by),
            Branch::Local(runner) => call.runners.get(&runner).and_then(|runner| match runner.role {
                Role::Local { parent } => Some(parent),
                _ => None,
            }),
        };
        self.keep_branch(id, parent.unwrap_or(root), branch);
    }

    /// The thread of a Local channel has ended.
    pub(super) fn local_over(&mut self, now: Instant, id: u64, number: u32, parent: u32, gone: Gone) {
        let was_active = self.calls.get(&id).is_some_and(|call| call.active.contains(&number));
        self.stop_branches(now, id, Some(number), gone.cause);
        self.drop_runner(now, id, number, gone.cause);
        if !was_active {
            self.branch_over(now, id, parent, Branch::Local(number), gone);
            return;
        }
        // It had taken the caller over: to the Dial it was the one that answered, and hung up.
        let goes_on = self.dialling(id, parent).is_some_and(|dial| dial.spec.go_on);
        if !goes_on {
            self.end(now, id, gone);
        } else if let Some(outcome) = self.conclude(now, id, parent, Some((DialStatus::Answer, gone.cause))) {
            self.run(now, id, parent, outcome);
        }
    }
}
