//! What happened, in lines.

use std::sync::Arc;

use serde::Serialize;
use sip_proxy::dispatcher::Event;
use tokio::sync::mpsc;

use super::{Inner, wall};
use crate::l4::{self, Happened};

/// How many lines the journal has.
const LINES: usize = 500;

/// A line of the journal.
#[derive(Debug, Clone, Serialize)]
pub struct Line {
    /// Milliseconds since 1970.
    pub at: u64,
    /// Which destination it is about.
    pub destination: Option<String>,
    /// What happened, and why.
    pub what: String,
}

/// Keeps it until nothing can happen any more.
pub(super) async fn keep(
    inner: Arc<Inner>,
    mut events: mpsc::Receiver<Event>,
    mut connections: mpsc::Receiver<l4::Event>,
) {
    loop {
        let line = tokio::select! {
            Some(event) = events.recv() => line(&event),
            Some(event) = connections.recv() => line_of_balancer(&event),
            else => return,
        };
        note(&inner, line).await;
    }
}

/// Logs a line and keeps it.
pub(super) async fn note(inner: &Inner, line: Line) {
    tracing::info!(destination = line.destination, "{}", line.what);
    let mut journal = inner.journal.lock().await;
    if journal.len() >= LINES {
        journal.pop_front();
    }
    journal.push_back(line);
}

fn line_of_balancer(event: &l4::Event) -> Line {
    let what = match event.what {
        Happened::Up => "answers: takes connections".to_owned(),
        Happened::Down => "does not answer: its connections are closed, new ones go elsewhere".to_owned(),
        Happened::Enabled => "enabled".to_owned(),
        Happened::Disabled => "disabled: no new connections".to_owned(),
        Happened::Draining => "draining: no new connections".to_owned(),
        Happened::Drained { left: 0, took } => format!("drained after {:.1} s", took.as_secs_f64()),
        Happened::Drained { left, took } => {
            format!("drained after {:.1} s, which closes {left} connections", took.as_secs_f64())
        }
        Happened::Added => "new in the list".to_owned(),
        Happened::Removed => "has left the list".to_owned(),
    };
    Line { at: wall(), destination: Some(event.server.clone()), what: format!("{}: {what}", event.balancer) }
}

fn line(event: &Event) -> Line {
    let percent = |moved: &Option<f64>| match moved {
        Some(moved) => format!("; {:.1} % of new calls go elsewhere than before", moved * 100.0),
        None => String::new(),
    };
    let (destination, what) = match event {
        Event::Loaded { version, added, removed, stayed, moved } => {
            (None, format!("list {version} serves: {added} new, {removed} gone, {stayed} as before{}", percent(moved)))
        }
        Event::Changed { name, from, to, is_alive, why, moved } => (
            Some(name.to_string()),
            format!("{from} → {to}{}: it {}{}", if *is_alive { "" } else { ", dead" }, why.as_str(), percent(moved)),
        ),
        Event::Emptied { name, left, took } => {
            (Some(name.to_string()), format!("drained after {:.1} s with {left} calls left", took.as_secs_f64()))
        }
        Event::CallMoved { call, from, to } => {
            let name = |name: &Option<Arc<str>>| name.as_deref().unwrap_or("nowhere").to_owned();
            (from.as_deref().map(str::to_owned), format!("call {call} goes on at {}: {} is dead", name(to), name(from)))
        }
        _ => (None, "something that this program does not know".to_owned()),
    };
    Line { at: wall(), destination, what }
}
