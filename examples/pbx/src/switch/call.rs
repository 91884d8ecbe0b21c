//! One call: who called, the dialplan that runs for him, and the legs that it led to.
//!
//! ```text
//!                 ┌────────── owner ─────────┐      ┌─── legs of a Dial ───┐
//!   who called ───▶ Leg 0        Runner(main) ──Dial─▶ Leg 1, Leg 2, …     │ the first that answers is joined
//!                 │                 │ Local     │   └──────────────────────┘
//!                 │                 └─▶ Runner ──Dial─▶ Leg 3 …
//!                 └──────────────────────────┘
//! ```
//! All runners of a call but those of Local branches drive one leg; the last of `active` drives the owner.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use rtp::relay::Side;

use super::{
    Event, Switch,
    alarms::Alarm,
    cause::{Cause, Gone},
    ends::EndState,
    horizon::Origin,
    leg::{Kind, Leg, LegKey, Stage},
    runner::{Role, Runner},
    transfer::Collecting,
};
use crate::{
    cdr::{Disposition, Record},
    dialplan::{CallerId, DialStatus, Facts, Thread},
};

#[derive(Debug)]
pub(super) struct Call {
    pub(super) id: u64,
    pub(super) legs: BTreeMap<u32, Leg>,
    /// The leg that the dialplan runs for.
    pub(super) owner: u32,
    pub(super) runners: BTreeMap<u32, Runner>,
    /// The runners that drive the owner: the last one does, the others wait for it.
    pub(super) active: Vec<u32>,
    /// The next number of a leg or a runner.
    pub(super) next: u32,
    /// The call's media: the caller's side, the callee's.
    pub(super) ends: [Option<EndState>; 2],
    /// The leg that talks with the owner.
    pub(super) bridged: Option<u32>,
    /// Whether the two hear each other.
    pub(super) joined: bool,
    /// The media was begun.
    pub(super) has_media: bool,
    /// Whether silence means that they are gone, as the media was told.
    pub(super) watched: bool,
    pub(super) collecting: Option<Collecting>,
    /// Who called and by which channel, for the record.
    pub(super) identity: Identity,
    /// The account that called, for limits and records.
    pub(super) account: Option<String>,
    pub(super) origin: Origin,
    pub(super) dialled: String,
    pub(super) context: String,
    /// How many further proxies the call may pass.
    pub(super) hops: u8,
    pub(super) started: Instant,
    pub(super) answered: Option<Instant>,
    /// The channel that was dialled last, or that answered.
    pub(super) dstchannel: String,
    /// How the call counts when it is not answered.
    pub(super) otherwise: Disposition,
    /// A second, and how many Local channels were made in it.
    pub(super) locals: (Instant, usize),
    /// What ran last, once the runner is gone.
    pub(super) last: (String, String),
}

/// A channel, as a record names it.
#[derive(Debug, Clone)]
pub(super) struct Identity {
    pub(super) person: CallerId,
    pub(super) channel: String,
    pub(super) unique: String,
}

/// A call that comes in over any leg.
#[derive(Debug)]
pub(super) struct Entrance {
    pub(super) kind: Kind,
    pub(super) technology: &'static str,
    /// The name that the channel has: the account, the peer, or the host.
    pub(super) name: String,
    /// The account or the IAX2 peer.
    pub(super) peer: Option<String>,
    /// The account that is charged and limited.
    pub(super) account: Option<String>,
    pub(super) person: CallerId,
    pub(super) address: std::net::SocketAddr,
    pub(super) context: String,
    pub(super) dialled: String,
    pub(super) language: String,
    pub(super) origin: Origin,
    pub(super) hops: u8,
    /// Further facts for `${CHANNEL(…)}`.
    pub(super) items: Vec<(String, String)>,
}

/// How many are called at once for one call at most, however its Dials lead to each other; and how many Local channels run
/// for it at once, or are made for it in one second.
const BRANCHES: usize = 64;

impl Call {
    /// Whether one more may be called.
    pub(super) fn has_room_for_leg(&self) -> bool {
        // One of them is the caller.
        self.legs.len() <= BRANCHES
    }

