//! `/metrics`: the status as Prometheus text.

use std::fmt::Write;

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};

use crate::control::{Control, Status};
use crate::l4::ServerSnapshot;
use crate::meters::Counted;
use sip_proxy::stateless::Label;

pub(super) async fn metrics(State(control): State<Control>) -> Response {
    let text = render(&control.status().await, &control.histograms());
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response()
}

/// One family after the other, each with its help and type.
fn render(status: &Status, histograms: &[(Label, Counted)]) -> String {
    let mut out = Text(String::new());
    out.family("dispatcher_ready", "gauge", "Whether some destination takes new calls.");
    out.value("dispatcher_ready", &[], f64::from(u8::from(status.ready)));
    out.family("dispatcher_list_version", "gauge", "How many lists were loaded.");
    out.value("dispatcher_list_version", &[], status.version as f64);
    out.family("dispatcher_connections", "gauge", "Connections that are open.");
    out.value("dispatcher_connections", &[], status.connections as f64);
    if let Some(peers) = status.peers {
        out.family("dispatcher_peers", "gauge", "Other dispatchers that are there.");
        out.value("dispatcher_peers", &[], peers as f64);
    }
    out.family("dispatcher_destination_up", "gauge", "Whether a destination takes new calls, by state.");
    for it in &status.destinations {
        let is_up = matches!(it.state, "active" | "trying");
        let labels = [("destination", it.name.as_str()), ("state", it.state)];
        out.value("dispatcher_destination_up", &labels, f64::from(u8::from(is_up)));
    }
    out.family("dispatcher_destination_calls", "gauge", "Calls that a destination has now.");
    for it in &status.destinations {
        out.value("dispatcher_destination_calls", &[("destination", &it.name)], it.calls as f64);
    }
    out.family("dispatcher_destination_share", "gauge", "A destination's part of the new calls of the last seconds.");
    for it in &status.destinations {
        out.value("dispatcher_destination_share", &[("destination", &it.name)], it.share);
    }
    out.family("dispatcher_calls_total", "counter", "Calls that were sent to a destination.");
    for it in &status.destinations {
        out.value("dispatcher_calls_total", &[("destination", &it.name)], it.total as f64);
    }
    out.family("dispatcher_probes_total", "counter", "Probes, by what came of them.");
    for it in &status.destinations {
        for (result, count) in [("answered", it.probes.0), ("failed", it.probes.1)] {
            out.value("dispatcher_probes_total", &[("destination", &it.name), ("result", result)], count as f64);
        }
    }
    out.family("dispatcher_record_entries", "gauge", "Entries of the record of calls, by phase.");
    for (phase, count) in &status.record {
        out.value("dispatcher_record_entries", &[("phase", phase)], *count as f64);
    }
    out.family("dispatcher_messages_total", "counter", "Messages, by what became of them.");
    for (fate, count) in &status.messages {
        out.value("dispatcher_messages_total", &[("fate", fate)], *count as f64);
    }
    connections(&mut out, status);
    let name = "dispatcher_response_seconds";
    out.family(name, "histogram", "From the kernel's receipt of a message to the send of what it led to.");
    for (label, counted) in histograms {
        let mut sum = 0;
        let labels = [("method", label.verb.as_str()), ("class", label.class.as_str())];
        for (place, count) in counted.buckets.iter().enumerate() {
            sum += count;
            let bound =
                Control::bounds().get(place).map_or("+Inf".to_owned(), |micros| (*micros as f64 / 1e6).to_string());
            let [method, class] = labels;
            out.value(&format!("{name}_bucket"), &[method, class, ("le", &bound)], sum as f64);
        }
        out.value(&format!("{name}_sum"), &labels, counted.sum as f64 / 1e6);
        out.value(&format!("{name}_count"), &labels, sum as f64);
    }
    out.0
}

/// The balancers of TCP.
fn connections(out: &mut Text, status: &Status) {
    if status.l4.is_empty() {
        return;
    }
    let each = |out: &mut Text, name: &str, kind: &str, help: &str, value: fn(&ServerSnapshot) -> f64| {
        out.family(name, kind, help);
        for (balancer, server) in status.l4.iter().flat_map(|it| it.snapshot.servers.iter().map(move |one| (it, one))) {
            out.value(name, &[("balancer", &balancer.name), ("server", &server.name)], value(server));
        }
    };
    each(out, "dispatcher_l4_up", "gauge", "Whether a server takes connections.", |it| {
        f64::from(u8::from(matches!(it.state, "active" | "trying")))
    });
    each(out, "dispatcher_l4_connections", "gauge", "Connections of a server now.", |it| it.connections as f64);
    each(out, "dispatcher_l4_connections_total", "counter", "Connections of a server.", |it| it.total as f64);
    each(out, "dispatcher_l4_failed_total", "counter", "Connections that a server refused.", |it| it.failed as f64);
    each(out, "dispatcher_l4_to_server_bytes_total", "counter", "Bytes to a server.", |it| it.to_server as f64);
    each(out, "dispatcher_l4_to_client_bytes_total", "counter", "Bytes from a server.", |it| it.to_client as f64);
    let name = "dispatcher_l4_closed_total";
    out.family(name, "counter", "Connections that a balancer closed of its own accord.");
    for it in &status.l4 {
        for (reason, count) in [("refused", it.snapshot.refused), ("idle", it.snapshot.idled)] {
            out.value(name, &[("balancer", &it.name), ("reason", reason)], count as f64);
        }
    }
}

struct Text(String);

impl Text {
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        // Writing to a string cannot fail.
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    fn value(&mut self, name: &str, labels: &[(&str, &str)], value: f64) {
        let written: Vec<String> = labels
            .iter()
            .map(|(label, value)| {
                let value = value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
                format!("{label}=\"{value}\"")
            })
            .collect();
        let labels = if written.is_empty() { String::new() } else { format!("{{{}}}", written.join(",")) };
        let _ = writeln!(self.0, "{name}{labels} {value}");
    }
}
