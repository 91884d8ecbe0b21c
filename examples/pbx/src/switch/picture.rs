//! The picture that the page, `/metrics` and the console show.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use super::{
    Switch,
    call::{Call, Purpose},
};
use crate::{
    media::Figures,
    status::{self, Account, Extension, Side, State, Status, Table},
};

pub(super) fn milliseconds(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

impl Switch {
    /// The picture at a moment. `figures` tells what is heard in a call. Listeners and what the edges count are left to
    /// the driver.
    #[must_use]
    pub fn status(&self, now: Instant, figures: impl Fn(u64) -> Option<Figures>) -> Status {
        Status {
            at: milliseconds(self.wall(now)),
            started: milliseconds(self.started),
            draining: self.is_draining(),
            listeners: Vec::new(),
            extensions: self
                .config
                .extensions
                .iter()
                .map(|(number, application)| Extension::new(number, *application))
                .collect(),
            accounts: self
                .config
                .accounts
                .iter()
                .map(|account| Account {
                    name: account.name.clone(),
                    caller_id: account.caller_id.clone(),
                    bindings: self.bindings(now, &account.name),
                })
                .collect(),
            calls: self.calls.values().map(|call| self.call_status(call, figures(call.id))).collect(),
            tables: self.tables(),
            totals: self.totals(),
        }
    }

    fn call_status(&self, call: &Call, figures: Option<Figures>) -> status::Call {
        let state = match call {
            Call { ending: true, .. } => State::Ending,
            Call { answered: Some(_), .. } => State::Up,
            Call { ringing: true, .. } => State::Ringing,
            _ => State::Calling,
        };
        let [caller_holds, callee_holds] = call.held;
        let callee = match &call.purpose {
            Purpose::Dial(account) => Some(Side {
                channel: call.callee().map(|branch| branch.channel.clone()).unwrap_or_default(),
                number: account.clone(),
                name: self.config.account(account).and_then(|account| account.caller_id.clone()),
                address: call.callee().map(|branch| branch.address.to_string()).unwrap_or_default(),
                held: callee_holds,
                media: figures.map(|figures| figures.callee),
            }),
            Purpose::Application(_) => None,
        };
        status::Call {
            id: call.id,
            state,
            dialled: call.dialled.clone(),
            application: call.purpose.application(),
            data: call.purpose.data(),
            started: milliseconds(self.wall(call.started)),
            answered: call.answered.map(|at| milliseconds(self.wall(at))),
            codec: call.codec.clone(),
            caller: Side {
                channel: call.channel.clone(),
                number: call.caller.number.clone(),
                name: call.caller.name.clone(),
                address: call.source.remote.to_string(),
                held: caller_holds,
                media: figures.map(|figures| figures.caller),
            },
            callee,
        }
    }

    fn tables(&self) -> Vec<Table> {
        let (agent, b2bua) = (self.agent.snapshot(), self.b2bua.snapshot());
        let limits = &self.config.limits;
        let pairs = self.ports.capacity();
        let row = |name, size, limit, per_call| Table { name, size, limit, per_call };
        let mut tables = vec![
            row("calls", self.calls.len(), Some(limits.calls), true),
            row("bridges", b2bua.calls + b2bua.ending, Some(limits.calls), true),
            row("bridge_sessions", b2bua.sessions, None, true),
            row("bridge_timers", b2bua.timers, None, true),
            row("bridge_requests", b2bua.passed, None, true),
            row("sessions", agent.sessions + agent.lingering, Some(self.agent.config().sessions), true),
            row("dialogs", agent.dialogs, None, true),
            row("client_transactions", agent.endpoint.client_transactions, Some(limits.transactions), true),
            row("server_transactions", agent.endpoint.server_transactions, Some(limits.transactions), true),
            row("session_timers", agent.timers, None, true),
            row("session_requests", agent.clients + agent.servers, None, true),
            row("merge_watches", agent.merging, None, true),
            row("strangers", agent.endpoint.strangers, None, true),
            row("connections", agent.endpoint.connections, Some(limits.connections), false),
            row("media_ports", self.ports.allocated(), Some(pairs), true),
        ];
        tables.extend(self.gate.tables());
        tables.extend(self.location_tables());
        tables
    }

    fn totals(&self) -> status::Totals {
        let agent = self.agent.snapshot();
        let (counters, below) = (agent.counters, agent.endpoint.counters);
        let sip = [
            ("invites_received", counters.incoming),
            ("invites_sent", counters.outgoing),
            ("answers_sent_again", counters.answers_resent),
            ("answers_never_acknowledged", counters.not_acknowledged),
            ("offers_crossed", counters.glare),
            ("unknown_dialog", counters.unknown_dialog),
            ("malformed_answered", below.malformed_answered),
            ("malformed_dropped", below.malformed),
            ("stray_responses", below.stray_responses),
            ("shed_answered", below.shed_answered),
            ("shed_dropped", below.shed_dropped),
            ("amplification_prevented", below.amplification_prevented),
            ("client_failures", below.client_failures),
            ("server_timeouts", below.server_timeouts),
            ("connections_accepted", below.connections_accepted),
            ("connections_refused", below.connections_refused),
            ("slow_readers", below.slow_readers),
        ];
        status::Totals {
            calls: self.ended.clone(),
            refusals: self.refusals.clone(),
            sip: sip.into_iter().chain(self.gate.counters()).collect(),
            ..status::Totals::default()
        }
    }
}