    /// Whether one more Local channel may be made, which counts as made then: those that fail at once could otherwise be
    /// as many as there are ways through Dials that lead to each other.
    pub(super) fn take_local(&mut self, now: Instant) -> bool {
        if now.saturating_duration_since(self.locals.0) >= std::time::Duration::from_secs(1) {
            self.locals = (now, 0);
        }
        let free = self.locals.1 < BRANCHES && self.runners.len() <= BRANCHES;
        self.locals.1 += usize::from(free);
        free
    }

    pub(super) fn key(&self, leg: u32) -> LegKey {
        LegKey { call: self.id, leg }
    }

    pub(super) fn owner(&self) -> Option<&Leg> {
        self.legs.get(&self.owner)
    }

    /// The runner that drives the owner.
    pub(super) fn driver(&self) -> Option<u32> {
        self.active.last().copied()
    }

    /// The side of the media that callees have.
    pub(super) fn other_side(&self) -> Side {
        self.owner().map_or(Side::Callee, |leg| leg.side.other())
    }

    /// The leg that another leg talks with.
    pub(super) fn partner(&self, leg: u32) -> Option<u32> {
        let bridged = self.bridged?;
        if leg == bridged { Some(self.owner) } else { (leg == self.owner).then_some(bridged) }
    }

    /// The leg that has a side of the media: whoever talks there, else whoever is called first.
    pub(super) fn leg_at(&self, side: Side) -> Option<u32> {
        let talks = [Some(self.owner), self.bridged].into_iter().flatten();
        let here = |leg: &u32| self.legs.get(leg).is_some_and(|leg| leg.side == side);
        talks.chain(self.legs.keys().copied()).find(here)
    }

    pub(super) fn number(&mut self) -> u32 {
        let number = self.next;
        self.next = self.next.wrapping_add(1);
        number
    }

    /// What the dialplan does now: application and arguments.
    pub(super) fn application(&self) -> (String, String) {
        let main = self.active.first().and_then(|runner| self.runners.get(runner));
        match main {
            Some(runner) if !runner.thread.application().is_empty() => {
                (runner.thread.application().to_owned(), runner.thread.data().to_owned())
            }
            _ => self.last.clone(),
        }
    }
}

impl Switch {
    /// A new call: its dialplan begins. When there is no such extension it is refused.
    pub(super) fn enter(&mut self, now: Instant, entrance: Entrance) -> u64 {
        let id = self.next_call;
        self.next_call += 1;
        let (mut channel, unique) = self.name_channel(now, entrance.technology, &entrance.name);
        let mut coding = None;
        if let Kind::Iax(iax) = &entrance.kind {
            channel = iax.channel(&entrance.name);
            coding = iax.coding();
        }
        let facts = Facts {
            name: channel.clone(),
            technology: entrance.technology,
            peer: entrance.peer.clone(),
            unique_id: unique.clone(),
            caller: entrance.person.clone(),
            language: entrance.language,
            answered: false,
            hangup_cause: 0,
            items: entrance.items,
        };
        tracing::debug!(call = id, %channel, to = %entrance.dialled, context = %entrance.context, "call begins");
        let thread = Thread::start(self.dialplan(), &entrance.context, &entrance.dialled, facts);
        let leg = Leg {
            number: 0,
            channel,
            unique,
            technology: entrance.technology,
            peer: entrance.peer,
            person: entrance.person,
            context: entrance.context.clone(),
            address: entrance.address,
            side: Side::Caller,
            stage: Stage::Down,
            early: false,
            began: now,
            answered: None,
            holds: false,
            format: coding.as_ref().map(|(format, _)| *format),
            codec: coding.map(|(_, name)| name),
            dialled_by: None,
            kind: entrance.kind,
        };
        let identity =
            Identity { person: leg.person.clone(), channel: leg.channel.clone(), unique: leg.unique.clone() };
        self.note_entrance(&leg, LegKey { call: id, leg: 0 });
        let call = Call {
            id,
            legs: BTreeMap::from([(0, leg)]),
            owner: 0,
            runners: BTreeMap::new(),
            active: Vec::new(),
            next: 1,
            ends: [None, None],
            bridged: None,
            joined: false,
            has_media: false,
            watched: false,
            collecting: None,
            identity,
            account: entrance.account,
            origin: entrance.origin,
            dialled: entrance.dialled,
            context: entrance.context,
            hops: entrance.hops,
            started: now,
            answered: None,
            dstchannel: String::new(),
            otherwise: Disposition::Failed,
            locals: (now, 0),
            last: (String::new(), String::new()),
        };
        self.calls.insert(id, call);
        self.tell(Event::Changed);
        match thread {
            Ok(thread) => {
                if let Some(call) = self.calls.get_mut(&id) {
                    call.otherwise = Disposition::NoAnswer;
                    let number = call.number();
                    call.runners.insert(number, Runner::new(thread, Some(0), Role::Main));
                    call.active.push(number);
                    self.run(now, id, number, crate::dialplan::Outcome::Begin);
                }
            }
            Err(_) => self.refuse_call(now, id, Cause::NO_ROUTE.into(), "unknown_extension"),
        }
        id
    }

