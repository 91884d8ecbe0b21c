//! The picture that the page, `/metrics` and the console show.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use std::sync::Arc;

use rtp::relay;

use super::{
    Switch,
    call::Call,
    leg::{Leg, Stage},
};
use crate::{
    config::{self, Address, Network},
    media::Figures,
    status::{self, Account, Extension, Settings, Side, State, Status, Step, Table},
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
        let calls: Vec<_> = self.calls.values().map(|call| self.call_status(call, figures(call.id))).collect();
        let sides = || calls.iter().flat_map(|call| [Some(&call.caller), call.callee.as_ref()]).flatten();
        Status {
            at: milliseconds(self.wall(now)),
            started: milliseconds(self.started),
            draining: self.is_draining(),
            name: self.config.name.clone(),
            dialplan: Arc::clone(&self.config.dialplan),
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
                    context: account.context.clone(),
                    fixed: match &account.address {
                        Address::Fixed(place) => Some(place.to_string()),
                        Address::Dynamic | Address::Nowhere => None,
                    },
                    calls: sides().filter(|side| side.peer.as_ref() == Some(&account.name)).count(),
                    qualify: self.watch.status(&account.name),
                    bindings: self.bindings(now, &account.name),
                    settings: self.settings(account),
                })
                .collect(),
            registrations: self.registration_status(),
            iax: self.iax_status(),
            tables: self.tables(),
            totals: self.totals(),
            calls,
        }
    }

    fn settings(&self, account: &config::Account) -> Settings {
        let there = match &account.address {
            Address::Fixed(host) if account.trust_address => self.config.socket(host, 0),
            _ => None,
        };
        let there = there.map(|there| Network::host(there.ip().to_canonical()));
        let common = self.config.registration.per_account;
        Settings {
            number: account.caller_number.clone(),
            user: account.has_password().then(|| account.user().to_owned()),
            remote_user: account
                .remote_secret
                .as_ref()
                .and(account.remote_credentials())
                .map(|(user, _)| user.to_owned()),
            contacts: if account.address == Address::Dynamic { account.max_contacts.unwrap_or(common) } else { 0 },
            calls: account.max_calls,
            transport: account.transport.map(|transport| transport.token()),
            networks: account.trusted.iter().chain(&there).map(ToString::to_string).collect(),
            has_rules: !account.acl.is_empty(),
        }
    }

    fn call_status(&self, call: &Call, figures: Option<Figures>) -> status::Call {
        let owner = call.owner();
        let called = || call.legs.values().filter(|leg| leg.number != call.owner);
        let first = call.bridged.and_then(|leg| call.legs.get(&leg)).or_else(|| called().next());
        let others = called().filter(|leg| Some(leg.number) != first.map(|leg| leg.number));
        let rings =
            owner.is_some_and(|leg| leg.stage == Stage::Ringing) || called().any(|leg| leg.stage >= Stage::Ringing);
        let state = match call.answered {
            Some(_) => State::Up,
            None if rings => State::Ringing,
            None => State::Calling,
        };
        let (application, data) = call.application();
        let side = |leg: &Leg, media: bool| self.side_status(call, leg, figures.filter(|_| media));
        status::Call {
            id: call.id,
            state,
            dialled: call.dialled.clone(),
            step: call.active.first().and_then(|runner| call.runners.get(runner)).map_or_else(
                || Step { context: call.context.clone(), extension: call.dialled.clone(), priority: 1 },
                |runner| Step {
                    context: runner.thread.context().to_owned(),
                    extension: runner.thread.extension().to_owned(),
                    priority: runner.thread.priority(),
                },
            ),
            application,
            data,
            started: milliseconds(self.wall(call.started)),
            answered: call.answered.map(|at| milliseconds(self.wall(at))),
            codec: owner.and_then(|leg| leg.codec.clone()),
            caller: owner.map(|leg| side(leg, true)).unwrap_or_default(),
            callee: first.map(|leg| side(leg, true)),
            others: others.map(|leg| side(leg, false)).collect(),
        }
    }

    fn side_status(&self, call: &Call, leg: &Leg, figures: Option<Figures>) -> Side {
        Side {
            channel: leg.channel.clone(),
            unique: leg.unique.clone(),
            number: leg.person.number.clone(),
            name: Some(leg.person.name.clone()).filter(|name| !name.is_empty()),
            peer: leg.peer.clone(),
            address: leg.address.to_string(),
            state: match leg.stage {
                Stage::Up => "Up",
                // Who called hears it ring.
                _ if leg.number == call.owner => "Ring",
                Stage::Ringing => "Ringing",
                Stage::Down => "Down",
            },
            since: milliseconds(self.wall(leg.answered.unwrap_or(leg.began))),
            began: milliseconds(self.wall(leg.began)),
            codec: leg.codec.clone(),
            held: leg.holds,
            media: figures.map(|figures| match leg.side {
                relay::Side::Caller => figures.caller,
                relay::Side::Callee => figures.callee,
            }),
        }
    }

    fn tables(&self) -> Vec<Table> {
        let agent = self.agent.snapshot();
        let of_calls = |count: fn(&Call) -> usize| self.calls.values().map(count).sum();
        let limits = &self.config.limits;
        let pairs = self.ports.capacity();
        let row = |name, size, limit, per_call| Table { name, size, limit, per_call };
        let mut tables = vec![
            row("calls", self.calls.len(), Some(limits.calls), true),
            row("legs", of_calls(|call| call.legs.len()), None, true),
            row("threads", of_calls(|call| call.runners.len()), None, true),
            row("sip_legs", self.sessions.len(), None, true),
            row("call_alarms", self.alarms.len(), None, true),
            row("ringing_callees", self.ringing.len(), None, true),
            row("trunk_setups", self.horizon.len(), None, true),
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
        tables.push(row("keep_alives", self.keep_alives.len(), Some(limits.connections), false));
        tables.push(row("qualify_requests", self.watch.len(), Some(self.config.accounts.len()), false));
        tables.push(row("dialplan_globals", self.world.globals(), None, false));
        tables.extend(self.trunks.tables());
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
