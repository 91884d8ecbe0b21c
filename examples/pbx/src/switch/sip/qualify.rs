//! Accounts that are watched (`qualify`): they are asked for a sign of life by OPTIONS, and those that do not give one in
//! time are not called.

use std::{
    collections::{BTreeSet, HashMap},
    time::{Duration, Instant},
};

use bytes::Bytes;
use sip_core::{
    Method, Request,
    header::{CallId, From, To},
};
use sip_transaction::{ClientId, Target};

use super::super::{Event, Switch};
use crate::{
    config::{Account, Qualify},
    status,
};

/// How soon one is asked again that did not answer, as Asterisk's `qualifyfreqnotok`.
const SOON: Duration = Duration::from_secs(10);

/// What is to be done for an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Task {
    Ask,
    GiveUp,
}

/// What is known of an account.
#[derive(Debug, Default)]
struct State {
    /// How long its last answer took; `None` when there was none.
    answered: Option<Duration>,
    /// Whether it was ever asked with a result.
    known: bool,
    asked: Option<(ClientId, Instant)>,
    due: Option<(Instant, Task)>,
}

/// All that are watched.
#[derive(Debug, Default)]
pub(in crate::switch) struct Watch {
    order: BTreeSet<(Instant, Task, String)>,
    states: HashMap<String, (Qualify, State)>,
    requests: HashMap<ClientId, String>,
    count: u64,
}

impl Watch {
    pub(in crate::switch) fn new(accounts: &[Account], now: Instant) -> Self {
        let mut watch = Self::default();
        for account in accounts {
            if let Some(qualify) = account.qualify {
                watch.states.insert(account.name.clone(), (qualify, State::default()));
                watch.plan(&account.name, Task::Ask, now, Duration::ZERO);
            }
        }
        watch
    }

    fn plan(&mut self, account: &str, task: Task, now: Instant, after: Duration) {
        let (Some((_, state)), Some(at)) = (self.states.get_mut(account), now.checked_add(after)) else { return };
        if let Some((at, task)) = state.due.replace((at, task)) {
            self.order.remove(&(at, task, account.to_owned()));
        }
        self.order.insert((at, task, account.to_owned()));
    }

    /// Asks now: it has just registered.
    pub(in crate::switch) fn ask(&mut self, now: Instant, account: &str) {
        if self.states.get(account).is_some_and(|(_, state)| state.asked.is_none()) {
            self.plan(account, Task::Ask, now, Duration::ZERO);
        }
    }

    pub(in crate::switch) fn next(&self) -> Option<Instant> {
        self.order.first().map(|(at, ..)| *at)
    }

    pub(in crate::switch) fn len(&self) -> usize {
        self.requests.len()
    }

    /// Whether an account may be called: it answers in time, or that is not known yet.
    pub(in crate::switch) fn may_call(&self, account: &str) -> bool {
        self.states
            .get(account)
            .is_none_or(|(qualify, state)| !state.known || state.answered.is_some_and(|time| time <= qualify.limit))
    }

    pub(in crate::switch) fn status(&self, account: &str) -> Option<status::Qualify> {
        let (qualify, state) = self.states.get(account)?;
        Some(status::Qualify {
            reachable: state.answered.is_some(),
            lagged: state.answered.is_some_and(|time| time > qualify.limit),
            milliseconds: state.answered.and_then(|time| u64::try_from(time.as_millis()).ok()),
        })
    }
}

impl Switch {
    pub(in crate::switch) fn on_watch_timeout(&mut self, now: Instant) {
        while let Some(first) = self.watch.order.first().filter(|(at, ..)| *at <= now).cloned() {
            self.watch.order.remove(&first);
            let (_, task, account) = first;
            if let Some((_, state)) = self.watch.states.get_mut(&account) {
                state.due = None;
            }
            match task {
                Task::Ask => self.ask_account(now, &account),
                Task::GiveUp => self.on_watched(now, &account, None),
            }
        }
    }

    fn ask_account(&mut self, now: Instant, account: &str) {
        let Some(qualify) = self.watch.states.get(account).map(|(qualify, _)| *qualify) else { return };
        let Some(phone) = self.places_of(now, account, None).into_iter().next() else {
            // Not registered: there is nobody to ask.
            if let Some((_, state)) = self.watch.states.get_mut(account) {
                (state.answered, state.known) = (None, false);
            }
            self.watch.plan(account, Task::Ask, now, qualify.every);
            return;
        };
        let host = phone.target.listener.map(|listener| self.own_host(listener));
        let from = From { name_addr: self.own_address(host.clone(), "pbx", None) }.with_tag(b"qualify");
        let to = To { name_addr: self.own_address(host, account, None) };
        self.watch.count += 1;
        let started = super::super::picture::milliseconds(self.started);
        let call_id = CallId(Bytes::from(format!("{started:x}-{}-qualify", self.watch.count)));
        let request = Request::builder(Method::Options, &phone.contact, &from, &to, &call_id, 1).build();
        match self.agent.send_request(now, request, Target { ..phone.target }) {
            Ok(id) => {
                if let Some((_, state)) = self.watch.states.get_mut(account) {
                    state.asked = Some((id, now));
                }
                self.watch.requests.insert(id, account.to_owned());
                self.watch.plan(account, Task::GiveUp, now, qualify.limit.saturating_mul(2));
            }
            Err(_) => self.on_watched(now, account, None),
        }
    }

    /// A request of ours drew a final response (`answered`), or none; tells whether it was one of these.
    pub(in crate::switch) fn on_asked(&mut self, now: Instant, id: ClientId, answered: bool) -> bool {
        let Some(account) = self.watch.requests.remove(&id) else { return false };
        let asked = self.watch.states.get(&account).and_then(|(_, state)| state.asked);
        if let Some((_, at)) = asked.filter(|(asked, _)| *asked == id) {
            let time = answered.then(|| now.saturating_duration_since(at));
            self.on_watched(now, &account, time);
        }
        true
    }

    fn on_watched(&mut self, now: Instant, account: &str, answered: Option<Duration>) {
        let Some((qualify, state)) = self.watch.states.get_mut(account) else { return };
        let (was, every) = (state.answered.is_some() || !state.known, qualify.every);
        (state.answered, state.known, state.asked) = (answered, true, None);
        let again = if answered.is_some() { every } else { every.min(SOON) };
        self.watch.plan(account, Task::Ask, now, again);
        if was != answered.is_some() {
            match answered {
                Some(time) => tracing::info!(account, milliseconds = time.as_millis(), "account is reachable"),
                None => tracing::warn!(account, "account is unreachable"),
            }
            self.tell(Event::Changed);
        }
    }
}