    /// The leg that a session or an IAX2 call belongs to is found from now on.
    fn note_entrance(&mut self, leg: &Leg, key: LegKey) {
        match &leg.kind {
            Kind::Sip(sip) => {
                self.sessions.insert(sip.session, key);
            }
            Kind::Iax(iax) => self.iax_note(iax, key),
        }
    }

    /// Refuses a call that has its entry already; its record follows.
    pub(super) fn refuse_call(&mut self, now: Instant, id: u64, gone: Gone, reason: &'static str) {
        self.count_refusal(reason);
        if let Some(call) = self.calls.get_mut(&id) {
            call.otherwise = Disposition::Failed;
        }
        self.end(now, id, gone);
    }

    /// Ends a call with all its legs: its threads run `h`, and its record is written.
    pub(super) fn end(&mut self, now: Instant, id: u64, gone: Gone) {
        self.end_but(now, id, gone, None);
    }

    /// Ends a call whose owner may live on in another one; `but` is that leg.
    pub(super) fn end_but(&mut self, now: Instant, id: u64, gone: Gone, but: Option<u32>) {
        self.stop_runners(now, id, gone.cause);
        let Some(call) = self.calls.get(&id) else { return };
        let (owner, legs): (u32, Vec<u32>) = (call.owner, call.legs.keys().copied().collect());
        for leg in legs.into_iter().filter(|leg| Some(*leg) != but) {
            let why = if leg == owner { gone } else { gone.cause.into() };
            self.leg_hang_up(now, LegKey { call: id, leg }, why);
        }
        self.close_media(now, id);
        self.alarms.forget(id);
        self.horizon.forget(id);
        let Some(call) = self.calls.remove(&id) else { return };
        self.write_record(now, &call);
        self.tell(Event::Changed);
    }

