//! What is shown of IAX2: peers, registrations, calls, trunks.

use iax2::Reachability;

use super::{
    super::{Switch, leg::Leg, picture::milliseconds},
    Trunks,
    traffic::Flow,
};
use crate::{
    config::Address,
    status::{self, Table},
};

impl Switch {
    /// The picture of IAX2; `None` when it is off.
    pub(in crate::switch) fn iax_status(&self) -> Option<status::Iax> {
        let endpoint = self.trunks.endpoint.as_ref()?;
        let legs = || self.trunks.legs.values().filter_map(|key| self.leg(*key));
        let peers = self.config.iax.peers.iter().map(|peer| {
            let address = endpoint.peer_address(&peer.name);
            let traffic = address.map(|address| self.trunks.traffic.of(address)).unwrap_or_default();
            let (state, delay) = match endpoint.reachability(&peer.name) {
                _ if peer.qualify.is_none() => ("Unmonitored", None),
                _ if address.is_none() => ("UNKNOWN", None),
                Some(Reachability::Reachable(time)) => ("OK", Some(time)),
                Some(Reachability::Lagged(time)) => ("LAGGED", Some(time)),
                Some(Reachability::Unreachable) => ("UNREACHABLE", None),
                _ => ("UNKNOWN", None),
            };
            status::IaxPeer {
                name: peer.name.clone(),
                username: peer.username.clone(),
                address: address.map(|address| address.to_string()),
                dynamic: peer.address == Address::Dynamic,
                trunk: peer.trunk,
                encrypted: peer.encryption != iax2::Encryption::Off,
                context: peer.contexts.first().cloned().unwrap_or_default(),
                state,
                delay: delay.map(|time| time.as_secs_f64() * 1000.0),
                calls: legs().filter(|leg| leg.peer.as_ref() == Some(&peer.name)).count(),
                sent: flow(&traffic.sent),
                received: flow(&traffic.received),
            }
        });
        let registrations = self.trunks.registrations.iter().map(|it| status::IaxRegistration {
            host: it.address.to_string(),
            username: it.wanted.user.clone(),
            perceived: it.perceived.map(|address| address.to_string()),
            refresh: it.refresh.as_secs(),
            state: it.state.as_str(),
            since: it.since.map(|at| milliseconds(self.wall(at))),
        });
        let mut channels: Vec<_> = legs().filter_map(|leg| self.channel_status(leg)).collect();
        channels.sort_by(|a, b| a.channel.cmp(&b.channel));
        let counters = endpoint.snapshot().counters;
        Some(status::Iax {
            peers: peers.collect(),
            registrations: registrations.collect(),
            channels,
            sent: flow(&self.trunks.traffic.total.sent),
            received: flow(&self.trunks.traffic.total.received),
            counters: [
                ("datagrams_received", counters.received),
                ("malformed", counters.malformed),
                ("unknown_call", counters.unknown_call),
                ("ignored", counters.ignored),
                ("tokens_sent", counters.tokens_sent),
                ("tokens_refused", counters.tokens_refused),
                ("refused_by_limit", counters.refused_by_limit),
            ]
            .into_iter()
            .collect(),
        })
    }

    fn channel_status(&self, leg: &Leg) -> Option<status::IaxChannel> {
        let endpoint = self.trunks.endpoint.as_ref()?;
        let iax = leg.iax()?;
        let (sent, received) = endpoint.sequence_numbers(iax.call).unwrap_or_default();
        let report = endpoint.report(iax.call).unwrap_or_default();
        Some(status::IaxChannel {
            channel: leg.channel.clone(),
            peer: leg.peer.clone().unwrap_or_default(),
            address: leg.address.to_string(),
            numbers: (iax.call.number(), endpoint.remote_number(iax.call)),
            sequence: (sent, received),
            lag: iax.round_trip.and_then(|time| u64::try_from(time.as_millis()).ok()),
            jitter: report.jitter,
            lost: report.lost,
            format: leg.codec.clone(),
            encrypted: endpoint.is_encrypted(iax.call),
        })
    }
}

impl Trunks {
    pub(in crate::switch) fn tables(&self) -> Vec<Table> {
        let row = |name, size, per_call| Table { name, size, limit: None, per_call };
        let snapshot = self.endpoint.as_ref().map(iax2::Endpoint::snapshot).unwrap_or_default();
        vec![
            row("iax_legs", self.legs.len(), true),
            row("iax_calls", snapshot.calls, true),
            row("iax_unheard", self.unheard.len(), true),
            row("iax_vigils", self.vigils.len(), true),
            row("iax_trunks", snapshot.trunks, true),
            row("iax_exchanges", snapshot.exchanges, false),
            row("iax_lingering", snapshot.lingering, false),
            row("iax_bindings", self.bindings.len(), false),
            row("iax_suspects", self.suspects.len(), false),
            row("iax_places", self.traffic.len(), false),
        ]
    }
}

fn flow(flow: &Flow) -> status::Flow {
    status::Flow { datagrams: flow.datagrams, bytes: flow.bytes, trunk_frames: flow.trunk_frames, rate: flow.rate }
}
