//! `/metrics`: the picture as Prometheus text.

use std::{collections::BTreeMap, sync::Arc};

use axum::{
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric, MetricEncoder, text::encode},
    metrics::{MetricType, TypedMetric, counter::ConstCounter, gauge::ConstGauge},
    registry::Registry,
};

use crate::{
    control::Control,
    status::{self, Status},
};

pub(super) async fn metrics(State(control): State<Control>) -> Response {
    let mut registry = Registry::with_prefix("pbx");
    registry.register_collector(Box::new(Picture(control.status())));
    let mut text = String::new();
    match encode(&mut text, &registry) {
        Ok(()) => {
            let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
            ([(header::CONTENT_TYPE, kind)], text).into_response()
        }
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

#[derive(Debug)]
struct Picture(Arc<Status>);

impl Collector for Picture {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let status = &*self.0;
        gauge(&mut encoder, "registrations", "Phones registered.", to_i64(status.registrations()))?;
        gauge(&mut encoder, "draining", "Whether new calls are refused before the end.", status.draining.into())?;
        let started = i64::try_from(status.started / 1000).unwrap_or(i64::MAX);
        gauge(&mut encoder, "start_time_seconds", "When the program started, in seconds since 1970.", started)?;

        let states = [status::State::Calling, status::State::Ringing, status::State::Up];
        let by_state = states.map(|state| (state.as_str(), to_i64(status.calls_in(state))));
        gauges(&mut encoder, "calls", "Calls at this moment, by state.", "state", by_state)?;

        let sizes = status.tables.iter().map(|table| (table.name, to_i64(table.size)));
        gauges(&mut encoder, "table_entries", "Entries of each table.", "table", sizes)?;
        let limits = status.tables.iter().filter_map(|table| Some((table.name, to_i64(table.limit?))));
        gauges(&mut encoder, "table_limit", "The most entries of each table.", "table", limits)?;

        let totals = &status.totals;
        counters(&mut encoder, "calls_ended", "Calls that ended, by how.", "disposition", &totals.calls)?;
        counters(&mut encoder, "refusals", "Requests refused, by reason.", "reason", &totals.refusals)?;
        counters(&mut encoder, "sip", "What happened in the SIP layers.", "event", &totals.sip)?;
        counters(&mut encoder, "rtp_packets", "Media packets, by what became of them.", "kind", &totals.rtp)?;
        if let Some(iax) = &status.iax {
            counters(&mut encoder, "iax2", "What happened to datagrams of IAX2.", "event", &iax.counters)?;
            let sent = [("sent", iax.sent), ("received", iax.received)];
            let bytes = sent.iter().map(|(way, flow)| (*way, flow.bytes)).collect();
            counters(&mut encoder, "iax2_bytes", "Bytes of IAX2, with headers of IP and UDP.", "way", &bytes)?;
            let frames = sent.iter().map(|(way, flow)| (*way, flow.trunk_frames)).collect();
            counters(&mut encoder, "iax2_trunk_frames", "Trunk frames.", "way", &frames)?;
            let online = iax.peers.iter().filter(|peer| matches!(peer.state, "OK" | "LAGGED")).count();
            gauge(&mut encoder, "iax2_peers_online", "Watched peers that answer.", to_i64(online))?;
        }
        let metric = ConstCounter::new(totals.cdr_errors);
        let help = "Call records that could not be written.";
        metric.encode(encoder.encode_descriptor("cdr_errors", help, None, MetricType::Counter)?)
    }
}

fn to_i64(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn gauge(encoder: &mut DescriptorEncoder<'_>, name: &str, help: &str, value: i64) -> Result<(), std::fmt::Error> {
    ConstGauge::new(value).encode(encoder.encode_descriptor(name, help, None, MetricType::Gauge)?)
}

fn gauges(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    label: &str,
    values: impl IntoIterator<Item = (&'static str, i64)>,
) -> Result<(), std::fmt::Error> {
    let values = values.into_iter().map(|(value, count)| (value, ConstGauge::new(count)));
    family(encoder.encode_descriptor(name, help, None, <ConstGauge<i64>>::TYPE)?, label, values)
}

fn counters(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    label: &str,
    values: &BTreeMap<&'static str, u64>,
) -> Result<(), std::fmt::Error> {
    let values = values.iter().map(|(value, count)| (*value, ConstCounter::new(*count)));
    family(encoder.encode_descriptor(name, help, None, <ConstCounter<u64>>::TYPE)?, label, values)
}

fn family(
    mut encoder: MetricEncoder<'_>,
    label: &str,
    values: impl IntoIterator<Item = (&'static str, impl EncodeMetric)>,
) -> Result<(), std::fmt::Error> {
    for (value, metric) in values {
        metric.encode(encoder.encode_family(&[(label, value)])?)?;
    }
    Ok(())
}