    /// Every thread of a call hears that its channel is gone.
    pub(super) fn stop_runners(&mut self, now: Instant, id: u64, cause: Cause) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        call.last = call.application();
        // The innermost first.
        let runners = std::mem::take(&mut call.runners);
        let answered = call.answered.is_some();
        call.active.clear();
        for (_, mut runner) in runners.into_iter().rev() {
            let dialled = runner.dial.as_ref().map(|dial| dial.given_up(now, cause, answered));
            runner.thread.hang_up(cause.0, dialled.as_ref(), &mut self.world);
        }
    }

    /// A leg is gone by itself.
    pub(super) fn on_leg_gone(&mut self, now: Instant, key: LegKey, gone: Gone) {
        let Some(leg) = self.forget_leg(key) else { return };
        let Some(call) = self.calls.get_mut(&key.call) else { return };
        tracing::debug!(call = key.call, channel = %leg.channel, cause = gone.cause.0, "leg ended");
        if call.owner == key.leg {
            self.end(now, key.call, gone.cause.into());
        } else if call.bridged == Some(key.leg) {
            self.on_partner_gone(now, key.call, gone.cause);
        } else {
            self.on_branch_gone(now, key.call, &leg, gone);
        }
    }

    /// The owner is answered.
    pub(super) fn mark_answered(&mut self, now: Instant, id: u64) {
        let longest = self.config.calls.max_time;
        let Some(call) = self.calls.get_mut(&id) else { return };
        if call.answered.is_some() {
            return;
        }
        call.answered = Some(now);
        if let Some(at) = now.checked_add(longest) {
            self.alarms.set(id, Alarm::Limit, at);
        }
        tracing::debug!(call = id, to = %call.dialled, "call answered");
        self.tell(Event::Changed);
    }

    /// Asterisk's name of a new channel, and its unique identity.
    pub(super) fn name_channel(&mut self, now: Instant, technology: &str, name: &str) -> (String, String) {
        self.next_channel = self.next_channel.wrapping_add(1);
        let seconds = super::picture::milliseconds(self.wall(now)) / 1000;
        let number = self.next_channel;
        let unique = match &self.config.name {
            Some(system) => format!("{system}-{seconds}.{number}"),
            None => format!("{seconds}.{number}"),
        };
        (format!("{technology}/{name}-{:08x}", self.next_channel), unique)
    }

    pub(super) fn write_record(&mut self, now: Instant, call: &Call) {
        let disposition = if call.answered.is_some() { Disposition::Answered } else { call.otherwise };
        *self.ended.entry(disposition.as_str()).or_default() += 1;
        let record = self.record(now, call, disposition);
        tracing::info!(
            call = call.id,
            from = %record.src,
            to = %record.dst,
            disposition = disposition.as_str(),
            seconds = record.duration.as_secs(),
            talked = record.billsec.as_secs(),
            "call ended"
        );
        self.tell(Event::Record(Box::new(record)));
    }

    fn record(&self, now: Instant, call: &Call, disposition: Disposition) -> Record {
        let (lastapp, lastdata) = call.application();
        let identity = call.identity.clone();
        Record {
            accountcode: call.account.clone().unwrap_or_default(),
            src: identity.person.number.clone(),
            dst: call.dialled.clone(),
            dcontext: call.context.clone(),
            clid: clid(&identity.person),
            channel: identity.channel,
            dstchannel: call.dstchannel.clone(),
            lastapp,
            lastdata,
            start: self.wall(call.started),
            answer: call.answered.map(|at| self.wall(at)),
            end: self.wall(now),
            duration: now.saturating_duration_since(call.started),
            billsec: call.answered.map_or(Duration::ZERO, |at| now.saturating_duration_since(at)),
            disposition,
            uniqueid: identity.unique,
            userfield: String::new(),
        }
    }
}

/// Name and number as Asterisk writes them into a record.
fn clid(person: &CallerId) -> String {
    match (person.name.is_empty(), person.number.is_empty()) {
        (true, _) => person.number.clone(),
        (false, true) => format!("\"{}\"", person.name),
        (false, false) => format!("\"{}\" <{}>", person.name, person.number),
    }
}

/// How a call counts that a Dial ended with, when it is never answered.
pub(super) fn disposition(status: DialStatus) -> Disposition {
    match status {
        DialStatus::Answer => Disposition::Answered,
        DialStatus::Busy => Disposition::Busy,
        DialStatus::NoAnswer | DialStatus::Cancel => Disposition::NoAnswer,
        _ => Disposition::Failed,
    }
}

/// Bytes of a user part or display name as text, without what could break a line.
pub(super) fn text(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    text.chars().filter(|character| !character.is_control()).take(80).collect()
}

/// What a caller says of himself and nobody vouches for, for the dialplan: without the signs that mean something to it
/// wherever it puts a value.
pub(super) fn said(bytes: &[u8]) -> String {
    without(bytes, "(){}[]$\"\\,&;|")
}

/// The same of a number, which also has none of the signs of targets and branches.
pub(super) fn said_number(bytes: &[u8]) -> String {
    without(bytes, "(){}[]$\"\\,&;|@/?:=^<>'`")
}

fn without(bytes: &[u8], signs: &str) -> String {
    text(bytes).chars().filter(|character| !signs.contains(*character)).collect::<String>().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_callers_say_of_themselves_means_nothing_to_a_dialplan() {
        for (bytes, name, number) in [
            ("Zoë O'Brien", "Zoë O'Brien", "Zoë OBrien"),
            ("a):Dial(IAX2/carrier/00", "a:DialIAX2/carrier/00", "aDialIAX2carrier00"),
            ("${SHELL}$[1]", "SHELL1", "SHELL1"),
            ("\"a\\\",b&c;d|e\r\n", "abcde", "abcde"),
            ("+49 30@carrier", "+49 30@carrier", "+49 30carrier"),
            ("\"\"", "", ""),
        ] {
            assert_eq!((said(bytes.as_bytes()), said_number(bytes.as_bytes())), (name.to_owned(), number.to_owned()));
        }
    }
}
